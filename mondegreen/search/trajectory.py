"""What a search leaves behind for one clip: its successes, its curve, its cost."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from mondegreen.results.record import Point
from mondegreen.search.nonfinite import NonFinite

CANDIDATES = 4  # kept for each clip, in case the full decode rejects the best
GIVEN = "given"  # the stage of a perturbation that the search was started from


@dataclass(frozen=True)
class Candidate:
    """A perturbation that matched in the loop (or the mean up to there), still to be verified."""

    delta: Tensor  # [T], full scale; a copy, never a view of what the optimiser goes on to change
    eps: float  # the bound it was found under, full scale; without one, ‖δ‖∞ at that step
    passes: int  # gradient passes spent when it was found
    step: int  # the step it was found at
    stage: str  # the stage it comes from


@dataclass
class Trajectory:
    """One clip's path through a search."""

    # [T] the last iterate of the stage that ended last; the result if nothing matched
    delta: Tensor
    candidates: deque[Candidate]  # the latest successes that their stages kept, the best last
    # the success that each finished stage ended with
    milestones: list[Candidate] = field(default_factory=list)
    steps: int = 0  # updates made
    passes: int = 0  # gradient passes spent on this clip
    looks: int = 0  # forward passes spent only on checking for success
    first_match: int | None = None  # the pass of the first success, if any
    stuck: int | None = None  # the pass at which nothing could be moved, and a stage was left
    not_finite: dict[str, NonFinite] = field(default_factory=dict)  # by its source
    # of the successes that were kept between two powers of two passes, the last
    trail: list[Candidate] = field(default_factory=list)
    # a point every ten steps of a stage, and wherever extra draws were scored
    curve: list[Point] = field(default_factory=list)

    @property
    def last(self) -> Candidate:
        """The last iterate, which no step has scored, as the success that it may be."""
        stage = self.curve[-1].stage if self.curve else GIVEN
        eps = float(self.delta.abs().max())
        return Candidate(self.delta, eps, self.passes, self.steps, stage)

    def note(self, not_finite: Mapping[str, int]) -> None:
        """Count the numbers of the last step that were not finite, by their source."""
        for source, count in not_finite.items():
            if count:
                before = self.not_finite.get(source)
                self.not_finite[source] = NonFinite.again(before, self.passes, count)

    def add(self, candidate: Candidate, apart: int) -> None:
        """Keep a success; of every `apart` steps only the last, on the trail fewer."""
        if self.candidates and self.candidates[-1].step // apart == candidate.step // apart:
            self.candidates.pop()
        self.candidates.append(candidate)
        if self.trail and self.trail[-1].passes.bit_length() == candidate.passes.bit_length():
            self.trail.pop()
        self.trail.append(candidate)

    def within(self, begin: int, end: int) -> Trajectory:
        """The same of samples `begin` to `end` alone, where all that was changed lies."""

        def cut(found: Iterable[Candidate]) -> list[Candidate]:
            return [replace(candidate, delta=candidate.delta[begin:end]) for candidate in found]

        return replace(
            self,
            delta=self.delta[begin:end],
            candidates=deque(cut(self.candidates), self.candidates.maxlen),
            milestones=cut(self.milestones),
            trail=cut(self.trail),
        )
