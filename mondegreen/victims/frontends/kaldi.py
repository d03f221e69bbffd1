"""Kaldi's log mel filter bank energies, and Speech2TextFeatureExtractor, which standardises them.

Frames of 25 ms every 10 ms without dither, each without its mean and pre-emphasised, Povey's
window, spectra of the next power of two, triangles on Kaldi's mel scale from 20 Hz to half the
sample rate: what Kaldi's `compute-fbank-feats` makes by default, but for the dither. The reference
for the extractor is its numpy path, with frames of 400 samples every 160 at any sample rate.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from mondegreen.victims.frontends.base import Frontend, centred, deviation, first, power

EXTRACTORS: Final = (400, 160)  # samples of a frame and from one to the next
LOWEST: Final = 20  # Hz, where the first mel filter begins
PREEMPHASIS = 0.97
SCALE = 2.0**15  # Kaldi counts in steps of 16 bits
FLOOR = float(np.finfo(np.float32).eps)  # of the mel energy


class KaldiFbank(Frontend):
    """Log mel energies of whole frames: [B, frames, mels].

    The padding holds the padding value. A constant band that is standardised, at silence for one,
    is zero; the extractor divides by its deviation of zero.

    Args:
        sample_rate: in Hz.
        mels: how many bands.
        frame: samples of a frame, and from one to the next; None: 25 and 10 ms.
        zero_mean: each band has its mean over the clip taken away.
        standardises: each band is divided by its deviation over the clip.
        padding_value: of frames past a clip's own.
    """

    window: Tensor
    filters: Tensor

    def __init__(
        self,
        sample_rate: int,
        mels: int,
        frame: tuple[int, int] | None = None,
        *,
        zero_mean: bool = False,
        standardises: bool = False,
        padding_value: float = 0.0,
    ) -> None:
        self.size, self.hop = frame or (25 * sample_rate // 1000, sample_rate // 100)
        frames = 2 if standardises else 1  # a single frame has no deviation
        super().__init__(sample_rate, shortest=self.size + (frames - 1) * self.hop)
        self.zero_mean, self.standardises = zero_mean, standardises
        self.padding_value = padding_value
        window, filters = _constants(sample_rate, mels, self.size)
        self.register_buffer("window", torch.as_tensor(window), persistent=False)
        self.register_buffer("filters", torch.as_tensor(filters), persistent=False)

    @classmethod
    def of(cls, extractor: Any) -> KaldiFbank:
        """What a Speech2TextFeatureExtractor makes."""
        return cls(
            extractor.sampling_rate,
            extractor.num_mel_bins,
            EXTRACTORS,
            zero_mean=bool(extractor.do_ceptral_normalize and extractor.normalize_means),
            standardises=bool(extractor.do_ceptral_normalize and extractor.normalize_vars),
            padding_value=float(extractor.padding_value),
        )

    def counts(self, lengths: Tensor) -> Tensor:
        """See `Frontend.counts`."""
        return 1 + (lengths - self.size) // self.hop

    def extract(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """See `Frontend.extract`."""
        frames = self._conditioned(SCALE * audio.unfold(-1, self.size, self.hop))
        spectrum = torch.fft.rfft(frames, 2 * (len(self.filters) - 1))
        mel = power(spectrum) @ self.filters.to(audio.dtype)
        inside = first(self.counts(lengths), mel.shape[1])[..., None]
        log = self._standardised(mel.clamp(min=FLOOR).log(), inside)
        return torch.where(inside, log, self.padding_value)

    def _conditioned(self, frames: Tensor) -> Tensor:
        """Frames [B, F, size] without offset, each pre-emphasised, and windowed."""
        frames = frames - frames.mean(-1, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
        return (frames - PREEMPHASIS * before) * self.window.to(frames.dtype)

    def _standardised(self, log: Tensor, inside: Tensor) -> Tensor:
        # subtract the first frame first, so that a constant band is exactly zero
        centre = centred(log - log[:, :1].detach(), inside)
        values = centre if self.zero_mean else log
        if not self.standardises:
            return values
        spread = deviation(centre, inside.sum(1, keepdim=True))
        return values / torch.where(spread > 0, spread, 1)


def _constants(sample_rate: int, mels: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Window [size] and mel filters [bins, mels], of spectra of the next power of two."""
    from transformers.audio_utils import mel_filter_bank, window_function

    filters = mel_filter_bank(
        num_frequency_bins=(1 << (size - 1).bit_length()) // 2 + 1,
        num_mel_filters=mels,
        min_frequency=LOWEST,
        max_frequency=sample_rate / 2,
        sampling_rate=sample_rate,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    return window_function(size, "povey", periodic=False), filters
