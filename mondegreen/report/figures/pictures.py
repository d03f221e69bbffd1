"""Pictures of one thing: a clip and its threshold, an example, a search, a bank of rooms."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mondegreen.errors import MondegreenError
from mondegreen.report.figures.ink import (
    COLOURS,
    COLUMN,
    HEAT,
    INK,
    PAGE,
    key_below,
    log_axis,
    wrapped,
    write,
)
from mondegreen.report.numbers.series import CurveField, curve
from mondegreen.report.numbers.summary_text import one_line
from mondegreen.results.record import Point, Record

if TYPE_CHECKING:
    from mondegreen.air.rooms import Room
    from mondegreen.air.rooms.survey import Portrait
    from mondegreen.measures.spectra import Spectra
    from mondegreen.results.levels import Levels

Floats = NDArray[np.floating]

LEVELS_DB: Final = (0.0, 96.0)
EXCESS_DB: Final = (0.0, 20.0)  # where the colours of the excess end
GREY: Final = "0.5"
BLUE, ORANGE = COLOURS[:2]
LOUDEST: Final = "dB, the clip's loudest bin at 96"
# of titles, in Latin letters: as wide as a page, as its axes beside a scale, as a third of it
LINE, BESIDE, THIRD = 90, 85, 28
FULL_SCALE: Final = 32768
SMALLEST: Final = 1e-6  # of what is drawn on a logarithmic axis
FIELDS: Final[dict[CurveField, str]] = {  # of a record's curve, and what they are called
    "loss": "loss, nats",
    "masking_loss": "masking loss",
    "eps": "ε, of 32768",
    "alpha": "α",
}
LEGEND: Final = 58  # Latin letters of a line of the title of a curve


def draw_threshold(spectra: Spectra, path: Path, title: str) -> None:
    """Clip, maskers and threshold over time and frequency, and all three in the loudest frame."""

    def draw(figure: Figure) -> None:
        clip, theta, frame = _page(figure, title, 3)
        at, bins = np.nonzero(spectra.maskers)
        axes = spectra.seconds, spectra.hertz
        image = _spectrogram(clip, axes, spectra.clip, "clip, and its maskers (dots)")
        clip.plot(spectra.seconds[at], spectra.hertz[bins] / 1000, ",", color="cyan", alpha=0.6)
        _spectrogram(theta, axes, spectra.theta, "masking threshold θ")
        figure.colorbar(image, ax=[clip, theta], label=LOUDEST)
        _frame(frame, spectra, int(spectra.clip.max(1).argmax()))

    write(draw, path)


def draw_example(levels: Levels, record: Record, path: Path) -> None:
    """A clip and its perturbation, both transcripts, and δ against θ."""

    def draw(figure: Figure) -> None:
        clip, delta, excess, means = _page(figure, record.id, 4)
        shown = levels.decibels
        axes = levels.seconds, levels.hertz
        image = _spectrogram(clip, axes, shown("clip"), f"original: “{record.heard_clean}”")
        _spectrogram(delta, axes, shown("delta"), f"δ; original plus δ: “{record.heard}”")
        figure.colorbar(image, ax=[clip, delta], label=LOUDEST)
        above = f"{record.quality.masking.share_above:.1%}"  # of all bins; a band has several
        over = _spectrogram(
            excess, axes, shown("excess"), f"δ above the threshold θ, in {above} of all bins"
        )
        over.set_clim(EXCESS_DB)
        figure.colorbar(over, ax=excess, label="dB above θ", extend="max")
        _means(means, levels)

    write(draw, path)


def draw_rooms(portrait: Portrait, path: Path, title: str) -> None:
    """One room of a bank, its impulse response, and the acoustics of all the bank's rooms."""

    def draw(figure: Figure) -> None:
        figure.set_size_inches(PAGE, 3.0)
        figure.suptitle(wrapped(title, LINE))
        plan, response, spread = figure.subplots(1, 3)
        _plan(plan, portrait.room)
        _response(response, portrait)
        for name, (rt60, drr) in portrait.spread.items():
            spread.plot(rt60, drr, ".", ms=3, alpha=0.6, label=f"{name}: {len(rt60)}")
        spread.set(xlabel="RT60, s", ylabel="direct to reverberant, dB")
        spread.set_title("all rooms of the bank")
        key_below(spread)

    write(draw, path)


