"""The page of a run, or of several side by side: one HTML file to send to a colleague.

Built from the folders alone; nothing in it is loaded from a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

from mondegreen.files import write_whole
from mondegreen.report.figures.charts import charts
from mondegreen.report.numbers.contrast import contrast
from mondegreen.report.numbers.measures import ABOVE_ONE, MEASURES, OVER
from mondegreen.report.numbers.sources import Gathered, Source, gather
from mondegreen.report.numbers.summary_text import one_line, side_by_side
from mondegreen.report.page.cards import FILTERS, Card, OnCard, Shown, make_cards
from mondegreen.report.page.exhibits import EXCESS, LEVEL, legend, scale_ticks
from mondegreen.report.page.frame import check_name, render
from mondegreen.report.page.head import head
from mondegreen.report.page.media import INSIDE, Shelf, data_address

SCRIPTS: Final = ("table", "player", "cards")
OPEN: Final = 20  # cards that are open from the start, if there are no more
COLUMNS: Final = (  # of the table
    *("wer_target", "rooms_heard", "zimtohrli_mos", "pesq_c2", "masking_loss"),
    *("masking_share_above", "snr_db", "max_abs", "passes"),
)
NARROW: Final = ("zimtohrli_mos", "pesq_c2")  # columns that a narrow screen shows too


class Written(NamedTuple):
    """A page on the disk."""

    page: Path
    files: Path | None  # the folder that belongs to it; None: everything is in the page
    clips: int  # how many have a card


def write_report(
    sources: Sequence[Source], page: Path, *, inside: int = INSIDE, on_card: OnCard | None = None
) -> Written:
    """Write the page of one source, or of several to compare.

    Args:
        sources: each one or more folders that are taken together: a run, or items.
        page: where it goes. Many media go into a folder beside it: report-files for report.html.
        inside: bytes of media that the page may hold itself.
        on_card: called after each card.

    Raises:
        OptionError: its name is not that of a page.
        MondegreenError: a folder is not there or holds nothing, or its list of clips is damaged.
        StorageError: the page, or the folder beside it, cannot be written.
    """
    check_name(page)
    gathered = gather(sources)
    shelf = Shelf(page, inside)
    cards = list(make_cards(gathered, shelf, on_card))
    content = _content(gathered, cards, shelf)
    html = render("mondegreen.report", "report", scripts=SCRIPTS, **content)
    write_whole(page, html.encode())
    shelf.clear_away()
    return Written(page, shelf.folder if shelf.beside else None, len(cards))


def _content(gathered: Gathered, cards: Sequence[Card], shelf: Shelf) -> dict[str, Any]:
    """What the template shows."""
    parts, shown = gathered.parts, [one for card in cards for one in card.attempts]
    kinds = [kind for one in shown for kind in one.outcome.kinds]
    several = len(parts) > 1
    drawn = charts([part.series for part in parts])
    known = {name for one in shown for name in one.cells}
    return {
        "title": _title(gathered),
        "several": several,
        "heads": [
            head(part, sum(one.part == n and one.outcome.word == "files damaged" for one in shown))
            for n, part in enumerate(parts)
        ],
        "contrast": contrast(gathered),
        "comparison": side_by_side([part.summary for part in parts])[1] if several else None,
        "charts": [(chart, data_address(chart.svg.encode(), "image/svg+xml")) for chart in drawn],
        "filters": [(name, label, kinds.count(name)) for name, label in FILTERS.items()],
        "columns": {name: MEASURES[name] for name in COLUMNS if name in known},
        "narrow": NARROW,
        "footnote": f"{OVER}: {ABOVE_ONE}." if any(map(_over, shown)) else "",
        "rows": len(shown),
        "cards": cards,
        "opened": len(cards) <= OPEN,
        "scales": {
            name: (data_address(legend(scale), "image/png"), scale_ticks(scale))
            for name, scale in (("level", LEVEL), ("excess", EXCESS))
        },
        "address": shelf.address,
        "beside": shelf.folder.name if shelf.beside else None,
        "made_with": f"mondegreen {version('mondegreen')}",
    }


def _over(one: Shown) -> bool:
    """Whether the table shows a word error rate above 100 % for it."""
    return float(one.cells.get("wer_target", 0.0)) > 1


def _title(gathered: Gathered) -> str:
    """What the page is of, in a line."""
    names = dict.fromkeys(part.summary.victim or "a recogniser" for part in gathered.parts)
    aside = ", side by side" if len(gathered.parts) > 1 else ""
    return one_line(f"Adversarial examples for {' and '.join(names)}{aside}")
