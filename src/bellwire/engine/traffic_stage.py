"""What the stories of demo traffic are played on: who is there, what time it is, chance, fresh ids, shared bodies."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bellwire.model.ids import AccountId, ExtensionId

Body = Mapping[str, Any]

OUTSIDERS = ("Jane Doe", "Omar Haddad", "Lucia Moretti", "Sam Okafor", "Yuki Tanaka", "Piotr Nowak", "Rosa Delgado")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of the account."""

    extension_id: ExtensionId
    extension_number: str
    first_name: str
    last_name: str
    phone_number: str
    """E.164."""

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Who and what is there. At least one person."""

    account_id: AccountId
    people: tuple[Person, ...]
    queues: tuple[ExtensionId, ...] = ()
    device_ids: tuple[str, ...] = ()
    a2p_number: str | None = None
    """E.164; without one there is no High Volume SMS."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event: where it is announced, and what it says. `audience`: who may see it; None is the whole account."""

    topic: str
    body: Body
    audience: tuple[ExtensionId, ...] | None = None


class Stage:
    """What a scenario draws on: the scene, the time, chance, and fresh ids."""

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        self.scene = scene
        self.rng = rng
        self.now = datetime.fromtimestamp(0, UTC)
        self._last_number = rng.randrange(10**9, 2 * 10**9)
        self._presence_sequence: dict[ExtensionId, int] = {}

    @property
    def account(self) -> str:
        return f"/restapi/v1.0/account/{self.scene.account_id}"

    def extension(self, person: Person) -> str:
        return f"{self.account}/extension/{person.extension_id}"

    def somebody(self) -> Person:
        return self.rng.choice(self.scene.people)

    def outsider(self) -> tuple[str, str]:
        """A name and a number."""
        return self.rng.choice(OUTSIDERS), f"+1{self.rng.randrange(201, 990)}55501{self.rng.randrange(100):02}"

    def number(self) -> str:
        """A fresh id of decimal digits."""
        self._last_number += self.rng.randrange(1, 1000)
        return str(self._last_number)

    def hexadecimal(self, digits: int) -> str:
        return f"{self.rng.getrandbits(4 * digits):0{digits}x}"

    def time(self, *, seconds_ago: float = 0) -> str:
        moment = self.now - timedelta(seconds=seconds_ago)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"

    def presence_sequence(self, person: Person) -> int:
        sequence = self._presence_sequence.get(person.extension_id, 0) + 1
        self._presence_sequence[person.extension_id] = sequence
        return sequence


def inbound_message(stage: Stage, message_id: str, kind: str) -> dict[str, Any]:
    return {
        "id": message_id,
        "type": kind,
        "direction": "Inbound",
        "creationTime": stage.time(),
        "lastModifiedTime": stage.time(),
        "readStatus": "Unread",
        "priority": "Normal",
        "availability": "Alive",
        "messageStatus": "Received",
    }


def attachment(extension: str, message_id: str, kind: str, content_type: str, **more: int) -> dict[str, Any]:
    uri = f"{extension}/message-store/{message_id}/content/{message_id}"
    return {"id": message_id, "uri": uri, "type": kind, "contentType": content_type, **more}


def stored(stage: Stage, person: Person, kind: str) -> Happening:
    """The message store of the extension says that something is new."""
    body = {
        "accountId": stage.scene.account_id,
        "extensionId": person.extension_id,
        "lastUpdated": stage.time(),
        "changes": [{"type": kind, "newCount": 1, "updatedCount": 0}],
    }
    return Happening(f"{stage.extension(person)}/message-store", body)


def presence_body(stage: Stage, person: Person, **changed: Any) -> dict[str, Any]:
    return {
        "extensionId": person.extension_id,
        "sequence": stage.presence_sequence(person),
        "telephonyStatus": "NoCall",
        "presenceStatus": "Available",
        "userStatus": "Available",
        "meetingStatus": "Disconnected",
        "dndStatus": "TakeAllCalls",
        "allowSeeMyPresence": True,
        "ringOnMonitoredCall": False,
        "pickUpCallsOnHold": False,
        "activeCalls": [],
        "totalActiveCalls": 0,
        **changed,
    }
