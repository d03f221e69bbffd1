"""What rooms cost: beside scipy's convolution, and beside the recogniser's own gradient passes.

Puts ten seconds of speech into ten rooms of half a second. Beside `scipy.signal.fftconvolve`, room
by room and forward only, stand our forward pass and our forward and backward pass, beside the
literal convolution our forward pass; beside the gradient passes of the recogniser on ten such
clips, which are what a step of a robust attack cannot do without, stands what rooms add to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import scipy.fft
import scipy.signal
import torch
from torch import Tensor

from bench.clock import in_turns, ratio
from bench.results import Row
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.audio.pcm import load
from mondegreen.victims import Victim
from mondegreen.victims.embedded import bundled

RATE, ROOMS, ROOM_SECONDS = 16_000, 10, 0.5
TARGET = "Everyone can hear what nobody ever said."
PAIRS = (
    ("forward", "FFT"),
    ("gradient", "FFT"),
    ("forward", "scipy"),
    ("gradient", "scipy"),
    ("gradient", "recogniser"),
)


def exponential_rooms(count: int, seconds: float, rate: int = RATE) -> Tensor:
    """Noise that falls by 60 dB: as good as rooms, where only time counts. `[count, L]`."""
    samples = int(seconds * rate)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, samples, generator=generator) * torch.logspace(0, -3, samples)


def speech() -> Tensor:
    """Ten seconds, less a little. `[T]`."""
    return torch.from_numpy(load(bundled.asset(bundled.RECORDING), RATE))


def measure(victim: Victim, turns: int) -> Iterator[Row]:
    """The ratios of `PAIRS`, and our forward pass over a convolution sample by sample."""
    kinds = convolutions(Reverb(exponential_rooms(ROOMS, ROOM_SECONDS)), speech())
    twin = {"literal": kinds.pop("literal"), "forward": kinds["forward"]}
    kinds["recogniser"] = recogniser(victim, speech())
    seconds = in_turns(kinds, turns)
    for name, other in PAIRS:
        yield {"kind": f"{name} over {other}", **ratio(seconds, name, other)}
    yield {"kind": "literal over forward", **ratio(in_turns(twin, 3), "literal", "forward")}


def convolutions(reverb: Reverb, clip: Tensor) -> dict[str, Callable[[], object]]:
    """The rooms of one clip: forward, there and back; by scipy, sample by sample, and bare FFTs."""
    audio, lengths = clip[None, None], torch.tensor([len(clip)])
    rooms = torch.arange(ROOMS)[None]
    samples, rirs = clip.numpy(), reverb.rirs.numpy()
    size = scipy.fft.next_fast_len(len(clip) + rirs.shape[1] - 1, real=True)

    def forward() -> object:
        return reverb(audio, lengths, rooms)

    def gradient() -> object:
        heard = audio.clone().requires_grad_()
        return torch.autograd.grad(reverb(heard, lengths, rooms).sum(), heard)

    def scipys() -> object:
        return np.stack([scipy.signal.fftconvolve(samples, rir)[: len(samples)] for rir in rirs])

    def literal() -> object:
        return np.stack([np.convolve(samples, rir)[: len(samples)] for rir in rirs])

    def transforms() -> object:
        """What no convolution by FFT can do without: one there, and one back for each room."""
        spectrum = torch.fft.rfft(clip, size)
        return torch.fft.irfft(spectrum.expand(ROOMS, -1), size)

    return {
        "forward": forward,
        "gradient": gradient,
        "scipy": scipys,
        "literal": literal,
        "FFT": transforms,
    }


def recogniser(victim: Victim, clip: Tensor) -> Callable[[], object]:
    """The gradient passes that ten rooms need anyway."""
    audio, lengths = clip.expand(ROOMS, -1), torch.full((ROOMS,), len(clip))
    tokens = [victim.encode(TARGET, len(clip))] * ROOMS

    def passes() -> object:
        heard = audio.clone().requires_grad_()
        return torch.autograd.grad(victim.score(heard, lengths, tokens).loss.sum(), heard)

    return passes
