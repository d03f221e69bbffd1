"""The conditions of a study, out of runs: the same clips in each, and what had to be left out.

A condition is what one folder holds of one method and preset. Clips are the same if their ids and
their clean samples are; only verified items count, for the others show nothing that was achieved.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from mondegreen.errors import MondegreenError
from mondegreen.listening.trials import Condition
from mondegreen.report.numbers.entries import Entry, entries
from mondegreen.report.page.sounds import Sounds, read_sounds
from mondegreen.results.folder import ITEMS, is_run, item_folders, read_record

Told = Callable[[str, int, int], None]  # what is done, how many of it, of how many

NOT_VERIFIED: Final = "not verified"
NOT_IN_ALL: Final = "not in every condition with the same recording"
NOT_DRAWN: Final = "not drawn"


class Clip(NamedTuple):
    """What makes a clip the same clip."""

    id: str
    rate: int
    samples: str  # hash of the clean ones


@dataclass(frozen=True)
class Material:
    """What a study is made of.

    Attributes:
        conditions: in the order of the runs.
        clips: those that are heard.
        folders: the item of each clip, by the label of its condition.
        left_out: items, or clips, that are not used, by the reason.
    """

    conditions: tuple[Condition, ...]
    clips: tuple[Clip, ...]
    folders: Mapping[str, Mapping[Clip, Path]]
    left_out: Mapping[str, int]

    @property
    def rate(self) -> int:
        """Of all sounds, Hz."""
        return self.clips[0].rate

    def read(self, clip: Clip, label: str) -> Sounds:
        """The sounds of an item.

        Raises:
            MondegreenError: they are no longer what they were.
        """
        folder = self.folders[label][clip]
        sounds = read_sounds(folder, read_record(folder))
        if _clip(clip.id, sounds) != clip:
            raise MondegreenError(f"{folder} has changed meanwhile. Run the same command again.")
        return sounds


@dataclass
class _Found:
    """What a folder holds of a method and preset."""

    folder: Path
    method: str
    preset: str
    items: dict[Clip, Path] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.method} {self.preset}"


def gather(runs: Sequence[Path], most: int, rng: Random, told: Told) -> Material:
    """Find the conditions of runs, or of any folders of results, and draw the clips.

    Args:
        runs: folders; one that is named twice, in whatever way, counts once.
        most: clips to draw.
        rng: draws them.
        told: is called as items are read.

    Raises:
        MondegreenError: a folder is not there, nothing is verified, the conditions have no clip in
            common, or the clips are not all of one sample rate.
    """
    left_out: Counter[str] = Counter()
    found = [
        condition
        for run in {run.resolve(): run for run in runs}.values()
        for condition in _read(run, left_out, told)
    ]
    if not found:
        raise MondegreenError(
            f"{_names(runs)} holds nothing verified to listen to ({_tell(left_out)}). Expected runs"
            " with verified items; `mondegreen summary` tells what there is."
        )
    labels = _labels(found)
    common = [clip for clip in found[0].items if all(clip in other.items for other in found)]
    left_out[NOT_IN_ALL] += len({clip for one in found for clip in one.items}) - len(common)
    _check(labels, common)
    drawn = rng.sample(common, min(most, len(common)))
    left_out[NOT_DRAWN] += len(common) - len(drawn)
    return Material(
        conditions=tuple(map(Condition, labels, (one.method for one in found))),
        clips=tuple(drawn),
        folders={label: one.items for label, one in zip(labels, found, strict=True)},
        left_out={why: count for why, count in left_out.items() if count},
    )


def _check(labels: Sequence[str], common: Sequence[Clip]) -> None:
    if not common:
        raise MondegreenError(
            f"No clip is in all of: {', '.join(labels)}. Expected runs over the same recordings,"
            " each with verified items; name only those that are to be compared."
        )
    if len({clip.rate for clip in common}) > 1:
        raise MondegreenError(
            "The clips are not of one sample rate. Expected those of one recogniser; make a study"
            " for each."
        )


def _read(run: Path, left_out: Counter[str], told: Told) -> list[_Found]:
    """The conditions in one folder, as they come up."""
    found: dict[tuple[str, str], _Found] = {}
    items = list(_items(run))
    for done, (entry, folder) in enumerate(items, 1):
        told(f"reading {run.name}", done, len(items))
        why = _unusable(entry)
        if why is None:
            how = (entry.cells["method"], entry.cells["preset"])
            why = _add(found.setdefault(how, _Found(run, *how)), entry, folder)
        if why is not None:
            left_out[why] += 1
    return [condition for condition in found.values() if condition.items]


def _items(run: Path) -> Iterator[tuple[Entry, Path]]:
    if is_run(run):
        yield from ((entry, run / ITEMS / entry.cells["key"]) for entry in entries(run))
    else:
        yield from zip(entries(run), item_folders(run), strict=True)


def _unusable(entry: Entry) -> str | None:
    reasons = {"error": "in error", "pending": "not yet run", "damaged": "damaged"}
    if entry.status != "done":
        return reasons[entry.status]
    return None if entry.cells["verified"] else NOT_VERIFIED


def _add(condition: _Found, entry: Entry, folder: Path) -> str | None:
    """Take an item in; if it cannot be, why."""
    name = entry.cells["id"]
    if any(clip.id == name for clip in condition.items):
        return "of a clip that was there already"
    try:
        clip = _clip(name, read_sounds(folder, entry.record))
    except MondegreenError:
        return "damaged"
    condition.items[clip] = folder
    return None


def _clip(name: str, sounds: Sounds) -> Clip:
    samples = hashlib.sha256(sounds.original.astype("<i2").tobytes()).hexdigest()
    return Clip(name, sounds.rate, samples)


def _labels(found: Sequence[_Found]) -> list[str]:
    """Method and preset; where those are not one condition's alone, with its folder."""
    labels = [one.label for one in found]
    for name in (lambda one: one.folder.name, lambda one: str(one.folder)):
        again = {label for label, count in Counter(labels).items() if count > 1}
        labels = [
            f"{one.label} ({name(one)})" if label in again else label
            for label, one in zip(labels, found, strict=True)
        ]
    return labels


def _names(runs: Sequence[Path]) -> str:
    return ", ".join(map(str, runs))


def _tell(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {why}" for why, count in left_out.items()) or "it is empty"
