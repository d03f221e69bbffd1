"""What can be refused at once: checked before torch and a recogniser are loaded.

Loading takes seconds, and whoever mistyped a name should not wait for it. What is checked here is
checked again where it is used, by the same functions where there are some.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mondegreen.chain.text import chained, check_chain
from mondegreen.cli.app import DEFAULT_VICTIM
from mondegreen.errors import OptionError, RoomError, StorageError
from mondegreen.reading import is_file, is_folder, is_there

if TYPE_CHECKING:
    from mondegreen.audio.passage import Passage
    from mondegreen.options import Options

BANKS: Final = ("fast", "paper", "real")  # names of banks that are made on first use
ANY_RATE: Final = 16_000  # Hz; whether a file can be read does not depend on it


def check_recordings(paths: Iterable[Path], passage: Passage | None = None) -> None:
    """Raises AudioError for a recording that cannot be read, or has no such passage."""
    from mondegreen.audio.passage import read_excerpt
    from mondegreen.audio.pcm import load

    for path in paths:
        if passage is None:
            load(path, ANY_RATE)
        else:
            read_excerpt(path, ANY_RATE, passage)


def check_recogniser(through: Sequence[str] | None, victim: str | None) -> None:
    """Raises OptionError or VictimError for a link or a recogniser of a name that there is not."""
    check_chain(chained(through or (), victim or DEFAULT_VICTIM))


def check_clips(clips: str) -> None:
    """Raises OptionError for a data set of this machine that is not there."""
    if not clips.startswith("hf:") and not is_there(clips):
        raise OptionError(
            f"Got {clips!r} for clips, which does not exist. Expected a manifest, or a folder of"
            " recordings; check the path."
        )


def check_aim(options: Options, target: str | None) -> None:
    """Raises TargetError or OptionError for a phrase that is none, or for a method without one."""
    from mondegreen.aim import Aim

    Aim.of(options, target, None)


def check_sound(sound: Path, target: str | None) -> None:
    """Raises MondegreenError for what is neither a result nor a recording with a target.

    That it is no recording is said first: no target would help.
    """
    from mondegreen.results.item import is_item, read_item
    from mondegreen.text import given_target

    if is_item(sound):
        read_item(sound)
    else:
        check_recordings([sound])
        given_target(target)


def check_results(folder: Path) -> None:
    """Raises MondegreenError for a folder without results."""
    from mondegreen.results.folder import items_in

    items_in(folder)


def check_bank(rooms: str | None, *names: str) -> None:
    """Raises RoomError for a bank that is neither a file nor one of the names."""
    if rooms is not None and rooms not in (*BANKS, *names) and not is_file(rooms):
        raise RoomError(
            f"{rooms} does not exist, or is not a file. Expected a bank that `mondegreen rooms"
            f" make` made, or {' or '.join((*BANKS, *names))}."
        )


def check_air(air: str | None) -> None:
    """Raises OptionError for an air that there is not, or a file that is none."""
    from mondegreen.airs import named_air

    named_air(air)


def check_picture(path: Path | None) -> None:
    """Raises MondegreenError for a picture of another format, or StorageError for its folder."""
    from mondegreen.report.figures.formats import check_format

    if path is not None:
        check_format(path)
        check_place(path.parent)


def check_new(path: Path) -> None:
    """Raises OptionError for a file that is there already, or StorageError for its folder."""
    if is_there(path):
        raise OptionError(
            f"{path} exists already, and is never overwritten. Choose another name, or move it"
            " away."
        )
    check_place(path.parent)


def check_place(folder: Path) -> None:
    """Raises StorageError for a folder that can neither be written to nor be made."""
    there = next((above for above in (folder, *folder.parents) if is_there(above)), Path())
    if not is_folder(there):
        raise StorageError(
            f"{folder} could not be made: {there} is not a folder. Choose another folder."
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise StorageError(
            f"{folder} cannot be written to: no permission for {there}. Choose another folder."
        )
