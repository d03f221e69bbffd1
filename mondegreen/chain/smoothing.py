"""Defences that smooth a sound over its neighbouring samples."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import AfterValidator, Field
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

from mondegreen.air.transformations import Draws
from mondegreen.audio.batch import without_padding
from mondegreen.chain.link import Link


def _odd(samples: int) -> int:
    if samples % 2 == 0:
        raise ValueError(f"Got a window of {samples} samples, expected an odd number of them")
    return samples


Window = Annotated[int, AfterValidator(_odd)]


class Average(Link):
    """The mean of each sample and its neighbours; past the ends there is silence.

    A window of N samples at the rate R has its first zero at R / N. The default at 16 kHz: 5.3 kHz;
    and -3 dB at 2.5 kHz. The twin is the same to the last bits.

    >>> sound, draws = torch.tensor([0.0, 0.75, 0.0, 0.0]), Draws.of((0,), 1, 1)
    >>> Average(sample_rate=16_000).real(sound, draws)
    tensor([0.2500, 0.2500, 0.2500, 0.0000])
    """

    name: ClassVar[str] = "average"
    kind: ClassVar[Literal["channel", "defence"]] = "defence"
    source: ClassVar[str] = (
        "scipy.ndimage.uniform_filter1d; local smoothing: Yang, Li, Chen and Song,"
        " Characterizing Audio Adversarial Examples Using Temporal Dependency, ICLR 2019"
    )
    differentiable: ClassVar[bool] = True

    samples: Window = Field(default=3, ge=3, le=255, description="Length of the window, odd.")

    def real(self, sound: Tensor, draws: Draws) -> Tensor:
        """See `Link.real`."""
        from scipy.ndimage import uniform_filter1d  # takes long to import

        del draws
        return torch.from_numpy(uniform_filter1d(sound.numpy(), self.samples, mode="constant"))

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        del draws
        own = without_padding(audio, lengths)
        return without_padding(avg_pool1d(own, self.samples, 1, self.samples // 2), lengths)


class Median(Link):
    """The median of each sample and its neighbours; past the ends there is silence.

    The twin is the same number, and its gradient that of the sample which is the median.

    >>> sound, draws = torch.tensor([0.1, 0.2, 0.9, 0.3, 0.4]), Draws.of((0,), 1, 1)
    >>> Median(sample_rate=16_000).real(sound, draws)
    tensor([0.1000, 0.2000, 0.3000, 0.4000, 0.3000])
    """

    name: ClassVar[str] = "median"
    kind: ClassVar[Literal["channel", "defence"]] = "defence"
    source: ClassVar[str] = "scipy.ndimage.median_filter; as a defence: Yang et al. 2019"
    differentiable: ClassVar[bool] = True

    samples: Window = Field(default=3, ge=3, le=255, description="Length of the window, odd.")

    def real(self, sound: Tensor, draws: Draws) -> Tensor:
        """See `Link.real`."""
        from scipy.ndimage import median_filter

        del draws
        return torch.from_numpy(median_filter(sound.numpy(), self.samples, mode="constant"))

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        del draws
        around = pad(without_padding(audio, lengths), [self.samples // 2] * 2)
        return without_padding(around.unfold(-1, self.samples, 1).median(-1).values, lengths)
