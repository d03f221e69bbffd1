"""WhisperFeatureExtractor: the log-mel spectrogram of a window of fixed length, 30 s by default.

What follows the clip in the window is heard, too, and engines differ in it: transformers has the
features of silence there, faster-whisper zeros.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from mondegreen.victims.frontends.base import Frontend, first, power

FLOOR = 1e-10  # of the mel power
RANGE = 8.0  # powers of ten below the clip's loudest cell, where features are cut off


class WhisperMel(Frontend):
    """log10 of the mel power, cut off 8 below its maximum, (x + 4) / 4: [B, mels, frames].

    Every clip is padded to the window; its count is of the frames whose centre is in the clip.
    """

    padding: ClassVar[bool | str] = "max_length"
    window: Tensor
    filters: Tensor

    def __init__(self, extractor: Any) -> None:
        super().__init__(extractor.sampling_rate, longest=extractor.n_samples)
        self.samples = int(extractor.n_samples)
        self.hop = int(extractor.hop_length)
        self.padding_value = float(extractor.padding_value)
        window = torch.hann_window(extractor.n_fft, dtype=torch.float64)
        self.register_buffer("window", window, persistent=False)
        filters = torch.as_tensor(extractor.mel_filters).to(torch.float64).T.contiguous()
        self.register_buffer("filters", filters, persistent=False)

    def counts(self, lengths: Tensor) -> Tensor:
        """See `Frontend.counts`."""
        return ((lengths + self.hop - 1) // self.hop).clamp(max=self.samples // self.hop)

    def extract(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """See `Frontend.extract`."""
        return self.beginning(audio, lengths, self.samples // self.hop)

    def whole(self, audio: Tensor) -> Tensor:
        """Features of a sound [T] of any length, as it is, [mels, T // hop]."""
        frames = len(audio) // self.hop
        return self._log_mel(_spectra(audio[None], self.window, self.hop, frames))[0]

    def beginning(self, audio: Tensor, lengths: Tensor, frames: int) -> Tensor:
        """The first `frames` of the features, [B, mels, frames]; arguments as `Frontend.extract`.

        They are those of the whole window if all frames that a clip reaches are among them.
        """
        frames = min(frames, self.samples // self.hop)
        return self._log_mel(self._power(audio, lengths, frames))

    def _log_mel(self, spectra: Tensor) -> Tensor:
        mel = self.filters.to(spectra.dtype) @ spectra
        log = mel.clamp(min=FLOOR).log10()
        log = torch.maximum(log, log.amax((1, 2), keepdim=True) - RANGE)
        return (log + 4) / 4

    def _power(self, audio: Tensor, lengths: Tensor, frames: int) -> Tensor:
        """Power spectra around every `hop`-th sample of the window, [B, bins, frames]."""
        samples = min(self.samples, frames * self.hop + len(self.window))
        audio = audio[:, :samples]
        audio = torch.nn.functional.pad(audio, (0, samples - audio.shape[-1]))
        audio = torch.where(first(lengths, samples), audio, self.padding_value)
        return _spectra(audio, self.window, self.hop, frames)


class MelThenZeros(WhisperMel):
    """As faster-whisper fills a window: after the clip come zeros, in place of features of silence.

    A last hop that the clip does not fill is among the zeros.
    """

    def counts(self, lengths: Tensor) -> Tensor:
        """See `Frontend.counts`."""
        return lengths // self.hop

    def beginning(self, audio: Tensor, lengths: Tensor, frames: int) -> Tensor:
        """See `WhisperMel.beginning`."""
        features = super().beginning(audio, lengths, frames)
        own = first(self.counts(lengths), features.shape[-1])
        return torch.where(own[:, None], features, 0)


def _spectra(audio: Tensor, window: Tensor, hop: int, frames: int) -> Tensor:
    """Power spectra around every `hop`-th sample of [B, T], [B, bins, frames]."""
    window = window.to(audio.dtype)
    spectrum = torch.stft(audio, len(window), hop, window=window, return_complex=True)
    return power(spectrum[..., :frames])
