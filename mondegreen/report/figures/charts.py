"""Charts of runs, for their pages and for papers: a column wide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from mondegreen.airs import air_name
from mondegreen.report.figures.ink import COLUMN, INK, Draw, legend, log_axis, look, page_svg
from mondegreen.report.numbers.series import (
    Band,
    RoomShare,
    Series,
    fifths,
    matched_by,
    over_passes,
    room_shares,
)
from mondegreen.report.numbers.summary_text import interval, one_line
from mondegreen.results.verdict import RATINGS

Keys = list[tuple[Line2D, str]]

DOTS: Final = 250  # clips of a series that are drawn one by one
STEPS: Final = 250  # of a line over more clips than that
THICK, THIN = 1.3, 0.6  # points
SMALLEST: Final = 1e-3  # masking loss: almost 0, but still on a logarithmic axis
GOLDEN: Final = (5**0.5 - 1) / 2
TITLES: Final = {  # of axes, by the columns of the tables
    "snr_db": "SNR, dB",
    "masking_share_above": "share of bins above the masking threshold",
    "masking_mean_excess_db": "mean excess in those bins, dB",
    "zimtohrli_mos": "Zimtohrli MOS",
    "pesq_c2": "PESQ (Cor. 2)",
    "masking_loss": "masking loss",
}
SHOWN: Final = {  # what an axis shows at least, so that small differences do not fill it
    "zimtohrli_mos": (1.0, 5.0),
    "pesq_c2": (1.0, 4.6),
    "masking_share_above": (0.0, 0.2),
    "masking_mean_excess_db": (0.0, 6.0),
    "snr_db": (20.0, 30.0),
}
QUALITY: Final = tuple(SHOWN)
MARKS: Final = {  # of the verdict, in what it goes by
    one.name: [mark for mark in (one.plain, one.inaudible) if mark is not None] for one in RATINGS
}
MEDIANS: Final = ("zimtohrli_mos", "pesq_c2", "masking_loss", "snr_db")


def draw_passes(figure: Figure, series: Sequence[Series]) -> None:
    """Share of clips that had succeeded, and their masking loss, over gradient passes.

    Where there is one clip of each series, its success is but a point, and is left out if there is
    something else.
    """
    bands = [over_passes(some.records, "masking_loss") for some in series]
    curved, many = any(bands), _are_many(series)
    succeeded = many or not curved
    panels = _panels(figure, [1.5] * (succeeded + curved), _names(series))
    if succeeded:
        for index, some in enumerate(series):
            panels[0].step(*matched_by(some.records), where="post", **_line(index))
        panels[0].set(title="clips whose search has succeeded", ylim=(-0.03, 1.03))
        _percent(panels[0].yaxis)
    if curved:
        _bands(panels[-1], bands)
        panels[-1].set(title=f"masking loss{', median and quartiles' if many else ''}")
    last = max(axes.get_xlim()[1] for axes in figure.axes)
    for axes in figure.axes:
        axes.set_xlim(0, last)
    figure.axes[-1].set_xlabel("gradient passes")


def draw_quality(figure: Figure, series: Sequence[Series]) -> None:
    """How audible the perturbations are: a dot per clip; of very many clips, their distribution."""
    shown = [c for c in QUALITY if any(c in e.cells for some in series for e in some.entries)]
    many = max(len(some.records) for some in series) > DOTS
    keys = _names(series) + _kinds(series, many)
    if set(shown) & set(MARKS):
        keys.append((Line2D([], [], color=INK, lw=0.6, ls=":"), "marks of the verdict"))
    heights = [1.25 if many else 0.5 + 0.22 * len(series)] * len(shown)
    for axes, column in zip(_panels(figure, heights, keys), shown, strict=True):
        for index, some in enumerate(series):
            (_shares_below if many else _dots)(axes, index, some, column)
        for mark in MARKS.get(column, ()):
            axes.axvline(mark, color=INK, lw=0.6, ls=":", zorder=1)
        axes.set_title(TITLES[column])
        _widen(axes, column)
        _percent(axes.yaxis) if many else _rows(axes, len(series))
        if column == "masking_share_above":
            _percent(axes.xaxis)
    if many:
        figure.supylabel("share of clips with at most this value", fontsize=7)


def draw_room_shares(figure: Figure, series: Sequence[Series]) -> None:
    """In how many clips the target is heard in a room, over its RT60; in clean clips, hollow."""
    kinds = [
        (_filled(series), "adversarial file; line: fifths of the rooms"),
        (_filled(series, "none"), "clean clip, the control"),
    ]
    (axes,) = _panels(figure, [2.2], _names(series) + kinds)
    for index, some in enumerate(series):
        saved = room_shares(some.records)
        for rooms, hollow in ((room_shares(some.records, clean=True), True), (saved, False)):
            at = [room.rt60 for room in rooms], [room.share for room in rooms]
            axes.plot(*at, **_dot(index, hollow), alpha=0.8)
        axes.plot(*np.array(fifths(saved)).reshape(-1, 2).T, **_line(index))
    axes.set(title="clips heard as the target, one dot per room", xlabel="RT60 of the room, s")
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
            _interval(verified, index, low, middle, high)
    verified.set(title="verified, of finished clips; 95 % intervals", xlim=(-0.03, 1.03))
    _percent(verified.xaxis)
    for axes, column in zip(medians, shown, strict=True):
        for index, some in enumerate(series):
            if len(values := some.values(column)):
                _interval(axes, index, *map(float, np.quantile(values, [0.25, 0.5, 0.75])))
        axes.set_title(f"{TITLES[column]}, median and quartiles")
        _widen(axes, column)
        if column == "masking_loss":
            log_axis(axes, "x")
    for axes in figure.axes:
        _rows(axes, len(series))


# ---- parts of charts


def _are_many(series: Sequence[Series]) -> bool:
    """Whether there is a series of several clips, and not just a point of each."""
    return any(len(some.records) > 1 for some in series)


def _have_curves(series: Sequence[Series]) -> bool:
    return any(over_passes(some.records, "masking_loss") for some in series)


def _panels(figure: Figure, heights: Sequence[float], keys: Keys) -> list[Axes]:
    """Axes one below the other, of these heights in inches, and a legend."""
    figure.set_size_inches(COLUMN, sum(heights) + 0.15 * len(keys) + 0.1)
    axes = figure.subplots(len(heights), squeeze=False, gridspec_kw={"height_ratios": heights})
    if keys:
        legend(figure, keys)
    return list(axes[:, 0])


def _names(series: Sequence[Series]) -> Keys:
    """The names of several series; one needs none."""
    if len(series) == 1:
        return []
    return [(Line2D([], [], **look(i)._asdict()), some.label) for i, some in enumerate(series)]


def _kinds(series: Sequence[Series], many: bool) -> Keys:
    """What the marks of a chart of quality mean."""
    failed = any(some.verified.hits < some.verified.clips for some in series)
    if many:
        thick, thin = (Line2D([], [], color=INK, lw=width) for width in (THICK, THIN))
        return [(thick, "verified clips"), (thin, "failed clips")] if failed else []
    median = Line2D([], [], color=INK, marker="|", ls="", mew=1.6, ms=9)
    hollow = [(_filled(series, "none"), "failed clip")] if failed else []
    return [(_filled(series), "verified clip"), *hollow, (median, "median of the verified")]


def _filled(series: Sequence[Series], fill: str | None = None) -> Line2D:
    """A dot in the colour of a lone series, or in black for several."""
    colour = look(0).color if len(series) == 1 else INK
    return Line2D([], [], color=colour, marker="o", ls="", mfc=fill or colour, mew=0.8)


def _line(index: int) -> dict[str, Any]:
    return {"color": look(index).color, "linestyle": look(index).linestyle}


def _dot(index: int, hollow: bool = False) -> dict[str, Any]:
    colour, marker, _ = look(index)
    fill = {"mfc": "none"} if hollow else {"mec": "none"}
    return {"color": colour, "marker": marker, "ls": "", "mew": 0.8, **fill}


def _dots(axes: Axes, index: int, some: Series, column: str) -> None:
    """A row of dots for a series, spread out where there are many, and the median."""
    for verified in (False, True):
        values = np.sort(some.values(column, verified=verified))
        apart = (np.arange(len(values)) * GOLDEN % 1 - 0.5) * min(len(values) / 80, 1) * 0.7
        axes.plot(values, index + apart, **_dot(index, hollow=not verified), alpha=0.8)
    if len(values) > 1:
        axes.plot([np.median(values)] * 2, [index - 0.42, index + 0.42], color=INK, lw=1.6)


def _shares_below(axes: Axes, index: int, some: Series, column: str) -> None:
    """The cumulative distributions of a series' clips, verified and failed."""
    for verified, width in ((True, THICK), (False, THIN)):
        values = np.sort(some.values(column, verified=verified))
        if count := len(values):
            at = np.unique(np.linspace(0, count - 1, min(STEPS, count)).round().astype(int))
            x, y = [values[0], *values[at]], [0.0, *(at + 1) / count]
            axes.step(x, y, where="post", **_line(index), lw=width)


