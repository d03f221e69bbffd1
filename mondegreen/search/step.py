"""How a step adapts ε and α, and moves δ: along the gradient, and back within its bounds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from mondegreen.audio.batch import quantise, without_padding
from mondegreen.psychoacoustics.excess import guarded, masking_loss, worst_excess_db
from mondegreen.psychoacoustics.threshold import MaskingThreshold
from mondegreen.search.ceiling import contained, lowered, shaped
from mondegreen.search.stage import Stage
from mondegreen.search.state import Batch

TURNS = 4  # a step, of `contained`: δ has moved little since the last


@dataclass(frozen=True)
class Limits:
    """The thresholds of a stage's clips."""

    theta: MaskingThreshold  # θ, that the ceiling is above
    loud: MaskingThreshold  # what the penalty is measured against: θ, or less with a guard
    silence: tuple[int, int] = (0, 0)  # samples of it that their frames see around a clip

    @classmethod
    def of(
        cls, stage: Stage, threshold: MaskingThreshold, audio: Tensor, lengths: Tensor
    ) -> Limits:
        """Those of all clips of a search, `audio` [B, T] with `lengths` [B].

        Of all, whoever has left: a search that goes on from a snapshot must get the same bits.
        """
        silence = (0, 0)
        if stage.edges:
            silence = threshold.silence
            audio = pad(audio, silence)
            threshold = threshold.of(audio, lengths + sum(silence))
        if stage.masking is None or stage.masking.guard is None:
            return cls(threshold, threshold, silence)
        return cls(threshold, guarded(threshold, audio, stage.masking.guard), silence)

    def select(self, index: Tensor) -> Limits:
        """Those of the clips `index`, [A]."""
        return Limits(self.theta.select(index), self.loud.select(index), self.silence)

    def penalty(self, delta: Tensor) -> tuple[Tensor, Tensor]:
        """The masking loss of each clip, [A], and its gradient, [A, T]."""
        delta = delta.detach().requires_grad_()
        audible = masking_loss(self._around(delta), self.loud)
        return audible.detach(), torch.autograd.grad(audible.sum(), delta)[0]

    def lowered(self, delta: Tensor, ceiling_db: float) -> Tensor:
        """δ, [A, T], brought down to a ceiling above θ: see `ceiling.lowered`."""
        before, after = self.silence
        found = lowered(self._around(delta), self.theta, ceiling_db)
        return found[:, before : found.shape[1] - after]

    def _around(self, delta: Tensor) -> Tensor:
        """δ in silence, which must not see what padding holds between two steps."""
        own = self.theta.lengths - sum(self.silence)
        return pad(without_padding(delta, own), self.silence)


def beyond(stage: Stage, batch: Batch, limits: Limits) -> Tensor | None:
    """How many dB each clip's δ, as it is saved, exceeds the stage's bound by, [A]."""
    if stage.under is None:
        return None
    saved = quantise(batch.audio + batch.delta) - batch.audio
    return (worst_excess_db(saved, limits.theta) - stage.under).clamp(min=0)


def a_clip(values: Tensor, like: Tensor) -> Tensor:
    """A number for each clip, [A] in main memory, as a column [A, 1] on the device."""
    return values.to(like.device, non_blocking=True)[:, None]


def adapt(stage: Stage, step: int, batch: Batch, peak: Tensor, matched: Tensor) -> None:
    """Adapt ε and α to how update `step - 1` turned out."""
    update = step - 1
    if update < 0:
        return
    if stage.bound and update % stage.bound.every == 0:
        batch.eps = stage.bound.moved(batch.eps, peak, matched)
    if stage.masking:
        batch.alpha = stage.masking.adapted(batch.alpha, matched, update)


def averaged(stage: Stage, step: int, batch: Batch) -> Tensor:
    """What stands for δ where it is kept, [A, T]: itself, or the stage's mean of all so far.

    Until it is as long as the stage asks for, all count alike in the mean (Polyak & Juditsky 1992).
    """
    if not stage.average:
        return batch.delta
    batch.average.lerp_(batch.delta, max(1 - stage.average, 1 / (step + 1)))
    return batch.average


def move(stage: Stage, step: int, batch: Batch, gradient: Tensor, limits: Limits) -> None:
    """A step along the mean gradient or its mean sign, then the projection onto the bounds.

    Adam says how far each sample goes, or, under a bound on the spectrum, the room in each bin.
    """
    if stage.sign:
        gradient = gradient.sign()
    batch.mean.lerp_(gradient, 1 - stage.betas[0])
    rate = stage.rate.at(step, stage.steps)
    pace = a_clip((batch.fastest / rate).clamp(max=1), batch.delta)
    if stage.under is None:
        _adam(stage, step, batch, gradient, rate, pace)
    else:
        batch.delta.sub_(shaped(batch.mean, limits.theta, stage.under) * pace, alpha=rate)
        batch.delta = contained(batch.delta, limits.theta, stage.under, TURNS)
    if stage.ceiling:
        batch.delta = limits.lowered(batch.delta, stage.ceiling.at(step, stage.steps))
    eps = a_clip(batch.eps, batch.delta)
    batch.delta.clamp_(torch.maximum(batch.low, -eps), torch.minimum(batch.high, eps))


def _adam(
    stage: Stage, step: int, batch: Batch, gradient: Tensor, rate: float, pace: Tensor
) -> None:
    """Adam's step (Kingma & Ba 2014) along the mean, at a rate times each clip's pace, [A, 1]."""
    first, second = stage.betas
    batch.square.lerp_(gradient.square(), 1 - second)
    spread = (batch.square / (1 - second ** (step + 1))).sqrt_().add_(1e-8).div_(pace)
    batch.delta.addcdiv_(batch.mean, spread, value=-rate / (1 - first ** (step + 1)))
