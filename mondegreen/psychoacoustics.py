"""Masking thresholds: how loud a perturbation may be before the clip stops hiding it.

Citation: Qin, Carlini, Cottrell, Goodfellow and Raffel, *Imperceptible, Robust, and Targeted
Adversarial Examples for Automatic Speech Recognition* (ICML 2019), supplement, sections 1 and 2.
Equation numbers below are the supplement's.

Conventions
    Audio is ``[B, T]`` float in [-1, 1]; ``lengths [B]`` counts the samples before the padding.
    Results live on the audio's device, in its dtype (float32 or float64).
    Frames are ``window`` samples every ``hop``, periodic Hann, not centred: a clip of n samples has
    1 + (n - window) // hop of them. A clip shorter than one window is zero-padded to one frame.
    Powers and thresholds are ``[B, frames, bins]``, bins = window // 2 + 1, linear. The loudest bin
    of a clip is set to 96 dB (eq. 13), so that thresholds do not depend on the audio's scale.
    Decibels appear only where a name or a docstring says so.
    ``psd_max`` is of audio in [-1, 1]; times 32768 ** 2 it is in 16-bit units.

Contents
    ``power_spectrum`` (12), ``normalised`` (13), ``bin_frequencies`` (4), ``bark`` (5),
    ``absolute_threshold_of_hearing`` (3), ``local_maxima`` (1), ``loudest_nearby`` (third
    criterion), ``smoothed`` (6), ``spread`` (7, 8), ``upper_slope`` (9), ``individual_threshold``
    (10), ``global_threshold`` (11), ``from_decibels`` (14); ``Profile`` and ``PROFILES``, the named
    readings of these; ``masking_threshold``, ``normalised_power``, ``masking_loss``, ``excess_db``,
    ``worst_excess_db``, ``rounding_power`` and ``guarded``, which the attacks use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mondegreen.audio import FULL_SCALE, without_padding
from mondegreen.errors import AudioError, OptionError
from mondegreen.spreading import Spreading

LOUDEST = 10**9.6  # power of a clip's loudest bin after eq. (13), which is 96 dB
NEARBY_BARK = 0.5  # reach of the third criterion for maskers, to each side
SLOPES = (27.0, -27.0, 0.0)  # dB per Bark, eqs. (7) and (9): below; above, of up to 113 dB
FRAMES_AT_ONCE = 256  # keeps the working set near the processor's cache, and bounds it

# ---- from audio to a normalised spectrum ----------------------------------------------------


def power_spectrum(audio: Tensor, window: int = 2048, hop: int = 512) -> Tensor:
    """Power |s(k)/N|² of every frame, eq. (12), without a window gain.

    Shape: audio ``[B, T]`` -> ``[B, frames, bins]``. Audio shorter than one window is zero-padded
    to it. Differentiable everywhere: the square is taken as re² + im², never through a root.
    """
    if audio.shape[-1] < window:
        audio = torch.nn.functional.pad(audio, (0, window - audio.shape[-1]))
    hann = torch.hann_window(window, dtype=audio.dtype, device=audio.device) / window
    return _squared_spectrum(audio.unfold(-1, window, hop) * hann)


class _SquaredSpectrum(torch.autograd.Function):
    """|rfft|² of frames, with a backward pass of one inverse real transform.

    Autograd's own goes through a full complex transform and several copies of the spectrum; in an
    attack, which comes here at every step, that made this loss half as dear again as a plain STFT.
    """

    @staticmethod
    def forward(ctx: Any, frames: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(frames)
        ctx.save_for_backward(spectrum)
        ctx.window = frames.shape[-1]
        power: Tensor = spectrum.real.square() + spectrum.imag.square()
        return power

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (spectrum,) = ctx.saved_tensors
        # d|s|² = 2 Re(s* ds); the inverse transform counts all bins twice but 0 Hz and Nyquist.
        weighted = spectrum * grad
        weighted[..., 0] *= 2  # one by one: a list of places would be copied to the device
        if ctx.window % 2 == 0:
            weighted[..., -1] *= 2
        gradient: Tensor = torch.fft.irfft(weighted, ctx.window, norm="forward")
        return gradient


def _squared_spectrum(frames: Tensor) -> Tensor:
    power: Tensor = _SquaredSpectrum.apply(frames)  # type: ignore[no-untyped-call]
    return power


def normalised(power: Tensor, psd_max: Tensor) -> Tensor:
    """Power relative to a clip's loudest bin, which becomes 96 dB, eq. (13).

    Shape: power ``[B, frames, bins]``, psd_max ``[B]`` -> ``[B, frames, bins]``. A clip without any
    sound has no loudest bin; full scale (power 1) stands in for it.
    """
    return power / _reference(psd_max)[:, None, None] * LOUDEST


def _reference(psd_max: Tensor) -> Tensor:
    return torch.where(psd_max > 0, psd_max, torch.ones_like(psd_max))


def from_decibels(level: Tensor) -> Tensor:
    """Power of a level in dB, eq. (14). Shape: any. Minus infinity gives 0."""
    return torch.exp(level * (math.log(10) / 10))


# ---- the frequency axis ---------------------------------------------------------------------


def bin_frequencies(sample_rate: int, window: int) -> Tensor:
    """Frequency of each bin in Hz, eq. (4). Shape: ``[bins]``, float64, in main memory.

    Not every device knows float64; what follows from these is cast and moved once.
    """
    bins = torch.arange(window // 2 + 1, dtype=torch.float64, device="cpu")
    return bins * sample_rate / window


def bark(hz: Tensor) -> Tensor:
    """Bark value of frequencies in Hz, eq. (5), with the square inside the second arctangent.

    >>> round(float(bark(torch.tensor(1000.0))), 4)
    8.5105
    """
    return 13 * torch.atan(0.76e-3 * hz) + 3.5 * torch.atan((hz / 7500).square())


def absolute_threshold_of_hearing(hz: Tensor) -> Tensor:
    """Threshold in quiet in dB of frequencies in Hz, eq. (3).

    The formula alone: it is meant for 20 Hz to 20 kHz, and it is infinite at 0 Hz.
    """
    khz = hz / 1000
    hearing = -6.5 * torch.exp(-0.6 * (khz - 3.3).square())
    return 3.64 * khz.pow(-0.8) + hearing + 1e-3 * khz.pow(4)


# For each power of two: the bins whose windows have so many bins or up to twice as many, and where
# the two runs begin that cover each of these windows.
Windows: TypeAlias = tuple[tuple[Tensor, Tensor, Tensor], ...]


@dataclass(frozen=True)
class _Axis:
    """What selection and thresholds need to know of each bin. Tensors are ``[bins]``."""

    bark: Tensor
    quiet: Tensor  # eq. (3) as power, with the profile's offset, at every frequency
    heard: Tensor  # bool: where the threshold in quiet counts
    nearby: Windows
    spreading: Spreading


# ---- step 1: maskers ------------------------------------------------------------------------


def local_maxima(power: Tensor, *, strict: bool = False) -> Tensor:
    """Bins at least as loud as both neighbours, eq. (1); louder than both if ``strict``.

    Shape: ``[..., bins]`` -> bool ``[..., bins]``. The first and the last bin, which have but one
    neighbour, are never maxima. Equal neighbours are both maxima, unless ``strict``.
    """
    beats = torch.gt if strict else torch.ge
    inner = power[..., 1:-1]
    found = beats(inner, power[..., :-2]) & beats(inner, power[..., 2:])
    return torch.nn.functional.pad(found, (1, 1), value=False)


def loudest_nearby(power: Tensor, barks: Tensor) -> Tensor:
    """Bins that no bin less than 0.5 Bark away exceeds, the third criterion for maskers.

    Shape: power ``[..., bins]``, barks ``[bins]`` ascending -> bool ``[..., bins]``.
    """
    return power >= _window_maximum(power, _nearby(barks))


def _nearby(barks: Tensor) -> Windows:
    """The bins less than 0.5 Bark from each bin, as `_window_maximum` takes them."""
    first = torch.searchsorted(barks, barks - NEARBY_BARK, right=True)
    last = torch.searchsorted(barks, barks + NEARBY_BARK) - 1
    width, length, windows = last - first + 1, 1, []
    while bool((width >= length).any()):
        here = torch.nonzero((width >= length) & (width < 2 * length)).squeeze(-1)
        windows.append((here, first[here], last[here] - length + 1))
        length *= 2
    return tuple(windows)


def _window_maximum(power: Tensor, windows: Windows) -> Tensor:
    """Maximum over a window of bins around every bin, with O(bins log bins) comparisons.

    Two runs of the same power-of-two length cover each window; runs double from turn to turn.
    """
    runs, length = power.movedim(-1, 0).contiguous(), 1  # a bin of all frames is copied as one
    maximum = torch.empty_like(runs)
    for here, left, right in windows:
        maximum[here] = torch.maximum(runs[left], runs[right])
        runs = torch.maximum(runs[:-length], runs[length:])
        length *= 2
    return maximum.movedim(0, -1)


def smoothed(power: Tensor) -> Tensor:
    """Power of each bin together with its two neighbours, eq. (6). Shape: ``[..., bins]``."""
    both = torch.nn.functional.pad(power, (1, 1))
    return both[..., :-2] + power + both[..., 2:]


def _select_paper(power: Tensor, axis: _Axis) -> Tensor:
    """Maskers by the three criteria of step 1, each tested on the bin's own power."""
    audible = axis.heard & (power >= axis.quiet)
    nearby = power >= _window_maximum(power, axis.nearby)
    return local_maxima(power) & audible & nearby


