"""Randomised smoothing: the recogniser hears a sound in several noises, and votes."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad

from mondegreen.air.transformations import Draws
from mondegreen.audio.batch import without_padding
from mondegreen.chain.link import Computed


class Smooth(Computed):
    """White Gaussian noise, drawn anew for each of several hearings, which then vote.

    The noise has the power that `snr` gives against the sound's own; its level has no gradient. The
    transcripts are voted on word by word: see `mondegreen.chain.vote`. A search takes the mean loss
    over as many draws.
    """

    name: ClassVar[str] = "smooth"
    kind: ClassVar[Literal["channel", "defence"]] = "defence"
    source: ClassVar[str] = (
        "randomised smoothing: Cohen, Rosenfeld and Kolter, ICML 2019; of speech recognisers:"
        " Żelasko et al. 2021, and with ROVER: Olivier and Raj 2021"
    )
    random: ClassVar[bool] = True

    snr: float = Field(
        default=20.0, ge=-20, le=80, description="The sound's mean power over the noise's, in dB."
    )
    votes: int = Field(default=5, ge=1, le=64, description="Hearings of a sound, which then vote.")

    @property
    def draws(self) -> int:
        """See `Link.draws`: as many as are heard."""
        return self.votes

    @property
    def hearings(self) -> int:
        """See `Link.hearings`."""
        return self.votes

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        own = without_padding(audio, lengths)
        counts = lengths.to(own.device, non_blocking=True)[:, None, None]
        power = own.detach().square().sum(-1, keepdim=True) / counts
        amplitude = (power * 10 ** (-self.snr / 10)).sqrt()
        rows = [
            pad(white, (0, audio.shape[-1] - white.shape[-1])) for white in draws.normal(lengths)
        ]
        return own + amplitude * torch.stack(rows).to(audio)
