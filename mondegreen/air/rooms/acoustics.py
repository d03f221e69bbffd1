"""Properties of a room from its impulse response: arrival, reverberation time, direct sound.

Responses are `[L]`, at any scale. None means that a property is undefined.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

ONSET: Final = 0.1  # of the peak: the sound starts where it comes within 20 dB, ISO 3382-1
DIRECT_WITHIN: Final = 0.0005  # s from there to the crest of the direct sound
DIRECT_REACH: Final = 0.0025  # s to each side of that crest
BLOCK: Final = 0.01  # s over which a decaying level is averaged
# Lowest level of a fit in dB, and how far above the floor the response must rise for it: 10 dB
# more, ISO 3382-1. T30 if possible, else T20.
FITS: Final = ((-35.0, 45.0), (-25.0, 35.0))
FIT_FROM: Final = -5.0  # dB, where both fits start


def first_arrival(rir: NDArray[np.floating], rate: int) -> int:
    """Sample of the direct sound, which need not be the peak: reflections may add up beyond it.

    It is the crest after the first sample within 20 dB of the peak. Ripples of a fractional delay
    before the crest can reach that level, hence the two steps.

    >>> first_arrival(np.array([0.0, 0.02, 0.9, -1.0]), rate=2_000)
    3
    """
    size = np.abs(rir)
    onset = int(np.argmax(size >= ONSET * size.max()))
    return onset + int(np.argmax(size[onset : onset + 1 + round(DIRECT_WITHIN * rate)]))


def direct_to_reverberant(rir: NDArray[np.floating], rate: int) -> float | None:
    """Energy within 2.5 ms of the direct sound over all energy after it, in dB.

    Zahorik's definition (*Direct-to-reverberant energy ratio sensitivity*, JASA 112, 2002). A
    reflection within 2.5 ms counts as direct. None if nothing follows.

    >>> rir = np.zeros(1_000)
    >>> rir[[0, 500]] = 1.0, 0.1  # an echo of a tenth of the amplitude
    >>> round(direct_to_reverberant(rir, rate=1_000), 6)
    20.0
    """
    energy = np.square(rir, dtype=np.float64)
    arrival, reach = first_arrival(rir, rate), round(DIRECT_REACH * rate)
    direct = energy[max(arrival - reach, 0) : arrival + reach + 1].sum()
    reverberant = energy[arrival + reach + 1 :].sum()
    return float(10 * np.log10(direct / reverberant)) if direct and reverberant else None


def reverberation_time(rir: NDArray[np.floating], rate: int) -> float | None:
    """Seconds in which the sound decays by 60 dB (RT60), by ISO 3382.

    The slope of a straight line through the Schroeder decay from -5 to -35 dB (T30), or to -25 dB
    (T20) if the response does not rise 45 dB above its floor. None if it does not rise 35 dB
    either, or falls so fast that the fit spans less than 10 ms.

    >>> decay = 10 ** (-3 * np.arange(8_000) / 8_000)  # 60 dB in one second
    >>> round(reverberation_time(decay, rate=8_000), 2)
    1.0
    """
    power = np.square(rir[first_arrival(rir, rate) :], dtype=np.float64)
    block = round(BLOCK * rate)
    levels = power[: len(power) // block * block].reshape(-1, block).mean(1)
    if not levels.any():
        return None
    # The floor is noise or, in a clean response, the cut-off of the decay. Either way, what follows
    # the last block above it is not decay.
    floor = levels[-max(len(levels) // 10, 1) :].mean()
    above = np.flatnonzero(levels > 2 * floor)
    decay = schroeder_decay(power[: (above[-1] + 1) * block if len(above) else 0])
    for lowest, needed in FITS:
        if levels.max() >= floor * 10 ** (needed / 10):
            first, last = np.searchsorted(-decay, [-FIT_FROM, -lowest])
            if last - first < block:
                return None
            slope, _ = np.polyfit(np.arange(first, last) / rate, decay[first:last], 1)
            return float(-60 / slope)
    return None


def schroeder_decay(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energy still to come at each sample, in dB of the whole (Schroeder, JASA 37, 1965).

    Shape: squared response `[L]`, not ending in zeros -> `[L]`, falling from 0.

    >>> schroeder_decay(np.array([9.0, 0.9, 0.1])).round(6).tolist()
    [0.0, -10.0, -20.0]
    """
    to_come = np.cumsum(power[::-1])[::-1]
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(to_come / to_come[:1]))
