"""Maskers at the borders of their neighbourhood."""

from __future__ import annotations

import pytest
import torch

from mondegreen.psychoacoustics.maskers import loudest_nearby


@pytest.mark.parametrize(
    ("barks", "loudest"),
    [
        pytest.param((0.0, 0.5), (True, True), id="0.5 Bark apart are not near"),
        pytest.param((0.0, 0.5 - 2**-20), (False, True), id="a little less is near"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_neighbourhood_is_open_at_both_ends(
    barks: tuple[float, ...], loudest: tuple[bool, ...], turned: bool
) -> None:
    places, power = torch.tensor(barks, dtype=torch.float64), torch.tensor([1.0, 2.0])
    if turned:  # the louder bin below the other instead of above it
        places, power, loudest = 1 - places.flip(0), power.flip(0), loudest[::-1]
    assert loudest_nearby(power, places).tolist() == list(loudest)
