"""A defence that keeps the mel spectrogram of a sound, and makes a sound of it again."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import ClassVar, Final, Literal

import torch
from pydantic import Field
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.chain.frames import Frames, one_by_one
from mondegreen.chain.link import Computed

WINDOW_SECONDS: Final = 0.064
MOMENTUM: Final = 0.99
SILENT: Final = 1e-8  # a magnitude below which there is no phase


class Mel(Computed):
    """Mel spectrogram and back.

    Magnitudes |X| of Hann windows of 64 ms, a quarter apart, are summed in `bands` triangles of the
    mel scale, M = F |X|; taken back by the pseudo-inverse, max(F⁺ M, 0); and given phases by fast
    Griffin-Lim (Perraudin, Balazs and Søndergaard 2013, momentum 0.99) of `rounds` rounds from a
    fixed random start. It is its own twin: the gradient goes through all of it.
    """

    name: ClassVar[str] = "mel"
    kind: ClassVar[Literal["channel", "defence"]] = "defence"
    source: ClassVar[str] = "mel inversion: Hussain et al. 2021 (WaveGuard)"

    bands: int = Field(default=80, ge=8, le=256, description="Bands of the mel scale.")
    rounds: int = Field(default=16, ge=1, le=256, description="Rounds of Griffin-Lim.")

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        del draws
        return one_by_one(self._inverted, audio, lengths)

    def _inverted(self, sounds: Tensor) -> Tensor:
        magnitude = self._kept.to(sounds) @ self._frames.spectrum(sounds).abs()
        return self._with_phase(magnitude.clamp(min=0), sounds.shape[-1])

    def _with_phase(self, magnitude: Tensor, samples: int) -> Tensor:
        """Sounds whose spectra have nearly these magnitudes [K, bins, frames]."""
        phase = _fixed_phase(magnitude)
        earlier = torch.zeros_like(phase)
        for _ in range(self.rounds):
            consistent = self._frames.spectrum(self._frames.sound(magnitude * phase, samples))
            moved = consistent - MOMENTUM / (1 + MOMENTUM) * earlier
            earlier = consistent
            phase = moved / moved.abs().clamp(min=SILENT)
        return self._frames.sound(magnitude * phase, samples)

    @property
    def _frames(self) -> Frames:
        return Frames.of_seconds(WINDOW_SECONDS, self.sample_rate)

    @cached_property
    def _kept(self) -> Tensor:
        """F⁺ F, [bins, bins] float64."""
        from transformers.audio_utils import mel_filter_bank

        rate, bins = self.sample_rate, self._frames.window // 2 + 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bands between two bins, which then stay empty
            filters = mel_filter_bank(
                bins, self.bands, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney"
            )
        f = torch.from_numpy(filters).T  # [bands, bins]
        kept: Tensor = torch.linalg.pinv(f) @ f
        return kept


def _fixed_phase(magnitude: Tensor) -> Tensor:
    """Numbers of magnitude 1 for the bins and frames of [K, bins, frames], random but the same."""
    source = torch.Generator().manual_seed(0)
    turns = torch.rand(magnitude.shape[1:], generator=source, dtype=torch.float64).to(magnitude)
    return torch.polar(torch.ones_like(turns), 2 * torch.pi * turns)
