"""Fonts for whatever writing a figure has: installed ones for what DejaVu Sans lacks."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import lru_cache
from typing import Final

from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, findSystemFonts, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

OWN: Final = "DejaVu Sans"  # comes with matplotlib: figures look the same everywhere
BOXES: Final = "Last Resort"  # comes with it too; it has nothing but boxes
LIKED: Final = "Noto Sans"  # where several fonts have equally many of the characters
SHOWN: Final = 8  # characters in a message

log = logging.getLogger(__name__)


def choose_fonts(figure: Figure) -> None:
    """Let the texts of a drawn figure fall back on installed fonts for what `OWN` lacks.

    What no font has stays boxes, which a warning says once.
    """
    texts = figure.findobj(Text)
    written = {c for text in texts if isinstance(text, Text) for c in text.get_text()}
    families, missing = fallbacks(frozenset(filter(str.isprintable, written)))
    if families:
        for text in texts:
            text.set(fontfamily=[OWN, *families])
    if missing:
        _warn(missing)


@lru_cache
def fallbacks(written: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    """Installed families for the characters that `OWN` lacks, and what none of them has."""
    lacking = written - _characters(_families()[OWN])
    if not lacking:
        return [], lacking
    has = {name: lacking & _characters(font) for name, font in _families(anew=True).items()}
    chosen: list[str] = []
    while best := max(has, key=lambda name: (len(has[name] & lacking), name.startswith(LIKED))):
        if not has[best] & lacking:
            break
        chosen.append(best)
        lacking -= has[best]
    return chosen, lacking


def _families(anew: bool = False) -> dict[str, FontEntry]:
    """An entry of each family, upright and of usual weight if there is one.

    Args:
        anew: look for those that were installed after matplotlib made its list.
    """
    known = {entry.fname for entry in fontManager.ttflist}
    for path in findSystemFonts() if anew else ():
        if path not in known:
            with suppress(RuntimeError, OSError):  # damaged
                fontManager.addfont(path)
    found: dict[str, FontEntry] = {}
    for entry in sorted(fontManager.ttflist, key=lambda e: (e.style != "normal", e.weight != 400)):
        if not entry.name.startswith(BOXES):
            found.setdefault(entry.name, entry)
    return found


def _characters(entry: FontEntry) -> frozenset[str]:
    with suppress(RuntimeError, OSError):  # damaged, or gone since
        return frozenset(map(chr, FT2Font(entry.fname, face_index=entry.index).get_charmap()))
    return frozenset()


@lru_cache
def _warn(missing: frozenset[str]) -> None:
    some = sorted(missing)
    more = f" and {len(some) - SHOWN} more" if len(some) > SHOWN else ""
    log.warning(
        "warning: no installed font has %s%s, which are drawn as boxes. Install one that has, such"
        " as Noto Sans CJK (Debian: fonts-noto-cjk) or Noto Sans (fonts-noto-core).",
        " ".join(some[:SHOWN]),
        more,
    )
