"""What runs came to, as charts: for the page of a run, and for papers.

Each is drawn as wide as a column of a paper, and only where there is something to draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from mondegreen.report.figures.ink import COLUMN, INK, Drawing, legend, log_axis, look, page_svg
from mondegreen.report.numbers.series import (
    Floats,
    RoomShare,
    Series,
    fifths,
    matched_by,
    over_passes,
    room_shares,
)
from mondegreen.report.numbers.summary_text import one_line

Keys = list[tuple[Line2D, str]]

DOTS: Final = 250  # clips of a series that are drawn one by one
STEPS: Final = 250  # of a line over more clips than that
THICK, THIN = 1.3, 0.6  # points
SMALLEST: Final = 1e-3  # masking loss: next to nothing, and yet on a logarithmic axis
GOLDEN: Final = (5**0.5 - 1) / 2
QUALITY: Final = {  # columns of the tables, in the order in which they are read
    "snr_db": "SNR, dB",
    "masking_share_above": "share of bins above the masking threshold",
    "masking_mean_excess_db": "mean excess in those bins, dB",
    "pesq": "PESQ",
}
MEDIANS: Final = {"pesq": "PESQ", "masking_loss": "masking loss", "snr_db": "SNR, dB"}
SHOWN: Final = {  # what an axis shows at least, lest small differences fill it
    "snr_db": (20.0, 30.0),
    "masking_share_above": (0.0, 0.2),
    "masking_mean_excess_db": (0.0, 6.0),
    "pesq": (1.0, 4.6),
}


def draw_passes(figure: Figure, series: Sequence[Series]) -> None:
    """Share of clips that had matched, and their masking loss, over gradient passes."""
    bands = [over_passes(some.finished, "masking_loss") for some in series]
    matched, *below = _panels(figure, [1.5] * (1 + any(bands)), _names(series))
    for index, some in enumerate(series):
        matched.step(*matched_by(some.finished), where="post", **_line(index))
    matched.set(title="clips heard as the target at least once", ylim=(-0.03, 1.03))
    _percent(matched.yaxis)
    for axes in below:
        for index, band in enumerate(bands):
            if band is not None:
                low, median, high = (np.maximum(v, SMALLEST) for v in band[1:])
                axes.plot(band.passes, median, **_line(index))
                axes.fill_between(band.passes, low, high, color=look(index).color, alpha=0.15, lw=0)
        axes.set(title="masking loss, median and middle half")
        log_axis(axes, "y")
    last = max(axes.get_xlim()[1] for axes in (matched, *below))
    for axes in (matched, *below):
        axes.set_xlim(0, last)
    figure.axes[-1].set_xlabel("gradient passes")


def draw_quality(figure: Figure, series: Sequence[Series]) -> None:
    """What the examples cost the ear: a dot a clip; of very many, the share that have no more."""
    shown = [c for c in QUALITY if any(some.measured(c) for some in series)]
    many = max(len(some.finished) for some in series) > DOTS
    keys = _names(series) + _kinds(series, many)
    heights = [1.25 if many else 0.5 + 0.22 * len(series)] * len(shown)
    for axes, column in zip(_panels(figure, heights, keys), shown, strict=True):
        for index, some in enumerate(series):
            (_shares_below if many else _dots)(axes, index, some, column)
        axes.set_title(QUALITY[column])
        _widen(axes, column)
        _percent(axes.yaxis) if many else _rows(axes, len(series))
        if column == "masking_share_above":
            _percent(axes.xaxis)
    if many:
        figure.supylabel("share of the clips that have no more", fontsize=7)


def draw_room_shares(figure: Figure, series: Sequence[Series]) -> None:
    """In how many clips the target is heard in a room, over its RT60; in clean clips, hollow."""
    (axes,) = _panels(figure, [2.2], _names(series) + _room_kinds(series))
    for index, some in enumerate(series):
        clean, saved = room_shares(some.finished, "clean"), room_shares(some.finished, "saved")
        for rooms, hollow in ((clean, True), (saved, False)):
            at = [room.rt60 for room in rooms], [room.share for room in rooms]
            axes.plot(*at, **_dot(index, hollow), alpha=0.8)
        axes.plot(*np.array(fifths(saved)).reshape(-1, 2).T, **_line(index))
    axes.set(title="clips heard as the target, a dot a room", xlabel="RT60 of the room, s")
    axes.set(ylim=(-0.05, 1.05), xlim=(0, None))
    _percent(axes.yaxis)


def draw_methods(figure: Figure, series: Sequence[Series]) -> None:
    """Series against each other: shares that are verified, and medians over those clips."""
    shown = [c for c in MEDIANS if any(len(some.values(c)) for some in series)]
    heights = [0.5 + 0.2 * len(series)] * (1 + len(shown))
    verified, *medians = _panels(figure, heights, _names(series))
    for index, some in enumerate(series):
        low, middle, high = some.verified.low, some.verified.share, some.verified.high
        if low is not None and middle is not None and high is not None:
            _interval(verified, index, (low, middle, high))
    verified.set(title="verified, of all finished clips; 95 % intervals", xlim=(-0.03, 1.03))
    _percent(verified.xaxis)
    for axes, column in zip(medians, shown, strict=True):
        for index, some in enumerate(series):
            if len(values := some.values(column)):
                low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
                _interval(axes, index, (float(low), float(middle), float(high)))
        axes.set_title(f"{MEDIANS[column]}, median and middle half")
        _widen(axes, column)
        if column == "masking_loss":
            log_axis(axes, "x")
    for axes in figure.axes:
        _rows(axes, len(series))


# ---- parts of charts


def _panels(figure: Figure, heights: Sequence[float], keys: Keys) -> list[Axes]:
    """Axes one below the other, of so many inches with all that belongs to them, and a legend."""
    figure.set_size_inches(COLUMN, sum(heights) + 0.15 * len(keys) + 0.1)
    axes = figure.subplots(len(heights), squeeze=False, gridspec_kw={"height_ratios": heights})
    if keys:
        legend(figure, keys)
    return list(axes[:, 0])


def _names(series: Sequence[Series]) -> Keys:
    """What tells several series apart; one needs no name."""
    if len(series) == 1:
        return []
    return [(Line2D([], [], **look(i)._asdict()), some.label) for i, some in enumerate(series)]


def _kinds(series: Sequence[Series], many: bool) -> Keys:
    """What the marks of a chart of quality mean."""
    failed = any(not entry.cells["verified"] for some in series for entry in some.finished)
    if many:
        thick, thin = (Line2D([], [], color=INK, lw=width) for width in (THICK, THIN))
        return [(thick, "verified clips"), (thin, "clips that failed")] if failed else []
    median = Line2D([], [], color=INK, marker="|", ls="", mew=1.6, ms=9)
    hollow = [(_filled(series, "none"), "a clip that failed")] if failed else []
    return [(_filled(series), "a verified clip"), *hollow, (median, "median of the verified")]


def _room_kinds(series: Sequence[Series]) -> Keys:
    return [
        (_filled(series), "adversarial file; line: by fifths of the rooms"),
        (_filled(series, "none"), "clean clip, the control"),
    ]


def _filled(series: Sequence[Series], fill: str | None = None) -> Line2D:
    """A dot as a lone series has it, or in no series' colour."""
    colour = look(0).color if len(series) == 1 else INK
    return Line2D([], [], color=colour, marker="o", ls="", mfc=fill or colour, mew=0.8)


