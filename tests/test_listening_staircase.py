"""Just-heard levels: by hand, by the obvious sum, and of simulated listeners of known thresholds.

The table in docs/listening.md is what the simulation gives.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from literal_staircase import AT_THRESHOLD, LENGTH, TRACKS, Study, hears, simulate
from scipy.special import ndtr
from scipy.stats import t as student

from mondegreen.listening.staircase import (
    CLIPS,
    GRID,
    LOUDEST,
    LOWEST,
    SPREAD,
    Answer,
    Threshold,
    chance,
    estimate,
    of_clip,
    of_listener,
    over_listeners,
)

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "listening.md").read_text(encoding="utf-8")
STUDIES: Final = 1000
MOST: Final = 20  # listeners
CENTRE: Final = (-10.0, 5.0)  # dB, of a population's mean threshold


# ---- the psychometric function


def test_half_of_what_is_not_guessed_or_lapsed_is_heard_at_the_threshold() -> None:
    assert chance(-3.0, -3.0) == pytest.approx((0.5 + 0.98) / 2)
    assert chance(-1000.0, 0.0) == pytest.approx(0.5)
    assert chance(1000.0, 0.0) == pytest.approx(0.98)


def test_its_slope_is_that_of_a_detector_of_power() -> None:
    """d’ in proportion to the power: 4.8 % of right answers per dB at the threshold."""
    found = float(chance(0.5, 0.0) - chance(-0.5, 0.0))
    d = AT_THRESHOLD * 10 ** (np.array([-0.05, 0.05]))
    assert found == pytest.approx(float(np.diff(ndtr(d / np.sqrt(2)))[0]), abs=0.002)
    assert found == pytest.approx(0.048, abs=0.0005)


# ---- estimates

ANSWERS = st.lists(
    st.builds(Answer, st.integers(LOWEST, LOUDEST).map(float), st.booleans()),
    min_size=1,
    max_size=8,
)


@given(one=ANSWERS, other=ANSWERS)
def test_an_estimate_is_the_sum_over_all_thresholds(one: list[Answer], other: list[Answer]) -> None:
    """Over every listener and both of their thresholds, on every third point of the grid."""
    total = first = second = 0.0
    normal = lambda away, spread: np.exp(-0.5 * (away / spread) ** 2)  # noqa: E731
    likely = [
        np.prod([np.where(hit, chance(at, GRID), 1 - chance(at, GRID)) for at, hit in track], 0)
        for track in (one, other)
    ]
    step = slice(None, None, 3)
    listener = GRID[step, None, None]
    a, b = GRID[None, step, None], GRID[None, None, step]
    weight = normal(listener, SPREAD) * normal(a - listener, CLIPS) * normal(b - listener, CLIPS)
    weight = weight * likely[0][None, step, None] * likely[1][None, None, step]
    mean = (a + b) / 2
    total, first, second = weight.sum(), (weight * mean).sum(), (weight * mean**2).sum()
    found = estimate([one, other])
    assert found.db == pytest.approx(first / total, abs=0.05)
    assert found.deviation == pytest.approx(
        np.sqrt(second / total - (first / total) ** 2), abs=0.05
    )


def test_right_answers_lower_a_threshold_and_wrong_ones_raise_it() -> None:
    before = [Answer(0.0, True), Answer(-4.0, False)]
    at = estimate([before]).db
    assert estimate([[*before, Answer(-4.0, True)]]).db < at
    assert estimate([[*before, Answer(-4.0, False)]]).db > at


@pytest.mark.parametrize("right", [True, False])
def test_any_number_of_tracks_has_an_estimate(right: bool) -> None:
    found = estimate([[Answer(0.0, right)]] * 2000)
    assert GRID[0] <= found.db <= GRID[-1]
    assert (found.db < 0) == right
    assert 0 <= found.deviation < 12


def test_what_the_levels_cannot_tell_is_said_in_words() -> None:
    hears_all = of_listener([[Answer(LOWEST, True)] * 20])
    hears_nothing = of_listener([[Answer(LOUDEST, at % 2 == 0) for at in range(20)]])
    assert (hears_all.db, hears_all.low, hears_all.high) == (None, None, None)
    assert hears_all.unknown == "may lie below −40 dB, the quietest level"
    assert hears_nothing.unknown == "may lie above +20 dB, the loudest level"
    assert (hears_nothing.right, hears_nothing.answers) == (10, 20)


# ---- several listeners


def known(*values: float) -> list[Threshold]:
    return [Threshold(30, 40, 1, value, value - 4, value + 4) for value in values]


def test_the_mean_of_listeners_has_the_interval_of_student() -> None:
    values = [-6.0, -2.0, 1.0, -5.0]
    found = over_listeners(known(*values))
    low, high = student.interval(0.95, 3, np.mean(values), np.std(values, ddof=1) / 2)
    assert (found.db, found.low, found.high) == pytest.approx((-3.0, low, high))
    assert (found.right, found.answers, found.listeners) == (120, 160, 4)
    assert over_listeners(known(-6.0)) == known(-6.0)[0]


def test_one_in_ten_may_be_without_a_threshold() -> None:
    without = Threshold(20, 40, 1, unknown="may lie above +20 dB, the loudest level")
    assert over_listeners([*known(*[0.0, 1.0] * 5)[:9], without]).listeners == 9
    found = over_listeners([*known(*[0.0, 1.0] * 4), without])
    assert found.db is None
    assert found.unknown == "no threshold among the levels for 1 of 9 listeners"
    assert over_listeners([*known(0.0), without]).db is None


# ---- simulated listeners


class Recovery(NamedTuple):
    """Shares of studies within 1 dB of their listeners, and whose interval has the population."""

    within: float
    covered: float
    half: float


@cache
def studies(count: int, exponent: float, lapse: float) -> tuple[Study, list[list[Threshold]]]:
    rng = np.random.default_rng([count, round(100 * exponent), round(100 * lapse)])
    found = simulate(rng, count, MOST, exponent=exponent, lapse=lapse, population=CENTRE)
    pairs = [[found.answers(study, at) for at in range(MOST)] for study in range(count)]
    return found, [list(map(of_listener, listeners)) for listeners in pairs]


def measure(
    listeners: int, count: int = STUDIES, exponent: float = 1.0, lapse: float = 0.02
) -> Recovery:
    """Studies of the first listeners; a single one's interval is for themselves."""
    found, owns = studies(count, exponent, lapse)
    true = found.thresholds.mean(axis=2)[:, :listeners].mean(axis=1)
    claimed = true if listeners == 1 else found.population
    within, covered, half = 0, 0, []
    for study, own in enumerate(owns):
        at = over_listeners(own[:listeners])
        if at.db is not None and at.low is not None and at.high is not None:
            within += abs(at.db - true[study]) <= 1
            covered += at.low <= claimed[study] <= at.high
            half.append(at.high - at.db)
    return Recovery(within / count, covered / len(half), float(np.mean(half)))


