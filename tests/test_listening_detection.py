"""Shares of listeners, bounds and d’: against closed forms, tables and slow implementations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from statistics import NormalDist, fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from mondegreen.listening.detection import (
    Interval,
    beyond_guessing,
    d_prime,
    hearing,
    interval,
    lower_bound,
    share_correct,
    upper_bound,
)

NORMAL = NormalDist()
CLOSE = 1e-8  # how far two bounds may be apart that are the same

listeners = st.lists(
    st.integers(1, 12).flatmap(
        lambda of: st.integers(0, of).map(lambda right: Fraction(right, of))
    ),
    min_size=1,
    max_size=30,
)


def floats(shares: Sequence[Fraction]) -> list[float]:
    return [float(share) for share in shares]


# ---- where every listener gives one answer, it is Clopper's and Pearson's interval


@pytest.mark.parametrize(
    ("hits", "answers", "low", "high"),
    [  # as in any table of exact binomial limits
        (0, 10, 0.0000, 0.3085),
        (1, 10, 0.0025, 0.4450),
        (3, 10, 0.0667, 0.6525),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0000),
        (0, 1, 0.0000, 0.9750),
    ],
)
def test_the_interval_of_single_answers_is_the_published_one(
    hits: int, answers: int, low: float, high: float
) -> None:
    found = interval([1.0] * hits + [0.0] * (answers - hits))
    assert found == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("hits", "answers"), [(0, 80), (40, 80), (79, 80), (777, 2000), (2, 3)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.975, 0.995])
def test_bounds_of_single_answers_are_quantiles_of_beta(
    hits: int, answers: int, level: float
) -> None:
    shares = [1.0] * hits + [0.0] * (answers - hits)
    assert upper_bound(shares, level) == pytest.approx(
        beta.ppf(level, hits + 1, answers - hits), abs=1e-7
    )
    if hits:
        assert lower_bound(shares, level) == pytest.approx(
            beta.ppf(1 - level, hits, answers - hits + 1), abs=1e-7
        )


@pytest.mark.parametrize("answers", [1, 2, 8, 80])
def test_bounds_without_hits_have_a_closed_form(answers: int) -> None:
    assert upper_bound([0.0] * answers) == pytest.approx(1 - 0.05 ** (1 / answers), abs=CLOSE)
    assert lower_bound([1.0] * answers) == pytest.approx(0.05 ** (1 / answers), abs=CLOSE)
    assert lower_bound([0.0] * answers) == 0
    assert upper_bound([1.0] * answers) == 1


# ---- by hand


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9])
def test_the_bound_of_one_listener_is_uniform(share: float) -> None:
    """The weight of a single share and of 1 is uniform, and so is their mean."""
    assert upper_bound([share]) == pytest.approx(share + 0.95 * (1 - share), abs=CLOSE)
    assert lower_bound([share]) == pytest.approx(share - 0.95 * share, abs=CLOSE)


def test_the_bound_of_two_listeners_is_triangular() -> None:
    """0 and 1/2, and 1: the mean has a triangular density, and 1 - 2(1 - t)² lies below t."""
    assert upper_bound([0.0, 0.5]) == pytest.approx(1 - math.sqrt(0.025), abs=CLOSE)


@pytest.mark.parametrize("count", [1, 8, 80])
def test_the_bound_of_equal_listeners_has_a_closed_form(count: int) -> None:
    assert upper_bound([0.5] * count) == pytest.approx(1 - 0.5 * 0.05 ** (1 / count), abs=CLOSE)


# ---- slow twins


def exactly_below(at: Fraction, shares: Sequence[Fraction]) -> Fraction:
    """P(Σ wᵢxᵢ ≤ at) for uniform weights and shares of which no two are the same."""
    above = sum(
        (
            (x - at) ** (len(shares) - 1) / math.prod(x - other for other in shares if other != x)
            for x in shares
            if x > at
        ),
        Fraction(0),
    )
    return 1 - above


@given(st.sets(st.integers(0, 23), min_size=1, max_size=12), st.sampled_from([0.9, 0.95, 0.975]))
def test_the_bound_is_the_quantile_by_exact_arithmetic(of_24: set[int], level: float) -> None:
    shares = [Fraction(right, 24) for right in sorted(of_24)]
    bound = Fraction(upper_bound(floats(shares), level))
    assert float(exactly_below(bound, [*shares, Fraction(1)])) == pytest.approx(level, abs=1e-7)


@pytest.mark.parametrize("count", [3, 8, 80])
def test_the_bound_is_the_quantile_of_drawn_weights(count: int) -> None:
    rng = np.random.default_rng(0)
    shares = rng.binomial(12, 0.6, count) / 12
    weights = rng.dirichlet(np.ones(count + 1), 100_000)
    drawn = np.quantile(weights @ np.append(shares, 1.0), 0.95)
    assert upper_bound(shares.tolist()) == pytest.approx(float(drawn), abs=0.003)


# ---- what must hold of any listeners


@given(listeners)
def test_the_interval_contains_the_mean_and_stays_in_range(shares: list[Fraction]) -> None:
    found = interval(floats(shares))
    assert 0 <= found.low <= fmean(shares) + CLOSE
    assert fmean(shares) - CLOSE <= found.high <= 1


@given(listeners)
def test_hits_and_misses_are_symmetric(shares: list[Fraction]) -> None:
    low, high = interval(floats(shares))
    other = interval(floats([1 - share for share in shares]))
    assert other == pytest.approx(Interval(1 - high, 1 - low), abs=CLOSE)


@given(listeners, st.randoms())
def test_the_order_of_listeners_does_not_matter(shares: list[Fraction], rng: object) -> None:
    shuffled = sorted(shares, key=lambda _: rng.random())  # type: ignore[attr-defined]
    assert interval(floats(shuffled)) == interval(floats(shares))


@given(listeners, st.data())
def test_one_more_right_answer_never_lowers_a_bound(
    shares: list[Fraction], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(shares) - 1))
    share = shares[at]
    more = [*shares]
    more[at] = (share * share.denominator + 1) / Fraction(share.denominator + 1)
    before, after = interval(floats(shares)), interval(floats(more))
    assert after.low >= before.low - CLOSE
    assert after.high >= before.high - CLOSE


@given(listeners)
def test_one_more_listener_who_is_always_right_never_lowers_the_lower_bound(
    shares: list[Fraction],
) -> None:
    assert lower_bound([*floats(shares), 1.0]) >= lower_bound(floats(shares)) - CLOSE


@given(listeners)
def test_a_higher_level_gives_a_wider_interval(shares: list[Fraction]) -> None:
    narrow, wide = interval(floats(shares), 0.8), interval(floats(shares), 0.99)
    assert wide.low <= narrow.low + CLOSE
    assert wide.high >= narrow.high - CLOSE


def test_the_number_of_listeners_counts_not_only_that_of_answers() -> None:
    """96 answers, half of them right: by 8 listeners they say less than by 96."""
    few, many = upper_bound([0.5] * 8), upper_bound([0.0, 1.0] * 48)
    assert many == pytest.approx(beta.ppf(0.95, 49, 48), abs=CLOSE)
    assert few > many + 0.05


# ---- the share of listeners that can tell


def test_guessers_leave_the_bound_of_their_number() -> None:
    found = hearing([0.5] * 12)
    assert (found.share, found.at_least) == (0, 0)
    assert found.at_most == pytest.approx(1 - 0.05 ** (1 / 12), abs=CLOSE)


def test_the_share_that_hears_it_is_found_in_a_mixture() -> None:
    found = hearing([1.0] * 20 + [0.5] * 80)
    assert found.share == pytest.approx(0.2)
    assert found.at_least == pytest.approx(2 * lower_bound([1.0] * 20 + [0.5] * 80) - 1, abs=CLOSE)
    assert 0.1 < found.at_least < 0.2 < found.at_most < 0.3


def test_unlucky_guessers_do_not_lower_the_bound_further() -> None:
    found = hearing([0.2] * 12)
    assert found.share == 0
    assert found.at_most == pytest.approx(1 - 0.05 ** (1 / 12), abs=CLOSE)


@given(listeners)
def test_the_share_that_hears_it_lies_between_its_bounds(shares: list[Fraction]) -> None:
    found = hearing(floats(shares))
    assert 0 <= found.at_least <= found.share + CLOSE
    assert found.share - CLOSE <= found.at_most <= 1


# ---- single listeners


@pytest.mark.parametrize(
    ("correct", "found"),
    [
        ([(4, 4)], 0),  # 1 of 16
        ([(5, 5)], 1),  # 1 of 32
        ([(5, 5), (5, 5)], 0),  # 0.03125 is more than half of 0.05
        ([(6, 6), (3, 6)], 1),
        ([(9, 10)], 1),  # 11 of 1024
        ([(8, 10)], 0),  # 56 of 1024
        ([(12, 12), (12, 12), (0, 12), (6, 12)], 2),
    ],
)
def test_listeners_who_are_right_too_often_are_counted(
    correct: list[tuple[int, int]], found: int
) -> None:
    assert beyond_guessing(correct) == found


def test_guessers_are_hardly_ever_counted() -> None:
    rng = np.random.default_rng(2)
    studies = [[(int(n), 12) for n in rng.binomial(12, 0.5, 40)] for _ in range(2000)]
    assert sum(beyond_guessing(study) > 0 for study in studies) <= 0.05 * 2000


# ---- d’


def by_macmillan_and_creelman(d: float) -> float:
    """The formula, literally."""
    compared, classified = NORMAL.cdf(d / math.sqrt(2)), NORMAL.cdf(d / 2)
    return compared * classified + NORMAL.cdf(-d / math.sqrt(2)) * NORMAL.cdf(-d / 2)


def by_bisection(correct: float) -> float:
    low, high = 0.0, 20.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if by_macmillan_and_creelman(middle) < correct else (low, middle)
    return low


@pytest.mark.parametrize("d", [0.0, 0.1, 0.5, 1.0, 1.79, 3.0, 6.0])
def test_the_share_correct_is_the_formula(d: float) -> None:
    assert share_correct(d) == pytest.approx(by_macmillan_and_creelman(d), abs=1e-12)


@pytest.mark.parametrize("d", [0.5, 1.0, 2.0, 3.0])
def test_the_share_correct_is_that_of_simulated_observers(d: float) -> None:
    """A and B are d apart; the greater is taken for the changed one, and X by its half."""
    rng = np.random.default_rng(1)
    clean_first, x_changed = rng.random((2, 400_000)) < 0.5
    a = rng.normal(np.where(clean_first, 0, d))
    b = rng.normal(np.where(clean_first, d, 0))
    x = rng.normal(np.where(x_changed, d, 0))
    says_b = (b > a) == (x > d / 2)
    is_b = clean_first == x_changed
    assert np.mean(says_b == is_b) == pytest.approx(share_correct(d), abs=0.003)


@pytest.mark.parametrize("correct", [0.51, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99])
def test_d_prime_solves_the_formula(correct: float) -> None:
    assert d_prime(correct) == pytest.approx(by_bisection(correct), abs=1e-6)


def test_three_of_four_right_is_a_d_prime_of_1_79() -> None:
    assert d_prime(0.75) == pytest.approx(1.79, abs=0.005)


@given(st.floats(0, 8))
def test_d_prime_inverts_the_share_correct(d: float) -> None:
    found = d_prime(share_correct(d))
    assert found is not None
    assert share_correct(found) == pytest.approx(share_correct(d), abs=1e-9)


@pytest.mark.parametrize("correct", [0.0, 0.3, 0.5])
def test_guessing_has_a_d_prime_of_zero(correct: float) -> None:
    assert d_prime(correct) == 0


def test_a_perfect_score_has_an_unbounded_d_prime() -> None:
    assert d_prime(1.0) is None
