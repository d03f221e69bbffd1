"""A turn of the projection under a bound, against a literal twin; overlap-add, against a sum.

What the projection is for is in `test_under_threshold`.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from toy import speech

from mondegreen.psychoacoustics.excess import normalised_power, rounding_power
from mondegreen.psychoacoustics.threshold import MaskingThreshold, masking_threshold
from mondegreen.search.ceiling import ROUNDING, SLACK_DB, THIN, contained, overlapped

LENGTH, WINDOW, HOP = 8192, 2048, 512


def literal(delta: Tensor, threshold: MaskingThreshold, bound_db: float) -> NDArray[np.float64]:
    """One clip, frame by frame and bin by bin."""
    theta, audible = threshold.theta[0].numpy(), threshold.audible.numpy()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    frames, bins = theta.shape
    overlap = np.zeros(delta.shape[1])
    for frame in range(frames):
        overlap[frame * HOP : frame * HOP + WINDOW] += hann**2
    thin = THIN * np.sum(hann**2) / HOP
    sound = np.where(overlap >= thin, delta[0].numpy(), 0)
    power = normalised_power(torch.from_numpy(sound)[None], threshold)[0].numpy()
    noise = np.sqrt(float(rounding_power(threshold)[0]))
    gain = np.ones((frames, bins))
    for frame, k in np.ndindex(frames, bins):
        room = np.sqrt(theta[frame, k] * 10 ** ((bound_db - SLACK_DB) / 10))
        limit = max(room - ROUNDING * noise, 0) ** 2
        if audible[k] and power[frame, k] > limit:
            gain[frame, k] = np.sqrt(limit / power[frame, k])
    moved = np.zeros(delta.shape[1])
    for frame in range(frames):
        here = slice(frame * HOP, frame * HOP + WINDOW)
        spectrum = np.fft.rfft(sound[here] * hann)
        for k in range(bins):
            around = gain[max(0, frame - 3) : frame + 4, max(0, k - 1) : k + 2]
            spectrum[k] *= around.min() - 1
        moved[here] += np.fft.irfft(spectrum) * hann
    return sound + moved / np.maximum(overlap, thin)


@pytest.mark.parametrize("bound", [0.0, 7.0])
def test_a_turn_is_its_literal_twin(bound: float) -> None:
    length = LENGTH + 100
    threshold = masking_threshold(speech(0, length)[None], None, 16_000)
    generator = torch.Generator().manual_seed(0)
    delta = 0.003 * torch.randn(1, length, generator=generator, dtype=torch.float64)
    found = contained(delta, threshold, bound, turns=1)
    np.testing.assert_allclose(found[0], literal(delta, threshold, bound), rtol=0, atol=1e-12)
    assert not torch.equal(found, contained(delta, threshold, bound, turns=0))


@pytest.mark.parametrize(("window", "hop"), [(8, 2), (7, 3), (4, 4)])
def test_frames_are_summed_where_they_lie(window: int, hop: int) -> None:
    frames = torch.randn(2, 5, window, generator=torch.Generator().manual_seed(0))
    expected = torch.zeros(2, 4 * hop + window)
    for number in range(5):
        expected[:, number * hop : number * hop + window] += frames[:, number]
    torch.testing.assert_close(overlapped(frames, hop), expected)
