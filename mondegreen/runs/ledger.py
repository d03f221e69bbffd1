"""What a run folder holds of its clips: which are finished, which failed, which remain.

The folder is the truth. An item appears in it in one step, whole; what a killed process left half
written is cleared away, and what was damaged since is moved aside, both when the run goes on.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mondegreen.errors import MondegreenError, StorageError
from mondegreen.files import write_whole
from mondegreen.results.folder import (
    DAMAGED,
    ERRORS,
    ITEMS,
    LOCK,
    RECORD,
    SEARCHES,
)
from mondegreen.results.item import check_files, read_record
from mondegreen.runs.plan import Row


class Ledger:
    """The items and errors of a run folder.

    Args:
        run: the folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.items, self.errors, self.searches = run / ITEMS, run / ERRORS, run / SEARCHES

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep a second process from driving the same run.

        Raises:
            MondegreenError: another one does, or the folder cannot be made or written to.
        """
        with _writing(self.run):
            for folder in (self.items, self.errors, self.searches):
                folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.run / LOCK)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise MondegreenError(
                    f"{self.run} is being run by another process. Wait for it, or end it; the same"
                    " command then goes on."
                ) from None
        try:
            yield
        finally:
            lock.release()

    def survey(
        self, rows: Sequence[Row], on_item: Callable[[int, int], object] | None = None
    ) -> tuple[dict[str, bool], list[str]]:
        """The keys of finished items and whether they are verified, and what was moved aside.

        Clears away what killed processes left, and the notes of errors: those clips come up again.

        Raises:
            StorageError: the folder cannot be written to.
        """
        finished, complaints = {}, []
        keys = dict.fromkeys(row.key for row in rows if (self.items / row.key).exists())
        with _writing(self.run):
            self._clear_away()
            for done, key in enumerate(keys, 1):
                try:
                    finished[key] = self.verified(key)
                except MondegreenError as error:
                    aside = self._move_aside(key)
                    complaints.append(f"{error} It has been moved to {aside}, and is made anew.")
                if on_item is not None:
                    on_item(done, len(keys))
        return finished, complaints

    def verified(self, key: str) -> bool:
        """Whether a finished item is verified.

        Raises:
            MondegreenError: it is not there, or not whole.
        """
        record = read_record(self.items / key)
        try:
            check_files(self.items / key, record)
        except OSError as error:
            raise MondegreenError(
                f"{self.items / key} cannot be read ({error.strerror})"
            ) from error
        if record.key != key:
            raise MondegreenError(f"{self.items / key / RECORD} is that of another item")
        return record.verified

    def _move_aside(self, key: str) -> Path:
        (self.run / DAMAGED).mkdir(exist_ok=True)
        names = (key if n == 1 else f"{key}-{n}" for n in count(1))
        place = next(p for name in names if not (p := self.run / DAMAGED / name).exists())
        (self.items / key).rename(place)
        return place

    def _clear_away(self) -> None:
        for part in self.items.glob(".*.part*"):
            # renamed first: whoever might still be writing it can then not put it in place
            shutil.rmtree(part.rename(part.with_name(f"{part.name}.old")))
        for left in (*self.searches.glob(".*.part"), *self.errors.glob("*.json")):
            left.unlink(missing_ok=True)

    def commit(self, key: str, write: Callable[[Path], object]) -> None:
        """Put an item in place in one step, once it is on the disk; one that is there stays.

        Args:
            key: of the item.
            write: writes its files into the folder that it is given.

        Raises:
            StorageError: it cannot be written.
        """
        part = self.items / f".{key}.{secrets.token_hex(4)}.part"
        with _writing(self.run):
            try:
                part.mkdir()
                write(part)
                _sync(part)
                if not (self.items / key).exists():  # or another worker was first
                    part.rename(self.items / key)
                    _sync(self.items)
            finally:
                shutil.rmtree(part, ignore_errors=True)

    def note_error(self, row: Row, reason: str, attempts: int) -> None:
        """Note why a clip could not be attacked.

        Raises:
            StorageError: it cannot be written.
        """
        note: dict[str, Any] = {"key": row.key, "id": row.id, "audio": row.audio}
        note |= {"target": row.target, "error": reason, "attempts": attempts}
        write_whole(self.errors / f"{row.key}.json", (json.dumps(note, indent=1) + "\n").encode())

    def search_path(self, name: str) -> Path:
        """Where an unfinished search of that name is kept."""
        return self.searches / f"{name}.safetensors"

    def forget_searches(self, name: str | None = None) -> None:
        """Delete an unfinished search that is there; without a name, all.

        Raises:
            StorageError: it cannot be deleted.
        """
        with _writing(self.run):
            for path in self.searches.glob("*.safetensors"):
                if name is None or path == self.search_path(name):
                    path.unlink(missing_ok=True)


@contextmanager
def _writing(run: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{run} cannot be written to: {error.strerror or error}. Free space, or see to its"
            " permissions; what is finished is kept, and the same command goes on."
        ) from error


def _sync(folder: Path) -> None:
    """See that what a folder lists is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