def _bands(axes: Axes, bands: Sequence[Band | None]) -> None:
    """Medians with the middle half around them, on a logarithmic axis."""
    for index, band in enumerate(bands):
        if band is not None:
            low, median, high = (np.maximum(v, SMALLEST) for v in band[1:])
            axes.plot(band.passes, median, **_line(index))
            axes.fill_between(band.passes, low, high, color=look(index).color, alpha=0.15, lw=0)
    log_axis(axes, "y")


def _interval(axes: Axes, row: int, low: float, middle: float, high: float) -> None:
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


# ---- charts and their words


class Kind(NamedTuple):
    """A kind of chart."""

    title: str
    draw: Callable[[Figure, Sequence[Series]], None]
    describe: Callable[[Series], str]  # in words and numbers; empty where there is nothing to draw
    needs: str  # what has to be there, in a sentence
    least: int = 1  # of how many series there must be something
    # whether there is more to see than a point of each, without which a page leaves it out
    tells: Callable[[Sequence[Series]], bool] = _are_many


class Chart(NamedTuple):
    """A chart for a page."""

    name: str  # one of `CHARTS`
    title: str
    alt: str  # the same in words and numbers, for those who cannot see it
    svg: str  # a standalone document, dark on light or light on dark as the reader prefers


def charts(series: Sequence[Series]) -> list[Chart]:
    """All the charts of some series that there is something to see in."""
    return [
        Chart(name, kind.title, _alt(kind, series), page_svg(draw))
        for name, kind in CHARTS.items()
        if kind.tells(series) and (draw := drawing(name, series)) is not None
    ]


