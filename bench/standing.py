"""How presets and peers compare: medians and worst clips.

A file that is not heard as its target has no quality: whatever it sounds like, it counts as the
worst of its group, and is never left out.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.quality import BUDGETS
from bench.results import Results, Row, find
from bench.subjects import JUDGE, SETS
from mondegreen.results.verdict import YARDSTICKS

FAST, PAPER = "fast", "paper"
NONE = "not measured"


@dataclass(frozen=True)
class Measure:
    """One number of a row.

    Attributes:
        field: its name in the row.
        title: its name on the page.
        sign: 1 if more is better, -1 if less is.
        form: how it is printed.
    """

    field: str
    title: str
    sign: int
    form: Callable[[float], str]

    def of(self, row: Row) -> float:
        """The row's number; for a failure, or without one, the worst possible."""
        value = row[self.field]
        return float(value) if row["verified"] and value is not None else -self.sign * math.inf

    def shown(self, value: float) -> str:
        return self.form(value) if math.isfinite(value) else "failed"

    def reaches(self, value: float, mark: float) -> bool:
        return self.sign * value >= self.sign * mark


def loss_text(value: float) -> str:
    """Three digits, whatever the size: 0.0012, 1.04, 187, 15,200."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.2f}" if value >= 1 or value == 0 else f"{value:.2g}"


MOS = Measure("zimtohrli_mos", "Zimtohrli MOS", 1, "{:.2f}".format)
PESQ = Measure("pesq_c2", "PESQ (Cor. 2)", 1, "{:.2f}".format)
LOSS = Measure("masking_loss", "masking loss", -1, loss_text)
MEASURES = (MOS, PESQ, LOSS)


def at(results: Results, victim: str, preset: str, budget: int, of: str = JUDGE) -> list[Row]:
    """A preset's rows at a budget, one per clip of a set."""
    rows = find(results, "quality", victim=victim, preset=preset, budget=budget)
    return [row for row in rows if row["clip"] in SETS[of]]


def groups(results: Results, victim: str, of: str) -> Iterator[tuple[str, int, list[Row]]]:
    """Preset, budget and rows: those of ours, measured or not, and then the peers'."""
    ours = [(preset, budget) for preset, every in BUDGETS.items() for budget in every]
    there = {(row["preset"], row["budget"]) for row in find(results, "quality", victim=victim)}
    for preset, budget in [*ours, *sorted(there - set(ours))]:
        if rows := at(results, victim, preset, budget, of):
            yield preset, budget, rows


def middle(measure: Measure, rows: Sequence[Row]) -> float:
    return statistics.median(measure.of(row) for row in rows)


def worst(measure: Measure, rows: Sequence[Row]) -> float:
    return measure.sign * min(measure.sign * measure.of(row) for row in rows)


def heard(rows: Sequence[Row]) -> str:
    return f"{sum(row['verified'] for row in rows)} of {len(rows)}"


def inaudible(rows: Sequence[Row]) -> str:
    """How many files are verified and reach the mark of every yardstick of the verdict."""
    if any(lacks(rows, one.name) for one in YARDSTICKS):
        return NONE
    return f"{sum(map(_unheard, rows))} of {len(rows)}"


def _unheard(row: Row) -> bool:
    values = [(one, row[one.name]) for one in YARDSTICKS]
    passed = all(value is not None and one.passes(value) for one, value in values)
    return row["verified"] and passed


def lacks(rows: Sequence[Row], field: str) -> bool:
    """Whether there is no row, or one from before there was the measure."""
    return not rows or any(field not in row for row in rows)


def cell(measure: Measure, rows: Sequence[Row]) -> str:
    """The median and the worst clip in words."""
    if lacks(rows, measure.field):
        return NONE
    return f"{measure.shown(middle(measure, rows))} ({measure.shown(worst(measure, rows))})"
