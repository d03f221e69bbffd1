"""The table of a page: a row for each version of each clip, to be sorted and filtered there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from mondegreen.report.numbers.outcomes import FILTERS, Outcome
from mondegreen.report.numbers.summary_text import SPREADS, UNKNOWN
from mondegreen.report.page.cards import Card

LONGEST: Final = 300  # characters of a transcript in the table; the card has all of it


class Column(NamedTuple):
    """A column of numbers, by its name in `mondegreen.report.numbers.entries.COLUMNS`.

    Attributes:
        name: that name.
        label: its heading.
        meaning: what it is, in a line.
        write: a value as text.
        wide: it is left out on a narrow screen.
    """

    name: str
    label: str
    meaning: str
    write: Callable[[float], str]
    wide: bool = True


class Cell(NamedTuple):
    """A number in the table: as text, and as what it is sorted by; None: not known."""

    text: str
    value: float | None
    wide: bool


@dataclass(frozen=True)
class Row:
    """What the table says of one version of a clip.

    Attributes:
        card: the number of its card.
        version: its place there.
        name: of the clip.
        part: what the version is called; empty where there is one part only.
        outcome: what became of it.
        target: what was asked for.
        heard: what is heard, or why there is nothing to hear.
        cells: the numbers.
    """

    card: int
    version: int
    name: str
    part: str
    outcome: Outcome
    target: str
    heard: str
    cells: list[Cell]


def _percent(value: float) -> str:
    return f"{value:.0%}"


def _like(column: str, label: str, meaning: str, wide: bool = True) -> Column:
    return Column(column, label, meaning, SPREADS[column][1], wide)


COLUMNS: Final = (
    Column("wer_target", "WER", "word errors of what is heard, to the target", _percent),
    Column("rooms_heard", "Rooms", "share of the test rooms that hear the target", _percent),
    _like("passes", "Passes", "gradient passes through the recogniser"),
    _like("max_abs", "Change", "largest change of a sample, of 32768"),
    _like(
        "snr_db",
        "SNR, dB",
        "how much weaker the change is than the recording; it knows nothing of hearing",
        wide=False,
    ),
    _like(
        "masking_loss",
        "Masking loss",
        "how much of the change stands above the masking threshold, in power; 0: nothing",
    ),
    _like(
        "masking_share_above",
        "Above θ",
        "share of time and frequency where the change is louder than the masking threshold",
    ),
    _like(
        "masking_max_excess_db",
        "Most, dB",
        "how far above the masking threshold it is where it is most",
    ),
    _like(
        "pesq",
        "PESQ",
        "4.6: no difference from the recording, 1: bad; made for telephone lines",
        wide=False,
    ),
)


def columns(cards: Sequence[Card]) -> list[Column]:
    """The columns that any clip has a value in."""
    known = {name for card in cards for version in card.versions for name in version.cells}
    return [column for column in COLUMNS if column.name in known]


def rows(cards: Sequence[Card], shown: Sequence[Column]) -> Iterator[Row]:
    """The rows, card by card."""
    for card in cards:
        for place, version in enumerate(card.versions):
            yield Row(
                card.number,
                place,
                card.name,
                version.label,
                version.outcome,
                _short(card.target or ""),
                _short(version.cells.get("heard") or version.cells.get("error") or ""),
                [_cell(version.cells, column) for column in shown],
            )


def _cell(cells: Mapping[str, Any], column: Column) -> Cell:
    value = cells.get(column.name)
    return Cell(UNKNOWN if value is None else column.write(value), value, column.wide)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def counts(cards: Sequence[Card]) -> dict[str, int]:
    """How many rows each filter finds."""
    kinds = [kind for card in cards for v in card.versions for kind in v.outcome.kinds]
    return {name: kinds.count(name) for name in FILTERS}
