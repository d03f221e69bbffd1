"""Linear filters as they are: the taps of a real filter, measured, and sounds filtered by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import scipy.fft
import torch
from torch import Tensor

from mondegreen.audio.batch import without_padding

REACH: Final = 4096  # samples of a response on either side of its middle
NOTHING: Final = 1e-14  # of the energy of a response, in what may be left out of it


def measured(real: Callable[[Tensor], Tensor], reach: int = REACH) -> Tensor:
    """The response [2 R + 1] float64 of a linear filter, R at most `reach`; its middle is no delay.

    Args:
        real: the filter, [T] float32 to [T].
        reach: samples looked at on either side.

    >>> measured(lambda sound: 0.5 * sound).tolist()
    [0.5]
    """
    click = torch.zeros(4 * reach + 1)
    click[2 * reach] = 0.5  # not at full scale, where a filter may clip
    taps = 2 * real(click)[reach : 3 * reach + 1].double()
    energy = (
        taps[reach:].square() + taps.flip(0)[reach:].square()
    )  # by the distance from its middle
    farther = energy.flip(0).cumsum(0).flip(0) > NOTHING * taps.square().sum()
    used = max(int(farther.sum()), 1)
    return taps[reach - used + 1 : reach + used]


def filtered(audio: Tensor, lengths: Tensor, taps: Tensor) -> Tensor:
    """Sounds [A, K, T], zero past their lengths, filtered by taps [2 R + 1] around each sample.

    >>> click, lengths = torch.tensor([[[0.0, 1.0, 0.0, 0.0]]]), torch.tensor([3])
    >>> filtered(click, lengths, torch.tensor([0.25, 0.5, 0.25]))[0, 0].round(decimals=4).tolist()
    [0.25, 0.5, 0.25, 0.0]
    """
    samples, reach = audio.shape[-1], len(taps) // 2
    # long enough to avoid wrap-around, with no factor above 5
    size = scipy.fft.next_fast_len(samples + 2 * reach, real=True)
    spectrum = torch.fft.rfft(without_padding(audio, lengths), size)
    spectrum = spectrum * torch.fft.rfft(taps.to(audio), size)
    out = torch.fft.irfft(spectrum, size)[..., reach : reach + samples]
    return without_padding(out, lengths)
