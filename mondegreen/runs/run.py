"""A run over a data set: plan it, give out jobs, count results; the same call again resumes it.

The driver is light: it needs no torch, holds one row per clip, and leaves recordings, recogniser
and results to the workers of its engine.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from mondegreen.errors import OptionError, StorageError
from mondegreen.files import PART, discard
from mondegreen.reading import in_full, is_folder, is_there
from mondegreen.results.folder import BEGUN, is_run
from mondegreen.results.item import read_record
from mondegreen.results.record import OnNews
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
    Outcome,
    Refused,
)
from mondegreen.runs.ledger import Ledger
from mondegreen.runs.manifest import check_same, item_identity, write_manifest
from mondegreen.runs.plan import Row, choose_clips, make_rows, read_rows, with_keys, write_rows
from mondegreen.wording import number_of

POLL_SECONDS: Final = 0.25  # longest wait for a message from the workers


@dataclass
class Tally:
    """How far a run has come."""

    clips: int  # without repeats
    verified: int = 0
    failed: int = 0  # finished, but not heard as the target
    errors: int = 0  # could not be attacked
    before: int = 0  # finished before this call
    workers: int = 0
    # by the names of the jobs under way: their clips' ids, passes so far, and passes at most
    jobs: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    notes: list[str] = field(default_factory=list)  # for the user, newest last
    stopped: bool = False  # by a signal

    @property
    def done(self) -> int:
        """Clips that are finished, or could not be attacked."""
        return self.verified + self.failed + self.errors

    @property
    def rate(self) -> float:
        """Clips done per hour of this call."""
        return 3600 * (self.done - self.before) / max(time.monotonic() - self.began, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this rate; None before this call has done any clip."""
        return 3600 * (self.clips - self.done) / self.rate if self.done > self.before else None


