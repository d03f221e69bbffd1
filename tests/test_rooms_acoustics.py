"""Arrival, reverberation time and direct sound against closed forms and a slow twin."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mondegreen.air.rooms.acoustics import (
    direct_to_reverberant,
    first_arrival,
    reverberation_time,
    schroeder_decay,
)

RATE = 16_000


def decay(rt60: float, seconds: float, rate: int = RATE, *, noise: int | None = None) -> NDArray:
    """Amplitude that falls by 60 dB in `rt60`; of white noise, where a seed is given."""
    t = np.arange(round(seconds * rate)) / rate
    envelope = 10 ** (-3 * t / rt60)
    if noise is None:
        return envelope
    return envelope * np.random.default_rng(noise).standard_normal(len(t))


# ---- the direct sound -----------------------------------------------------------------------


def test_the_direct_sound_is_not_the_largest_but_the_first() -> None:
    rir = np.zeros(800)
    rir[[100, 300]] = 0.5, -1
    assert first_arrival(rir, RATE) == 100


def test_ripples_before_the_crest_are_not_the_arrival() -> None:
    rir = np.zeros(800)
    rir[[97, 98, 99, 100]] = 0.2, -0.15, 0.3, 1
    assert first_arrival(rir, RATE) == 100


def test_noise_20_db_below_is_no_arrival() -> None:
    rir = np.full(800, 0.09)
    rir[100] = -1
    assert first_arrival(rir, RATE) == 100


@pytest.mark.parametrize(("offset", "db"), [(40, math.inf), (41, 20), (-41, math.inf)])
def test_what_lies_within_40_samples_of_the_crest_is_direct(offset: int, db: float) -> None:
    rir = np.zeros(400)
    rir[[100, 100 + offset]] = 1, 0.1 if offset > 0 else 0.05
    found = direct_to_reverberant(rir, RATE)
    assert found == (None if db == math.inf else pytest.approx(db))


def test_what_is_direct_is_not_reverberant_and_nothing_is_lost_between() -> None:
    rir = np.ones(1000)
    rir[100] = 30
    direct = 900 + 80  # the crest, and 40 samples to each side
    found = direct_to_reverberant(rir, RATE)
    assert found == pytest.approx(10 * math.log10(direct / (1000 - 141)))


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_direct_to_reverberant_of_a_tap_and_a_tail(scale: float) -> None:
    rir = np.zeros(2000)
    rir[100] = 1
    rir[500:1000] = 0.1  # energy 5
    found = direct_to_reverberant(np.float32(scale * rir), RATE)
    assert found == pytest.approx(-10 * math.log10(5), abs=1e-5)


def test_silence_has_no_answers() -> None:
    assert direct_to_reverberant(np.zeros(4000), RATE) is None
    assert reverberation_time(np.zeros(4000), RATE) is None


# ---- the decay ------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("rt60", [0.1, 0.3, 2.0])
def test_an_exponential_decays_in_its_own_time(rt60: float, rate: int) -> None:
    found = reverberation_time(np.float32(decay(rt60, 2 * rt60, rate)), rate)
    assert found == pytest.approx(rt60, rel=1e-4)


@pytest.mark.parametrize("rt60", [0.2, 0.5, 1.0])
def test_decaying_noise_with_its_delay_gain_and_zeros_after_it(rt60: float) -> None:
    rir = 1e-3 * np.concatenate([np.zeros(500), decay(rt60, 1.2 * rt60, noise=1), np.zeros(9000)])
    assert reverberation_time(rir, RATE) == pytest.approx(rt60, rel=0.06)


@pytest.mark.parametrize(("floor_db", "rel"), [(-60, 0.03), (-50, 0.04), (-38, 0.08)])
def test_a_floor_of_noise_is_left_out(floor_db: float, rel: float) -> None:
    clean = decay(0.5, 4, noise=2)
    noise = 10 ** (floor_db / 20) * np.random.default_rng(3).standard_normal(len(clean))
    assert reverberation_time(clean + noise, RATE) == pytest.approx(0.5, rel=rel)


@pytest.mark.parametrize("cut_at", [40, 48, 60])
def test_a_decay_that_is_cut_off_gives_t20_before_t30(cut_at: float) -> None:
    found = reverberation_time(decay(0.8, 0.8 * cut_at / 60), RATE)
    assert found == pytest.approx(0.8, rel=0.03)


@pytest.mark.parametrize(
    "rir",
    [
        np.random.default_rng(6).standard_normal(8000),
        decay(1.0, 0.4),
        np.eye(1, 4000, 50)[0],
        decay(0.01, 0.5),
        np.ones(100),
    ],
    ids=["stationary noise", "cut off at -24 dB", "a tap", "falls in 10 ms", "shorter than 10 ms"],
)
def test_no_decay_no_reverberation_time(rir: NDArray) -> None:
    assert reverberation_time(rir, RATE) is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40))
def test_schroeder_decay_is_its_sum_written_out(power: list[float]) -> None:
    slow = [10 * math.log10(sum(power[t:]) / sum(power)) for t in range(len(power))]
    np.testing.assert_allclose(schroeder_decay(np.array(power)), slow, atol=1e-9)


def test_the_stored_room_agrees_with_diffuse_field_theory(vectors: Path) -> None:
    rir = np.load(vectors / "rir_4x5x3.npz")["rir"]
    volume, surface, absorption = 60, 94, 0.36
    sabine = 0.161 * volume / (surface * absorption)
    eyring = 0.161 * volume / (-surface * math.log(1 - absorption))
    found = reverberation_time(rir, RATE)
    assert found == pytest.approx(0.27, abs=0.01)
    assert eyring < found < sabine
    assert first_arrival(rir, RATE) == 173
    # Direct and diffuse energy are equal at the critical distance.
    critical = math.sqrt(surface * absorption / (16 * math.pi))
    theory = 20 * math.log10(critical / math.dist((1, 2, 1.5), (3, 4, 1.2)))
    assert direct_to_reverberant(rir, RATE) == pytest.approx(theory, abs=2)
