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
from mondegreen.search.scoring import StepScore
from mondegreen.search.stage import Expectation, Stage
from mondegreen.search.state import Batch

BEYOND = 1e15  # the cost of a dB over a stage's bound: more than any masking loss


@dataclass(frozen=True)
class StepOutcome:
    """What the host learns of a step, in main memory, one row per clip."""

    loss: Tensor  # [A] nats
    hits: Tensor  # [A] draws that matched the target, out of `judged`
    peak: Tensor  # [A] ‖δ‖∞
    audible: Tensor | None  # [A] masking loss, or None without a masking penalty
    over: Tensor | None  # [A] dB beyond the stage's bound, or None without one
    judged: int

    @classmethod
    def of(
        cls,
        score: StepScore,
        delta: Tensor,
        audible: Tensor | None,
        over: Tensor | None,
        judged: int,
    ) -> StepOutcome:
        """Copy it: the only time in a step that the search waits for the device."""
        columns = [score.loss, score.hits.to(score.loss), delta.abs().amax(1)]
        more = [column for column in (audible, over) if column is not None]
        loss, hits, peak, *rest = torch.stack(columns + more).cpu()
        audible, over = (None if column is None else rest.pop(0) for column in (audible, over))
        return cls(loss, hits.long(), peak, audible, over, judged)

    @property
    def cost(self) -> Tensor | None:
        """[A] what "quietest" minimises: dB beyond the bound first, then masking loss."""
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
