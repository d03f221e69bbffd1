"""What the host learns of a step, and what it reports.

The device computes and the host decides. What a step found is copied to main memory once, a few
numbers per clip; nothing else in a step waits for the device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mondegreen.results.record import Point
from mondegreen.search.nonfinite import GRADIENT, LOSS, MASKING, MASKING_GRADIENT
from mondegreen.search.norm import Weighed
from mondegreen.search.scoring import StepScore
from mondegreen.search.stage import Expectation, Stage
from mondegreen.search.state import Batch

BEYOND = 1e15  # the cost of a dB over a stage's bound: more than any masking loss


@dataclass(frozen=True)
class StepOutcome:
    """What the host learns of a step, in main memory, one row per clip."""

    loss: Tensor  # [A] nats
    hits: Tensor  # [A] draws that matched the target, out of `judged`
    lost: Tensor  # [A] words that are wrong, where that is the aim
    peak: Tensor  # [A] ‖δ‖∞
    wild: Tensor  # [A] samples at which the gradient was not finite
    steepest: Tensor  # [A] the largest |gradient|, of the samples at which it is finite
    audible: Tensor | None  # [A] masking loss, or None without a masking penalty or a weighting
    wild_audible: Tensor | None  # [A] samples at which its gradient is not finite, likewise
    objective: Tensor | None  # [A] J of `mondegreen.search.norm`, or None without a weighting
    over: Tensor | None  # [A] dB beyond the stage's bound, or None without one
    judged: int

    @classmethod
    def of(
        cls,
        score: StepScore,
        delta: Tensor,
        penalty: tuple[Tensor, Tensor] | None,
        weighed: Weighed | None,
        over: Tensor | None,
        judged: int,
    ) -> StepOutcome:
        """Copy it: the only time in a step that the search waits for the device.

        Args:
            score: the victim's.
            delta: [A, T].
            penalty: the masking loss, [A], and its gradient, [A, T]; None: there is none.
            weighed: what δ weighs; None: without a weighting.
            over: see the class, like the next.
            judged: see the class.
        """
        columns = [score.loss, score.hits, score.lost, delta.abs().amax(1)]
        columns += [score.wild, score.gradient.abs().amax(1)]
        if penalty is not None:
            audible, slope = penalty
            columns += [audible, (~slope.isfinite()).sum(1)]
        if weighed is not None:
            columns += [weighed.masking_loss, weighed.cost]
        if over is not None:
            columns.append(over)
        copied = iter(torch.stack([column.to(score.loss) for column in columns]).cpu())
        loss, hits, lost, peak, wild, steepest = (next(copied) for _ in range(6))
        return cls(
            loss=loss,
            hits=hits.long(),
            lost=lost.long(),
            peak=peak,
            wild=wild,
            steepest=steepest,
            audible=next(copied) if penalty or weighed else None,
            wild_audible=next(copied) if penalty else None,
            objective=next(copied) if weighed else None,
            over=None if over is None else next(copied),
            judged=judged,
        )

    @property
    def stuck(self) -> Tensor:
        """[A] bool: it is not heard, and no gradient says how δ might be moved."""
        followed = (self.hits > 0) | (self.steepest > 0)
        if self.audible is None or self.wild_audible is None:  # no penalty that could move it
            return ~followed
        return ~followed & ~(self.audible > 0)

    def not_finite(self, row: int) -> dict[str, int]:
        """How many numbers of a clip were not finite, by their source; see `nonfinite`."""
        found = {LOSS: int(not self.loss[row].isfinite()), GRADIENT: int(self.wild[row])}
        if self.audible is not None and self.wild_audible is not None:
            found[MASKING] = int(not self.audible[row].isfinite())
            found[MASKING_GRADIENT] = int(self.wild_audible[row])
        return found

    @property
    def cost(self) -> Tensor | None:
        """[A] what "quietest" minimises: dB beyond the bound first, then masking loss; or J."""
        if self.objective is not None:
            return self.objective
        if self.audible is None or self.over is None:
            return self.audible
        return self.audible + BEYOND * self.over

    def success(self, over: Expectation) -> Tensor:
        """[A] bool: enough draws were scored, and a quorum of them matched."""
        return (self.hits >= over.quorum) & (self.judged >= over.looks)


@dataclass(frozen=True)
class Progress:
    """What one step found, one row per clip still in the stage; tensors are in main memory."""

    stage: str  # its name
    step: int  # the step within the stage, from 0
    passes: int  # gradient passes that the step took for each clip
    index: Tensor  # [A] which clips these are
    loss: Tensor  # [A] nats, the mean of the draws
    hits: Tensor  # [A] draws that matched the target, out of `judged`
    judged: int  # how many draws were scored
    matched: Tensor  # [A] bool: a success, by the stage's quorum
    eps: Tensor | None  # [A] full scale, or None without a bound
    alpha: Tensor | None  # [A], or None without a masking penalty
    masking_loss: Tensor | None  # [A], or None without a masking penalty

    @classmethod
    def of(
        cls, stage: Stage, step: int, batch: Batch, outcome: StepOutcome, matched: Tensor
    ) -> Progress:
        """Of a step of `batch` that has adapted and not moved yet."""
        return cls(
            stage=stage.name,
            step=step,
            passes=stage.over.draws,
            index=batch.index,
            loss=outcome.loss,
            hits=outcome.hits,
            judged=outcome.judged,
            matched=matched,
            eps=batch.eps if stage.bound else None,
            alpha=batch.alpha if stage.masking else None,
            masking_loss=outcome.audible,
        )

    def point(self, row: int, passes: int) -> Point:
        """The point of a clip's curve after `passes` gradient passes."""
        return Point(
            passes=passes,
            stage=self.stage,
            loss=_finite(self.loss, row),
            matched=bool(self.matched[row]),
            hits=int(self.hits[row]),
            judged=self.judged,
            eps=_finite(self.eps, row),
            alpha=_finite(self.alpha, row),
            masking_loss=_finite(self.masking_loss, row),
        )


def _finite(column: Tensor | None, row: int) -> float | None:
    number = math.nan if column is None else float(column[row])
    return number if math.isfinite(number) else None
