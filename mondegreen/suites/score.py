"""The mishear score: at which price half of a suite's clips are attackable, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isnan, nan
from typing import Final, NamedTuple

from mondegreen.report.numbers.prices import PricedClips
from mondegreen.results.card import Cost, MishearScore

WRONG: Final = 0.05  # how often the interval may miss


class Ranks(NamedTuple):
    """Of sorted prices, counted from 1, the two that enclose the median; outside: unbounded."""

    low: int
    high: int


def ranks(clips: int) -> Ranks:
    """The order statistics between which the median lies in at least 95 of 100 samples.

    Of N prices, the number below the true median is binomial with p = 1/2, whatever their
    distribution (Conover, *Practical Nonparametric Statistics*, 3.2). Of few clips one end, or
    both, may lie outside.

    >>> ranks(20)
    Ranks(low=6, high=15)
    """
    from scipy.stats import binom  # takes a second to import

    low = int(binom.ppf(WRONG / 2, clips, 0.5))
    return Ranks(low, clips + 1 - low)


def mishear_score(clips: PricedClips) -> MishearScore:
    """The score of priced clips: half of them are attackable at or below it.

    It is "beyond" where fewer than half were heard as their targets at any price. Clips whose price
    is not known may be anywhere: the interval holds whatever they cost.
    """
    costs, unknown = [float(cost) for cost in clips.costs], [nan] * len(clips.unknown)
    least, most = unknown + costs, costs + unknown  # from the least audible on
    low, high = ranks(len(most))

    def price(costs: Sequence[float], rank: int) -> Cost:
        if not 1 <= rank <= len(costs) or isnan(costs[rank - 1]):
            return "unknown"
        return "beyond" if costs[rank - 1] == inf else clips.by.cost(costs[rank - 1])

    half = (len(most) + 1) // 2
    return MishearScore(clips.by.name, price(most, half), price(least, low), price(most, high))
