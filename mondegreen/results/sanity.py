"""What `mondegreen sanity` found of a folder of results, kept in its `sanity.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mondegreen.errors import MondegreenError
from mondegreen.files import as_json, write_whole
from mondegreen.findings import Finding
from mondegreen.reading import is_file
from mondegreen.results.folder import RECORD, SANITY, hash_of, item_folders, read_object
from mondegreen.results.record import typed


@dataclass(frozen=True)
class Sanity:
    """The findings of a folder, and what they are of."""

    # the hash of each item's record, which has those of its files, by its path
    items: Mapping[str, str]
    sample: int  # clips that were drawn for the checks that cost passes
    seed: int  # of the draw
    findings: tuple[Finding, ...]  # one for each check


def keep_findings(folder: Path, findings: Sequence[Finding], *, sample: int, seed: int) -> None:
    """Write the findings of every check into the folder, in place of earlier ones.

    Raises:
        StorageError: they cannot be written.
    """
    kept = Sanity(_items(folder), sample, seed, tuple(findings))
    write_whole(folder / SANITY, as_json(asdict(kept)))


def read_findings(folder: Path) -> Sanity | None:
    """The findings of a folder.

    None where `mondegreen sanity` was not run to its end on the very items that there are now, or
    what it left is damaged: then nothing is known, and the numbers are shown all the same.
    """
    if not is_file(folder / SANITY):
        return None
    try:
        kept = typed(Sanity, read_object(folder / SANITY))
        return kept if kept.items == _items(folder) else None
    except MondegreenError:
        return None


def _items(folder: Path) -> dict[str, str]:
    found = item_folders(folder)
    return {item.relative_to(folder).as_posix(): hash_of(item / RECORD) for item in found}
