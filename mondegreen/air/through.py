"""The transformations of an air, in the order in which a sound meets them.

Loudspeaker (first what its amplifier clips, then its band), room, the moment at which the recording
begins, noise, microphone, gain, and the recorder's clock. The offset comes before the noise, since
a room is not silent before the sound begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mondegreen.air.devices import Offset, Response, SoftClip
from mondegreen.air.noises import Recorded, read_noises
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.air.rooms.settings import FIRST
from mondegreen.air.transformations import ClockDrift, Draws, Gain, Noise, Transformation, apply
from mondegreen.airs import Air, Background, Device

# Of the draws that judge. Options take seeds below 2**63, so no search has these numbers.
JUDGING: int = 2**63


def through(air: Air, room: Transformation, sample_rate: int) -> tuple[Transformation, ...]:
    """What happens to a sound in an air, with a room in its place.

    >>> [type(one).__name__ for one in through(Air(clock_ppm=(0.0, 1.0)), Gain(), 16_000)]
    ['Gain', 'ClockDrift']
    """
    return tuple(_all(air, room, sample_rate))


def _all(air: Air, room: Transformation, rate: int) -> Iterator[Transformation]:
    if air.loudspeaker is not None:
        if air.loudspeaker.drive is not None:
            yield SoftClip(air.loudspeaker.drive)
        yield _response(air.loudspeaker, rate)
    yield room
    if air.offset_ms is not None:
        yield Offset(rate, air.offset_ms)
    if air.noise is not None:
        yield _noise(air.noise, rate)
    if air.microphone is not None:
        yield _response(air.microphone, rate)
    if air.gain_db is not None:
        yield Gain(air.gain_db)
    if air.clock_ppm is not None:
        yield ClockDrift(air.clock_ppm)


def _response(device: Device, rate: int) -> Response:
    edges = device.low_hz, device.low_slope, device.high_hz, device.high_slope
    return Response(rate, *edges, device.ripple_db)


def _noise(noise: Background, rate: int) -> Noise | Recorded:
    if noise.folder is None:
        return Noise(noise.snr_db)
    return Recorded(read_noises(noise.folder, rate)[0], noise.snr_db)


@dataclass(frozen=True)
class InTurn:
    """The rooms of a bank in their order, from one on: the draws have none to choose.

    >>> rooms = InTurn(Reverb(torch.tensor([[1.0], [1.0]]), normalise=False))
    >>> click = torch.tensor([[[1.0]]])
    >>> rooms(click, torch.tensor([1]), Draws.of((0,), 1, 2)).flatten().tolist()
    [1.0, 1.0]
    """

    reverb: Reverb
    first: int = 0

    def __call__(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Transformation`."""
        rooms = torch.arange(self.first, self.first + draws.count, device=audio.device)
        return self.reverb(audio, lengths, rooms.expand(len(audio), -1))


def judged(
    sound: Tensor, air: Air, reverb: Reverb, split: str, rate: int, at_once: int
) -> Iterator[Tensor]:
    """A sound [T] in each room of a split, some [m, T] at a time.

    Room number i has draw number i of the split's seed: every sound is heard in the same air, and
    no search has met it.

    >>> reverb = Reverb(torch.tensor([[1.0], [1.0], [1.0]]), normalise=False)
    >>> rows = judged(torch.tensor([0.5, 0.25]), Air(), reverb, "test", 16_000, at_once=2)
    >>> [tuple(some.shape) for some in rows]
    [(2, 2), (1, 2)]
    """
    lengths = torch.tensor([len(sound)])
    seed = (JUDGING, list(FIRST).index(split))
    for first in range(0, len(reverb), at_once):
        draws = Draws.of(seed, 1, min(at_once, len(reverb) - first), first)
        happens = through(air, InTurn(reverb, first), rate)
        yield apply(happens, sound[None], lengths, draws)[0]
