"""What runs came to: counts, shares with their intervals, distributions, word errors, doubts.

Conventions: shares and word error rates are 0 to 1 (a rate can exceed 1); intervals are 95 %, by
Wilson for a share of clips, by Student's t for a mean over clips; a value that nothing was there to
take it from is None. Word error rates are pooled: all errors over all words of the references.
Distributions are over the **verified** clips alone, for only those have reached their target; all
else is over the finished ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from mondegreen.errors import MondegreenError, OptionError
from mondegreen.report.numbers.entries import Entry, entries
from mondegreen.report.numbers.statistics import (
    ErrorRate,
    Mean,
    Share,
    Spread,
    mean,
    pooled,
    share,
    spread,
)
from mondegreen.results.folder import MANIFEST, SANITY, is_run, item_folders, read_object
from mondegreen.text import WordErrors, word_errors

SPREADS: Final = (  # columns of the tables, see `mondegreen.report.numbers.entries.COLUMNS`
    *("passes", "first_match", "seconds", "snr_db", "max_abs"),
    *("masking_loss", "masking_share_above", "masking_mean_excess_db", "masking_max_excess_db"),
    *("pesq", "stoi"),
)


class Group(NamedTuple):
    """What is summed up together; None: not known."""

    victim: str | None
    method: str | None
    preset: str | None


@dataclass(frozen=True)
class Finding:
    """A control that fired; see the `sanity.json` of its folder."""

    folder: str
    id: str
    severity: str
    detail: str


@dataclass(frozen=True)
class Counts:
    """How many clips; `clips` is the sum of `finished`, `errors`, `damaged` and `pending`."""

    clips: int
    finished: int
    verified: int
    unverified: int
    interrupted: int  # of the finished: stopped by hand
    not_understood: int  # of the finished: the victim makes no sense of the clean clip
    errors: int
    damaged: int
    pending: int


@dataclass(frozen=True)
class Summary:
    """What the clips of one victim, method and preset came to.

    Attributes:
        victim, method, preset: as in the records; None: no record tells.
        folders: where they lie, as given.
        bounds: dB above the masking threshold that the finished clips were to keep under, each
            once; None among them: without a bound.
        counts: see `Counts`.
        verified: of the finished clips.
        verified_understood: of those whose clean recording the victim is known to understand.
        spreads: the distributions of `SPREADS`, over verified clips; None: no clip has the value.
            Units as in the record: `seconds` of the search, `max_abs` of 32768, decibels, PESQ.
        to_target: word errors of what is heard to the target, by the records' normaliser. A clip
            that was never heard, its proof stopped by hand, is left out, here and in the next.
        to_original: to what is said in the clip, or to what was heard in it where that is unknown;
            words alone are compared, as in the records' `wer_original`.
        clean: likewise of what is heard in the clean clip to what is said, where that is known.
        rooms: share of test rooms in which the target is heard; None: a method without rooms.
        clean_rooms: the same of the clean clips, the control.
        findings: the controls that fired; None: none of the folders was checked.
        unchecked: folders that were not checked to the end, or that have other items by now.
        errors: why clips could not be attacked, and how many; the most frequent first.
        damaged: what is wrong with the items that cannot be read.
    """

    victim: str | None
    method: str | None
    preset: str | None
    folders: tuple[str, ...]
    bounds: tuple[float | None, ...]
    counts: Counts
    verified: Share
    verified_understood: Share
    spreads: Mapping[str, Spread | None]
    to_target: ErrorRate
    to_original: ErrorRate
    clean: ErrorRate
    rooms: Mean | None
    clean_rooms: Mean | None
    findings: tuple[Finding, ...] | None
    unchecked: tuple[str, ...]
    errors: Mapping[str, int]
    damaged: tuple[str, ...]

    @property
    def label(self) -> str:
        """What it is of, in a line: group and folders."""
        group = " ".join(name or "(unknown)" for name in (self.victim, self.method, self.preset))
        return f"{group}, {', '.join(self.folders)}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"label": self.label, **asdict(self)}


def summarise(paths: Sequence[Path]) -> list[Summary]:
    """Sum up runs, or any folders of items, by victim, method and preset as they come up.

    Clips that no record tells the group of (errors, pending, damaged) count with the first finished
    clip of their folder; a run without one has its manifest. Memory grows by some numbers a clip.

    Args:
        paths: folders; one that is named twice, in whatever way, counts once.

    Raises:
        MondegreenError: a folder is not there or holds nothing, or its manifest or its list of
            clips is damaged. (A damaged item is counted as such.)
    """
    tallies: defaultdict[Group, _Tally] = defaultdict(_Tally)
    for path in {path.resolve(): path for path in paths}.values():
        home = _home(path)
        if is_run(path):
            tallies[home].folders[path] = None  # also if it has no clips
        for entry in entries(path):
            group = _group(entry.cells) if entry.status == "done" else home
            tallies[group].add(path, entry)
        if not any(path in tally.folders for tally in tallies.values()):
            raise MondegreenError(
                f"{path} holds no results. Expected the folder of a run, or one with item folders."
            )
    return [_summary(group, tally) for group, tally in tallies.items()]


def compare(paths: Sequence[Path]) -> list[Summary]:
    """Sum up folders one by one, to be set side by side; see `summarise`.

    Raises:
        OptionError: they come to one summary, or to none.
    """
    found = [summary for path in paths for summary in summarise([path])]
    if len(found) < 2:
        given = ", ".join(map(str, paths)) or "no folder"
        raise OptionError(
            f"Got {given}, which leaves nothing to compare with: expected two runs, or results of"
            " two recognisers, methods or presets. Name another folder too; for what one run has"
            " come to, use: mondegreen summary"
        )
    return found


def _group(cells: Mapping[str, Any]) -> Group:
    return Group(cells["victim"], cells["method"], cells["preset"])


def _home(path: Path) -> Group:
    """The group of those clips of a folder that do not tell their own."""
    for entry in entries(path):
        if entry.status == "done":
            return _group(entry.cells)
    return _planned(path) if is_run(path) else Group(None, None, None)


def _planned(run: Path) -> Group:
    manifest = read_object(run / MANIFEST)
    try:
        how = manifest["configuration"]
        return Group(manifest["victim"]["name"], how["method"], how["preset"])
    except (KeyError, TypeError) as error:
        raise MondegreenError(
            f"{run / MANIFEST} does not say what is run. Expected one that `mondegreen run` wrote."
        ) from error


class _Tally:
    """One group's numbers, as its clips stream by; no transcript and no curve is kept."""

    def __init__(self) -> None:
        self.folders: dict[Path, None] = {}
        self.bounds: dict[float | None, None] = {}
        self.statuses: Counter[str] = Counter()
        self.flags: Counter[str] = Counter()
        self.values: dict[str, list[float | None]] = {name: [] for name in SPREADS}
        self.words: defaultdict[str, list[WordErrors]] = defaultdict(list)
        self.in_rooms: dict[str, list[float]] = {"rooms_heard": [], "clean_rooms_heard": []}
        self.errors: Counter[str] = Counter()
        self.damaged: list[str] = []

    def add(self, path: Path, entry: Entry) -> None:
        """Count a clip of a folder."""
        self.folders[path] = None
        self.statuses[entry.status] += 1
        if entry.status == "done":
            self._finished(entry.cells)
        elif entry.status == "error":
            self.errors[entry.cells["error"]] += 1
        elif entry.status == "damaged":
            self.damaged.append(entry.cells["error"])

    def _finished(self, cells: Mapping[str, Any]) -> None:
        verified, understood = cells["verified"], cells.get("understood")
        self.bounds[cells.get("under_threshold")] = None
        self.flags["verified"] += verified
        self.flags["interrupted"] += cells["interrupted"]
        self.flags["understood"] += understood is True
        self.flags["not understood"] += understood is False
        self.flags["verified, understood"] += verified and understood is True
        for name in SPREADS if verified else ():
            self.values[name].append(cells.get(name))
        for name, counts in _word_errors(cells):
            self.words[name].append(counts)
        for name in self.in_rooms.keys() & cells.keys():
            self.in_rooms[name].append(cells[name])


