"""What a page says first: what was attacked, whether it worked, how audible it is, what differs.

Everything here is plain text; the numbers are those of `mondegreen.report.numbers.summary`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as version_of
from types import MappingProxyType
from typing import Final, NamedTuple

from mondegreen.report.numbers.sources import Gathered, Part
from mondegreen.report.numbers.statistics import Share
from mondegreen.report.numbers.summary_text import SPREADS
from mondegreen.report.page.facts import Checks, Fact, checks, clips, facts, recogniser


class Figure(NamedTuple):
    """A number that is read first: what it is, the number, and what it means."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Head:
    """What is said of one part of a page.

    Attributes:
        label: of the part.
        lead: whether it worked, in a sentence.
        figures: the numbers that are read first.
        note: what they are of.
        facts: what was attacked, how, and at what cost.
        checks: whether it can be believed.
        left: clips that are not finished, errors, damaged items, each in a sentence.
    """

    label: str
    lead: str
    figures: list[Figure]
    note: str
    facts: list[Fact]
    checks: Checks
    left: list[str]


def head(part: Part, broken: int) -> Head:
    """What is said of a part.

    Args:
        part: see there.
        broken: how many of its items have sounds that are not those of their records.
    """
    return Head(
        part.label,
        _lead(part),
        list(_figures(part)),
        _note(part),
        list(facts(part)),
        checks(part),
        list(_left(part, broken)),
    )


def made_with() -> str:
    """The version that wrote the page."""
    return f"mondegreen {version_of('mondegreen')}"


# ---- whether it worked


def _lead(part: Part) -> str:
    counts, who = part.summary.counts, recogniser(part)
    if not counts.clips:
        return "The run has no clips."
    if not counts.finished:
        return f"No clip is finished yet, of {clips(counts.clips)}: nothing can be said of {who}."
    what = "made to hear the phrase that was asked for"
    where = " in at least half of the test rooms" if part.summary.rooms else ""
    how = f", proved from the saved 16-bit file{where}"
    if counts.finished == 1:
        return f"{who} was {what}{how}." if counts.verified else f"{who} was not {what}{where}."
    share = _interval(part.summary.verified)
    return f"In {counts.verified:,} of {clips(counts.finished)} {who} was {what}{how}{share}."


def _interval(share: Share) -> str:
    if share.share is None or share.low is None or share.high is None:
        return ""
    return f": {share.share:.0%} (95 % confidence: {share.low:.0%} to {share.high:.0%})"


# ---- figures


def _figures(part: Part) -> Iterator[Figure]:
    verified = part.summary.verified
    if verified.share is not None and verified.low is not None and verified.high is not None:
        meaning = f"of finished clips; 95 %: {verified.low:.0%} to {verified.high:.0%}"
        yield Figure("Verified", f"{verified.hits:,} of {verified.clips:,}", meaning)
    rooms, clean = part.summary.rooms, part.summary.clean_rooms
    if rooms is not None:
        control = f"; the clean clips in {clean.mean:.0%}" if clean else ""
        yield Figure("Rooms", f"{rooms.mean:.0%}", f"of rooms hear the target, on average{control}")
    for name, (label, meaning) in MEDIANS.items():
        spread = part.summary.spreads[name]
        if spread is not None:
            unit = " dB" if name == "snr_db" else ""
            worst = getattr(spread, WORST[name]) if name in WORST and spread.count > 1 else None
            if worst is not None:
                meaning += f"; {SPREADS[name][1](worst)}{unit} in the worst clip"
            yield Figure(label, SPREADS[name][1](spread.median) + unit, meaning)


def _note(part: Part) -> str:
    labels = [label for name, (label, _) in MEDIANS.items() if part.summary.spreads[name]]
    if part.summary.counts.verified < 2 or not labels:
        return ""
    return f"From “{labels[0]}” on, medians over the verified clips."


WORST: Final = {"snr_db": "least", "pesq": "least", "masking_share_above": "greatest"}
MEDIANS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "snr_db": (
            "Signal to noise",
            "by which the change is weaker than the recording; it knows nothing of hearing",
        ),
        "pesq": (
            "PESQ",
            "4.6: no difference, 1: bad; made for telephone lines",
        ),
        "masking_share_above": (
            "Above threshold",
            "of time and frequency where the change is louder than the masking threshold, a model"
            " of what the ear misses",
        ),
        "passes": ("Gradient passes", "forward and back through the recogniser, for one clip"),
    }
)


# ---- what is not finished


def _left(part: Part, broken: int) -> Iterator[str]:
    counts = part.summary.counts
    told = {
        "not attacked yet": counts.pending,
        "could not be attacked": counts.errors,
        "damaged on the disk: neither successes nor failures": counts.damaged,
        "with sounds that are not those of their records: do not believe these before `mondegreen"
        " verify`": broken,
        "stopped by hand": counts.interrupted,
        "not understood by the recogniser to begin with: success on these says little": (
            counts.not_understood
        ),
    }
    yield from (f"{count:,} {what}" for what, count in told.items() if count)
    if counts.not_understood and part.summary.verified_understood.share is not None:
        share = part.summary.verified_understood
        yield f"of the clips that are understood, {share.hits:,} of {share.clips:,} are verified"


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
