"""The unit on disk, the item folder: `adversarial.wav`, `delta.safetensors` and `record.json`.

Beside them lies `levels.safetensors`, for pictures.

`mondegreen attack` writes one for each clip; everything downstream reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mondegreen.audio.passage import Excerpt, read_part
from mondegreen.audio.pcm import FULL_SCALE, MAX_SAMPLES, Pcm
from mondegreen.errors import AudioError, MondegreenError, reason
from mondegreen.reading import is_file, is_folder, is_there, read_tensors
from mondegreen.results.folder import DELTA, LEVELS, RECORD, WAV, hash_of, read_object
from mondegreen.results.place import settle
from mondegreen.results.record import Record

LARGEST_RECORD: Final = 2**24  # bytes
LARGEST_DELTA: Final = 4 * MAX_SAMPLES + 2**10  # bytes


@dataclass(frozen=True)
class Item:
    """An item folder, read back."""

    folder: Path
    record: Record  # what is claimed
    # [T] float32, the saved file's samples; of a file of which a passage was attacked, the passage
    adversarial: NDArray[np.float32]
    delta: NDArray[np.float32]  # [T] float32, the perturbation

    @property
    def clean(self) -> NDArray[np.float32]:
        """[T] the clip on the 16-bit grid."""
        return self.adversarial - self.delta

    def as_heard(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """The clean or the adversarial clip as the recogniser hears it: in context, with the rest.

        Raises:
            AudioError: the saved file cannot be read.
        """
        excerpt = None if self.record.replaced is None else self.excerpt()
        if excerpt is None:
            return sound
        whole: NDArray[np.float32] = (excerpt.replaced(sound) / FULL_SCALE).astype(np.float32)
        return whole

    def excerpt(self) -> Excerpt | None:
        """The clip as a passage of the recording, which is read now; None: it is all of it.

        Raises:
            AudioError: the saved file cannot be read.
        """
        if self.record.passage is None:
            return None
        path, rate = self.folder / WAV, self.record.sample_rate
        attacked = Excerpt(read_part(path, rate), *self.record.passage)
        return replace(attacked, whole=attacked.replaced(self.clean))


def is_item(path: Path) -> bool:
    """Whether a path is a result's: its folder, or a file in it; not any other recording.

    Raises:
        AudioError: there is nothing of that name.
    """
    try:
        path.stat()
    except OSError as error:
        raise AudioError(
            f"{path} does not exist or cannot be reached ({reason(error)}); give a result's"
            " folder, its record.json, or a recording"
        ) from error
    beside_record = path.name == WAV and is_there(path.parent / RECORD)
    return is_folder(path) or path.name == RECORD or beside_record


def read_item(path: str | PathLike[str]) -> Item:
    """Read an item folder, named by itself or by its `record.json`.

    Raises:
        MondegreenError: it is not there, not whole, or its files do not belong together.
    """
    path = Path(path)
    folder = path.parent if is_file(path) else path
    if not is_there(folder / RECORD):
        raise MondegreenError(
            f"{path} is not a result: there is no {RECORD}. Expected the folder that an attack"
            f" wrote, with {WAV}, {DELTA} and {RECORD}."
        )
    record = read_record(folder)
    try:
        check_files(folder, record)
        delta = read_delta(folder)
        adversarial = (saved_pcm(folder, record) / FULL_SCALE).astype(np.float32)
        if delta.dtype != np.float32 or delta.shape != adversarial.shape:
            raise ValueError("its audio and its perturbation are not of one length")
    except (MondegreenError, OSError, ValueError, KeyError) as error:
        raise MondegreenError(
            f"{path} is not a whole result ({reason(error)}). Expected the folder that an attack"
            f" wrote, with {WAV}, {DELTA} and {RECORD}."
        ) from error
    return Item(folder, record, adversarial, delta)


def saved_pcm(folder: Path, record: Record) -> Pcm:
    """What was attacked, [T] int16, from the saved file: all of it, or the passage.

    Raises:
        AudioError: the file is not what was saved, or has no such passage.
    """
    return read_part(folder / WAV, record.sample_rate, record.passage)


def read_record(folder: Path) -> Record:
    """The record of an item folder.

    Raises:
        MondegreenError: it is not there, of another schema, or not whole.
    """
    settle(folder)
    path = folder / RECORD
    data = read_object(path, LARGEST_RECORD)
    try:
        return Record.from_json(data)
    except MondegreenError as error:
        raise MondegreenError(f"{path} cannot be read: {error}.") from None


def read_delta(folder: Path) -> NDArray[Any]:
    """The perturbation beside a record; raises OSError, ValueError or KeyError."""
    _, tensors = read_tensors(folder / DELTA, LARGEST_DELTA)
    delta: NDArray[Any] = tensors["delta"]
    return delta


def check_files(folder: Path, record: Record) -> None:
    """Check that the files beside a record are those that it was written with.

    Raises:
        MondegreenError: one is missing, or is another.
    """
    if not {WAV, DELTA} <= record.files.keys():
        raise MondegreenError(f"{folder / RECORD} does not say which files it belongs to")
    for name in (name for name in (WAV, DELTA, LEVELS) if name in record.files):
        path = folder / name
        if not is_file(path):
            raise MondegreenError(f"{path} is missing")
        if hash_of(path) != record.files[name]:
            raise MondegreenError(f"{path} is not the file that was saved")
