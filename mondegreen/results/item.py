"""The unit on disk, the item folder: `adversarial.wav`, `delta.safetensors` and `record.json`.

Beside them lies `levels.safetensors`, for pictures.

`mondegreen attack` writes one for each clip; everything downstream reads them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_safetensors

from mondegreen.audio.pcm import load
from mondegreen.errors import MondegreenError, reason
from mondegreen.results.folder import DELTA, RECORD, WAV, check_files, read_record


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
