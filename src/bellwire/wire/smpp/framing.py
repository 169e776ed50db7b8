"""Where one PDU ends and the next begins: command_length, with an upper limit that is checked before anything waits.

The first two of the four answers to a peer's bytes are here (nothing whole yet; framing that can't be trusted any
more), a PDU and a well-framed one that can't be parsed are told apart by `codec.py`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER_BYTES = 16
MAX_COMMAND_LENGTH = 66 * 1024
"""A `message_payload` has 65,535 bytes at most; all other fields together have room in the rest."""

_HEADER = struct.Struct(">LLLL")


@dataclass(frozen=True, slots=True)
class Frame:
    """One PDU's header and its body, not looked into."""

    command_id: int
    status: int
    sequence: int
    body: bytes


@dataclass(frozen=True, slots=True)
class BrokenFraming:
    """Nothing that follows can be told from noise: the link has to end."""

    command_length: int


class Framing:
    """Cuts a stream of bytes into frames. Holds less than one PDU beside what was fed last."""

    def __init__(self, max_command_length: int = MAX_COMMAND_LENGTH) -> None:
        self._max = max_command_length
        self._buffer = bytearray()
        self._broken: BrokenFraming | None = None

    @property
    def waiting_bytes(self) -> int:
        """What came of a PDU that is not whole."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take what came; then `take` until it gives None or `BrokenFraming`."""
        if self._broken is None:
            self._buffer += data

    def take(self) -> Frame | BrokenFraming | None:
        """The next frame; None: it is not whole yet."""
        if self._broken is not None:
            return self._broken
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        length = int.from_bytes(buffer[:4], "big")
        if not HEADER_BYTES <= length <= self._max:
            self._broken = BrokenFraming(length)
            buffer.clear()
            return self._broken
        if len(buffer) < length:
            return None
        _, command_id, status, sequence = _HEADER.unpack_from(buffer)
        body = bytes(buffer[HEADER_BYTES:length])
        del buffer[:length]
        return Frame(command_id, status, sequence, body)
