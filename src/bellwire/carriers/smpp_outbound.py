"""Texts on their way out over SMPP: a queue before the window, and what becomes of each text.

A text is in the queue until its last part is written; what was written and what the peer said is kept by `Submission`,
which decides. Nothing of a text is ever written twice, unless the peer said that it did not take it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from bellwire.carriers.smpp_codes import Refusal, judge_refusal
from bellwire.carriers.smpp_submission import Submission
from bellwire.carriers.smpp_texts import Spelling, submits_of
from bellwire.model.sms import MessageId, NotNow, OutgoingText, Refused, SubmitOutcome, SubmitUnknown
from bellwire.ports.smpp_link import SmppConnection
from bellwire.sms.codes import ErrorCode
from bellwire.sms.segments import TextTooLong
from bellwire.wire.smpp.pace import Pace
from bellwire.wire.smpp.pdus import Status
from bellwire.wire.smpp.receipts import IdForm, comparable_id
from bellwire.wire.smpp.session import Answered

TEMPORARY_SECONDS = 1.0
"""After which a text that the peer could not take just now may be sent again."""
MAX_TEMPORARY_REFUSALS = 10
"""Of one text, after which it is not sent."""
_REMEMBERED_TEXTS = 10_000


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    spelling: Spelling = field(default_factory=Spelling)
    id_form: IdForm = IdForm.SAME
    half_taken_seconds: float = 60.0
    """For which the rest of a text that was taken in part waits for the peer or for a new link."""


@dataclass(eq=False, slots=True)
class _Entry:
    submission: Submission
    result: asyncio.Future[SubmitOutcome]
    is_queued: bool = True
    deadline: asyncio.TimerHandle | None = None


@dataclass(frozen=True, slots=True)
class PartOf:
    """What a submit_sm is about."""

    entry: _Entry
    part: int


class Outbound:
    """Belongs to one event loop. Told by its owner when a link is there and what the peer says."""

    def __init__(
        self,
        policy: OutboundPolicy,
        pace: Pace,
        *,
        places: int,
        random: Random,
        retry_seconds: Callable[[], float],
    ) -> None:
        """Args:
        places: texts that it is given to begin with at the same time.
        retry_seconds: how long there will be no link, about.
        """
        self._policy = policy
        self._pace = pace
        self._places = places
        self._random = random
        self._retry_seconds = retry_seconds
        self._loop = asyncio.get_running_loop()
        self._connection: SmppConnection[PartOf] | None = None
        self._queue: deque[_Entry] = deque()
        self._live: dict[_Entry, None] = {}
        """In the order of acceptance."""
        self._pump_timer: asyncio.TimerHandle | None = None
        self._reference = random.randrange(256)
        self._refused_for_now: OrderedDict[MessageId, int] = OrderedDict()
        self._is_closed = False
        self._room_made = asyncio.Event()
        self.answers: Counter[str] = Counter()
        """submit_sm by what they came to."""

    @property
    def waiting_texts(self) -> int:
        """Texts without an outcome."""
        return len(self._live)

    async def room(self) -> int:
        """See `Carrier.room`: the free places; none without a link."""
        while (room := self._free_places()) < 1:
            self._room_made.clear()
            pause = self._pace.pause_left(self._loop.time()) if self._connection is not None else 0.0
            try:
                async with asyncio.timeout(pause or None):
                    await self._room_made.wait()
            except TimeoutError:
                pass
        return room

    async def submit(self, texts: Sequence[OutgoingText]) -> Sequence[SubmitOutcome]:
        """See `Carrier.submit`. Where the caller gives up, what was not begun is not sent."""
        entries: list[_Entry] = []
        outcomes: list[SubmitOutcome | _Entry] = []
        for text in texts:
            accepted = self._accept(text)
            outcomes.append(accepted)
            if isinstance(accepted, _Entry):
                entries.append(accepted)
        self._pump()
        try:
            for entry in entries:
                await asyncio.shield(entry.result)
        except asyncio.CancelledError:
            for entry in entries:
                if entry.submission.is_untouched:
                    self._resolve(entry, NotNow(0.0))
            raise
        return [outcome.result.result() if isinstance(outcome, _Entry) else outcome for outcome in outcomes]

    # What its owner tells it.

    def linked(self, connection: SmppConnection[PartOf]) -> None:
        self._connection = connection
        self._room_made.set()
        self._pump()

    def unlinked(self, unanswered: Sequence[PartOf]) -> None:
        """The link ended; these were written and not answered."""
        self._connection = None
        for about in unanswered:
            about.entry.submission.unknown(about.part)
            self.answers["unknown"] += 1
        for entry in list(self._live):
            submission = entry.submission
            if submission.is_half_taken and submission.outcome(0.0) is None:
                self._continue_later(entry, 0.0)
            else:
                self._resolve(entry, submission.abandoned(self._retry_seconds()))

    def answered(self, answer: Answered[PartOf]) -> None:
        entry, part = answer.about.entry, answer.about.part
        if answer.status == Status.OK:
            self.answers["taken"] += 1
            if entry.deadline is not None:
                entry.deadline.cancel()
                entry.deadline = None
            carrier_id = comparable_id(answer.message_id, self._policy.id_form, of_receipt=False)
            entry.submission.taken(part, carrier_id)
            self._settle(entry, 0.0)
        else:
            self._on_refusal(entry, part, judge_refusal(answer.status))
        self._pump()

    def unanswered(self, about: PartOf) -> None:
        """Its answer did not come in time."""
        self.answers["unknown"] += 1
        about.entry.submission.unknown(about.part)
        self._settle(about.entry, 0.0)
        self._pump()

    async def drain(self, seconds: float) -> None:
        """Take nothing more, give back what was not begun, and wait for the rest for so long at most."""
        self._is_closed = True
        for entry in list(self._live):
            if entry.submission.is_untouched:
                self._resolve(entry, NotNow(self._retry_seconds()))
        if self._live:
            await asyncio.wait([entry.result for entry in self._live], timeout=seconds)

    def close(self) -> None:
        """Whatever has no outcome yet gets one."""
        self._is_closed = True
        for entry in list(self._live):
            self._resolve(entry, entry.submission.abandoned(self._retry_seconds()))
        if self._pump_timer is not None:
            self._pump_timer.cancel()

    def _free_places(self) -> int:
        if self._connection is None or self._is_closed or self._pace.pause_left(self._loop.time()) > 0:
            return 0
        return self._places - len(self._live)

    # One text.

    def _accept(self, text: OutgoingText) -> _Entry | SubmitOutcome:
        if self._connection is None or self._is_closed:
            return NotNow(self._retry_seconds())
        if (pause := self._pace.pause_left(self._loop.time())) > 0:
            return NotNow(pause)
        self._reference = (self._reference + 1) % 256
        try:
            parts = submits_of(text, self._policy.spelling, reference=self._reference)
        except TextTooLong:
            return Refused(ErrorCode.RC_501)
        entry = _Entry(Submission(text, parts), self._loop.create_future())
        self._queue.append(entry)
        self._live[entry] = None
        return entry

    def _on_refusal(self, entry: _Entry, part: int, refusal: Refusal | ErrorCode) -> None:
        submission = entry.submission
        if isinstance(refusal, ErrorCode):
            self.answers["refused"] += 1
            submission.refused(part, refusal)
            self._settle(entry, 0.0)
            return
        self.answers["not_now"] += 1
        if refusal is Refusal.THROTTLED:
            pause = self._pace.refused(self._loop.time(), self._random.random())
            submission.postponed(part)
            self._settle(entry, pause)
            for other in list(self._live):
                if other.submission.is_untouched:
                    self._resolve(other, NotNow(pause))
        elif refusal is Refusal.LINK:
            submission.postponed(part)
            self._settle(entry, self._retry_seconds())
            if self._connection is not None:
                self._connection.abort()
                self._connection = None
        elif self._count_temporary(submission.text.message) >= MAX_TEMPORARY_REFUSALS:
            submission.refused(part, ErrorCode.UP_500)
            self._settle(entry, 0.0)
        else:
            submission.postponed(part)
            self._settle(entry, TEMPORARY_SECONDS)

    def _count_temporary(self, message: MessageId) -> int:
        count = self._refused_for_now.pop(message, 0) + 1
        self._refused_for_now[message] = count
        if len(self._refused_for_now) > _REMEMBERED_TEXTS:
            self._refused_for_now.popitem(last=False)
        return count

    def _settle(self, entry: _Entry, retry_seconds: float) -> None:
        """Something is known of a text: end it, or go on with it."""
        outcome = entry.submission.outcome(retry_seconds)
        if outcome is not None:
            self._resolve(entry, outcome)
        elif entry.submission.in_flight == 0 and entry.submission.is_held_up:
            self._continue_later(entry, retry_seconds)

    def _resolve(self, entry: _Entry, outcome: SubmitOutcome) -> None:
        self._live.pop(entry, None)
        self._room_made.set()
        if entry.deadline is not None:
            entry.deadline.cancel()
        if entry.is_queued:
            self._queue.remove(entry)
            entry.is_queued = False
        if not isinstance(outcome, NotNow):
            self._refused_for_now.pop(entry.submission.text.message, None)
        if not entry.result.done():
            entry.result.set_result(outcome)

    def _continue_later(self, entry: _Entry, seconds: float) -> None:
        """The rest of a text that was taken in part goes first, as soon as it may."""
        if entry.deadline is None:
            entry.deadline = self._loop.call_later(
                self._policy.half_taken_seconds, self._resolve_if_live, entry, SubmitUnknown()
            )
        if seconds > 0:
            self._loop.call_later(seconds, self._continue, entry)
        else:
            self._continue(entry)

    def _resolve_if_live(self, entry: _Entry, outcome: SubmitOutcome) -> None:
        if entry in self._live:
            self._resolve(entry, outcome)

    def _continue(self, entry: _Entry) -> None:
        if entry not in self._live:
            return
        entry.submission.resume()
        if not entry.is_queued:
            self._queue.appendleft(entry)
            entry.is_queued = True
        self._pump()

    # The queue.

    def _pump(self) -> None:
        """Write what may be written now."""
        connection = self._connection
        if connection is None:
            return
        now = self._loop.time()
        wrote = False
        while self._queue:
            entry = self._queue[0]
            part = entry.submission.next_part
            if part is None:
                self._queue.popleft()
                entry.is_queued = False
                continue
            at = connection.submit_at(now)
            if at is None:
                break
            if at > now:
                self._pump_at(at)
                break
            try:
                connection.submit(entry.submission.parts[part], PartOf(entry, part))
            except ValueError:  # a number that is none
                self.answers["refused"] += 1
                entry.submission.refused(part, ErrorCode.RC_501)
                self._settle(entry, 0.0)
                continue
            entry.submission.written(part)
            wrote = True
        if wrote:
            connection.flush()

    def _pump_at(self, at: float) -> None:
        if self._pump_timer is not None:
            self._pump_timer.cancel()
        self._pump_timer = self._loop.call_at(at, self._pump)
