"""Where webhooks go: endpoints that note what they are sent, and break as they are told."""

from __future__ import annotations

import re
import ssl
from contextlib import suppress
from pathlib import Path

import trustme

from bellwire.testing.receiver import ACCEPTED, ReceivedRequest, Reply, WebhookReceiver
from tests.e2e.faults.audit import Receipt
from tests.e2e.faults.remains import all_has_come
from torture.ledger import Ledger
from torture.plan import Mood

PUBLISHED_HERE = re.compile(r"torture\d+-\d+")
"""uuids of events that are published here; other events come of SMS batches."""
MOODS = {
    Mood.HANGING: Reply(never=True),
    Mood.DRIPPING: Reply(drip_seconds=0.25),
    Mood.RESETTING: Reply(resets=True),
    Mood.HANGING_UP: Reply(raw=b"", hangs_up=True),
    Mood.ERROR_500: Reply(status=500),
    Mood.THROTTLING: Reply(status=429, headers=(("Retry-After", "1"),)),
    Mood.REDIRECTING: Reply(status=302, headers=(("Location", "http://127.0.0.1:1/"),)),
    Mood.OVERSIZED: Reply(raw=b"HTTP/1.1 200 OK\r\nX-Without-End: " + b"x" * 200_000, hangs_up=True),
    Mood.MALFORMED: Reply(raw=b"HTTP/1.1 all is well\r\n\r\n", hangs_up=True),
    Mood.SLOW: Reply(delay_seconds=0.04),
}
"""What is answered in a mood. Where it refuses, nobody listens; with bad TLS, nobody is understood."""


class Certificates:
    """An authority that the server is told to trust, and a stranger."""

    def __init__(self, directory: Path) -> None:
        authority, stranger = trustme.CA(), trustme.CA()
        self.authority_file = directory / "authority.pem"
        authority.cert_pem.write_to_path(self.authority_file)
        self.good = _context(authority)
        self.bad = _context(stranger)
        self.unverified = ssl.create_default_context()
        self.unverified.check_hostname = False
        self.unverified.verify_mode = ssl.CERT_NONE


def _context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


class Endpoint:
    """One address. Every receipt goes to the subscription that it names, whichever that is."""

    def __init__(self, name: str, ledger: Ledger, certificates: Certificates | None = None) -> None:
        """`certificates`: it is reached by https."""
        self.name = name
        self.life = 0
        """The how-manieth process sends."""
        self._ledger = ledger
        self._certificates = certificates
        self._mood: Mood | None = None
        self._good = WebhookReceiver(keep=False, answer=self._answer, tls=certificates.good if certificates else None)
        self._stranger: WebhookReceiver | None = None
        """Has its port instead, with a certificate that nobody trusts."""

    @property
    def url(self) -> str:
        return self._good.url

    async def start(self) -> None:
        await self._good.start()

    async def stop(self) -> None:
        if self._stranger is not None:
            await self._stranger.stop()
        else:
            await self._good.stop()

    async def breaks(self, mood: Mood) -> None:
        self._mood = mood
        if mood is Mood.REFUSING:
            await self._good.stop()
        elif mood is Mood.BAD_TLS and self._certificates is not None:
            await self._good.stop()
            self._stranger = WebhookReceiver(
                port=self._good.port, keep=False, answer=self._answer, tls=self._certificates.bad
            )
            await self._stranger.start()

    async def heals(self) -> None:
        broken, self._mood = self._mood, None
        if broken is Mood.REFUSING:
            await self._good.start()
        elif self._stranger is not None:
            await self._stranger.stop()
            self._stranger = None
            await self._good.start()

    async def all_has_come(self) -> None:
        """Wait for what a dead process has sent."""
        if self._mood not in {Mood.REFUSING, Mood.BAD_TLS}:
            with suppress(ConnectionError):
                await all_has_come(self._good, self._certificates.unverified if self._certificates else None)

    def _answer(self, request: ReceivedRequest) -> Reply:
        reply = ACCEPTED if self._mood is None else MOODS.get(self._mood, ACCEPTED)
        notification = request.json()
        uuid = notification["uuid"]
        if PUBLISHED_HERE.fullmatch(uuid):
            is_taken = reply is ACCEPTED or self._mood is Mood.SLOW
            receipt = Receipt(uuid, self.life, is_taken, request.received_at + reply.delay_seconds)
            subscription = self._ledger.subscriptions.get(notification["subscriptionId"])
            if subscription is None:
                self._ledger.keep_for_later(notification["subscriptionId"], self.name, receipt)
            else:
                subscription.receive(receipt)
        return reply
