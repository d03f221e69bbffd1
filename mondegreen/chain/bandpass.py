"""A defence that leaves only the band of speech."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar, Final, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.chain.filtering import REACH, filtered, measured
from mondegreen.chain.link import Link

ORDER: Final = 4  # in each direction


class BandPass(Link):
    """A Butterworth band-pass of order 4, run forward and backward, so that it has no delay.

    Run twice, it is at -6 dB at its edges, and falls far from them by 48 dB per octave. Around the
    sound there is silence. The twin filters by the response that this was measured to have: its
    error is 120 dB below the sound, and 60 where the band is only 20 Hz wide.

    >>> BandPass(sample_rate=16_000, low=300, high=5000).spec
    'bandpass:300:5000'
    """

    name: ClassVar[str] = "bandpass"
    kind: ClassVar[Literal["channel", "defence"]] = "defence"
    source: ClassVar[str] = (
        "scipy.signal.sosfiltfilt; the default is the band of the telephone; 300 to 5000 Hz:"
        " Eisenhofer et al., Dompteur, USENIX Security 2021"
    )
    differentiable: ClassVar[bool] = True

    low: float = Field(default=300.0, ge=20, description="Lower edge, in Hz.")
    high: float = Field(default=3400.0, description="Upper edge, in Hz.")

    @model_validator(mode="after")
    def _has_a_band(self) -> Self:
        if not self.low < self.high < self.sample_rate / 2:
            raise ValueError(
                f"Got a band from {self.low:g} to {self.high:g} Hz at {self.sample_rate} Hz,"
                f" expected low < high < {self.sample_rate / 2:g}"
            )
        return self

    def real(self, sound: Tensor, draws: Draws) -> Tensor:
        """See `Link.real`."""
        del draws
        return self._passed(sound)

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        del draws
        return filtered(audio, lengths, self._taps)

    @cached_property
    def _taps(self) -> Tensor:
        return measured(self._passed)

    def _passed(self, sound: Tensor) -> Tensor:
        from scipy.signal import butter, sosfiltfilt  # takes a second to import

        sections = butter(
            ORDER, [self.low, self.high], "bandpass", output="sos", fs=self.sample_rate
        )
        around = np.pad(sound.double().numpy(), REACH)
        passed = sosfiltfilt(sections, around, padtype=None)[REACH : REACH + len(sound)]
        return torch.from_numpy(passed.astype(np.float32))
