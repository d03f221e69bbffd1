"""An air as a whole: its order, and what is drawn anew."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mondegreen.air.devices import Response
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.air.through import InTurn, judged, through
from mondegreen.air.transformations import Draws, apply
from mondegreen.airs import REAL, Air, Background, Device, Loudspeaker
from mondegreen.audio.pcm import save

RATE = 16_000
SAMPLES = 600
Sound = NDArray[np.float64]


def sound(samples: int = SAMPLES) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return 0.1 * torch.randn(samples, generator=generator, dtype=torch.float64)


def rooms() -> Reverb:
    generator = torch.Generator().manual_seed(4)
    rirs = torch.randn(5, 90, generator=generator, dtype=torch.float64)
    return Reverb(rirs * torch.logspace(0, -2, 90, dtype=torch.float64))


def literal(clip: Sound, rir: Sound, noise: Sound, kernels: list[Sound]) -> Sound:
    """What happens in `everything`, one after the other."""
    loudspeaker, microphone = kernels
    peak = np.abs(clip).max()
    driven = peak * np.tanh(0.5 * clip / peak) / 0.5
    played = np.convolve(driven, loudspeaker)[len(loudspeaker) // 2 :][: len(clip)]
    echo = np.convolve(played, rir)
    there = (echo / np.abs(echo).max() * 32767 / 32768)[: len(clip)]
    late = np.concatenate([np.zeros(32), there[:-32]])  # 2 ms
    noisy = late + noise * math.sqrt(np.mean(late**2) / 10)
    heard = np.convolve(noisy, microphone)[len(microphone) // 2 :][: len(clip)]
    loud = np.clip(heard * 10 ** (6 / 20), -1, 32767 / 32768)
    return np.array([at_time(loud, i * 1.0002) for i in range(len(clip))])


def at_time(values: Sound, time: float) -> float:
    """The cubic through the four samples around a time."""
    first, value = math.floor(time) - 1, 0.0
    for i in range(first, first + 4):
        if 0 <= i < len(values):
            others = [j for j in range(first, first + 4) if j != i]
            value += values[i] * math.prod((time - j) / (i - j) for j in others)
    return value


def everything(folder: Path) -> Air:
    one = {"low_slope": (12.0, 12.0), "high_slope": (12.0, 12.0)}
    return Air(
        loudspeaker=Loudspeaker(low_hz=(300.0, 300.0), high_hz=(6e3, 6e3), drive=(0.5, 0.5), **one),
        offset_ms=(2.0, 2.0),
        noise=Background(snr_db=(10.0, 10.0), folder=str(folder)),
        microphone=Device(low_hz=(100.0, 100.0), high_hz=(5e3, 5e3), **one),
        gain_db=(6.0, 6.0),
        clock_ppm=(200.0, 200.0),
    )


def test_everything_happens_in_its_order(tmp_path: Path) -> None:
    save(tmp_path / "noise.wav", torch.tensor([0.5, -0.5]).repeat(800), RATE)
    air = everything(tmp_path)
    got = apply(
        through(air, InTurn(rooms(), 2), RATE),
        sound()[None],
        torch.tensor([SAMPLES]),
        Draws.of((1,), 1, 1),
    )[0, 0].numpy()
    kernels = [
        Response(RATE, device.low_hz, device.low_slope, device.high_hz, device.high_slope)
        .kernels(Draws.of((1,), 1, 1))[0, 0]
        .numpy()
        for device in (air.loudspeaker, air.microphone)
        if device is not None
    ]
    alternating = np.where(np.arange(SAMPLES) % 2, -1.0, 1.0)
    rir = rooms().rirs[2].double().numpy()
    either = [literal(sound().numpy(), rir, sign * alternating, kernels) for sign in (1, -1)]
    assert min(np.abs(got - expected).max() for expected in either) < 1e-9
    assert max(np.abs(got - expected).max() for expected in either) > 1e-3
    assert np.abs(got).max() > 0.5


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_real_air_gives_another_finite_sound_each_time(rate: int) -> None:
    rows = torch.cat(list(judged(sound(rate // 4).float(), REAL, rooms(), "test", rate, 2)))
    assert rows.shape == (5, rate // 4)
    assert bool(torch.isfinite(rows).all())
    assert 0.01 < float(rows.abs().amax(1).min()) <= float(rows.abs().max()) <= 1
    assert float(torch.corrcoef(rows).fill_diagonal_(0).max()) < 0.99


def test_the_draws_that_judge_are_those_of_the_split_and_the_room() -> None:
    def heard(split: str, at_once: int, gain: float = 1.0) -> Tensor:
        return torch.cat(list(judged(gain * sound(), REAL, rooms(), split, RATE, at_once)))

    torch.testing.assert_close(heard("test", 2), heard("test", 5), rtol=0, atol=1e-12)
    torch.testing.assert_close(heard("test", 5, 0.5), heard("test", 5), rtol=0, atol=1e-9)
    assert float((heard("test", 5) - heard("validate", 5)).abs().amax(1).min()) > 0.01


def test_rooms_alone_are_the_rooms() -> None:
    rows = torch.cat(list(judged(sound(), Air(), rooms(), "test", RATE, 2)))
    expected = rooms()(sound()[None, None], torch.tensor([SAMPLES]), torch.arange(5)[None])[0]
    torch.testing.assert_close(rows, expected, rtol=0, atol=1e-12)
