"""A norm of perturbations by how well they are heard, and the way to the smallest δ in it.

Noise is heard by its share of the sound around it, so power counts the more, the less of the clip
is near. With δ̂ the spectrum of short frames, a quarter of the threshold's, and P̄ the clip's own
power nearby, less than half a Bark away,

    ‖δ‖² = Σ |δ̂|² / P̄^c
    J(δ) = log ‖δ‖² + a log (ℓθ + f)

and J is what the smallest δ has least of: `a` weighs the masking loss, and reducing it below `f`
is not worth much. Both logarithms have no unit, so one pair of numbers suits all clips.

The gradient of J is that of a quadratic form Σ w |δ̂|², w = 1/P̄^c + a ‖δ‖²/(ℓθ + f) · ∂ℓθ/∂|δ̂|²,
and w is the metric: a step along the recogniser's gradient g goes along ĝ/w, which buys the most of
its loss for what it costs, and down J is towards zero, alike in all bins. So direction and norm are
decoupled (Rony et al. 2019): a step along ĝ/w, then δ is scaled to a size that shrinks while the
target is heard and grows while it is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

from mondegreen.psychoacoustics.excess import nearby_power, normalised_power
from mondegreen.psychoacoustics.spectrum import LOUDEST, reference
from mondegreen.psychoacoustics.threshold import MaskingThreshold
from mondegreen.search.ceiling import overlapped
from mondegreen.search.stage import Weighting

SHORTER: Final = 4  # windows of the norm are so much shorter than the threshold's: 32 ms at 16 kHz
FAINTEST: Final = 1e-7  # of the clip's loudest power: below, all counts alike
STEEP: Final = 4  # how suddenly a bin counts as above θ: 1 / (1 + (θ/p)^STEEP)

_HANN_OVERLAP: Final = 3 / 2  # sum of squared Hann windows, a quarter apart
_TINY: Final = 1e-20


@dataclass(frozen=True)
class Weighed:
    """What perturbations [A, T] weigh."""

    weights: Tensor  # [A, F, K] w
    size: Tensor  # [A] the root of Σ w |δ̂|²
    masking_loss: Tensor  # [A] ℓθ
    cost: Tensor  # [A] J


@dataclass(frozen=True)
class Norm:
    """The norm of a batch of clips; sounds are padded as the threshold's, [A, S]."""

    base: Tensor  # [A, F, K] 1/P̄^c
    seen: Tensor  # [F, F'] the share of a short frame's power that each of the long ones sees
    threshold: MaskingThreshold
    weighting: Weighting

    @classmethod
    def of(cls, audio: Tensor, threshold: MaskingThreshold, weighting: Weighting) -> Norm:
        """That of clips [A, S], which the threshold is of."""
        window = threshold.window // SHORTER
        power = nearby_power(_spectra(audio, window).abs().square(), threshold.sample_rate)
        faintest = (FAINTEST * power.amax((1, 2), keepdim=True)).clamp(min=_TINY)
        base = (power + faintest).pow(-weighting.exponent)
        short = torch.arange(base.shape[1]) * (window // SHORTER) + window / 2
        long = torch.arange(threshold.theta.shape[1]) * threshold.hop + threshold.window / 2
        apart = (short[:, None] - long) / threshold.window
        hann = torch.cos(math.pi * apart.clamp(-0.5, 0.5)).square()
        seen = hann.square() * threshold.hop / (3 / 8 * threshold.window)
        return cls(base, seen.to(base), threshold, weighting)

    @property
    def window(self) -> int:
        """Samples of a short frame."""
        return 2 * (self.base.shape[2] - 1)

    def select(self, index: Tensor, threshold: MaskingThreshold) -> Norm:
        """That of the clips `index` [A], which the threshold is of."""
        samples = int(threshold.lengths.max()) if len(threshold.lengths) else self.window
        frames = 1 + (samples - self.window) // (self.window // SHORTER)
        seen = self.seen[:frames, : threshold.theta.shape[1]]
        return replace(self, base=self.base[index, :frames], seen=seen, threshold=threshold)

    def weigh(self, delta: Tensor) -> Weighed:
        """Weigh perturbations [A, S]."""
        energy = _spectra(delta, self.window).abs().square()
        square = (energy * self.base).sum((1, 2))
        power = normalised_power(delta, self.threshold)
        theta, own = self.threshold.theta, self.threshold.real[..., None]
        loss = ((power - theta).relu() * own).sum(-1).sum(-1)
        loss = loss / self.threshold.frames / self.threshold.bins
        above = (1 + (theta / power.clamp(min=_TINY)).pow(STEEP)).reciprocal()
        above = above.masked_fill(~(own & self.threshold.audible), 0)
        share = self.weighting.masking * square / (loss + self.weighting.floor)
        weights = self.base + share[:, None, None] * self._slope(above)
        return Weighed(
            weights,
            (energy * weights).sum((1, 2)).sqrt(),
            loss,
            square.clamp(min=_TINY).log()
            + self.weighting.masking * (loss + self.weighting.floor).log(),
        )

    def _slope(self, above: Tensor) -> Tensor:
        """∂ℓθ/∂|δ̂|², [A, F, K], from how far bins of long frames are `above` θ, [A, F', K'].

        A short frame counts in the long ones over it by their squared windows at its middle. With
        a quarter of the bins in a quarter of the time there are as many of one as of the other, and
        their powers differ by the windows' lengths.
        """
        threshold = self.threshold
        pooled = avg_pool1d(pad(above, (SHORTER // 2, SHORTER // 2)), SHORTER)
        spread = torch.einsum("sl,alk->ask", self.seen, pooled[..., : self.base.shape[2]])
        gain = LOUDEST * threshold.profile.delta_gain / reference(threshold.psd_max)
        counted = threshold.bins * threshold.window * self.window
        return spread * (gain / threshold.frames / counted)[:, None, None]

    def size(self, delta: Tensor, weights: Tensor) -> Tensor:
        """The root [A] of Σ w |δ̂|² of sounds [A, S]."""
        return (_spectra(delta, self.window).abs().square() * weights).sum((1, 2)).sqrt()

    def along(self, gradient: Tensor, weights: Tensor) -> Tensor:
        """The direction [A, S] of a gradient in the metric w, of size 1; 0 where that is 0."""
        direction = _sounds(_spectra(gradient, self.window) / weights, gradient.shape[1])
        return direction / self.size(direction, weights).clamp(min=_TINY)[:, None]


def _spectra(sound: Tensor, window: int) -> Tensor:
    """Spectra of short frames, [A, S] -> [A, F, K]; what is left at the end is not seen."""
    hann = torch.hann_window(window, dtype=sound.dtype, device=sound.device)
    spectra: Tensor = torch.fft.rfft(sound.unfold(-1, window, window // SHORTER) * hann)
    return spectra


def _sounds(spectra: Tensor, samples: int) -> Tensor:
    """Windowed and overlapped, [A, F, K] -> [A, samples]: what `_spectra` was given, unchanged."""
    window = 2 * (spectra.shape[2] - 1)
    hann = torch.hann_window(window, dtype=spectra.real.dtype, device=spectra.device)
    frames = torch.fft.irfft(spectra, window) * (hann / _HANN_OVERLAP)
    summed = overlapped(frames, window // SHORTER)
    return pad(summed, (0, samples - summed.shape[1]))