def _word_errors(cells: Mapping[str, Any]) -> Iterator[tuple[str, WordErrors]]:
    """The word errors that a record has the rates of: by its normaliser for the target alone."""
    heard, before, text = cells["transcript"], cells["transcript_clean"], cells.get("text")
    if heard or not cells["interrupted"]:
        yield (
            "to target",
            word_errors(cells["target"], heard, "exact" if cells["exact"] else "default"),
        )
        yield "to original", word_errors(text or before, heard)
    if text is not None:  # data sets have it without case and punctuation
        yield "clean", word_errors(text, before)


def _summary(group: Group, tally: _Tally) -> Summary:
    status, flags = tally.statuses, tally.flags
    checked = {path: fired for path in tally.folders if (fired := _fired(path)) is not None}
    return Summary(
        *group,
        folders=tuple(map(str, tally.folders)),
        bounds=tuple(tally.bounds),
        counts=Counts(
            clips=status.total(),
            finished=status["done"],
            verified=flags["verified"],
            unverified=status["done"] - flags["verified"],
            interrupted=flags["interrupted"],
            not_understood=flags["not understood"],
            errors=status["error"],
            damaged=status["damaged"],
            pending=status["pending"],
        ),
        verified=share(flags["verified"], status["done"]),
        verified_understood=share(flags["verified, understood"], flags["understood"]),
        spreads={name: spread(values) for name, values in tally.values.items()},
        to_target=pooled(tally.words["to target"]),
        to_original=pooled(tally.words["to original"]),
        clean=pooled(tally.words["clean"]),
        rooms=mean(tally.in_rooms["rooms_heard"]),
        clean_rooms=mean(tally.in_rooms["clean_rooms_heard"]),
        findings=tuple(found for fired in checked.values() for found in fired) if checked else None,
        unchecked=tuple(str(path) for path in tally.folders if path not in checked),
        errors=dict(tally.errors.most_common()),
        damaged=tuple(tally.damaged),
    )


def _fired(path: Path) -> tuple[Finding, ...] | None:
    """The controls of a folder that fired.

    None where `mondegreen sanity` was not run to its end on the items that there are now, or what
    it left is damaged: that is no clean bill, but keeps nobody from the numbers.
    """
    if not (path / SANITY).is_file():
        return None
    try:
        kept = read_object(path / SANITY)
        if not kept["whole"] or kept["items"] != len(item_folders(path)):
            return None
        return tuple(
            Finding(str(path), *(str(found[name]) for name in ("id", "severity", "detail")))
            for found in kept["findings"]
            if found["state"] == "fires"
        )
    except (MondegreenError, KeyError, TypeError):
        return None
