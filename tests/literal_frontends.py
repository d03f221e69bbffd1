"""Three feature extractors read word by word: slow, scalar, and made to be believed.

Written from the definitions of the transforms, as twins for `mondegreen.victims.frontends`; they
share no code with it nor with transformers. One clip at a time, lists of numbers, no padding.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from itertools import pairwise

Samples = list[float]
Rows = list[list[float]]


def hann(length: int, *, periodic: bool) -> Samples:
    period = length if periodic else length - 1
    return [0.5 - 0.5 * math.cos(2 * math.pi * n / period) for n in range(length)]


def power_spectrum(frame: Samples, size: int) -> list[float]:
    """|DFT|² of a frame with zeros behind it, from 0 Hz to the Nyquist frequency."""
    unit = [cmath.exp(-2j * math.pi * turn / size) for turn in range(size)]
    return [
        abs(sum(x * unit[k * n % size] for n, x in enumerate(frame))) ** 2
        for k in range(size // 2 + 1)
    ]


# ---- mel scales


def slaney_mel(f: float) -> float:
    """Linear up to 1 kHz, which is 15 mel; then 27 mel for each factor of 6.4."""
    return 15 * f / 1000 if f < 1000 else 15 + 27 * math.log(f / 1000) / math.log(6.4)


def slaney_hertz(mel: float) -> float:
    return 1000 * mel / 15 if mel < 15 else 1000 * math.exp((mel - 15) * math.log(6.4) / 27)


def kaldi_mel(f: float) -> float:
    return 1127 * math.log(1 + f / 700)


def kaldi_hertz(mel: float) -> float:
    return 700 * (math.exp(mel / 1127) - 1)


def corners(low: float, high: float, count: int) -> list[float]:
    """Equally spaced: where each of `count` triangles begins, peaks (one on) and ends (two on)."""
    return [low + (high - low) * m / (count + 1) for m in range(count + 2)]


def triangle(x: float, left: float, peak: float, right: float) -> float:
    return max(0.0, min((x - left) / (peak - left), (right - x) / (right - peak)))


def slaney_filters(rate: int, bins: int, mels: int, high: float) -> Rows:
    """Triangles over hertz, each of area 1: [mels][bins]."""
    f = [slaney_hertz(mel) for mel in corners(0, slaney_mel(high), mels)]
    spectrum = [k * (rate / 2) / (bins - 1) for k in range(bins)]
    return [
        [2 / (f[m + 2] - f[m]) * triangle(x, f[m], f[m + 1], f[m + 2]) for x in spectrum]
        for m in range(mels)
    ]


def kaldi_filters(rate: int, bins: int, mels: int) -> Rows:
    """Triangles over mel, each of height 1, from 20 Hz up: [mels][bins]."""
    c = corners(kaldi_mel(20), kaldi_mel(rate / 2), mels)
    spectrum = [kaldi_mel(k * (rate / 2) / (bins - 1)) for k in range(bins)]
    return [[triangle(x, c[m], c[m + 1], c[m + 2]) for x in spectrum] for m in range(mels)]


def dot(a: Samples, b: Samples) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


# ---- standardising


def moments(values: Samples, missing: int = 0) -> tuple[float, float]:
    """Mean and standard deviation, which divides by the number of values less `missing`."""
    mean = sum(values) / len(values)
    squares = sum((x - mean) ** 2 for x in values)
    return mean, math.sqrt(squares / (len(values) - missing))


def by_column(rows: Rows, change: Callable[[Samples], Samples]) -> Rows:
    columns = [change([row[m] for row in rows]) for m in range(len(rows[0]))]
    return [[column[t] for column in columns] for t in range(len(rows))]


def waveform(samples: Samples) -> Samples:
    mean, deviation = moments(samples)
    return [(x - mean) / math.sqrt(deviation**2 + 1e-7) for x in samples]


# ---- the extractors


def whisper(samples: Samples, rate: int, seconds: int, n_fft: int, hop: int, mels: int) -> Rows:
    """[mels][frames]: log10 of mel power, at most 8 below the loudest, then (x + 4) / 4."""
    filters = slaney_filters(rate, n_fft // 2 + 1, mels, 8000)
    window = hann(n_fft, periodic=True)
    size = seconds * rate
    padded = samples + [0.0] * (size - len(samples))

    def sample(n: int) -> float:
        n = abs(n)  # mirrored at the first sample, and at the last
        return padded[n if n < size else 2 * (size - 1) - n]

    rows = []
    for t in range(size // hop):
        start = t * hop - n_fft // 2
        spectrum = power_spectrum([w * sample(start + n) for n, w in enumerate(window)], n_fft)
        rows.append([math.log10(max(dot(row, spectrum), 1e-10)) for row in filters])
    loudest = max(max(row) for row in rows)
    return [[(max(row[m], loudest - 8) + 4) / 4 for row in rows] for m in range(mels)]


def parakeet(
    samples: Samples,
    rate: int,
    n_fft: int,
    window_length: int,
    hop: int,
    mels: int,
    preemphasis: float,
) -> Rows:
    """[frames][mels], the clip's own frames."""
    filters = slaney_filters(rate, n_fft // 2 + 1, mels, rate / 2)
    emphasised = samples[:1] + [x - preemphasis * before for before, x in pairwise(samples)]
    window = hann(window_length, periodic=False)
    rows = []
    for t in range(len(samples) // hop):
        start = t * hop - n_fft // 2 + (n_fft - window_length) // 2
        inside = [n if 0 <= n < len(samples) else None for n in range(start, start + window_length)]
        frame = [
            0.0 if n is None else w * emphasised[n] for n, w in zip(inside, window, strict=True)
        ]
        spectrum = power_spectrum(frame, n_fft)
        rows.append([math.log(dot(row, spectrum) + 2**-24) for row in filters])

    def standardised(column: Samples) -> Samples:
        mean, deviation = moments(column, missing=1)
        return [(x - mean) / (deviation + 1e-5) for x in column]

    return by_column(rows, standardised)


def kaldi(
    samples: Samples,
    rate: int,
    mels: int,
    *,
    means: bool,
    variances: bool,
    size: int = 400,
    hop: int = 160,
    n_fft: int = 512,
) -> Rows:
    """[frames][mels]: frames of `size` samples every `hop`, spectra of `n_fft`."""
    filters = kaldi_filters(rate, n_fft // 2 + 1, mels)
    window = [w**0.85 for w in hann(size, periodic=False)]
    rows = []
    for start in range(0, len(samples) - size + 1, hop):
        frame = [x * 32768 for x in samples[start : start + size]]
        mean = sum(frame) / size
        frame = [x - mean for x in frame]
        before = [frame[0], *frame[:-1]]
        frame = [w * (x - 0.97 * y) for w, x, y in zip(window, frame, before, strict=True)]
        spectrum = power_spectrum(frame, n_fft)
        rows.append([math.log(max(dot(row, spectrum), 2**-23)) for row in filters])

    def standardised(column: Samples) -> Samples:
        mean, deviation = moments(column)
        shift, scale = mean if means else 0.0, deviation if variances else 1.0
        return [(x - shift) / scale for x in column]

    return by_column(rows, standardised)
