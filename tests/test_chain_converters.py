"""Rates, bits, levels and clipping: closed forms, and twins against the real thing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.audio.pcm import load
from mondegreen.chain.converters import Clip, Drift, Gain, Noise, Pcm, Resample
from mondegreen.chain.filtering import filtered, measured
from mondegreen.chain.rates import AROUND, at_rate

RATE = 16_000
NO_DRAWS = Draws.of((0,), 1, 1)


def noise(samples: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def error_db(found: Tensor, expected: Tensor) -> float:
    left = (found - expected).double().square().sum() / expected.double().square().sum()
    return float(10 * left.clamp(min=1e-30).log10())


def level_db(sound: Tensor, beside: Tensor) -> float:
    return float(10 * (sound.square().mean() / beside.square().mean()).log10())


# ---- filtering ------------------------------------------------------------------------------


def test_filtered_is_the_convolution() -> None:
    audio, taps = noise(50).double(), noise(7, 1).double()
    expected = [
        sum(float(taps[3 - k] * audio[i + k]) for k in range(-3, 4) if 0 <= i + k < 40)
        for i in range(40)
    ]
    found = filtered(audio[None, None], torch.tensor([40]), taps)[0, 0]
    torch.testing.assert_close(
        found[:40], torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12
    )
    assert not found[40:].any()


def test_taps_of_a_filter_are_measured_where_they_are() -> None:
    taps = torch.tensor([0.1, -0.2, 0.7, 0.3, 0.05])
    found = measured(
        lambda sound: filtered(sound[None, None], torch.tensor([len(sound)]), taps)[0, 0], reach=2
    )
    torch.testing.assert_close(found, taps.double(), rtol=0, atol=1e-7)


def test_what_is_next_to_nothing_is_no_tap() -> None:
    far = torch.zeros(201)
    far[100], far[107], far[10] = 1, 1e-3, 1e-8
    found = measured(
        lambda sound: filtered(sound[None, None], torch.tensor([len(sound)]), far)[0, 0], reach=150
    )
    assert found.shape == (2 * 7 + 1,)
    torch.testing.assert_close(found, far[93:108].double(), rtol=0, atol=1e-6)


# ---- rates ----------------------------------------------------------------------------------


@pytest.mark.parametrize("hz", [1000, 6000, 8000, 11_025, 44_100])
@pytest.mark.parametrize("rate", [8000, RATE])
def test_the_twin_of_resample(hz: int, rate: int, beckett: Path) -> None:
    sound = torch.from_numpy(load(beckett, rate)[rate : 3 * rate])  # from within a word
    one = Resample(sample_rate=rate, hz=hz)
    real = one.real(sound, NO_DRAWS)
    twin = one.twin(sound[None, None], torch.tensor([len(sound)]), NO_DRAWS)[0, 0]
    assert error_db(twin, real) < -120


@pytest.mark.parametrize(("hz", "kept"), [(3000, True), (3500, True), (4500, False), (7000, False)])
def test_what_a_recorder_of_8_khz_keeps(hz: int, kept: bool) -> None:
    tone = (0.5 * torch.sin(2 * torch.pi * hz / RATE * torch.arange(RATE).double())).float()
    out = Resample(sample_rate=RATE, hz=8000).real(tone, NO_DRAWS)[4000:-4000]
    left = level_db(out, tone[4000:-4000])
    assert abs(left) < 0.1 if kept else left < -90


@pytest.mark.parametrize("samples", [1600, 1601, 12_345])
@pytest.mark.parametrize("other", [8000, 11_025, 44_100])
def test_a_change_at_another_rate(samples: int, other: int) -> None:
    lengths = []
    sound = noise(samples)
    out = at_rate(sound, RATE, other, lambda there: lengths.append(len(there)) or -there)
    assert out.shape == (samples,)
    assert lengths[0] == pytest.approx((samples + 2 * AROUND) * other / RATE, abs=1)
    torch.testing.assert_close(out, -at_rate(sound, RATE, other), rtol=0, atol=0)


def test_at_the_same_rate_nothing_is_lost() -> None:
    assert torch.equal(at_rate(noise(1000), RATE, RATE), noise(1000))


# ---- bits, levels ---------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [2, 8, 12, 16])
def test_a_converter_of_few_bits(bits: int) -> None:
    steps = 2 ** (bits - 1)
    sound = torch.linspace(-1.2, 1.2, 5001).requires_grad_()
    out = Pcm(sample_rate=RATE, bits=bits).twin(
        sound[None, None], torch.tensor([len(sound)]), NO_DRAWS
    )[0, 0]
    assert torch.equal(steps * out, (steps * out).round())
    inside = (sound >= -1) & (sound <= 1 - 1 / steps)
    assert float((out - sound)[inside].detach().abs().max()) <= 0.5 / steps * 1.001
    assert out.aminmax() == (-1, 1 - 1 / steps)
    (gradient,) = torch.autograd.grad(out.sum(), sound)
    assert torch.equal(gradient, torch.ones_like(gradient))


def test_the_noise_of_few_bits() -> None:
    """Of a step q it has the power q² / 12 (Bennett 1948)."""
    sound = noise(100_000)
    left = Pcm(sample_rate=RATE, bits=8).real(sound, NO_DRAWS) - sound
    assert float(left.square().mean()) == pytest.approx(2.0**-14 / 12, rel=0.02)


@pytest.mark.parametrize("db", [-60.0, -12.0, 0.0, 6.0])
def test_gain(db: float) -> None:
    sound = noise(1000)
    out = Gain(sample_rate=RATE, db=db).real(sound, NO_DRAWS)
    torch.testing.assert_close(out, sound * 10 ** (db / 20))
    loud = Gain(sample_rate=RATE, db=60.0).real(sound, NO_DRAWS)
    assert float(loud.max()) == 32767 / 32768
    assert float(loud.min()) == -1


@pytest.mark.parametrize("snr", [0.0, 20.0])
def test_noise_is_as_loud_as_said(snr: float) -> None:
    sound = noise(16_000)
    added = Noise(sample_rate=RATE, snr=snr).real(sound, NO_DRAWS) - sound
    assert level_db(sound, added) == pytest.approx(snr, abs=0.01)


@pytest.mark.parametrize("db", [0.0, 6.0, 40.0])
def test_what_is_too_loud_is_cut_off_and_has_no_gradient(db: float) -> None:
    sound = noise(1000)
    sound[3] = 0.8
    most = 0.8 * 10 ** (-db / 20)
    audio = sound[None, None].clone().requires_grad_()
    out = Clip(sample_rate=RATE, db=db).twin(audio, torch.tensor([1000]), NO_DRAWS)
    torch.testing.assert_close(out[0, 0], sound.clamp(-most, most), rtol=0, atol=1e-7)
    (gradient,) = torch.autograd.grad(out.sum(), audio)
    quieter, louder = sound.abs() < 0.999 * most, sound.abs() > 1.001 * most
    assert bool((gradient[0, 0][quieter] == 1).all())
    assert not gradient[0, 0][louder].any()


@pytest.mark.parametrize("ppm", [-1000.0, 100.0, 1000.0])
def test_a_clock_that_is_off(ppm: float) -> None:
    radians = 2 * torch.pi * 200 / RATE * torch.arange(RATE, dtype=torch.float64)
    out = Drift(sample_rate=RATE, ppm=ppm).real(radians.sin().float(), NO_DRAWS)
    expected = ((1 + 1e-6 * ppm) * radians).sin().float()
    torch.testing.assert_close(out[2:-20], expected[2:-20], rtol=0, atol=1e-3)
