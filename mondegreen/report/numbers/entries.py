"""Every clip of a run, or of a folder of results, as a row of cells: what became of it.

A record's parts stand side by side in a row: the `loss` of `masking` is `masking_loss`. What is no
single value (`curve`, `air`, `each` room) and the hashes of `files` are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from mondegreen.errors import MondegreenError
from mondegreen.options import Options
from mondegreen.results.folder import (
    CLIPS,
    ERRORS,
    ITEMS,
    is_run,
    item_folders,
    read_lines,
    read_object,
)
from mondegreen.results.item import read_record
from mondegreen.results.record import PARTS, Record, typed

Kind = type[str] | type[bool] | type[int] | type[float]
Status = Literal["done", "error", "pending", "damaged"]


def _columns(kind: Any, before: str = "") -> Iterator[tuple[str, Kind]]:
    """The single values in a record, by their names in a row, and their types."""
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
COLUMNS: Final[Mapping[str, Kind]] = MappingProxyType(
    {"key": str, "status": str, "error": str, "attempts": int}
    | {name: kind for name, kind in _columns(Record) if name != "key"}
    | {"warnings": str}
    | {f"versions_{name}": str for name in VERSIONS}
)


@dataclass(frozen=True)
class Planned:
    """What is known of a clip beforehand, by its names in a run's list of clips."""

    key: str
    id: str
    audio_filepath: str
    text: str | None = None
    target: str | None = None

    @property
    def cells(self) -> dict[str, Any]:
        """By the names of `COLUMNS`."""
        known = {"key": self.key, "id": self.id, "audio": self.audio_filepath}
        return known | _known({"text": self.text, "target": self.target})


@dataclass(frozen=True)
class Failure:
    """Why a clip could not be attacked."""

    error: str
    attempts: int


@dataclass(frozen=True)
class Entry:
    """What became of one clip.

    Attributes:
        cells: what is known, by the names of `COLUMNS` and of their types. The `status` is "done",
            "error" (it could not be attacked), "pending" (neither), or "damaged": there is
            something, and it is not what mondegreen writes; then, and for an error, `error` says
            why.
        record: the whole record; None unless the clip is done.
    """

    cells: dict[str, Any]
    record: Record | None = None

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
    if folder.is_dir():
        return _finished(folder, known)
    return _failed(note, known) if note.is_file() else Entry({**known, "status": "pending"})


def _finished(folder: Path, known: dict[str, Any]) -> Entry:
    try:
        record = read_record(folder)
    except MondegreenError as error:
        return _damaged(known, error)
    return Entry({**known, **_cells(record), "key": known["key"], "status": "done"}, record)


def _failed(note: Path, known: dict[str, Any]) -> Entry:
    try:
        failure = typed(Failure, read_object(note))
    except MondegreenError as error:
        return _damaged(known, error)
    return Entry({**known, **vars(failure), "status": "error"})


def _damaged(known: dict[str, Any], error: MondegreenError) -> Entry:
    readable = str(error).encode("utf-8", "replace").decode()
    return Entry({**known, "status": "damaged", "error": readable})


def _cells(record: Record) -> dict[str, Any]:
    """A record as cells, its warnings in one text."""
    flat = _flat(record.to_json()) | {"warnings": " | ".join(record.warnings) or None}
    return _known({name: flat.get(name) for name in COLUMNS})


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data with its parts side by side."""
    flat: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{inner}": cell for inner, cell in _flat(value).items()}
        else:
            flat[name] = value
    return flat


def _known(cells: Mapping[str, Any]) -> dict[str, Any]:
    return {name: cell for name, cell in cells.items() if cell is not None}
