"""Named readings of the supplement where it is ambiguous or differs from the released code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import torch
from torch import Tensor

from mondegreen.errors import OptionError
from mondegreen.options import ThresholdProfile
from mondegreen.psychoacoustics.maskers import Axis, nearby, select_authors, select_paper
from mondegreen.psychoacoustics.spectrum import (
    absolute_threshold_of_hearing,
    bark,
    bin_frequencies,
    from_decibels,
)


def _human_range(hz: Tensor) -> Tensor:
    return (hz >= 20) & (hz <= 20_000)


def _above_one_bark(hz: Tensor) -> Tensor:
    return (bark(hz) > 1) & (hz <= 20_000)


@dataclass(frozen=True)
class Profile:
    """One reading of the supplement."""

    name: ThresholdProfile
    ath_offset_db: float  # added to eq. (3)
    hears: Callable[[Tensor], Tensor]  # Hz -> bool: where eq. (11) has a threshold in quiet
    select: Callable[[Tensor, Axis], Tensor]  # normalised power -> bool, the maskers
    gain: float  # on the clip's power, eq. (12)
    delta_gain: float  # on the perturbation's power, eq. (12)
    temporal: bool  # whether a frame also masks later and earlier ones, see `temporal`


_PAPER = Profile(
    name="paper",
    ath_offset_db=0,
    hears=_human_range,
    select=select_paper,
    gain=1,
    delta_gain=1,
    temporal=False,
)
_AUTHORS = Profile(
    name="authors",
    ath_offset_db=-12,
    hears=_above_one_bark,
    select=select_authors,
    gain=8 / 3,  # 1 / mean(Hann²), once
    delta_gain=64 / 9,  # and squared again: the perturbation appears 4.26 dB too loud
    temporal=False,
)
_TEMPORAL = replace(_PAPER, name="temporal", temporal=True)

#: ``paper`` is the supplement: maxima may be equal to a neighbour; each must reach the threshold in
#: quiet and be the highest of all bins less than 0.5 Bark away; smoothing (6) comes last; quiet
#: counts from 20 Hz to 20 kHz. ``authors`` follows the code released with the paper, for comparison
#: with earlier results: strict maxima, smoothing first, weaker ones of close pairs removed from
#: left to right, quiet 12 dB lower and only above 1 Bark, and window gains that differ.
#: ``temporal`` is ``paper``, and a sound masks what comes after it, too.
PROFILES: Mapping[str, Profile] = MappingProxyType(
    {p.name: p for p in (_PAPER, _AUTHORS, _TEMPORAL)}
)


def profile_of(name: str) -> Profile:
    """A profile by its name; raises `OptionError` if there is none.

    >>> profile_of("authors").ath_offset_db
    -12
    """
    if name not in PROFILES:
        raise OptionError(f"threshold profile {name!r} is unknown; use one of {sorted(PROFILES)}")
    return PROFILES[name]


@lru_cache(maxsize=8)
def axis_of(
    sample_rate: int, window: int, profile: Profile, device: torch.device, dtype: torch.dtype
) -> Axis:
    """The frequency axis of a profile, made once for each device and dtype.

    >>> axis = axis_of(16_000, 2048, profile_of("paper"), torch.device("cpu"), torch.float32)
    >>> int(axis.audible.sum())  # all of the 1,025 bins but those below 20 Hz
    1022
    """
    hz = bin_frequencies(sample_rate, window)
    quiet = from_decibels(absolute_threshold_of_hearing(hz) + profile.ath_offset_db)
    return Axis(
        bark(hz).to(device, dtype),
        quiet.to(device, dtype),
        profile.hears(hz).to(device),
        nearby(bark(hz).to(device, dtype)),
    )
