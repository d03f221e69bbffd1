"""How well listeners tell sounds apart: shares with their intervals, bounds, and d’.

Answers of one listener are not independent: some hear everything, others nothing. So a listener
counts as one observation, the share of his answers that are right (or "yes"), in [0, 1]. Listeners
are independent of each other; nothing else is assumed about how those shares are distributed.

The bound on their mean is Gaffke's (2005): the quantile of Σ wᵢxᵢ, where x are the shares and one
more of 1, and the weights w are uniform over all that sum to 1. Where every listener gives one
answer, it is that of Clopper and Pearson; where all answers of a listener agree, it is theirs for
as many listeners. That it covers the mean with at least its level, whatever the distribution, is a
conjecture without a known counterexample (Learned-Miller and Thomas 2019); docs/listening.md has
what simulations gave.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mondegreen.report.numbers.statistics import LEVEL

GUESSING: Final = 0.5  # the share of right answers of one who hears nothing
LARGEST: Final = 40.0  # d’, at which the share correct is 1 to the last digit
PRECISE: Final = 1e-10

Floats = npt.NDArray[np.float64]

# Nodes of the half-line for the inversion in `_below`: s = sinh u, by the midpoint rule in u.
_STEP: Final = 0.1
_U: Final = np.arange(_STEP / 2, 20, _STEP)
_S: Final = np.sinh(_U)[:, None]
_WEIGHT: Final = _STEP / np.tanh(_U) / np.pi  # ds / s


class Interval(NamedTuple):
    """From a lower to an upper bound, each of half the error."""

    low: float
    high: float


@dataclass(frozen=True)
class Hearing:
    """The share of listeners that can tell, by right answers of which guessing gives half.

    p = 2π - 1, where π is the mean share of right answers: what must hear it always, if the others
    always guess. Who hears it now and then counts with the share of trials in which he does.

    Attributes:
        share: as estimated; 0 where fewer than half of the answers are right.
        at_least: lower bound, one-sided.
        at_most: upper bound, one-sided; never less than if no one of as many listeners could tell.
    """

    share: float
    at_least: float
    at_most: float


def interval(shares: Sequence[float], level: float = LEVEL) -> Interval:
    """The two-sided interval of the mean share over listeners, of whom there is at least one."""
    one_sided = (1 + level) / 2
    return Interval(lower_bound(shares, one_sided), upper_bound(shares, one_sided))


def upper_bound(shares: Sequence[float], level: float = LEVEL) -> float:
    """The one-sided upper bound of the mean share over listeners; its level is 0.7 or more."""
    return _quantile(tuple(sorted(shares)), level)


def lower_bound(shares: Sequence[float], level: float = LEVEL) -> float:
    """The one-sided lower bound likewise."""
    return 1 - upper_bound([1 - share for share in shares], level)


def hearing(correct: Sequence[float]) -> Hearing:
    """The share of listeners that can tell.

    Args:
        correct: the share of right answers of each listener.
    """
    if_nobody_could = 1 - (1 - LEVEL) ** (1 / len(correct))
    return Hearing(
        share=_heard(float(np.mean(correct))),
        at_least=_heard(lower_bound(correct)),
        at_most=max(_heard(upper_bound(correct)), if_nobody_could),
    )


def beyond_guessing(correct: Sequence[tuple[int, int]]) -> int:
    """How many listeners are right too often to have guessed, by Bonferroni over all of them.

    That anybody among them guessed comes about in at most one study of twenty.

    Args:
        correct: right answers and all answers of each listener, each answer a guess of its own.
    """
    rare = (1 - LEVEL) / len(correct)
    return sum(_by_guessing(right, of) <= rare for right, of in correct)


def share_correct(d_prime: float) -> float:
    """The share of right answers in ABX at a d’, by the model of independent observations.

    Φ(d’/√2) Φ(d’/2) + Φ(-d’/√2) Φ(-d’/2), Macmillan and Creelman's: A and B are told apart, X is
    told to be one of the two kinds, and both are right or both are wrong.
    """
    return 0.5 + 0.5 * math.erf(d_prime / 2) * math.erf(d_prime / math.sqrt(8))


def d_prime(correct: float) -> float | None:
    """The d’ at which so many answers are right; 0 at half and less, None (boundless) at all."""
    from scipy.optimize import brentq  # takes half a second to import

    if correct >= share_correct(LARGEST):
        return None
    if correct <= GUESSING:
        return 0.0
    return float(brentq(lambda d: share_correct(d) - correct, 0.0, LARGEST, xtol=PRECISE))


def _by_guessing(right: int, of: int) -> float:
    """The chance to guess so many of so many, or more."""
    return sum(math.comb(of, hits) for hits in range(right, of + 1)) / (1 << of)


def _heard(correct: float) -> float:
    return max(0.0, (correct - GUESSING) / (1 - GUESSING))


@lru_cache(maxsize=4096)
def _quantile(shares: tuple[float, ...], level: float) -> float:
    """The quantile of Σ wᵢxᵢ over the shares and one more of 1.

    It is looked for from the mean, below which lies at most 1 - 1/e, to where Cantelli's inequality
    puts it at most.
    """
    from scipy.optimize import brentq

    values, counts = np.unique([*shares, 1.0], return_counts=True)
    if len(values) == 1:
        return 1.0
    total = len(shares) + 1
    mean = values @ counts / total
    deviation = math.sqrt((values - mean) ** 2 @ counts / total / (total + 1))
    most = min(1.0, mean + deviation * math.sqrt(level / (1 - level)))
    found = brentq(lambda at: _below(at, values, counts) - level, mean, most, xtol=PRECISE)
    return float(found)


def _below(at: float, values: Floats, counts: npt.NDArray[np.int_]) -> float:
    """P(Σ wᵢxᵢ ≤ at), 0 < P < 1, with every value as often among the x as its count.

    Uniform weights are exponential variables over their sum, so that it is P(Σ Eᵢ(xᵢ - at) ≤ 0),
    which Gil-Pelaez's formula takes from the characteristic function ∏ (1 - i s (xᵢ - at))⁻¹.
    """
    away = values - at
    x = _S * (away / math.sqrt(counts @ away**2))
    magnitude, phase = np.exp(-0.5 * (np.log1p(x * x) @ counts)), np.arctan(x) @ counts
    return float(0.5 - np.sum(_WEIGHT * magnitude * np.sin(phase)))
