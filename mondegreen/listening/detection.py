"""How well listeners tell sounds apart: shares with intervals and bounds, and d’.

The answers of one listener are not independent: some people hear everything, others nothing. So a
listener is one observation: the share of their answers that are right (or "yes"), in [0, 1].
Listeners are independent of each other; nothing else is assumed about the distribution of shares.

The bound on their mean is Gaffke's (2005): the quantile of Σ wᵢxᵢ, where x are the shares and an
additional 1, and the weights w are uniform over all that sum to 1. If every listener gives one
answer, it is the bound of Clopper and Pearson; if all answers of a listener agree, it is theirs
for as many listeners. That it covers the mean at least as often as its level says, whatever the
distribution, is a conjecture without a known counterexample (Learned-Miller and Thomas 2019); see
docs/listening.md for simulations.
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

GUESSING: Final = 0.5  # the share of right answers of listeners who hear nothing
LARGEST: Final = 40.0  # d’ at which the share correct is 1 in float64
TOLERANCE: Final = 1e-10

Floats = npt.NDArray[np.float64]

# Nodes for the integral in `_below`: s = sinh u, by the midpoint rule in u.
_STEP: Final = 0.1
_U: Final = np.arange(_STEP / 2, 20, _STEP)
_S: Final = np.sinh(_U)[:, None]
_WEIGHT: Final = _STEP / np.tanh(_U) / np.pi  # ds / s


class Interval(NamedTuple):
    """A lower and an upper bound, each with half of the error."""

    low: float
    high: float


@dataclass(frozen=True)
class HearingShare:
    """The share of listeners who can tell two sounds apart, if guessing is right half of the time.

    p = 2π - 1, where π is the mean share of right answers: the share of listeners who always hear
    the difference, if the others always guess. A listener who sometimes hears it counts with the
    share of trials in which they do. The bounds are one-sided.
    """

    share: float  # estimate; 0 if fewer than half of the answers are right
    at_least: float
    at_most: float  # not below what as many listeners leave of whom none can tell


def interval(shares: Sequence[float], level: float = LEVEL) -> Interval:
    """The two-sided interval of the mean share over at least one listener."""
    one_sided = (1 + level) / 2
    return Interval(lower_bound(shares, one_sided), upper_bound(shares, one_sided))


def upper_bound(shares: Sequence[float], level: float = LEVEL) -> float:
    """The one-sided upper bound of the mean share over listeners, for a level of 0.7 or more."""
    return _quantile(tuple(sorted(shares)), level)


def lower_bound(shares: Sequence[float], level: float = LEVEL) -> float:
    """The one-sided lower bound of the mean share over listeners."""
    return 1 - upper_bound([1 - share for share in shares], level)


def hearing(correct: Sequence[float]) -> HearingShare:
    """The share of listeners who can tell, from each listener's share of right answers."""
    if_nobody_could = 1 - (1 - LEVEL) ** (1 / len(correct))
    return HearingShare(
        share=_above_guessing(float(np.mean(correct))),
        at_least=_above_guessing(lower_bound(correct)),
        at_most=max(_above_guessing(upper_bound(correct)), if_nobody_could),
    )


def beyond_guessing(correct: Sequence[tuple[int, int]]) -> int:
    """How many listeners are right too often to have guessed, by exact binomial tests.

    With Bonferroni's correction over all listeners: if all of them guess, the count is above zero
    in at most one study of twenty. `correct` is each listener's right answers, and all of them.
    """
    rare = (1 - LEVEL) / len(correct)
    return sum(_by_guessing(right, of) <= rare for right, of in correct)


def share_correct(d_prime: float) -> float:
    """The share of right answers in ABX at a d’, in the independent-observation model.

    Φ(d’/√2) Φ(d’/2) + Φ(-d’/√2) Φ(-d’/2) (Macmillan and Creelman): A and B are compared, X is
    classified, and both decisions are right or both are wrong.
    """
    return 0.5 + 0.5 * math.erf(d_prime / 2) * math.erf(d_prime / math.sqrt(8))


def d_prime(correct: float) -> float | None:
    """The d’ at a share of right answers; 0 at half and below, None (unbounded) at 1."""
    from scipy.optimize import brentq  # takes half a second to import

    if correct >= share_correct(LARGEST):
        return None
    if correct <= GUESSING:
        return 0.0
    return float(brentq(lambda d: share_correct(d) - correct, 0.0, LARGEST, xtol=TOLERANCE))


def _by_guessing(right: int, of: int) -> float:
    """The probability of at least `right` hits in `of` guesses."""
    return sum(math.comb(of, hits) for hits in range(right, of + 1)) / (1 << of)


def _above_guessing(correct: float) -> float:
    return max(0.0, (correct - GUESSING) / (1 - GUESSING))


@lru_cache(maxsize=4096)
def _quantile(shares: tuple[float, ...], level: float) -> float:
    """The quantile of Σ wᵢxᵢ over the shares and an additional 1.

    The search starts at the mean, which at most 1 - 1/e lies below, and ends at Cantelli's bound.
    """
    from scipy.optimize import brentq

    values, counts = np.unique([*shares, 1.0], return_counts=True)
    if len(values) == 1:
        return 1.0
    total = len(shares) + 1
    mean = values @ counts / total
    deviation = math.sqrt((values - mean) ** 2 @ counts / total / (total + 1))
    most = min(1.0, mean + deviation * math.sqrt(level / (1 - level)))
    return float(brentq(lambda at: _below(at, values, counts) - level, mean, most, xtol=TOLERANCE))


def _below(at: float, values: Floats, counts: npt.NDArray[np.int_]) -> float:
    """P(Σ wᵢxᵢ ≤ at), 0 < P < 1, where each value occurs among the x as often as its count.

    Uniform weights are exponential variables over their sum, so this is P(Σ Eᵢ(xᵢ - at) ≤ 0),
    which Gil-Pelaez's formula takes from the characteristic function ∏ (1 - i s (xᵢ - at))⁻¹.
    """
    away = values - at
    x = _S * (away / math.sqrt(counts @ away**2))
    magnitude, phase = np.exp(-0.5 * (np.log1p(x * x) @ counts)), np.arctan(x) @ counts
    return float(0.5 - np.sum(_WEIGHT * magnitude * np.sin(phase)))
