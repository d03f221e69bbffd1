"""Takes of real speech in recordings of a simulated sound card."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sound_card import Card, Sound, through

from mondegreen.air.loop.alignment import explained, find_takes
from mondegreen.air.rooms.acoustics import first_arrival
from mondegreen.audio.pcm import load
from mondegreen.victims.embedded import bundled

RATE = 16_000
ROOM = through(0.5, RATE)
DIRECT = first_arrival(ROOM, RATE)
CARD = Card(path=ROOM, gain=0.3, snr_db=20)


@pytest.fixture(scope="module")
def speech() -> Sound:
    return load(bundled.asset(bundled.RECORDING), RATE).astype(np.float64)


@pytest.fixture(scope="module")
def file(speech: Sound) -> Sound:
    return speech[: 4 * RATE]


@pytest.mark.parametrize(
    ("ppm", "latency", "rt60"),
    [(0, 0.0, 0.3), (100, 16_000.3, 0.3), (-100, 4_321.5, 0.6), (43, 99.9, 0.6)],
)
def test_every_take_is_found_on_its_clock(
    file: Sound, ppm: float, latency: float, rt60: float
) -> None:
    path = through(0.5, RATE, seed=int(latency), rt60=rt60)
    card = replace(CARD, drift=ppm * 1e-6, latency=latency, path=path)
    begins = [0, len(file) + 9_000]
    played = np.concatenate([file, np.zeros(9_000), file])
    found = sorted(find_takes(card.recorded(played), file, RATE), key=lambda take: take.offset)
    direct = first_arrival(path, RATE)
    expected = [latency + (begin + direct) * (1 + card.drift) for begin in begins]
    assert [take.offset for take in found] == pytest.approx(expected, abs=1)
    assert [take.drift * 1e6 for take in found] == pytest.approx([ppm, ppm], abs=2)
    assert all(take.explained > 0.7 for take in found)


def test_what_is_not_there_is_not_found(speech: Sound, file: Sound) -> None:
    other = CARD.recorded(speech[4 * RATE : 9 * RATE])
    assert list(find_takes(other, file, RATE)) == []
    assert list(find_takes(np.random.default_rng(0).normal(size=6 * RATE), file, RATE)) == []
    assert list(find_takes(np.zeros(6 * RATE), file, RATE)) == []
    assert list(find_takes(np.ones(100), file, RATE)) == []


def test_a_take_must_be_whole(file: Sound) -> None:
    heard = CARD.recorded(file)
    assert list(find_takes(heard[RATE // 2 :], file, RATE)) == []
    assert list(find_takes(heard[: 3 * RATE], file, RATE)) == []


def test_the_file_that_was_played_explains_most(file: Sound) -> None:
    changed = file + np.random.default_rng(1).normal(size=len(file)) * file.std() / 3
    heard = CARD.recorded(changed)
    (take,) = find_takes(heard, changed, RATE)
    assert explained(heard, take, file, RATE) < take.explained - 0.1
