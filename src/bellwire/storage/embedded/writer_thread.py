"""The one thread that writes the engine's files.

    event loop ──append──▶ ┐                 ┌─▶ group of appends ─▶ one commit of log.db
               ──submit──▶ ┤ inbox ──sorted──┼─▶ tasks, one by one (commits of delivery.db and others)
               ──chore───▶ ┘                 └─▶ one step of a chore or of upkeep, when idle or every few rounds
    event loop ◀── one call_soon_threadsafe for all that a round finished

A round takes whatever gathered while the one before it waited for the disk: that is the group commit. Chores (purges,
dropping old attempts) and upkeep (indexing attempts, the dedupe file's runs) are cut into steps of at most a few
milliseconds, so that no append waits long behind one. An error of the disk other than its being full ends all: what is
durable is then unknown.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import apsw
import structlog

from bellwire.errors import Unavailable
from bellwire.model.event import LoggedEvent
from bellwire.storage.embedded.disk_space import DiskSpace
from bellwire.storage.embedded.group_sizes import GroupSizes
from bellwire.storage.embedded.limits import EngineLimits
from bellwire.storage.embedded.log_writer import Answers, Append, LogWriter, Trim, Trimmed

T = TypeVar("T")

Step = Callable[[], bool]
"""One piece of work of a few milliseconds. A chore's returns True while there is more, upkeep's whether it did any."""

Settled = Callable[[Sequence[Append], Sequence[LoggedEvent], Sequence[Answers] | Exception], None]

ROUNDS_PER_STEP = 3
"""Under load, one step in so many rounds."""
DISK_RETRY_SECONDS = 30

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Task:
    work: Callable[[], Any]
    future: asyncio.Future[Any]


@dataclass(slots=True, eq=False)
class _Chore:
    step: Step
    future: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class _Stop:
    future: asyncio.Future[None]


def disk_is_low() -> Unavailable:
    return Unavailable("the disk is nearly full: nothing more is logged", retry_after_seconds=DISK_RETRY_SECONDS)


def stopping() -> Unavailable:
    return Unavailable("Bellwire is stopping")


def resolve(future: asyncio.Future[T], result: T) -> None:
    """Give the result to whoever still waits: a caller that was cancelled has cancelled its future."""
    if not future.done():
        future.set_result(result)


def refuse(future: asyncio.Future[Any], problem: Exception) -> None:
    if not future.done():
        future.set_exception(problem)


class WriterThread:
    """`append`, `trim`, `submit` and `chore` are called from the event loop, and never wait.

    Args:
        upkeep: steps that are tried again after each write.
        settled: called on the event loop with each group, the events of it that are durable now, and the answers to
            its calls, or why there are none; it resolves the calls' futures.
        on_fatal: called on the event loop, once, when the disk failed; nothing is written after that.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        log_writer: LogWriter,
        upkeep: Sequence[Step],
        space: DiskSpace,
        limits: EngineLimits,
        settled: Settled,
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        self._loop = loop
        self._log_writer = log_writer
        self._upkeep = deque(upkeep)
        self._space = space
        self._limits = limits
        self._settled = settled
        self._on_fatal = on_fatal
        self.group_sizes = GroupSizes()
        self._inbox: SimpleQueue[Append | Trim | _Task | _Chore | _Stop] = SimpleQueue()
        self._appends: deque[Append] = deque()
        self._tasks: deque[_Task] = deque()
        self._chores: deque[_Chore] = deque()
        self._finished: list[Callable[[], None]] = []
        self._fatal: Unavailable | None = None
        self._is_upkeep_due = True
        self._stop: _Stop | None = None
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="bellwire-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def append(self, append: Append) -> None:
        self._put(append)

    def trim(self, trim: Trim) -> None:
        self._put(trim)

    def submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run in the writer thread, after what was submitted before.

        The future fails with `Unavailable` where SQLite failed, and with the work's own exception otherwise.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._put(_Task(work, future))
        return future

    def chore(self, step: Step) -> asyncio.Future[None]:
        """Run a step now and then until it returns False; several chores take turns."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._put(_Chore(step, future))
        return future

    @property
    def waiting(self) -> int:
        """Calls that the thread has not taken up yet, about."""
        return self._inbox.qsize()

    async def stop(self) -> bool:
        """Finish what is queued, give up chores, and end the thread.

        Returns:
            whether the files are sound: False after a fatal error, when they must not be written any more.
        """
        stop = _Stop(self._loop.create_future())
        self._put(stop)
        self._is_stopped = True
        await stop.future
        self._thread.join()
        return self._fatal is None

    def _put(self, item: Append | Trim | _Task | _Chore | _Stop) -> None:
        if self._is_stopped:
            raise stopping()
        self._inbox.put(item)

    # From here on, all runs in the writer thread.

    def _run(self) -> None:
        rounds = 0
        while True:
            self._take_in()
            if self._appends or self._log_writer.is_trimming:
                self._write_group()
                self._hand_back()
            for _ in range(len(self._tasks)):
                self._do_task(self._tasks.popleft())
            self._hand_back()
            if self._stop is not None and not (self._appends or self._tasks or self._log_writer.is_trimming):
                break
            rounds += 1
            if self._fatal is None and (self._inbox.empty() or rounds % ROUNDS_PER_STEP == 0):
                self._do_step()
                self._hand_back()
        self._refuse_chores(stopping())
        self._finished.append(partial(resolve, self._stop.future, None))
        self._hand_back()

    def _take_in(self) -> None:
        """Empty the inbox into the lanes; wait for something when there is nothing to do."""
        try:
            self._sort(self._next())
            while True:
                self._sort(self._inbox.get_nowait())
        except Empty:
            pass
        if self._space.is_low:
            self._is_low()

    def _next(self) -> Append | Trim | _Task | _Chore | _Stop:
        has_steps = self._fatal is None and bool(self._chores or self._is_upkeep_due)
        if has_steps or self._appends or self._log_writer.is_trimming or self._stop is not None:
            return self._inbox.get_nowait()
        # While appends are refused at the door, none arrives to find that the disk has room again.
        return self._inbox.get(timeout=self._limits.disk_check_seconds if self._space.is_low else None)

    def _sort(self, item: Append | Trim | _Task | _Chore | _Stop) -> None:
        match item:
            case Append():
                self._appends.append(item)
            case Trim():
                self._log_writer.trim(item)
            case _Task():
                self._tasks.append(item)
            case _Chore() if self._fatal is not None:
                self._finished.append(partial(refuse, item.future, self._fatal))
            case _Chore():
                self._chores.append(item)
            case _Stop():
                self._stop = item

    def _write_group(self) -> None:
        group = self._next_group()
        problem = self._fatal or (disk_is_low() if group and self._is_low() else None)
        if problem is not None and group:
            self._finished.append(partial(self._settled, group, (), self._fatal or problem))
            group = []
        if not group and not self._log_writer.is_trimming:
            return
        if self._fatal is not None:
            self._refuse_trims(self._fatal)
            return
        try:
            logged, answers, trim = self._log_writer.write(group)
        except Exception as error:  # noqa: BLE001 - every caller must learn of it, and the thread go on
            refusal = self._translate(error)
            self._finished.append(partial(self._settled, group, (), refusal))
            self._refuse_trims(refusal)
            return
        self._is_upkeep_due = True
        if logged:
            self.group_sizes.add(len(logged))
        self._finished.append(partial(self._settled, group, logged, answers))
        if trim is not None:
            self._finished.append(partial(resolve, trim.future, Trimmed(trim.deleted, self._log_writer.first_event())))
        try:
            self._log_writer.make_room()
        except apsw.Error as error:  # the group is durable all the same
            self._translate(error)

    def _next_group(self) -> list[Append]:
        """Whole calls, the first whatever its size, the others while they fit."""
        group: list[Append] = []
        events = size = 0
        while self._appends:
            append = self._appends[0]
            events += len(append.events)
            size += append.size_bytes
            if group and (events > self._limits.group_events or size > self._limits.group_bytes):
                break
            group.append(self._appends.popleft())
        return group

    def _do_task(self, task: _Task) -> None:
        if self._fatal is not None:
            self._finished.append(partial(refuse, task.future, self._fatal))
            return
        try:
            result = task.work()
        except Exception as error:  # noqa: BLE001 - the caller's
            self._finished.append(partial(refuse, task.future, self._translate(error)))
        else:
            self._is_upkeep_due = True
            self._finished.append(partial(resolve, task.future, result))

    def _do_step(self) -> None:
        """One step of the chore or the upkeep whose turn it is."""
        if self._chores:
            chore = self._chores.popleft()
            try:
                if chore.step():
                    self._chores.append(chore)
                else:
                    self._finished.append(partial(resolve, chore.future, None))
            except Exception as error:  # noqa: BLE001 - the caller's
                self._finished.append(partial(refuse, chore.future, self._translate(error)))
        if self._is_upkeep_due and not self._space.is_low:
            try:
                self._is_upkeep_due = self._do_upkeep()
            except apsw.Error as error:
                self._translate(error)

    def _do_upkeep(self) -> bool:
        for _ in range(len(self._upkeep)):
            step = self._upkeep[0]
            self._upkeep.rotate(-1)
            if step():
                return True
        return False

    def _is_low(self) -> bool:
        try:
            return self._space.check()
        except OSError as error:
            self._end(error)
            return True

    def _translate(self, error: Exception) -> Exception:
        """SQLite's errors in the port's words; any but a full disk is the end."""
        if isinstance(error, apsw.FullError):
            self._space.run_out()
            refusal: Exception = disk_is_low()
            refusal.__cause__ = error
            return refusal
        if isinstance(error, apsw.Error):
            self._end(error)
            assert self._fatal is not None
            return self._fatal
        return error

    def _end(self, error: Exception) -> None:
        if self._fatal is not None:
            return
        log.critical("storage.failed", error=str(error))
        self._fatal = Unavailable(f"the event log's disk failed: {error}", retry_after_seconds=DISK_RETRY_SECONDS)
        self._fatal.__cause__ = error
        self._finished.append(partial(self._on_fatal, error))
        self._refuse_chores(self._fatal)

    def _refuse_chores(self, problem: Exception) -> None:
        self._finished += [partial(refuse, chore.future, problem) for chore in self._chores]
        self._chores.clear()

    def _refuse_trims(self, problem: Exception) -> None:
        self._finished += [partial(refuse, trim.future, problem) for trim in self._log_writer.abandon_trims()]

    def _hand_back(self) -> None:
        if self._finished:
            finished, self._finished = self._finished, []
            self._loop.call_soon_threadsafe(_run_all, finished)


def _run_all(callbacks: list[Callable[[], None]]) -> None:
    for callback in callbacks:
        callback()