def test_thresholds_are_recovered() -> None:
    """As the 1,000 studies below, with fewer."""
    assert (TRACKS, LENGTH) == (4, 10)
    found = measure(MOST, 60)
    assert found.within >= 0.88
    assert found.covered >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("listeners", [1, 4, 8, 12, 16, 20])
def test_thresholds_are_recovered_as_published(listeners: int) -> None:
    found = measure(listeners)
    row = re.search(rf"^\| {listeners} \| 40 \| (.*) %? \| (.*) % \| (.*) dB \|$", PAGE, re.M)
    assert row is not None
    within, covered, half = (float(cell.strip(" %")) for cell in row.groups())
    assert 100 * found.within == pytest.approx(within, abs=0.051)
    assert 100 * found.covered == pytest.approx(covered, abs=0.051)
    assert found.half == pytest.approx(half, abs=0.051)


@pytest.mark.slow
def test_twenty_listeners_are_within_1_db_in_95_percent_of_studies() -> None:
    found = measure(MOST)
    assert found.within >= 0.95
    assert found.covered >= 0.94  # 95 %, less twice the standard error of a simulated share
    assert measure(4).within < 0.9  # the simulation can fail


def test_the_threshold_of_a_clip_is_recovered() -> None:
    found, _ = studies(60, 1.0, 0.02)
    errors, covered = [], []
    for study, track in product(range(0, 60, 2), range(TRACKS)):
        tracks = [found.answers(study, listener) for listener in range(MOST)]
        at = of_clip([(own[track], own[:track] + own[track + 1 :]) for own in tracks])
        true = found.thresholds[study, :, track].mean()
        assert at.db is not None
        assert at.low is not None
        assert at.high is not None
        errors.append(at.db - true)
        covered.append(at.low <= true <= at.high)
    assert np.mean(np.abs(errors) <= 2) >= 0.9
    assert abs(np.mean(errors)) <= 0.5
    assert np.mean(covered) >= 0.9


@pytest.mark.parametrize(("centre", "words"), [(60.0, "above +20 dB"), (-75.0, "below −40 dB")])
def test_listeners_beyond_the_levels_have_no_threshold(centre: float, words: str) -> None:
    found = simulate(np.random.default_rng(0), 10, MOST, population=(centre, centre))
    for study in range(10):
        own = [of_listener(found.answers(study, at)) for at in range(MOST)]
        unknown = [one.unknown for one in own if one.unknown]
        assert len(unknown) >= 0.8 * MOST
        assert all(words in why for why in unknown)
        assert over_listeners(own).db is None


def test_a_simulated_listener_is_right_three_of_four_times_at_the_threshold() -> None:
    assert hears(np.float64(3), np.float64(3), exponent=0.7, lapse=0) == pytest.approx(0.75)
    assert hears(np.float64(99), np.float64(3), exponent=1, lapse=0.02) == pytest.approx(0.98)


if __name__ == "__main__":  # prints the rows of the tables
    for listeners in (1, 4, 8, 12, 16, 20):
        found = measure(listeners)
        cells = f"{100 * found.within:.1f} % | {100 * found.covered:.1f} % | {found.half:.1f} dB |"
        print(f"| {listeners} | 40 | {cells}", flush=True)  # noqa: T201
    for exponent, lapse in ((1.0, 0.0), (1.0, 0.05), (0.7, 0.02), (1.5, 0.02)):
        found = measure(MOST, exponent=exponent, lapse=lapse)
        cells = f"{100 * found.within:.1f} % | {100 * found.covered:.1f} % |"
        print(f"| {exponent} | {100 * lapse:.0f} % | {cells}", flush=True)  # noqa: T201