class Drive:
    """A run under way.

    Args:
        ledger, engine: of the run.
        rows: all clips.
        finished: keys of finished items, and whether they are verified.
        batch: clips in a job.
        on_news: see `run`.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine[Any],
        rows: Sequence[Row],
        finished: dict[str, bool],
        batch: int,
        on_news: OnNews | None = None,
    ) -> None:
        self.ledger, self.engine, self.on_news = ledger, engine, on_news
        self.rows = {row.key: row for row in rows}
        verified, done = sum(finished.values()), len(finished)
        self.tally = Tally(len(self.rows), verified, done - verified, before=done)
        if repeats := len(rows) - len(self.rows):
            what = f"{repeats} with the same audio and target as another clip"
            self.tally.notes.append(f"{what}: attacked once")
        self.todo = deque(make_jobs(list(self.rows.values()), finished.keys(), batch))

    def run(self, on_tally: Callable[[Tally], object]) -> Tally:
        """Drive to the end; raises StorageError, or VictimError when no worker is left."""
        for row in self.rows.values():
            if row.problem is not None:
                self._fail(row, row.problem, attempts=1)
        with _stop_signals() as signals:
            while (self.todo and not self.tally.stopped) or self.tally.jobs:
                if signals and not self.tally.stopped:
                    self.tally.stopped = True
                    self.engine.stop()
                if len(signals) > 1:
                    break
                self._give_out()
                for event in self.engine.wait(POLL_SECONDS):
                    self._handle(event)
                on_tally(self.tally)
        on_tally(self.tally)
        if self.tally.done == self.tally.clips:
            self.ledger.forget_searches()  # of an earlier call's batches, if they were others
        return self.tally

    def _give_out(self) -> None:
        while self.todo and not self.tally.stopped and self.engine.start(self.todo[0]):
            job = self.todo.popleft()
            self.tally.jobs[job.name] = (_ids(job), 0, 0)

    def _handle(self, event: Event) -> None:
        match event:
            case Advanced(job, passes, of):
                if job.name in self.tally.jobs:
                    self.tally.jobs[job.name] = (_ids(job), passes, of)
            case Ended(job, outcomes, notes):
                del self.tally.jobs[job.name]
                self.tally.notes += [f"{_ids(job)}: {note}" for note in notes]
                for outcome in outcomes:
                    self._count(outcome)
            case Crashed(job, reason):
                del self.tally.jobs[job.name]
                self._retry(job, reason)
            case Lost(reason):
                self.tally.workers -= 1
                self.tally.notes.append(reason)
            case Halted(reason):
                raise StorageError(reason)

    def _count(self, outcome: Outcome) -> None:
        match outcome:
            case Refused(key, reason):
                self._fail(self.rows[key], reason, attempts=1)
            case Finished(verified=True):
                self.tally.verified += 1
            case Finished():
                self.tally.failed += 1
        if isinstance(outcome, Finished) and self.on_news is not None:
            record = read_record(self.ledger.items / outcome.key)
            for point in record.curve:
                self.on_news(record.id, point)
            self.on_news(record.id, record)

    def _retry(self, job: Job, reason: str) -> None:
        """Try a job again, then its clips one by one; a clip that fails even so is an error."""
        if job.attempt < ATTEMPTS:
            self.todo.append(replace(job, attempt=job.attempt + 1))
        elif len(job.rows) > 1:
            wanted = [row for row in job.rows if row.key in job.wanted]
            self.todo.extend(Job((row,), frozenset([row.key])) for row in wanted)
        else:
            self._fail(job.rows[0], reason, attempts=job.attempt)
            return
        self.tally.notes.append(f"{_ids(job)}: {reason}; trying again")

    def _fail(self, row: Row, reason: str, attempts: int) -> None:
        self.ledger.note_error(row, reason, attempts)
        self.tally.errors += 1
        self.tally.notes.append(f"{row.id}: {reason}")


def make_jobs(rows: Sequence[Row], finished: Set[str], batch: int) -> list[Job]:
    """Batches of clips of similar length, the longest first, without those that are finished.

    A batch has the same clips however many of them are finished, so that its results are the same.

    Args:
        rows: the run's, each key once.
        finished: keys of the clips that need no work.
        batch: clips in each.
    """
    possible = [row for row in rows if row.problem is None]
    by_length = sorted(possible, key=lambda row: -row.lasts)
    batches = [tuple(by_length[i : i + batch]) for i in range(0, len(by_length), batch)]
    jobs = [Job(rows, frozenset(row.key for row in rows) - finished) for rows in batches]
    return [job for job in jobs if job.wanted]


def _ids(job: Job) -> str:
    ids = [row.id for row in job.rows if row.key in job.wanted]
    return ids[0] if len(ids) == 1 else f"{ids[0]} and {len(ids) - 1} more"


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """The SIGINT and SIGTERM received, in a list that grows; none outside of the main thread."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {
        number: signal.signal(number, lambda n, _: received.append(n))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


OnWork = Callable[[str, int, int], object]  # what is being done, how much is done, of how much


def run(
    config: RunConfig,
    out: str | Path,
    *,
    force_new: bool = False,
    on_work: OnWork | None = None,
    on_tally: Callable[[Tally], object] | None = None,
    on_news: OnNews | None = None,
) -> Tally:
    """Attack every clip of a data set, and leave a run folder; see `mondegreen.results.folder`.

    The same call again resumes, however the earlier one ended. SIGINT and SIGTERM end it cleanly:
    searches under way are saved first; a second signal ends it at once.

    Args:
        config: what is run, and how.
        out: the run folder.
        force_new: move an earlier run in that folder aside, and start another; it is moved back
            if that one cannot begin.
        on_work: called while recordings and items are read.
        on_tally: called several times a second with the same object, as it changes.
        on_news: called for every clip that this call finishes, once it is: with its id and each
            `Point` of its curve, one every ten steps, then its `Record`; both have `passes` and,
            for loggers, `numbers`.

    Raises:
        OptionError: the folder holds another run, or an option is not one of those offered.
        StorageError: nothing can be written.
        MondegreenError: the clips, the recogniser or the rooms are not available; or another
            process drives this run.
    """
    folder = in_full(out)
    _check_folder(folder)
    aside = _move_aside(folder) if force_new and is_run(folder) else None
    try:
        return _driven(config, folder, aside, on_work or (lambda *_: None), on_tally, on_news)
    except BaseException:
        if aside is not None and not is_run(folder):  # the new run has not begun
            _move_back(aside, folder)
        raise