# ---- sound


def _page(figure: Figure, title: str, count: int) -> list[Axes]:
    """Axes one below the other, as wide as a page of a paper."""
    figure.set_size_inches(PAGE, 0.2 + 2.05 * count)
    figure.suptitle(wrapped(title, LINE))
    return list(figure.subplots(count))


def _spectrogram(
    axes: Axes, middles: tuple[Floats, Floats], levels: Floats, title: str
) -> AxesImage:
    """Levels [F, K] in colours, given the middles of their frames, s, and of their bands, Hz."""
    sides = (_ends(middles[0]), _ends(middles[1] / 1000))
    low, high = LEVELS_DB
    image = axes.imshow(
        levels.T,
        origin="lower",
        aspect="auto",
        extent=(*sides[0], *sides[1]),
        interpolation="none",  # vector formats have one pixel per level
        vmin=low,
        vmax=high,
        cmap=HEAT,
    )
    axes.grid(visible=False)
    axes.set_xlim(left=0)
    axes.set(xlabel="seconds", ylabel="kHz", title=wrapped(title, BESIDE))
    return image


def _ends(middles: Floats) -> tuple[float, float]:
    """Where the first of equally long steps begins and the last one ends."""
    half = (middles[1] - middles[0]) / 2 if len(middles) > 1 else 0.01
    return float(middles[0] - half), float(middles[-1] + half)


def _frame(axes: Axes, spectra: Spectra, at: int) -> None:
    khz = spectra.hertz / 1000
    maskers = spectra.maskers[at]
    axes.plot(khz, spectra.clip[at], color=GREY, lw=0.8, label="clip")
    axes.plot(khz[maskers], spectra.clip[at][maskers], "o", ms=3, color=ORANGE, label="maskers")
    axes.plot(khz, spectra.theta[at], color=BLUE, label="threshold θ")
    axes.set_title(f"the loudest frame, at {spectra.seconds[at]:.2f} s")
    _finish(axes, khz[-1])


def _means(axes: Axes, levels: Levels) -> None:
    """Mean levels over the clip, and the range that δ keeps to in nine frames of ten."""
    khz, delta = levels.hertz / 1000, levels.decibels("delta")
    axes.plot(khz, levels.decibels("clip").mean(0), color=GREY, lw=0.8, label="clip, mean level")
    axes.plot(khz, levels.decibels("theta").mean(0), color=BLUE, label="threshold θ, mean level")
    axes.plot(khz, delta.mean(0), color=ORANGE, ls="--", label="δ, mean level")
    low, high = np.percentile(delta, [5, 95], axis=0)
    axes.fill_between(khz, low, high, color=ORANGE, alpha=0.2, lw=0, label="δ, 90 % of frames")
    axes.set_title("δ against θ, in the loudest bin of each band")
    _finish(axes, khz[-1])


def _finish(axes: Axes, khz: float) -> None:
    axes.set(xlabel="kHz", ylabel="dB", ylim=(-20, 100), xlim=(0, khz))
    key_below(axes, columns=4)


# ---- rooms


def _plan(axes: Axes, room: Room) -> None:
    """The room from above; the geometry of a measured one is not known."""
    axes.set_title(wrapped(f"{room.id}, from above", THIRD))
    if room.size is None or room.source is None or room.microphone is None:
        axes.text(0.5, 0.5, "measured room: geometry unknown", ha="center", va="center")
        axes.set_axis_off()
        return
    width, length, height = room.size
    axes.add_patch(Rectangle((0, 0), width, length, fill=False, lw=1.5))
    for label, marker, (x, y, z) in (
        ("source", "o", room.source),
        ("microphone", "^", room.microphone),
    ):
        axes.plot(x, y, marker, ms=5, label=f"{label}, {z:.1f} m up")
    axes.set(xlabel="m", ylabel=f"m; the room is {height:.1f} m high")
    axes.autoscale_view()
    axes.set_aspect("equal", adjustable="datalim")  # the axes stay as wide as their title
    key_below(axes)


