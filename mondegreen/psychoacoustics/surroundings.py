"""The masking threshold around a passage, which is that of the whole recording.

Frames lie where they would in the whole recording. Those that overlap the passage also see what is
before and after it, and power is normalised by the loudest bin of all, eq. (13). With the profile
`temporal`, what sounded in the last 200 ms before these frames masks in them too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from mondegreen.audio.batch import pad
from mondegreen.audio.passage import Excerpt
from mondegreen.audio.pcm import FULL_SCALE, Pcm
from mondegreen.psychoacoustics.spectrum import frame_size, power_spectrum
from mondegreen.psychoacoustics.temporal import LASTS
from mondegreen.psychoacoustics.threshold import (
    FRAMES_AT_ONCE,
    MaskingThreshold,
    masking_threshold,
)


@dataclass(frozen=True)
class Surroundings:
    """What of a recording the frames over a clip see."""

    audio: Tensor  # [S] float32, full scale 1
    begin: int  # the first sample of the clip in it
    end: int  # the sample after its last
    loudest: float = 0.0  # power of the recording's loudest bin, eq. (12); 0: that of `audio`
    # [E] what sounded before `audio` and may still mask in it, whole hops; nothing later does
    earlier: Tensor = field(default_factory=lambda: torch.zeros(0))

    @classmethod
    def of(cls, excerpt: Excerpt, sample_rate: int) -> Surroundings:
        """The surroundings of a passage: all frames of the recording that overlap it.

        >>> found = Surroundings.of(Excerpt(np.zeros(16_000, np.int16), 5_000, 7_000), 16_000)
        >>> len(found.audio), found.begin, found.end  # frames at 3072, 3584, ..., 6656
        (5632, 1928, 3928)
        >>> len(found.earlier)  # of 200 ms there are 3584 samples, but the recording begins later
        3072
        """
        window, hop = frame_size(sample_rate)
        first = max(0, (excerpt.begin - window) // hop + 1)
        last = (excerpt.end - 1) // hop
        before = max(0, first - math.ceil(LASTS * sample_rate / hop))
        seen = _floats(excerpt.whole[first * hop : last * hop + window])
        earlier = _floats(excerpt.whole[before * hop : first * hop])
        begin, end = excerpt.begin - first * hop, excerpt.end - first * hop
        return cls(seen, begin, end, _loudest(excerpt.whole, window, hop), earlier)

    def with_earlier(self) -> Surroundings:
        """The same, and what sounded earlier is a part of the audio.

        >>> Surroundings(torch.zeros(6), 2, 4, earlier=torch.ones(3)).with_earlier().begin
        5
        """
        shift, audio = len(self.earlier), torch.cat([self.earlier.to(self.audio), self.audio])
        return Surroundings(audio, self.begin + shift, self.end + shift, self.loudest)

    def placed(self, delta: Tensor) -> Tensor:
        """A perturbation [T] of the clip as one of the surroundings [S]: zero outside.

        >>> Surroundings(torch.zeros(6), 2, 4).placed(torch.ones(2)).tolist()
        [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
        """
        return torch.nn.functional.pad(delta, (self.begin, len(self.audio) - self.end))


def thresholds_around(
    clips: Sequence[Surroundings], sample_rate: int, like: Tensor, profile: str = "paper"
) -> MaskingThreshold:
    """Masking thresholds of what surrounds B clips, of the device and type of a tensor.

    Raises ``OptionError`` for an unknown profile.

    >>> silence = Surroundings(torch.zeros(4096), 1000, 2000)
    >>> list(thresholds_around([silence], 16_000, torch.zeros(0)).theta.shape)
    [1, 5, 1025]
    """
    audio, lengths = pad([clip.audio.to(like) for clip in clips])
    loudest = torch.tensor([clip.loudest for clip in clips]).to(like)
    found = masking_threshold(audio, lengths, sample_rate, profile, loudest=loudest)
    if found.profile.temporal:
        for theta, clip in zip(found.theta, clips, strict=True):
            if len(clip.earlier):
                longer = thresholds_around([clip.with_earlier()], sample_rate, like, profile)
                masked = longer.theta[0, len(clip.earlier) // found.hop :]
                theta[: len(masked)] = masked
    return found


def _loudest(whole: Pcm, window: int, hop: int) -> float:
    """The power of the loudest bin of a recording, eq. (12), frames by frames."""
    step = FRAMES_AT_ONCE * hop
    starts = range(0, max(len(whole) - window, 0) + 1, step)
    pieces = (_floats(whole[start : start + step + window - hop]) for start in starts)
    return max(float(power_spectrum(piece[None], window, hop).amax()) for piece in pieces)


def _floats(pcm: Pcm) -> Tensor:
    return torch.from_numpy(pcm.astype(np.float32)) / FULL_SCALE
