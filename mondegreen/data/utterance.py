"""One clip of a set, and ids that are unique within a set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final
from unicodedata import normalize

LONGEST: Final = 200  # bytes of a folder's name; file systems take 255, a number may follow


@dataclass(frozen=True, slots=True)
class Utterance:
    """A recording of speech, and what it should be transcribed as."""

    id: str  # unique within its set
    audio: str  # absolute path of the recording, which may be missing
    text: str | None = None  # what is said in it; None: unknown
    target: str | None = None  # the phrase asked for; None: none was chosen
    duration: float | None = None  # seconds, as the source states, not measured; None: unknown
    # seconds of the recording before what is meant; None: all of it is, unless `duration` is less
    offset: float | None = None


def numbered(
    names: Iterable[str], taken: Iterable[str] = (), same: Callable[[str], str] = str
) -> list[str]:
    """The names in their order, numbered where they repeat or are `taken`: "a", "a-2", "a-3".

    Two repeat each other if `same` of both is equal.
    """
    used = set(map(same, taken))
    left: dict[str, Iterator[str]] = {}  # spellings already found in use are not tried again
    found = []
    for name in names:
        spellings = left.setdefault(name, _spellings(name))
        found.append(next(spelling for spelling in spellings if same(spelling) not in used))
        used.add(same(found[-1]))
    return found


def folder_names(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """A folder's name for each of some clips' names, whatever those are.

    None leads elsewhere, is hidden, too long or not printable; no two are one folder where case
    does not count, and none is `taken`.

    >>> folder_names(["clip", "..", ".hidden", "a/b", "CLIP", ""])
    ['clip', 'clip-2', 'hidden', 'a_b', 'CLIP-3', 'clip-4']
    """
    return numbered(map(_folder_name, names), taken, _folded)


def _folder_name(name: str) -> str:
    printable = "".join(c if c.isprintable() and c not in "/\\" else "_" for c in name)
    short = printable.encode()[:LONGEST].decode(errors="ignore")
    return short.strip(". ") or "clip"


def _folded(name: str) -> str:
    return normalize("NFC", name.casefold())


def _spellings(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))
