"""Random changes to a sound on its way to the recogniser.

Expectation over transformation (Athalye, Engstrom, Ilyas and Kwok, *Synthesizing Robust Adversarial
Examples*, ICML 2018): what must survive the air is optimised over random draws of what the air
does. Each transformation is a frozen dataclass whose fields are the ranges it draws from; `apply`
composes them.

Conventions
    A transformation takes ``[A, K, T]`` (A clips; K = 1, or K = M sounds that already differ) to
    ``[A, M, T]``, M draws of each clip. It works on the audio's device in its dtype (float32 or
    float64), is differentiable, ignores samples past a clip's length and leaves zeros there. A row
    depends only on its own clip and draw.
    Lengths are [A], in main memory: noise is drawn there, and to read them from a device would wait
    for it.
    All randomness comes from `Draws`, so a pass can be repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from mondegreen.air.rooms.reverb import Reverb
from mondegreen.audio.batch import unpadded
from mondegreen.audio.pcm import FULL_SCALE

LOWEST_NOISE: Final = 1 / 800  # cycles per sample


@dataclass(frozen=True)
class Draws:
    """The randomness of M draws for each of A clips: one generator for each, in main memory.

    Reading uses it up, so a second transformation draws other numbers. To repeat, start from `of`.
    """

    generators: tuple[tuple[torch.Generator, ...], ...]  # A rows of M

    @classmethod
    def of(cls, seed: Sequence[int], clips: int, count: int, first: int = 0) -> Draws:
        """Draws number `first` to `first + count - 1` of a seed, for each of `clips` clips.

        A draw depends on seed and number, not on the clip's place in a batch: every clip gets the
        same draws, alone or in company, and draws 4 to 7 are the same alone or within 0 to 9.

        `seed` holds whole numbers from 0 up, such as (seed, stage, step); always use it at one
        length, since trailing zeros do not count.
        """
        seeds = [
            int(np.random.SeedSequence([*seed, number]).generate_state(1, np.uint64)[0])
            for number in range(first, first + count)
        ]
        return cls(tuple(tuple(map(_generator, seeds)) for _ in range(clips)))

    @property
    def count(self) -> int:
        """M, the draws of each clip."""
        return len(self.generators[0])

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers between `low` and `high`, [A, M] float64; or so many for each draw."""
        return low + (high - low) * self._each(
            lambda source: torch.rand(shape, generator=source, dtype=torch.float64)
        )

    def integers(self, n: int) -> Tensor:
        """Whole numbers 0 to n - 1, [A, M] int64."""
        return self._each(lambda source: torch.randint(n, (), generator=source))

    def normal(self, lengths: Tensor) -> Iterator[Tensor]:
        """Standard normal noise, for each clip [M, length] float32, of its own length."""
        for sources, length in zip(self.generators, lengths.tolist(), strict=True):
            yield torch.stack([torch.randn(length, generator=source) for source in sources])

    def _each(self, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        return torch.stack([torch.stack([draw(one) for one in row]) for row in self.generators])


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Transformation(Protocol):
    """A random change to a sound."""

    def __call__(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """Apply M draws to each clip.

        Args:
            audio: [A, K, T] in [-1, 1], K 1 or M.
            lengths: [A] samples of each clip, in main memory.
            draws: of A clips, M each; used up.

        Returns:
            [A, M, T], zero past each clip's length.
        """


def apply(
    transformations: Sequence[Transformation], audio: Tensor, lengths: Tensor, draws: Draws
) -> Tensor:
    """Apply transformations in turn, M times to each clip; none gives M equal copies.

    Shape: audio ``[A, T]`` in [-1, 1] with lengths ``[A]`` -> ``[A, M, T]``, zero past each clip's
    length; `draws` are of A clips, M each, and used up.

    >>> audio, lengths = torch.ones(1, 4).double(), torch.tensor([3])
    >>> quieter = apply([Gain((-20.0, -20.0))], audio, lengths, Draws.of((0,), 1, 2))
    >>> quieter.shape, quieter[0, 0].tolist()
    (torch.Size([1, 2, 4]), [0.1, 0.1, 0.1, 0.0])
    """
    sound = unpadded(audio[:, None], lengths)
    for transformation in transformations:
        sound = transformation(sound, lengths, draws)
    return sound.expand(-1, draws.count, -1)


@dataclass(frozen=True)
class Rooms:
    """A room of a bank, drawn uniformly (Qin et al. 2019, section 4.2).

    >>> echo = Rooms(Reverb(torch.tensor([[1.0, 0.25, 0.5]]), normalise=False))
    >>> click, lengths = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([3])
    >>> sampled = apply([echo], click, lengths, Draws.of((0,), 1, 1))
    >>> [round(sample, 4) for sample in sampled.flatten().tolist()]
    [1.0, 0.25, 0.5]
    """

    reverb: Reverb  # the bank's impulse responses, on the audio's device

    def __call__(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Transformation`."""
        rooms = draws.integers(len(self.reverb)).to(audio.device, non_blocking=True)
        return self.reverb(audio, lengths, rooms)


@dataclass(frozen=True)
class Noise:
    """Pink noise, at a level relative to the clip's own mean power.

    Room noise falls with frequency, by 5 dB per octave in ITU-T P.800 (after Hoth 1941), while the
    noise of electronics is white. Pink noise, 3 dB per octave, is between. It starts at 1/800 of
    the sample rate (20 Hz at 16 kHz): otherwise most of its power would be inaudibly low, and more
    of it the longer the clip.

    The noise does not depend on the perturbation: its level has no gradient.

    >>> audio, lengths = torch.ones(1, 4096, dtype=torch.float64), torch.tensor([4096])
    >>> noise = apply([Noise((20.0, 20.0))], audio, lengths, Draws.of((0,), 1, 1)) - audio
    >>> round(float(-10 * noise.square().mean().log10()), 3)
    20.0
    """

    # range of the clip's power over the noise's, in dB, drawn uniformly
    snr_db: tuple[float, float] = (15.0, 35.0)

    def __call__(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Transformation`."""
        ratio_db = draws.uniform(*self.snr_db)
        samples = audio.shape[-1]
        rows = [pad(_pink(w), (0, samples - w.shape[-1])) for w in draws.normal(lengths)]
        noise = torch.stack(rows).to(audio, non_blocking=True)
        return at_ratio(unpadded(audio, lengths), noise, ratio_db, lengths)


def at_ratio(own: Tensor, noise: Tensor, ratio_db: Tensor, lengths: Tensor) -> Tensor:
    """Sounds with noise of mean power 1, [A, M, T], at ratios [A, M] to the sounds' mean power.

    >>> own, hum = torch.full((1, 1, 2), 0.5), torch.tensor([[[1.0, -1.0]]])
    >>> at_ratio(own, hum, torch.tensor([[20.0]]), torch.tensor([2])).flatten()
    tensor([0.5500, 0.4500])
    """
    power = own.detach().square().sum(-1) / lengths.to(own.device, non_blocking=True)[:, None]
    amplitude = (power / (10 ** (ratio_db / 10)).to(power, non_blocking=True)).sqrt()
    return own + amplitude[..., None] * noise


def _pink(white: Tensor) -> Tensor:
    """Noise [M, n] of power falling as 1/f, from white noise; its mean power is exactly 1."""
    samples = white.shape[-1]
    cycles = torch.fft.rfftfreq(samples, dtype=white.dtype)
    falling = cycles.rsqrt().masked_fill(cycles < LOWEST_NOISE, 0)
    pink: Tensor = torch.fft.irfft(torch.fft.rfft(white) * falling, samples)
    return pink / pink.square().mean(-1, keepdim=True).sqrt()


@dataclass(frozen=True)
class Gain:
    """The volume of the loudspeaker and the distance of the microphone, with clipping.

    Samples beyond the 16-bit range are clipped, as in a microphone's converter; their gradient is
    0.

    >>> audio, lengths = torch.tensor([[0.25, 0.75]]), torch.tensor([2])
    >>> louder = apply([Gain((6.0206, 6.0206))], audio, lengths, Draws.of((0,), 1, 1))
    >>> [round(sample, 3) for sample in louder.flatten().tolist()]  # the second is clipped
    [0.5, 1.0]
    """

    db: tuple[float, float] = (-6.0, 6.0)  # range in dB, drawn uniformly

    def __call__(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Transformation`."""
        gain = 10 ** (draws.uniform(*self.db) / 20)
        louder = unpadded(audio, lengths) * gain.to(audio, non_blocking=True)[..., None]
        return louder.clamp(-1, (FULL_SCALE - 1) / FULL_SCALE)


@dataclass(frozen=True)
class ClockDrift:
    """Clocks that disagree: the recording runs a little faster or slower than the playback.

    Sample i is the sound at (1 + ppm / 10⁶) · i, by cubic Lagrange interpolation between its four
    neighbours. The worst case, halfway between samples, scales a frequency by
    (9 cos(ω / 2) - cos(3 ω / 2)) / 8: at a sample rate of 16 kHz by -0.07 dB at 2 kHz, -1.1 dB at
    4 kHz and -5.3 dB at 6 kHz. Past the clip's end there is silence.

    >>> ramp, lengths = torch.arange(8.0)[None], torch.tensor([8])
    >>> apply([ClockDrift((1e5, 1e5))], ramp, lengths, Draws.of((0,), 1, 1))[0, 0, 5]
    tensor(5.5000)
    """

    # range of the disagreement in parts per million, drawn uniformly; two crystals of 50 ppm each
    # differ by up to 100, or 16 samples in 10 s at 16 kHz
    ppm: tuple[float, float] = (-100.0, 100.0)

    def __call__(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Transformation`."""
        drift = (1e-6 * draws.uniform(*self.ppm)).to(audio, non_blocking=True)
        count = max(audio.shape[1], draws.count)
        samples = audio.shape[-1]
        order = torch.arange(samples, device=audio.device)
        ahead = drift[..., None] * order  # kept apart from `order`: i + 0.01 has few digits left
        before = ahead.floor()
        furthest = math.ceil(1e-6 * max(map(abs, self.ppm)) * samples)
        sound = pad(unpadded(audio, lengths), (1, furthest + 2))
        sound, ahead = sound.expand(-1, count, -1), ahead.expand(-1, count, -1)
        before = before.expand(-1, count, -1)
        first = order + before.long()  # the padding in front makes this the neighbour before
        taps = _cubic_lagrange(ahead - before)
        parts = [tap * sound.gather(-1, first + place) for place, tap in enumerate(taps)]
        return unpadded(parts[0] + parts[1] + parts[2] + parts[3], lengths)


def _cubic_lagrange(t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights of the samples at -1, 0, 1 and 2 for the value at 0 <= t < 1. Any shape."""
    right, far, left = 1 - t, 2 - t, 1 + t  # distances from the other three
    outer, inner = t * right / -6, left * far / 2
    return outer * far, inner * right, inner * t, outer * left


@dataclass(frozen=True)
class Quantise:
    """A converter of few bits: linear, rounding to the nearest step, clipping at full scale.

    Its gradient is the identity, the straight-through estimator (Bengio, Léonard and Courville,
    *Estimating or Propagating Gradients Through Stochastic Neurons*, 2013).

    >>> audio, lengths = torch.tensor([[0.3, 1.0]]), torch.tensor([2])
    >>> (128 * apply([Quantise(8)], audio, lengths, Draws.of((0,), 1, 1))).flatten().tolist()
    [38.0, 127.0]
    """

    bits: Literal[8, 16]  # 16, what a file holds, or 8

    def __call__(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Transformation`; only the number of draws matters."""
        own = unpadded(audio, lengths).expand(-1, draws.count, -1)
        steps = 2 ** (self.bits - 1)
        rounded: Tensor = (own.detach() * steps).round().clamp(-steps, steps - 1) / steps
        return rounded + (own - own.detach())  # the second term is 0, with the gradient of audio
