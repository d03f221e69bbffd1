"""Channels that only change numbers: rates, bits, levels, noise, clipping."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from mondegreen.air.transformations import ClockDrift, Draws
from mondegreen.air.transformations import Gain as Level
from mondegreen.air.transformations import Noise as PinkNoise
from mondegreen.audio.batch import without_padding
from mondegreen.chain.filtering import filtered, measured
from mondegreen.chain.link import Computed, Link, straight_through
from mondegreen.chain.rates import at_rate


class Resample(Link):
    """Down to another rate and up again, as by a recorder of that rate.

    `real` is soxr, twice. The twin filters by the response that this was measured to have; what is
    left is aliasing and rounding, 120 dB below speech (100 dB where one rate is only just above the
    other).

    >>> Resample(sample_rate=16_000, hz=8000).spec
    'resample:8000'
    """

    name: ClassVar[str] = "resample"
    kind: ClassVar[Literal["channel", "defence"]] = "channel"
    source: ClassVar[str] = "soxr, high quality; as a defence: Hussain et al. 2021 (WaveGuard)"

    differentiable: ClassVar[bool] = True

    hz: int = Field(default=8000, ge=1000, le=192_000, description="The rate between, in Hz.")

    def real(self, sound: Tensor, draws: Draws) -> Tensor:
        """See `Link.real`."""
        del draws
        return self._there_and_back(sound)

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        del draws
        return filtered(audio, lengths, self._taps)

    @cached_property
    def _taps(self) -> Tensor:
        return measured(self._there_and_back)

    def _there_and_back(self, sound: Tensor) -> Tensor:
        return at_rate(sound, self.sample_rate, self.hz)


class Pcm(Computed):
    """A converter of few bits: linear, rounding to the nearest step, clipping at full scale.

    Its gradient is the identity's.

    >>> sound, draws = torch.tensor([0.3, 1.0]), Draws.of((0,), 1, 1)
    >>> (128 * Pcm(sample_rate=16_000, bits=8).real(sound, draws)).tolist()
    [38.0, 127.0]
    """

    name: ClassVar[str] = "pcm"
    kind: ClassVar[Literal["channel", "defence"]] = "channel"
    source: ClassVar[str] = "linear PCM; as a defence: Hussain et al. 2021 (WaveGuard)"

    differentiable: ClassVar[bool] = False

    bits: int = Field(default=8, ge=2, le=16, description="Bits of a sample.")

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        del draws
        own, steps = without_padding(audio, lengths), 2 ** (self.bits - 1)
        rounded = (own.detach() * steps).round().clamp(-steps, steps - 1) / steps
        return straight_through(own, rounded)


class Gain(Computed):
    """Louder or quieter, clipped to the 16-bit range.

    >>> Gain(sample_rate=16_000, db=6.0).spec
    'gain:6'
    """

    name: ClassVar[str] = "gain"
    kind: ClassVar[Literal["channel", "defence"]] = "channel"
    source: ClassVar[str] = "an amplifier"

    db: float = Field(default=-12.0, ge=-60, le=60, description="By how much, in dB.")

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        one = Draws(tuple(row[:1] for row in draws.generators))
        return Level((self.db, self.db))(audio, lengths, one)


class Noise(Computed):
    """Pink noise, drawn anew each time."""

    name: ClassVar[str] = "noise"
    kind: ClassVar[Literal["channel", "defence"]] = "channel"
    source: ClassVar[str] = "1/f noise; see mondegreen.air.transformations.Noise"
    random: ClassVar[bool] = True

    snr: float = Field(
        default=20.0, ge=-20, le=80, description="The sound's mean power over the noise's, in dB."
    )

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        return PinkNoise((self.snr, self.snr))(audio, lengths, draws)


class Clip(Computed):
    """An overdriven input: what is louder than some dB below the sound's own peak is cut off.

    >>> sound, draws = torch.tensor([0.1, -0.8]), Draws.of((0,), 1, 1)
    >>> Clip(sample_rate=16_000, db=6.0206).real(sound, draws)
    tensor([ 0.1000, -0.4000])
    """

    name: ClassVar[str] = "clip"
    kind: ClassVar[Literal["channel", "defence"]] = "channel"
    source: ClassVar[str] = "hard clipping"

    db: float = Field(default=6.0, ge=0, le=60, description="Below the sound's peak.")

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        del draws
        own = without_padding(audio, lengths)
        most = own.detach().abs().amax(-1, keepdim=True) * 10 ** (-self.db / 20)
        return torch.minimum(torch.maximum(own, -most), most)


class Drift(Computed):
    """A recorder whose clock runs faster or slower."""

    name: ClassVar[str] = "drift"
    kind: ClassVar[Literal["channel", "defence"]] = "channel"
    source: ClassVar[str] = "cubic interpolation; see mondegreen.air.transformations.ClockDrift"

    ppm: float = Field(default=100.0, ge=-1000, le=1000, description="Parts per million.")

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        one = Draws(tuple(row[:1] for row in draws.generators))
        return ClockDrift((self.ppm, self.ppm))(audio, lengths, one)
