"""The unit on disk, the item folder: `adversarial.wav`, `delta.safetensors` and `record.json`.

Beside them lies `levels.safetensors`, for pictures.

`mondegreen attack` writes one for each clip; everything downstream reads them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_safetensors
from safetensors.numpy import save as safetensors_bytes

from mondegreen.attacks.result import Point
from mondegreen.audio import ADVERSARIAL_MARK, load, save
from mondegreen.errors import MondegreenError, reason
from mondegreen.evaluation.metrics import Quality
from mondegreen.evaluation.rooms import Survival
from mondegreen.evaluation.spectra import spectra
from mondegreen.files import write_whole
from mondegreen.runs.folder import DELTA, LEVELS, RECORD, WAV, check_files, hash_of, read_record
from mondegreen.runs.levels import levels


@dataclass(frozen=True)
class Record:
    """Everything that is claimed of one adversarial example, and what it cost.

    Attributes:
        id: name of the clip.
        audio: the clean recording's path.
        target: the phrase asked for.
        spelled: the phrase as the victim was made to write it.
        text: what is said in the clip; None: not known.
        heard_clean: what the victim hears in the clean clip.
        heard: what the victim hears in the saved file; empty if that was stopped by hand.
        verified: `heard` is the target, under `normaliser`; for a method in rooms: in at least half
            of the bank's test rooms the saved file is heard as the target. With a bound: and the
            saved file keeps it.
        under_threshold: the bound that was asked, in dB above the masking threshold, which
            `quality.masking.max_excess_db` must not exceed; None: none was asked.
        normaliser: see `mondegreen.text`.
        wer_target: word error rate of `heard` to the target.
        wer_original: to `text`, or to `heard_clean` where that is not known.
        wer_clean: of `heard_clean` to `text`; None where that is not known, like the next.
        understood: the victim makes sense of the clean clip: `wer_clean` is within the limit.
        method, preset, victim, seed: what was run.
        passes: gradient passes spent.
        looks: forward passes spent only on looking for success.
        first_match: the pass that first matched; None: never.
        found_at: the pass that found what was saved; None: nothing matched.
        stage: the stage that it comes from; None: nothing matched.
        interrupted: the search was stopped by hand.
        seconds: wall time of the search, shared by the clips of a batch.
        quality: see `mondegreen.evaluation.metrics.Quality`.
        bank: the key of the bank of rooms; None: a method without rooms, like the next two.
        air: what else the search reckoned with after the room; `survival` does not.
        survival: how the saved file does in the bank's test rooms, and without any.
        clean: the same of the clean clip.
        sample_rate: of the saved file, Hz.
        device, dtype, versions: where it ran.
        warnings: what stands against believing it.
        curve: see `mondegreen.attacks.result.Trajectory`.
    """

    id: str
    audio: str
    target: str
    spelled: str
    text: str | None
    heard_clean: str
    heard: str
    verified: bool
    under_threshold: float | None
    normaliser: str
    wer_target: float
    wer_original: float
    wer_clean: float | None
    understood: bool | None
    method: str
    preset: str
    victim: str
    seed: int
    passes: int
    looks: int
    first_match: int | None
    found_at: int | None
    stage: str | None
    interrupted: bool
    seconds: float
    quality: Quality
    bank: str | None
    air: list[str]
    survival: Survival | None
    clean: Survival | None
    sample_rate: int
    device: str
    dtype: str
    versions: dict[str, str]
    warnings: list[str]
    curve: list[Point]

    def to_json(self) -> dict[str, Any]:
        """Plain data; the parts of `quality` and `survival` stand beside the other fields."""
        data = asdict(self)
        last = {name: data.pop(name) for name in ("clean", "curve")}
        quality, survival = data.pop("quality"), data.pop("survival")
        heard = survival or {"rooms": None, "dry": None}
        return {"adversarial": True, **data, **quality, **heard, **last}


@dataclass(frozen=True)
class Result:
    """What an attack on one clip came to.

    Attributes:
        record: what is claimed.
        clean: [T] float32, the clip on the 16-bit grid.
        adversarial: [T] float32, the samples that the proof was taken of.
    """

    record: Record
    clean: NDArray[np.float32]
    adversarial: NDArray[np.float32]

    @property
    def verified(self) -> bool:
        """Whether the saved file was heard as the target."""
        return self.record.verified

    def told(self, field: str) -> object:
        """A field of the record."""
        return getattr(self.record, field)

    @property
    def delta(self) -> NDArray[np.float32]:
        """[T] the perturbation, exactly adversarial - clean."""
        return self.adversarial - self.clean

    def save(self, folder: str | Path) -> Path:
        """Write the item folder, and read the audio back to see that it is what was proved.

        Raises:
            MondegreenError: it cannot be written, or not read back as it was.
        """
        folder = make_folder(folder)
        with FileLock(
            folder / ".lock"
        ):  # two runs into one folder: the files of one, never of both
            (folder / RECORD).unlink(missing_ok=True)  # no old claim beside a new file
            self.write(folder)
        return folder

    def write(self, folder: Path, **known: str) -> None:
        """Write the files of an item into a folder that nobody else writes to; `save` sees to that.

        Args:
            folder: it exists.
            known: what else the record shall say.

        Raises:
            MondegreenError: as `save`.
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
        record = {**self.record.to_json(), **known, "files": files}
        write_whole(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())


