"""In what the parts of a comparison differ besides what is compared: said before the numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mondegreen.report.gathering import Gathered, Part


def contrast(gathered: Gathered) -> list[str]:
    """What keeps parts from being compared clip by clip, or for what they cost, in sentences."""
    if len(gathered.parts) < 2:
        return []
    return [*_clips(gathered), *_targets(gathered), *_budgets(gathered.parts), *_rules(gathered)]


def _clips(gathered: Gathered) -> Iterator[str]:
    ids = [{entry.cells.get("id") for entry in part.entries} for part in gathered.parts]
    everywhere = set.intersection(*ids)
    if any(own != everywhere for own in ids):
        counts = _each(gathered.parts, lambda part: f"{len(part.entries):,}")
        yield (
            f"The clips differ: {len(everywhere):,} are in all of them, of {counts}. The shares"
            " below are over the clips of each."
        )


def _targets(gathered: Gathered) -> Iterator[str]:
    phrases: dict[str, set[str | None]] = {}
    parts: dict[str, set[int]] = {}
    for clip in gathered.clips:
        phrases.setdefault(clip.id, set()).add(clip.target)
        parts.setdefault(clip.id, set()).update(version.part for version in clip.versions)
    differ = sum(len(phrases[name]) > 1 and len(parts[name]) > 1 for name in phrases)
    if differ:
        clips = "one clip" if differ == 1 else f"{differ:,} clips"
        yield f"The targets of {clips} differ: these have a card for each target."


def _budgets(parts: Sequence[Part]) -> Iterator[str]:
    most = {part.label: _most(part) for part in parts}
    if len(set(most.values())) > 1:
        told = _each(parts, lambda part: f"{_most(part):,}")
        yield f"What was spent differs: the longest search took {told} gradient passes."


def _most(part: Part) -> int:
    """The passes of the longest search."""
    return max((entry.cells.get("passes", 0) for entry in part.entries), default=0)


def _rules(gathered: Gathered) -> Iterator[str]:
    if _differs(gathered.parts, "normaliser"):
        yield "What counts as the same words differs: see “Proof” of each."
    if _differs(gathered.parts, "bank"):
        yield "The banks of rooms differ, so that shares of rooms cannot be compared."


def _differs(parts: Sequence[Part], column: str) -> bool:
    """Whether a column holds other values in one part than in another; where it holds none, no."""
    told = [{e.cells[column] for e in part.entries if column in e.cells} for part in parts]
    return len({frozenset(values) for values in told if values}) > 1


def _each(parts: Sequence[Part], told: Callable[[Part], str]) -> str:
    return ", ".join(f"{told(part)} in {part.label}" for part in parts)
