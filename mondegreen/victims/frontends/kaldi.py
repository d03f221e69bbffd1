"""Speech2TextFeatureExtractor: Kaldi's filter bank energies, each band standardised over the clip.

The reference is the extractor's numpy path, with frames of 400 samples every 160 at any sample
rate; with torchaudio installed they are 25 ms every 10 ms, the same at 16 kHz.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mondegreen.victims.frontends.base import Frontend, centred, deviation, first, power

WINDOW, HOP, N_FFT = 400, 160, 512  # samples
LOWEST = 20  # Hz, where the first mel filter begins
PREEMPHASIS = 0.97
SCALE = 2.0**15  # Kaldi counts in steps of 16 bits
FLOOR = float(np.finfo(np.float32).eps)  # of the mel energy


class KaldiFbank(Frontend):
    """Log mel energies of whole frames, standardised over a clip's own: [B, frames, mels].

    The padding holds the extractor's padding value. In a constant band, at silence for one, the
    extractor divides by a deviation of zero; here such a band is zero.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, extractor: Any) -> None:
        self.zero_mean = bool(extractor.do_ceptral_normalize and extractor.normalize_means)
        self.standardises = bool(extractor.do_ceptral_normalize and extractor.normalize_vars)
        frames = 2 if self.standardises else 1  # a single frame has no deviation
        super().__init__(extractor.sampling_rate, shortest=WINDOW + (frames - 1) * HOP)
        self.padding_value = float(extractor.padding_value)
        window, filters = _constants(extractor)
        self.register_buffer("window", torch.as_tensor(window), persistent=False)
        self.register_buffer("filters", torch.as_tensor(filters), persistent=False)

    def counts(self, lengths: Tensor) -> Tensor:
        """See `Frontend.counts`."""
        return 1 + (lengths - WINDOW) // HOP

    def extract(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """See `Frontend.extract`."""
        frames = self._conditioned(SCALE * audio.unfold(-1, WINDOW, HOP))
        mel = power(torch.fft.rfft(frames, N_FFT)) @ self.filters.to(audio.dtype)
        inside = first(self.counts(lengths), mel.shape[1])[..., None]
        log = self._standardised(mel.clamp(min=FLOOR).log(), inside)
        return torch.where(inside, log, self.padding_value)

    def _conditioned(self, frames: Tensor) -> Tensor:
        """Frames [B, F, 400] without offset, each pre-emphasised, and windowed."""
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


def _constants(extractor: Any) -> tuple[np.ndarray, np.ndarray]:
    """Window [400] and mel filters [257, mels]; with torchaudio, the extractor has none."""
    from transformers.audio_utils import mel_filter_bank, window_function

    if hasattr(extractor, "mel_filters"):
        return extractor.window, extractor.mel_filters
    filters = mel_filter_bank(
        num_frequency_bins=N_FFT // 2 + 1,
        num_mel_filters=extractor.num_mel_bins,
        min_frequency=LOWEST,
        max_frequency=extractor.sampling_rate // 2,
        sampling_rate=extractor.sampling_rate,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    return window_function(WINDOW, "povey", periodic=False), filters
