"""ParakeetFeatureExtractor: pre-emphasis, log-mel, each mel band standardised over the clip."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mondegreen.victims.frontends.base import Frontend, centred, deviation, first, power

GUARD = 2.0**-24  # added to the mel power
EPSILON = 1e-5  # added to the standard deviation


class ParakeetMel(Frontend):
    """(log-mel − mean) / (std + 1e-5) over a clip's own frames: [B, frames, mels].

    Frames are centred on every `hop`-th sample, and a clip of n samples has n // hop of them, or
    (n − 1) // hop if `n_fft` is odd; others are zero. The standard deviation divides by frames − 1,
    so a clip needs two frames.

    At exact silence every band is constant, and the result is the rounding error of 0 / 1e-5. The
    operations are in the extractor's order, which gives the same error.
    """

    standardises = True
    window: Tensor
    filters: Tensor

    def __init__(self, extractor: Any) -> None:
        shortest = 2 * extractor.hop_length + extractor.n_fft % 2
        super().__init__(extractor.sampling_rate, shortest=shortest)
        self.n_fft = int(extractor.n_fft)
        self.hop = int(extractor.hop_length)
        self.preemphasis: float | None = extractor.preemphasis
        # in float32, like theirs: in a narrow band, other rounding would show
        window = torch.hann_window(extractor.win_length, periodic=False, dtype=torch.float32)
        self.register_buffer("window", window.to(torch.float64), persistent=False)
        filters = extractor.mel_filters.to(torch.float64)
        self.register_buffer("filters", filters, persistent=False)

    def counts(self, lengths: Tensor) -> Tensor:
        """See `Frontend.counts`."""
        return (lengths - self.n_fft % 2) // self.hop

    def extract(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """See `Frontend.extract`."""
        mel = self.filters.to(audio.dtype) @ self._power(self._emphasised(audio, lengths))
        log = torch.log(mel + GUARD).transpose(1, 2)
        counts = self.counts(lengths)
        log = centred(log, first(counts, log.shape[1])[..., None])
        return log / (deviation(log, counts[:, None, None] - 1) + EPSILON)

    def _emphasised(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """x(t) − a x(t−1) within each clip, which starts with x(0)."""
        if self.preemphasis is None:
            return audio
        rest = audio[:, 1:] - self.preemphasis * audio[:, :-1]
        audio = torch.cat([audio[:, :1], rest], dim=1)
        return torch.where(first(lengths, audio.shape[-1]), audio, 0)

    def _power(self, audio: Tensor) -> Tensor:
        """Power spectra around every `hop`-th sample, with zeros beyond both ends."""
        window = self.window.to(audio.dtype)
        spectrum = torch.stft(
            audio,
            self.n_fft,
            self.hop,
            win_length=len(window),
            window=window,
            pad_mode="constant",
            return_complex=True,
        )
        return power(spectrum)
