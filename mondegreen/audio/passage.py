"""A passage of a recording: which part is attacked, and the recording that it is a part of.

A recording of up to an hour is converted once, block by block, to what would be saved of it: 16-bit
samples at the victim's rate, mapped from a temporary file instead of held in memory. A passage is
a slice of those samples, so that it is the same whatever the rate and the format of the file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from mondegreen.audio.pcm import (
    FULL_SCALE,
    MAX_SECONDS,
    MIN_SECONDS,
    Pcm,
    Samples,
    blocks,
    opened,
    to_pcm16,
)
from mondegreen.audio.recording import open_recording
from mondegreen.errors import AudioError, StorageError

LONGEST: Final = 3600.0  # seconds of a recording of which a passage is attacked
ROUNDING: Final = 0.05  # seconds by which a stated end may miss the recording's own


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a recording, in seconds from its beginning.

    Raises:
        AudioError: there is no such part, or it is too short.
    """

    begin: float = 0.0
    end: float | None = None  # None: the recording's end

    def __post_init__(self) -> None:
        """Check what can be checked without the recording."""
        ends = math.inf if self.end is None else self.end
        if not isinstance(self.begin, Real) or not isinstance(ends, Real):
            raise AudioError(f"Got begin={self.begin!r} and end={self.end!r}, expected seconds.")
        if not 0 <= self.begin < math.inf or math.isnan(ends):
            raise AudioError(f"Got {self}, expected seconds from the recording's beginning.")
        if ends - self.begin < MIN_SECONDS:
            raise AudioError(
                f"Got {self}, expected one that ends at least {MIN_SECONDS} s after it begins."
            )

    def __str__(self) -> str:
        """In words."""
        until = "the end" if self.end is None else f"{self.end:.7g} s"
        return f"the passage from {self.begin:.7g} s to {until}"

    def within(self, length: int, sample_rate: int) -> tuple[int, int]:
        """The first sample of the passage, and the one after its last, in a recording.

        Args:
            length: of the recording, in samples.
            sample_rate: in Hz.

        Raises:
            AudioError: the recording ends earlier, or the passage is too short or too long.

        >>> Passage(0.5, 1.5).within(32_000, 16_000)
        (8000, 24000)
        """
        seconds = length / sample_rate
        if self.begin >= seconds or (self.end or 0.0) > seconds + ROUNDING:
            raise AudioError(
                f"Got {self}, and the recording lasts {seconds:.7g} s. Name a passage within it."
            )
        begin = round(self.begin * sample_rate)
        end = length if self.end is None else min(round(self.end * sample_rate), length)
        lasts = (end - begin) / sample_rate
        if not MIN_SECONDS <= lasts <= MAX_SECONDS:
            raise AudioError(
                f"Got {self}, which lasts {lasts:.7g} s, expected {MIN_SECONDS} to"
                f" {MAX_SECONDS:g} s. Name another passage."
            )
        return begin, end


@dataclass(frozen=True)
class Excerpt:
    """A passage, with the recording that it is a part of."""

    whole: Pcm  # [N] int16, all of the recording
    begin: int  # the first sample of the passage
    end: int  # the sample after its last

    @property
    def clean(self) -> Samples:
        """[T] the passage alone, full scale 1."""
        return (self.whole[self.begin : self.end] / FULL_SCALE).astype(np.float32)

    def replaced(self, passage: NDArray[np.floating]) -> Pcm:
        """[N] the recording with another passage [T] in place of this one."""
        whole = np.array(self.whole)
        whole[self.begin : self.end] = to_pcm16(passage)
        return whole


def read_excerpt(path: str | PathLike[str], sample_rate: int, passage: Passage) -> Excerpt:
    """Read a passage of a recording of up to an hour.

    Raises:
        AudioError: the recording cannot be read, see `mondegreen.audio.pcm.load`; it has no such
            passage, or only silence in it.
        StorageError: there is no room for a temporary file of the recording.
    """
    return cut(read_whole(path, sample_rate), sample_rate, passage, str(path))


def cut(whole: Pcm, sample_rate: int, passage: Passage, name: str) -> Excerpt:
    """A passage of a recording [N] that was called so.

    Raises:
        AudioError: there is no such passage, or it is silent.
    """
    try:
        excerpt = Excerpt(whole, *passage.within(len(whole), sample_rate))
    except AudioError as error:
        raise AudioError(f"{name}: {error}") from None
    if not excerpt.clean.any():
        raise AudioError(
            f"{name}: {passage} is silent (no sample reaches one 16-bit step), expected speech."
        )
    return excerpt


def read_whole(path: str | PathLike[str], sample_rate: int) -> Pcm:
    """A recording of up to an hour as [N] int16 at `sample_rate`, Hz; the memory is the disk's.

    The samples are those that `load` gives, rounded to 16 bits.

    Raises:
        AudioError, StorageError: as `read_excerpt`.
    """
    try:
        with opened(Path(path), LONGEST) as file, TemporaryFile() as converted:
            stream = soxr.ResampleStream(file.samplerate, sample_rate, 1, dtype="float32")
            same = file.samplerate == sample_rate
            for mono in blocks(Path(path), file):
                found = mono if same else stream.resample_chunk(mono)
                converted.write(to_pcm16(found).tobytes())
            if not same:
                rest = stream.resample_chunk(np.empty(0, np.float32), last=True)
                converted.write(to_pcm16(rest).tobytes())
            converted.flush()
            return np.memmap(converted, np.int16, "r")
    except OSError as error:
        raise StorageError(
            f"{path} could not be converted in the folder for temporary files:"
            f" {error.strerror or error}. Free space there, or name another folder in TMPDIR."
        ) from error


def read_part(path: Path, sample_rate: int, part: tuple[int, int] | None = None) -> Pcm:
    """Samples [T] of a 16-bit WAV file that was saved here, and no others.

    Args:
        path: the file.
        sample_rate: that it must have, Hz.
        part: the first sample, and the one after the last; None: all.

    Raises:
        AudioError: the file is another, or ends earlier.
    """
    with open_recording(path) as file:
        kind = file.samplerate, file.channels, file.format, file.subtype
        most = LONGEST * sample_rate
        if kind != (sample_rate, 1, "WAV", "PCM_16") or not 0 < file.frames <= most:
            raise AudioError(f"{path} is not what was saved: mono 16-bit at {sample_rate} Hz.")
        begin, end = part or (0, file.frames)
        if not 0 <= begin < end <= file.frames:
            raise AudioError(
                f"{path} has {file.frames} samples, and its passage is said to be of samples"
                f" {begin} to {end}. The two do not belong together."
            )
        file.seek(begin)
        samples: Pcm = file.read(end - begin, dtype="int16")
    return samples
