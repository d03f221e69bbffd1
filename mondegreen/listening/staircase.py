"""The level at which a change is just heard, from answers at levels that adapt to the listener.

Levels are in dB relative to the file as it was saved: at 0 dB the change is what it is there. The
probability of a right answer at a level L is a Weibull function of the power of the change,

    p(L) = 1/2 + (1/2 - λ) (1 - 2^-10^(β (L - t) / 10)),

with a lapse rate λ. At the threshold t the change is heard in half of the trials, so about three
of four answers are right. β is not fitted: with 40 answers at adapted levels, a slope is known too
badly to help. 1.25 is close to a detector whose d’ is proportional to the power of the change,
4.8 % right answers more per dB.

A track is a listener's answers to one clip. Before any answer, a listener's threshold is normal
about 0 dB with a standard deviation of `SPREAD`, and those of the clips about it, of `CLIPS`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mondegreen.report.numbers.statistics import LEVEL

LOWEST, LOUDEST = -40, 20  # levels that are played, in dB
BEYOND: Final = 30  # dB that a threshold may lie beyond them
SLOPE: Final = 1.25  # β
LAPSE: Final = 0.02  # λ
SPREAD: Final = 12.0  # dB, of listeners' thresholds, before any answer
CLIPS: Final = 4.0  # dB, of a listener's thresholds over clips
QUANTILE: Final = 1.96  # of the normal distribution, for 95 %
MOST_KNOWN: Final = 0.9  # of listeners who must have a threshold, for a mean of them

Floats = npt.NDArray[np.float64]

GRID: Final[Floats] = np.arange(LOWEST - BEYOND, LOUDEST + BEYOND + 1.0)  # thresholds, in dB
_PRIOR: Final = -0.5 * (GRID / SPREAD) ** 2  # as a logarithm
_AMONG_CLIPS: Final = np.exp(-0.5 * ((GRID[:, None] - GRID) / CLIPS) ** 2)  # by clip, listener


class Answer(NamedTuple):
    """An answer to a trial: its level in dB, and whether it is right."""

    level: float
    right: bool


Track = Sequence[Answer]


class Estimate(NamedTuple):
    """A threshold in dB: its mean and standard deviation, given the answers."""

    db: float
    deviation: float


@dataclass(frozen=True)
class Threshold:
    """A just-heard level in dB with its interval; None where it is not known, and why not."""

    right: int  # answers
    answers: int
    listeners: int
    db: float | None = None
    low: float | None = None
    high: float | None = None
    unknown: str | None = None  # why


def chance(level: Floats | float, threshold: Floats | float) -> Floats:
    """The probability of a right answer at a level, both in dB.

    >>> [round(float(chance(level, 0.0)), 3) for level in (-40.0, 0.0, 40.0)]
    [0.5, 0.74, 0.98]
    """
    power = 10 ** (SLOPE * np.subtract(level, threshold) / 10)
    return np.asarray(0.5 + (0.5 - LAPSE) * -np.expm1(-math.log(2) * power))


def estimate(tracks: Sequence[Track]) -> Estimate:
    """The mean of a listener's thresholds over one or more tracks, given all answers.

    Given the listener, tracks are independent: their moments are taken for each possible listener,
    and weighted by the probability of the answers.
    """
    likelihood = np.stack([_likelihood(track) for track in tracks])  # [tracks, GRID]
    told = likelihood @ _AMONG_CLIPS  # [tracks, GRID], of listeners
    first = (likelihood * GRID) @ _AMONG_CLIPS / told
    second = (likelihood * GRID**2) @ _AMONG_CLIPS / told
    return _moments(
        _listener(told),
        first.mean(axis=0),
        np.sum(second - first**2, axis=0) / len(tracks) ** 2,
    )


def _likelihood(track: Track) -> Floats:
    """[GRID] the probability of the answers for each threshold, relative to the most likely one."""
    level, right = np.array(track, dtype=float).T[:, :, None]
    p = chance(level, GRID)
    likelihood = np.log(np.where(right, p, 1 - p)).sum(axis=0)
    return np.asarray(np.exp(likelihood - likelihood.max()))


def _listener(told: Floats) -> Floats:
    """[GRID] the probability of a listener's threshold, about which those of the clips lie.

    Each of [tracks, GRID] is what a track tells about it; there may be none.
    """
    log = _PRIOR + np.log(told).sum(axis=0)
    weight = np.exp(log - log.max())
    return np.asarray(weight / weight.sum())


def _moments(weight: Floats, mean: Floats, variance: Floats | float = 0.0) -> Estimate:
    """The mean and standard deviation of a mixture, in dB."""
    db = float(weight @ mean)
    return Estimate(db, math.sqrt(max(0.0, float(weight @ (variance + mean**2)) - db**2)))


def of_listener(tracks: Sequence[Track]) -> Threshold:
    """The threshold of one listener; unknown if its interval leaves the levels that are played."""
    right, answers = _count(tracks)
    found = estimate(tracks)
    low, high = found.db - QUANTILE * found.deviation, found.db + QUANTILE * found.deviation
    if low >= LOWEST and high <= LOUDEST:
        return Threshold(right, answers, 1, found.db, low, high)
    why = f"may lie above {LOUDEST:+d} dB, the loudest level" if high > LOUDEST else ""
    why += " and " if high > LOUDEST and low < LOWEST else ""
    why += f"may lie below \u2212{-LOWEST} dB, the quietest level" if low < LOWEST else ""
    return Threshold(right, answers, 1, unknown=why)


def over_listeners(listeners: Sequence[Threshold]) -> Threshold:
    """The mean threshold of listeners like these, with Student's interval; of one, their own.

    It is unknown if more than one in ten has none: the mean of the others would be another one.
    """
    if len(listeners) == 1:
        return listeners[0]
    right, answers = (sum(one.right for one in listeners), sum(one.answers for one in listeners))
    known = [one.db for one in listeners if one.db is not None]
    if len(known) < max(2, MOST_KNOWN * len(listeners)):
        without = len(listeners) - len(known)
        why = f"no threshold among the levels for {without} of {len(listeners)} listeners"
        return Threshold(right, answers, len(known), unknown=why)
    mean, half = float(np.mean(known)), _student(known)
    return Threshold(right, answers, len(known), mean, mean - half, mean + half)


def of_clip(listeners: Sequence[tuple[Track, Sequence[Track]]]) -> Threshold:
    """The mean threshold of these listeners for one clip, from their tracks of it and the others.

    The other tracks tell each listener's threshold, all tracks of the clip together how far it is
    from them: the likelihood of a distance is a cross-correlation.
    """
    distance = np.arange(1.0 - len(GRID), len(GRID))
    log = -0.5 * (distance / SPREAD) ** 2
    others = []
    for track, other in listeners:
        told = [_likelihood(one) @ _AMONG_CLIPS for one in other]
        weight = _listener(np.reshape(told, (-1, len(GRID))))
        others.append(float(weight @ GRID))
        together = np.correlate(_likelihood(track), weight, "full")
        log += np.log(np.maximum(together, np.finfo(float).tiny))
    likelihood = np.exp(log - log.max())
    found = _moments(likelihood / likelihood.sum(), distance)
    db, half = float(np.mean(others)) + found.db, QUANTILE * found.deviation
    tracks = [track for track, _ in listeners]
    return Threshold(*_count(tracks), len(tracks), db, db - half, db + half)


def _student(values: Sequence[float]) -> float:
    """Half of the interval of a mean, for two values or more."""
    from scipy.special import stdtrit

    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return float(stdtrit(len(values) - 1, (1 + LEVEL) / 2)) * error


def _count(tracks: Sequence[Track]) -> tuple[int, int]:
    return sum(one.right for track in tracks for one in track), sum(map(len, tracks))
