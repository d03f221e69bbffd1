"""Levels of an item as pictures: PNGs with a palette, a pixel for each frame and band.

What is drawn comes from `mondegreen.runs.levels`. All levels share one scale, and so do all
excesses over the masking threshold, so that pictures can be compared by their colours.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from mondegreen.runs.levels import STEPS_PER_DB, Levels

COLOURS: Final = "magma"  # even in lightness, and safe for the colour-blind
HERTZ: Final = (500, 1_000, 2_000, 5_000, 10_000, 20_000)
SECONDS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Scale:
    """What colours stand for.

    Attributes:
        top_db: the brightest colour; the darkest is 0 dB.
        step_db: levels within a step have one colour.
        ticks_db: what is written beside it.
        beyond: levels above the brightest colour occur.
    """

    top_db: int
    step_db: float
    ticks_db: tuple[int, ...]
    beyond: bool

    @property
    def colours(self) -> int:
        """How many there are."""
        return round(self.top_db / self.step_db) + 1


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where it is, 0 to 1 from the axis's beginning, and what it says."""

    at: float
    label: str


LEVEL: Final = Scale(96, 1.0, (0, 24, 48, 72, 96), beyond=False)
EXCESS: Final = Scale(20, 0.5, (0, 5, 10, 15, 20), beyond=True)
PICTURES: Final = {"clip": LEVEL, "theta": LEVEL, "delta": LEVEL, "excess": EXCESS}


def picture(levels: Levels, of: str, seconds: float) -> bytes:
    """One of the four as a PNG, from the beginning of the clip to its end, low frequencies below.

    Where no whole frame lies, at either end, the picture is as dark as silence.

    Args:
        levels: of the item.
        of: a name of `PICTURES`.
        seconds: how long the clip is.
    """
    steps: NDArray[np.uint8] = getattr(levels, of)
    before, after = _missing(levels, seconds)
    return _png(np.pad(steps, ((before, after), (0, 0))).T[::-1], PICTURES[of])


def _missing(levels: Levels, seconds: float) -> tuple[int, int]:
    """How many columns there are before the first frame and after the last, each at its middle."""
    if not levels.frame_seconds:
        return 0, 0
    frames = len(levels.clip)
    missing = max(round(seconds / levels.frame_seconds) - frames, 0)
    before = min(round(levels.seconds[0] / levels.frame_seconds - 0.5), missing)
    # levels of another sound could ask for any number; those of this one ask for less than a window
    return min(before, frames), min(missing - before, frames)


def legend(scale: Scale) -> bytes:
    """The colours of a scale from left to right, one pixel high."""
    decibels = np.arange(scale.colours) * scale.step_db
    return _png(np.rint(decibels * STEPS_PER_DB).astype(np.uint8)[None], scale)


def _png(steps: NDArray[np.uint8], scale: Scale) -> bytes:
    index = steps // round(scale.step_db * STEPS_PER_DB)
    image = Image.fromarray(np.minimum(index, scale.colours - 1).astype(np.uint8), "P")
    image.putpalette(_palette(scale.colours))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@cache
def _palette(colours: int) -> list[int]:
    shades = colormaps[COLOURS](np.linspace(0, 1, colours), bytes=True)
    return [int(part) for part in np.asarray(shades)[:, :3].ravel()]


def time_ticks(seconds: float) -> list[Tick]:
    """Marks along a clip, ten or so."""
    return _ticks(seconds, SECONDS, 10, 1)


def frequency_ticks(levels: Levels) -> list[Tick]:
    """Marks up to the highest band, in kHz."""
    return _ticks(levels.clip.shape[1] * levels.band_hertz, HERTZ, 5, 1000)


def scale_ticks(scale: Scale) -> list[Tick]:
    """Marks along a scale, in decibels."""
    more = "+" if scale.beyond else ""
    last = scale.ticks_db[-1]
    return [Tick(db / scale.top_db, f"{db}{more if db == last else ''}") for db in scale.ticks_db]


def _ticks(length: float, steps: Sequence[float], most: int, unit: float) -> list[Tick]:
    """From 0 to at most `length`, at the smallest step that makes no more than `most` of them."""
    if not length > 0:
        return [Tick(0.0, "0")]
    step = next((step for step in steps if length / step < most), length)
    marks = np.arange(int(length / step) + 1) * step
    return [Tick(float(mark / length), f"{mark / unit:g}") for mark in marks]
