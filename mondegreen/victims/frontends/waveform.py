"""Wav2Vec2FeatureExtractor: the samples themselves, standardised where the checkpoint asks for it.

Serves wav2vec2, HuBERT, WavLM, data2vec, SEW, UniSpeech and Moonshine. The extractor standardises
each clip over its own samples when it makes an attention mask, and over the padding too when it
does not; alone, a clip is heard the same either way, and that is what is reproduced here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mondegreen.victims.frontends.base import Frontend, centred, first

EPSILON = 1e-7  # added to the variance


class Waveform(Frontend):
    """x, or (x − mean) / √(variance + 1e-7): [B, T] and the count of samples.

    The padding holds the extractor's padding value.

    Args:
        extractor: a Wav2Vec2FeatureExtractor.
    """

    def __init__(self, extractor: Any) -> None:
        super().__init__(extractor.sampling_rate)
        self.standardise = bool(extractor.do_normalize)
        self.padding_value = float(extractor.padding_value)

    def counts(self, lengths: Tensor) -> Tensor:
        """See `Frontend.counts`."""
        return lengths

    def extract(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """See `Frontend.extract`."""
        inside = first(lengths, audio.shape[-1])
        if self.standardise:
            audio = centred(audio, inside)
            variance = audio.square().sum(1, keepdim=True) / lengths[:, None]
            audio = audio * torch.rsqrt(variance + EPSILON)
        return torch.where(inside, audio, self.padding_value)
