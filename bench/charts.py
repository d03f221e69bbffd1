"""The charts of `docs/benchmarks.md`: quality against passes, a line for each preset and peer."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bench.results import Results, Row, find
from bench.standing import LOSS, PESQ, Measure, at, best, middle, presets, worst
from mondegreen.files import key_of, write_whole
from mondegreen.report.figures.ink import PAGE, legend, log_axis, look, rendered

DOCS = Path(__file__).resolve().parents[1] / "docs"
WIDTH = 1100  # pixels
PASSES = (80, 6000)  # range of the x-axis
FLOOR = 0.01  # lowest masking loss drawn
DRAWN_FROM = "drawn from"  # field of the PNG with the hash of its rows


def draw(results: Results, victim: str, docs: Path = DOCS) -> None:
    """Draw a victim's chart; the PNG carries the hash of the rows that it shows."""
    png = rendered(lambda figure: _fill(figure, results, victim), ".png", facecolor="white")
    with Image.open(io.BytesIO(png)) as drawn:
        scale = min(1.0, WIDTH / drawn.width)
        size = round(drawn.width * scale), round(drawn.height * scale)
        small = drawn.convert("RGB").resize(size, Image.Resampling.LANCZOS).quantize(64)
    info, file = PngInfo(), io.BytesIO()
    info.add_text(DRAWN_FROM, rows_key(results, victim))
    small.save(file, "PNG", optimize=True, pnginfo=info)
    write_whole(docs / name_of(victim), file.getvalue())


def name_of(victim: str) -> str:
    return f"benchmarks-{victim}.png"


def rows_key(results: Results, victim: str) -> str:
    """The hash of the numbers that a chart shows."""
    fields = ("preset", "clip", "budget", "verified", PESQ.field, LOSS.field)
    rows = find(results, "quality", victim=victim)
    return key_of({"rows": [[row[field] for field in fields] for row in rows]})[:16]


def _fill(figure: Figure, results: Results, victim: str) -> None:
    figure.set_size_inches(PAGE, 3.2)
    axes = figure.subplots(1, 2)
    keys = []
    for index, preset in enumerate(presets(results, victim)):
        budgets = sorted(
            {r["budget"] for r in find(results, "quality", victim=victim, preset=preset)}
        )
        groups = [at(results, victim, preset, budget) for budget in budgets]
        lines = [
            _line(ax, m, budgets, groups, index) for ax, m in zip(axes, (PESQ, LOSS), strict=True)
        ]
        if budgets:
            keys.append((lines[0], preset))
    for ax, measure in zip(axes, (PESQ, LOSS), strict=True):
        ax.set(xlabel="gradient passes", title=f"{measure.title}: median, worst to best clip")
        ax.set(xlim=PASSES)
        log_axis(ax, "x")
    if keys:
        log_axis(axes[1], "y")
    if keys:
        legend(figure, keys)


def _line(
    ax: Axes, measure: Measure, budgets: Sequence[int], groups: Sequence[list[Row]], index: int
) -> Line2D:
    """A line of medians, and a band from the worst clip to the best; failures leave a gap."""
    color, marker, style = look(index)
    bands = [[_drawn(measure, f(measure, rows)) for rows in groups] for f in (worst, best)]
    ax.fill_between(budgets, *bands, color=color, alpha=0.12, linewidth=0)
    medians = [_drawn(measure, middle(measure, rows)) for rows in groups]
    marks = None if len(budgets) > 10 else marker
    (line,) = ax.plot(budgets, medians, color=color, marker=marks, linestyle=style)
    return line


def _drawn(measure: Measure, value: float) -> float:
    if not math.isfinite(value):
        return math.nan
    return max(value, FLOOR) if measure is LOSS else value
