"""Two clocks: how much later one sound is than another, and a recording on its player's clock.

A player counts its samples by one crystal and a recorder by another. Sample n of the file is
recorded at `offset + n (1 + drift)`; the drift is the relative difference of their rates, some tens
of parts per million (ppm) between ordinary devices, and positive if the recorder counts faster.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

Sound = NDArray[np.float64]

NEWTON: Final = 4  # steps, each of which doubles the digits
MARGIN: Final = 512  # samples to each side, faded, for filters to ring in


class Lag(NamedTuple):
    """How a sound lies in time against another."""

    samples: float  # by which it is later
    alike: float  # correlation at that lag, from -1 to 1


def lag(first: Sound, second: Sound, most: int) -> Lag:
    """By how many samples, at most about `most`, `second` is later than `first`; both are [T].

    It is the maximum of the correlation c(τ) = Re Σ_k S_k exp(iω_k τ), with S = conj(F₁) F₂ from
    spectra padded with zeros: of the samples of c first, then, as c is known between them as well,
    by Newton's method on c'(τ) = 0 with c' = -Im Σ ω S exp(iωτ) and c'' = -Re Σ ω² S exp(iωτ).

    >>> t = np.arange(400.0)
    >>> pulse, later = np.exp(-((t - 200) ** 2) / 50), np.exp(-((t - 203.25) ** 2) / 50)
    >>> round(lag(pulse, later, 10).samples, 6)
    3.25
    """
    size = next_fast_len(len(first) + len(second), real=True)
    cross = np.conj(rfft(first, size)) * rfft(second, size)
    correlation = irfft(cross, size)
    near = np.arange(-most, most + 1)
    crest = float(near[np.argmax(correlation[near])])
    omega = 2 * np.pi * np.arange(len(cross)) / size
    found = crest
    for _ in range(NEWTON):
        turned = cross * np.exp(1j * omega * found)
        slope, bend = -np.sum(omega * turned.imag), -np.sum(omega**2 * turned.real)
        if bend >= 0:  # no maximum near: silence, or a lag at the end of the range
            break
        found = float(np.clip(found - slope / bend, crest - 1, crest + 1))
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return Lag(found, float(correlation[int(crest)]) / norm if norm else 0.0)


def on_players_clock(recording: Sound, offset: float, drift: float, count: int) -> Sound:
    """Samples 0 to `count` of what was played as they were recorded: [T] -> [count].

    That is r(offset + n (1 + drift)) for the recording r, band-limited between its samples: a
    conversion of the rate by 1 + drift, and then a shift by what the offset is beyond a whole
    sample, as a phase in the spectrum. Outside the recording there is silence.

    >>> tone = np.sin(0.1 * np.arange(3_000))
    >>> heard = on_players_clock(tone, offset=500.5, drift=1e-4, count=1_900)
    >>> bool(np.abs(heard - np.sin(0.1 * (500.5 + np.arange(1_900) * (1 + 1e-4)))).max() < 1e-4)
    True
    """
    begin = int(np.floor(offset)) - MARGIN
    length = int(np.ceil(count * (1 + drift))) + 2 * MARGIN
    part = _faded(padded(recording, begin, begin + length))
    # sample m of it is at begin + m (1 + drift) in the recording, so sample n of the file is at:
    before = (offset - begin) / (1 + drift)
    converted = soxr.resample(part, 1 + drift, 1.0, quality="VHQ") if drift else part
    whole = round(before)
    return np.asarray(delayed(converted, whole - before)[whole : whole + count])


def _faded(sound: Sound) -> Sound:
    """A sound that rises in the outer half of its margins: a step would ring far into it."""
    rise = np.sin(np.linspace(0, np.pi / 2, MARGIN // 2)) ** 2
    return np.asarray(
        sound * np.concatenate([rise, np.ones(len(sound) - 2 * len(rise)), rise[::-1]])
    )


def delayed(sound: Sound, samples: float) -> Sound:
    """A sound [T] later by a fraction of a sample or more, within its length, as a phase.

    >>> abs(delayed(np.array([0.0, 1.0, 0.0, 0.0, 0.0]), 2)).round(9).tolist()
    [0.0, 0.0, 0.0, 1.0, 0.0]
    """
    size = next_fast_len(len(sound) + 2 * MARGIN, real=True)
    phase = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size * samples)
    if size % 2 == 0:
        phase[-1] = phase[-1].real  # at half the rate there is no phase to turn
    return np.asarray(irfft(rfft(sound, size) * phase, size)[: len(sound)])


def padded(sound: Sound, begin: int, end: int) -> Sound:
    """Samples `begin` to `end` of a sound [T], and silence where it has none.

    >>> padded(np.array([1.0, 2.0, 3.0]), -1, 2).tolist()
    [0.0, 1.0, 2.0]
    """
    there = sound[max(begin, 0) : max(end, 0)]
    before = min(max(-begin, 0), end - begin)
    return np.pad(there, (before, end - begin - before - len(there)))
