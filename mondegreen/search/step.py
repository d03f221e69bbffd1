"""A step: it adapts ε and α, and moves δ along the gradient and back within its bounds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from mondegreen.audio.band import band_of, within_band
from mondegreen.audio.batch import quantise, without_padding
from mondegreen.psychoacoustics.excess import guarded, masking_loss, worst_excess_db
from mondegreen.psychoacoustics.threshold import MaskingThreshold
from mondegreen.search.ceiling import contained, lowered, shaped
from mondegreen.search.stage import Stage
from mondegreen.search.state import Batch

TURNS = 4  # of `contained` per step: δ has moved little since the last


@dataclass(frozen=True)
class Limits:
    """The thresholds of a stage's clips, and their bands."""

    theta: MaskingThreshold  # θ, for the ceiling
    loud: MaskingThreshold  # the penalty's threshold: θ, or less with a guard
    silence: tuple[int, int] = (0, 0)  # samples of silence around a clip that frames see
    bands: Tensor | None = None  # [A] Hz, where the band of each clip ends; None: δ may have all

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
        if stage.masking is None or stage.masking.guard is None:
            return cls(threshold, threshold, silence, bands)
        return cls(threshold, guarded(threshold, audio, stage.masking.guard), silence, bands)

    def select(self, index: Tensor) -> Limits:
        """Those of the clips `index`, [A]."""
        bands = None if self.bands is None else self.bands[index]
        return Limits(self.theta.select(index), self.loud.select(index), self.silence, bands)

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


def adapt(stage: Stage, step: int, batch: Batch, peak: Tensor, matched: Tensor) -> None:
    """Adapt ε and α to the outcome of update `step - 1`."""
    update = step - 1
    if update < 0:
        return
    if stage.bound and update % stage.bound.every == 0:
        batch.eps = stage.bound.moved(batch.eps, peak, matched)
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


def move(stage: Stage, step: int, batch: Batch, gradient: Tensor, limits: Limits) -> None:
    """A step along the mean gradient or its mean sign, then the projection onto the bounds.

    Adam sets the size for each sample or, under a bound on the spectrum, the room in each bin does.
    """
    gradient = limits.within_band(gradient)
    if stage.sign:
        gradient = gradient.sign()
    batch.mean.lerp_(gradient, 1 - stage.betas[0])
    rate = stage.rate.at(step, stage.steps)
    pace = a_clip((batch.fastest / rate).clamp(max=1), batch.delta)
    if stage.under is None:
        _adam(stage, step, batch, gradient, rate, pace)
    else:
        batch.delta.sub_(shaped(batch.mean, limits.theta, stage.under) * pace, alpha=rate)
        free = batch.low < batch.high
        batch.delta = contained(batch.delta, limits.theta, stage.under, TURNS, free)
    if stage.ceiling:
        batch.delta = limits.lowered(batch.delta, stage.ceiling.at(step, stage.steps))
    eps = a_clip(batch.eps, batch.delta)
    batch.delta.clamp_(torch.maximum(batch.low, -eps), torch.minimum(batch.high, eps))
    if limits.bands is not None:  # last, so that it holds; its ripples may exceed ε
        batch.delta = limits.within_band(batch.delta).clamp(batch.low, batch.high)


def _adam(
    stage: Stage, step: int, batch: Batch, gradient: Tensor, rate: float, pace: Tensor
) -> None:
    """Adam's step (Kingma & Ba 2014) along the mean, at a rate times each clip's pace, [A, 1]."""
    first, second = stage.betas
    batch.square.lerp_(gradient.square(), 1 - second)
    spread = (batch.square / (1 - second ** (step + 1))).sqrt_().add_(1e-8).div_(pace)
    batch.delta.addcdiv_(batch.mean, spread, value=-rate / (1 - first ** (step + 1)))
