"""The rule of the gate: how large the share of attackable clips may be, and how surely.

The clips are taken for a sample, and the share of it is bounded from each side by Clopper and
Pearson's exact 95 % bounds. The gate passes only where the upper bound is within what is allowed,
and fails only where the lower bound is above it; where neither is so, the clips are too few to
tell. Either answer is thus wrong in at most 5 of 100 runs, for any true share and number of clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mondegreen.errors import OptionError
from mondegreen.report.numbers.prices import PricedClips
from mondegreen.results.prices import YARDSTICKS, Yardstick
from mondegreen.wording import number_of

Outcome = Literal["pass", "fail", "unclear"]
Floats = NDArray[np.float64]

WRONG: Final = 0.05  # how often either answer may be wrong
MOST_CLIPS: Final = 10_000  # more than these are not asked for
ROUNDING: Final = 1e-9  # of a share times a number of clips


@dataclass(frozen=True)
class Limit:
    """The price that is fixed beforehand: what is attackable at or below it counts."""

    by: Yardstick
    price: float

    @classmethod
    def read(cls, text: str) -> Limit:
        """A yardstick and a price, as "margin:0".

        Raises:
            OptionError: it is something else.
        """
        name, _, number = text.partition(":")
        by = next((one for one in YARDSTICKS.values() if one.name == name), None)
        if by is None:
            raise OptionError(
                f"Got {text!r:.60} for --below, by which no price is taken. Expected one of:"
                f" {', '.join(YARDSTICKS)}; then a price, as margin:0."
            )
        price = _number(number)
        if price is not None and by.scale is not None and not by.scale[0] <= price <= by.scale[1]:
            raise OptionError(
                f"Got {text!r:.60} for --below, but {by.label} goes from {by.scale[0]:g} to"
                f" {by.scale[1]:g}: at such a price all would count, or nothing."
            )
        if price is None:
            raise OptionError(
                f"Got {text!r:.60} for --below, whose price is not a number. Expected one after the"
                f" colon, as {name}:0."
            )
        return cls(by, price)

    @property
    def words(self) -> str:
        """As "margin 0 or less audible"."""
        return f"{self.by.name} {self.price:g} or less audible"

    def attackable(self, price: float | None) -> bool:
        """Whether a clip's price is at or below the limit; None is beyond."""
        return price is not None and self.by.cost(price) <= self.by.cost(self.price)


def read_share(text: str, flag: str) -> float:
    """A share of clips, as "5%".

    Raises:
        OptionError: it is something else, or nothing could be decided by it.
    """
    share = _number(text.removesuffix("%")) if text.endswith("%") else None
    if share is None or not 0 < share < 100:
        raise OptionError(
            f"Got {text!r:.60} for {flag}, expected a share of the clips between 0% and 100%, with"
            " the percent sign, as 5%. (No number of clips can show that it is 0%.)"
        )
    return share / 100


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


@dataclass(frozen=True)
class Ruling:
    """What one rule says of a run."""

    rule: str  # in words
    outcome: Outcome
    why: str  # a sentence


def upper(hits: ArrayLike, clips: ArrayLike) -> Floats:
    """The upper 95 % bound of a share of which so many hits were seen (Clopper and Pearson).

    >>> f"{float(upper(0, 59)):.4f}"  # the share p with (1 - p)^59 = 0.05
    '0.0495'
    """
    from scipy.stats import beta  # takes a second to import

    hits, clips = np.asarray(hits), np.asarray(clips)
    rest = np.maximum(clips - hits, 1)
    return np.where(hits < clips, beta.ppf(1 - WRONG, hits + 1, rest), 1.0)


def lower(hits: ArrayLike, clips: ArrayLike) -> Floats:
    """The lower one."""
    return 1 - upper(np.asarray(clips) - hits, clips)


def judge_share(clips: PricedClips, limit: Limit, allow: float) -> Ruling:
    """Whether at most a share of the clips is attackable at or below a price.

    Clips whose price is not known, because they are not finished or not measured, count against
    either answer.
    """
    hits, unknown = clips.attackable(limit.price), len(clips.unknown)
    total = len(clips.clips) + unknown
    low, high = float(lower(hits, total)), float(upper(hits + unknown, total))
    seen = f"{hits} of {number_of(total, 'clip')} attackable ({hits / total:.1%})"
    if unknown:
        seen += f", {unknown} not known"
    rule = f"at most {allow * 100:g}% attackable at {limit.words}"
    if high <= allow:
        return Ruling(rule, "pass", f"{seen}; with 95 % confidence at most {high:.1%}")
    if low > allow:
        return Ruling(rule, "fail", f"{seen}; with 95 % confidence at least {low:.1%}")
    may = f"{seen}; with 95 % confidence each way {low:.1%} to {high:.1%}"
    few = too_few(needed(hits / total, total + 1, allow))
    return Ruling(rule, "unclear", f"{may}: {few}, were the same share attackable")


def too_few(needed: int | None) -> str:
    """That the clips do not tell, and how many would; None: more than are asked for."""
    enough = f"{needed:,} would do" if needed else f"not even {MOST_CLIPS:,} would do"
    return f"too few clips to tell; {enough}"


def needed(share: float, clips: int, allow: float) -> int | None:
    """How many clips would do, were the same share of them attackable; None: too many to ask for.

    >>> needed(0.0, 10, 0.05)
    59
    """
    counts = np.arange(clips, MOST_CLIPS + 1)
    if share <= allow:
        told = upper(np.ceil(share * counts - ROUNDING), counts) <= allow
    else:
        told = lower(np.floor(share * counts + ROUNDING), counts) > allow
    return int(counts[told.argmax()]) if told.any() else None
