"""A defence by a library that removes noise: spectral gating."""

from __future__ import annotations

import importlib.util
import warnings
from math import ceil
from typing import ClassVar, Final, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.audio.batch import without_padding
from mondegreen.chain.frames import Frames, one_by_one
from mondegreen.chain.link import Link, straight_through
from mondegreen.errors import VictimError

WINDOW_SECONDS: Final = 0.064  # as the library's default has it, at 16 kHz
SMOOTHED_MS: Final = 50  # of time, over which the library smooths its gains by default; and no less
HOP: Final = 256  # than the samples from one of its frames to the next, at any rate
SILENT: Final = 1e-8


class Gate(Link):
    """Spectral gating: each bin is damped that is not above the noise there.

    `real` is noisereduce. A bin is taken for noise below a threshold of its frequency, 1.5 standard
    deviations above the mean level of the whole sound there in dB, since nobody says where there is
    nothing but noise. Of that, `percent` of the amplitude goes; all of it, the library's default,
    costs many words.

    The twin returns the same sound. Its gradient is that of the gate as it stands, a gain for each
    bin of each frame: the one that was measured between the spectra of the sounds before and after,
    at most 1. How the gains themselves change is left out.
    """

    name: ClassVar[str] = "gate"
    kind: ClassVar[Literal["channel", "defence"]] = "defence"
    source: ClassVar[str] = "noisereduce 3; Sainburg, Thielk and Gentner 2020"

    percent: float = Field(
        default=90.0, gt=0, le=100, description="Of the amplitude of what is taken for noise."
    )

    @model_validator(mode="after")
    def _is_installed(self) -> Self:
        if importlib.util.find_spec("noisereduce") is None:
            raise VictimError("gate needs noisereduce; run: pip install 'mondegreen[denoise]'")
        return self

    def real(self, sound: Tensor, draws: Draws) -> Tensor:
        """See `Link.real`."""
        del draws
        import noisereduce

        share = self.percent / 100
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of windows longer than a very short sound
            gated = noisereduce.reduce_noise(
                sound.numpy(),
                self.sample_rate,
                stationary=True,
                prop_decrease=share,
                time_mask_smooth_ms=max(SMOOTHED_MS, ceil(1000 * HOP / self.sample_rate)),
            )
        return torch.from_numpy(gated).float()

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        own = without_padding(audio, lengths)
        gated = self._each(own.detach(), lengths, draws)
        both = torch.cat([own, gated], 1)
        return straight_through(one_by_one(self._as_it_stands, both, lengths), gated)

    def _as_it_stands(self, sounds: Tensor) -> Tensor:
        before, after = self._frames.spectrum(sounds).chunk(2)
        gain = after.abs() / before.detach().abs().clamp(min=SILENT)
        return self._frames.sound(gain.clamp(max=1) * before, sounds.shape[-1])

    @property
    def _frames(self) -> Frames:
        return Frames.of_seconds(WINDOW_SECONDS, self.sample_rate)
