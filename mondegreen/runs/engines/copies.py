"""What travels between a driver and workers on machines that do not see its files.

Such a worker reads copies. They lie in a temporary folder of its machine, under the full names of
their originals, and go by these. There it has a run folder as well, whose items and searches the
driver puts in the real one. Nothing stays behind: all is deleted once the recogniser is loaded, and
again when a job has ended.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Final, TypeAlias

from mondegreen.airs import named_air
from mondegreen.chain.text import unchained
from mondegreen.errors import StorageError
from mondegreen.files import write_new, write_whole
from mondegreen.reading import is_file, is_folder, is_there, lying_at, open_file, sha256
from mondegreen.results.folder import BANK, ITEMS, MANIFEST, SEARCHES
from mondegreen.runs.config import RunConfig
from mondegreen.runs.job import Job
from mondegreen.runs.ledger import Ledger
from mondegreen.runs.plan import Row

Files: TypeAlias = Mapping[str, bytes]  # what files hold, by their names

# What a worker leaves in its run folder, as patterns; what begins with a dot is half written.
ITEM_FILES: Final = f"{ITEMS}/[!.]*/[!.]*"
SEARCH: Final = f"{SEARCHES}/[!.]*"


@dataclass(frozen=True)
class Lacking:
    """What a worker has to be sent before it can do what it is asked for."""

    paths: frozenset[str]  # full names of files and folders


def inputs(config: RunConfig) -> list[str]:
    """The files and folders of the user's that a worker reads when it loads, by their full names.

    Raises:
        OptionError: there is no such air.
    """
    victim = unchained(config.victim)[1]
    named = [victim, config.rooms]
    if is_file(victim):  # beside it may be its vocabulary
        named.append(str(Path(victim).with_name("tokenizer.json")))
    if config.air is not None:
        noise = named_air(config.air).noise
        named += [config.air, noise.folder if noise else None]
    return [name for name in named if name and Path(name).is_absolute() and is_there(name)]


def contents(path: str) -> dict[str, bytes]:
    """A file, or those of a folder without the folders in it; what cannot be read is left out."""
    found = {}
    for one in Path(path).iterdir() if is_folder(path) else [Path(path)]:
        with suppress(OSError, ValueError), open_file(one) as file:
            found[str(one)] = file.read()
    return found


class Copies:
    """The files of a worker: those that it finds, and copies of the others.

    Args:
        run: the driver's run folder.
        sees_run: whether that is to be seen here.
    """

    def __init__(self, run: str, sees_run: bool) -> None:
        # of a name that nobody can guess: it is made anew each time
        self._root = Path(gettempdir()) / f"mondegreen-{secrets.token_hex(8)}"
        self._original = Path(run)
        self._sees_run = sees_run
        self.run = self._original if sees_run else self._place(run)  # for the worker to use
        self._told = 0  # when the search that was last told of was saved

    def _place(self, name: str) -> Path:
        path = Path(os.path.normpath(name))  # ".." does not lead out of the folder
        return self._root / path.relative_to(path.anchor)

    def lacking_to_load(self, inputs: list[str]) -> set[str]:
        """What has to be sent before a worker can load, of what it reads."""
        lacking = {path for path in inputs if not is_there(path)}
        return lacking | self._of_run(self._original / MANIFEST, self._original / BANK)

    def lacking_to_do(self, job: Job) -> set[str]:
        """What has to be sent before it can do a job."""
        lacking = {row.audio for row in job.rows if not _is_here(row)}
        return lacking | self._of_run(Ledger(self._original).search_path(job.name))

    def _of_run(self, *paths: Path) -> set[str]:
        return set() if self._sees_run else {str(path) for path in paths}

    @contextmanager
    def holding(self, sent: Mapping[str, Mapping[str, memoryview]]) -> Iterator[None]:
        """Have copies for as long as they are needed.

        Args:
            sent: by what was lacking, its files; none, if it is nowhere.

        Raises:
            StorageError: they cannot be written.
        """
        try:
            self._write(sent)
            with lying_at({path: self._place(path) for path, files in sent.items() if files}):
                yield
        finally:
            shutil.rmtree(self._root, ignore_errors=True)

    def _write(self, sent: Mapping[str, Mapping[str, memoryview]]) -> None:
        try:
            self._root.mkdir(mode=0o700)
            if not self._sees_run:
                for name in (ITEMS, SEARCHES):
                    (self.run / name).mkdir(parents=True)
            for files in sent.values():
                for name, content in files.items():
                    self._place(name).parent.mkdir(parents=True, exist_ok=True)
                    self._place(name).write_bytes(content)
        except OSError as error:
            raise StorageError(
                f"{self._root} cannot be written to: {error.strerror or error}. Free space there,"
                " or name another folder in TMPDIR."
            ) from error

    def left(self, *patterns: str) -> Files | None:
        """What the worker has left in its run folder, of these; None: that is the driver's own."""
        if self._sees_run:
            return None
        paths = [path for pattern in patterns for path in self.run.glob(pattern)]
        found = {name: content for path in paths for name, content in contents(str(path)).items()}
        return {str(Path(name).relative_to(self.run)): found[name] for name in found}

    def saved(self) -> Files | None:
        """The search under way, if it was saved since this was last asked."""
        with suppress(OSError):  # it may have ended meanwhile
            for path in () if self._sees_run else self.run.glob(SEARCH):
                before, self._told = self._told, path.stat().st_mtime_ns
                return self.left(SEARCH) if self._told != before else None
        return None


def _is_here(row: Row) -> bool:
    try:
        return sha256(Path(row.audio)) == row.sha256
    except (OSError, ValueError):
        return False


def put_in_place(run: Path, left: Files, ended: Job | None = None) -> None:
    """Put what a worker has left elsewhere in the run folder; an existing item is kept.

    Args:
        run: that folder.
        left: see `Copies.left`.
        ended: the job that left it, if that has ended; without a search it is not to go on.

    Raises:
        StorageError: it cannot be written.
    """
    items: dict[Path, dict[str, bytes]] = defaultdict(dict)
    for name, content in left.items():
        path = run / name
        if path.is_relative_to(run / ITEMS):
            items[path.parent][path.name] = content
        else:
            write_whole(path, content)
    ledger = Ledger(run)
    for item, files in items.items():
        ledger.commit(item.name, partial(_write_all, files))
    if ended is not None and not any(Path(name).parts[0] == SEARCHES for name in left):
        ledger.forget_searches(ended.name)


def _write_all(files: Files, folder: Path) -> None:
    for name, content in files.items():
        write_new(folder / name, content)
