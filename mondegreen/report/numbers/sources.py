"""What a page is about: sources, what each method came to in each, and every clip once.

A source is one or more folders that are taken together: a run, a folder of items, or the items that
one command made. A report has one of them, a comparison several; a source in which several
recognisers, methods or presets were used is itself a comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from mondegreen.report.numbers.entries import Entry, entries
from mondegreen.report.numbers.summary import Group, Summary, summarise
from mondegreen.report.numbers.summary_text import one_line
from mondegreen.results.folder import ITEMS, is_run, item_folders
from mondegreen.results.heard import Claim, Hearings, read_hearings
from mondegreen.text import words_only

Source: TypeAlias = Sequence[Path]


@dataclass(frozen=True)
class Version:
    """What became of a clip in one part.

    Attributes:
        part: the place of that in `Gathered.parts`.
        entry: its row.
        folder: of its item; None: it has none.
        heard: what was heard in its file later, and by whom; see `mondegreen verify`.
    """

    part: int
    entry: Entry
    folder: Path | None
    heard: tuple[tuple[str, Claim], ...]


@dataclass
class Clip:
    """A clip with its target, and what became of it in each part that it is in, once in each."""

    id: str
    target: str | None
    versions: list[Version] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """What one recogniser, method and preset came to in one source.

    Attributes:
        label: what tells it from the others; its source's name if it is alone.
        source: its folders.
        summary: its numbers.
        versions: its clips.
    """

    label: str
    source: Source
    summary: Summary
    versions: list[Version]

    @property
    def entries(self) -> list[Entry]:
        """The rows of its clips."""
        return [version.entry for version in self.versions]


@dataclass(frozen=True)
class Gathered:
    """All that a page shows, before sounds and pictures."""

    parts: list[Part]
    clips: list[Clip]


def gather(sources: Sequence[Source]) -> Gathered:
    """Read sources.

    Raises:
        MondegreenError: as `mondegreen.report.numbers.summary.summarise`.
    """
    parts: list[Part] = []
    clips: list[Clip] = []
    known: dict[tuple[str, str], list[Clip]] = {}
    for name, source in zip(_names(sources), sources, strict=True):
        first = len(parts)
        summaries = summarise(source)
        labels = _labels(name, summaries, alone=len(sources) == 1)
        found = zip(labels, summaries, strict=True)
        parts += [Part(label, source, summary, []) for label, summary in found]
        for version in _versions(source, summaries, first):
            parts[version.part].versions.append(version)
            _place(version, clips, known)
    return Gathered(parts, clips)


def _versions(source: Source, summaries: Sequence[Summary], first: int) -> Iterator[Version]:
    """Every clip of a source; those without a record stand where their summary has them."""
    places = {Group(s.victim, s.method, s.preset): n for n, s in enumerate(summaries, first)}
    for path in {path.resolve(): path for path in source}.values():
        found, hearings = list(_items(path)), list(read_hearings(path))
        groups = [_group(entry) for entry, _ in found if entry.status == "done"]
        others = groups[0] if groups else _of_folder(path, summaries)
        for entry, folder in found:
            group = _group(entry) if entry.status == "done" else others
            yield Version(places[group], entry, folder, _heard(entry, folder, hearings))


def _items(path: Path) -> Iterator[tuple[Entry, Path | None]]:
    """The entries of a folder, each with its item's."""
    if not is_run(path):
        yield from zip(entries(path), item_folders(path), strict=True)
        return
    for entry in entries(path):
        folder = path / ITEMS / entry.cells["key"]
        yield entry, folder if folder.is_dir() else None


def _heard(
    entry: Entry, folder: Path | None, hearings: Sequence[Hearings]
) -> tuple[tuple[str, Claim], ...]:
    """What was heard in an item as it is now, by each way of listening."""
    if folder is None or entry.record is None:
        return ()
    name, record = folder.resolve().name, entry.record
    found = ((one.how.label, one.of(name, record)) for one in hearings)
    return tuple((label, heard) for label, heard in found if heard is not None)


def _group(entry: Entry) -> Group:
    return Group(*(entry.cells[name] for name in Group._fields))


def _of_folder(path: Path, summaries: Sequence[Summary]) -> Group:
    """The group that a folder without any record was counted in."""
    (summary,) = (s for s in summaries if str(path) in s.folders)
    return Group(summary.victim, summary.method, summary.preset)


def _place(version: Version, clips: list[Clip], known: dict[tuple[str, str], list[Clip]]) -> None:
    """Put a version with those of the same clip and target, where its part has none yet."""
    cells = version.entry.cells
    name, target = cells.get("id", cells["key"]), cells.get("target")
    alike = known.setdefault((name, words_only(target or "")), [])
    for clip in alike:
        if all(other.part != version.part for other in clip.versions):
            clip.versions.append(version)
            return
    alike.append(Clip(name, target, [version]))
    clips.append(alike[-1])


def _names(sources: Sequence[Source]) -> list[str]:
    """The names of sources: of their first folders, or the paths where names are not enough."""
    short = [source[0].resolve().name for source in sources]
    return short if len(set(short)) == len(short) else [str(source[0]) for source in sources]


def _labels(name: str, summaries: Sequence[Summary], alone: bool) -> list[str]:
    """What tells the parts of a source from each other, after its name if it is not the only one.

    A part that nothing has to be told from is called by the name.
    """
    told = [(s.victim, s.method, s.preset) for s in summaries]
    differ = [len(set(column)) > 1 for column in zip(*told, strict=True)]
    own = [
        [part or "unknown" for part, d in zip(parts, differ, strict=True) if d] for parts in told
    ]
    before = [] if alone and len(summaries) > 1 else [name]
    return [one_line(", ".join([*before, *parts])) for parts in own]
