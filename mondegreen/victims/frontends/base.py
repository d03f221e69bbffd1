"""What a frontend is: a checkpoint's feature extractor, written so that gradients pass through.

The extractors of transformers work in numpy, or in torch without a graph. A `Frontend` gives the
same numbers differentiably, for padded batches in which every clip is treated as if it were alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from mondegreen.audio.batch import without_padding
from mondegreen.errors import AudioError
from mondegreen.victims.batching import Remembered
from mondegreen.victims.mixed import exactly


class Frontend(torch.nn.Module, ABC):
    """Audio in, the features that a model reads out.

    Samples past a clip's length, even NaN, change nothing and get a gradient of zero. Constants are
    float64 buffers, cast to the audio's type when they are used.

    Attributes:
        padding: the extractor's argument for padding a batch.
        standardises: each band is divided by its deviation over time, which is zero at silence.

    Args:
        sample_rate: samples per second.
        shortest: least length of a clip in samples.
        longest: greatest length of a clip in samples; None: unlimited.
    """

    padding: ClassVar[bool | str] = True
    standardises: bool = False

    def __init__(self, sample_rate: int, shortest: int = 1, longest: int | None = None) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.shortest = shortest
        self.longest = longest
        self._counted = Remembered(self._admit)

    def forward(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features of a padded batch.

        Args:
            audio: [B, T] in [-1, 1], float32 or float64.
            lengths: [B] int64, samples.

        Returns:
            Features in the layout that the processor passes to the model, in the audio's type; and
            `counts` of the lengths.

        Raises:
            AudioError: a clip is shorter or longer than the extractor allows.
        """
        counts = self._counted(lengths)
        with exactly(audio):
            return self.extract(without_padding(audio, lengths), lengths), counts

    @abstractmethod
    def counts(self, lengths: Tensor) -> Tensor:
        """Real frames (or samples, of a waveform) of clips of `lengths`: [B] int64."""

    @abstractmethod
    def extract(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """As `forward`, for allowed lengths and audio with zeros in the padding; without counts."""

    def _admit(self, lengths: Tensor) -> Tensor:
        """Counts of clips, after checking their lengths; once per batch, since it reads them."""
        shortest, longest = int(lengths.min()), int(lengths.max())
        if self.longest is not None and longest > self.longest:
            raise AudioError(
                f"a clip lasts {longest / self.sample_rate:.2f} s, but this recogniser takes at"
                f" most {self.longest / self.sample_rate:g} s; cut it into shorter clips"
            )
        if shortest < self.shortest:
            raise AudioError(
                f"a clip has {shortest} samples, but this recogniser's features need at least"
                f" {self.shortest}; choose a longer clip, or append silence"
            )
        return self.counts(lengths)


def first(counts: Tensor, size: int) -> Tensor:
    """Mask [B, size]: True at the first `counts[b]` places."""
    return torch.arange(size, device=counts.device) < counts[:, None]


def power(spectrum: Tensor) -> Tensor:
    """|s|² of complex numbers as re² + im²: a root would have no gradient at silence."""
    return spectrum.real.square() + spectrum.imag.square()


def centred(values: Tensor, inside: Tensor) -> Tensor:
    """Values less their mean over the places inside; zero outside.

    Shape: values [B, T, ...], inside [B, T, ...] bool, broadcastable -> as values.
    """
    total = torch.where(inside, values, 0).sum(1, keepdim=True)
    return torch.where(inside, values - total / inside.sum(1, keepdim=True), 0)


def deviation(centred_values: Tensor, count: Tensor) -> Tensor:
    """√(sum of squares over time / count), with gradient zero, not infinite, where it is zero.

    Shape: centred_values [B, T, ...], count broadcastable to [B, 1, ...] -> [B, 1, ...].
    """
    variance = centred_values.square().sum(1, keepdim=True) / count
    positive = variance > 0
    return torch.where(positive, torch.where(positive, variance, 1).sqrt(), 0)
