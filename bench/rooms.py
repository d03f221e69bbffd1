"""What rooms cost: beside scipy's convolution, and beside the recogniser's own gradient passes.

    python bench/rooms.py --threads 1 --turns 5

Puts ten seconds of speech into ten rooms of half a second. The sides of a ratio take turns, and the
median of their ratios is printed with its range, so that a busy machine slows both. Beside
`scipy.signal.fftconvolve`, room by room and forward only, stand our forward pass and our forward
and backward pass; beside the gradient passes of the recogniser on ten such clips, which are what a
step of a robust attack cannot do without, stands what rooms add to them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import scipy.signal
import torch
from torch import Tensor

from mondegreen import load_victim
from mondegreen.audio import load
from mondegreen.rooms.reverb import Reverb
from mondegreen.victims import Victim
from mondegreen.victims.embedded import bundled

RATE, ROOMS = 16_000, 10
TARGET = "Everyone can hear what nobody ever said."


def exponential_rooms(count: int, seconds: float) -> Tensor:
    """Noise that falls by 60 dB: as good as rooms, where only time counts. `[count, L]`."""
    samples = int(seconds * RATE)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, samples, generator=generator) * torch.logspace(0, -3, samples)


def speech() -> Tensor:
    """Ten seconds, less a little. `[T]`."""
    return torch.from_numpy(load(bundled.asset(bundled.RECORDING), RATE))


def convolutions(reverb: Reverb, clip: Tensor) -> dict[str, Callable[[], object]]:
    """The rooms of one clip: forward, there and back, and by scipy."""
    audio, lengths = clip[None, None], torch.tensor([len(clip)])
    rooms = torch.arange(ROOMS)[None]
    samples, rirs = clip.numpy(), reverb.rirs.numpy()

    def forward() -> object:
        return reverb(audio, lengths, rooms)

    def gradient() -> object:
        heard = audio.clone().requires_grad_()
        return torch.autograd.grad(reverb(heard, lengths, rooms).sum(), heard)

    def scipys() -> object:
        return np.stack([scipy.signal.fftconvolve(samples, rir)[: len(samples)] for rir in rirs])

    return {"forward": forward, "gradient": gradient, "scipy": scipys}


def recogniser(victim: Victim, clip: Tensor) -> Callable[[], object]:
    """The gradient passes that ten rooms need anyway."""
    audio, lengths = clip.expand(ROOMS, -1), torch.full((ROOMS,), len(clip))
    tokens = [victim.encode(TARGET, len(clip))] * ROOMS

    def passes() -> object:
        heard = audio.clone().requires_grad_()
        return torch.autograd.grad(victim.score(heard, lengths, tokens).loss.sum(), heard)

    return passes


def in_turns(kinds: dict[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Processor seconds of each kind, turn by turn; a first turn warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(turns + 1):
        for name, work in kinds.items():
            before = time.process_time()
            work()
            if turn:
                seconds[name].append(time.process_time() - before)
    return seconds


def ratio(seconds: dict[str, list[float]], name: str, other: str) -> dict[str, float]:
    """Median seconds of both, and the median and range of their ratios."""
    ratios = [a / b for a, b in zip(seconds[name], seconds[other], strict=True)]
    return {
        "seconds": round(statistics.median(seconds[name]), 4),
        "other_seconds": round(statistics.median(seconds[other]), 4),
        "ratio": round(statistics.median(ratios), 4),
        "ratio_min": round(min(ratios), 4),
        "ratio_max": round(max(ratios), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    kinds = convolutions(Reverb(exponential_rooms(ROOMS, 0.5)), speech())
    kinds["recogniser"] = recogniser(load_victim("moonshine-tiny"), speech())
    seconds = in_turns(kinds, options.turns)
    print(json.dumps(vars(options) | {"torch": version("torch"), "scipy": version("scipy")}))
    for name, other in (
        ("forward", "scipy"),
        ("gradient", "scipy"),
        ("gradient", "recogniser"),
    ):
        print(json.dumps({f"{name}_over_{other}": ratio(seconds, name, other)}))


if __name__ == "__main__":
    main()
