"""How figures look, and how they are written: for a page, or for a paper.

Figures are as wide as a column or a page of a paper, with text of 7 and 8 points, and are drawn by
functions that fill an empty one. Colours are those of Okabe and Ito, and no colour stands alone:
each comes with a marker and a line of its own.
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

from mondegreen.errors import MondegreenError
from mondegreen.files import write_whole
from mondegreen.report.numbers.summary_text import one_line

Drawing: TypeAlias = Callable[[Figure], None]  # fills an empty figure, and gives it its size

COLUMN, PAGE = 3.4, 7.0  # inches: how wide a column and a page of a paper are
DPI: Final = 300
FORMATS: Final = (".png", ".svg", ".pdf")
INK: Final = "#0d0e0f"  # as good as black; what pages show in the colour of their own text
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", INK, "#E69F00", "#56B4E9")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
LINES: Final[tuple[Any, ...]] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1)),
    (0, (1, 1)),
    (0, (3, 1, 1, 1, 1, 1)),
)

STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",  # which comes with matplotlib, so that figures are alike
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.labelsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "figure.titlesize": 9,
    "text.parse_math": False,  # a name may have dollars in it
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
    "svg.fonttype": "path",  # glyphs go along as outlines
    "svg.hashsalt": "mondegreen",  # the same names inside every time
    "pdf.fonttype": 42,  # TrueType, which can be searched, not Type 3
}
UNDATED: Final[dict[str, dict[str, None]]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
CLIP_NAME: Final = re.compile(rb'(?<=url\(#)p[0-9a-f]{10}(?=\))|(?<=id=")p[0-9a-f]{10}(?=")')
LIGHT, DARK = ("#1b1f24", "#0072b2"), ("#e6e9ed", "#3d9bd9")  # what stands for INK, and for blue
READERS_COLOURS: Final = (
    f"<style>svg{{color:{LIGHT[0]};--blue:{LIGHT[1]}}}@media screen and (prefers-color-scheme:dark)"
    f"{{svg{{color:{DARK[0]};--blue:{DARK[1]}}}}}</style>"
)


def write(draw: Drawing, path: Path) -> None:
    """Draw a figure into a file, on white, the same bytes every time.

    Raises:
        MondegreenError: its name does not end in one of `FORMATS`, or it cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise MondegreenError(
            f"{path} is no name of a picture that can be drawn. Expected one that ends in"
            f" {', '.join(FORMATS)}."
        )
    write_whole(path, rendered(draw, path.suffix.lower(), facecolor="white"))


def page_svg(draw: Drawing) -> str:
    """A figure as an SVG document for a page, without a ground of its own.

    Its text and lines are dark, or light where the reader prefers dark pages and does not print.
    """
    svg = rendered(draw, ".svg", transparent=True).decode()
    head, tag, rest = svg.partition("<defs>")
    drawn = (tag + rest).replace(INK, "currentColor").replace(COLOURS[0].lower(), "var(--blue)")
    return head + READERS_COLOURS + drawn


def rendered(draw: Drawing, suffix: str, **options: Any) -> bytes:
    """The file of a figure; options as of matplotlib's `savefig`."""
    file = io.BytesIO()
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # boxes stand for them
        figure = Figure(layout="constrained")
        draw(figure)
        figure.savefig(file, format=suffix[1:], dpi=DPI, metadata=UNDATED[suffix], **options)
    return _named_by_place(file.getvalue()) if suffix == ".svg" else file.getvalue()


def _named_by_place(svg: bytes) -> bytes:
    """Number the clip paths: matplotlib names them by the last digits of a layout, which vary."""
    numbers: dict[bytes, bytes] = {}
    return CLIP_NAME.sub(lambda found: numbers.setdefault(found[0], b"p%d" % len(numbers)), svg)


class Look(NamedTuple):
    """What tells one series from the others, in colour and without."""

    color: str
    marker: str
    linestyle: Any


def look(index: int) -> Look:
    """The look of one of several series; beyond some dozens they come round again."""
    return Look(
        COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], LINES[index % len(LINES)]
    )


def legend(figure: Figure, keys: Sequence[tuple[Line2D, str]]) -> None:
    """Say above the axes what is what, an entry a line."""
    handles, labels = zip(*keys, strict=True)
    shown = [f"\N{ZERO WIDTH SPACE}{shortened(label)}" for label in labels]  # or "_x" is left out
    figure.legend(handles, shown, loc="outside upper left", borderpad=0.2)


def shortened(text: str, longest: int = 48) -> str:
    """A text on one line that fits into a column."""
    line = one_line(text)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def log_axis(axes: Axes, which: str) -> None:
    """Make the "x" or "y" axis of drawn axes logarithmic, with numbers as people write them."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 20 * low else (1,), numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())
