"""At what price the clips of a run are attackable: shares of clips, with a band, and quantiles.

A clip's price is the lowest of its search's verified successes; a clip without one is beyond every
price. The share of clips attackable at or below each price is then an empirical distribution, and
its band is Kolmogorov's: it holds the whole of the true curve, at all prices at once, because
people look for a price where the curve says something. That is exact for any number of clips and
any distribution; where prices repeat, or clips are beyond, it is too wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import ceil, inf
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mondegreen.errors import MeasureError
from mondegreen.report.numbers.entries import Entry
from mondegreen.results.prices import Yardstick, lowest

Floats = NDArray[np.float64]

# how often the band holds the truth: more than 95 %, so that a simulation of 1,000 runs shows 95 %
HOLDS: Final = 0.965
QUANTILES: Final = (0.1, 0.25, 0.5, 0.75, 0.9)
ROUNDING: Final = 1e-9  # of shares that are equal but for it


@dataclass(frozen=True)
class PricedClip:
    """A clip, and what it took to attack it."""

    id: str
    aim: str  # as what it is to be heard, in words: see `mondegreen.aim`
    path: str | None  # of its item
    price: float | None  # by the yardstick; None: beyond every price


@dataclass(frozen=True)
class PricedClips:
    """The clips of one curve, by one yardstick: all that a curve or a gate needs to know."""

    label: str
    by: Yardstick
    clips: tuple[PricedClip, ...]
    missing: tuple[str, ...] = ()  # ids of those with a success that the yardstick has no value of
    unfinished: tuple[str, ...] = ()  # ids of those not attacked to the end, or that could not be

    @cached_property
    def costs(self) -> Floats:
        """[N] what they cost, rising with audibility; infinite beyond."""
        prices = (one.price for one in self.clips)
        return np.sort([inf if price is None else self.by.cost(price) for price in prices])

    @property
    def unknown(self) -> tuple[str, ...]:
        """The ids of the clips whose price is not known."""
        return self.missing + self.unfinished

    @property
    def beyond(self) -> int:
        """How many clips were not attacked with success."""
        return int(np.isinf(self.costs).sum())

    def attackable(self, price: float) -> int:
        """How many clips are attackable at or below a price."""
        return int((self.costs <= self.by.cost(price)).sum())

    @property
    def band(self) -> float:
        """How far the true share may be from the one seen, at all prices at once."""
        return _band(len(self.clips))

    def quantile(self, share: float) -> Quantile:
        """The price at which a share of the clips, above 0, is attackable."""
        low, high = share - self.band, share + self.band
        return Quantile(share, *(self._first(reached) for reached in (share, low, high)))

    def _first(self, share: float) -> float:
        """The cost at which a share of the clips that were seen is reached."""
        if share <= 0:
            return -inf
        place = ceil(share * len(self.costs) - ROUNDING)
        return float(self.costs[place - 1]) if place <= len(self.costs) else inf


@cache
def _band(clips: int) -> float:
    from scipy.stats import kstwo  # takes a second to import

    return float(kstwo.ppf(HOLDS, clips))


class Quantile(NamedTuple):
    """At what cost a share of clips is attackable, and between which costs that may be.

    Infinite: beyond all that was seen; at the lower end, minus infinite: the clips do not say.
    """

    share: float
    cost: float
    low: float
    high: float


def priced(label: str, entries: Iterable[Entry], by: Yardstick) -> PricedClips:
    """The prices of the finished clips among some entries.

    Raises:
        MeasureError: none is finished, or the yardstick has no value for any success.
    """
    clips: list[PricedClip] = []
    missing: list[str] = []
    unfinished: list[str] = []
    why = ""
    for entry in entries:
        if entry.record is None:
            unfinished.append(entry.cells.get("id", entry.cells["key"]))
            continue
        record = entry.record
        succeeded, price = lowest(record, by)
        if succeeded and price is None:
            missing.append(record.id)
            why = why or record.quality.unmeasured.get(by.field, "the record is older than it")
            continue
        path = None if entry.folder is None else str(entry.folder)
        clips.append(PricedClip(record.id, record.aim.words, path, price))
    if not clips:
        raise MeasureError(
            f"{label} has no clip with a {by.label}: {_why(why, missing)}. Expected a run with"
            " finished clips; for another yardstick, use --by."
        )
    return PricedClips(label, by, tuple(clips), tuple(missing), tuple(unfinished))


def _why(why: str, missing: Sequence[str]) -> str:
    return f"{why} ({missing[0]})" if missing else "none is finished"