def _line(index: int) -> dict[str, Any]:
    return {"color": look(index).color, "linestyle": look(index).linestyle}


def _dot(index: int, hollow: bool = False) -> dict[str, Any]:
    colour, marker, _ = look(index)
    fill = {"mfc": "none"} if hollow else {"mec": "none"}
    return {"color": colour, "marker": marker, "ls": "", "mew": 0.8, **fill}


def _dots(axes: Axes, index: int, some: Series, column: str) -> None:
    """A row of dots for a series, moved apart where there are many, and the median."""
    for verified in (False, True):
        values = np.sort(some.values(column, verified=verified))
        apart = (np.arange(len(values)) * GOLDEN % 1 - 0.5) * min(len(values) / 80, 1) * 0.7
        axes.plot(values, index + apart, **_dot(index, hollow=not verified), alpha=0.8)
    if len(values) > 1:
        axes.plot([np.median(values)] * 2, [index - 0.42, index + 0.42], color=INK, lw=1.6)


def _shares_below(axes: Axes, index: int, some: Series, column: str) -> None:
    """Lines of the share of a series' clips, verified and failed, that have no more than that."""
    for verified, width in ((True, THICK), (False, THIN)):
        values = np.sort(some.values(column, verified=verified))
        if count := len(values):
            at = np.unique(np.linspace(0, count - 1, min(STEPS, count)).round().astype(int))
            x, y = [values[0], *values[at]], [0.0, *(at + 1) / count]
            axes.step(x, y, where="post", **_line(index), lw=width)


def _interval(axes: Axes, row: int, values: tuple[float, float, float]) -> None:
    low, middle, high = values
    colour, marker, _ = look(row)
    axes.plot([low, high], [row, row], color=colour, ls="-")
    axes.plot([middle], [row], color=colour, marker=marker, ms=5)


def _widen(axes: Axes, column: str) -> None:
    axes.update_datalim([(value, 0.0) for value in SHOWN.get(column, ())], updatey=False)
    axes.autoscale_view(scaley=False)
    axes.locator_params(axis="x", nbins=7)


