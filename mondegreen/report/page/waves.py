"""Waveforms: how loud a sound is over time, as small pictures that read well on light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

COLUMNS: Final = 500  # of a picture, each from the lowest to the highest of its samples
HALF: Final = 60  # steps from silence to the loudest sample
SOUND, CHANGE = "#8a94a3", "#d55e00"  # both stand out on white and on black


def wave(*layers: tuple[NDArray[np.integer], str]) -> bytes:
    """Sounds [T] of one length, each in its colour, one over the other and on one scale, as SVG."""
    peak = max(float(np.abs(sound.astype(np.int32)).max(initial=0)) for sound, _ in layers) or 1.0
    paths = (f'<path fill="{fill}" d="{_outline(sound / peak)}"/>' for sound, fill in layers)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS} {2 * HALF}"'
        f' preserveAspectRatio="none">{"".join(paths)}</svg>'
    ).encode()


def _outline(sound: NDArray[np.floating]) -> str:
    """A path along the highest samples of all columns, and back along the lowest."""
    columns = np.array_split(sound, COLUMNS)
    ends = ((float(c.max(initial=0.0)), float(c.min(initial=0.0))) for c in columns)
    tops, bottoms = zip(*((_step(high) - 1, _step(low) + 1) for high, low in ends), strict=True)
    forth = f"M0 {tops[0]}{_steps(tops, 1)}"
    return f"{forth}V{bottoms[-1]}{_steps(bottoms[::-1], -1)}z"


def _step(level: float) -> int:
    return HALF - round((HALF - 1) * level)


def _steps(levels: Sequence[int], way: int) -> str:
    """Lines from each level to the next, relative, a column apart."""
    rises = np.diff(levels).tolist()
    return "".join(f"l{way} {rise}" for rise in rises)
