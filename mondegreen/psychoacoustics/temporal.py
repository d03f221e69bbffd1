"""Temporal masking: a sound masks what comes after it, and a little of what comes just before.

Not in the paper, whose frames mask only themselves. The model is the simplest that agrees with

    H. Fastl and E. Zwicker, *Psychoacoustics: Facts and Models*, 3rd ed. (Springer 2007), section
    4.4: after a masker the threshold stays for about 5 ms and then falls, in dB along the logarithm
    of the delay, to that in quiet at 200 ms, whatever the masker's level. So a louder sound is
    forgotten faster. Jesteadt, Bacon and Lehman (J. Acoust. Soc. Am. 71, 950-962, 1982) fitted the
    same form: masking in dB is proportional to b - log(delay), and to the masker's level.
    Before a masker it lasts 20 ms at most; only the last few count here.

Left out, each of which would take masking away: short maskers decay faster, and so do those at high
frequencies (Jesteadt et al.). Left out, which would add some: maskers at two times mask more
together than the stronger of them alone.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

PLATEAU: Final = 0.005  # seconds after a masker for which it masks as it did
LASTS: Final = 0.2  # seconds after it when nothing is left
BEFORE: Final = 0.005  # seconds before a masker from which it masks


def masked_in_time(theta: Tensor, quiet: Tensor, window: float, hop: float) -> Tensor:
    """The threshold of each frame or, where it is more, what another frame leaves of its own there.

    Of the dB by which θ exceeds the threshold in quiet, a share is left after a delay t:
    log(200 ms / t) / log(200 ms / 5 ms), from 1 at 5 ms to 0 at 200 ms. At a time t before it is
    1 - t / 5 ms. Quiet itself leaves nothing, and frequencies without a threshold in quiet stay as
    they are.

    A frame does not say when in its window the masker sounded. The delay of n frames is therefore
    n · hop + window / 4, as if it had sounded a quarter of a window before the middle; one that
    sounded earlier still has lost more than 6 dB in that frame. So a short sound that masks 90 dB
    above quiet leaves at most 2 dB more than at its true delay; counted from middle to middle, that
    would be 15 dB. With the paper's frames at 16 kHz the delays are 64, 96, 128, 160 and 192 ms,
    and nothing is masked by a later frame: the windows already smear far more than 5 ms ahead.

    Shape: theta ``[B, frames, bins]``, quiet ``[bins]`` of the same scale, 0 where there is none;
    window and hop in seconds -> as theta, nowhere below it.

    >>> quiet, theta = torch.ones(1), torch.ones(1, 8, 1)
    >>> theta[:, 1] = 1e6  # one loud frame: 60 dB above quiet
    >>> later = masked_in_time(theta, quiet, window=0.128, hop=0.032)
    >>> [round(level, 1) for level in (10 * later.log10()).flatten().tolist()]
    [0.0, 60.0, 18.5, 11.9, 7.3, 3.6, 0.7, 0.0]
    """
    heard = quiet > 0
    above = torch.where(heard, theta / quiet, 1).log()
    left = torch.zeros_like(above)
    for frames in range(1, math.ceil(LASTS / hop)):
        delay = frames * hop + window / 4
        if (share := _after(delay)) > 0:
            left[:, frames:] = torch.maximum(left[:, frames:], share * above[:, :-frames])
        if (share := 1 - delay / BEFORE) > 0:
            left[:, :-frames] = torch.maximum(left[:, :-frames], share * above[:, frames:])
    return torch.maximum(theta, quiet * left.exp())


def _after(delay: float) -> float:
    """The share of a masker's dB above quiet that is left after so many seconds; below 0: none."""
    return min(1.0, math.log(LASTS / delay) / math.log(LASTS / PLATEAU))