def _driven(
    config: RunConfig,
    folder: Path,
    aside: Path | None,
    on_work: OnWork,
    on_tally: Callable[[Tally], object] | None,
    on_news: OnNews | None,
) -> Tally:
    """Begin a run or resume it, and drive it to its end; see `run`."""
    if is_run(folder):
        check_same(folder, config)
    ledger = Ledger(folder)
    with ledger.alone(), closing(make_engine(str(folder), config)) as engine:
        before = read_rows(folder) if is_run(folder) else []
        clips = choose_clips(config, folder, before)
        found = make_rows(clips, before, partial(on_work, "reading recordings"))
        on_work("loading the recogniser", 0, 1)
        attacked = engine.open()
        on_work("loading the recogniser", 1, 1)
        if before:
            check_same(folder, config, attacked)
        rows = with_keys(found, item_identity(config, attacked))
        write_rows(folder, rows)
        write_manifest(folder, config, attacked, len(rows))
        finished, complaints = ledger.survey(rows, partial(on_work, "checking items"))
        drive = Drive(ledger, engine, rows, finished, config.batch, on_news)
        drive.tally.notes += [*engine.notes, *complaints]
        if aside is not None:
            drive.tally.notes.append(f"the run that was here is now {aside}")
        if parts := sum(row.is_part for row in rows):
            note = (
                f"of {parts} of {number_of(len(rows), 'clip')} a passage is attacked, by offset"
                " and duration; each result holds all of the recording"
            )
            drive.tally.notes.append(note)
        if before:
            done, begun = len(finished), len(list(ledger.searches.iterdir()))
            note = f"resuming: {done} of {drive.tally.clips} finished, {begun} under way"
            drive.tally.notes.append(note)
        drive.tally.workers = engine.grow(attacked, len(drive.todo))
        return drive.run(on_tally or (lambda _: None))


def _move_aside(folder: Path) -> Path:
    """Rename a run's folder to the first free name of FOLDER-1, FOLDER-2, ..., and return that."""
    place = next(p for n in count(1) if not (p := folder.with_name(f"{folder.name}-{n}")).exists())
    with Ledger(folder).alone():
        try:
            return folder.rename(place)
        except OSError as error:
            what = f"{folder} cannot be moved to {place}: {error.strerror}"
            raise StorageError(f"{what}. Choose another --out.") from error


def _move_back(aside: Path, folder: Path) -> None:
    discard(folder)
    try:
        aside.rename(folder)
    except OSError as error:
        why = error.strerror or error
        raise StorageError(
            f"The new run could not begin, and the run that was in {folder} is now {aside}: it"
            f" cannot be moved back ({why}). Rename it."
        ) from error


def _check_folder(folder: Path) -> None:
    """Refuse a folder that holds something other than a run."""
    if is_there(folder) and not is_folder(folder):
        raise OptionError(f"{folder} is a file, expected a folder. Choose another --out.")
    entries = folder.iterdir() if folder.is_dir() else ()
    there = {path.name for path in entries if path.suffix != PART}  # a killed process left that
    if not is_run(folder) and (strange := sorted(there - BEGUN)):
        what = f"is not empty and holds no run ({', '.join(strange[:3])}, ...)"
        raise OptionError(f"{folder} {what}. Choose another --out.")
