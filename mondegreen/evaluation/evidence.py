"""What the checks judge: numbers, however they came about."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mondegreen.victims.contract import SAME


@dataclass(frozen=True)
class NotMeasured:
    """No evidence, and why; what to do if it is wanted."""

    why: str


@dataclass(frozen=True)
class Tally:
    """So many of so many."""

    hits: int
    of: int

    @classmethod
    def count(cls, outcomes: Iterable[bool]) -> Tally:
        """How many of the outcomes are true."""
        seen = list(outcomes)
        return cls(sum(seen), len(seen))

    @classmethod
    def total(cls, tallies: Iterable[Tally]) -> Tally:
        """Several tallies as one."""
        seen = list(tallies)
        return cls(sum(tally.hits for tally in seen), sum(tally.of for tally in seen))

    @property
    def share(self) -> float:
        """The share, 0 to 1; 0 of 0 is 0."""
        return self.hits / max(self.of, 1)

    def __str__(self) -> str:
        return f"{self.hits} of {self.of}"


@dataclass(frozen=True)
class Repetition:
    """What a recogniser made of one sound, two times.

    Attributes:
        heard: the transcripts.
        loss: of the target, in nats.
    """

    heard: tuple[str, str]
    loss: tuple[float, float]

    @property
    def same_words(self) -> bool:
        """Whether the transcripts are equal, to the letter."""
        return self.heard[0] == self.heard[1]

    @property
    def same_loss(self) -> bool:
        """Whether the losses are equal but for rounding."""
        return math.isclose(*self.loss, rel_tol=SAME, abs_tol=SAME)


@dataclass(frozen=True)
class Sweep:
    """How many clips an attack succeeds on, the more it is allowed.

    Attributes:
        unit: of the levels.
        levels: what it was allowed, rising.
        hits: the clips it succeeded on, level by level.
        clips: of how many.
    """

    unit: str
    levels: tuple[int, ...]
    hits: tuple[int, ...]
    clips: int


@dataclass(frozen=True)
class Leak:
    """What a bank's test split has in common with those that an attack looks at.

    Attributes:
        responses: its impulse responses that are among theirs, sample for sample.
        rooms: its rooms that are among theirs.
    """

    responses: Tally
    rooms: tuple[str, ...]


@dataclass(frozen=True)
class Rivalry:
    """Examples from elsewhere against a run's own, on the same clips with the same targets.

    Attributes:
        maker: the recogniser that the others were made on.
        transferred: of theirs, those that the run's recogniser hears as the target.
        own: the same of the run's.
    """

    maker: str
    transferred: Tally
    own: Tally


@dataclass(frozen=True)
class Hunt:
    """What one stage of an attack found of a planted vulnerability.

    Attributes:
        stage: its name.
        minimises: it is meant to find the smallest norm.
        norm: ‖δ‖∞ of what it found; None: nothing.
        least: the smallest ‖δ‖∞ that is heard as the target.
    """

    stage: str
    minimises: bool
    norm: float | None
    least: float

    @property
    def excess(self) -> float:
        """The norm in units of the least; infinite where nothing was found."""
        return math.inf if self.norm is None else self.norm / self.least
