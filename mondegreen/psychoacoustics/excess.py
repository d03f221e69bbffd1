"""How far a perturbation is above the masking threshold, for attacks and measurements."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from mondegreen.audio.batch import without_padding
from mondegreen.audio.pcm import FULL_SCALE
from mondegreen.errors import AudioError
from mondegreen.psychoacoustics.maskers import NEARBY_BARK
from mondegreen.psychoacoustics.spectrum import (
    LOUDEST,
    bark,
    bin_frequencies,
    power_spectrum,
    reference,
)
from mondegreen.psychoacoustics.threshold import MaskingThreshold

FARTHEST: Final = 150.0  # dB up or down; 16 bits have 96


def normalised_power(delta: Tensor, threshold: MaskingThreshold) -> Tensor:
    """Power of a perturbation relative to the loudest bin of its clip, eq. (13).

    Shape: delta ``[B, T]`` in [-1, 1] -> ``[B, frames, bins]``, the frames of the threshold. T may
    exceed what they need; samples past a clip's length count as 0. Differentiable in delta.
    On a silent clip, full scale (power 1) is at 96 dB in place of the clip's maximum.

    Raises ``AudioError`` if delta is not of these clips: another batch size, or too short.

    >>> from mondegreen.psychoacoustics.threshold import masking_threshold
    >>> audio = torch.sin(torch.arange(4096) * torch.pi / 8)[None]  # 1 kHz
    >>> threshold = masking_threshold(audio, None, 16_000)
    >>> round(float(normalised_power(0.1 * audio, threshold).amax().log10()), 2)  # 96 dB - 20 dB
    7.6
    """
    _check_delta(delta, threshold)
    frames = threshold.theta.shape[1]
    delta = delta[:, : (frames - 1) * threshold.hop + threshold.window]
    # Scaling samples instead of spectra is the same and touches an eighth of the numbers.
    gain = threshold.profile.delta_gain * LOUDEST
    scale = math.sqrt(gain) * reference(threshold.psd_max).rsqrt()
    scaled = without_padding(delta * scale[:, None], threshold.lengths)
    return power_spectrum(scaled, threshold.window, threshold.hop)


def masking_loss(delta: Tensor, threshold: MaskingThreshold) -> Tensor:
    """The paper's loss of imperceptibility ℓθ: linear power above the threshold.

    Shape: delta ``[B, T]`` -> ``[B]``: the mean of max(power - theta, 0) over the bins of its own
    frames, never over padding. Exactly 0, with gradient 0, for what stays under theta. On a
    silent clip the loss is finite, with the reference of ``normalised_power``. At any rate the sum
    over bins is divided by their number up to 8 kHz, see ``MaskingThreshold.bins``.
    Raises ``AudioError`` as ``normalised_power`` does.

    >>> from mondegreen.psychoacoustics.threshold import masking_threshold
    >>> audio = torch.sin(torch.arange(4096) * torch.pi / 8)[None]  # 1 kHz
    >>> threshold = masking_threshold(audio, None, 16_000)
    >>> round(float(masking_loss(1e-3 * audio, threshold)), 6)  # 60 dB below the tone that masks it
    0.0
    """
    excess = (normalised_power(delta, threshold) - threshold.theta).relu().sum(-1)
    return (excess * threshold.real).sum(-1) / threshold.frames / threshold.bins


def level_of_loss(delta: Tensor, threshold: MaskingThreshold, loss: float) -> Tensor:
    """By how many dB a perturbation has to become louder for `masking_loss` to be `loss`.

    Negative: quieter. The threshold is the clip's, so that only the power scales; the loss at g dB,
    the mean of max(10^(g/10) p - theta, 0), rises with g, which is found by bisection.

    Shape: delta ``[B, T]`` -> ``[B]`` dB, to a thousandth; ±`FARTHEST` where it lies beyond that.
    Raises ``AudioError`` as ``normalised_power`` does.

    >>> from mondegreen.psychoacoustics.threshold import masking_threshold
    >>> audio = torch.sin(torch.arange(4096) * torch.pi / 8)[None]  # 1 kHz
    >>> threshold = masking_threshold(audio, None, 16_000)
    >>> level = level_of_loss(0.01 * audio, threshold, loss=0.5)
    >>> louder, quieter = (0.01 * 10 ** ((level + apart) / 20) * audio for apart in (0.01, -0.01))
    >>> bool(masking_loss(quieter, threshold) < 0.5 < masking_loss(louder, threshold))
    True
    """
    power = normalised_power(delta, threshold)
    high = torch.full_like(power[:, 0, 0], FARTHEST)
    low = -high
    while float((high - low).max()) > 1e-3:
        middle = (low + high) / 2
        excess = (power * (10 ** (middle / 10))[:, None, None] - threshold.theta).relu().sum(-1)
        over = (excess * threshold.real).sum(-1) / threshold.frames / threshold.bins > loss
        low, high = torch.where(over, low, middle), torch.where(over, middle, high)
    return (low + high) / 2


def excess_db(delta: Tensor, threshold: MaskingThreshold) -> Tensor:
    """How far a perturbation is above the threshold, 10 log10(power / θ), in the audible bins.

    Shape: delta ``[B, T]`` -> ``[B, frames, audible bins]`` dB; -inf in padding and where it is 0.
    Raises ``AudioError`` as ``normalised_power`` does.

    >>> from mondegreen.psychoacoustics.threshold import masking_threshold
    >>> audio = torch.sin(torch.arange(4096) * torch.pi / 8)[None]  # 1 kHz
    >>> threshold = masking_threshold(audio, None, 16_000)
    >>> round(float(excess_db(0.1 * audio, threshold)[0, 0, 125]), 1)
    -13.4
    """
    audible = threshold.audible
    ratio = normalised_power(delta, threshold)[..., audible] / threshold.theta[..., audible]
    return 10 * torch.log10(ratio.masked_fill(~threshold.real[..., None], 0))


def worst_excess_db(delta: Tensor, threshold: MaskingThreshold) -> Tensor:
    """The largest `excess_db` of each clip, without waiting for the device.

    Shape: delta ``[B, T]`` -> ``[B]`` dB; -inf where it is 0.
    Raises ``AudioError`` as ``normalised_power`` does.

    >>> from mondegreen.psychoacoustics.threshold import masking_threshold
    >>> audio = torch.sin(torch.arange(4096) * torch.pi / 8)[None]  # 1 kHz
    >>> threshold = masking_threshold(audio, None, 16_000)
    >>> [round(float(worst_excess_db(s * audio, threshold)), 1) for s in (0.1, 1.0)]
    [-13.4, 6.6]
    """
    counted = threshold.audible & threshold.real[..., None]
    ratio = (normalised_power(delta, threshold) / threshold.theta).masked_fill(~counted, 0)
    return 10 * torch.log10(ratio.amax((1, 2)))


def rounding_power(threshold: MaskingThreshold) -> Tensor:
    """Power that rounding to 16 bits is expected to add to each bin, normalised as eq. (13).

    An error uniform over one step has a variance of a twelfth of its square; a periodic Hann window
    keeps 3/8 of that: E|Σ w e / N|² = Σ w² σ² / N² = 3/8 σ² / N.

    Shape: ``[B]``.

    >>> from mondegreen.psychoacoustics.threshold import masking_threshold
    >>> audio = torch.sin(torch.arange(4096) * torch.pi / 8)[None]  # 1 kHz
    >>> threshold = masking_threshold(audio, None, 16_000)
    >>> round(float(10 * rounding_power(threshold).log10()), 1)
    -30.4
    """
    variance = 1 / (12 * FULL_SCALE**2)
    gain = threshold.profile.delta_gain * LOUDEST * 3 / 8 / threshold.window
    return gain * variance / reference(threshold.psd_max)


def guarded(threshold: MaskingThreshold, audio: Tensor, share: float) -> MaskingThreshold:
    """The threshold, limited to a share of the clip's own power nearby.

    A loud low sound masks far upward (eq. 9), where the clip itself may be almost silent. A
    perturbation there is under θ, but makes it sound like noise.

    Shape: audio ``[B, T]`` of the same clips -> theta = min(theta, share · p̄); p̄ is the mean
    of the clip's normalised power over the bins less than 0.5 Bark away.
    Raises ``AudioError`` as ``normalised_power`` does.

    >>> from mondegreen.psychoacoustics.threshold import masking_threshold
    >>> audio = torch.sin(torch.arange(4096) * torch.pi / 8)[None]  # 1 kHz
    >>> threshold = masking_threshold(audio, None, 16_000)
    >>> bool((guarded(threshold, audio, 0.5).theta <= threshold.theta).all())
    True
    """
    power = normalised_power(audio, threshold)
    near = nearby_power(power, threshold.sample_rate)
    return replace(threshold, theta=torch.minimum(threshold.theta, share * near))


def nearby_power(power: Tensor, sample_rate: int) -> Tensor:
    """The mean power of the bins less than 0.5 Bark away from each.

    Shape: power ``[..., bins]``, bins = window // 2 + 1 of an even window -> the same.

    >>> power = torch.zeros(1025)
    >>> power[128] = 1.0  # 1 kHz, where a bin is 0.05 Bark wide
    >>> near = nearby_power(power, 16_000)
    >>> int((near > 0).sum()), round(float(near[128]), 3)
    (20, 0.05)
    """
    barks = bark(bin_frequencies(sample_rate, 2 * (power.shape[-1] - 1)))
    near = ((barks[:, None] - barks).abs() < NEARBY_BARK).to(power)
    return power @ (near / near.sum(0))


def _check_delta(delta: Tensor, threshold: MaskingThreshold) -> None:
    clips, frames, _ = threshold.theta.shape
    given = 1 + max(delta.shape[-1] - threshold.window, 0) // threshold.hop
    if delta.ndim != 2 or len(delta) != clips or given < frames:
        raise AudioError(
            f"the perturbation has shape {list(delta.shape)}; its threshold is of {clips} clips and"
            f" {frames} frames: pass [{clips}, samples] with as many samples as the longest clip"
        )
