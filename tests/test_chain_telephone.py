"""The telephone: G.711 by the equations of its tables, the band, the twin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.audio.pcm import load
from mondegreen.chain.names import link
from mondegreen.chain.rates import at_rate
from mondegreen.chain.telephone import Law, Telephone, banded, companded
from mondegreen.errors import OptionError

LAWS: list[Law] = ["mulaw", "alaw"]
STEPS = {"mulaw": 8192, "alaw": 4096}  # of the uniform code in an amplitude of 1
ALL = np.arange(-32768, 32768) / 32768
NO_DRAWS = Draws.of((0,), 1, 1)


def tables(law: Law) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Decision values and outputs of tables 1a and 2a of G.711, in steps: 8 segments of 16."""
    segment, place = np.divmod(np.arange(128), 16)
    if law == "mulaw":
        return 2.0**segment * (2 * place + 32) - 33, 2.0**segment * (2 * place + 33) - 33
    slope = 2.0 ** np.maximum(segment - 1, 0)
    inside = 2 * place + 32 * (segment > 0)
    return slope * inside, slope * (inside + 1)


@pytest.mark.parametrize("law", LAWS)
def test_every_16_bit_sample_is_coded_as_in_the_tables(law: Law) -> None:
    decisions, outputs = tables(law)
    size = np.abs(ALL) * STEPS[law]
    expected = np.sign(ALL) * outputs[np.searchsorted(decisions, size, "right") - 1]
    expected[ALL == 0] = 0 if law == "mulaw" else 1  # which A-law has no zero
    found = companded(ALL.astype(np.float32), law) * STEPS[law]
    # A-law takes 13 bits: what is cut to less than one of them has no sign any more.
    coded = slice(None) if law == "mulaw" else size >= 1
    np.testing.assert_array_equal(found[coded], expected[coded])
    np.testing.assert_array_equal(np.abs(found), np.abs(expected))


@pytest.mark.parametrize(
    ("law", "steps", "expected"),
    [
        *(("mulaw", 0, 0), ("mulaw", 1, 2), ("mulaw", 31, 33), ("mulaw", 35, 37)),
        *(("mulaw", 95, 99), ("mulaw", 4063, 4191), ("mulaw", 8159, 8031)),
        *(("alaw", 1, 1), ("alaw", 2, 3), ("alaw", 64, 66), ("alaw", 2048, 2112)),
        *(("alaw", 4095, 4032), ("alaw", -128, -132)),
    ],
)
def test_values_of_the_standard(law: Law, steps: int, expected: int) -> None:
    got = companded(np.array([steps / STEPS[law]], np.float32), law)
    assert got[0] * STEPS[law] == expected


@pytest.mark.parametrize("law", LAWS)
def test_coding_again_changes_nothing(law: Law) -> None:
    once = companded(ALL.astype(np.float32), law)
    assert np.array_equal(companded(once, law), once)
    assert (np.diff(once) >= 0).all()
    assert len(np.unique(once)) == (255 if law == "mulaw" else 256)  # µ-law has two zeros


@pytest.mark.parametrize("law", LAWS)
def test_what_is_too_loud_is_clipped(law: Law) -> None:
    got = companded(np.array([3.0, -3.0, 1.0], np.float32), law)
    assert got[0] == got[2] == -got[1] == tables(law)[1][-1] / STEPS[law]


def tone(hz: float, rate: int) -> Tensor:
    return 0.4 * torch.sin(2 * torch.pi * hz / rate * torch.arange(rate, dtype=torch.float64))


def level(sound: Tensor, beside: Tensor) -> float:
    """In dB, away from where they begin and end."""
    inside = slice(len(sound) // 4, -len(sound) // 4)
    power = sound[inside].square().mean() / beside[inside].square().mean()
    return float(10 * power.clamp(min=1e-20).log10())


@pytest.mark.parametrize(
    ("hz", "low", "high"),
    [(50, -200, -60), (300, -6.3, -5.7), (1000, -0.05, 0.05), (3300, -0.1, 0.1), (3400, -6.3, -5)],
)
def test_its_band(hz: float, low: float, high: float) -> None:
    sound = tone(hz, 8000).float()
    assert low < level(torch.from_numpy(banded(sound.numpy())), sound) < high


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_above_it_there_is_nothing(rate: int) -> None:
    sound = tone(5000, rate).float()
    assert level(Telephone(sample_rate=rate).real(sound, NO_DRAWS), sound) < -70
    voice = tone(1000, rate).float()
    assert -0.3 < level(Telephone(sample_rate=rate).real(voice, NO_DRAWS), voice) < 0.3


@pytest.mark.parametrize("law", LAWS)
def test_at_8_khz_nothing_is_resampled(law: Law, beckett: Path) -> None:
    sound = load(beckett, 8000)[8000:16_000]
    got = Telephone(sample_rate=8000, law=law).real(torch.from_numpy(sound), NO_DRAWS)
    assert np.array_equal(got.numpy(), companded(banded(sound), law))


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050])
def test_the_gradient_is_that_of_its_linear_parts(rate: int, beckett: Path) -> None:
    """By the definition of an adjoint: ⟨w, L d⟩ = ⟨Lᵀ w, d⟩, where L is soxr and the band."""
    samples = rate // 2
    generator = torch.Generator().manual_seed(0)
    weight, change = 0.1 * torch.randn(2, samples, generator=generator)
    sound = torch.from_numpy(load(beckett, rate)[rate : rate + samples].copy()).requires_grad_()
    telephone = Telephone(sample_rate=rate)
    heard = telephone.twin(sound[None, None], torch.tensor([samples]), NO_DRAWS)[0, 0]
    (gradient,) = torch.autograd.grad(heard @ weight, sound)
    moved = at_rate(change, rate, 8000, banded)
    scale = float(weight.norm() * moved.norm())
    assert float(gradient @ change) == pytest.approx(float(weight @ moved), abs=1e-3 * scale)


def test_the_noise_of_g711_in_speech(beckett: Path) -> None:
    sound = load(beckett, 8000)
    for law in LAWS:
        noise = companded(sound, law) - sound
        assert -40 < 10 * np.log10((noise**2).sum() / (sound**2).sum()) < -35


def test_a_law_that_there_is_not() -> None:
    with pytest.raises(OptionError, match="telephone:blaw: Got law = 'blaw'"):
        link("telephone:blaw", 16_000)
