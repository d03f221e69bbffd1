"""How presets and peers compare at a budget: medians and worst clips.

A file that is not heard as its target has no quality: whatever it sounds like, it counts as the
worst of its group, and is never left out.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.results import Results, Row, find
from bench.subjects import LETTERS, WORDS

FAST, PAPER, PLANNED = "fast", "paper", "paper, planned"
ART = ("ART", "ART, masker fixed")
PEERS: Mapping[str, Sequence[str]] = {  # those that can attack a victim, measured or not
    WORDS: ART,
    LETTERS: (*ART, "asr-attacks", "asr-attacks, with copy"),
}
CLIPS = 5  # of the whole table
BUDGETS = (100, 250, 500, 1000, 5000)


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

    def better(self, value: float, other: float) -> bool:
        return self.sign * value > self.sign * other


def loss_text(value: float) -> str:
    """Three digits, whatever the size: 0.0012, 1.04, 187, 15,200."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.2f}" if value >= 1 or value == 0 else f"{value:.2g}"


PESQ = Measure("pesq", "PESQ", 1, "{:.2f}".format)
LOSS = Measure("masking_loss", "masking loss", -1, loss_text)
MEASURES = (PESQ, LOSS)
HEARD = Measure("heard_in", "rooms heard", 1, "{:.0%}".format)


def at(results: Results, victim: str, preset: str, budget: int) -> list[Row]:
    """A preset's rows at a budget, one per clip."""
    return find(results, "quality", victim=victim, preset=preset, budget=budget)


def presets(results: Results, victim: str) -> list[str]:
    """All presets and peers, ours first, then any others that were measured."""
    there = {row["preset"] for row in find(results, "quality", victim=victim)}
    asked = [FAST, PAPER, PLANNED, *PEERS[victim]]
    return [*asked, *sorted(there - set(asked), key=str.lower)]


def middle(measure: Measure, rows: Sequence[Row]) -> float:
    return statistics.median(measure.of(row) for row in rows)


def worst(measure: Measure, rows: Sequence[Row]) -> float:
    return measure.sign * min(measure.sign * measure.of(row) for row in rows)


def best(measure: Measure, rows: Sequence[Row]) -> float:
    return measure.sign * max(measure.sign * measure.of(row) for row in rows)


def cell(measure: Measure, rows: Sequence[Row]) -> str:
    """The median and the worst clip in words; how many were heard, if not all."""
    if not rows:
        return "not measured"
    text = f"{measure.shown(middle(measure, rows))} ({measure.shown(worst(measure, rows))})"
    heard = sum(row["verified"] for row in rows)
    notes = [f"{heard} heard"] if heard < len(rows) else []
    notes += [f"{len(rows)} clip{'s' * (len(rows) > 1)} only"] if len(rows) < CLIPS else []
    return ", ".join([text, *notes])


def common(rows: Sequence[Row], others: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows of both for the clips that both have."""
    clips = {row["clip"] for row in rows} & {row["clip"] for row in others}
    return [r for r in rows if r["clip"] in clips], [r for r in others if r["clip"] in clips]
