"""What is attacked: a file or samples, all of it or a passage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mondegreen.audio.batch import quantise
from mondegreen.audio.passage import LONGEST, Excerpt, Passage, cut, read_excerpt
from mondegreen.audio.pcm import Samples, load, to_pcm16
from mondegreen.audio.samples import as_clip
from mondegreen.data.utterance import folder_names
from mondegreen.results.folder import BANK, DELTA, LEVELS, RECORD, WAV

AudioPath = str | PathLike[str]
Audio = AudioPath | NDArray[np.floating[Any]] | Tensor

UNNAMED: Final = Path("(samples)")  # in records, of what came as samples


@dataclass(frozen=True)
class Recording:
    """A recording, and what is attacked of it."""

    audio: Audio  # a file of any rate and channel count; or samples [T], floats in [-1, 1]
    passage: Passage | None = None  # None: all of it
    sample_rate: int | None = None  # of samples, Hz; a file has its own

    @classmethod
    def of(cls, audio: Audio | Recording) -> Recording:
        """What was given: a recording, or a file of which all is attacked."""
        return audio if isinstance(audio, Recording) else cls(audio)

    @property
    def path(self) -> Path:
        """The file, or a name for samples."""
        return Path(self.audio) if isinstance(self.audio, str | PathLike) else UNNAMED

    def read(self, sample_rate: int) -> tuple[Tensor, Excerpt | None]:
        """What is attacked, [T] float32 on the 16-bit grid, and the rest of the recording.

        The second value is None where all of it is attacked.

        Args:
            sample_rate: of the result, in Hz.

        Raises:
            AudioError: it cannot be read, or has no such passage; or samples without a rate.
            StorageError: there is no room for a temporary file of the recording.
        """
        if self.passage is None:
            return quantise(torch.from_numpy(self._all(sample_rate))), None
        excerpt = self._excerpt(sample_rate, self.passage)
        whole = (excerpt.begin, excerpt.end) == (0, len(excerpt.whole))
        return torch.from_numpy(excerpt.clean), None if whole else excerpt

    def _all(self, sample_rate: int) -> Samples:
        if isinstance(self.audio, str | PathLike):
            return load(self.audio, sample_rate)
        return as_clip(self.audio, self.sample_rate, sample_rate)

    def _excerpt(self, sample_rate: int, passage: Passage) -> Excerpt:
        if isinstance(self.audio, str | PathLike):
            return read_excerpt(self.audio, sample_rate, passage)
        whole = to_pcm16(as_clip(self.audio, self.sample_rate, sample_rate, LONGEST))
        return cut(whole, sample_rate, passage, str(self.path))


def distinct_names(audio: Sequence[Audio | Recording]) -> list[str]:
    """A name for each recording that can be a folder's, numbered where two are alike."""
    beside = (BANK, WAV, DELTA, LEVELS, RECORD, "report.html", "report-files")
    stems = (Recording.of(each).path.stem.strip("()") for each in audio)
    return folder_names(stems, taken=beside)
