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
        clips.suite          the suite that it is a run of, its clips as a manifest, and what came
        suite.jsonl          out, for programs and for people
        card.json, card.md
        heard/               what `mondegreen verify` heard, a file for each way of listening
        records.jsonl, .csv  tables, rebuilt from the items at any time

Nothing here needs torch: the driver of a run, its summary and its report read the same files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Final

from mondegreen.errors import MondegreenError, reason
from mondegreen.reading import (
    LARGEST,
    in_full,
    is_file,
    is_folder,
    is_there,
    json_lines,
    read_json,
    sha256,
)

MANIFEST: Final = "manifest.json"
CONFIG: Final = "config.toml"
CLIPS: Final = "clips.jsonl"
ITEMS: Final = "items"
ERRORS: Final = "errors"
SEARCHES: Final = "searches"
DAMAGED: Final = "damaged"
RECORDINGS: Final = "recordings"
LOCK: Final = ".lock"
SUITE, SUITE_CLIPS = "clips.suite", "suite.jsonl"
CARD, CARD_TEXT = "card.json", "card.md"
BEGUN: Final = frozenset(
    {ITEMS, ERRORS, SEARCHES, RECORDINGS, CLIPS, CONFIG, LOCK, "bank.rooms", SUITE, SUITE_CLIPS}
)  # no manifest yet
BANK: Final = "bank.rooms"
SANITY: Final = "sanity.json"
HEARD: Final = "heard"

WAV, DELTA, RECORD = "adversarial.wav", "delta.safetensors", "record.json"
LEVELS: Final = "levels.safetensors"

KEYS: Final = re.compile("[0-9A-Za-z_-]{1,100}")  # they name folders, and may not lead elsewhere


def is_run(path: str | PathLike[str]) -> bool:
    """Whether a folder is that of a run."""
    return is_file(Path(path) / MANIFEST)


def check_there(path: Path) -> None:
    """Check that there is such a folder.

    Raises:
        MondegreenError: there is none.
    """
    if is_file(path):
        raise MondegreenError(
            f"{path} is a file. Expected the folder of a run or of results; a card.json is taken by"
            " gate and suite compare alone."
        )
    if not is_folder(path):
        what = "is not a folder" if is_there(path) else "does not exist"
        raise MondegreenError(
            f"{path} {what}. Expected the folder of a run or of results; check the path."
        )


def item_folders(path: str | PathLike[str]) -> list[Path]:
    """The item folders of a run, or the folder itself and those in it, as `attack` leaves them.

    A run's stand in the order of its clips; others in that of their names. What a run has moved
    aside as damaged is left out.

    Raises:
        MondegreenError: there is no such folder, or a run's list of clips is damaged.
    """
    path = Path(path)
    check_there(path)
    if is_run(path):
        keys = dict.fromkeys(clip["key"] for clip in read_clip_list(path))
        return [path / ITEMS / key for key in keys if is_folder(path / ITEMS / key)]
    own = [path] if is_file(path / RECORD) else []
    nested = (record.parent for record in sorted(path.glob(f"**/[!.]*/{RECORD}")))
    return own + [folder for folder in nested if not _is_aside(folder)]


def items_in(path: str | PathLike[str]) -> list[Path]:
    """The item folders of a folder that has some; see `item_folders`.

    Raises:
        MondegreenError: it has none; or as `item_folders`.
    """
    found = item_folders(path)
    if not found:
        raise MondegreenError(f"{path} has no results yet. Expected a run, or a folder of results.")
    return found


def _is_aside(folder: Path) -> bool:
    """Whether a run has moved an item aside as damaged."""
    return any(above.name == DAMAGED and is_run(above.parent) for above in folder.parents)


def kept_bank(folder: Path) -> Path | None:
    """The bank of rooms kept in a folder of results, or above an item; None: there is none."""
    here = in_full(folder)
    return next((p for f in (here, *here.parents[:2]) if is_file(p := f / BANK)), None)


def hash_of(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits.

    Raises:
        MondegreenError: it does not exist, or is not a file.
    """
    try:
        return sha256(path)
    except (OSError, ValueError) as error:
        raise MondegreenError(f"{path} cannot be read ({reason(error)})") from error


def read_object(path: Path, at_most: int = LARGEST) -> dict[str, Any]:
    """A JSON file that holds one object, and at most so many bytes.

    Raises:
        MondegreenError: it is not there, or holds something else.
    """
    try:
        found = read_json(path, at_most)
        if not isinstance(found, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as error:
        raise MondegreenError(
            f"{path} cannot be read ({reason(error)}). Expected what mondegreen wrote; if it is"
            " damaged, delete it and run the same command again."
        ) from error
    return found


def read_clip_list(run: Path) -> Iterator[dict[str, Any]]:
    """The lines of a run's list of clips, each with a key that names a folder.

    Raises:
        MondegreenError: it is not there, or not what mondegreen wrote.
    """
    path = run / CLIPS
    try:
        for number, clip in json_lines(path):
            if not isinstance(clip, dict):
                raise ValueError(f"line {number} holds no object")
            if not (isinstance(key := clip.get("key"), str) and KEYS.fullmatch(key)):
                raise ValueError(f"line {number} has no key that names a folder of its own")
            yield clip
    except (OSError, ValueError) as error:
        raise MondegreenError(
            f"{path} cannot be read ({reason(error)}). Expected the list of clips that `mondegreen"
            " run` wrote: give it --force-new to move the run aside and begin another; its items"
            " stay there."
        ) from error
