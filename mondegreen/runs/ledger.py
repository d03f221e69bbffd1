"""The items and errors of a run folder: what is finished, what failed, what remains.

The folder is the truth. An item appears in it in one step, whole. When a run resumes, what a killed
process left half written is deleted, and damaged items are moved aside.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from mondegreen.errors import MondegreenError, StorageError
from mondegreen.files import as_json, sweep, write_whole
from mondegreen.reading import is_there
from mondegreen.results.folder import (
    DAMAGED,
    ERRORS,
    ITEMS,
    LOCK,
    RECORD,
    SEARCHES,
)
from mondegreen.results.item import check_files, read_record
from mondegreen.results.place import sync
from mondegreen.runs.plan import Row


class Ledger:
    """The items and errors of the run folder `run`."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.items, self.errors, self.searches = run / ITEMS, run / ERRORS, run / SEARCHES

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from driving the same run.

        Raises:
            MondegreenError: another process drives it.
            StorageError: the folder cannot be made or written to.
        """
        with _writing(self.run):
            for folder in (self.items, self.errors, self.searches):
                folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.run / LOCK)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise MondegreenError(
                    f"{self.run} is being run by another process. Wait for it or end it, then run"
                    " the same command again."
                ) from None
        try:
            yield
        finally:
            lock.release()

    def survey(
        self, rows: Sequence[Row], on_item: Callable[[int, int], object] | None = None
    ) -> tuple[dict[str, bool], list[str]]:
        """The keys of finished items with whether they are verified, and what was moved aside.

        Deletes what killed processes left half written, and the notes of errors: those clips are
        tried again.

        Raises:
            StorageError: the folder cannot be written to.
        """
        finished, complaints = {}, []
        keys = dict.fromkeys(row.key for row in rows if is_there(self.items / row.key))
        with _writing(self.run):
            self._delete_leftovers()
            for done, key in enumerate(keys, 1):
                try:
                    finished[key] = self.verified(key)
                except MondegreenError as error:
                    what, aside = str(error).rstrip("."), self._move_aside(key)
                    complaints.append(f"{what}. Moved to {aside}; the clip is attacked again")
                if on_item is not None:
                    on_item(done, len(keys))
        return finished, complaints

    def verified(self, key: str) -> bool:
        """Whether a finished item is verified.

        Raises:
            MondegreenError: it is missing, damaged, or another one.
        """
        folder = self.items / key
        record = read_record(folder)
        check_files(folder, record)
        if record.key != key:
            raise MondegreenError(f"{folder / RECORD} belongs to another item")
        return record.verified

    def _move_aside(self, key: str) -> Path:
        damaged = self.run / DAMAGED
        damaged.mkdir(exist_ok=True)
        names = (key if n == 1 else f"{key}-{n}" for n in count(1))
        return (self.items / key).rename(
            next(path for name in names if not (path := damaged / name).exists())
        )

    def _delete_leftovers(self) -> None:
        sweep(self.run)
        for part in self.items.glob(".*.part*"):
            # renamed first: a process that is still writing it can then not put it in place
            shutil.rmtree(part.rename(part.with_name(f"{part.name}.old")))
        for left in (*self.searches.glob(".*.part"), *self.errors.glob("*.json")):
            left.unlink(missing_ok=True)

    def commit(self, key: str, write: Callable[[Path], object]) -> None:
        """Put an item in place in one step, once it is on the disk; an existing item is kept.

        `write` writes its files into a folder. Raises StorageError if they cannot be written.
        """
        part = self.items / f".{key}.{secrets.token_hex(4)}.part"
        with _writing(self.run):
            try:
                part.mkdir()
                write(part)
                sync(part)
                if not (self.items / key).exists():  # or another worker was first
                    part.rename(self.items / key)
                    sync(self.items)
            finally:
                shutil.rmtree(part, ignore_errors=True)

    def note_error(self, row: Row, reason: str, attempts: int) -> None:
        """Note why a clip could not be attacked; raises StorageError if that cannot be written."""
        about = {"key": row.key, "id": row.id, "audio": row.audio, "target": row.target}
        note = {**about, "error": reason, "attempts": attempts}
        write_whole(self.errors / f"{row.key}.json", as_json(note))

    def search_path(self, name: str) -> Path:
        """Where the unfinished search of a job is saved."""
        return self.searches / f"{name}.safetensors"

    def forget_searches(self, name: str = "*") -> None:
        """Delete a job's unfinished search, if there is one, or all; raises StorageError."""
        with _writing(self.run):
            for path in self.searches.glob(f"{name}.safetensors"):
                path.unlink(missing_ok=True)


@contextmanager
def _writing(run: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{run} cannot be written to: {error.strerror or error}. Free space or check its"
            " permissions, then run the same command again; finished items are kept."
        ) from error
