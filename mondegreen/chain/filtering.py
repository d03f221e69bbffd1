"""Linear filters as they are: the taps of a real filter, measured, and sounds filtered by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from mondegreen.audio.batch import without_padding

REACH: Final = 4096  # samples of a response on either side of its middle


def measured(real: Callable[[Tensor], Tensor], reach: int = REACH) -> Tensor:
    """The response [2 reach + 1] float64 of a linear filter, without delay in its middle.

    Args:
        real: the filter, [T] float32 to [T].
        reach: samples looked at on either side.

    >>> measured(lambda sound: 0.5 * sound, reach=1).tolist()
    [0.0, 0.5, 0.0]
    """
    click = torch.zeros(4 * reach + 1)
    click[2 * reach] = 0.5  # not at full scale, where a filter may clip
    return 2 * real(click)[reach : 3 * reach + 1].double()


def filtered(audio: Tensor, lengths: Tensor, taps: Tensor) -> Tensor:
    """Sounds [A, K, T], zero past their lengths, filtered by taps [2 R + 1] around each sample.

    >>> click, lengths = torch.tensor([[[0.0, 1.0, 0.0, 0.0]]]), torch.tensor([3])
    >>> filtered(click, lengths, torch.tensor([0.25, 0.5, 0.25]))[0, 0].round(decimals=4).tolist()
    [0.25, 0.5, 0.25, 0.0]
    """
    samples, reach = audio.shape[-1], len(taps) // 2
    size = 1 << (samples + 2 * reach - 1).bit_length()  # long enough to avoid wrap-around
    spectrum = torch.fft.rfft(without_padding(audio, lengths), size)
    spectrum = spectrum * torch.fft.rfft(taps.to(audio), size)
    out = torch.fft.irfft(spectrum, size)[..., reach : reach + samples]
    return without_padding(out, lengths)
