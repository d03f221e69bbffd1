"""The supplement's equations (1)-(14) read word by word: slow, scalar, and made to be believed.

Written from the supplement alone, as a twin for `mondegreen.psychoacoustics`; it shares no code
with it. Levels are in dB as in section 1, powers only where section 2 takes the logarithm away.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def decibels(power: float) -> float:
    return 10 * math.log10(power) if power > 0 else -math.inf


def periodic_hann(window: int) -> Array:
    return np.array([0.5 - 0.5 * math.cos(2 * math.pi * n / window) for n in range(window)])


def frame_powers(samples: Array, window: int, hop: int) -> Array:
    """Eq. (12) for each whole frame: [frames, bins]."""
    hann = periodic_hann(window)
    powers = []
    for start in range(0, len(samples) - window + 1, hop):
        spectrum = np.fft.rfft(hann * samples[start : start + window])
        powers.append([abs(s / window) ** 2 for s in spectrum])
    return np.array(powers)


def frequency(k: int, window: int, sample_rate: int) -> float:
    """Eq. (4)."""
    return k / window * sample_rate


def bark(f: float) -> float:
    """Eq. (5)."""
    return 13 * math.atan(0.76 * f / 1000) + 3.5 * math.atan((f / 7500) ** 2)


def ath(f: float) -> float:
    """Eq. (3) in dB; minus infinity where the text says that it does not apply."""
    if not 20 <= f <= 20000:
        return -math.inf
    khz = f / 1000
    return 3.64 * math.pow(khz, -0.8) - 6.5 * math.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4


def is_local_maximum(levels: list[float], k: int) -> bool:
    """Eq. (1)."""
    return levels[k - 1] <= levels[k] and levels[k] >= levels[k + 1]


def is_heard(levels: list[float], k: int, f: float) -> bool:
    """Eq. (2), where eq. (3) applies."""
    return ath(f) > -math.inf and levels[k] >= ath(f)


def is_highest_around(levels: list[float], k: int, barks: list[float]) -> bool:
    """The third criterion."""
    return all(
        levels[k] >= levels[other]
        for other in range(len(levels))
        if abs(barks[other] - barks[k]) < 0.5
    )


def smoothed_level(levels: list[float], k: int) -> float:
    """Eq. (6)."""
    return decibels(sum(math.pow(10, levels[n] / 10) for n in (k - 1, k, k + 1)))


def slope(level: float) -> float:
    """Eq. (9)."""
    return -27 + 0.37 * max(level - 40, 0)


def spreading(level: float, masker_bark: float, maskee_bark: float) -> float:
    """Eqs. (7) and (8)."""
    distance = maskee_bark - masker_bark
    return 27 * distance if distance <= 0 else slope(level) * distance


def masker_threshold(level: float, masker_bark: float, maskee_bark: float) -> float:
    """Eq. (10)."""
    return level - 6.025 - 0.275 * masker_bark + spreading(level, masker_bark, maskee_bark)


def frame_threshold(levels: list[float], sample_rate: int, window: int) -> tuple[list[float], int]:
    """Eq. (11), as power by eq. (14), of one frame of normalised levels; its number of maskers."""
    hertz = [frequency(k, window, sample_rate) for k in range(len(levels))]
    barks = [bark(f) for f in hertz]
    maskers = [
        k
        for k in range(1, len(levels) - 1)
        if is_local_maximum(levels, k)
        and is_heard(levels, k, hertz[k])
        and is_highest_around(levels, k, barks)
    ]
    strengths = {k: smoothed_level(levels, k) for k in maskers}
    theta = []
    for k in range(len(levels)):
        power = 10 ** (ath(hertz[k]) / 10)
        for i in maskers:
            power += 10 ** (masker_threshold(strengths[i], barks[i], barks[k]) / 10)
        theta.append(power)
    return theta, len(maskers)


def clip_threshold(
    samples: Array, sample_rate: int, window: int, hop: int
) -> tuple[Array, list[int], float]:
    """Theta [frames, bins], maskers of each frame, and max p_x, of one clip."""
    powers = frame_powers(samples, window, hop)
    psd_max = float(powers.max())
    thetas, counts = [], []
    for frame in powers:
        levels = [96 - decibels(psd_max) + decibels(p) for p in frame]
        theta, count = frame_threshold(levels, sample_rate, window)
        thetas.append(theta)
        counts.append(count)
    return np.array(thetas), counts, psd_max


def clip_loss(delta: Array, theta: Array, psd_max: float, window: int, hop: int) -> float:
    """Mean hinge of eq. (13) over theta."""
    powers = frame_powers(delta, window, hop)
    total = 0.0
    for t in range(theta.shape[0]):
        for k in range(theta.shape[1]):
            total += max(10**9.6 * powers[t, k] / psd_max - theta[t, k], 0)
    return total / theta.size
