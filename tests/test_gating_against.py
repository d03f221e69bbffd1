"""The test of a rise on pairs of clips: against closed forms, every table, and simulation."""

from __future__ import annotations

from functools import cache
from math import ceil, factorial, floor

import numpy as np
import pytest
from test_gating_rule import AT_ZERO
from test_prices import clips

from mondegreen.gating.against import Pairs, judge_worse, needed, p_larger, pairs, tango
from mondegreen.report.numbers.prices import PricedClips


def test_clips_are_compared_one_by_one() -> None:
    before = clips(1.0, 1.0, None, None, 2.0)
    now = PricedClips("now", before.by, clips(1.0, None, 0.0, -4.0).clips, (), ("c4",))
    assert pairs(now, before, AT_ZERO) == Pairs(clips=5, worse=1, better=1, unknown=1)


def test_where_no_pair_differs_the_p_value_is_a_power() -> None:
    """Nothing is as extreme as (0, 0) but itself, and 1 - rise is the most that it can have."""
    for count in (1, 10, 99):
        assert p_larger(count, 0, 0, -0.03) == pytest.approx(0.97**count)


def test_the_one_pair_of_one_clip() -> None:
    """Of an excess of 20 %, `more` alone: at most (1 + 0.2) / 2, where the other is 40 %."""
    assert p_larger(1, 1, 0, 0.2) == pytest.approx(0.6)


def test_without_a_rise_the_statistic_is_mcnemars() -> None:
    assert float(tango(50, 9, 2, 0.0)) == pytest.approx((9 - 2) / (9 + 2) ** 0.5)


def likeliest(clips: int, more: int, fewer: int, rise: float) -> float:
    """The share q of `fewer` that makes the counts likeliest, by trying all."""
    q = np.linspace(max(0.0, -rise), (1 - rise) / 2, 200_001)[1:-1]
    rest = clips - more - fewer
    logs = more * np.log(q + rise) + fewer * np.log(q) + rest * np.log(1 - rise - 2 * q)
    return float(q[logs.argmax()])


@pytest.mark.parametrize("table", [(40, 7, 2), (40, 3, 3), (12, 5, 6)])
@pytest.mark.parametrize("rise", [0.05, -0.05])
def test_the_statistic_is_at_the_likeliest_shares(table: tuple[int, int, int], rise: float) -> None:
    count, more, fewer = table
    q = likeliest(*table, rise)
    deviation = (count * (2 * q + rise - rise**2)) ** 0.5
    expected = (more - fewer - count * rise) / deviation
    assert float(tango(*table, rise)) == pytest.approx(expected, abs=1e-3)


def slowly(count: int, more: int, fewer: int, rise: float) -> float:
    """Every pair of counts, one by one."""
    seen = float(tango(count, more, fewer, rise))
    tables = [(a, b) for a in range(count + 1) for b in range(count + 1 - a)]
    extreme = [(a, b) for a, b in tables if float(tango(count, a, b, rise)) >= seen - 1e-9]

    def probability(q: float) -> float:
        p = q + rise
        return sum(
            factorial(count) / factorial(a) / factorial(b) / factorial(count - a - b)
            * p**a * q**b * (1 - p - q) ** (count - a - b)
            for a, b in extreme
        )  # fmt: skip

    steps = np.linspace(0, (1 - abs(rise)) / 2, 101) + max(0.0, -rise)
    return max(map(probability, steps))


@pytest.mark.parametrize("rise", [0.03, -0.03, 0.0, 0.4])
def test_the_p_value_is_the_sum_over_all_that_is_as_extreme(rise: float) -> None:
    for more, fewer in [(0, 0), (1, 0), (3, 1), (0, 4), (8, 0), (5, 3)]:
        assert p_larger(8, more, fewer, rise) == pytest.approx(slowly(8, more, fewer, rise))


def test_99_pairs_that_do_not_differ_show_that_it_is_no_3_percent_worse() -> None:
    assert judge_worse(Pairs(99, 0, 0, 0), AT_ZERO, 0.03).outcome == "pass"
    few = judge_worse(Pairs(98, 0, 0, 0), AT_ZERO, 0.03)
    assert (few.outcome, "too few clips to tell; 99 would do" in few.why) == ("unclear", True)


def test_what_is_not_known_counts_against_either_answer() -> None:
    assert judge_worse(Pairs(99, 0, 0, 1), AT_ZERO, 0.03).outcome == "unclear"
    assert judge_worse(Pairs(100, 14, 1, 0), AT_ZERO, 0.03).outcome == "fail"
    assert judge_worse(Pairs(100, 14, 1, 5), AT_ZERO, 0.03).outcome == "unclear"


@pytest.mark.parametrize("table", [(60, 0, 0, 0.03), (40, 2, 1, 0.05), (40, 10, 1, 0.1)])
def test_as_many_as_are_needed_do_and_one_less_does_not(table: tuple[int, int, int, float]) -> None:
    clips, worse, better, worse_by = table
    count = needed(*table)
    assert count is not None
    up, down = (ceil, floor) if worse - better < clips * worse_by else (floor, ceil)
    told = [
        judge_worse(
            Pairs(n, up(worse * n / clips), down(better * n / clips), 0), AT_ZERO, worse_by
        ).outcome
        for n in (count, count - 1)
    ]
    assert told == ["pass" if up is ceil else "fail", "unclear"]
    why = judge_worse(Pairs(clips, worse, better, 0), AT_ZERO, worse_by).why
    assert f"too few clips to tell; {count} would do" in why


def test_no_number_of_clips_tells_a_rise_from_itself() -> None:
    assert needed(100, 3, 0, 0.03) is None
    why = judge_worse(Pairs(100, 3, 0, 0), AT_ZERO, 0.03).why
    assert "not even 10,000 would do" in why


@cache
def outcome(count: int, worse: int, better: int) -> str:
    with pytest.MonkeyPatch.context() as patch:  # how many would do is not what is asked here
        patch.setattr("mondegreen.gating.against.needed", lambda *_: None)
        return judge_worse(Pairs(count, worse, better, 0), AT_ZERO, 0.1).outcome


@pytest.mark.parametrize(("count", "only_before"), [(20, 0.0), (20, 0.3), (50, 0.03)])
def test_either_answer_is_wrong_in_at_most_5_of_100_comparisons(
    count: int, only_before: float
) -> None:
    """At a rise of just what is allowed, either answer would be wrong."""
    shares = [only_before + 0.1, only_before, 0.9 - 2 * only_before]
    drawn = np.random.default_rng(0).multinomial(count, shares, 4000)
    told = [outcome(count, int(worse), int(better)) for worse, better, _ in drawn]
    for wrong in ("pass", "fail"):
        assert told.count(wrong) / 4000 <= 0.05 + 2 * (0.05 * 0.95 / 4000) ** 0.5


def test_a_large_rise_is_found() -> None:
    drawn = np.random.default_rng(0).multinomial(60, [0.35, 0.02, 0.63], 1000)
    told = [outcome(60, int(worse), int(better)) for worse, better, _ in drawn]
    assert told.count("fail") > 900
