"""What a driver asks of a worker, and what comes back: plain data that any engine can carry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from mondegreen.files import key_of
from mondegreen.runs.config import RunConfig
from mondegreen.runs.plan import Row

ATTEMPTS: Final = 3  # of a batch, and then of each of its clips, before that is an error


@dataclass(frozen=True)
class Assignment:
    """What a worker is started with.

    Attributes:
        run: path of the run folder.
        config: what is run, and how.
        device: that this worker works on.
        threads: that it may use on the CPU.
        weights: the hash that its recogniser's must have; None: it is the first, which tells it.
    """

    run: str
    config: RunConfig
    device: str
    threads: int
    weights: str | None = None


@dataclass(frozen=True)
class Job:
    """Clips to be attacked in one batch.

    Attributes:
        rows: all of the batch, which decides how sums are rounded, finished or not.
        wanted: the keys of those that are to be finished.
        attempt: 1 at first.
    """

    rows: tuple[Row, ...]
    wanted: frozenset[str]
    attempt: int = 1

    @cached_property
    def name(self) -> str:
        """Names the batch: the same clips have the same."""
        return key_of({"keys": [row.key for row in self.rows]})[:20]


@dataclass(frozen=True)
class Finished:
    """A clip whose item is in place.

    Attributes:
        key: of the item.
        verified: see `Record`.
    """

    key: str
    verified: bool


@dataclass(frozen=True)
class Refused:
    """A clip that nothing can be done with, however often it is tried.

    Attributes:
        key: of the item that is not to be.
        reason: in words.
    """

    key: str
    reason: str


Outcome: TypeAlias = Finished | Refused


@dataclass(frozen=True)
class Advanced:
    """A job has come so far.

    Attributes:
        job: which.
        passes: gradient passes of a clip.
        of: how many there will be at most.
    """

    job: Job
    passes: int
    of: int


@dataclass(frozen=True)
class Ended:
    """A job has ended.

    Attributes:
        job: which.
        outcomes: of the wanted clips; fewer: it was asked to stop.
    """

    job: Job
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Crashed:
    """A job has failed as a whole; the worker has been replaced if it was lost.

    Attributes:
        job: which.
        reason: in words.
    """

    job: Job
    reason: str


@dataclass(frozen=True)
class Lost:
    """A worker could not be replaced; the others go on.

    Attributes:
        reason: in words.
    """

    reason: str


@dataclass(frozen=True)
class Halted:
    """No job can go on: nothing can be written.

    Attributes:
        reason: in words.
    """

    reason: str


Event: TypeAlias = Advanced | Ended | Crashed | Lost | Halted
