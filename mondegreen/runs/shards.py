"""Shards of a run, attacked apart, put together as the one run that they are parts of.

Machines that share nothing but a scheduler each run a part of the clips, `run --shard K/N`, in a
folder of its own. Whoever has all the folders merges them: the items are named by what they are,
so the merged run is the one that a single machine would have left, and can be resumed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from mondegreen.errors import OptionError, StorageError
from mondegreen.files import differences
from mondegreen.reading import in_full, is_file, is_folder, is_there
from mondegreen.results.folder import BANK, CONFIG, ERRORS, ITEMS, MANIFEST, is_run, read_object
from mondegreen.results.record import typed
from mondegreen.runs.config import RunConfig, read_config
from mondegreen.runs.ledger import Ledger
from mondegreen.runs.manifest import Attacked, write_manifest
from mondegreen.runs.plan import Row, read_rows, write_rows
from mondegreen.wording import number_of


@dataclass(frozen=True)
class _Victim:
    """What the manifest of a run says of the recogniser."""

    sample_rate: int


@dataclass(frozen=True)
class _Manifest:
    """What a shard's manifest says of it."""

    identity: Mapping[str, Any]
    victim: _Victim


@dataclass(frozen=True)
class Merged:
    """What became of the clips of a merged run."""

    clips: int
    finished: int
    errors: int

    @property
    def left(self) -> int:
        """Clips that remain to be attacked."""
        return self.clips - self.finished - self.errors


def merge(
    shards: Sequence[Path], out: Path, on_item: Callable[[int, int], object] = lambda *_: None
) -> Merged:
    """Put the folders of shards together in a new one, in which the same command resumes.

    Args:
        shards: folders of `run --shard 1/N` to `N/N`, in any order.
        out: the folder of the whole run; it may be there, if an earlier merging was cut short.
        on_item: called with the clips looked at, and how many there are.

    Raises:
        OptionError: they are not all the shards of one run, or the folder holds something else.
        MondegreenError: a folder is no run, or is damaged.
        StorageError: the folder cannot be written to.
    """
    folders = _in_order(shards)
    folder = in_full(out)
    if is_there(folder) and not is_folder(folder / ITEMS) and any(folder.iterdir()):
        raise OptionError(f"{folder} is not empty and holds no run. Choose another --out.")
    rows = _interleaved([read_rows(one) for one in folders])
    ledger = Ledger(folder)
    with ledger.alone():
        for done, (one, row) in enumerate(_places(folders, rows), 1):
            _take(one, row, ledger)
            on_item(done, len(rows))
        if is_file(folders[0] / BANK):
            _copy(folders[0] / BANK, folder / BANK)
        write_rows(folder, rows)
        config = _config(folders[0]).model_copy(update={"shard": None})
        write_manifest(folder, config, _attacked(folders[0]), len(rows))
    keys = {row.key for row in rows}
    finished = sum(is_folder(folder / ITEMS / key) for key in keys)
    failed = sum(is_file(folder / ERRORS / f"{key}.json") for key in keys)
    return Merged(len(keys), finished, failed)


def _config(shard: Path) -> RunConfig:
    return read_config(shard / CONFIG, {})


def _in_order(shards: Sequence[Path]) -> list[Path]:
    """The folders in the order of their numbers, all of one run."""
    numbered: dict[int, Path] = {}
    of, first = 0, None
    for shard in shards:
        if not is_run(shard):
            raise OptionError(
                f"{shard} is not the folder of a run. Expected those of `run --shard`."
            )
        identity = _identity(shard)
        first = first or identity
        if different := next(differences(first, identity), None):
            raise OptionError(f"{shard} is a shard of another run than {shards[0]}: {different}.")
        number, of = _config(shard).part
        if number in numbered:
            raise OptionError(
                f"{shard} and {numbered[number]} are both shard {number + 1} of {of}. Name each"
                " once."
            )
        numbered[number] = shard
    if missing := [str(n + 1) for n in range(of) if n not in numbered]:
        raise OptionError(
            f"Got {number_of(len(numbered), 'shard')} of {of}; missing: {', '.join(missing)}. Name"
            " them too, and run those that were not run."
        )
    return [numbered[n] for n in range(of)]


def _identity(shard: Path) -> dict[str, Any]:
    """What a run is, and of how many shards; but not which."""
    identity = dict(typed(_Manifest, read_object(shard / MANIFEST)).identity)
    of = _config(shard).part[1]
    return identity | {"configuration": {**identity["configuration"], "shard": f"of {of}"}}


def _attacked(shard: Path) -> Attacked:
    known = typed(_Manifest, read_object(shard / MANIFEST))
    # where the merging is done, nothing is attacked: there are no devices
    data = {**known.identity["attacked"], "sample_rate": known.victim.sample_rate, "devices": ()}
    return typed(Attacked, data)


def _interleaved(parts: Sequence[Sequence[Row]]) -> list[Row]:
    """The rows of all shards in the order of the whole: shard K has every N-th from the K-th on."""
    return [row for row in chain.from_iterable(zip_longest(*parts)) if row is not None]


def _places(folders: Sequence[Path], rows: Sequence[Row]) -> list[tuple[Path, Row]]:
    return [(folders[n % len(folders)], row) for n, row in enumerate(rows)]


def _take(shard: Path, row: Row, ledger: Ledger) -> None:
    """Copy a clip's item, or the note of why it could not be attacked."""
    item, note = shard / ITEMS / row.key, shard / ERRORS / f"{row.key}.json"
    if is_folder(item) and not is_there(ledger.items / row.key):
        ledger.commit(row.key, partial(shutil.copytree, item, dirs_exist_ok=True))
    if is_file(note):
        _copy(note, ledger.errors / note.name)


def _copy(path: Path, to: Path) -> None:
    try:
        shutil.copyfile(path, to)
    except OSError as error:
        raise StorageError(
            f"{to} could not be written: {error.strerror or error}. Free space, and merge again:"
            " what is there is kept."
        ) from error
