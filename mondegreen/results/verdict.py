"""How audible a change may be, in words: a verdict from the panel, and the marks that it rests on.

It is never a proof: by these yardsticks, and no substitute for listening. A mark is a convention,
chosen as docs/numbers.md says, until a listening test puts another in its place.

Where a sound is played in rooms, a second verdict says what a listener there would hear, from the
median room by each yardstick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from mondegreen.results.record import OverRooms, Quality, QualityInRooms, Record

Word = Literal["probably inaudible", "audible on direct comparison", "plainly audible"]
WORDS: Final[tuple[Word, ...]] = (
    "probably inaudible",
    "audible on direct comparison",
    "plainly audible",
)


@dataclass(frozen=True)
class Yardstick:
    """One measure of the panel that the verdict looks at, with its marks."""

    name: str  # of its field, for programs
    label: str
    value: Callable[[Quality], float | None]
    inaudible: float  # the mark that it has to reach for "probably inaudible"
    plain: float | None  # beyond this one, the change is plainly audible; None: it does not say
    rising: bool  # whether more is better

    def reaches(self, value: float, mark: float) -> bool:
        """Whether a value is as good as a mark, or better."""
        return value >= mark if self.rising else value <= mark

    def passes(self, value: float) -> bool:
        """Whether a value reaches the mark for "probably inaudible"."""
        return self.reaches(value, self.inaudible)


def _temporal_loss(quality: Quality) -> float | None:
    return None if quality.temporal is None else quality.temporal.loss


ZIMTOHRLI: Final = Yardstick(
    "zimtohrli_mos", "Zimtohrli MOS", lambda quality: quality.zimtohrli_mos, 4.7, 4.0, rising=True
)
PESQ: Final = Yardstick(
    "pesq_c2", "PESQ (Cor. 2)", lambda quality: quality.pesq_c2, 4.35, 3.5, rising=True
)
MASKING: Final = Yardstick(
    "temporal_loss", "temporal masking loss", _temporal_loss, 0.5, None, rising=False
)
YARDSTICKS: Final = (ZIMTOHRLI, PESQ, MASKING)
RATINGS: Final = (ZIMTOHRLI, PESQ)  # without one of these, there is no verdict


@dataclass(frozen=True)
class Verdict:
    """How audible a change is by these yardsticks, and which of them say so."""

    word: Word
    by: tuple[str, ...]  # labels, values and marks
    where: str = ""  # of whom it speaks, with a space before it; empty: of the files themselves

    @property
    def sentence(self) -> str:
        """All of it, to be read by itself."""
        return f"{self.word.capitalize()}{self.where} by these yardsticks: {_listed(self.by)}."


def verdict(quality: Quality) -> Verdict | None:
    """The verdict of those yardsticks that were measured.

    *Plainly audible*: a rating is below its lower mark. *Probably inaudible*: all of them reach
    their marks. Else *audible on direct comparison*. None: there is no rating to go by, only the
    masking loss or nothing.
    """
    return _judged({one: one.value(quality) for one in YARDSTICKS}, "")


def verdict_in_rooms(seen: QualityInRooms | None) -> Verdict | None:
    """The same of the median room by each yardstick; None also where no room was measured."""
    if seen is None:
        return None
    over: dict[Yardstick, OverRooms | None] = {one: getattr(seen, one.name) for one in YARDSTICKS}
    medians = {one: None if found is None else found.median for one, found in over.items()}
    return _judged(medians, " to a listener in the median room")


def verdict_sentences(record: Record) -> str:
    """Both verdicts on a result, to be read by themselves; empty: there is none."""
    dry, there = verdict(record.quality), verdict_in_rooms(record.quality_in_rooms)
    if there and dry:
        return f"{there.sentence} Without a room: {dry.sentence[0].lower()}{dry.sentence[1:]}"
    found = there or dry
    return found.sentence if found else ""


def _judged(values: Mapping[Yardstick, float | None], where: str) -> Verdict | None:
    found = [(one, value) for one, value in values.items() if value is not None]
    if not any(one in RATINGS for one, _ in found):
        return None
    plain = [(one, value, one.plain) for one, value in found if one.plain is not None]
    beyond = [told for told in plain if not told[0].reaches(*told[1:])]
    if beyond:
        return Verdict("plainly audible", tuple(_missed(*told) for told in beyond), where)
    missed = [(one, value, one.inaudible) for one, value in found if not one.passes(value)]
    if missed:
        by = tuple(_missed(*told) for told in missed)
        return Verdict("audible on direct comparison", by, where)
    by = tuple(f"{one.label} {value:.2f}" for one, value in found)
    return Verdict("probably inaudible", by, where)


def _missed(of: Yardstick, value: float, mark: float) -> str:
    return f"{of.label} {value:.2f} ({'below' if of.rising else 'above'} {mark:g})"


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
