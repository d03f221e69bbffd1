"""Putting an item in place: whatever happens, its folder holds one whole result, old or new.

The new files are written beside the old ones, in a folder `.HOST-PROCESS-*.part`. Renaming that to
`.arriving` is the step at which the new result takes the place of the old one. Its files are then
moved to where they belong; a process that is killed in between leaves the rest in `.arriving`, and
whoever comes next moves it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mondegreen.errors import StorageError
from mondegreen.files import discard, part_name
from mondegreen.reading import is_folder
from mondegreen.results.folder import RECORD

ARRIVING: Final = ".arriving"


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A folder to write an item into, which then replaces the one in `folder`, if there is one.

    Hold the folder's lock.

    Raises:
        StorageError: it cannot be written or put in place.
    """
    part = folder / part_name()
    try:
        part.mkdir()
        yield part
        sync(part)
        settle(folder)
        part.rename(folder / ARRIVING)
        sync(folder)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written to: {error.strerror or error}. Free space, or choose"
            " another folder."
        ) from error
    finally:
        discard(part)
    settle(folder)


def settle(folder: Path) -> None:
    """Move what has arrived in a folder to where it belongs; mostly, nothing has.

    Raises:
        StorageError: a file cannot be moved.
    """
    arriving = folder / ARRIVING
    if not is_folder(arriving):
        return
    try:
        # the record first: it is what makes a folder a result, which readers then settle
        for path in sorted(arriving.iterdir(), key=lambda path: path.name != RECORD):
            with suppress(FileNotFoundError):  # another process settles it too
                path.replace(folder / path.name)
        with suppress(FileNotFoundError):
            arriving.rmdir()
        sync(folder)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written to: {error.strerror or error}. Its newest result is whole"
            f" but for what is still in {arriving}: move those files to {folder}."
        ) from error


def sync(folder: Path) -> None:
    """Wait until a folder's entries are on the disk."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
