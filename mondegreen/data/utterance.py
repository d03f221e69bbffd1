"""One clip of a set, and names by which each of a set can be told from the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class Utterance:
    """A recording in which somebody says something, and what it is to be heard as."""

    id: str  # what no other of its set is called
    audio: str  # absolute path of the recording, which need not be there
    text: str | None = None  # what is said in it; None: nobody has told
    target: str | None = None  # the phrase asked for; None: none was chosen
    # its length in seconds, as told, not measured; None: nobody has told
    duration: float | None = None


def numbered(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The names, numbered where they repeat: "a", "a-2", "a-3".

    Args:
        names: in their order; the first of several keeps its own.
        taken: names that others have.

    Returns:
        As many in the same order, each of them once and none of them taken.
    """
    used = set(taken)
    left: dict[str, Iterator[str]] = {}  # what was found in use is not tried again
    found = []
    for name in names:
        spellings = left.setdefault(name, _spellings(name))
        found.append(next(spelling for spelling in spellings if spelling not in used))
        used.add(found[-1])
    return found


def _spellings(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))
