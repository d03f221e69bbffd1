"""How figures look, and how they are written: for a page, or for a paper.

Figures are as wide as a column or a page of a paper, with text of 7 and 8 points. Colours are those
of Okabe and Ito; each has its own marker and line style, so that nothing depends on colour alone.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import matplotlib
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation
from rich.cells import cell_len, chop_cells

from mondegreen.files import write_whole
from mondegreen.report.figures.fonts import OWN, choose_fonts
from mondegreen.report.figures.formats import check_format
from mondegreen.report.numbers.summary_text import one_line

Draw: TypeAlias = Callable[[Figure], None]  # fills an empty figure, and sets its size

COLUMN, PAGE = 3.4, 7.0  # widths of a column and a page of a paper, inches
DPI: Final = 300
IN_A_COLUMN: Final = 48  # Latin letters that fit
UNDER: Final = 28  # points from an axis to a legend under its labels
INK: Final = "#0d0e0f"  # almost black; pages replace it by the colour of their text
HEAT: Final = "magma"  # for levels, and for how far they exceed the threshold; perceptually
# uniform, and safe for the colour-blind
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", INK, "#E69F00", "#56B4E9")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
LINES: Final = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)))
STYLE: Final[dict[Any, Any]] = {
    "font.family": OWN,
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    **dict.fromkeys(("axes.labelsize", "xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 7),
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "figure.titlesize": 9,
    "text.parse_math": False,  # names may contain dollar signs
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "grid.color"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    **dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width"), 0.6),
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "axes.prop_cycle": cycler(color=COLOURS),
    "grid.alpha": 0.15,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "svg.fonttype": "path",  # glyphs as outlines
    "svg.hashsalt": "mondegreen",  # the same ids every time
    "pdf.fonttype": 42,  # TrueType, which can be searched, not Type 3
}
UNDATED: Final[dict[str, dict[str, None]]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
CLIP_NAME: Final = re.compile(rb'(?<=url\(#)p[0-9a-f]{10}(?=\))|(?<=id=")p[0-9a-f]{10}(?=")')
LIGHT, DARK = ("#1b1f24", "#0072b2"), ("#e6e9ed", "#3d9bd9")  # in place of INK, and of blue
READERS_COLOURS: Final = (
    f"<style>svg{{color:{LIGHT[0]};--blue:{LIGHT[1]}}}@media screen and (prefers-color-scheme:dark)"
    f"{{svg{{color:{DARK[0]};--blue:{DARK[1]}}}}}</style>"
)


def write(draw: Draw, path: Path) -> None:
    """Draw a figure into a file, on white, the same bytes every time.

    Raises:
        MondegreenError: its name does not end in a known format, or it cannot be written.
    """
    check_format(path)
    write_whole(path, rendered(draw, path.suffix.lower(), facecolor="white"))


def page_svg(draw: Draw) -> str:
    """A figure as an SVG document for a page, with a transparent background.

    Text and lines are dark, or light where the reader prefers dark pages; dark in print.
    """
    svg = rendered(draw, ".svg", transparent=True).decode()
    head, tag, rest = svg.partition("<defs>")
    drawn = (tag + rest).replace(INK, "currentColor").replace(COLOURS[0].lower(), "var(--blue)")
    return head + READERS_COLOURS + drawn


def rendered(draw: Draw, suffix: str, **options: Any) -> bytes:
    """A figure as the content of a file; options as of matplotlib's `savefig`."""
    file = io.BytesIO()
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # `choose_fonts` says so once
        figure = Figure(layout="constrained")
        draw(figure)
        choose_fonts(figure)
        figure.savefig(file, format=suffix[1:], dpi=DPI, metadata=UNDATED[suffix], **options)
    return _named_by_place(file.getvalue()) if suffix == ".svg" else file.getvalue()


def _named_by_place(svg: bytes) -> bytes:
    """Number the clip paths: matplotlib names them by rounding errors of the layout, which vary."""
    numbers: dict[bytes, bytes] = {}
    return CLIP_NAME.sub(lambda found: numbers.setdefault(found[0], b"p%d" % len(numbers)), svg)


class Look(NamedTuple):
    """What distinguishes one series from the others, in colour and without."""

    color: str
    marker: str
    linestyle: Any


def look(index: int) -> Look:
    """The look of one of several series; after seven they repeat."""
    at = index % len(COLOURS)
    return Look(COLOURS[at], MARKERS[at], LINES[at])


def legend(figure: Figure, keys: Sequence[tuple[Line2D, str]]) -> None:
    """A legend above the axes, one entry per line."""
    handles, labels = zip(*keys, strict=True)
    short = (shortened(label, IN_A_COLUMN) for label in labels)
    shown = [f"\N{ZERO WIDTH SPACE}{label}" for label in short]  # or "_x" is left out
    figure.legend(handles, shown, loc="outside upper left", borderpad=0.2)


def key_below(axes: Axes, columns: int = 1) -> None:
    """A legend under the labels of an x axis, where it covers nothing."""
    figure = axes.get_figure()
    assert figure is not None
    under = ScaledTranslation(0, -UNDER / 72, figure.dpi_scale_trans)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=axes.transAxes + under,
        ncols=columns,
        borderpad=0,
    )


def wrapped(text: str, cells: int) -> str:
    """A text in lines of at most so many Latin letters, or half as many Chinese characters."""
    lines = [""]
    for word in one_line(text).split():
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(word) <= cells:
            lines[-1] += f" {word}"
        else:
            lines += chop_cells(word, cells)
    return "\n".join(filter(None, lines))


def shortened(text: str, cells: int) -> str:
    """The beginning of a text on one line, as wide as so many Latin letters at most."""
    line = one_line(text)
    return line if cell_len(line) <= cells else f"{chop_cells(line, cells - 1)[0]}…"


def log_axis(axes: Axes, which: str) -> None:
    """Make the "x" or "y" axis of drawn axes logarithmic, with numbers instead of powers.

    It spans a factor of ten at least, so that small differences do not fill it.
    """
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    if (wider := (10 * low / high) ** 0.5) > 1:
        low, high = low / wider, high * wider
        axes.set(**{f"{which}lim": (low, high)})
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 20 * low else (1,), numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())
