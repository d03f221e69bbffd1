"""The result of an attack on one clip, and how it is saved."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from safetensors.numpy import save as safetensors_bytes

from mondegreen.audio.pcm import ADVERSARIAL_MARK, load, save
from mondegreen.errors import MondegreenError, StorageError
from mondegreen.files import write_whole
from mondegreen.measures.spectra import levels, spectra
from mondegreen.results.folder import DELTA, LEVELS, RECORD, WAV, hash_of
from mondegreen.results.record import Record


@dataclass(frozen=True)
class Result:
    """The result of an attack on one clip."""

    record: Record  # what is claimed
    clean: NDArray[np.float32]  # [T] float32, the clip on the 16-bit grid
    adversarial: NDArray[np.float32]  # [T] float32, the samples that were proved

    @property
    def verified(self) -> bool:
        """Whether the saved file was transcribed as the target; see `Record`."""
        return self.record.verified

    @property
    def delta(self) -> NDArray[np.float32]:
        """[T] the perturbation, exactly adversarial - clean."""
        return self.adversarial - self.clean

    def save(self, folder: str | Path) -> Path:
        """Write the item folder, and read the audio back to check that it is what was proved.

        Raises:
            StorageError: it cannot be written.
            MondegreenError: it does not read back as it was written.
        """
        folder = make_folder(folder)
        with FileLock(folder / ".lock"):  # two attacks into one folder: files of one, never of both
            (folder / RECORD).unlink(missing_ok=True)  # no old claim beside a new file
            self.write(folder)
        return folder

    def write(self, folder: Path, key: str | None = None) -> None:
        """Write the files of an item into a folder of its own; see `save`.

        Args:
            folder: it exists.
            key: the item's name in its run.
        """
        rate = self.record.sample_rate
        save(folder / WAV, self.adversarial, rate, comment=ADVERSARIAL_MARK)
        if not np.array_equal(load(folder / WAV, rate), self.adversarial):
            raise MondegreenError(
                f"{folder / WAV} does not read back as it was written. Check the disk, and save to"
                " another."
            )
        write_whole(folder / DELTA, safetensors_bytes({"delta": self.delta}))
        write_whole(folder / LEVELS, levels(spectra(self.clean, rate, self.delta)).to_bytes())
        files = {name: hash_of(folder / name) for name in (WAV, DELTA, LEVELS)}
        record = replace(self.record, key=key, files=files)
        write_whole(folder / RECORD, (json.dumps(record.to_json(), indent=1) + "\n").encode())


def make_folder(folder: str | Path) -> Path:
    """Make a folder that results can be written to.

    Raises:
        StorageError: it cannot be made, or not written to.
    """
    folder = Path(folder)
    there = False
    try:
        there = folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".lock").touch()
    except OSError as error:
        what = "cannot be written to" if there else "could not be made"
        taken = isinstance(error, FileExistsError)
        why = "there is a file of that name" if taken else error.strerror or error
        raise StorageError(f"{folder} {what}: {why}. Choose another folder.") from error
    return folder
