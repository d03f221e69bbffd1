"""The rule of the listening page in Python, and simulated listeners of known thresholds.

A listener's d’ is proportional to a power of the power of the change. Where two intervals are
compared, the share of right answers is Φ(d’ / √2); at the threshold it is three of four, before
lapses.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from mondegreen.listening.staircase import Answer

AT_THRESHOLD: Final = float(np.sqrt(2) * ndtri(0.75))  # d’
THRESHOLDS: Final = np.arange(-70.0, 51.0)
NEAR: Final = np.exp(-0.5 * ((THRESHOLDS[:, None] - THRESHOLDS) / 4) ** 2)
LISTENERS, CLIPS, INTERACTION = 4.0, 3.0, 1.0  # dB, standard deviations of thresholds
TRACKS, LENGTH = 4, 10

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def weibull(distance: Floats) -> Floats:
    """The share of right answers so many dB above the threshold, as the page assumes it."""
    return np.asarray(0.5 + 0.48 * (1 - 0.5 ** (10 ** (1.25 * distance / 10))))


FARTHEST: Final = 120
RIGHT: Final = weibull(np.arange(-FARTHEST, FARTHEST + 1.0))  # by distance in dB, to look up


def likelihood(level: Floats, right: Bools) -> Floats:
    """[N, thresholds] of one answer each, at whole levels."""
    p = RIGHT[(level[:, None] - THRESHOLDS).astype(int) + FARTHEST]
    return np.where(right[:, None], p, 1 - p)


class Staircases:
    """Staircases of N listeners with a track for each clip, as the page keeps them."""

    def __init__(self, listeners: int, tracks: int) -> None:
        self.own = np.ones((tracks, listeners, len(THRESHOLDS)))  # likelihood of a clip's threshold
        self.told = np.ones_like(self.own)  # and what it says of the listener's

    def level(self, track: int) -> Floats:
        """[N] the next level of a track."""
        listener = np.exp(-0.5 * (THRESHOLDS / 12) ** 2)
        for other, told in enumerate(self.told):
            if other != track:
                listener = listener * told
        weight = (listener @ NEAR) * self.own[track]
        return np.clip(np.floor(weight @ THRESHOLDS / weight.sum(axis=-1) + 0.5), -40, 20)

    def answer(self, track: int, level: Floats, right: Bools) -> None:
        """Take an answer of each listener."""
        self.own[track] *= likelihood(level, right)
        self.told[track] = self.own[track] @ NEAR


def hears(level: Floats, threshold: Floats, *, exponent: float, lapse: float) -> Floats:
    """The share of right answers of a listener; lapses are wrong half of the time, on average."""
    d = AT_THRESHOLD * 10 ** (exponent * (level - threshold) / 10)
    return np.asarray(0.5 + (0.5 - lapse) * (2 * ndtr(d / np.sqrt(2)) - 1))


class Study(NamedTuple):
    """Simulated studies: thresholds [studies, listeners, tracks], and their answers to [.., n]."""

    population: Floats  # [studies]
    thresholds: Floats
    levels: Floats
    right: Bools

    def answers(self, study: int, listener: int) -> list[list[Answer]]:
        """The tracks of a listener."""
        levels, right = self.levels[study, listener].tolist(), self.right[study, listener].tolist()
        return [list(map(Answer, *track)) for track in zip(levels, right, strict=True)]


def simulate(
    rng: np.random.Generator,
    studies: int,
    listeners: int,
    *,
    exponent: float = 1.0,
    lapse: float = 0.02,
    population: tuple[float, float] = (-10.0, 5.0),
) -> Study:
    """Studies of listeners and of clips that differ, of a population anywhere in a range."""
    centre = rng.uniform(*population, (studies, 1, 1))
    clips = rng.normal(0, CLIPS, (studies, 1, TRACKS))
    thresholds = centre + clips + rng.normal(0, LISTENERS, (studies, listeners, 1))
    thresholds = thresholds + rng.normal(0, INTERACTION, (studies, listeners, TRACKS))
    flat = thresholds.reshape(-1, TRACKS)
    levels, right = np.empty((*flat.shape, LENGTH)), np.empty((*flat.shape, LENGTH), dtype=bool)
    staircases = Staircases(len(flat), TRACKS)
    for at in range(LENGTH):
        for track in range(TRACKS):
            level = staircases.level(track)
            hit = rng.random(len(flat)) < hears(
                level, flat[:, track], exponent=exponent, lapse=lapse
            )
            staircases.answer(track, level, hit)
            levels[:, track, at], right[:, track, at] = level, hit
    shape = (*thresholds.shape, LENGTH)
    true = (centre + clips).mean(axis=(1, 2))
    return Study(true, thresholds, levels.reshape(shape), right.reshape(shape))
