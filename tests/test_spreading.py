"""The sum over maskers in blocks: against the sum taken literally."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mondegreen.psychoacoustics.spectrum import bark, bin_frequencies
from mondegreen.psychoacoustics.spreading import Spreading
from mondegreen.psychoacoustics.threshold import upper_slope

SLOPES = (27.0, -27.0, 0.0)
CPU = torch.device("cpu")


def axis(window: int = 2048, rate: int = 16_000) -> Tensor:
    return bark(bin_frequencies(rate, window))


def literal(barks: Tensor, bins: Tensor, level_db: Tensor, slope: Tensor) -> Tensor:
    """A term for each frame, masker and bin, [F, bins]."""
    distance = barks - barks[bins][..., None]
    down = torch.where(distance < 0, 27 * distance, slope[..., None] * distance)
    return (10 ** ((level_db[..., None] + down) / 10)).sum(1)


def test_one_masker_falls_along_its_two_lines() -> None:
    barks = axis()
    spreading = Spreading.over(barks, SLOPES, CPU, torch.float64)
    bins, level, slope = torch.tensor([[512]]), torch.tensor([[60.0]]), torch.tensor([[-10.0]])
    got = 10 * spreading(bins, level.double(), slope.double())[0].log10()
    for k in (400, 511, 512, 513, 527, 528, 900):
        z = float(barks[k] - barks[512])
        assert float(got[k]) == pytest.approx(60 + (27 * z if z < 0 else -10 * z), abs=1e-10)


def test_no_masker_gives_nothing() -> None:
    spreading = Spreading.over(axis(), SLOPES, CPU, torch.float64)
    none = torch.full((1, 3), -math.inf, dtype=torch.float64)
    got = spreading(torch.zeros(1, 3, dtype=torch.long), none, torch.full_like(none, -27))
    assert float(got.max()) == 0


@pytest.mark.parametrize(
    ("window", "rate"), [(2048, 16_000), (64, 16_000), (1024, 48_000), (6, 8000)]
)
@pytest.mark.parametrize(
    ("dtype", "error"), [(torch.float64, 1e-12), (torch.float32, 2e-5)], ids=["double", "single"]
)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 12))
def test_it_is_the_literal_sum(
    window: int, rate: int, dtype: torch.dtype, error: float, seed: int, count: int
) -> None:
    barks, generator = axis(window, rate), torch.Generator().manual_seed(seed)
    bins = torch.randint(len(barks), (2, count), generator=generator)
    level = 110 * torch.rand(2, count, generator=generator, dtype=torch.float64)
    slope = upper_slope(level)
    spreading = Spreading.over(barks, SLOPES, CPU, dtype)
    got = spreading(bins, level.to(dtype), slope.to(dtype))[:, : len(barks)]
    expected = literal(barks, bins, level, slope)
    torch.testing.assert_close(got.double(), expected, rtol=error, atol=1e-25)
