"""What a driver gives a worker, and what comes back: plain data that any engine can carry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from mondegreen.files import key_of
from mondegreen.runs.config import RunConfig
from mondegreen.runs.plan import Row

ATTEMPTS: Final = 3  # at a batch, then at each of its clips alone, before it counts as an error


@dataclass(frozen=True)
class Assignment:
    """What a worker is started with."""

    run: str  # path of the run folder
    config: RunConfig
    device: str
    threads: int  # on the CPU
    weights: str | None = None  # hash that its recogniser must have; None: it is the first worker


@dataclass(frozen=True)
class Job:
    """Clips to be attacked in one batch."""

    rows: tuple[Row, ...]  # the whole batch, finished or not: it decides how sums are rounded
    wanted: frozenset[str]  # keys of the clips that are still to be finished
    attempt: int = 1

    @cached_property
    def name(self) -> str:
        """The name of the batch: the same clips always have the same one."""
        return key_of({"keys": [row.key for row in self.rows]})[:20]


@dataclass(frozen=True)
class Finished:
    """A clip whose item is in place."""

    key: str
    verified: bool  # see `Record`


@dataclass(frozen=True)
class Refused:
    """A clip that cannot be attacked, however often it is tried."""

    key: str
    reason: str


Outcome: TypeAlias = Finished | Refused


@dataclass(frozen=True)
class Advanced:
    """How far a job has come."""

    job: Job
    passes: int  # gradient passes per clip so far
    of: int  # at most


@dataclass(frozen=True)
class Ended:
    """A job has ended."""

    job: Job
    outcomes: tuple[Outcome, ...]  # of the wanted clips; some are missing if it was asked to stop
    notes: tuple[str, ...] = ()  # what the user should know


@dataclass(frozen=True)
class Crashed:
    """A job has failed as a whole; if its worker was lost, it has been replaced."""

    job: Job
    reason: str


@dataclass(frozen=True)
class Lost:
    """A worker could not be replaced; the others go on."""

    reason: str


@dataclass(frozen=True)
class Halted:
    """Nothing can be written, so no job can go on."""

    reason: str


Event: TypeAlias = Advanced | Ended | Crashed | Lost | Halted
