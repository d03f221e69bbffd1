"""Every take of a file in a recording: where it begins, and by how much the clocks differ.

A take is y(t) = h * a at the moments t = offset + n (1 + drift): the file a, through a room h that
nobody has measured, by another clock. Speech, unlike a sweep, has the same frequencies at different
times, so both can be told apart:

1. Roughly: the file is cut into segments, so short that no clock leaves them within one. Each is
   correlated with the recording, and the sizes are added up at the places where the segments would
   be; peaks of the sum are candidates. A high-pass comes first, since it is the low frequencies of
   speech that are alike everywhere.
2. The lags of the segments lie on a line, lag(n) = offset + n · drift. Theil and Sen's line through
   them goes past those that caught an echo.
3. Finely: put on the player's clock, the take gives an estimate of h, by least squares in the
   spectrum, and h * a is what it would be without noise and drift. Segments of the take are
   compared with segments of *that*, so that the room, which delays every sound differently, is in
   both and cancels. A lag's variance is in proportion to (1 - ρ²) / ρ² at a correlation ρ (the
   Cramér-Rao bound), which weighs the line. What is left of the drift is a line again. The estimate
   of h follows some of the drift, the more the shorter the file, so that each round finds a part of
   what is left: rounds go on until nothing is.
4. The share of the take's energy that h * a explains is what tells it from any other sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import maximum_filter1d
from scipy.signal import fftconvolve, lfilter
from scipy.stats import theilslopes

from mondegreen.air.loop.clock import Lag, Sound, lag, on_players_clock, padded
from mondegreen.air.rooms.acoustics import first_arrival

SEGMENT: Final = 0.5  # s, or more in a long file, so that they are
MOST_SEGMENTS: Final = 40  # at most: each is held as long as the recording
HIGH_PASS: Final = 0.95  # y(n) = x(n) - HIGH_PASS x(n - 1)
MOST_DRIFT: Final = 3e-4  # of devices that are not broken
ROUNDS: Final = 12  # at most, until a round finds less drift than
ENOUGH: Final = 5e-8
BEFORE, AFTER = 0.02, 0.3  # s of the response that are estimated, around its peak,
SHORTEST: Final = 20  # and less after it for a file that is not so many times as long
LOUD: Final = 0.05  # of the mean energy of segments: those below say nothing
NOISE: Final = 1e-2  # of the file's mean power, below which its spectrum is not divided by
LEAST: Final = 0.3  # share of its energy that a take has to explain
MOST_TAKES: Final = 1_000

Sizes = NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """Where a take of a file is: its sample n is at `offset + n (1 + drift)` in the recording."""

    offset: float
    drift: float
    explained: float  # the share of its energy that is the file, through some room


class Fit(NamedTuple):
    """A take on the player's clock, and what explains it."""

    heard: Sound  # [T]
    explained: Sound  # [T], the file through the response
    arrival: int  # of the direct sound in the response, samples

    @property
    def share(self) -> float:
        """The share of its energy that is explained."""
        rest = np.square(self.heard - self.explained).sum()
        return float(1 - rest / max(np.square(self.heard).sum(), np.finfo(float).tiny))