def _response(axes: Axes, portrait: Portrait) -> None:
    size = np.abs(portrait.rir)
    levels = 20 * np.log10(np.maximum(size / size.max(), 10 ** (-90 / 20)))
    axes.plot(portrait.seconds, levels, color=GREY, lw=0.4, label="impulse response")
    axes.plot(portrait.seconds, portrait.decay_db, color=BLUE, label="energy decay")
    rt60 = "unknown" if portrait.room.rt60 is None else f"{portrait.room.rt60:.2f} s"
    axes.set_title(f"impulse response; RT60 {rt60}")
    axes.set(xlabel="seconds", ylabel="dB", ylim=(-90, 5))
    key_below(axes)


# ---- a search


def draw_curve(record: Record, path: Path) -> None:
    """Loss, masking loss, ε and α of a clip's search, and where the target was heard.

    Vertical lines mark the start of a stage; the dashed one, the pass that found what was saved.

    Raises:
        MondegreenError: the record has no curve; or as `mondegreen.report.figures.ink.write`.
    """
    if not record.curve:
        raise MondegreenError(f"The record of {one_line(record.id)} has no curve to draw.")
    shown: list[CurveField] = [field for field in FIELDS if len(curve(record, field).passes)]
    begun = stages(record.curve)

    def draw(figure: Figure) -> None:
        figure.set_size_inches(COLUMN, 1.2 + 1.0 * len(shown))
        figure.suptitle(wrapped(_title(record, begun), LEGEND), fontsize=7, x=0.02, ha="left")
        heard, *lines = figure.subplots(
            1 + len(shown), sharex=True, height_ratios=[0.6, *[1.0] * len(shown)]
        )
        what = "aim met" if record.target is None else "heard as the target"
        _heard(heard, record.curve, what)
        for axes, field in zip(lines, shown, strict=True):
            _line(axes, record, field)
        for axes in figure.axes:
            for _, first in begun[1:]:
                axes.axvline(first, color=INK, lw=0.8, alpha=0.6)
            if record.found_at is not None:
                axes.axvline(record.found_at, color=COLOURS[1], lw=0.9, ls="--")
        figure.axes[-1].set(xlabel="gradient passes", xlim=(0, None))

    write(draw, path)


def stages(points: Sequence[Point]) -> list[tuple[str, int]]:
    """The stages of a curve in their order, each with the first pass that it has a point at."""
    groups = groupby(points, lambda point: point.stage)
    return [(name, min(point.passes for point in some)) for name, some in groups]


def _title(record: Record, begun: Sequence[tuple[str, int]]) -> str:
    parts = [f"{one_line(name)} from pass {first:,}" for name, first in begun]
    saved = "never heard" if record.found_at is None else f"saved: pass {record.found_at:,}"
    return f"{one_line(record.id)}: {'; '.join([*parts, saved])}"


def _heard(axes: Axes, points: Sequence[Point], what: str) -> None:
    """The share of what was judged that was as it should be, filled where it was enough."""
    for matched, inside in ((False, "none"), (True, COLOURS[0])):
        some = [point for point in points if point.matched is matched]
        shares = [p.hits / p.judged if p.judged else float(p.matched) for p in some]
        passes = [point.passes for point in some]
        axes.plot(passes, shares, "o", ms=2.5, mew=0.6, mfc=inside, color=COLOURS[0])
    axes.set(title=f"{what}; filled: success", ylim=(-0.25, 1.25), yticks=[0, 1])
    several = any(point.judged > 1 for point in points)
    axes.set_yticklabels(["none", "all"] if several else ["no", "yes"])


def _line(axes: Axes, record: Record, field: CurveField) -> None:
    passes, values = curve(record, field)
    values = np.maximum(values * (FULL_SCALE if field == "eps" else 1), SMALLEST)
    axes.plot(passes, values, color=COLOURS[0], marker=".", ms=2)
    axes.set_title(FIELDS[field])
    log_axis(axes, "y")
