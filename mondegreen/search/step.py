"""A step: it adapts ε and α, and moves δ along the gradient and back within its bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from mondegreen.audio.band import band_of, within_band
from mondegreen.audio.batch import quantise, without_padding
from mondegreen.psychoacoustics.excess import guarded, masking_loss, worst_excess_db
from mondegreen.psychoacoustics.threshold import MaskingThreshold
from mondegreen.search.ceiling import contained, shaped
from mondegreen.search.norm import Norm, Weighed
from mondegreen.search.progress import StepOutcome
from mondegreen.search.stage import Stage
from mondegreen.search.state import Batch

TURNS = 4  # of `contained` per step: δ has moved little since the last

# By how much J may exceed that of the best success, or of the stage's start, before δ shrinks
# though the target is not heard: being heard there would gain nothing. Without it, δ grows without
# end where a success was luck
SLACK = 0.5


_TINY = 1e-20


@dataclass(frozen=True)
class Limits:
    """The thresholds of a stage's clips, and their bands."""

    theta: MaskingThreshold  # θ, for a bound
    loud: MaskingThreshold  # the penalty's threshold: θ, or less with a guard
    silence: tuple[int, int] = (0, 0)  # samples of silence around a clip that frames see
    bands: Tensor | None = None  # [A] Hz, where the band of each clip ends; None: δ may have all
    norm: Norm | None = None  # of a stage with a weighting

    @classmethod
    def of(
        cls, stage: Stage, threshold: MaskingThreshold, audio: Tensor, lengths: Tensor
    ) -> Limits:
        """Those of all clips of a search, `audio` [B, T] with `lengths` [B].

        Including clips that have left: a search resumed from a snapshot must get the same bits.
        """
        bands, silence = _bands(audio, lengths, threshold) if stage.in_band else None, (0, 0)
        if stage.edges:
            silence = threshold.silence
            audio = pad(audio, silence)
            threshold = threshold.of(audio, lengths + sum(silence))
        limits = cls(threshold, threshold, silence, bands)
        if stage.masking is not None and stage.masking.guard is not None:
            return replace(limits, loud=guarded(threshold, audio, stage.masking.guard))
        if stage.weighting is None:
            return limits
        return replace(limits, norm=Norm.of(audio, threshold, stage.weighting))

    def select(self, index: Tensor) -> Limits:
        """Those of the clips `index`, [A]."""
        theta = self.theta.select(index)
        return Limits(
            theta,
            self.loud.select(index),
            self.silence,
            None if self.bands is None else self.bands[index],
            None if self.norm is None else self.norm.select(index, theta),
        )

    def penalty(self, delta: Tensor) -> tuple[Tensor, Tensor]:
        """The masking loss of each clip, [A], and its gradient, [A, T]."""
        delta = delta.detach().requires_grad_()
        audible = masking_loss(self._around(delta), self.loud)
        return audible.detach(), torch.autograd.grad(audible.sum(), delta)[0]

    def weigh(self, delta: Tensor) -> Weighed | None:
        """What δ [A, T] weighs in the stage's norm."""
        return None if self.norm is None else self.norm.weigh(self._around(delta))

    def nearer(
        self, delta: Tensor, gradient: Tensor, weights: Tensor, rate: Tensor, size: Tensor
    ) -> Tensor:
        """δ [A, T] after a step against a gradient [A, T], scaled to a size [A] in the norm.

        The step's length is `rate` [A], in shares of that size.
        """
        assert self.norm is not None
        before, after = self.silence
        direction = self.norm.along(self._around(gradient), weights)
        moved = self._around(delta) - (rate * size)[:, None] * direction
        scale = size / self.norm.size(moved, weights).clamp(min=_TINY)
        return (moved * scale[:, None])[:, before : moved.shape[1] - after]

    def within_band(self, delta: Tensor) -> Tensor:
        """What lies of δ, or of a gradient [A, T], within the band that it has to keep."""
        if self.bands is None:
            return delta
        return within_band(delta, self.bands, self.theta.sample_rate)

    def _around(self, delta: Tensor) -> Tensor:
        """δ surrounded by silence, without the content of its padding."""
        own = self.theta.lengths - sum(self.silence)
        return pad(without_padding(delta, own), self.silence)


def _bands(audio: Tensor, lengths: Tensor, threshold: MaskingThreshold) -> Tensor:
    own = zip(audio, lengths.tolist(), strict=True)
    return torch.tensor([band_of(clip[:length], threshold.sample_rate) for clip, length in own])


def beyond(stage: Stage, batch: Batch, limits: Limits) -> Tensor | None:
    """By how many dB each clip's δ, as saved, exceeds the stage's bound, [A]."""
    if stage.under is None:
        return None
    saved = quantise(batch.audio + batch.delta) - batch.audio
    return (worst_excess_db(saved, limits.theta) - stage.under).clamp(min=0)


def a_clip(values: Tensor, like: Tensor) -> Tensor:
    """A number per clip, [A] in main memory, as a column [A, 1] on the device."""
    return values.to(like.device, non_blocking=True)[:, None]


