from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bellwire.wire.smpp.window import MAX_SEQUENCE, SequenceNumbers, Window

SIZE, SECONDS = 4, 10.0


def test_numbers_begin_again_after_the_highest() -> None:
    numbers = SequenceNumbers(MAX_SEQUENCE - 1)

    assert [numbers.take() for _ in range(3)] == [MAX_SEQUENCE, 1, 2]


def test_a_number_that_is_in_use_is_left_out() -> None:
    numbers = SequenceNumbers(MAX_SEQUENCE)

    assert numbers.take(in_use={1, 2, 4}) == 3
    assert numbers.take(in_use={1, 2, 4}) == 5


class WindowStory(RuleBasedStateMachine):
    """The window against a plain dict of number → (written at, what)."""

    def __init__(self) -> None:
        super().__init__()
        self.window: Window[str] = Window(SIZE, SECONDS)
        self.numbers = SequenceNumbers(MAX_SEQUENCE - 3)
        self.model: dict[int, tuple[float, str]] = {}
        self.now = 0.0

    @precondition(lambda self: self.window.has_room)
    @rule(what=st.text(max_size=3))
    def write(self, what: str) -> None:
        sequence = self.numbers.take(in_use=self.window)
        assert sequence not in self.model
        self.window.store(sequence, what, self.now)
        self.model[sequence] = (self.now, what)

    @rule(pick=st.integers(0, 10), seconds=st.floats(0, 4))
    def answer(self, pick: int, seconds: float) -> None:
        self.now += seconds
        sequence = sorted(self.model)[pick] if pick < len(self.model) else 12345
        expected = self.model.pop(sequence, None)
        assert self.window.fetch(sequence) == (None if expected is None else expected[1])

    @rule(seconds=st.floats(0, 8))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        late = [sequence for sequence, (written, _) in self.model.items() if written + SECONDS <= self.now]
        assert self.window.expire(self.now) == [self.model.pop(sequence)[1] for sequence in late]

    @rule()
    def lose_the_link(self) -> None:
        assert self.window.drain() == [what for _, what in self.model.values()]
        self.model.clear()

    @invariant()
    def agrees(self) -> None:
        assert len(self.window) == len(self.model)
        assert self.window.has_room == (len(self.model) < SIZE)
        expected = min((written + SECONDS for written, _ in self.model.values()), default=None)
        assert self.window.next_expiry == expected


TestWindowAgainstADict = WindowStory.TestCase
