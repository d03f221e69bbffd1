"""Whether the share of attackable clips has risen by more than it may: the same clips, twice.

Of the pairs, only those count in which one run's clip is attackable and the other's is not. The
test is the exact unconditional one of Hsueh, Liu and Chen (Biometrics 57, 2001, 478-483): pairs of
counts are ordered by Tango's score statistic, and the p-value is the largest that any share of
clips attackable only before gives. It is asked once whether the rise is larger than allowed, and
once whether it is smaller, each at 5 %; where neither can be shown, the clips are too few to tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mondegreen.gating.rule import MOST_CLIPS, WRONG, Limit, Ruling, too_few
from mondegreen.report.numbers.prices import PricedClips
from mondegreen.wording import number_of

Floats = NDArray[np.float64]

STEPS: Final = 100  # of the share that is attackable only before, from 0 to the largest possible
ROUNDING: Final = 1e-9  # of statistics that are equal but for it


class Pairs(NamedTuple):
    """The clips of two runs."""

    clips: int
    worse: int  # attackable only now
    better: int  # attackable only before
    unknown: int  # the price is not known, now or before


def pairs(now: PricedClips, before: PricedClips, limit: Limit) -> Pairs:
    """Compare clip by clip; both have the same ones."""
    new, old = _attackable(now, limit), _attackable(before, limit)
    known = new.keys() & old.keys()
    worse = sum(new[one] and not old[one] for one in known)
    better = sum(old[one] and not new[one] for one in known)
    clips = len(now.clips) + len(now.unknown)
    return Pairs(clips, worse, better, clips - len(known))


def _attackable(clips: PricedClips, limit: Limit) -> Mapping[str, bool]:
    return {one.id: limit.attackable(one.price) for one in clips.clips}


def judge_worse(found: Pairs, limit: Limit, worse_by: float) -> Ruling:
    """Whether the share of attackable clips has risen by at most so much.

    Pairs that are not known count against either answer: as better where a rise is to be shown, as
    worse where there is to be none.
    """
    clips, worse, better, unknown = found
    seen = f"of {number_of(clips, 'clip')}, {worse} attackable only now and {better} only before"
    if unknown:
        seen += f", {unknown} not known"
    rule = f"at most {worse_by * 100:g}% more attackable than before at {limit.words}"
    above = p_larger(clips, worse, better + unknown, worse_by)
    below = p_larger(clips, better, worse + unknown, -worse_by)
    told = (
        f"(a rise: {(worse - better) / clips:+.1%}; p = {above:.3f} for more, {below:.3f} for less)"
    )
    if below <= WRONG:
        return Ruling(rule, "pass", f"{seen} {told}")
    if above <= WRONG:
        return Ruling(rule, "fail", f"{seen} {told}")
    few = too_few(needed(clips, worse, better, worse_by))
    return Ruling(rule, "unclear", f"{seen} {told}: {few}, were the same shares to differ")


def needed(clips: int, worse: int, better: int, worse_by: float) -> int | None:
    """How many clips would do, were the same shares of them to differ; None: too many to ask for.

    >>> needed(10, 0, 0, 0.03)  # the first n with 0.97^n <= 0.05
    99
    """
    risen = worse - better > worse_by * clips
    more, fewer, rise = (worse, better, worse_by) if risen else (better, worse, -worse_by)

    def told(count: int) -> bool:
        least = floor(more * count / clips + ROUNDING)  # not in favour of an answer
        most = ceil(fewer * count / clips - ROUNDING)
        return p_larger(count, least, most, rise) <= WRONG

    few, enough = clips, 2 * clips
    while enough <= MOST_CLIPS and not told(enough):
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if told(middle) else (middle, enough)
    return enough if enough <= MOST_CLIPS else None


def p_larger(clips: int, more: int, fewer: int, rise: float) -> float:
    """The p-value of: the share of `more` exceeds that of `fewer` by at most `rise`.

    Small values speak for a larger excess.

    Args:
        clips: how many there are.
        more: how many of them differ in one way.
        fewer: how many differ in the other way.
        rise: the difference of the two shares, between -1 and 1.

    >>> round(p_larger(99, 0, 0, -0.03), 4) == round(0.97**99, 4)  # no pair differs
    True
    """
    from scipy.stats import binom  # takes a second to import

    seen, counts = tango(clips, more, fewer, rise), np.arange(clips + 1)
    # the statistic falls with `fewer`: of each `more`, what is as extreme is the first few of them
    extreme, end = np.zeros_like(counts), clips - counts + 1
    while (extreme < end).any():
        middle = (extreme + end) // 2
        is_so = (tango(clips, counts, middle, rise) >= seen - ROUNDING) & (middle < end)
        extreme, end = np.where(is_so, middle + 1, extreme), np.where(is_so, end, middle)
    few = np.linspace(0, (1 - abs(rise)) / 2, STEPS + 1)[:, None] + max(0.0, -rise)
    many = few + rise
    # [STEPS, near] farther from what is expected is nothing: 3e-14 by Hoeffding's inequality
    away = np.arange(-ceil(4 * clips**0.5), ceil(4 * clips**0.5) + 1)
    near = np.rint(clips * many).astype(int) + away
    of_more, near = binom.pmf(near, clips, many), near.clip(0, clips)
    of_fewer = binom.cdf(extreme[near] - 1, clips - near, np.minimum(few / (1 - many), 1.0))
    return min(1.0, float((of_more * of_fewer).sum(1).max()))


def tango(clips: int, more: ArrayLike, fewer: ArrayLike, rise: float) -> Floats:
    """Tango's score statistic of an excess above `rise` (Statistics in Medicine 17, 1998, 891-908).

    (more - fewer - n rise) / sqrt(n (2 q + rise (1 - rise))), where q is the likeliest share of
    `fewer` if the excess is `rise`: the larger root of 2 n q² + B q + C.
    """
    more, fewer = np.asarray(more, float), np.asarray(fewer, float)
    b = -more - fewer + (2 * clips - more + fewer) * rise
    c = -fewer * rise * (1 - rise)
    q = (np.sqrt(np.maximum(b * b - 8 * clips * c, 0)) - b) / (4 * clips)
    variance = clips * np.maximum(2 * q + rise * (1 - rise), 0)
    excess = more - fewer - clips * rise
    certain = np.where(np.abs(excess) > ROUNDING, np.copysign(np.inf, excess), 0.0)
    score: Floats = excess / np.sqrt(np.maximum(variance, ROUNDING))
    return np.where(variance > ROUNDING, score, certain)