def find_takes(recording: Sound, file: Sound, rate: int) -> Iterator[Place]:
    """The takes of a file [T] in a recording at the same rate, the surest first.

    The search ends with the first candidate that the file does not explain; one that is not whole
    is passed over.

    >>> file = np.random.default_rng(0).normal(size=16_000)
    >>> recording = np.concatenate([np.zeros(3_000), file, np.zeros(5_000)])
    >>> [round(place.offset, 2) for place in find_takes(recording, file, 8_000)]
    [3000.0]
    """
    recording, file = _sharp(recording), _sharp(file)
    starts = _segments(file, rate)
    pieces = _correlated(recording, file, starts, rate)
    slack = _slack(file)
    sums = np.sum([maximum_filter1d(piece, 2 * slack + 1) for piece in pieces], axis=0)
    for _ in range(MOST_TAKES):
        if not sums.any():
            return
        at = int(np.argmax(sums))
        place = _fine(recording, file, rate, *_line(at, pieces, starts, slack))
        if place.explained < LEAST:
            return
        if -slack <= place.offset <= len(recording) - len(file) + slack:
            yield place
        sums[max(at - len(file) // 2, 0) : at + len(file) // 2] = 0


def explained(recording: Sound, place: Place, file: Sound, rate: int) -> float:
    """The share of a take's energy that another file [T] in its place would explain.

    >>> file = np.random.default_rng(0).normal(size=(2, 4_000))
    >>> place = Place(600.0, 0.0, 1.0)
    >>> [explained(np.pad(file[0], 600), place, one, 8_000) > 0.5 for one in file]
    [True, False]
    """
    return fitted(_sharp(recording), _sharp(file), rate, place.offset, place.drift).share


def fitted(recording: Sound, file: Sound, rate: int, offset: float, drift: float) -> Fit:
    """A take, and the file [T] through the response that explains it best.

    With the spectra Y of the take and A of the file, H = Y conj A / (|A|² + λ), of which only what
    is near its peak is a room: from `BEFORE` ahead of it to `AFTER`.

    >>> file = np.random.default_rng(0).normal(size=4_000)
    >>> fit = fitted(np.pad(0.5 * file, 600), file, 8_000, offset=600.0, drift=0.0)
    >>> fit.share > 0.9, fit.arrival
    (True, 0)
    """
    heard = on_players_clock(recording, offset, drift, len(file))
    size = next_fast_len(2 * len(file), real=True)
    A, Y = rfft(file, size), rfft(heard, size)
    power = np.square(np.abs(A))
    response = irfft(Y * np.conj(A) / (power + NOISE * power.mean()), size)
    before = round(BEFORE * rate)
    after = min(round(AFTER * rate), len(file) // SHORTEST)
    reach = before + _slack(file)
    peak = int(np.argmax(np.abs(np.roll(response, reach)[: 2 * reach]))) - reach
    room = np.roll(response, before - peak)[: before + after]
    explained = padded(fftconvolve(file, room), before - peak, before - peak + len(file))
    return Fit(heard, explained, peak - before + first_arrival(room, rate))


def _sharp(sound: Sound) -> Sound:
    return np.asarray(lfilter([1, -HIGH_PASS], [1], sound))


def _fine(recording: Sound, file: Sound, rate: int, offset: float, drift: float) -> Place:
    """Steps 3 and 4. A file's sample m is at n = m + lag(m) on what was taken for its clock."""
    starts = _segments(file, rate)
    size = _size(file, rate)
    for _ in range(ROUNDS):
        fit = fitted(recording, file, rate, offset, drift)
        lags = [
            lag(fit.explained[at : at + size], fit.heard[at : at + size], _slack(file))
            for at in starts
        ]
        slope, later = _weighted_line(np.array(starts) + size / 2, lags)
        offset += later * (1 + drift)
        drift = float(np.clip((1 + slope) * (1 + drift) - 1, -2 * MOST_DRIFT, 2 * MOST_DRIFT))
        if abs(slope) < ENOUGH:
            break
    fit = fitted(recording, file, rate, offset, drift)
    return Place(offset + fit.arrival * (1 + drift), drift, fit.share)


def _weighted_line(middles: Sound, lags: list[Lag]) -> tuple[float, float]:
    """Slope and beginning of the line through lags, by weighted least squares."""
    alike = np.clip([one.alike for one in lags], 0, 0.999)
    weights = alike / np.sqrt(1 - alike**2)
    if np.count_nonzero(weights) < 2:
        return 0.0, 0.0
    slope, later = np.polyfit(middles, [one.samples for one in lags], 1, w=weights)
    return float(slope), float(later)


def _line(at: int, pieces: list[Sizes], starts: list[int], slack: int) -> tuple[float, float]:
    """Step 2: offset and drift from where each segment's correlation is largest, near `at`."""
    begin = max(at - slack, 0)
    lags = [begin + int(np.argmax(piece[begin : at + slack + 1])) for piece in pieces]
    if len(starts) < 3:
        return float(np.median(lags)), 0.0
    slope, offset, *_ = theilslopes(lags, starts)
    return float(offset), float(np.clip(slope, -MOST_DRIFT, MOST_DRIFT))


def _correlated(recording: Sound, file: Sound, starts: list[int], rate: int) -> list[Sizes]:
    """Step 1: sizes [N] of each segment's correlation, by where the file would begin."""
    size = _size(file, rate)
    whole = next_fast_len(len(recording) + size, real=True)
    spectrum = rfft(recording, whole)
    count = max(len(recording) - len(file) + 1 + _slack(file), 0)
    pieces = []
    for at in starts:
        found = irfft(spectrum * np.conj(rfft(file[at : at + size], whole)), whole)
        pieces.append(np.abs(padded(found[: len(recording)], at, at + count)).astype(np.float32))
    return pieces


def _segments(file: Sound, rate: int) -> list[int]:
    """Where segments begin that are loud enough to say something."""
    size = _size(file, rate)
    starts = range(0, len(file) - size + 1, size)
    energies = [np.square(file[at : at + size]).sum() for at in starts]
    return [
        at for at, energy in zip(starts, energies, strict=True) if energy > LOUD * np.mean(energies)
    ]


def _size(file: Sound, rate: int) -> int:
    return min(max(round(SEGMENT * rate), len(file) // MOST_SEGMENTS), len(file))


def _slack(file: Sound) -> int:
    """Samples by which the clocks can be apart at the end of a file."""
    return int(np.ceil(MOST_DRIFT * len(file))) + 1
