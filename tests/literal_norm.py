"""The norm of hearing word by word, one clip at a time: slow, and made to be believed.

The slow twin of `mondegreen.search.norm`: it takes θ and the powers that are compared with it as
given, and shares no code with it.
"""

from __future__ import annotations

import literal_threshold as literal
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def short_powers(sound: Array, window: int) -> Array:
    """|δ̂|² of frames a quarter of a window apart: [frames, bins]."""
    hann = literal.periodic_hann(window)
    starts = range(0, len(sound) - window + 1, window // 4)
    return np.array([np.abs(np.fft.rfft(hann * sound[s : s + window])) ** 2 for s in starts])


def base(clip: Array, window: int, sample_rate: int, exponent: float) -> Array:
    """1/P̄^c, P̄ at least a ten millionth of its largest."""
    powers = short_powers(clip, window)
    barks = [
        literal.bark(literal.frequency(k, window, sample_rate)) for k in range(powers.shape[1])
    ]
    near = np.zeros_like(powers)
    for frame, k in np.ndindex(*powers.shape):
        close = [n for n in range(len(barks)) if abs(barks[n] - barks[k]) < 0.5]
        near[frame, k] = np.mean([powers[frame, n] for n in close])
    return (near + 1e-7 * near.max()) ** -exponent


def slope(above: Array, shape: tuple[int, int], window: int, scale: float) -> Array:
    """∂ℓθ/∂|δ̂|²: each short frame in the long ones over it, each bin in the four around it.

    `above` [F', K'] is how far the bins of long frames count; ℓθ is the mean of scale · |δ̂|² there.
    """
    long = 4 * window
    counts = above.size * long * window
    found = np.zeros(shape)
    for s, k in np.ndindex(*shape):
        four = [n for n in range(4 * k - 2, 4 * k + 2) if 0 <= n < above.shape[1]]
        for f in range(len(above)):
            apart = (s * window / 4 + window / 2) - (f * long / 4 + long / 2)
            if abs(apart) < long / 2:
                hann = 0.5 + 0.5 * np.cos(2 * np.pi * apart / long)
                seen = hann**2 / 1.5  # four windows overlap, whose squares add up to 3/2
                found[s, k] += seen * sum(above[f, n] for n in four) / 4
    return found * scale / counts


def applied(weights: Array, sound: Array, window: int) -> Array:
    """Half the gradient of Σ w |δ̂|²: the metric's operator on a sound."""
    hann, made = literal.periodic_hann(window), np.zeros_like(sound)
    for frame, row in enumerate(weights):
        here = slice(frame * window // 4, frame * window // 4 + window)
        spectrum = np.fft.rfft(hann * sound[here]) * row
        spectrum[[0, -1]] *= 2  # the inverse takes all other bins twice
        made[here] += hann * np.fft.irfft(spectrum) * window / 2
    return made


def smallest(weights: Array, gradient: Array, gap: float, window: int, free: slice) -> float:
    """The least root of Σ w |δ̂|² with gradient · δ = gap, δ zero where it is not free.

    gap / √(gᵀ M⁻¹ g), by conjugate gradients.
    """
    solved, left = np.zeros_like(gradient), gradient.copy()
    along, energy = left.copy(), left @ left
    while energy > 1e-10 * (gradient @ gradient):
        pushed = np.zeros_like(gradient)
        pushed[free] = applied(weights, along, window)[free]
        length = energy / (along @ pushed)
        solved += length * along
        left -= length * pushed
        before, energy = energy, left @ left
        along = left + energy / before * along
    return gap / float(np.sqrt(gradient @ solved))
