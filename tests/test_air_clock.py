"""Lags between sounds, and recordings put on another clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sound_card import at_moments

from mondegreen.air.loop.clock import lag, on_players_clock, padded


def noise(length: int = 4_000, seed: int = 0) -> np.ndarray:
    """White noise below a third of the rate."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=length))
    spectrum[length // 3 :] = 0
    return np.fft.irfft(spectrum)


@settings(max_examples=8)
@given(st.floats(-50, 50), st.floats(0.1, 10))
def test_a_lag_is_found_between_samples_whatever_the_level(later: float, gain: float) -> None:
    sound = np.pad(noise(1_000), 100)
    moved = gain * at_moments(sound, np.arange(len(sound)) - later)
    found = lag(sound, moved, 60)
    assert found.samples == pytest.approx(later, abs=2e-3)
    assert found.alike > 0.6  # between samples the correlation is read off beside its crest


def test_what_has_nothing_in_common_is_not_alike() -> None:
    assert abs(lag(noise(seed=1), noise(seed=2), 50).alike) < 0.1
    assert lag(np.zeros(100), np.ones(100), 10).alike == 0


@settings(max_examples=8)
@given(st.floats(0, 900), st.floats(-200, 200))
def test_a_clock_is_undone(offset: float, ppm: float) -> None:
    played, drift = np.pad(noise(4_000), 600), ppm * 1e-6
    recorded = at_moments(played, (np.arange(7_000) - offset) / (1 + drift))
    back = on_players_clock(recorded, offset, drift, len(played))
    inside = slice(1_200, -1_200)  # noise that begins at once is of no band
    assert np.abs(back - played)[inside].max() < 2e-3 * np.abs(played).max()


def test_outside_a_recording_there_is_silence() -> None:
    assert on_players_clock(np.ones(100), 5_000.0, 0.0, 30).tolist() == [0.0] * 30
    assert padded(np.ones(3), -4, -2).tolist() == [0.0, 0.0]
    assert padded(np.ones(3), 2, 5).tolist() == [1.0, 0.0, 0.0]
