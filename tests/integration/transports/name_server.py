"""A name server on a loopback port that answers what a test tells it to, or nothing."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address

_A, _SOA = 1, 6
_NXDOMAIN, _SERVFAIL = 3, 2


class NameServer(asyncio.DatagramProtocol):
    """`zone` gives each name its addresses in turns, the last for ever: a list of lists. Names not in it don't exist;
    those in `silent` get no answer, those in `broken` a failure."""

    def __init__(self) -> None:
        self.zone: dict[str, list[list[str]]] = {}
        self.ttl = 0
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.asked: list[tuple[str, int]] = []
        self.address = ""
        self._turns: dict[tuple[str, int], int] = {}

    def questions_for(self, name: str) -> int:
        """How often the name's IPv4 addresses were asked for."""
        return self.asked.count((name, _A))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        host, port = transport.get_extra_info("sockname")[:2]
        self.address = f"{host}:{port}"

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        name, kind, end = _question(data)
        self.asked.append((name, kind))
        if name in self.silent:
            return
        answers = self._next(name, kind)
        code = _SERVFAIL if name in self.broken else (0 if name in self.zone else _NXDOMAIN)
        # As RFC 2308 wants it, "nothing" comes with an SOA record that says for how long that is so.
        authority = b"" if answers else b"\xc0\x0c" + struct.pack("!HHIH", _SOA, 1, self.ttl, 22)
        authority += b"" if answers else b"\0\0" + struct.pack("!IIIII", 1, 1, 1, 1, self.ttl)
        header = data[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(answers), int(not answers), 0)
        records = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, self.ttl, len(packed)) + packed for packed in answers
        )
        self._transport.sendto(header + data[12:end] + records + authority, sender)  # type: ignore[attr-defined]

    def _next(self, name: str, kind: int) -> Sequence[bytes]:
        turns = self.zone.get(name)
        if turns is None or name in self.broken:
            return ()
        turn = self._turns.get((name, kind), 0)
        self._turns[name, kind] = turn + 1
        addresses = [ip_address(address) for address in turns[min(turn, len(turns) - 1)]]
        return [address.packed for address in addresses if (address.version == 4) == (kind == _A)]


def _question(data: bytes) -> tuple[str, int, int]:
    """Name, kind and end of a query's only question."""
    labels, at = [], 12
    while data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode("ascii"))
        at += 1 + data[at]
    (kind,) = struct.unpack_from("!H", data, at + 1)
    return ".".join(labels).lower(), kind, at + 5


@asynccontextmanager
async def serving_names() -> AsyncIterator[NameServer]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
