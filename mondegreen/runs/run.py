"""A run over a data set: plan, give jobs out, note what comes back; the same call again resumes.

The driver is light: it needs no torch, holds a row a clip, and leaves recordings, recogniser and
results to the workers of its engine.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Final

from mondegreen.errors import MondegreenError, OptionError
from mondegreen.results.folder import BEGUN, is_run
from mondegreen.runs.config import RunConfig
from mondegreen.runs.engines.base import Engine, make_engine
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
from mondegreen.runs.manifest import check_same, item_identity, write_manifest
from mondegreen.runs.plan import Row, choose_clips, make_rows, read_rows, with_keys, write_rows

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


OnWork = Callable[[str, int, int], object]  # what is being done, how much of it, of how much


def run(
    config: RunConfig,
    out: str | Path,
    *,
    force_new: bool = False,
    on_work: OnWork | None = None,
    on_tally: Callable[[Tally], object] | None = None,
) -> Tally:
    """Attack every clip of a data set, and leave a run folder; see `mondegreen.results.folder`.

    The same call again goes on where an earlier one stopped, however it did. SIGINT and SIGTERM end
    it cleanly: searches under way are written down first; a second one ends it at once.

    Args:
        config: what is run, and how.
        out: the run folder.
        force_new: move an earlier run in that folder aside, and begin another.
        on_work: called while recordings and items are looked at.
        on_tally: called several times a second with the same object, as it changes.

    Raises:
        OptionError: the folder has another run, or an option is outside of what is offered.
        MondegreenError: the clips, the recogniser or the rooms cannot be had; another process
            drives this run; nothing can be written.
    """
    folder = Path(out).resolve()
    _check_folder(folder)
    if force_new and is_run(folder):
        move_aside(folder)
    if is_run(folder):
        check_same(folder, config)
    ledger, on_work = Ledger(folder), on_work or (lambda *_: None)
    with ledger.alone(), _engine(str(folder), config) as engine:
        before = read_rows(folder) if is_run(folder) else []
        clips = choose_clips(config, folder, before)
        found = make_rows(clips, before, partial(on_work, "looking at recordings"))
        on_work("loading the recogniser", 0, 1)
        attacked = engine.open()
        on_work("loading the recogniser", 1, 1)
        if before:
            check_same(folder, config, attacked)
        rows = with_keys(found, item_identity(config, attacked))
        write_rows(folder, rows)
        write_manifest(folder, config, attacked, len(rows))
        finished, complaints = ledger.survey(rows, partial(on_work, "looking at items"))
        drive = Drive(ledger, engine, rows, finished, config.batch)
        drive.tally.notes += complaints
        if before:
            begun = len(list(ledger.searches.iterdir()))
            drive.tally.notes.append(
                f"going on: {len(finished)} finished, {begun} under way, of {drive.tally.clips}"
            )
        drive.tally.workers = engine.staff(attacked, len(drive.todo))
        return drive.run(on_tally or (lambda _: None))


def move_aside(folder: Path) -> Path:
    """Rename a run's folder to the first free name of FOLDER-1, FOLDER-2, ...

    Raises:
        MondegreenError: another process drives that run, or the folder cannot be renamed.
    """
    place = next(p for n in count(1) if not (p := folder.with_name(f"{folder.name}-{n}")).exists())
    with Ledger(folder).alone():
        try:
            return folder.rename(place)
        except OSError as error:
            raise MondegreenError(
                f"{folder} cannot be moved to {place}: {error.strerror}. Choose another --out."
            ) from error


def _check_folder(folder: Path) -> None:
    """See that a folder is a run's, or is none's."""
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"{folder} is a file, expected a folder. Choose another --out.")
    if folder.is_dir() and not is_run(folder):
        strange = {path.name for path in folder.iterdir()} - BEGUN
        if strange:
            raise OptionError(
                f"{folder} is not empty and holds no run ({', '.join(sorted(strange)[:3])}, ...)."
                " Choose another --out."
            )


@contextmanager
def _engine(folder: str, config: RunConfig) -> Iterator[Engine]:
    engine = make_engine(folder, config)
    try:
        yield engine
    finally:
        engine.close()
