"""The one worker: it loads a recogniser once, then attacks batch after batch.

Every engine runs this, whatever carries its jobs. It puts items in place itself, so that what is
finished is safe before anybody hears of it. A clip that nothing can be done with is refused
by itself; what fails as a whole is raised, for the driver to try again.

An unfinished search is written to disk now and then; another worker resumes it, to the bit.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final

import torch
from safetensors.torch import save

from mondegreen.attacks.attack import Attack
from mondegreen.attacks.clip import Clip, prepare
from mondegreen.attacks.recording import Recording
from mondegreen.attacks.setup import Setup
from mondegreen.errors import (
    AudioError,
    MondegreenError,
    RecogniserError,
    StorageError,
    VictimError,
    reason,
)
from mondegreen.files import write_whole
from mondegreen.processors import check_threads
from mondegreen.reading import parse_json, read_tensors, sha256
from mondegreen.results.folder import BANK, is_run
from mondegreen.runs.config import RunConfig
from mondegreen.runs.job import (
    ATTEMPTS,
    Assignment,
    Crashed,
    Ended,
    Finished,
    Halted,
    Job,
    Outcome,
    Refused,
)
from mondegreen.runs.ledger import Ledger
from mondegreen.runs.manifest import Attacked, check_same
from mondegreen.runs.plan import Row
from mondegreen.search import presets
from mondegreen.search.state import Snapshot
from mondegreen.victims import load_victim
from mondegreen.victims.fingerprint import fingerprint

LARGEST_SEARCH: Final = 2**34  # bytes of an unfinished search


def keep(path: Path, attack: Attack) -> None:
    """Save an unfinished search, between two of its steps.

    Raises:
        StorageError: it cannot be written.
    """
    snapshot = attack.snapshot()
    facts = {"snapshot": dict(snapshot.facts), "seconds": attack.seconds}
    write_whole(path, save(dict(snapshot.tensors), {"facts": json.dumps(facts)}))


def recall(path: Path, attack: Attack) -> None:
    """Resume a search that `keep` saved.

    Raises:
        ValueError: it is damaged, or of another attack or version.
    """
    try:
        texts, tensors = read_tensors(path, LARGEST_SEARCH, "pt")
        facts = parse_json(texts["facts"])
        snapshot, seconds = Snapshot(tensors, dict(facts["snapshot"])), float(facts["seconds"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(reason(error)) from error
    attack.restore(snapshot, seconds)


OnPasses = Callable[[int, int], None]  # gradient passes of a clip, and how many at most


class Stopped(Exception):  # noqa: N818 - nothing is wrong
    """The worker was asked to stop; what it was at is written down."""


class Worker:
    """A loaded recogniser, and how a run attacks it.

    Args:
        assignment: see there.
        stop: set by anyone, it ends a job after the pass that is under way.

    Raises:
        MondegreenError: the recogniser or the rooms cannot be loaded, or are not those of the run.
    """

    def __init__(self, assignment: Assignment, stop: Event) -> None:
        config = assignment.config
        check_threads(assignment.threads)
        torch.set_num_threads(assignment.threads)
        self.stop, self.every = stop, config.checkpoint_seconds
        self.ledger = Ledger(Path(assignment.run))
        dtype = getattr(torch, config.dtype)
        self.victim = load_victim(config.victim, device=assignment.device, dtype=dtype)
        self.weights = fingerprint(self.victim)
        if assignment.weights not in (None, self.weights):
            raise VictimError(
                f"{config.victim} has other weights here than where the run began. Give all workers"
                " the same files."
            )
        self.setup = self._set_up(config, first=assignment.weights is None)
        self.every_gpu = assignment.device in ("auto", "cuda")
        self.notes: list[str] = []  # on the job at hand, for the user
        if is_run(self.ledger.run):
            check_same(self.ledger.run, config, self.describe())

    def _set_up(self, config: RunConfig, first: bool) -> Setup:
        """How to attack; a run keeps its bank of rooms, so that it can be resumed and verified."""
        kept, rate = self.ledger.run / BANK, self.victim.sample_rate
        if config.options.in_rooms and kept.is_file() and (is_run(self.ledger.run) or not first):
            return Setup.of(config.options, rate, str(kept), config.air)
        setup = Setup.of(config.options, rate, config.rooms, config.air)
        if setup.rooms is not None and first:
            setup.rooms.save(kept)
        return setup

    def describe(self) -> Attacked:
        """What is attacked here, and in which rooms."""
        gpus = tuple(f"cuda:{n}" for n in range(torch.cuda.device_count()))
        all_of_them = self.every_gpu and self.victim.device.type == "cuda"
        return Attacked(
            victim=self.victim.name,
            weights=self.weights,
            sample_rate=self.victim.sample_rate,
            bank=self.setup.rooms.key if self.setup.rooms else None,
            air=self.setup.air.model_dump(mode="json") if self.setup.rooms else None,
            stages=presets.fingerprint(presets.stages_for(self.setup.options)),
            devices=gpus if all_of_them else (str(self.victim.device),),
        )

    def work(self, job: Job, on_passes: OnPasses) -> list[Outcome]:
        """Attack a batch and put its wanted items in place.

        Raises:
            Stopped: it was asked to.
            StorageError: nothing can be written.
        """
        if job.attempt == ATTEMPTS:  # where it stopped may be what it dies of
            self.ledger.forget_searches(job.name)
        outcomes, wanted = self._in_place(job)
        clips: dict[str, Clip] = {}
        for row in job.rows:
            try:
                clips[row.key] = self._prepared(row)
            except (StorageError, RecogniserError):
                raise
            except MondegreenError as error:
                if row.key in wanted:
                    outcomes.append(Refused(row.key, str(error)))
        if clips.keys() & wanted:
            outcomes += self._attacked(job, clips, wanted, on_passes)
        if len(outcomes) == len(job.wanted):
            self.ledger.forget_searches(job.name)
        return outcomes

    def _in_place(self, job: Job) -> tuple[list[Outcome], set[str]]:
        """What an earlier attempt has finished of the wanted items, and the keys of the others."""
        done: list[Outcome] = []
        for key in job.wanted:
            if (self.ledger.items / key).is_dir():
                done.append(Finished(key, self.ledger.verified(key)))
        return done, set(job.wanted) - {outcome.key for outcome in done}

    def _prepared(self, row: Row) -> Clip:
        _check_unchanged(row)
        options, texts = self.setup.options, [row.text]
        recording = Recording(row.audio, row.passage)
        (clip,) = prepare(self.victim, [recording], [row.target], options, texts=texts)
        return replace(clip, id=row.id)

    def _attacked(
        self, job: Job, clips: dict[str, Clip], wanted: set[str], on_passes: OnPasses
    ) -> list[Outcome]:
        attack = Attack(self.victim, list(clips.values()), self.setup)
        self._search(attack, self.ledger.search_path(job.name), on_passes)
        outcomes: list[Outcome] = []
        with suppress(Stopped):  # what is in place by then is reported
            for number, key in enumerate(clips):
                if key in wanted:
                    proved = attack.conclude(number, self._on_room)
                    result = proved.measured(self.setup.rooms, self._on_room)
                    self.ledger.commit(key, partial(result.write, key=key))
                    outcomes.append(Finished(key, self.ledger.verified(key)))
        return outcomes

    def _search(self, attack: Attack, path: Path, on_passes: OnPasses) -> None:
        """Search to the end, from where an earlier worker left off; save it now and then."""
        try:
            if path.exists():
                recall(path, attack)
        except ValueError as error:
            why = str(error).rstrip(".")
            self.notes.append(
                f"its unfinished search could not be resumed ({why}); it starts again"
            )
        kept = time.monotonic()
        for progress in attack.run():
            first = int(progress.index[0])
            on_passes(attack.search.trajectories[first].passes, attack.passes)
            if self.stop.is_set() or time.monotonic() - kept > self.every:
                keep(path, attack)
                kept = time.monotonic()
            self._stop_if_asked()
        if time.monotonic() - kept > self.every / 10:  # a proof in rooms may take long as well
            keep(path, attack)

    def _on_room(self, *_: object) -> None:
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self.stop.is_set():
            raise Stopped


def _check_unchanged(row: Row) -> None:
    """See that a recording is still the one that the run was planned with."""
    try:
        found = sha256(Path(row.audio))
    except (OSError, ValueError) as error:
        raise AudioError(
            f"{row.audio} cannot be read any more ({reason(error)}). Put it back, and run the same"
            " command again."
        ) from error
    if found != row.sha256:
        raise AudioError(
            f"{row.audio} is not the recording that this run was begun with. Put that back, and run"
            " the same command again."
        )


def load_worker(assignment: Assignment, stop: Event) -> Worker | MondegreenError:
    """A worker, or why there can be none."""
    try:
        return Worker(assignment, stop)
    except MondegreenError as error:
        return error
    except Exception as error:  # of a stranger's files, or of a device
        return VictimError(f"{assignment.config.victim} cannot be loaded: {_in_a_line(error)}")


def run_job(worker: Worker, job: Job, on_passes: OnPasses) -> Ended | Crashed | Halted:
    """Let a worker do a job; errors are returned, never raised."""
    worker.notes = []
    try:
        return Ended(job, tuple(worker.work(job, on_passes)), tuple(worker.notes))
    except Stopped:
        return Ended(job, (), tuple(worker.notes))
    except StorageError as error:
        return Halted(str(error))
    except Exception as error:  # a recogniser's code may raise anything
        return Crashed(job, _in_a_line(error))


def _in_a_line(error: Exception) -> str:
    """An error of foreign code in one line, with its place."""
    if isinstance(error, MondegreenError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
