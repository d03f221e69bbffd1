"""Summaries of runs: counts, shares with intervals, distributions, word errors, sanity checks.

Conventions: shares and word error rates are 0 to 1 (a rate can exceed 1); intervals are 95 %; a
value that cannot be computed is None. Word error rates are pooled: all errors over all words of the
references. Distributions are over the **verified** clips, everything else over the finished ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, NamedTuple

from mondegreen.airs import air_name
from mondegreen.errors import MondegreenError
from mondegreen.findings import Finding
from mondegreen.reading import in_full
from mondegreen.report.numbers.entries import Entry, entries
from mondegreen.report.numbers.measures import SPREADS
from mondegreen.report.numbers.statistics import Distribution, ErrorRate, Mean, Share
from mondegreen.results.folder import MANIFEST, is_run, read_object
from mondegreen.results.record import Record
from mondegreen.results.sanity import read_findings
from mondegreen.results.verdict import WORDS, Word, verdict, verdict_in_rooms
from mondegreen.text import WordErrors, word_errors


class Group(NamedTuple):
    """What is summed up together; None: not known."""

    victim: str | None
    method: str | None
    preset: str | None


COUNTED: Final = {"done": "finished", "error": "errors"}  # statuses that `Counts` renames


@dataclass(frozen=True)
class Counts:
    """How many clips; `clips` is the sum of `finished`, `errors`, `damaged` and `pending`."""

    clips: int
    finished: int
    verified: int
    unverified: int
    interrupted: int  # of the finished
    not_understood: int  # of the finished: the victim mistranscribes the clean clip
    errors: int
    damaged: int
    pending: int


@dataclass(frozen=True)
class Summary:
    """The results of one victim, method and preset."""

    victim: str | None  # as in the records; None: not known, like the next two
    method: str | None
    preset: str | None
    folders: tuple[str, ...]  # where the clips are, as given
    bounds: tuple[str | None, ...]  # in words; None: clips without a bound
    airs: tuple[str, ...]  # what happened to the sound, by name; none: a method without rooms
    counts: Counts
    verified: Share  # of the finished clips
    verified_understood: Share  # of those whose clean recording the victim transcribes well
    verdicts: Mapping[Word, int]  # on verified clips, where there are numbers for one
    verdicts_in_rooms: Mapping[Word, int]  # to a listener in a room, for methods in rooms
    spreads: Mapping[str, Distribution | None]  # those of `SPREADS`, over verified clips
    # Word errors of the transcripts: to the target by the records' own rule; to what is said in the
    # clip, or to the transcript of the original where that is not known, by words alone. A clip
    # whose proof was interrupted before it was transcribed has neither.
    to_target: ErrorRate
    to_original: ErrorRate
    clean: ErrorRate  # of the transcripts of the originals to what is said, where that is known
    rooms: Mean | None  # share of test rooms that hear the target; None: a method without rooms
    clean_rooms: Mean | None  # the same of the clean clips, the control
    # What `mondegreen sanity` found, by folder; None: it was not run there, not to its end, or the
    # items have changed since.
    findings: Mapping[str, tuple[Finding, ...] | None]
    errors: Mapping[str, int]  # why clips could not be attacked; the most frequent first
    damaged: tuple[str, ...]  # what is wrong with the items that cannot be read

    @property
    def group(self) -> Group:
        """What it is of."""
        return Group(self.victim, self.method, self.preset)

    @property
    def untargeted(self) -> bool:
        """Whether its clips have no target."""
        return self.method == "untargeted"

    @property
    def checked(self) -> list[Finding] | None:
        """What `mondegreen sanity` found in all folders; None: it was run in none of them."""
        ran = [found for found in self.findings.values() if found is not None]
        return [one for found in ran for one in found] if ran else None

    @property
    def unchecked(self) -> list[str]:
        """The folders in which it was not run."""
        return [folder for folder, found in self.findings.items() if found is None]

    @property
    def label(self) -> str:
        """What it is of, in a line: group and folders."""
        return f"{' '.join(name or '(unknown)' for name in self.group)}, {', '.join(self.folders)}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"label": self.label, **asdict(self)}


def summarise(
    paths: Sequence[Path], visit: Callable[[tuple[Group, Path, Entry]], object] = lambda _: None
) -> list[Summary]:
    """Summarise runs, or any folders of items, by victim, method and preset in order of appearance.

    Clips without a record (errors, pending, damaged) count with the first finished clip of their
    folder; in a run without one, with its manifest. Memory grows by a few numbers per clip.

    Args:
        paths: folders; an item that is in several of them counts once.
        visit: called with the group that a clip counts in, its folder of `paths`, and the clip.

    Raises:
        MondegreenError: a folder is not there or holds nothing, or its manifest or its list of
            clips is damaged. (A damaged item is counted as such.)
    """
    tallies: defaultdict[Group, _Tally] = defaultdict(_Tally)
    seen: set[Path] = set()
    for path in {in_full(path): path for path in paths}.values():
        home, found = _home(path), is_run(path)
        if found:
            tallies[home].folders[path] = None  # even if it has no clips
        for entry in entries(path):
            found = True
            if _is_new(entry, seen):
                group = _group(entry.record) if entry.record else home
                tallies[group].add(path, entry)
                visit((group, path, entry))
        if not found:
            raise MondegreenError(
                f"{path} holds no results. Expected the folder of a run, or one with item folders."
            )
    return [tally.summary(group) for group, tally in tallies.items()]


def _is_new(entry: Entry, seen: set[Path]) -> bool:
    """Whether an item was not met before, in this folder or in one that it is nested in."""
    before = len(seen)
    seen.update([in_full(entry.folder)] if entry.folder else [])
    return entry.folder is None or len(seen) > before


def _group(record: Record) -> Group:
    return Group(record.victim, record.options.method, record.options.preset)


def _home(path: Path) -> Group:
    """The group of those clips of a folder that have no record."""
    for entry in entries(path):
        if entry.record:
            return _group(entry.record)
    return _planned(path) if is_run(path) else Group(None, None, None)


def _planned(run: Path) -> Group:
    manifest = read_object(run / MANIFEST)
    try:
        how = manifest["configuration"]
        names = manifest["victim"]["name"], how["method"], how["preset"]
        if not all(isinstance(name, str) for name in names):
            raise TypeError
        return Group(*names)
    except (KeyError, TypeError) as error:
        raise MondegreenError(
            f"{run / MANIFEST} does not say what is run. Expected one that `mondegreen run` wrote."
        ) from error


class _Tally:
    """One group's numbers, as its clips stream by; no transcript and no curve is kept."""

    def __init__(self) -> None:
        self.folders: dict[Path, None] = {}
        self.bounds: dict[str | None, None] = {}
        self.airs: dict[str, None] = {}
        self.counts: Counter[str] = Counter()
        self.verdicts: Counter[Word] = Counter(dict.fromkeys(WORDS, 0))
        self.verdicts_in_rooms: Counter[Word] = Counter(dict.fromkeys(WORDS, 0))
        self.values: defaultdict[str, list[float | None]] = defaultdict(list)
        self.words: defaultdict[str, list[WordErrors]] = defaultdict(list)
        self.rooms: list[float] = []
        self.clean_rooms: list[float] = []
        self.errors: Counter[str] = Counter()
        self.damaged: list[str] = []

    def add(self, path: Path, entry: Entry) -> None:
        """Count a clip of a folder."""
        self.folders[path] = None
        self.counts.update(["clips", COUNTED.get(entry.status, entry.status)])
        if entry.record:
            self._finished(entry.record, entry.cells)
        elif entry.status == "error":
            self.errors[entry.cells["error"]] += 1
        elif entry.status == "damaged":
            self.damaged.append(entry.cells["error"])

    def _finished(self, record: Record, cells: Mapping[str, Any]) -> None:
        self.bounds[record.options.bound_words] = None
        if record.survival:
            self.airs[air_name(record.air)] = None
        self.counts["verified" if record.verified else "unverified"] += 1
        self.counts["interrupted"] += record.interrupted
        if record.understood is not None:
            self.counts["understood" if record.understood else "not_understood"] += 1
            self.counts["verified and understood"] += record.verified and record.understood
        if record.verified and (found := verdict(record.quality)):
            self.verdicts[found.word] += 1
        if record.verified and (there := verdict_in_rooms(record.quality_in_rooms)):
            self.verdicts_in_rooms[there.word] += 1
        for name in SPREADS if record.verified else ():
            self.values[name].append(cells.get(name))
        for name, errors in _word_errors(record):
            self.words[name].append(errors)
        self.rooms += [record.survival.rooms.heard] if record.survival else []
        self.clean_rooms += [record.clean.rooms.heard] if record.clean else []

    def summary(self, group: Group) -> Summary:
        """The numbers of all clips that were counted."""
        counts, checks = self.counts, {path: read_findings(path) for path in self.folders}
        return Summary(
            *group,
            folders=tuple(map(str, self.folders)),
            bounds=tuple(self.bounds),
            airs=tuple(self.airs),
            counts=Counts(**{field.name: counts[field.name] for field in fields(Counts)}),
            verified=Share.of(counts["verified"], counts["finished"]),
            verified_understood=Share.of(counts["verified and understood"], counts["understood"]),
            verdicts=dict(self.verdicts),
            verdicts_in_rooms=dict(self.verdicts_in_rooms),
            spreads={name: Distribution.of(self.values[name]) for name in SPREADS},
            to_target=ErrorRate.of(self.words["target"]),
            to_original=ErrorRate.of(self.words["original"]),
            clean=ErrorRate.of(self.words["clean"]),
            rooms=Mean.of(self.rooms),
            clean_rooms=Mean.of(self.clean_rooms),
            findings={str(path): kept.findings if kept else None for path, kept in checks.items()},
            errors=dict(self.errors.most_common()),
            damaged=tuple(self.damaged),
        )


def _word_errors(record: Record) -> Iterator[tuple[str, WordErrors]]:
    """The word errors behind a record's rates; to the letter for the target alone."""
    heard, before, text = record.heard, record.heard_clean, record.text
    if record.transcribed:
        if record.target is not None:
            yield "target", word_errors(record.target, heard, record.options.normaliser)
        yield "original", word_errors(text or before, heard)
    if text is not None:  # data sets have it without case and punctuation
        yield "clean", word_errors(text, before)
