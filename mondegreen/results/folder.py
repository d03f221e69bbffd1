"""Where things lie in a run folder, and reading them without a recogniser at hand.

    RUN/manifest.json        what is run, resolved, and on what
        config.toml          the same configuration, to be run again
        clips.jsonl          every clip with its target and its key, in the order of the run
        items/KEY/           a finished clip: adversarial.wav, delta.safetensors, record.json, and
                             levels.safetensors for pictures
        errors/KEY.json      a clip that could not be attacked, and why
        searches/            unfinished searches, to resume
        bank.rooms           the bank of rooms that methods in rooms were run and proved in
        recordings/          those of a data set that came from the hub
        damaged/             items that were not what was saved, moved aside
        sanity.json          what `mondegreen sanity` found
        heard/               what `mondegreen verify` heard, a file for each way of listening
        records.jsonl, .csv  tables, rebuilt from the items at any time

Nothing here needs torch: the driver of a run, its summary and its report read the same files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Final

from mondegreen.errors import MondegreenError, reason

MANIFEST: Final = "manifest.json"
CONFIG: Final = "config.toml"
CLIPS: Final = "clips.jsonl"
ITEMS: Final = "items"
ERRORS: Final = "errors"
SEARCHES: Final = "searches"
DAMAGED: Final = "damaged"
RECORDINGS: Final = "recordings"
LOCK: Final = ".lock"
BEGUN: Final = frozenset(
    {ITEMS, ERRORS, SEARCHES, RECORDINGS, CLIPS, CONFIG, LOCK, "bank.rooms"}
)  # no manifest yet
BANK: Final = "bank.rooms"
SANITY: Final = "sanity.json"
HEARD: Final = "heard"

WAV, DELTA, RECORD = "adversarial.wav", "delta.safetensors", "record.json"
LEVELS: Final = "levels.safetensors"


def is_run(path: str | PathLike[str]) -> bool:
    """Whether a folder is that of a run."""
    return (Path(path) / MANIFEST).is_file()


def check_there(path: Path) -> None:
    """Check that there is such a folder.

    Raises:
        MondegreenError: there is none.
    """
    if not path.is_dir():
        raise MondegreenError(
            f"{path} is not there, or is no folder. Expected the folder of a run or of results."
        )


def item_folders(path: str | PathLike[str]) -> list[Path]:
    """The item folders of a run, or the folder itself and those in it, as `attack` leaves them.

    A run's stand in the order of its clips; others in that of their names. What a run has moved
    aside as damaged is left out.

    Raises:
        MondegreenError: there is no such folder.
    """
    path = Path(path)
    check_there(path)
    if is_run(path):
        keys = dict.fromkeys(row["key"] for row in read_lines(path / CLIPS))
        return [path / ITEMS / key for key in keys if (path / ITEMS / key).is_dir()]
    own = [path] if (path / RECORD).is_file() else []
    nested = (record.parent for record in sorted(path.glob(f"**/[!.]*/{RECORD}")))
    return own + [folder for folder in nested if not _is_aside(folder)]


def _is_aside(folder: Path) -> bool:
    """Whether a run has moved an item aside as damaged."""
    return any(above.name == DAMAGED and is_run(above.parent) for above in folder.parents)


def kept_bank(folder: Path) -> Path | None:
    """The bank of rooms kept in a folder of results, or above an item; None: there is none."""
    here = folder.resolve()
    return next((p for f in (here, *here.parents[:2]) if (p := f / BANK).is_file()), None)


def hash_of(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds one object.

    Raises:
        MondegreenError: it is not there, or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as error:
        raise MondegreenError(
            f"{path} cannot be read ({reason(error)}). Expected what mondegreen wrote; if it is"
            " damaged, delete it and run the same command again."
        ) from error
    return found


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """A JSON Lines file, object by object.

    Raises:
        MondegreenError: it is not there, or a line holds something else.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                yield _object(line, number)
    except (OSError, ValueError) as error:
        raise MondegreenError(
            f"{path} cannot be read ({reason(error)}). Expected a file that mondegreen wrote."
        ) from error


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"line {number} holds no object")
    return found
