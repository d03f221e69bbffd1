"""A ceiling over a perturbation's spectrum: some dB above the masking threshold in every bin."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from mondegreen.psychoacoustics.excess import normalised_power, rounding_power
from mondegreen.psychoacoustics.threshold import MaskingThreshold

HANN_ENERGY = 3 / 8  # of a periodic Hann window, per sample
THIN = 0.1  # share of full overlap below which a correction fades out instead of growing
SLACK_DB: Final = 0.1  # below the bound, since turns approach their limit from above
ROUNDING: Final = 3.0  # standard deviations of rounding noise left as a margin

_TINY: Final = 1e-30


@torch.no_grad()
def contained(
    delta: Tensor,
    threshold: MaskingThreshold,
    bound_db: float,
    turns: int,
    free: Tensor | None = None,
) -> Tensor:
    """Bring δ down until no bin is above θ + `bound_db` once it is rounded to 16 bits.

    Excess in a quiet frame comes from a loud neighbour, and excess in a bin leaks from the next. So
    each turn brings a bin down by as much as the worst of the frames that share its samples, and of
    the bins beside it. This is not guaranteed: check what is left.

    δ becomes zero where frames are too thin to see it, and beyond the last; also where it is not
    ``free``, in each turn: what is cut off there is heard in the frames over the cut.

    Shape: delta ``[B, T]`` full scale, free bool ``[B, T]`` or None for all -> as delta.

    Raises ``AudioError`` if delta is not of these clips.
    """
    limit = _limit(threshold, bound_db)
    reach = (threshold.window - 1) // threshold.hop  # frames that share samples, to each side
    free = torch.ones_like(delta, dtype=torch.bool) if free is None else free
    delta = delta * (_seen(threshold, delta) & free)
    for _ in range(turns):
        gain = _gain(delta, threshold, limit)
        worst = -max_pool2d(-gain[:, None], (2 * reach + 1, 3), 1, (reach, 1))[:, 0]
        delta = (delta + _scaled(delta, threshold, worst - 1)) * free
    return delta


@torch.no_grad()
def shaped(gradient: Tensor, threshold: MaskingThreshold, bound_db: float) -> Tensor:
    """A step along the gradient, with as much in each bin as there is room under the bound.

    In shares of the room, it has the gradient's phases and the square roots of its amplitudes, half
    way to a sign: otherwise bins that are full would leave little of the step to the others. It is
    scaled to fill a bin of the clip in the root mean square. A step of equal size in all samples
    would exceed the bound by far in the quietest frames.

    Shape: gradient ``[B, T]`` of any scale -> the same, full scale.

    Raises ``AudioError`` if the gradient is not of these clips.
    """
    limit = _limit(threshold, bound_db)
    limit = limit.masked_fill(~(threshold.audible & threshold.real[..., None]), 0)
    # the sizes of gradient and limits are unknown: both are scaled to one
    unit = gradient / gradient.abs().amax(1, keepdim=True).clamp(min=_TINY)
    share = limit / limit.amax((1, 2), keepdim=True)
    power = normalised_power(unit, threshold).clamp(min=_TINY)
    step = _scaled(unit, threshold, share.pow(3 / 4) * power.pow(-1 / 4))
    return step / _fullness(step, threshold, limit).clamp(min=_TINY)[:, None]


@torch.no_grad()
def fullness(delta: Tensor, threshold: MaskingThreshold, bound_db: float) -> Tensor:
    """How full δ's bins are under the bound: the root mean square of their shares of the room.

    Bins over the bound count as full. Shape: delta ``[B, T]`` -> ``[B]``, in [0, 1].
    """
    return _fullness(delta, threshold, _limit(threshold, bound_db), most=1)


def _fullness(
    delta: Tensor, threshold: MaskingThreshold, limit: Tensor, most: float = math.inf
) -> Tensor:
    heard = threshold.audible & threshold.real[..., None] & (limit > 0)
    share = (normalised_power(delta, threshold) / limit).masked_fill(~heard, 0).clamp(max=most)
    return (share.sum((1, 2)) / (threshold.frames * threshold.audible.sum())).sqrt()


def _limit(threshold: MaskingThreshold, bound_db: float) -> Tensor:
    """The power of each bin that is expected to keep the bound after rounding to 16 bits."""
    room = (threshold.theta * 10 ** ((bound_db - SLACK_DB) / 10)).sqrt()
    noise = rounding_power(threshold).sqrt()[:, None, None]
    return (room - ROUNDING * noise).clamp(min=0).square()


def _gain(delta: Tensor, threshold: MaskingThreshold, limit: Tensor) -> Tensor:
    """The gain that brings each bin down to its limit: 1 below it, and for inaudible bins."""
    power = normalised_power(delta, threshold)
    over = (power > limit) & threshold.audible & threshold.real[..., None]
    return (limit / power).sqrt().masked_fill(~over, 1)


def _scaled(delta: Tensor, threshold: MaskingThreshold, gain: Tensor) -> Tensor:
    """Multiply the spectrum of each frame by a gain, and overlap-add the frames."""
    window, hop = threshold.window, threshold.hop
    gain = gain.masked_fill(~threshold.real[..., None], 0)
    length = (threshold.theta.shape[1] - 1) * hop + window
    covered = pad(delta, (0, length - delta.shape[1]))  # or cut, to what the frames cover
    hann = torch.hann_window(window, dtype=delta.dtype, device=delta.device)
    frames = torch.fft.rfft(covered.unfold(-1, window, hop) * hann) * gain
    summed = overlapped(torch.fft.irfft(frames, window) * hann, hop)
    scaled = summed / _overlap(threshold, hann).clamp(min=_thin(threshold))
    return pad(scaled, (0, delta.shape[1] - length))


def _seen(threshold: MaskingThreshold, delta: Tensor) -> Tensor:
    """Which samples of delta the frames see well enough to correct: bool [B, T]."""
    hann = torch.hann_window(threshold.window, dtype=delta.dtype, device=delta.device)
    seen = _overlap(threshold, hann) >= _thin(threshold)
    return pad(seen, (0, delta.shape[1] - seen.shape[1]))


def _overlap(threshold: MaskingThreshold, hann: Tensor) -> Tensor:
    """The sum of the squared windows of a clip's own frames, at each sample that they cover."""
    return overlapped(hann.square() * threshold.real[..., None], threshold.hop)


def _thin(threshold: MaskingThreshold) -> float:
    return THIN * HANN_ENERGY * threshold.window / threshold.hop


def overlapped(frames: Tensor, hop: int) -> Tensor:
    """Sum frames [B, F, W], each `hop` samples after the one before, of any W: [B, samples]."""
    n_clips, n_frames, window = frames.shape
    pieces = pad(frames, (0, -window % hop)).view(n_clips, n_frames, -1, hop)
    n_pieces = pieces.shape[2]
    summed = frames.new_zeros(n_clips, n_frames + n_pieces - 1, hop)
    for piece in range(n_pieces):
        summed[:, piece : piece + n_frames] += pieces[:, :, piece]
    return summed.flatten(1)[:, : (n_frames - 1) * hop + window]
