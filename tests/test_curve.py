"""Margins: found where a yardstick crosses its mark, whatever the yardstick does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mondegreen.errors import MeasureError
from mondegreen.measures import curve
from mondegreen.measures.curve import FARTHEST, margin, margins
from mondegreen.results.verdict import MASKING, PESQ, YARDSTICKS, ZIMTOHRLI

CLEAN = 0.1 * np.sin(np.arange(8_000))
NOISE = np.random.default_rng(0).normal(0, 1e-3, 8_000)


@given(st.integers(-FARTHEST, FARTHEST - 1))
def test_the_last_level_that_passes_is_found(last: int) -> None:
    assert margin(lambda level: level <= last) == last


@pytest.mark.parametrize("always", [True, False])
def test_a_mark_that_is_not_crossed_has_no_margin(always: bool) -> None:
    with pytest.raises(MeasureError, match="within 40 dB"):
        margin(lambda _: always)


def test_the_change_is_turned_by_decibels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A yardstick that says the level of the change passes at a level that is known."""

    def loudness(clean: np.ndarray, changed: np.ndarray, _: int) -> float:
        return float(20 * np.log10(np.std(changed - clean)))  # -60 dB at 0

    for one in YARDSTICKS:
        monkeypatch.setitem(curve.VALUES, one.name, lambda *of: -loudness(*of))
    monkeypatch.setitem(curve.VALUES, MASKING.name, lambda *of: loudness(*of) + 67.4 + 0.5)
    found = {one.yardstick: one for one in margins(CLEAN, CLEAN + NOISE, 16_000)}
    exact = 20 * np.log10(np.std(NOISE))
    assert exact == pytest.approx(-60, abs=0.2)
    assert found[MASKING].level == np.floor(-67.4 - exact)
    assert found[ZIMTOHRLI].why == found[PESQ].why == "it does not cross its mark within 40 dB"


def test_a_yardstick_that_fails_costs_its_margin_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> float:
        raise RuntimeError("its code crashed (SIGSEGV)")

    monkeypatch.setitem(curve.VALUES, ZIMTOHRLI.name, broken)
    monkeypatch.setitem(curve.VALUES, PESQ.name, lambda *_: 1.0)
    found = {one.yardstick: one for one in margins(CLEAN, CLEAN + NOISE, 16_000)}
    assert (found[ZIMTOHRLI].level, found[ZIMTOHRLI].why) == (None, "its code crashed (SIGSEGV)")
    assert found[MASKING].level is not None
    assert found[MASKING].level < 0  # white noise at 37 dB


def test_no_change_has_no_margin() -> None:
    assert {one.why for one in margins(CLEAN, CLEAN, 16_000)} == {"the two do not differ"}


def test_louder_than_full_scale_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = []

    def peak(_: np.ndarray, changed: np.ndarray, __: int) -> float:
        peaks.append(np.abs(changed).max())
        return 5.0

    for one in YARDSTICKS:
        monkeypatch.setitem(curve.VALUES, one.name, peak)
    assert len(list(margins(CLEAN, CLEAN + 0.2 * np.sign(CLEAN), 16_000))) == len(YARDSTICKS)
    assert max(peaks) == 1.0
