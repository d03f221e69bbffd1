"""What a search leaves behind for one clip: its successes, its curve, its cost."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Candidate:
    """A perturbation that matched in the loop and waits for its proof.

    Attributes:
        delta: [T], full scale; a copy, never a view of what the optimiser goes on to change.
        passes: the gradient pass that saw it.
        stage: the stage it comes from.
    """

    delta: Tensor
    passes: int
    stage: str


@dataclass(frozen=True)
class Point:
    """One point of a trajectory's curve; fields as in `loop.Progress`."""

    passes: int
    stage: str
    loss: float | None  # None: not a finite number
    matched: bool
    eps: float | None
    alpha: float | None
    masking_loss: float | None


@dataclass
class Trajectory:
    """One clip's way through a search.

    Attributes:
        delta: [T] the last iterate of the stage that ended last; what is shown if nothing matched.
        candidates: the latest successes, each better than the one before it, the best last.
        milestones: the success that each finished stage ended with.
        passes: gradient passes spent on this clip.
        first_match: the pass that first heard the target, if any did.
        curve: a point every ten passes of a stage.
    """

    delta: Tensor
    candidates: deque[Candidate]
    milestones: list[Candidate] = field(default_factory=list)
    passes: int = 0
    first_match: int | None = None
    curve: list[Point] = field(default_factory=list)

    def add(self, candidate: Candidate, apart: int) -> None:
        """Keep a success that is better than those before; of each `apart` passes only the last."""
        if self.candidates and self.candidates[-1].passes // apart == candidate.passes // apart:
            self.candidates.pop()
        self.candidates.append(candidate)
