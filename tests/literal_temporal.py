"""Temporal masking, frame by frame and bin by bin: slow, scalar, and made to be believed.

Written from the law alone, as a twin for `mondegreen.psychoacoustics.temporal`; it shares no code
with it. Levels are in dB, times in milliseconds.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def share_after(delay: float) -> float:
    """What is left of a masker: a straight line over log t through (5 ms, 1) and (200 ms, 0)."""
    if delay <= 5:
        return 1.0
    if delay >= 200:
        return 0.0
    return (math.log10(200) - math.log10(delay)) / (math.log10(200) - math.log10(5))


def share_before(time: float) -> float:
    """A straight line over t through (0 ms, 1) and (5 ms, 0)."""
    return 1 - time / 5 if time < 5 else 0.0


def share(masker: int, maskee: int, window: float, hop: float) -> float:
    """What a frame leaves to another; it may have sounded a quarter of a window off its middle."""
    apart = abs(maskee - masker) * hop + window / 4
    return share_after(apart) if maskee > masker else share_before(apart)


def masked_levels(theta: Array, quiet: Array, window: float, hop: float) -> Array:
    """Levels [frames, bins] of the threshold with temporal masking, from those without."""
    raised = theta.copy()
    frames, bins = theta.shape
    for maskee in range(frames):
        for masker in range(frames):
            if masker == maskee:
                continue
            for k in range(bins):
                above = theta[masker, k] - quiet[k]
                left = quiet[k] + above * share(masker, maskee, window, hop)
                raised[maskee, k] = max(raised[maskee, k], left)
    return raised
