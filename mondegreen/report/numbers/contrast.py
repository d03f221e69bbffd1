"""What keeps parts from being compared clip by clip, or by cost: in sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from mondegreen.report.numbers.sources import Gathered, Part
from mondegreen.report.numbers.summary_text import clips
from mondegreen.results.record import Record
from mondegreen.text import words_only


def contrast(gathered: Gathered) -> list[str]:
    """How the clips, targets, budgets, matching rules and rooms of parts differ, in sentences."""
    parts = gathered.parts
    if len(parts) < 2:
        return []
    return [*_clips(parts), *_targets(gathered), *_budgets(parts), *_rules(parts)]


def _clips(parts: Sequence[Part]) -> Iterator[str]:
    ids = [{entry.cells.get("id") for entry in part.entries} for part in parts]
    shared = set.intersection(*ids)
    if any(own != shared for own in ids):
        counts = _each(parts, lambda part: f"{len(part.entries):,}")
        yield (
            f"The clips differ: {clips(len(shared))} in all of them ({counts}). Each share is over"
            " its own clips."
        )


def _targets(gathered: Gathered) -> Iterator[str]:
    targets: defaultdict[str, set[str]] = defaultdict(set)
    parts: defaultdict[str, set[int]] = defaultdict(set)
    for clip in gathered.clips:
        targets[clip.id].add(words_only(clip.target or ""))
        parts[clip.id].update(attempt.part for attempt in clip.attempts)
    if differ := sum(len(targets[name]) > 1 and len(parts[name]) > 1 for name in targets):
        yield f"The targets of {clips(differ)} differ."


def _budgets(parts: Sequence[Part]) -> Iterator[str]:
    if len({_longest(part) for part in parts}) > 1:
        passes = _each(parts, lambda part: f"{_longest(part):,}")
        yield f"The budgets differ. Gradient passes of the longest search: {passes}."


def _longest(part: Part) -> int:
    return max((record.passes for record in part.series.records), default=0)


def _rules(parts: Sequence[Part]) -> Iterator[str]:
    if _differ(parts, lambda record: record.options.exact):
        yield "The rules for a match differ: some compare words, others case and punctuation too."
    if _differ(parts, lambda record: record.bank):
        yield "The banks of rooms differ: shares of rooms cannot be compared."


def _differ(parts: Sequence[Part], read: Callable[[Record], object]) -> bool:
    """Whether the records of one part have other values than those of another; None is none."""
    found = [frozenset(map(read, part.series.records)) - {None} for part in parts]
    return len({values for values in found if values}) > 1


def _each(parts: Sequence[Part], write: Callable[[Part], str]) -> str:
    return "; ".join(f"{write(part)} in {part.label}" for part in parts)
