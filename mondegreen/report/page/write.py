"""The page of a run, or of several side by side: one HTML file to send to a colleague.

Built from the folders alone; nothing in it is loaded from a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
from mondegreen.report.page.exhibits import legend, scale_ticks
from mondegreen.report.page.frame import check_name, render
from mondegreen.report.page.head import head
from mondegreen.report.page.headline import Headline
from mondegreen.report.page.media import INSIDE, Shelf, data_address

SCRIPTS: Final = ("table", "player", "cards")
OPEN: Final = 20  # cards that are open from the start, if there are no more
FEW: Final = 8  # rows of a table in which nobody needs to search
COLUMNS: Final = (  # of the table
    *("wer_target", "wer_original", "rooms_heard", "zimtohrli_mos", "pesq_c2", "masking_loss"),
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
    headline, cards = _led(cards)
    targeted = any(card.target for card in cards)
    beside = "wer_original" if targeted else "wer_target"  # the point
    columns = {name: MEASURES[name] for name in COLUMNS if name in known and name != beside}
    found = [(name, label, n) for name, label in FILTERS.items() if (n := kinds.count(name))]
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
        "filters": found if any(n < len(shown) for _, _, n in found) else [],
        "searched": len(shown) > FEW,
        "targeted": targeted,
        "columns": columns,
        "narrow": NARROW,
        "footnote": f"{OVER}: {ABOVE_ONE}." if _over(shown, columns) else "",
        "rows": len(shown),
        "cards": cards,
        "alone": len(cards) == 1,
        "headline": headline,
        "opened": len(cards) <= OPEN,
        "scale": (data_address(legend(), "image/png"), scale_ticks()),
        "address": shelf.address,
        "beside": shelf.folder.name if shelf.beside else None,
        "made_with": f"mondegreen {version('mondegreen')}",
    }


def _led(cards: Sequence[Card]) -> tuple[Headline | None, Sequence[Card]]:
    """The head of a page of one result, and its card without the texts that this head says."""
    if len(cards) != 1 or len(cards[0].attempts) != 1:
        return None, cards
    (card,), (one,) = cards, cards[0].attempts
    if one.entry.record is None:
        return None, cards
    found = Headline.of(one.entry.record, one.outcome.word != "files damaged")
    return found, [card._replace(texts=found.leaves(card.texts, one.entry.record))]


def _over(shown: Sequence[Shown], columns: Iterable[str]) -> bool:
    """Whether a table of these columns shows a word error rate above 100 %."""
    rates = [name for name in columns if name.startswith("wer_")]
    return any(float(one.cells.get(name, 0.0)) > 1 for one in shown for name in rates)


def _title(gathered: Gathered) -> str:
    """What the page is of, in a line."""
    names = dict.fromkeys(part.summary.victim or "a recogniser" for part in gathered.parts)
    aside = ", side by side" if len(gathered.parts) > 1 else ""
    return one_line(f"Adversarial examples for {' and '.join(names)}{aside}")
