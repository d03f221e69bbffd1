"""What a room makes of a sweep, undone: the linear response, and ahead of it the harmonics.

All in samples at the sweep's rate. A response [before + after] has its time zero at `before`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from mondegreen.air.loop.clock import Sound, padded
from mondegreen.air.loop.sweep import Sweep

ORDERS: Final = (2, 3, 4, 5)  # harmonics that are looked at
AHEAD: Final = 0.01  # s before a harmonic's arrival, where its window begins


def deconvolved(heard: Sound, sweep: Sweep) -> Sound:
    """The response [before + after] to a sweep, from what was `heard` of it on the player's clock.

    `heard` is [T] from the sweep's first sample on; `before` is the sweep's length, `after` its
    tail's. The inverse filter is Farina's, the sweep backwards with its spectrum made even,

        W(f) = conj X(f) / |X̃(f)|²,   |X̃(f)| = A/2 √(L / f) · rate,

    with X the sweep's spectrum as it follows from its parameters and X̃ the same by stationary
    phase, without the fades. In the band |X| = |X̃|, so W X = 1; over the fades W X falls to zero,
    and noise is nowhere raised. Times before zero come out at the end of the circle of the
    transform; it is as long as both together, so that they do not meet.

    >>> sweep = Sweep(seconds=1, low=100, high=3_000, sample_rate=8_000, tail=0.2)
    >>> heard = 0.5 * np.pad(sweep.sweep(), (80, 1_520))  # half as loud, and 10 ms later
    >>> response = deconvolved(heard, sweep)
    >>> int(np.argmax(response)) - 8_000
    80
    """
    played = sweep.sweep()
    before, after = len(played), round(sweep.tail * sweep.sample_rate)
    size = next_fast_len(len(played) + before + after, real=True)
    X, Y = rfft(played, size), rfft(padded(heard, 0, before + after), size)
    f = np.fft.rfftfreq(size, 1 / sweep.sample_rate)
    f[0] = f[1]
    amplitude = 10 ** (sweep.level / 20)
    even = (amplitude / 2 * sweep.sample_rate) ** 2 * sweep.rate / f
    response = irfft(Y * np.conj(X) / even, size)
    return np.concatenate([response[-before:], response[:after]])


def harmonic_distortion(response: Sound, arrival: int, sweep: Sweep) -> float | None:
    """Total harmonic distortion, as a ratio of amplitudes; None: it is within the noise.

    A sweep's k-th harmonic is the same sweep, begun L ln k earlier at k f₁ (sin kφ passes every
    frequency that much sooner), so it is compressed to a response that much ahead of the linear
    one, at its amplitude relative to the fundamental. The ratio of energies, of all orders to the
    linear response, is thus THD² as a mean over the band. Each window ends before the next begins;
    and the noise is taken where the sixth would be.

    Args:
        response: of `deconvolved`.
        arrival: where in it the direct sound is.
        sweep: the sweep.

    >>> sweep = Sweep(seconds=2, low=50, high=1_900, sample_rate=8_000, tail=0.5)
    >>> played = sweep.sweep() / 10 ** (sweep.level / 20)
    >>> heard = played + 0.2 * played**2  # 2 sin²φ = 1 - cos 2φ: an octave, a tenth as large
    >>> response = deconvolved(np.pad(heard * 0.5, (0, 4_000)), sweep)
    >>> round(harmonic_distortion(response, 16_000, sweep), 2)
    0.1
    """
    rate = sweep.sample_rate
    width = round(sweep.rate * np.log(1 + 1 / ORDERS[-1]) * rate)
    energy = np.square(response)

    def at(order: float) -> float:
        begin = arrival - round((sweep.rate * np.log(order) + AHEAD) * rate)
        return float(energy[max(begin, 0) : max(begin + width, 0)].sum())

    linear = float(energy[arrival - round(AHEAD * rate) :].sum())
    noise = at(ORDERS[-1] + 1)
    found = sum(at(order) - noise for order in ORDERS)
    return float(np.sqrt(found / linear)) if found > len(ORDERS) * noise else None
