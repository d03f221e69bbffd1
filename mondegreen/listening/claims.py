"""What a listening test allows to be claimed, and what it does not, in sentences.

Bounds are rounded outward, to whole percents: nothing is claimed that was not measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mondegreen.listening.detection import GUESSING, Hearing, Interval
from mondegreen.listening.score import Rate, Result, Score
from mondegreen.listening.study import ASKED, Kind
from mondegreen.report.numbers.summary_text import one_line

NOTES_ON_ABX: Final = (
    "Where guessing may explain the answers (p > 0.05), they are too few to show a difference,"
    " which does not mean that there is none. Imperceptibility is a claim of equivalence, and the"
    " upper bound is all of it that can be claimed.",
    "“Can tell” counts listeners who always hear it while the others guess; who hears it in some"
    " trials counts with their share. Of listeners who hear it in half of the trials or more there"
    " are at most twice as many.",
)
NOTES: Final = (
    "Nothing is said of other clips, of other listeners, of other loudness and equipment, or of"
    " people who were taught what to listen for. Each interval holds by itself with 95\u00a0%: of"
    " twenty, one may be wrong.",
    "Intervals count listeners. The pooled one (JSON, HTML) is Clopper’s and Pearson’s of all"
    " answers, as if each were another listener’s: for comparison, and too narrow where listeners"
    " differ.",
)
LIKE_THESE: Final = "of listeners like these, on these clips and as they listened,"
NOT_OF: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "noise": "that two conditions sound alike: intervals that overlap do not prove it.",
        "natural": "that two conditions cannot be told apart: who hears a difference may not mind.",
        "identical": "that no difference can be heard: asked by X, A or B, people hear more.",
    }
)
NOBODY: Final = "Nothing: nobody who counts was asked."
ROUNDING: Final = 1e-6  # of bounds, which are computed to ten digits
EVERYBODY: Final = 0.995  # a bound that bounds nothing


@dataclass(frozen=True)
class Claim:
    """A sentence that may be claimed, and how one goes on that may not; and what they are about."""

    about: str
    may: str
    may_not: str
    apart: bool = False  # whether a difference was shown to be heard


def claims(score: Score) -> Iterator[Claim]:
    """What a score allows: a claim for each condition in ABX, and for each other question one."""
    yield from (_of_abx(result) for result in score.results if result.question.kind == "abx")
    for kind in dict.fromkeys(result.question.kind for result in score.results):
        if kind != "abx":
            asked = any(r.rate.answers for r in score.results if r.question.kind == kind)
            yield _of_shares(kind) if asked else Claim(ASKED[kind], NOBODY, "anything.")


def notes(score: Score) -> tuple[str, ...]:
    """What else is to be known when a score is quoted."""
    return (*NOTES_ON_ABX, *NOTES) if score.study.protocol == "abx" else NOTES


def percent(value: float) -> str:
    """The nearest whole percent."""
    return f"{100 * value:.0f}\u00a0%"


def at_most(value: float) -> str:
    """Whole percents, rounded up."""
    return f"{min(100, math.ceil(100 * value - ROUNDING))}\u00a0%"


def at_least(value: float) -> str:
    """Whole percents, rounded down."""
    return f"{max(0, math.floor(100 * value + ROUNDING))}\u00a0%"


def between(rate: Rate | Interval) -> str | None:
    """The interval of a rate, rounded outward; None where there is none."""
    if rate.low is None or rate.high is None:
        return None
    return f"{at_least(rate.low)[:-2]} to {at_most(rate.high)}"


def _of_shares(kind: Kind) -> Claim:
    may = f"{LIKE_THESE} the shares in the table, each within its interval."
    return Claim(ASKED[kind], may[0].upper() + may[1:], NOT_OF[kind])


def _of_abx(result: Result) -> Claim:
    name, rate, hearing = one_line(result.question.label), result.rate, result.hearing
    if hearing is None or rate.low is None:
        return Claim(name, NOBODY, "anything.")
    general = _told_apart(name, hearing) if rate.low > GUESSING else _bounded(name, hearing)
    may = " ".join(filter(None, (general, _of_these(name, result))))
    may = may or f"Nothing: it is open whether all can tell “{name}” from the clean clip."
    if rate.low > GUESSING or result.telling:
        return Claim(name, may, "that it is imperceptible.", apart=True)
    return Claim(
        name,
        may,
        f"that nobody can. {rate.hits:,} of {rate.answers:,} answers are right; guessing may"
        " explain that, and is not shown by it.",
    )


def _told_apart(name: str, hearing: Hearing) -> str:
    least, most = at_least(hearing.at_least), at_most(hearing.at_most)
    return (
        f"At least {least} and at most {most} {LIKE_THESE} can tell “{name}” from the clean clip"
        " (95\u00a0% each)."
    )


def _bounded(name: str, hearing: Hearing) -> str | None:
    """That not everybody can tell; None where the bound bounds nothing."""
    if hearing.at_most > EVERYBODY:
        return None
    return (
        f"At most {at_most(hearing.at_most)} {LIKE_THESE} can tell “{name}” from the clean clip"
        " (95\u00a0%)."
    )


def _of_these(name: str, result: Result) -> str | None:
    """That some of the very listeners can tell; None where none is known to."""
    if not result.telling:
        return None
    return (
        f"At least {result.telling:,} of these {result.rate.listeners:,} listeners can tell"
        f" “{name}” from the clean clip (95\u00a0%, over all of them)."
    )
