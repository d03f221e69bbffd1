"""What pages and charts are about: sources, their parts, and every clip once.

A source is one or more folders that are taken together: a run, a folder of items, or the items that
one command made. A report has one of them, a comparison several; a source in which several
recognisers, methods or presets were used is itself a comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from mondegreen.errors import OptionError
from mondegreen.reading import in_full
from mondegreen.report.numbers.entries import Entry
from mondegreen.report.numbers.series import Series
from mondegreen.report.numbers.summary import Group, Summary, summarise
from mondegreen.report.numbers.summary_text import one_line
from mondegreen.results.heard import Claim, Hearings, read_hearings
from mondegreen.text import words_only

Source: TypeAlias = Sequence[Path]


class Attempt(NamedTuple):
    """What became of a clip in one part."""

    part: int  # the index of the part in `Gathered.parts`
    entry: Entry
    claims: dict[str, Claim]  # what `mondegreen verify` found, by the way of listening


@dataclass
class TargetedClip:
    """A clip with its target, and at most one attempt in each part."""

    id: str
    target: str | None
    attempts: list[Attempt] = field(default_factory=list)


class Part(NamedTuple):
    """The results of one recogniser, method and preset in one source."""

    label: str  # how it differs from the others, or the name of its source
    source: Source
    summary: Summary
    attempts: list[Attempt]

    @property
    def entries(self) -> list[Entry]:
        """The rows of its clips."""
        return [attempt.entry for attempt in self.attempts]

    @property
    def series(self) -> Series:
        """The same for charts."""
        return Series(self.label, self.entries)


class Gathered(NamedTuple):
    """All that a page shows, before sounds and pictures."""

    parts: list[Part]
    clips: list[TargetedClip]


def gather(sources: Sequence[Source]) -> Gathered:
    """Read sources.

    Raises:
        MondegreenError: as `mondegreen.report.numbers.summary.summarise`.
    """
    parts: list[Part] = []
    attempts: list[Attempt] = []
    for name, source in zip(_names(sources), sources, strict=True):
        rows: list[tuple[Group, Path, Entry]] = []
        parts += [Part(name, source, summary, []) for summary in summarise(source, rows.append)]
        places = {part.summary.group: place for place, part in enumerate(parts)}
        hearings = {path: list(read_hearings(path)) for path in {path for _, path, _ in rows}}
        for group, path, entry in rows:
            attempt = Attempt(places[group], entry, _claims(entry, hearings[path]))
            parts[attempt.part].attempts.append(attempt)
            attempts.append(attempt)
    labels = _labels([(*part.summary.group, part.label) for part in parts])
    named = [part._replace(label=label) for part, label in zip(parts, labels, strict=True)]
    return Gathered(named, _clips(attempts))


def gather_to_compare(folders: Sequence[Path]) -> Gathered:
    """Read folders, to be set side by side.

    Raises:
        OptionError: there are no two parts to compare.
        MondegreenError: as `gather`.
    """
    gathered = gather([[folder] for folder in folders])
    if len(gathered.parts) < 2:
        given = ", ".join(map(str, folders)) or "no folder"
        raise OptionError(
            f"Got {given}, which leaves nothing to compare with: expected two runs, or results of"
            " two recognisers, methods or presets. Name another folder too; for one run, use:"
            " mondegreen summary"
        )
    return gathered


def _claims(entry: Entry, hearings: Sequence[Hearings]) -> dict[str, Claim]:
    if entry.folder is None or entry.record is None:
        return {}
    name, record = in_full(entry.folder).name, entry.record
    return {one.how.label: claim for one in hearings if (claim := one.of(name, record))}


def _clips(attempts: Sequence[Attempt]) -> list[TargetedClip]:
    """Attempts on the same clip and target together, those of one part apart."""
    clips: list[TargetedClip] = []
    known: dict[tuple[str, str], list[TargetedClip]] = {}
    for attempt in attempts:
        cells = attempt.entry.cells
        name, target = cells.get("id", cells["key"]), cells.get("target")
        alike = known.setdefault((name, words_only(target or "")), [])
        free = (one for one in alike if all(a.part != attempt.part for a in one.attempts))
        clip = next(free, None)
        if clip is None:
            clip = TargetedClip(name, target)
            alike.append(clip)
            clips.append(clip)
        clip.attempts.append(attempt)
    return clips


def _names(sources: Sequence[Source]) -> list[str]:
    """The names of sources: of their first folders, or the paths where names are not enough."""
    short = [in_full(source[0]).name for source in sources]
    return short if len(set(short)) == len(short) else [str(source[0]) for source in sources]


def _labels(names: Sequence[Sequence[str | None]]) -> list[str]:
    """What differs between parts, given the recogniser, method, preset and source of each.

    If nothing does, the source.
    """
    differ = [len(set(column)) > 1 for column in zip(*names, strict=True)]
    labels = (
        ", ".join(name or "unknown" for name, d in zip(own, differ, strict=True) if d)
        for own in names
    )
    return [one_line(label or own[-1] or "") for label, own in zip(labels, names, strict=True)]