def drawing(name: str, series: Sequence[Series]) -> Draw | None:
    """What draws a chart, one of `CHARTS`; None: there is nothing to draw.

    Series without anything to draw are passed on, so that each keeps its colour.
    """
    kind = CHARTS[name]
    if sum(kind.describe(some) != "" for some in series) < kind.least:
        return None
    return lambda figure: kind.draw(figure, series)


def _alt(kind: Kind, series: Sequence[Series]) -> str:
    lines = [f"{one_line(some.label)}: {text}." for some in series if (text := kind.describe(some))]
    return " ".join([f"{kind.title}.", *lines])


def _passes(some: Series) -> str:
    if not some.records:
        return ""
    first = [r.first_match for r in some.records if r.first_match is not None]
    text = f"{len(first):,} of {len(some.records):,} finished clips succeeded in the search"
    if first:
        text += f", half of these by pass {np.median(first):,.0f}, all by pass {max(first):,}"
    band = over_passes(some.records, "masking_loss")
    if band is not None:
        begin, end = (
            f"{_number(band.median[at])} at pass {band.passes[at]:,.0f}" for at in (0, -1)
        )
        text += f"; median masking loss {begin}, {end}"
    return text


def _quality(some: Series) -> str:
    if not some.records:
        return ""
    found = f"{some.verified.hits:,} of {some.verified.clips:,} finished clips are verified"
    return "; ".join([found, *_medians(some, QUALITY)])


def _rooms(some: Series) -> str:
    saved, clean = room_shares(some.records), room_shares(some.records, clean=True)
    if not saved:
        return ""
    span = f"RT60 from {saved[0].rt60:.2f} to {saved[-1].rt60:.2f} s"
    airs = dict.fromkeys(air_name(record.air) for record in some.records if record.survival)
    text = f"{len(saved):,} rooms with an {span}, in {one_line(' and '.join(airs))}; the target"
    text += f" is heard {_heard(saved)}"
    if means := [f"{share:.0%}" for _, share in fifths(saved)]:
        text += f", in the fifths of the rooms by rising RT60 {', '.join(means)}"
    return text + (f"; in the clean clips {_heard(clean)}" if clean else "")


def _methods(some: Series) -> str:
    found = some.verified
    if found.share is None:
        return ""
    verified = f"verified {found.hits:,} of {found.clips:,}, {found.share:.0%}{interval(found)}"
    return "; ".join([verified, *_medians(some, MEDIANS)])


def _heard(rooms: Sequence[RoomShare]) -> str:
    heard, listened = sum(room.heard for room in rooms), sum(room.clips for room in rooms)
    return f"{heard:,} of {listened:,} times"


def _medians(some: Series, columns: Sequence[str]) -> Iterator[str]:
    for column in columns:
        if len(values := some.values(column)):
            low, median, high = (_number(v) for v in np.quantile(values, [0.25, 0.5, 0.75]))
            yield f"{TITLES[column]}, median {median} (quartiles {low} to {high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


CLIP: Final = "It needs a finished clip."
CHARTS: Final[Mapping[str, Kind]] = {
    "passes": Kind(
        "The search over gradient passes",
        draw_passes,
        _passes,
        CLIP,
        tells=lambda series: _are_many(series) or _have_curves(series),
    ),
    "quality": Kind("Audibility of the perturbations", draw_quality, _quality, CLIP),
    "rooms": Kind(
        "Rooms in which the target is heard",
        draw_room_shares,
        _rooms,
        "It needs results of a method in rooms whose RT60 is known.",
        tells=lambda _: True,
    ),
    "methods": Kind(
        "Side by side",
        draw_methods,
        _methods,
        "It needs two runs, or results of two recognisers, methods or presets.",
        least=2,
    ),
}
