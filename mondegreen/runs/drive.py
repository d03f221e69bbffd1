"""Giving out a run's jobs and noting what comes back, until all is done or somebody stops it."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Final

from mondegreen.errors import MondegreenError
from mondegreen.runs.engines.base import Engine
from mondegreen.runs.job import (
    ATTEMPTS,
    Advanced,
    Crashed,
    Ended,
    Event,
    Finished,
    Halted,
    Job,
    Lost,
    Refused,
)
from mondegreen.runs.ledger import Ledger
from mondegreen.runs.plan import Row

AWAIT: Final = 0.25  # s between two looks at what the workers say


@dataclass
class Tally:
    """How far a run has come.

    Attributes:
        clips: different ones, in all.
        verified, failed: finished, and heard as the target or not.
        errors: could not be attacked.
        before: of these, those that were finished before this call.
        workers: that there are.
        jobs: under way: the ids of their clips, gradient passes done, and how many at most.
        began: `time.monotonic()` when the first job was given out.
        notes: what a user should know, newest last.
        stopped: it was ended by hand.
    """

    clips: int
    verified: int = 0
    failed: int = 0
    errors: int = 0
    before: int = 0
    workers: int = 0
    jobs: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    notes: list[str] = field(default_factory=list)
    stopped: bool = False

    @property
    def done(self) -> int:
        """Clips that have been dealt with."""
        return self.verified + self.failed + self.errors

    @property
    def rate(self) -> float:
        """Clips dealt with in an hour of this call."""
        return 3600 * (self.done - self.before) / max(time.monotonic() - self.began, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this rate; None: nothing tells yet."""
        return 3600 * (self.clips - self.done) / self.rate if self.done > self.before else None


class Drive:
    """A run under way.

    Args:
        ledger: of its folder.
        engine: whose workers work.
        rows: of all clips.
        finished: the keys of those that are finished, and whether they are verified.
        batch: clips in a job.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        rows: Sequence[Row],
        finished: dict[str, bool],
        batch: int,
    ) -> None:
        self.ledger, self.engine = ledger, engine
        self.rows = {row.key: row for row in rows}
        verified = sum(finished.values())
        self.tally = Tally(len(self.rows), verified, len(finished) - verified)
        self.tally.before = len(finished)
        if len(self.rows) < len(rows):
            twice = len(rows) - len(self.rows)
            self.tally.notes.append(f"{twice} with the sound and target of another: attacked once")
        self.todo = deque(make_jobs(list(self.rows.values()), finished.keys(), batch))
        self.flying: dict[str, Job] = {}

    def run(self, on_tally: Callable[[Tally], object]) -> Tally:
        """Drive to the end.

        Raises:
            MondegreenError: nothing can be written, or no worker can be had any more.
        """
        for row in self.rows.values():
            if row.problem is not None:
                self._fail(row, row.problem, attempts=1)
        with _stops() as stopped:
            while (self.todo and not self.tally.stopped) or self.flying:
                if stopped and not self.tally.stopped:
                    self.tally.stopped = True
                    self.engine.stop()
                if len(stopped) > 1:
                    break
                self._give_out()
                for event in self.engine.wait(AWAIT):
                    self._note(event)
                on_tally(self.tally)
        on_tally(self.tally)
        if self.tally.done == self.tally.clips:
            self.ledger.forget_searches()  # of batches that another call had cut otherwise
        return self.tally

    def _give_out(self) -> None:
        while self.todo and not self.tally.stopped and self.engine.start(self.todo[0]):
            job = self.todo.popleft()
            self.flying[job.name] = job
            self.tally.jobs[job.name] = (_ids(job), 0, 0)

    def _note(self, event: Event) -> None:
        match event:
            case Advanced(job, passes, of):
                self.tally.jobs[job.name] = (_ids(job), passes, of)
            case Ended(job, outcomes):
                self._land(job)
                for outcome in outcomes:
                    self._book(outcome)
            case Crashed(job, reason):
                self._land(job)
                self._again(job, reason)
            case Lost(reason):
                self.tally.workers -= 1
                self.tally.notes.append(reason)
            case Halted(reason):
                raise MondegreenError(reason)

    def _land(self, job: Job) -> None:
        self.flying.pop(job.name, None)
        self.tally.jobs.pop(job.name, None)

    def _book(self, outcome: Finished | Refused) -> None:
        if isinstance(outcome, Refused):
            self._fail(self.rows[outcome.key], outcome.reason, attempts=1)
        elif outcome.verified:
            self.tally.verified += 1
        else:
            self.tally.failed += 1

    def _again(self, job: Job, reason: str) -> None:
        """Try a job again, then its clips one by one; what fails even so is an error."""
        if job.attempt < ATTEMPTS:
            self.todo.append(replace(job, attempt=job.attempt + 1))
        elif len(job.rows) > 1:
            wanted = [row for row in job.rows if row.key in job.wanted]
            self.todo.extend(Job((row,), frozenset([row.key])) for row in wanted)
        else:
            self._fail(job.rows[0], reason, attempts=job.attempt)
            return
        self.tally.notes.append(f"{_ids(job)}: {reason}; it is tried again")

    def _fail(self, row: Row, reason: str, attempts: int) -> None:
        self.ledger.note_error(row, reason, attempts)
        self.tally.errors += 1
        self.tally.notes.append(f"{row.id}: {reason}")


def make_jobs(rows: Sequence[Row], finished: Set[str], batch: int) -> list[Job]:
    """Batches of clips of like length, the longest first; those with nothing to do are left out.

    A batch is the same whatever is finished of it, so that what it comes to is the same as well.

    Args:
        rows: of the run, each key once.
        finished: keys that need not be done.
        batch: clips in each.
    """
    possible = [row for row in rows if row.problem is None]
    by_length = sorted(possible, key=lambda row: -(row.seconds or 0.0))
    batches = [tuple(by_length[i : i + batch]) for i in range(0, len(by_length), batch)]
    jobs = [Job(rows, frozenset(row.key for row in rows) - finished) for rows in batches]
    return [job for job in jobs if job.wanted]


def _ids(job: Job) -> str:
    ids = [row.id for row in job.rows if row.key in job.wanted]
    return ids[0] if len(ids) == 1 else f"{ids[0]} and {len(ids) - 1} more"


@contextmanager
def _stops() -> Iterator[list[int]]:
    """The signals to stop that have come, in a list that grows; the main thread alone gets them."""
    stopped: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        stopped.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = {n: signal.signal(n, note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