def adapt(
    stage: Stage, step: int, batch: Batch, peak: Tensor, matched: Tensor, success: Tensor
) -> None:
    """Adapt ε and α to the outcome of update `step - 1`.

    What only a near pass has `matched` is no `success`: ε, which may never grow back, stays.
    """
    update = step - 1
    if update < 0:
        return
    if stage.bound and update % stage.bound.every == 0:
        batch.eps = stage.bound.moved(batch.eps, peak, success)
    if stage.masking:
        batch.alpha = stage.masking.adapted(batch.alpha, matched, update)


def averaged(stage: Stage, step: int, batch: Batch) -> Tensor:
    """What is kept in place of δ, [A, T]: δ itself, or the stage's mean of all so far.

    Until there are as many as the stage asks for, all count alike (Polyak & Juditsky 1992).
    """
    if not stage.average:
        return batch.delta
    batch.average.lerp_(batch.delta, max(1 - stage.average, 1 / (step + 1)))
    return batch.average


def move(
    stage: Stage,
    step: int,
    batch: Batch,
    gradient: Tensor,
    limits: Limits,
    weighed: Weighed | None,
    outcome: StepOutcome,
) -> None:
    """A step along the mean gradient or its mean sign, then the projection onto the bounds.

    Adam sets the size for each sample or, under a bound on the spectrum, the room in each bin does;
    with a weighting, the norm.
    """
    gradient = limits.within_band(gradient)
    if weighed is not None:
        _towards(stage, step, batch, gradient, limits, weighed, outcome)
    else:
        _descend(stage, step, batch, gradient, limits)
    eps = a_clip(batch.eps, batch.delta)
    batch.delta.clamp_(torch.maximum(batch.low, -eps), torch.minimum(batch.high, eps))
    if limits.bands is not None:  # last, so that it holds; its ripples may exceed ε
        batch.delta = limits.within_band(batch.delta).clamp(batch.low, batch.high)
    if stage.ball is not None:  # which scales it, and so keeps all of the above
        batch.delta = stage.ball.inside(batch.delta, stage.ball.radius(batch.own))


def _descend(stage: Stage, step: int, batch: Batch, gradient: Tensor, limits: Limits) -> None:
    if stage.sign:
        gradient = gradient.sign()
    batch.mean.lerp_(gradient, 1 - stage.betas[0])
    rate = stage.rate.at(step, stage.steps)
    pace = a_clip((batch.fastest / rate).clamp(max=1), batch.delta)
    if stage.ball is not None:
        far = rate * stage.ball.radius(batch.own)
        batch.delta -= far[:, None] * _direction(batch.mean)
    elif stage.under is None:
        _adam(stage, step, batch, gradient, rate, pace)
    else:
        batch.delta.sub_(shaped(batch.mean, limits.theta, stage.under) * pace, alpha=rate)
        free = batch.low < batch.high
        batch.delta = contained(batch.delta, limits.theta, stage.under, TURNS, free)


def _direction(gradient: Tensor) -> Tensor:
    """A gradient [A, T] at length 1, however small it is; 0 where that is 0."""
    peak = gradient.abs().amax(1, keepdim=True)
    scaled = gradient / peak.clamp(min=torch.finfo(gradient.dtype).tiny)
    direction: Tensor = scaled / scaled.norm(dim=1, keepdim=True).clamp(min=1)
    return direction


def _towards(
    stage: Stage,
    step: int,
    batch: Batch,
    gradient: Tensor,
    limits: Limits,
    weighed: Weighed,
    outcome: StepOutcome,
) -> None:
    """A step in the norm, and a smaller size if the target was heard, a larger one if not.

    The step is the shorter, the less there is to gain: 1 - p(target | audio).
    """
    assert stage.weighting is not None
    assert outcome.cost is not None
    heard = (outcome.hits.double() / outcome.judged).masked_fill(
        outcome.cost > batch.quietest + SLACK, 1
    )
    change = stage.weighting.change(stage.weighting.shrink.at(step, stage.steps), heard)
    rate = -torch.expm1(-outcome.loss.nan_to_num(math.inf).clamp(min=0))
    rate = rate * stage.rate.at(step, stage.steps)
    batch.mean.lerp_(gradient, 1 - stage.betas[0])
    rate, change = (a_clip(each.to(gradient.dtype), gradient)[:, 0] for each in (rate, change))
    size = weighed.size * change
    batch.delta = limits.nearer(batch.delta, batch.mean, weighed.weights, rate, size)


def _adam(
    stage: Stage, step: int, batch: Batch, gradient: Tensor, rate: float, pace: Tensor
) -> None:
    """Adam's step (Kingma & Ba 2014) along the mean, at a rate times each clip's pace, [A, 1]."""
    first, second = stage.betas
    batch.square.lerp_(gradient.square(), 1 - second)
    spread = (batch.square / (1 - second ** (step + 1))).sqrt_().add_(1e-8).div_(pace)
    batch.delta.addcdiv_(batch.mean, spread, value=-rate / (1 - first ** (step + 1)))
