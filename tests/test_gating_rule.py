"""The rule of the gate: exact bounds of a share, and how many clips would do."""

from __future__ import annotations

from math import ceil, comb, floor

import numpy as np
import pytest
from test_prices import clips

from mondegreen.errors import OptionError
from mondegreen.gating.rule import Limit, judge_share, lower, needed, read_share, upper
from mondegreen.report.numbers.prices import PricedClips
from mondegreen.results.prices import YARDSTICKS

AT_ZERO = Limit(YARDSTICKS["margin"], 0.0)


def of(hits: int, count: int, unknown: int = 0) -> PricedClips:
    found = clips(*[1.0] * hits, *[None] * (count - hits))
    return PricedClips("run", found.by, found.clips, (), tuple(f"u{n}" for n in range(unknown)))


def at_most(hits: int, count: int, share: float) -> float:
    """P(X <= hits), X binomial."""
    return sum(comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(hits + 1))


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (0, 59), (3, 10), (9, 10), (17, 200)])
def test_at_a_bound_what_was_seen_has_a_probability_of_one_in_twenty(hits: int, count: int) -> None:
    assert at_most(hits, count, float(upper(hits, count))) == pytest.approx(0.05)
    low = float(lower(hits, count))
    assert (1 - at_most(hits - 1, count, low) if hits else low + 0.05) == pytest.approx(0.05)


def test_all_of_the_clips_bound_nothing_from_above() -> None:
    assert float(upper(10, 10)) == 1.0
    assert float(lower(10, 10)) == pytest.approx(0.05 ** (1 / 10))


def test_59_clips_of_which_none_is_attackable_pass_5_percent_and_58_do_not() -> None:
    assert judge_share(of(0, 59), AT_ZERO, 0.05).outcome == "pass"
    few = judge_share(of(0, 58), AT_ZERO, 0.05)
    assert few.outcome == "unclear"
    assert "too few clips to tell; 59 would do" in few.why


@pytest.mark.parametrize(("hits", "outcome"), [(5, "pass"), (20, "unclear"), (40, "fail")])
def test_what_is_between_the_bounds_cannot_be_told(hits: int, outcome: str) -> None:
    assert judge_share(of(hits, 200), AT_ZERO, 0.1).outcome == outcome


def test_what_is_not_known_counts_against_either_answer() -> None:
    assert judge_share(of(0, 70), AT_ZERO, 0.05).outcome == "pass"
    assert judge_share(of(0, 69, unknown=1), AT_ZERO, 0.05).outcome == "unclear"
    assert judge_share(of(0, 92, unknown=1), AT_ZERO, 0.05).outcome == "pass"
    assert judge_share(of(3, 3), AT_ZERO, 0.3).outcome == "fail"
    assert judge_share(of(3, 3, unknown=2), AT_ZERO, 0.3).outcome == "unclear"


@pytest.mark.parametrize(("share", "allow"), [(0.0, 0.05), (0.02, 0.05), (0.2, 0.05), (0.5, 0.4)])
def test_as_many_as_are_needed_do_and_one_less_does_not(share: float, allow: float) -> None:
    count = needed(share, 1, allow)
    assert count is not None
    whole = ceil if share < allow else floor  # not in favour of an answer
    told = [
        judge_share(of(whole(round(share * n, 9)), n), AT_ZERO, allow).outcome
        for n in (count, count - 1)
    ]
    assert told[0] == ("pass" if share < allow else "fail")
    assert told[1] == "unclear"


def test_no_number_of_clips_tells_a_share_from_itself() -> None:
    assert needed(0.05, 1, 0.05) is None
    assert "not even 10,000 would do" in judge_share(of(1, 20), AT_ZERO, 0.05).why


@pytest.mark.parametrize(("truth", "wrong"), [(0.1, "pass"), (0.0999, "fail")])
@pytest.mark.parametrize("count", [30, 300])
def test_either_answer_is_wrong_in_at_most_5_of_100_runs(
    truth: float, wrong: str, count: int
) -> None:
    hits = np.random.default_rng(0).binomial(count, truth, 4000)
    told = {int(n): judge_share(of(int(n), count), AT_ZERO, 0.1).outcome for n in set(hits)}
    share = np.mean([told[int(n)] == wrong for n in hits])
    assert share <= 0.05 + 2 * (0.05 * 0.95 / 4000) ** 0.5
    assert share > 0.01  # and no more careful than it must be


def test_a_price_is_at_or_below_the_limit_where_it_is_as_audible_or_less() -> None:
    assert [AT_ZERO.attackable(price) for price in (1.0, 0.0, -0.1, None)] == [
        True,
        True,
        False,
        False,
    ]
    excess = Limit.read("excess:3")
    assert [excess.attackable(price) for price in (2.0, 3.0, 3.1)] == [True, True, False]


def test_limits_and_shares_are_read() -> None:
    assert Limit.read("zimtohrli:4.5") == Limit(YARDSTICKS["zimtohrli"], 4.5)
    assert Limit.read("margin:-3") == Limit(YARDSTICKS["margin"], -3.0)
    assert [read_share(text, "--allow") for text in ("5%", "12.5 %")] == [0.05, 0.125]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("loudness:0", "by which no price is taken"),
        ("", "by which no price is taken"),
        ("margin", "price is not a number"),
        ("margin:", "price is not a number"),
        ("margin:quiet", "price is not a number"),
        ("margin:nan", "price is not a number"),
        ("margin:inf", "price is not a number"),
    ],
)
def test_what_is_no_limit_is_refused(text: str, fault: str) -> None:
    with pytest.raises(OptionError, match=fault):
        Limit.read(text)


@pytest.mark.parametrize("text", ["5", "0.05", "", "%", "0%", "100%", "-1%", "nan%", "five%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="expected a share of the clips"):
        read_share(text, "--allow")