def _select_authors(power: Tensor, axis: _Axis) -> Tensor:
    """Maskers as the authors' released code keeps them: pairs from left to right.

    A masker and the next one, when closer than 0.5 Bark, are compared on their smoothed level and
    the weaker goes (the right one of equals). Only there does the threshold in quiet count: a left
    one below it goes first, and then the next pair is compared whatever its distance.
    """
    candidates = local_maxima(power, strict=True)
    bins, present = _packed(candidates)
    count = present.sum(-1)
    level = smoothed(power).gather(-1, bins)
    barks, quiet = axis.bark[bins], axis.quiet[bins]
    left, right = torch.zeros_like(count), torch.ones_like(count)
    kept = present.clone()

    def at(values: Tensor, rank: Tensor) -> Tensor:
        # A rank past the end is clamped: what it reads is masked by the caller.
        return values.gather(-1, rank.clamp(max=values.shape[-1] - 1)[:, None]).squeeze(-1)

    def drop(rank: Tensor, where: Tensor) -> None:
        frame = where.nonzero().squeeze(-1)
        kept[frame, rank[frame]] = False

    while bool((pending := right < count).any()):  # `right` moves on by one or two each turn
        close = pending & (at(barks, right) - at(barks, left) < NEARBY_BARK)
        faint = close & (at(quiet, left) > at(level, left))
        drop(left, faint)
        left, right = torch.where(faint, right, left), right + faint
        compared = close & (right < count)
        outdone = compared & (at(level, left) < at(level, right))
        drop(left, outdone)
        drop(right, compared & ~outdone)
        apart = pending & ~close
        left, right = torch.where(outdone | apart, right, left), right + (compared | apart)
    return _unpacked(bins, kept, power.shape[-1])


