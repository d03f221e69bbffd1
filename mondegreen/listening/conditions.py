"""The conditions of a study, read from runs: the same clips in each, and why others are left out.

A condition is a method and preset in one folder. Clips are the same if their ids and their clean
samples are. Only verified items are used; the others show nothing that the attack achieved.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from mondegreen.errors import MondegreenError
from mondegreen.listening.design import Condition
from mondegreen.reading import in_full
from mondegreen.report.numbers.entries import Entry, entries
from mondegreen.results.folder import ITEMS, is_run, item_folders
from mondegreen.results.item import read_record
from mondegreen.results.sounds import Sounds, read_sounds

OnProgress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many

UNUSABLE: Final = {"error": "in error", "pending": "not yet run", "damaged": "damaged"}


class CleanClip(NamedTuple):
    """A clean clip; two are the same clip if all of this is equal."""

    id: str
    rate: int
    samples: str  # their SHA-256


@dataclass(frozen=True)
class Material:
    """The clips of a study in its conditions."""

    conditions: tuple[Condition, ...]  # in the order of the runs
    clips: tuple[CleanClip, ...]  # those that were drawn
    folders: Mapping[str, Mapping[CleanClip, Path]]  # of items, by label and clip
    left_out: Mapping[str, int]  # items or clips that are not used, by reason
    damaged: tuple[Path, ...]  # the folders of those items that are damaged

    @property
    def rate(self) -> int:
        """The sample rate of all sounds, in Hz."""
        return self.clips[0].rate

    def read(self, clip: CleanClip, label: str) -> Sounds:
        """Read the sounds of an item.

        Raises:
            MondegreenError: they have changed, or cannot be read any more.
        """
        folder = self.folders[label][clip]
        sounds = read_sounds(folder, read_record(folder))
        if _clean_clip(clip.id, sounds) != clip:
            raise MondegreenError(f"{folder} has changed meanwhile. Run the same command again.")
        return sounds


_Source = tuple[Path, str, str]  # folder, method and preset, which make a condition
_Items = dict[_Source, dict[CleanClip, Path]]  # item folders


def gather(runs: Sequence[Path], most: int, rng: Random, on_progress: OnProgress) -> Material:
    """Find the conditions in runs, or any folders of results, and draw at most `most` clips.

    A folder that is passed twice, by whatever path, counts once.

    Raises:
        MondegreenError: a folder does not exist, nothing is verified, the conditions have no clip
            in common, or sample rates differ.
    """
    left_out: Counter[str] = Counter()
    damaged: list[Path] = []
    found: _Items = {}
    for run in {in_full(run): run for run in runs}.values():
        items = list(_items(run))
        for done, (entry, folder) in enumerate(items, 1):
            on_progress(f"reading {run.name}", done, len(items))
            if why := _add(found, run, entry, folder):
                left_out[why] += 1
                damaged += [folder] if why == UNUSABLE["damaged"] else []
    found = {source: clips for source, clips in found.items() if clips}
    if not found:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "it is empty"
        raise MondegreenError(
            f"{', '.join(map(str, runs))}: nothing verified to listen to ({why}). Expected verified"
            " items; `mondegreen summary` shows what a run contains."
        )
    conditions = tuple(map(Condition, _labels(list(found)), (method for _, method, _ in found)))
    every = dict.fromkeys(clip for clips in found.values() for clip in clips)
    common = [clip for clip in every if all(clip in clips for clips in found.values())]
    if not common:
        raise MondegreenError(
            f"No clip is in all of: {', '.join(one.label for one in conditions)}. Expected runs of"
            " the same recordings, each with verified items; pass only those to compare."
        )
    if len({clip.rate for clip in common}) > 1:
        raise MondegreenError(
            "The clips differ in sample rate. Expected clips of one victim; make a study for each."
        )
    drawn = rng.sample(common, min(most, len(common)))
    left_out["not in every condition with the same recording"] += len(every) - len(common)
    left_out["not drawn"] += len(common) - len(drawn)
    return Material(
        conditions,
        tuple(drawn),
        {one.label: clips for one, clips in zip(conditions, found.values(), strict=True)},
        {reason: count for reason, count in left_out.items() if count},
        tuple(damaged),
    )


def _items(run: Path) -> Iterator[tuple[Entry, Path]]:
    if is_run(run):
        yield from ((entry, run / ITEMS / entry.cells["key"]) for entry in entries(run))
    else:
        yield from zip(entries(run), item_folders(run), strict=True)


def _add(found: _Items, run: Path, entry: Entry, folder: Path) -> str | None:
    """Add an item to its condition; the reason if it cannot be used."""
    if (record := entry.record) is None:
        return UNUSABLE[entry.status]
    if not record.verified:
        return "not verified"
    name, method, preset = record.id, record.options.method, record.options.preset
    clips = found.setdefault((run, method, preset), {})
    if any(clip.id == name for clip in clips):
        return "of a clip that was there already"
    try:
        clips[_clean_clip(name, read_sounds(folder, record))] = folder
    except MondegreenError:
        return UNUSABLE["damaged"]
    return None


def _clean_clip(name: str, sounds: Sounds) -> CleanClip:
    samples = hashlib.sha256(sounds.original.astype("<i2").tobytes()).hexdigest()
    return CleanClip(name, sounds.rate, samples)


def _labels(sources: Sequence[_Source]) -> list[str]:
    """Method and preset; where several conditions share these, with the folder's name or path."""
    plain = labels = [f"{method} {preset}" for _, method, preset in sources]
    for places in (
        [folder.name for folder, *_ in sources],
        [str(folder) for folder, *_ in sources],
    ):
        shared = {label for label, count in Counter(labels).items() if count > 1}
        labels = [
            f"{name} ({place})" if label in shared else label
            for name, label, place in zip(plain, labels, places, strict=True)
        ]
    return labels
