"""Wav2Vec2FeatureExtractor: the samples themselves, standardised if the checkpoint says so.

Used by wav2vec2, HuBERT, WavLM, data2vec, SEW, UniSpeech and Moonshine. The extractor standardises
each clip over its own samples if it makes an attention mask, and over the padding too if it does
not; for a clip alone both are the same, and that is reproduced here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mondegreen.victims.frontends.base import Frontend, centred, first

EPSILON = 1e-7  # added to the variance


class Waveform(Frontend):
    """x, or (x − mean) / √(variance + 1e-7): [B, T].

    The padding holds the extractor's padding value.
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