def _packed(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The chosen bins of each frame, moved to the front.

    Shape: bool ``[F, bins]`` -> bins ``[F, M]`` and bool ``[F, M]`` telling which are real, where M
    is the largest count of any frame.
    """
    frame, index = chosen.nonzero(as_tuple=True)
    count = chosen.sum(-1)
    rank = torch.arange(len(frame), device=chosen.device) - (count.cumsum(0) - count)[frame]
    ranks = torch.arange(int(count.max()), device=chosen.device)
    bins = torch.zeros(len(chosen), len(ranks), dtype=index.dtype, device=chosen.device)
    bins[frame, rank] = index
    return bins, ranks < count[:, None]


def _unpacked(bins: Tensor, kept: Tensor, n_bins: int) -> Tensor:
    """The reverse of ``_packed``: bins ``[F, M]`` -> bool ``[F, n_bins]``."""
    chosen = torch.zeros(len(bins), n_bins, dtype=torch.bool, device=bins.device)
    frame, rank = kept.nonzero(as_tuple=True)
    chosen[frame, bins[frame, rank]] = True
    return chosen


# ---- named readings of the supplement -------------------------------------------------------


def _human_range(hz: Tensor) -> Tensor:
    return (hz >= 20) & (hz <= 20_000)


def _above_one_bark(hz: Tensor) -> Tensor:
    return (bark(hz) > 1) & (hz <= 20_000)


@dataclass(frozen=True)
class Profile:
    """One reading of the supplement where it is open, or departs from the released code."""

    name: str
    ath_offset_db: float  # added to eq. (3)
    hears: Callable[[Tensor], Tensor]  # Hz -> bool: where eq. (11) has a threshold in quiet
    select: Callable[[Tensor, _Axis], Tensor]  # normalised power -> bool, the maskers
    gain: float  # on the clip's power, eq. (12)
    delta_gain: float  # on the perturbation's power, eq. (12)


_PAPER = Profile(
    name="paper",
    ath_offset_db=0,
    hears=_human_range,
    select=_select_paper,
    gain=1,
    delta_gain=1,
)
_AUTHORS = Profile(
    name="authors",
    ath_offset_db=-12,
    hears=_above_one_bark,
    select=_select_authors,
    gain=8 / 3,  # 1 / mean(Hann²), once
    delta_gain=64 / 9,  # and squared again: the perturbation appears 4.26 dB too loud
)

#: ``paper`` is the supplement: maxima may be equal to a neighbour; each must reach the threshold in
#: quiet and be the highest of all bins less than 0.5 Bark away; smoothing (6) comes last; quiet
#: counts from 20 Hz to 20 kHz. ``authors`` follows the code released with the paper, for comparison
#: with earlier results: strict maxima, smoothing first, weaker ones of close pairs removed from
#: left to right, quiet 12 dB lower and only above 1 Bark, and window gains that differ.
PROFILES: Mapping[str, Profile] = MappingProxyType({p.name: p for p in (_PAPER, _AUTHORS)})


# ---- step 2: individual thresholds ----------------------------------------------------------


def upper_slope(masker_db: Tensor) -> Tensor:
    """Slope G above a masker in dB per Bark, eq. (9), from its level in dB."""
    return 0.37 * (masker_db - 40).clamp(min=0) - 27


def spread(masker_db: Tensor, delta_bark: Tensor) -> Tensor:
    """Spread function SF in dB, eq. (7), at ``delta_bark`` (eq. 8) from a masker.

    Shape: both broadcast. The lesser of the two lines is the right one on each side of the masker,
    because the upper slope never reaches 27 (the level would have to exceed 185 dB).
    """
    return torch.minimum(27 * delta_bark, upper_slope(masker_db) * delta_bark)


def individual_threshold(masker_db: Tensor, masker_bark: Tensor, maskee_bark: Tensor) -> Tensor:
    """Threshold T in dB that one tonal masker sets at another Bark value, eq. (10).

    Shape: all broadcast. A masker of minus infinity dB sets no threshold.
    """
    offset = -6.025 - 0.275 * masker_bark
    return (masker_db + offset) + spread(masker_db, maskee_bark - masker_bark)


# ---- step 3: the global threshold -----------------------------------------------------------


def global_threshold(
    power: Tensor, sample_rate: int, profile: str = "paper"
) -> tuple[Tensor, Tensor]:
    """Masking threshold of normalised spectra, eqs. (1)-(11) and (14), and the number of maskers.

    Shape: power ``[..., bins]``, bins = window // 2 + 1 of an even window -> ``[..., bins]`` power
    on the same scale, and integers ``[...]``. Bins that have no threshold in quiet (below 20 Hz and
    above 20 kHz in ``paper``) hold the maskers' share alone, which may be 0.

    Raises ``OptionError`` for an unknown profile, ``AudioError`` for power that is not normalised.
    """
    rules = _profile(profile)
    _check_normalised(power)
    axis = _axis(sample_rate, 2 * (power.shape[-1] - 1), rules, power.device, power.dtype)
    spectra = power.reshape(-1, power.shape[-1])
    parts = []
    for start in range(0, len(spectra), FRAMES_AT_ONCE):
        frames = spectra[start : start + FRAMES_AT_ONCE]
        parts.append(_threshold_of_frames(frames, rules.select(frames, axis), axis))
    theta, n_maskers = (torch.cat(part) for part in zip(*parts, strict=True))
    return theta.reshape(power.shape), n_maskers.reshape(power.shape[:-1])


def maskers(power: Tensor, sample_rate: int, profile: str = "paper") -> Tensor:
    """Where the maskers are, by the three criteria of step 1.

    Shape: normalised power ``[..., bins]`` -> bool ``[..., bins]``.

    Raises ``OptionError`` for an unknown profile.
    """
    rules = _profile(profile)
    frames = power.reshape(-1, power.shape[-1])
    axis = _axis(sample_rate, 2 * (power.shape[-1] - 1), rules, power.device, power.dtype)
    return rules.select(frames, axis).reshape(power.shape)


@lru_cache(maxsize=8)
def _axis(
    sample_rate: int, window: int, profile: Profile, device: torch.device, dtype: torch.dtype
) -> _Axis:
    hz = bin_frequencies(sample_rate, window)
    quiet = from_decibels(absolute_threshold_of_hearing(hz) + profile.ath_offset_db)
    return _Axis(
        bark(hz).to(device, dtype),
        quiet.to(device, dtype),
        profile.hears(hz).to(device),
        _nearby(bark(hz).to(device, dtype)),
        Spreading.over(bark(hz), SLOPES, device, dtype),
    )


def _threshold_of_frames(power: Tensor, maskers: Tensor, axis: _Axis) -> tuple[Tensor, Tensor]:
    """Eq. (11) of ``[F, bins]``: the threshold in quiet, and what all maskers of a frame add."""
    bins, present = _packed(maskers)
    level_db = 10 * smoothed(power).gather(-1, bins).log10()
    level_db = level_db.masked_fill(~present, -torch.inf)
    place = axis.bark[bins]
    at_masker = individual_threshold(level_db, place, place)
    masked = axis.spreading(bins, at_masker, upper_slope(level_db))
    quiet = torch.where(axis.heard, axis.quiet, 0)
    return masked[:, : power.shape[-1]] + quiet, present.sum(-1)


# ---- what the attacks use -------------------------------------------------------------------


@dataclass(frozen=True)
class MaskingThreshold:
    """Masking thresholds of a batch of clips, and how they were made."""

    theta: Tensor  # [B, frames, bins] power, normalised as eq. (13); of quiet alone in padding
    psd_max: Tensor  # [B] loudest power of each clip, eq. (12), of audio in [-1, 1]
    n_maskers: Tensor  # [B, frames] integers, 0 in padding
    lengths: Tensor  # [B] samples of each clip
    profile: Profile
    sample_rate: int  # Hz
    window: int  # samples
    hop: int  # samples

    @property
    def frames(self) -> Tensor:
        """Real frames of each clip, ``[B]``; what comes after is padding."""
        return _frames(self.lengths, self.window, self.hop)

    @property
    def real(self) -> Tensor:
        """Which frames lie within their clip, bool ``[B, frames]``."""
        return _real_frames(self.frames, self.theta.shape[1])

    @property
    def silence(self) -> tuple[int, int]:
        """Samples of silence before and after a clip with which all of it is in as many frames.

        Frames that lie within a clip see its first and last samples hardly, for their windows begin
        and end with zeros, and what comes after the last of them not at all.
        """
        return self.window - self.hop, self.window - 1

    @property
    def audible(self) -> Tensor:
        """Bins that have a threshold in quiet, ``[bins]``; what is elsewhere nobody hears."""
        device, dtype = self.theta.device, self.theta.dtype
        return _axis(self.sample_rate, self.window, self.profile, device, dtype).heard

    def of(self, audio: Tensor, lengths: Tensor) -> MaskingThreshold:
        """The threshold of other audio ``[B, T]``, made in the same way."""
        return masking_threshold(
            audio, lengths, self.sample_rate, self.profile.name, self.window, self.hop
        )

    def select(self, index: Tensor) -> MaskingThreshold:
        """The clips at ``index`` (integers or bool ``[B]``), cut to the longest of them."""
        longest = max(self.frames[index].tolist(), default=0)
        return replace(
            self,
            theta=self.theta[index, :longest],
            psd_max=self.psd_max[index],
            n_maskers=self.n_maskers[index, :longest],
            lengths=self.lengths[index],
        )


@torch.no_grad()
def masking_threshold(
    audio: Tensor,
    lengths: Tensor | None,
    sample_rate: int,
    profile: str = "paper",
    window: int = 2048,
    hop: int = 512,
) -> MaskingThreshold:
    """Masking threshold of every clip of a batch, each as if it were alone.

    Shape: audio ``[B, T]`` in [-1, 1], lengths ``[B]`` samples or None for full ones. The maximum
    in eq. (13) is over all frames of the clip. Silent frames hold the threshold in quiet alone; so
    does a silent clip, whose ``psd_max`` is 0.

    Raises ``AudioError`` for another shape of audio or lengths, ``OptionError`` for an unknown
    profile or a window or hop that cannot be used.
    """
    rules = _profile(profile)
    _check_frame_options(sample_rate, window, hop)
    lengths = _checked_lengths(audio, lengths)
    power = rules.gain * power_spectrum(without_padding(audio, lengths), window, hop)
    real = _real_frames(_frames(lengths, window, hop), power.shape[1])
    power = power * real[..., None]
    psd_max = power.amax(dim=(1, 2))
    theta, n_maskers = global_threshold(normalised(power, psd_max), sample_rate, profile)
    return MaskingThreshold(theta, psd_max, n_maskers, lengths, rules, sample_rate, window, hop)


def normalised_power(delta: Tensor, threshold: MaskingThreshold) -> Tensor:
    """Power of a perturbation relative to the loudest bin of its clip, eq. (13).

    Shape: delta ``[B, T]`` in [-1, 1] -> ``[B, frames, bins]``, the frames of the threshold. T may
    exceed what they need; samples past a clip's length count as 0. Differentiable in delta.
    On a silent clip, full scale (power 1) is at 96 dB in place of the clip's maximum.

    Raises ``AudioError`` if delta is not of these clips: another batch size, or too short.
    """
    _check_delta(delta, threshold)
    frames = threshold.theta.shape[1]
    delta = delta[:, : (frames - 1) * threshold.hop + threshold.window]
    # Scaling samples instead of spectra is the same and touches an eighth of the numbers.
    gain = threshold.profile.delta_gain * LOUDEST
    scale = math.sqrt(gain) * _reference(threshold.psd_max).rsqrt()
    scaled = without_padding(delta * scale[:, None], threshold.lengths)
    return power_spectrum(scaled, threshold.window, threshold.hop)


def masking_loss(delta: Tensor, threshold: MaskingThreshold) -> Tensor:
    """How far a perturbation stands out: the paper's loss of imperceptibility, linear power.

    Shape: delta ``[B, T]`` -> ``[B]``: the mean of max(power - theta, 0) over all bins of its own
    frames, never over padding. Exactly 0, with gradient 0, for what stays under theta. On a
    silent clip the loss is finite, but means only what ``normalised_power`` says of it.

    Raises ``AudioError`` as ``normalised_power`` does.
    """
    excess = (normalised_power(delta, threshold) - threshold.theta).relu().mean(-1)
    return (excess * threshold.real).sum(-1) / threshold.frames


def excess_db(delta: Tensor, threshold: MaskingThreshold) -> Tensor:
    """How far a perturbation is above the threshold, 10 log10(power / θ), in the audible bins.

    Shape: delta ``[B, T]`` -> ``[B, frames, audible bins]`` dB; -inf in padding and where it is 0.

    Raises ``AudioError`` as ``normalised_power`` does.
    """
    audible = threshold.audible
    ratio = normalised_power(delta, threshold)[..., audible] / threshold.theta[..., audible]
    return 10 * torch.log10(ratio.masked_fill(~threshold.real[..., None], 0))


def worst_excess_db(delta: Tensor, threshold: MaskingThreshold) -> Tensor:
    """The largest `excess_db` of each clip, without waiting for the device.

    Shape: delta ``[B, T]`` -> ``[B]`` dB; -inf where it is 0.

    Raises ``AudioError`` as ``normalised_power`` does.
    """
    counted = threshold.audible & threshold.real[..., None]
    ratio = (normalised_power(delta, threshold) / threshold.theta).masked_fill(~counted, 0)
    return 10 * torch.log10(ratio.amax((1, 2)))


def rounding_power(threshold: MaskingThreshold) -> Tensor:
    """Power that rounding to 16 bits is expected to add to each bin, normalised as eq. (13).

    An error evenly spread over one step has a variance of a twelfth of its square; a periodic Hann
    window keeps 3/8 of that.

    Shape: ``[B]``.
    """
    variance = 1 / (12 * FULL_SCALE**2)
    gain = threshold.profile.delta_gain * LOUDEST * 3 / 8 / threshold.window
    return gain * variance / _reference(threshold.psd_max)


def guarded(threshold: MaskingThreshold, audio: Tensor, share: float) -> MaskingThreshold:
    """The threshold, and nowhere more than a share of the clip's own power nearby.

    A loud low sound masks far upward (eq. 9), where the clip itself may be all but silent. What is
    put there is under θ, and is still what makes a perturbation sound like noise.

    Shape: audio ``[B, T]`` of the same clips -> theta = min(theta, share · p̄), where p̄ is the mean
    of the clip's normalised power over the bins less than 0.5 Bark away.

    Raises ``AudioError`` as ``normalised_power`` does.
    """
    power = normalised_power(audio, threshold)
    barks = bark(bin_frequencies(threshold.sample_rate, threshold.window))
    near = ((barks[:, None] - barks).abs() < NEARBY_BARK).to(power)
    nearby = power @ (near / near.sum(0))
    return replace(threshold, theta=torch.minimum(threshold.theta, share * nearby))


def _frames(lengths: Tensor, window: int, hop: int) -> Tensor:
    return 1 + (lengths - window).clamp(min=0) // hop


def _real_frames(frames: Tensor, n_frames: int) -> Tensor:
    """Bool ``[B, n_frames]``: which frames lie within the clip."""
    return torch.arange(n_frames, device=frames.device) < frames[:, None]


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        raise OptionError(f"threshold profile {name!r} is unknown; use one of {sorted(PROFILES)}")
    return PROFILES[name]


def _check_frame_options(sample_rate: int, window: int, hop: int) -> None:
    if sample_rate < 1:
        raise OptionError(f"the sample rate is {sample_rate} Hz; give a positive number")
    if window < 4 or window % 2:
        raise OptionError(f"the window has {window} samples; give an even number of at least 4")
    if hop < 1:
        raise OptionError(f"the hop is {hop} samples; give at least 1")


def _check_normalised(power: Tensor) -> None:
    # The slopes above maskers are prepared for levels that normalised spectra have.
    if bool((power > 1.001 * LOUDEST).any()):
        raise AudioError(
            f"the loudest bin has {10 * math.log10(power.max()):.1f} dB; give power that is"
            " normalised, eq. (13), so that it has 96 dB at most"
        )


def _checked_lengths(audio: Tensor, lengths: Tensor | None) -> Tensor:
    if audio.ndim != 2 or audio.dtype not in (torch.float32, torch.float64):
        raise AudioError(
            f"the audio is {audio.dtype} of shape {list(audio.shape)}; give float32 or float64"
            " samples in [-1, 1] of shape [clips, samples]"
        )
    if lengths is None:
        lengths = torch.full(audio.shape[:1], audio.shape[1], device=audio.device)
    if lengths.shape != audio.shape[:1]:
        raise AudioError(
            f"{list(lengths.shape)} lengths came for {len(audio)} clips; give one each"
        )
    if bool(((lengths < 1) | (lengths > audio.shape[1])).any()):
        raise AudioError(
            f"the lengths {lengths.tolist()} do not fit audio of {audio.shape[1]} samples; each"
            " must lie between 1 and that"
        )
    return lengths.to(audio.device)


def _check_delta(delta: Tensor, threshold: MaskingThreshold) -> None:
    clips, frames, _ = threshold.theta.shape
    given = 1 + max(delta.shape[-1] - threshold.window, 0) // threshold.hop
    if delta.ndim != 2 or len(delta) != clips or given < frames:
        raise AudioError(
            f"the perturbation has shape {list(delta.shape)}; its threshold is of {clips} clips and"
            f" {frames} frames: give [{clips}, samples] with as many samples as the longest clip"
        )
