"""What a page says first, in plain words: what was attacked, whether it worked, how audible it is.

Everything here is plain text; the numbers are those of `mondegreen.report.summary`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version as version_of
from types import MappingProxyType
from typing import Final, NamedTuple

from mondegreen.report.doubts import Checks, checks
from mondegreen.report.facts import Fact, clips, facts, recogniser
from mondegreen.report.gathering import Part
from mondegreen.report.statistics import Share
from mondegreen.report.summary_text import SPREADS


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
