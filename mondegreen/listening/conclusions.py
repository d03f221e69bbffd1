"""What a listening test lets you claim, and what it does not, in sentences.

Bounds are rounded outward to whole percents, so that nothing is claimed that was not measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mondegreen.listening.detection import GUESSING, Interval
from mondegreen.listening.key import KINDS, Kind
from mondegreen.listening.score import QuestionScore, Rate, StudyScore
from mondegreen.report.numbers.summary_text import one_line

NOTES_ON_ABX: Final = (
    "If guessing may explain the answers (p > 0.05), they are too few to show a difference; that"
    " does not mean that there is none. “Imperceptible” is a claim of equivalence, and the upper"
    " bound is the only part of it that you can claim.",
    "“Can tell” counts listeners who always hear the difference while the others guess; those who"
    " hear it in some trials count with their share of trials. Those who hear it in half of the"
    " trials or more are at most twice as many.",
)
NOTES: Final = (
    "The results do not apply to other clips, other listeners, another volume or other equipment,"
    " or to people who were taught what to listen for. Each interval holds by itself with"
    " 95\u00a0%: of twenty, one may be wrong.",
    "Intervals treat each listener as one observation. The pooled one (JSON, HTML) is the"
    " Clopper-Pearson interval of all answers, as if each came from a different listener: for"
    " comparison, and too narrow if listeners differ.",
)
LIKE_THESE: Final = "of listeners like these, on these clips and under the same conditions,"
SHARES: Final = "The shares in the table, each within its interval, for listeners like these."
NOT_SHOWN: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "noise": "that two conditions sound alike: overlapping intervals do not prove it.",
        "natural": "that two conditions cannot be told apart: listeners who hear a difference may"
        " like both.",
        "identical": "that no difference can be heard: in an ABX test, people hear more.",
    }
)
NOTES_ON_STAIRCASES: Final = (
    "Levels are those of the change, relative to the file: 0 dB is the file as it is, and at"
    " \u22126 dB the change is half as large. At the just-heard level a listener hears the change"
    " in half of the trials. That is a mean over these clips and over listeners like these: some"
    " of them hear less, and some hear more.",
    "The interval treats each listener as one observation. It holds for other listeners, on the"
    " same clips, if they listen as these did; of a single listener it holds for them alone.",
)
UNKNOWN: Final = "-"
NOBODY: Final = "Nothing: no listener who counts was asked."
ROUNDING: Final = 1e-6  # of bounds, which are computed to ten digits
VACUOUS: Final = 0.995  # an upper bound that excludes nothing


@dataclass(frozen=True)
class Conclusion:
    """What may be claimed about a condition or question, and how a wrong claim would continue."""

    about: str
    may: str
    may_not: str
    apart: bool = False  # whether listeners were shown to hear a difference


def conclusions(score: StudyScore) -> Iterator[Conclusion]:
    """The conclusions from a score: one for each condition in ABX, and one for other questions."""
    for kind in dict.fromkeys(result.question.kind for result in score.results):
        results = [result for result in score.results if result.question.kind == kind]
        if kind == "abx":
            yield from map(_of_abx, results)
        elif kind == "changed":
            yield from map(_of_staircase, results)
        elif any(result.rate.answers for result in results):
            yield Conclusion(KINDS[kind].wording, SHARES, NOT_SHOWN[kind])
        else:
            yield Conclusion(KINDS[kind].wording, NOBODY, "anything.")


def notes(score: StudyScore) -> tuple[str, ...]:
    """What readers need to know about a score that is quoted."""
    if score.key.protocol == "staircase":
        return (*NOTES_ON_STAIRCASES, NOTES[0])
    return (*NOTES_ON_ABX, *NOTES) if score.key.protocol == "abx" else NOTES


def percent(value: float) -> str:
    """The nearest whole percent."""
    return f"{100 * value:.0f}\u00a0%"


def at_most(value: float) -> str:
    """Whole percents, rounded up."""
    return f"{min(100, math.ceil(100 * value - ROUNDING))}\u00a0%"


def at_least(value: float) -> str:
    """Whole percents, rounded down."""
    return f"{max(0, math.floor(100 * value + ROUNDING))}\u00a0%"


def between(rate: Rate | Interval | None) -> str:
    """The interval of a rate in percents, rounded outward, without the sign."""
    if rate is None or rate.low is None or rate.high is None:
        return UNKNOWN
    return f"{at_least(rate.low)[:-2]} to {at_most(rate.high)[:-2]}"


def decibels(value: float) -> str:
    """A level to a tenth, with its sign."""
    return f"{value:+.1f}".replace("-", "\u2212")


def _of_staircase(result: QuestionScore) -> Conclusion:
    name, found = one_line(result.question.label), result.threshold
    if found is None:
        return Conclusion(name, NOBODY, "anything.")
    if found.db is None or found.low is None or found.high is None:
        why = f"{found.unknown}. {found.right:,} of {found.answers:,} answers are right."
        return Conclusion(name, f"Nothing: {why}", "at which level it is just heard.")
    who = "listeners like these" if found.listeners > 1 else "this listener"
    far = f"{abs(found.db):.1f} dB"
    meaning = f"could be {far} louder" if found.db > 0 else f"would have to be {far} quieter"
    if found.low <= 0 <= found.high:
        meaning = "is about as loud as that in the file"
    without = result.rate.listeners - found.listeners
    total = result.rate.listeners
    without = total - found.listeners
    others = f" Without a threshold: {without} of {total} listeners." if without else ""
    return Conclusion(
        name,
        f"On average, {who} just hear the change of “{name}” at {decibels(found.db)} dB"
        f" ({decibels(found.low)} to {decibels(found.high)}, 95\u00a0%): it {meaning} to be just"
        f" heard.{others}",
        "that nobody hears it at a lower level.",
        apart=found.high < 0,
    )


def _of_abx(result: QuestionScore) -> Conclusion:
    name, rate, share = one_line(result.question.label), result.rate, result.hearing
    if share is None or rate.low is None:
        return Conclusion(name, NOBODY, "anything.")
    audible, can_tell = rate.low > GUESSING, f"can tell “{name}” from the clean clip"
    may = []
    if audible:
        bounds = f"At least {at_least(share.at_least)} and at most {at_most(share.at_most)}"
        may.append(f"{bounds} {LIKE_THESE} {can_tell} (95\u00a0% each).")
    elif share.at_most <= VACUOUS:
        may.append(f"At most {at_most(share.at_most)} {LIKE_THESE} {can_tell} (95\u00a0%).")
    if result.telling:
        of_these = f"At least {result.telling:,} of these {rate.listeners:,} listeners"
        may.append(f"{of_these} {can_tell} (95\u00a0%, corrected for testing all of them).")
    may = may or [f"Nothing: it is possible that all listeners {can_tell}."]
    not_shown = "that it is imperceptible."
    if not (audible or result.telling):
        not_shown = (
            f"that nobody can. {rate.hits:,} of {rate.answers:,} answers are right: guessing can"
            " explain that, but that does not prove that they guessed."
        )
    return Conclusion(name, " ".join(may), not_shown, apart=bool(audible or result.telling))
