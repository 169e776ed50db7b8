"""A webhook receiver for plain, synchronous tests: it listens in a thread, and a test waits on it.

A wait that fails says what did arrive, and of each event that was published why it did not: no subscription has the
address, its filters do not match and in what, or the delivery failed and how.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from bellwire.testing.receiver import ReceivedRequest, Reply, WebhookReceiver

DEFAULT_WAIT_SECONDS = 5.0
_ENVELOPE = ("uuid", "event", "timestamp", "subscriptionId", "ownerId")
_MOST_CHARACTERS = 300
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification as it arrived. `body`: the event's; `content`: the whole JSON, the envelope included."""

    event: str
    """The event filter that matched."""
    body: Mapping[str, Any]
    uuid: str
    subscription_id: str
    owner_id: str
    timestamp: str
    headers: Mapping[str, str]
    """By lower-case name."""
    content: Mapping[str, Any]

    @classmethod
    def of(cls, request: ReceivedRequest) -> Notification:
        try:
            content = request.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):  # from anybody but Bellwire
            content = {}
        body = content.get("body")
        if not isinstance(body, dict):  # families whose fields stand beside the envelope's
            body = {name: value for name, value in content.items() if name not in _ENVELOPE}
        uuid, event, timestamp, subscription, owner = (str(content.get(name, "")) for name in _ENVELOPE)
        return cls(event, body, uuid, subscription, owner, timestamp, request.headers, content)


class NotReceived(AssertionError):
    """A wait that ended without what was waited for."""


class ReceiverThread:
    """An event loop in a thread of its own, for receivers."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bellwire-webhooks", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def call(self, function: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(function)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Webhook:
    """Made by `bellwire.webhook()`. Subscribe with `url` as address."""

    def __init__(
        self,
        thread: ReceiverThread,
        *,
        why_not: Callable[[Webhook, set[str]], str],
        path: str = "/webhook",
        verification_token: str | None = None,
        signing_secret: str | None = None,
    ) -> None:
        """
        Args:
            why_not: of a webhook and the uuids of the notifications that it got: why it got no others, in lines.
            verification_token: what `Verification-Token` has to say; anything else is answered 401.
            signing_secret: `whsec_…`; notifications without a valid signature are answered 401.
        """
        self._thread = thread
        self._why_not = why_not
        self._verification_token = verification_token
        self._signing_secret = signing_secret
        self._arrived = threading.Condition()
        self._noticed = 0
        self._answers: list[Reply] = []
        self._lasting = Reply()
        self._receiver = WebhookReceiver(
            path=path,
            answer=self._answer,
            verification_token=verification_token,
            signing_secret=signing_secret,
            on_notification=self._notice,
            on_handshake=self._notice,
        )
        thread.run(self._receiver.start())

    @property
    def url(self) -> str:
        """The address to subscribe with."""
        return self._receiver.url

    @property
    def delivery_mode(self) -> dict[str, str | None]:
        """What a subscription says of this receiver, beside its `transportType`."""
        return {
            "address": self.url,
            "verificationToken": self._verification_token,
            "signingSecret": self._signing_secret,
        }

    @property
    def handshakes(self) -> int:
        """How many handshakes came."""
        return len(self._receiver.handshakes)

    @property
    def notifications(self) -> list[Notification]:
        """All that arrived so far, in order; what failed the check of token or signature is not among them."""
        return [Notification.of(request) for request in list(self._receiver.notifications) if not request.problems]

    @property
    def refused(self) -> list[str]:
        """What was wrong with the notifications that failed the check of token or signature."""
        return ["; ".join(request.problems) for request in list(self._receiver.notifications) if request.problems]

    @overload
    def wait(self, expected: int = 1, timeout: float = DEFAULT_WAIT_SECONDS) -> list[Notification]: ...

    @overload
    def wait(
        self, expected: Callable[[Notification], object], timeout: float = DEFAULT_WAIT_SECONDS
    ) -> Notification: ...

    def wait(
        self, expected: int | Callable[[Notification], object] = 1, timeout: float = DEFAULT_WAIT_SECONDS
    ) -> list[Notification] | Notification:
        """Wait until so many notifications have arrived in all, or one that a function says yes to.

        Args:
            timeout: seconds.

        Returns:
            all notifications so far, for a number; the first that fits, for a function.

        Raises:
            NotReceived: it did not come in time; with what did come, and why the rest did not.
            ValueError: a number that is always there, such as 0.
        """
        __tracebackhide__ = True
        if isinstance(expected, int) and expected < 1:
            raise ValueError("wait for 1 or more; that none come is seen in notifications, after bellwire.settle()")
        deadline = time.monotonic() + timeout
        while True:
            with self._arrived:
                seen = self._noticed
            arrived = self.notifications
            if isinstance(expected, int):
                if len(arrived) >= expected:
                    return arrived
            else:
                for notification in arrived:
                    if expected(notification):
                        return notification
            with self._arrived:
                left = deadline - time.monotonic()
                if self._noticed == seen and left > 0:
                    self._arrived.wait(left)
            if time.monotonic() >= deadline and self._noticed == seen:
                raise NotReceived(self._failure(expected, timeout, arrived))

    def answer(self, status: int = 200, *, times: int | None = None, delay_seconds: float = 0.0, hangs_up: bool = False,
               body: bytes = b"") -> None:  # fmt: skip
        """What notifications are answered from now on.

        Args:
            times: only so many; then as before.
            hangs_up: the connection is closed instead of an answer.

        Raises:
            ValueError: no HTTP status of a final answer, or less than one time.
        """
        __tracebackhide__ = True
        if not 200 <= status <= 599:
            raise ValueError(f"{status} is no HTTP status from 200 to 599")
        if times is not None and times < 1:
            raise ValueError(f"times is 1 or more, not {times}")
        reply = Reply(
            status=status,
            body=body,
            delay_seconds=delay_seconds,
            hangs_up=hangs_up,
            raw=b"" if hangs_up else None,
        )
        if times is None:
            self._answers = []
            self._lasting = reply
        else:
            self._answers = [reply] * times

    def close(self) -> None:
        """Stop listening: what is sent there is refused by the machine."""
        self._thread.run(self._receiver.stop())

    def _answer(self, _request: ReceivedRequest) -> Reply:
        answers = self._answers
        return answers.pop() if answers else self._lasting

    def _notice(self, _request: ReceivedRequest) -> None:
        with self._arrived:
            self._noticed += 1
            self._arrived.notify_all()

    def _failure(
        self, expected: int | Callable[[Notification], object], timeout: float, arrived: list[Notification]
    ) -> str:
        what = (
            f"{expected} notification{'' if expected == 1 else 's'}" if isinstance(expected, int) else "one that fits"
        )
        lines = [f"waited {timeout:g} s for {what} at {self.url}"]
        lines.append(f"arrived: {len(arrived) or 'nothing'}")
        for notification in arrived:
            shown = json.dumps(notification.body, ensure_ascii=False)
            cut = shown if len(shown) <= _MOST_CHARACTERS else shown[:_MOST_CHARACTERS] + "…"
            lines.append(f"  {notification.event}\n    {cut}")
        lines += [f"  refused here: {problem}" for problem in self.refused]
        return "\n".join([*lines, self._why_not(self, {notification.uuid for notification in arrived})])
