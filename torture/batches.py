"""Batches of High Volume SMS: each message comes to one final state, and tells each step once, in order.

The simulated carrier picks an outcome by the recipient's last digits, so that it is known beforehand.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bellwire.testing.receiver import ReceivedRequest, WebhookReceiver
from tests.e2e.faults.sms_outcomes import ENDINGS, expected_steps
from torture.times import sleep_until
from torture.user import User

A2P = "/restapi/v1.0/account/~/a2p-sms"
EACH = 64
"""Messages of a batch."""
FINAL = {"Delivered", "SendingFailed", "DeliveryFailed"}


@dataclass(slots=True)
class Batch:
    """`id`: empty where handing it in was not answered. Then there are all of its messages, or none."""

    number: int
    recipients: list[str]
    id: str = ""


class Batches:
    """Hands them in, and listens to what becomes of them. `steps`: of each recipient; repetitions aside."""

    def __init__(self, user: User, a2p_number: str) -> None:
        self.receiver = WebhookReceiver(keep=False, on_notification=self._note)
        self.handed_in: list[Batch] = []
        self.steps: dict[str, list[str]] = defaultdict(list)
        self.events = 0
        self.repeats = 0
        self.problems: list[str] = []
        self._uuids: set[str] = set()
        self._user = user
        self._a2p_number = a2p_number

    async def subscribe(self) -> None:
        mode = {"transportType": "WebHook", "address": self.receiver.url}
        filters = [f"{A2P}/messages?direction=Outbound&from={self._a2p_number.replace('+', '%2B')}"]
        body = {"eventFilters": filters, "deliveryMode": mode}
        answer = await self._user.until_answered("POST", "/restapi/v1.0/subscription", json=body)
        assert answer.status_code == 200, answer.text

    async def follow(self, times: Sequence[float], began: float) -> None:
        for number, at in enumerate(times):
            await sleep_until(began + at)
            await self._hand_in(Batch(number, list(_recipients(number))))

    def are_told(self) -> bool:
        """All that has to be told of batches whose 201 came has been told."""
        recipients = (recipient for batch in self.handed_in if batch.id for recipient in batch.recipients)
        return all(len(self.steps[recipient]) >= len(expected_steps(recipient)) for recipient in recipients)

    async def complaints(self) -> list[str]:
        """Of each message, what was told, and its state as the API has it."""
        found = list(self.problems)
        for batch in self.handed_in:
            told = {recipient: tuple(self.steps[recipient]) for recipient in batch.recipients}
            if not batch.id and not any(told.values()):
                continue  # it did not arrive
            for recipient, steps in told.items():
                if steps != (expected := expected_steps(recipient)):
                    found.append(f"SMS to {recipient}, batch {batch.id or '?'}: told {steps}, expected {expected}")
            if batch.id:
                states = await self._states(batch.id)
                for recipient in batch.recipients:
                    final = expected_steps(recipient)[-1].split()[0]
                    if states.get(recipient) != [final]:
                        found.append(f"SMS to {recipient}, batch {batch.id}: is {states.get(recipient)}, not {final}")
        return found

    @property
    def messages(self) -> int:
        return sum(len(batch.recipients) for batch in self.handed_in if batch.id)

    @property
    def final_states(self) -> Counter[str]:
        """What was told last of each message."""
        return Counter(steps[-1].split()[0] for steps in self.steps.values() if steps)

    async def _hand_in(self, batch: Batch) -> None:
        """Once: where no answer came, it may have been taken."""
        request = {
            "from": self._a2p_number,
            "text": f"torture {batch.number}",
            "messages": [{"to": [recipient]} for recipient in batch.recipients],
        }
        self.handed_in.append(batch)
        answer = await self._user.call("POST", f"{A2P}/batches", json=request)
        if answer is not None and answer.status_code == 201:
            batch.id = str(answer.json()["id"])
        elif answer is not None:
            self.problems.append(f"batch {batch.number} was answered {answer.status_code} {answer.text}")

    async def _states(self, batch: str) -> dict[str, list[str]]:
        """Statuses of the messages to each recipient."""
        found: dict[str, list[str]] = defaultdict(list)
        query: dict[str, Any] = {"batchId": batch, "perPage": 1000}
        answer = await self._user.until_answered("GET", f"{A2P}/messages", params=query)
        for record in answer.json()["records"]:
            found[record["to"][0]].append(record["messageStatus"])
        return found

    def _note(self, request: ReceivedRequest) -> None:
        notification = request.json()
        if notification["uuid"] in self._uuids:
            self.repeats += 1
            return
        self.events += 1
        self._uuids.add(notification["uuid"])
        body = notification["body"]
        code = f" {body['errorCode']}" if "errorCode" in body else ""
        self.steps[body["to"][0]].append(body["messageStatus"] + code)


def _recipients(batch: int) -> Iterator[str]:
    """Numbers that no other batch has."""
    for number in range(batch * EACH // len(ENDINGS), (batch + 1) * EACH // len(ENDINGS)):
        for ending in ENDINGS:
            yield f"+1{201 + number // 800:03}{200 + number % 800:03}{ending}"
