"""A carrier that is started, with its parts in a real file."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from bellwire.carriers.smpp import SmppAccount, SmppCarrier
from bellwire.delivery.schedule import RetryPolicy
from bellwire.model.sms import MessageId, OutgoingText
from bellwire.observe.system_clock import SystemClock
from bellwire.ports.carrier import CarrierReports
from bellwire.storage.embedded.parts_file import PartsFile
from bellwire.transports.smpp_link import SmppPeer, link_to
from bellwire.wire.smpp.pdus import BindTransceiver

OURS, THEIRS = "+16505550180", "+16505550142"
BIND = BindTransceiver("bellwire", "secret")
QUICK = RetryPolicy(first_pause=0.02, doubling_until=0.05, least_pause=0.005)
AN_ACCOUNT = SmppAccount(BIND)


def texts(*contents: str, recipient: str = THEIRS) -> list[OutgoingText]:
    return [
        OutgoingText(MessageId(str(number)), OURS, recipient, content) for number, content in enumerate(contents, 1)
    ]


@asynccontextmanager
async def a_carrier(
    port: int,
    reports: CarrierReports,
    data_dir: Path,
    *,
    account: SmppAccount = AN_ACCOUNT,
    host: str = "127.0.0.1",
    tls: Callable[[], ssl.SSLContext] | None = None,
    drain_seconds: float = 0.0,
) -> AsyncIterator[SmppCarrier]:
    peer = SmppPeer(host, port, tls=tls, connect_timeout_seconds=10.0, reconnect=QUICK)
    random = Random(7)
    faults: list[BaseException] = []
    carrier = SmppCarrier(
        account,
        link_to(peer, random, faults.append),
        parts=PartsFile(data_dir),
        clock=SystemClock(),
        random=random,
        on_fatal=faults.append,
    )
    await carrier.start(reports)
    try:
        yield carrier
    finally:
        await carrier.stop(drain_seconds=drain_seconds)
    assert not faults
