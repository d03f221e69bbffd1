"""Shares, means, distributions and word error rates over clips, each with how many it speaks of.

Intervals are 95 %: Wilson's for a share of clips, Student's t for a mean over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mondegreen.text import WordErrors

LEVEL: Final = 0.95  # of every interval


@dataclass(frozen=True)
class Share:
    """`hits` of `clips`, with Wilson's interval; None where there are no clips."""

    hits: int
    clips: int
    share: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, hits: int, clips: int) -> Share:
        """A share with its interval."""
        from scipy.stats import binomtest  # takes a second to import

        if clips == 0:
            return Share(0, 0, None, None, None)
        interval = binomtest(hits, clips).proportion_ci(LEVEL, method="wilson")
        return Share(hits, clips, hits / clips, float(interval.low), float(interval.high))


@dataclass(frozen=True)
class Mean:
    """A mean of shares over clips; its interval takes two of them, and is cut to [0, 1]."""

    clips: int
    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, shares: Sequence[float]) -> Mean | None:
        """The mean with Student's interval, which one clip does not have; None of no clips."""
        from scipy.stats import t as student

        if not shares:
            return None
        mean, count = float(np.mean(shares)), len(shares)
        if count == 1:
            return Mean(1, mean, None, None)
        error = np.std(shares, ddof=1) / np.sqrt(count)
        reach = float(student.ppf((1 + LEVEL) / 2, count - 1) * error)
        return Mean(count, mean, max(mean - reach, 0.0), min(mean + reach, 1.0))


@dataclass(frozen=True)
class Distribution:
    """A distribution over clips; quartiles by linear interpolation."""

    count: int
    skipped: int  # verified clips that have no such value
    mean: float
    least: float
    quartile_1: float
    median: float
    quartile_3: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Distribution | None:
        """The distribution of the known values; None where there are none."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        quantiles = np.quantile(known, [0, 0.25, 0.5, 0.75, 1]).tolist()
        skipped = len(values) - len(known)
        return Distribution(len(known), skipped, float(np.mean(known)), *quantiles)


@dataclass(frozen=True)
class ErrorRate:
    """Word errors over several clips: all of them pooled, and the clip in the middle.

    One transcript that loops can decide the pooled rate, but not the median.
    """

    clips: int
    errors: int
    words: int  # in the references
    characters: int  # likewise, in scripts without spaces between words
    rate: float | None  # all errors over all words, see `mondegreen.text.WordErrors`
    median: float | None  # of the clips' own rates; None where there are none, like the rate

    @classmethod
    def of(cls, counts: Sequence[WordErrors]) -> ErrorRate:
        """The rates of several clips."""
        total = sum(counts, WordErrors(0, 0))
        both = (total.rate, float(np.median([c.rate for c in counts]))) if counts else (None, None)
        return ErrorRate(len(counts), total.errors, total.words, total.characters, *both)