def make_folder(folder: str | Path) -> Path:
    """Make a folder that results can be written to.

    Raises:
        MondegreenError: it cannot be made, or not written to.
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
        raise MondegreenError(f"{folder} {what}: {why}. Choose another folder.") from error
    return folder


@dataclass(frozen=True)
class Item:
    """An item folder, read back.

    Attributes:
        record: `record.json`, as `Record.to_json` wrote it.
        adversarial: [T] float32, the saved file's samples.
        delta: [T] float32.
    """

    record: Mapping[str, Any]
    adversarial: NDArray[np.float32]
    delta: NDArray[np.float32]

    @property
    def clean(self) -> NDArray[np.float32]:
        """[T] the clip on the 16-bit grid."""
        return self.adversarial - self.delta

    def told(self, field: str) -> object:
        """A field of the record; None if there is none of that name."""
        return self.record.get(field)


def read_item(path: str | PathLike[str]) -> Item:
    """Read an item folder, named by itself or by its `record.json`.

    Raises:
        MondegreenError: it is not there, not whole, or its files do not belong together.
        AudioError: its audio cannot be read.
    """
    path = Path(path)
    folder = path.parent if path.is_file() else path
    if not (folder / RECORD).is_file():
        raise MondegreenError(
            f"{path} is no result: there is no {RECORD}. Expected the folder that an attack wrote,"
            f" with {WAV}, {DELTA} and {RECORD}."
        )
    record = read_record(folder)
    try:
        check_files(folder, record)
        delta = load_safetensors(folder / DELTA)["delta"]
        adversarial = load(folder / WAV, record["sample_rate"])
        if delta.dtype != np.float32 or delta.shape != adversarial.shape:
            raise ValueError("its audio and its perturbation are not of one length")
        _check_bound(record.get("under_threshold"))
        return Item(record, adversarial, delta)
    except (
        MondegreenError,
        OSError,
        SafetensorError,
        ValueError,
        KeyError,
        TypeError,
    ) as error:
        raise MondegreenError(
            f"{path} is no whole result ({reason(error)}). Expected the folder that an attack"
            f" wrote, with {WAV}, {DELTA} and {RECORD}."
        ) from error


def _check_bound(bound: object) -> None:
    """See that a record's bound is one that a file can be measured against."""
    if bound is not None and not (isinstance(bound, int | float) and 0 <= bound < math.inf):
        raise ValueError(f"its bound is {bound!r}, not 0 dB or more")