def _rows(axes: Axes, count: int) -> None:
    """A row for each series, the first one on top, and no axis beside them."""
    axes.set(ylim=(count - 0.4, -0.6), yticks=[])
    axes.spines["left"].set_visible(False)


def _percent(axis: Axis) -> None:
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))


__all__ = ["CHARTS", "Chart", "Series", "charts", "drawing"]


@dataclass(frozen=True)
class Chart:
    """A chart for a page.

    Attributes:
        name: "passes", "quality", "rooms" or "methods"; also what its file would be called.
        title: what it shows, in some words.
        alt: the same in words and numbers, for those who cannot see it.
        svg: a standalone SVG document, dark on light or light on dark as the reader prefers.
    """

    name: str
    title: str
    alt: str
    svg: str


def charts(series: Sequence[Series]) -> list[Chart]:
    """All the charts of some series that there is something to draw of."""
    return [
        Chart(name, kind.title, _alt(kind, series), page_svg(draw))
        for name, kind in CHARTS.items()
        if (draw := drawing(name, series)) is not None
    ]


def drawing(name: str, series: Sequence[Series]) -> Drawing | None:
    """What draws a chart, one of `CHARTS`; None: there is nothing to draw.

    Series of which there is nothing to draw are handed on, so that each keeps its colour.
    """
    kind = CHARTS[name]
    if sum(kind.tell(some) != "" for some in series) < kind.least:
        return None
    return lambda figure: kind.draw(figure, series)


class Kind(NamedTuple):
    """A kind of chart.

    Attributes:
        title: what it shows.
        draw: into a figure.
        tell: what it says of one series; empty where there is nothing to draw.
        least: of how many series there must be something.
    """

    title: str
    draw: Callable[[Figure, Sequence[Series]], None]
    tell: Callable[[Series], str]
    least: int = 1


def _alt(kind: Kind, series: Sequence[Series]) -> str:
    told = [f"{one_line(some.label)}: {what}." for some in series if (what := kind.tell(some))]
    return " ".join([f"{kind.title}.", *told])


def _passes(some: Series) -> str:
    clips = some.finished
    if not clips:
        return ""
    first = [clip.cells["first_match"] for clip in clips if "first_match" in clip.cells]
    told = f"{len(first):,} of {len(clips):,} finished clips matched in the search"
    if first:
        told += f", half of these by pass {np.median(first):,.0f}, all by pass {max(first):,}"
    band = over_passes(clips, "masking_loss")
    if band is not None:
        begin, end = (
            f"{_number(band.median[at])} at pass {band.passes[at]:,.0f}" for at in (0, -1)
        )
        told += f"; median masking loss {begin}, {end}"
    return told


def _quality(some: Series) -> str:
    if not any(map(some.measured, QUALITY)):
        return ""
    verified, finished = some.verified.hits, len(some.finished)
    known = {name: some.values(column) for column, name in QUALITY.items()}
    told = [f"{name}, {_spread(values)}" for name, values in known.items() if len(values)]
    return "; ".join([f"{verified:,} of {finished:,} finished clips are verified", *told])


def _rooms(some: Series) -> str:
    saved, clean = room_shares(some.finished, "saved"), room_shares(some.finished, "clean")
    if not saved:
        return ""
    span = f"RT60 from {saved[0].rt60:.2f} to {saved[-1].rt60:.2f} s"
    told = f"{len(saved):,} rooms with an {span}; the target is heard {_heard(saved)}"
    if means := [f"{share:.0%}" for _, share in fifths(saved)]:
        told += f", in the fifths of the rooms by rising RT60 {', '.join(means)}"
    return told + (f"; in the clean clips {_heard(clean)}" if clean else "")


def _methods(some: Series) -> str:
    found = some.verified
    if found.share is None:
        return ""
    told = [
        f"verified {found.hits:,} of {found.clips:,}, {found.share:.0%}"
        f" (95 %: {found.low:.0%} to {found.high:.0%})"
    ]
    known = {name: some.values(column) for column, name in MEDIANS.items()}
    return "; ".join([*told, *(f"{n}, {_spread(v)}" for n, v in known.items() if len(v))])


def _heard(rooms: Sequence[RoomShare]) -> str:
    heard, listened = sum(room.heard for room in rooms), sum(room.clips for room in rooms)
    return f"{heard:,} of {listened:,} times"


def _spread(values: Floats) -> str:
    low, median, high = (_number(v) for v in np.quantile(values, [0.25, 0.5, 0.75]))
    return f"median {median} (middle half {low} to {high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


CHARTS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "passes": Kind("Success and masking loss over gradient passes", draw_passes, _passes),
        "quality": Kind("What the examples cost the ear", draw_quality, _quality),
        "rooms": Kind("Rooms in which the target is heard", draw_room_shares, _rooms),
        "methods": Kind("Side by side", draw_methods, _methods, least=2),
    }
)
