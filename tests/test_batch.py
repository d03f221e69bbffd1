"""Clips as tensors: rounding to 16 bits agrees with what is written, and padding is no sound."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mondegreen.audio.batch import pad, quantise, without_padding
from mondegreen.audio.pcm import to_pcm16
from mondegreen.errors import AudioError


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (0.5, 0),
        (1.5, 2),
        (2.5, 2),
        (-0.5, 0),
        (-1.5, -2),
        (0.9, 1),
        (-0.9, -1),
        (32767.4, 32767),
        (32768, 32767),
        (1e9, 32767),
        (-32768, -32768),
        (-32769, -32768),
    ],
)
def test_half_steps_go_to_even_and_full_scale_clips(steps: float, expected: int) -> None:
    samples = torch.tensor([steps / 32768], dtype=torch.float64)
    assert quantise(samples).item() == expected / 32768
    assert to_pcm16(samples.numpy()).tolist() == [expected]


@given(st.floats(-2, 2, width=32))
def test_quantise_agrees_with_exact_arithmetic(sample: float) -> None:
    expected = min(max(round(sample * 32768), -32768), 32767) / 32768
    assert quantise(torch.tensor(sample)).item() == expected


@given(arrays(np.float32, st.integers(1, 50), elements=st.floats(-2, 2, width=32)))
def test_quantising_again_changes_nothing(samples: np.ndarray) -> None:
    once = quantise(torch.from_numpy(samples))
    assert once.dtype == torch.float32
    assert torch.equal(quantise(once), once)
    assert np.array_equal(to_pcm16(once.numpy()), to_pcm16(samples))


def test_pad() -> None:
    batch, lengths = pad([torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0, 5.0])])
    assert batch.tolist() == [[1, 2, 0], [3, 4, 5]]
    assert lengths.tolist() == [2, 3]


def test_nothing_to_pad() -> None:
    with pytest.raises(AudioError, match="no clips"):
        pad([])


def test_whatever_stands_in_the_padding_is_set_to_zero() -> None:
    nan = float("nan")
    audio = torch.tensor([[[1.0, nan, nan], [2.0, 7.0, nan]], [[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]]])
    found = without_padding(audio, torch.tensor([1, 3]))
    assert found.tolist() == [[[1, 0, 0], [2, 0, 0]], [[3, 4, 5], [6, 7, 8]]]
