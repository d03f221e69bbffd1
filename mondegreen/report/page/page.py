"""The page of a run, or of several side by side: one HTML file to send to a colleague.

Built from what lies in the folders alone; nothing in it asks a network for anything.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from mondegreen.files import write_whole
from mondegreen.report.figures.charts import Chart, Series, charts
from mondegreen.report.numbers.outcomes import FILTERS
from mondegreen.report.numbers.sources import Gathered, Source, gather
from mondegreen.report.numbers.summary_text import one_line, side_by_side
from mondegreen.report.page.cards import Card, OnCard, make_cards
from mondegreen.report.page.exhibits import EXCESS, LEVEL, legend, scale_ticks
from mondegreen.report.page.frame import check_name, render
from mondegreen.report.page.head import contrast, head, made_with
from mondegreen.report.page.media import INSIDE, Shelf
from mondegreen.report.page.rows import columns, counts, rows

SCRIPTS: Final = ("table", "player", "cards")
OPEN: Final = 20  # cards that stand open from the beginning, if there are no more


@dataclass(frozen=True)
class Written:
    """A page on the disk.

    Attributes:
        page: its file.
        files: the folder that belongs to it; None: all is in the page.
        clips: how many have a card.
        media_bytes: of all sounds and pictures.
    """

    page: Path
    files: Path | None
    clips: int
    media_bytes: int


class Address(NamedTuple):
    """A chart with what an `<img>` shows it by."""

    chart: Chart
    address: str


def write_report(
    sources: Sequence[Source], page: Path, *, inside: int = INSIDE, on_card: OnCard | None = None
) -> Written:
    """Write the page of one source, or of several to compare.

    Args:
        sources: each one or more folders that are taken together: a run, or items.
        page: where it goes. If its media are many, they go into a folder beside it, which is named
            after it: report-files for report.html.
        inside: bytes of media that the page may hold itself.
        on_card: called after each card.

    Raises:
        OptionError: its name is not that of a page.
        MondegreenError: a folder is not there or holds nothing, or its list of clips is damaged.
        StorageError: the page, or what lies beside it, cannot be written.
    """
    check_name(page)
    gathered = gather(sources)
    shelf = Shelf(page, inside)
    cards = list(make_cards(gathered, shelf, on_card))
    html = render(
        "mondegreen.report", "report", scripts=SCRIPTS, **_content(gathered, cards, shelf)
    )
    write_whole(page, html.encode())
    shelf.clear_away()
    folder = shelf.folder if shelf.beside else None
    return Written(page, folder, len(cards), shelf.size)


def _content(gathered: Gathered, cards: list[Card], shelf: Shelf) -> dict[str, Any]:
    """What the template shows."""
    shown, found = columns(cards), counts(cards)
    return {
        "title": _title(gathered),
        "several": len(gathered.parts) > 1,
        "heads": [head(part, _broken(cards, n)) for n, part in enumerate(gathered.parts)],
        "contrast": contrast(gathered),
        "comparison": _comparison(gathered),
        "charts": [_addressed(chart) for chart in _charts(gathered)],
        "filters": [(name, label, found[name]) for name, label in FILTERS.items()],
        "columns": shown,
        "rows": list(rows(cards, shown)),
        "cards": cards,
        "opened": len(cards) <= OPEN,
        "scales": {
            name: (_data(legend(scale), "image/png"), scale_ticks(scale))
            for name, scale in (("level", LEVEL), ("excess", EXCESS))
        },
        "beside": shelf.folder.name if shelf.beside else None,
        "made_with": made_with(),
    }


def _title(gathered: Gathered) -> str:
    """What the page is of, in a line."""
    names = dict.fromkeys(part.summary.victim or "a recogniser" for part in gathered.parts)
    aside = ", side by side" if len(gathered.parts) > 1 else ""
    return one_line(f"Adversarial examples for {' and '.join(names)}{aside}")


def _broken(cards: Sequence[Card], part: int) -> int:
    """How many items of a part have sounds that are not those of their records."""
    shown = (version for card in cards for version in card.versions if version.part == part)
    return sum(version.record != "" and "damaged" in version.outcome.kinds for version in shown)


def _comparison(gathered: Gathered) -> tuple[list[str], list[list[str]]] | None:
    """The numbers of several parts, under their labels; None: there is only one."""
    if len(gathered.parts) < 2:
        return None
    _, lines = side_by_side([part.summary for part in gathered.parts])
    return [part.label for part in gathered.parts], lines


def _charts(gathered: Gathered) -> list[Chart]:
    return charts([Series(part.label, part.entries) for part in gathered.parts])


def _addressed(chart: Chart) -> Address:
    return Address(chart, _data(chart.svg.encode(), "image/svg+xml"))


def _data(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
