from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from bellwire.wire.smpp.framing import MAX_COMMAND_LENGTH, BrokenFraming, Frame, Framing

words = st.integers(0, 0xFFFFFFFF)
frames = st.builds(Frame, words, words, words, st.binary(max_size=300))


def written(frame: Frame) -> bytes:
    return struct.pack(">LLLL", 16 + len(frame.body), frame.command_id, frame.status, frame.sequence) + frame.body


def taken(framing: Framing) -> list[Frame | BrokenFraming]:
    found: list[Frame | BrokenFraming] = []
    while (frame := framing.take()) is not None:
        found.append(frame)
        if isinstance(frame, BrokenFraming):
            break
    return found


@given(st.lists(frames, max_size=6), st.lists(st.integers(1, 40), max_size=200))
def test_frames_come_out_as_they_went_in_however_the_bytes_are_cut(sent: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(map(written, sent))
    framing = Framing()
    got: list[Frame | BrokenFraming] = []
    for size in [*cuts, len(stream)]:
        framing.feed(stream[:size])
        stream = stream[size:]
        got += taken(framing)

    assert got == sent
    assert framing.waiting_bytes == 0


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_arbitrary_bytes_give_frames_that_account_for_them_or_end_the_stream(pieces: list[bytes]) -> None:
    framing = Framing()
    got: list[Frame | BrokenFraming] = []
    for piece in pieces:
        framing.feed(piece)
        got += taken(framing)

    whole = b"".join(pieces)
    if any(isinstance(frame, BrokenFraming) for frame in got):
        assert framing.waiting_bytes == 0
    else:
        read = b"".join(written(frame) for frame in got if isinstance(frame, Frame))
        assert whole.startswith(read)
        assert framing.waiting_bytes == len(whole) - len(read)


def test_a_length_over_the_limit_is_refused_before_anything_waits() -> None:
    framing = Framing()
    framing.feed(struct.pack(">L", MAX_COMMAND_LENGTH + 1) + b"x" * 5000)

    assert framing.take() == BrokenFraming(MAX_COMMAND_LENGTH + 1)
    assert framing.waiting_bytes == 0
    framing.feed(b"y" * 5000)
    assert framing.waiting_bytes == 0
    assert framing.take() == BrokenFraming(MAX_COMMAND_LENGTH + 1)


def test_a_length_below_a_header_is_broken_framing() -> None:
    framing = Framing()
    framing.feed(struct.pack(">L", 15))

    assert framing.take() == BrokenFraming(15)


def test_three_bytes_are_not_a_length() -> None:
    framing = Framing()
    framing.feed(b"\xff\xff\xff")

    assert framing.take() is None
