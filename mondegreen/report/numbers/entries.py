"""Every clip of a run, or of a folder of results, as a row of cells: what became of it.

A record's parts stand side by side in a row: the `loss` of `masking` is `masking_loss`. What is no
single value (`curve`, `air`, `each` room) and the hashes of `files` are left out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from mondegreen.errors import MondegreenError
from mondegreen.results.folder import (
    CLIPS,
    ERRORS,
    ITEMS,
    RECORD,
    is_run,
    item_folders,
    read_lines,
    read_object,
    read_record,
)
from mondegreen.text import NORMALISERS

Kind = type[str] | type[bool] | type[int] | type[float]
Status = Literal["done", "error", "pending", "damaged"]


def _of(kind: Kind, *names: str) -> dict[str, Kind]:
    return dict.fromkeys(names, kind)


def _part(name: str, of: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}_{inner}": value for inner, value in of.items()}


_RATES: Final = _of(float, "wer_target", "wer_original")
_DRY: Final = _of(float, "heard") | _RATES
_IN_ROOMS: Final = (
    _of(str, "split")
    | _of(int, "count", "distinct")
    | _of(float, "heard", "heard_low", "heard_high", "heard_original")
    | _RATES
)
_MASKING: Final = _of(str, "profile") | _of(
    float, "loss", "share_above", "mean_excess_db", "max_excess_db", "edges_db"
)

COLUMNS: Final[Mapping[str, Kind]] = MappingProxyType(
    _of(str, "key", "status", "error")
    | _of(int, "attempts")
    | _of(str, "id", "audio", "target", "text", "spelled", "heard_clean", "heard", "normaliser")
    | _of(bool, "verified", "understood", "interrupted")
    | _RATES
    | _of(float, "wer_clean")
    | _of(str, "method", "preset", "victim")
    | _of(int, "seed", "passes", "looks", "first_match", "found_at")
    | _of(str, "stage")
    | _of(float, "under_threshold", "seconds", "max_abs", "snr_db")
    | _part("masking", _MASKING)
    | _of(float, "pesq", "stoi")
    | _of(str, "bank")
    | _part("rooms", _IN_ROOMS)
    | _part("dry", _DRY)
    | _part("clean_rooms", _IN_ROOMS)
    | _part("clean_dry", _DRY)
    | _of(int, "sample_rate")
    | _of(str, "device", "dtype", "warnings")
    | _part("versions", _of(str, "mondegreen", "torch", "transformers"))
)
CLIP: Final = {  # what is known of a clip beforehand, by its names in the list of clips
    "key": "key",
    "id": "id",
    "audio_filepath": "audio",
    "text": "text",
    "target": "target",
}
NEEDED: Final = (  # a record without these claims nothing
    *("id", "target", "heard_clean", "heard", "verified", "normaliser"),
    *("method", "preset", "victim", "interrupted"),
)
LARGEST_INT: Final = 2**63 - 1  # of a Parquet column


@dataclass(frozen=True)
class Entry:
    """What became of one clip.

    Attributes:
        cells: what is known, by the names of `COLUMNS` and of their types: UTF-8, finite numbers.
            The `status` is "done", "error" (it could not be attacked), "pending" (neither), or
            "damaged": there is something, and it is not what mondegreen writes; then, and for an
            error, `error` says why.
        record: the whole record; empty unless the clip is done.
    """

    cells: dict[str, Any]
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """What the clip's state is; see `cells`."""
        status: Status = self.cells["status"]
        return status


def entries(path: Path) -> Iterator[Entry]:
    """What became of each clip of a run, once and in their order; or the items of another folder.

    Raises:
        MondegreenError: there is no such folder, or a run's list of clips is damaged.
    """
    if not is_run(path):
        yield from (_finished(folder, {"key": folder.name}) for folder in item_folders(path))
        return
    seen = set()
    for clip in read_lines(path / CLIPS):
        told = {column: clip.get(name) for name, column in CLIP.items()}
        known = _cells(told, ("key",), path / CLIPS)
        if known["key"] not in seen:
            seen.add(known["key"])
            yield _clip(path, known)


def _clip(run: Path, known: dict[str, Any]) -> Entry:
    """What became of a clip of a run; a result counts, whatever failed before it."""
    folder, note = run / ITEMS / known["key"], run / ERRORS / f"{known['key']}.json"
    if folder.is_dir():
        return _finished(folder, known)
    return _failed(note, known) if note.is_file() else Entry({**known, "status": "pending"})


def _finished(folder: Path, known: dict[str, Any]) -> Entry:
    try:
        record = read_record(folder)
        cells = _cells(_flat(record), NEEDED, folder / RECORD)
        return Entry({**known, **cells, "key": known["key"], "status": "done"}, record)
    except MondegreenError as error:
        return _damaged(known, error)


def _failed(note: Path, known: dict[str, Any]) -> Entry:
    try:
        told = read_object(note)
        cells = _cells({name: told.get(name) for name in ("error", "attempts")}, ("error",), note)
        return Entry({**known, **cells, "status": "error"})
    except MondegreenError as error:
        return _damaged(known, error)


def _damaged(known: dict[str, Any], error: MondegreenError) -> Entry:
    return Entry({**known, "status": "damaged", "error": _converted(str, str(error))})


# ---- from a record to cells


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with its parts side by side, and its warnings in one text."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= _part(name, _flat(value))
        elif name == "warnings" and isinstance(value, list):
            flat[name] = " | ".join(map(str, value))
        else:
            flat[name] = value
    return flat


def _cells(data: Mapping[str, Any], needed: Iterable[str], path: Path) -> dict[str, Any]:
    """What of `data` has a column and is known; refuses what is not of the column's type."""
    known = {name: data[name] for name in COLUMNS if data.get(name) is not None}
    wrong = [name for name, value in known.items() if not _fits(COLUMNS[name], value)]
    wrong += [name for name in needed if name not in known]
    if known.get("normaliser") not in (None, *NORMALISERS):
        wrong.append("normaliser")
    if wrong:
        raise MondegreenError(
            f"{path} does not hold what mondegreen writes: look at {', '.join(wrong)}. Delete what"
            " is damaged and run the same command again."
        )
    return {name: _converted(COLUMNS[name], value) for name, value in known.items()}


def _fits(kind: Kind, value: object) -> bool:
    if kind is float:  # JSON has one kind of number; a NaN fails the comparison
        return type(value) in (int, float) and abs(value) <= sys.float_info.max  # type: ignore[arg-type]
    if kind is int:
        return type(value) is int and abs(value) <= LARGEST_INT
    return type(value) is kind


def _converted(kind: Kind, value: Any) -> Any:
    # half of a surrogate pair can be written in JSON, but not in UTF-8
    return value.encode("utf-8", "replace").decode() if kind is str else kind(value)
