"""One clip of a set, and ids that are unique within a set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class Utterance:
    """A recording of speech, and what it should be transcribed as."""

    id: str  # unique within its set
    audio: str  # absolute path of the recording, which may be missing
    text: str | None = None  # what is said in it; None: unknown
    target: str | None = None  # the phrase asked for; None: none was chosen
    duration: float | None = None  # seconds, as the source states, not measured; None: unknown


def numbered(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The names in their order, numbered where they repeat or are `taken`: "a", "a-2", "a-3"."""
    used = set(taken)
    left: dict[str, Iterator[str]] = {}  # spellings already found in use are not tried again
    found = []
    for name in names:
        spellings = left.setdefault(name, _spellings(name))
        found.append(next(spelling for spelling in spellings if spelling not in used))
        used.add(found[-1])
    return found


def _spellings(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))
