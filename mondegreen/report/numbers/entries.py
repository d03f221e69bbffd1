"""Every clip of a run, or of a folder of results: what became of it, as a row of cells.

Nested values are flattened: the `loss` of `masking` is `masking_loss`. A passage is two
cells, in seconds, and an air is its name. Other lists (`curve`, the rooms one by one) and the
hashes of `files` are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from mondegreen.airs import air_name
from mondegreen.errors import MondegreenError
from mondegreen.options import Options
from mondegreen.reading import in_full, is_folder, is_there
from mondegreen.results.folder import (
    CLIPS,
    ERRORS,
    ITEMS,
    is_run,
    item_folders,
    read_clip_list,
    read_object,
)
from mondegreen.results.item import read_record
from mondegreen.results.record import PARTS, Count, Record, typed
from mondegreen.results.verdict import verdict, verdict_in_rooms

Kind = type[str] | type[bool] | type[int] | type[float]
Status = Literal["done", "error", "pending", "damaged"]


def _columns(kind: Any, before: str = "") -> Iterator[tuple[str, Kind]]:
    """The names and types of a record's single values, as they are called in a row."""
    hints = get_type_hints(kind)
    for name in Options.model_fields if kind is Options else hints:
        known = set(get_args(hints[name])) if NoneType in get_args(hints[name]) else {hints[name]}
        (one,) = known - {NoneType}
        if get_origin(one) is Literal:
            yield before + name, str
        elif one in (str, bool, int, float):
            yield before + name, one
        elif one is Options or is_dataclass(one):
            beside = one is Options or name in PARTS
            yield from _columns(one, before if beside else f"{before}{name}_")


VERSIONS: Final = ("mondegreen", "torch", "transformers")
COLUMNS: Final[Mapping[str, Kind]] = (
    {"key": str, "status": str, "error": str, "attempts": int}
    | {name: kind for name, kind in _columns(Record) if name != "key"}
    | {
        "air": str,
        "verdict": str,
        "verdict_in_rooms": str,
        "warnings": str,
        "passage_begin": float,
        "passage_end": float,
    }
    | {f"versions_{name}": str for name in VERSIONS}
)


@dataclass(frozen=True)
class Planned:
    """A line of a run's list of clips."""

    key: str
    id: str
    audio_filepath: str
    text: str | None = None
    target: str | None = None

    @property
    def cells(self) -> dict[str, Any]:
        """By the names of `COLUMNS`."""
        return _known(vars(self) | {"audio": self.audio_filepath})


@dataclass(frozen=True)
class Failure:
    """Why a clip could not be attacked."""

    error: str
    attempts: Count


@dataclass(frozen=True)
class Entry:
    """What became of one clip."""

    cells: dict[str, Any]  # what is known, by the names of `COLUMNS`
    record: Record | None = None  # None unless the clip is done
    folder: Path | None = None  # of its item; None: it has none

    @property
    def status(self) -> Status:
        """Damaged: not what mondegreen writes. The cell `error` says why, as it does for errors."""
        status: Status = self.cells["status"]
        return status


def entries(path: Path) -> Iterator[Entry]:
    """The clips of a run, each once and in their order, or the items of another folder.

    Raises:
        MondegreenError: there is no such folder, or a run's list of clips is damaged.
    """
    if not is_run(path):
        yield from map(read_entry, item_folders(path))
        return
    seen = set()
    for clip in read_clip_list(path):
        try:
            known = typed(Planned, clip).cells
        except MondegreenError as error:
            raise MondegreenError(
                f"{path / CLIPS} is not what mondegreen wrote: {error}."
            ) from None
        if known["key"] not in seen:
            seen.add(known["key"])
            yield _clip(path, known)


def _clip(run: Path, known: dict[str, Any]) -> Entry:
    """What became of a clip of a run; a result counts, whatever failed before it."""
    folder, note = run / ITEMS / known["key"], run / ERRORS / f"{known['key']}.json"
    if is_folder(folder):
        return read_entry(folder, known)
    if not is_there(note):
        return Entry(known | {"status": "pending"})
    try:
        return Entry(known | vars(typed(Failure, read_object(note))) | {"status": "error"})
    except MondegreenError as error:
        return _damaged(known, error)


def read_entry(folder: Path, known: dict[str, Any] | None = None) -> Entry:
    """The entry of an item; `known` are cells that are known beforehand."""
    known = known or {"key": in_full(folder).name}
    try:
        record = read_record(folder)
    except MondegreenError as error:
        return _damaged(known, error, folder)
    cells = known | cells_of(record) | {"key": known["key"], "status": "done"}
    return Entry(cells, record, folder)


def _damaged(known: dict[str, Any], error: MondegreenError, folder: Path | None = None) -> Entry:
    readable = str(error).encode("utf-8", "replace").decode()
    return Entry(known | {"status": "damaged", "error": readable}, folder=folder)


def cells_of(record: Record) -> dict[str, Any]:
    """What is known in a record, as cells; its warnings are one text."""
    flat = _flat(replace(record, curve=()).to_json())  # a curve has no cell, and takes long
    begin, end = record.where or (None, None)
    found, there = verdict(record.quality), verdict_in_rooms(record.quality_in_rooms)
    told = {
        "air": record.survival and air_name(record.air),
        "verdict": found and found.word,
        "verdict_in_rooms": there and there.word,
        "warnings": " | ".join(record.warnings) or None,
    }
    return _known(flat | told | {"passage_begin": begin, "passage_end": end})


def _flat(data: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in data.items():
        inner = isinstance(value, dict)
        flat |= _flat(value, f"{before}{name}_") if inner else {before + name: value}
    return flat


def _known(cells: Mapping[str, Any]) -> dict[str, Any]:
    return {name: cells[name] for name in COLUMNS if cells.get(name) is not None}
