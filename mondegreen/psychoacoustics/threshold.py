"""Steps 2 and 3: the thresholds of maskers, eqs. (7)-(10), and of a frame, eq. (11)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from mondegreen.audio.batch import without_padding
from mondegreen.errors import AudioError, OptionError
from mondegreen.psychoacoustics.maskers import Axis, packed, smoothed
from mondegreen.psychoacoustics.profiles import Profile, axis_of, profile_of
from mondegreen.psychoacoustics.spectrum import (
    LOUDEST,
    PAPER_RATE,
    bark,
    bin_frequencies,
    frame_size,
    frames_of,
    normalised,
    power_spectrum,
    real_frames,
)
from mondegreen.psychoacoustics.spreading import Spreading
from mondegreen.psychoacoustics.temporal import masked_in_time

SLOPES = (27.0, -27.0, 0.0)  # dB per Bark, eqs. (7) and (9): below; above, of up to 113 dB
FRAMES_AT_ONCE = 256  # bounds memory, and keeps it near the size of the processor's cache

# ---- step 2: individual thresholds ----------------------------------------------------------


def upper_slope(masker_db: Tensor) -> Tensor:
    """Slope G above a masker in dB per Bark, eq. (9), from its level in dB.

    >>> upper_slope(torch.tensor([30.0, 60.0])).double().round(decimals=2).tolist()
    [-27.0, -19.6]
    """
    return 0.37 * (masker_db - 40).clamp(min=0) - 27


def spread(masker_db: Tensor, delta_bark: Tensor) -> Tensor:
    """Spread function SF in dB, eq. (7), at ``delta_bark`` (eq. 8) from a masker.

    Shape: both broadcast. The lesser of the two lines is the right one on each side of the masker,
    because the upper slope never reaches 27 (the level would have to exceed 185 dB).

    >>> below_and_above = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    >>> spread(torch.tensor(60.0), below_and_above).round(decimals=2).tolist()
    [-27.0, -19.6]
    """
    return torch.minimum(27 * delta_bark, upper_slope(masker_db) * delta_bark)


def individual_threshold(masker_db: Tensor, masker_bark: Tensor, maskee_bark: Tensor) -> Tensor:
    """Threshold T in dB that one tonal masker sets at another Bark value, eq. (10).

    Shape: all broadcast. A masker of minus infinity dB sets no threshold.

    >>> masker, maskees = torch.tensor(8.0), torch.tensor([8.0, 9.0], dtype=torch.float64)
    >>> individual_threshold(torch.tensor(60.0), masker, maskees).round(decimals=2).tolist()
    [51.78, 32.18]
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

    >>> power = torch.full((1025,), 1e-20)
    >>> power[128] = 1e6  # one masker of 60 dB, at 1 kHz
    >>> theta, n_maskers = global_threshold(power, 16_000)
    >>> int(n_maskers), round(float(10 * theta[128].log10()), 2)
    (1, 51.63)
    """
    rules = profile_of(profile)
    _check_normalised(power)
    axis = axis_of(sample_rate, 2 * (power.shape[-1] - 1), rules, power.device, power.dtype)
    spreading = _spreading(sample_rate, 2 * (power.shape[-1] - 1), power.device, power.dtype)
    spectra = power.reshape(-1, power.shape[-1])
    parts = []
    for start in range(0, len(spectra), FRAMES_AT_ONCE):
        frames = spectra[start : start + FRAMES_AT_ONCE]
        parts.append(_threshold_of_frames(frames, rules.select(frames, axis), axis, spreading))
    theta, n_maskers = (torch.cat(part) for part in zip(*parts, strict=True))
    return theta.reshape(power.shape), n_maskers.reshape(power.shape[:-1])


def _threshold_of_frames(
    power: Tensor, maskers: Tensor, axis: Axis, spreading: Spreading
) -> tuple[Tensor, Tensor]:
    """Eq. (11) of ``[F, bins]``: the threshold in quiet, and what all maskers of a frame add."""
    bins, present = packed(maskers)
    level_db = 10 * smoothed(power).gather(-1, bins).log10()
    level_db = level_db.masked_fill(~present, -torch.inf)
    place = axis.bark[bins]
    at_masker = individual_threshold(level_db, place, place)
    masked = spreading(bins, at_masker, upper_slope(level_db))
    return masked[:, : power.shape[-1]] + axis.floor, present.sum(-1)


@lru_cache(maxsize=8)
def _spreading(
    sample_rate: int, window: int, device: torch.device, dtype: torch.dtype
) -> Spreading:
    return Spreading.over(bark(bin_frequencies(sample_rate, window)), SLOPES, device, dtype)


def maskers(power: Tensor, sample_rate: int, profile: str = "paper") -> Tensor:
    """Where the maskers are, by the three criteria of step 1.

    Shape: normalised power ``[..., bins]`` -> bool ``[..., bins]``.

    Raises ``OptionError`` for an unknown profile.

    >>> power = torch.full((1025,), 1e-20)
    >>> power[128] = 1e6
    >>> maskers(power, 16_000).nonzero().flatten().tolist()
    [128]
    """
    rules = profile_of(profile)
    frames = power.reshape(-1, power.shape[-1])
    axis = axis_of(sample_rate, 2 * (power.shape[-1] - 1), rules, power.device, power.dtype)
    return rules.select(frames, axis).reshape(power.shape)


# ---- of clips -------------------------------------------------------------------------------


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
        return frames_of(self.lengths, self.window, self.hop)

    @property
    def real(self) -> Tensor:
        """Which frames lie within their clip, bool ``[B, frames]``."""
        return real_frames(self.frames, self.theta.shape[1])

    @property
    def bins(self) -> float:
        """The bins up to 8 kHz, all that the paper has: what a sum over bins is divided by.

        At any rate, so that a change of a sound has the same loss whatever rate it is stored at.
        """
        return self.window * PAPER_RATE / 2 / self.sample_rate + 1

    @property
    def silence(self) -> tuple[int, int]:
        """Samples of silence before and after a clip that put all of it in equally many frames.

        Frames within a clip hardly see its first and last samples, since windows start and end with
        zeros, and not at all what follows the last frame.
        """
        return self.window - self.hop, self.window - 1

    @property
    def audible(self) -> Tensor:
        """Bins with a threshold in quiet, ``[bins]``; the others are inaudible."""
        device, dtype = self.theta.device, self.theta.dtype
        return axis_of(self.sample_rate, self.window, self.profile, device, dtype).audible

    def of(self, audio: Tensor, lengths: Tensor) -> MaskingThreshold:
        """The threshold of more of the same recordings, ``[B, T]``, with the same settings.

        Nothing masks in time but what is in there.
        """
        return masking_threshold(
            audio,
            lengths,
            self.sample_rate,
            self.profile.name,
            self.window,
            self.hop,
            loudest=self.psd_max / self.profile.gain,
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
    window: int | None = None,
    hop: int | None = None,
    loudest: Tensor | None = None,
) -> MaskingThreshold:
    """Masking threshold of every clip of a batch, each as if it were alone.

    Shape: audio ``[B, T]`` in [-1, 1], lengths ``[B]`` samples or None for full ones. The maximum
    in eq. (13) is over all frames of the clip, and over ``loudest`` ``[B]``: the most power of eq.
    (12) in any frame of the recording that a clip is a part of. Silent frames hold the threshold in
    quiet alone, unless the profile is ``temporal``; so does a silent clip, whose ``psd_max`` is 0.
    Without a window and a hop, in samples, they are those of ``frame_size``.

    Raises ``AudioError`` for another shape of audio or lengths, ``OptionError`` for an unknown
    profile or a window or hop that cannot be used.

    >>> tone = torch.sin(torch.arange(4096) * torch.pi / 8)[None]  # 1 kHz
    >>> threshold = masking_threshold(tone, None, 16_000)
    >>> list(threshold.theta.shape), round(float(10 * threshold.theta[0, 0, 128].log10()), 1)
    ([1, 5, 1025], 89.4)
    """
    rules = profile_of(profile)
    usual = frame_size(sample_rate)
    window, hop = (usual[0] if window is None else window), (usual[1] if hop is None else hop)
    _check_frame_options(sample_rate, window, hop)
    lengths = _checked_lengths(audio, lengths)
    power = rules.gain * power_spectrum(without_padding(audio, lengths), window, hop)
    real = real_frames(frames_of(lengths, window, hop), power.shape[1])
    power = power * real[..., None]
    psd_max = power.amax(dim=(1, 2))
    if loudest is not None:
        psd_max = torch.maximum(psd_max, rules.gain * loudest.to(psd_max))
    theta, n_maskers = global_threshold(normalised(power, psd_max), sample_rate, profile)
    if rules.temporal:
        quiet = axis_of(sample_rate, window, rules, theta.device, theta.dtype).floor
        later = masked_in_time(theta, quiet, window / sample_rate, hop / sample_rate)
        theta = torch.where(real[..., None], later, theta)
    return MaskingThreshold(theta, psd_max, n_maskers, lengths, rules, sample_rate, window, hop)


def _check_frame_options(sample_rate: int, window: int, hop: int) -> None:
    if sample_rate < 1:
        raise OptionError(f"the sample rate is {sample_rate} Hz; use a positive number")
    if window < 4 or window % 2:
        raise OptionError(f"the window has {window} samples; use an even number of at least 4")
    if hop < 1:
        raise OptionError(f"the hop is {hop} samples; use at least 1")


def _check_normalised(power: Tensor) -> None:
    # The slopes above maskers are prepared for levels that normalised spectra have.
    if bool((power > 1.001 * LOUDEST).any()):
        raise AudioError(
            f"the loudest bin has {10 * math.log10(power.max()):.1f} dB; pass power that is"
            " normalised, eq. (13), to at most 96 dB"
        )


def _checked_lengths(audio: Tensor, lengths: Tensor | None) -> Tensor:
    if audio.ndim != 2 or audio.dtype not in (torch.float32, torch.float64):
        raise AudioError(
            f"the audio is {audio.dtype} of shape {list(audio.shape)}; pass float32 or float64"
            " samples in [-1, 1] of shape [clips, samples]"
        )
    if lengths is None:
        lengths = torch.full(audio.shape[:1], audio.shape[1], device=audio.device)
    if lengths.shape != audio.shape[:1]:
        raise AudioError(
            f"{list(lengths.shape)} lengths came for {len(audio)} clips; pass one each"
        )
    if bool(((lengths < 1) | (lengths > audio.shape[1])).any()):
        raise AudioError(
            f"the lengths {lengths.tolist()} do not fit audio of {audio.shape[1]} samples; each"
            " must lie between 1 and that"
        )
    return lengths.to(audio.device)
