"""The stories that demo traffic tells: what happens, in which order, with the bodies of each family.

A scenario is a generator over a `Stage`: it looks at who is there, and yields what happens, one event at a time;
between two of its events, others of other stories happen and time passes. Numbers of outsiders are of the ranges kept
for fiction (555-01xx).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bellwire.engine.traffic_calls import answered_call, missed_call
from bellwire.engine.traffic_stage import Happening, Stage, attachment, inbound_message, presence_body, stored

TEXTS = (
    "Hi, are you open on Saturday?",
    "Running ten minutes late, sorry!",
    "Thanks, that worked.",
    "Could you call me back about the invoice?",
)
POSTS = (
    "Morning! Stand-up in five.",
    "The new price list is in the folder.",
    "Who can take the 3 o'clock call?",
    "Release is out, nothing red so far.",
)
OFFERS = ("Your order has shipped", "Your table is booked for tonight", "Reminder: your appointment is tomorrow")


def inbound_text(stage: Stage) -> Iterator[Happening]:
    person, (name, number) = stage.somebody(), stage.outsider()
    message_id, conversation, extension = stage.number(), stage.number(), stage.extension(person)
    text = stage.rng.choice(TEXTS)
    body = {
        **inbound_message(stage, message_id, "SMS"),
        "from": {"phoneNumber": number, "name": name},
        "to": [{"phoneNumber": person.phone_number, "name": person.name, "target": True}],
        "attachments": [attachment(extension, message_id, "Text", "text/plain", size=len(text))],
        "subject": text,
        "conversationId": conversation,
        "conversation": {"id": conversation},
    }
    yield Happening(f"{extension}/message-store/instant", body)
    yield stored(stage, person, "SMS")
    yield Happening(f"{stage.account}/message-threads/entries/sync", {"lastModifiedTime": stage.time()})


def inbound_fax(stage: Stage) -> Iterator[Happening]:
    person, (_, number) = stage.somebody(), stage.outsider()
    message_id, extension = stage.number(), stage.extension(person)
    body = {
        **inbound_message(stage, message_id, "Fax"),
        "from": {"phoneNumber": number},
        "to": [{"phoneNumber": person.phone_number}],
        "attachments": [attachment(extension, message_id, "RenderedDocument", "application/pdf", size=52310)],
        "subject": person.phone_number,
        "faxResolution": "High",
        "faxPageCount": stage.rng.randrange(1, 9),
    }
    yield Happening(f"{extension}/fax", body)
    yield stored(stage, person, "Fax")


def high_volume_batch(stage: Stage) -> Iterator[Happening]:
    """A batch goes out message by message; one recipient answers, another opts out."""
    number = stage.scene.a2p_number
    if number is None:
        return
    a2p, batch_id, created = f"{stage.account}/a2p-sms", stage.number(), stage.time()
    text = stage.rng.choice(OFFERS)
    recipients = [stage.outsider()[1] for _ in range(stage.rng.randrange(2, 5))]

    def batch(status: str, processed: int) -> Happening:
        body = {
            "id": batch_id,
            "from": number,
            "batchSize": len(recipients),
            "processedCount": processed,
            "status": status,
            "creationTime": created,
            "lastModifiedTime": stage.time(),
        }
        if status == "Completed":
            body["cost"] = round(0.007 * len(recipients), 3)
        return Happening(f"{a2p}/batches/{batch_id}", body)

    def message(sender: str, recipient: str, direction: str, said: str) -> Happening:
        body = {
            "id": stage.number(),
            "from": sender,
            "to": [recipient],
            "direction": direction,
            "messageStatus": "Delivered",
            "text": said,
            "segmentCount": 1,
            "cost": 0.007,
            "creationTime": stage.time(),
            "lastModifiedTime": stage.time(),
        }
        if direction == "Outbound":
            body["batchId"] = batch_id
        return Happening(f"{a2p}/messages", body)

    yield batch("Processing", 0)
    for recipient in recipients:
        yield message(number, recipient, "Outbound", text)
    yield batch("Completed", len(recipients))
    yield message(recipients[0], number, "Inbound", "Great, thank you!")
    yield message(recipients[-1], number, "Inbound", "STOP")
    yield Happening(f"{a2p}/opt-outs", {"from": number, "to": recipients[-1], "active": True})


def team_chat(stage: Stage) -> Iterator[Happening]:
    """A team is made, and its members post."""
    members = stage.rng.sample(stage.scene.people, min(3, len(stage.scene.people)))
    audience = tuple(person.extension_id for person in members)
    chat_id, created = stage.number(), stage.time()
    chat = {
        "id": chat_id,
        "name": "Project " + stage.rng.choice(("Heron", "Plover", "Curlew", "Avocet")),
        "description": None,
        "type": "Team",
        "status": "Active",
        "members": list(audience),
        "isPublic": False,
        "creationTime": created,
        "lastModifiedTime": created,
        "eventType": "GroupJoined",
    }
    yield Happening("/team-messaging/v1/chats", chat, audience)
    for person in members[:2]:
        post = {
            "id": stage.number(),
            "groupId": chat_id,
            "type": "TextMessage",
            "text": stage.rng.choice(POSTS),
            "creatorId": person.extension_id,
            "creationTime": stage.time(),
            "lastModifiedTime": stage.time(),
            "eventType": "PostAdded",
        }
        yield Happening("/team-messaging/v1/posts", post, audience)


def webinar(stage: Stage) -> Iterator[Happening]:
    """It is scheduled, somebody registers, it goes live."""
    host, session_id, created = stage.somebody(), stage.number(), stage.time()
    linked = {"userId": host.extension_id, "accountId": stage.scene.account_id, "domain": "pbx"}
    title = stage.rng.choice(("Product update", "Getting started", "Ask us anything"))
    ref = {"id": stage.number(), "title": title, "host": {"linkedUser": linked}}
    schedule = {
        "scheduledStartTime": stage.time(seconds_ago=-600),
        "scheduledDuration": 3600,
        "timeZone": "America/Los_Angeles",
        "localeCode": "en-US",
        "title": "Live edition",
    }
    configured = {
        "id": session_id,
        "eventType": "Create",
        "creationTime": created,
        "lastModifiedTime": created,
        "webinar": ref,
        "status": "Scheduled",
        **schedule,
    }
    yield Happening("/webinar/configuration/v1/company/sessions", configured)
    registration = {
        "id": session_id,
        "webinar": ref,
        "registrationStatus": "Open",
        "registrationPageUri": f"https://webinar.example.com/register/{session_id}",
        "registrantCount": 0,
        "hasRealRegistrants": False,
    }
    yield Happening("/webinar/registration/v1/company/sessions/state", registration)
    first_name, last_name = stage.outsider()[0].split(" ")
    registrant = {
        "id": stage.number(),
        "eventType": "Create",
        "creationTime": stage.time(),
        "lastModifiedTime": stage.time(),
        "session": {"id": session_id},
        "webinar": ref,
        "firstName": first_name,
        "lastName": last_name,
        "email": f"{first_name}.{last_name}@example.com".lower(),
        "registrationTime": stage.time(),
    }
    yield Happening("/webinar/registration/v1/company/sessions/registrants", registrant)
    live = {
        "id": session_id,
        "webinar": ref,
        "status": "Active",
        "previousStatus": "Scheduled",
        "runtimeStatus": "Live",
        "startTime": stage.time(),
        **schedule,
    }
    yield Happening("/webinar/runtime/v1/company/sessions/state", live)


def directory_change(stage: Stage) -> Iterator[Happening]:
    """Somebody moves to another department."""
    person = stage.somebody()
    contact = {
        "eventType": "Update",
        "id": person.extension_id,
        "type": "User",
        "status": "Enabled",
        "name": person.name,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "department": stage.rng.choice(("Sales", "Support", "Operations")),
        "extensionNumber": person.extension_number,
        "account": {"id": stage.scene.account_id},
        "phoneNumbers": [{"phoneNumber": person.phone_number, "usageType": "DirectNumber", "type": "VoiceFax"}],
    }
    yield Happening(f"{stage.account}/directory/entries", {"contacts": [contact]})
    change = {"extensionId": person.extension_id, "eventType": "Update", "hints": ["ExtensionInfo"]}
    yield Happening(stage.extension(person), change)
    yield Happening(f"{stage.account}/extension", change)


def do_not_disturb(stage: Stage) -> Iterator[Happening]:
    """Somebody wants quiet, and is back later."""
    person = stage.somebody()
    for status in ("DoNotAcceptAnyCalls", "TakeAllCalls"):
        yield Happening(
            f"{stage.extension(person)}/presence/dnd", {"extensionId": person.extension_id, "dndStatus": status}
        )
        body = presence_body(stage, person, dndStatus=status)
        yield Happening(f"{stage.extension(person)}/presence", body)


def queue_shift(stage: Stage) -> Iterator[Happening]:
    """A member of a call queue takes calls, and goes home."""
    if not stage.scene.queues:
        return
    person, queue = stage.somebody(), stage.rng.choice(stage.scene.queues)
    for accepts in (True, False):
        body = {"extensionId": person.extension_id, "callQueueId": queue, "acceptCalls": accepts}
        yield Happening(f"{stage.account}/call-queues/{queue}/presence", body)


def housekeeping(stage: Stage) -> Iterator[Happening]:
    """Small changes of settings."""
    person = stage.somebody()
    extension = {"extensionId": person.extension_id}
    yield Happening(f"{stage.extension(person)}/favorite", extension)
    yield Happening(f"{stage.extension(person)}/grant", extension)
    for device in stage.scene.device_ids[:1]:
        yield Happening(f"{stage.account}/device/{device}/emergency-address", {**extension, "deviceId": device})


Scenario = Callable[[Stage], Iterator[Happening]]

SCENARIOS: tuple[Scenario, ...] = (
    answered_call,
    missed_call,
    inbound_text,
    inbound_fax,
    high_volume_batch,
    team_chat,
    webinar,
    directory_change,
    do_not_disturb,
    queue_shift,
    housekeeping,
)
