"""The suite `quick`: passages of the two recordings that come with the embedded recogniser.

Two speakers: the first sentence of *A Tale of Two Cities*, and a few words of Beckett's. The
passages end where the speakers pause. Each of one half, in the order of how long they last, is
paired with one of the other, in the order of how much is said; and each of a pair is to be heard as
the words of the other. So every target is one that a recogniser can write in that time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from mondegreen.suites.suite import SuiteClip


class Passage(NamedTuple):
    """A part of a recording, and what is said in it."""

    id: str
    recording: str
    begin: float  # seconds
    end: float
    text: str


CITIES, BECKETT = "two_cities", "beckett"
HASHES: Final = {  # of the files in moonshine-voice 0.0.49
    CITIES: "f3348494d77cb74a02862f5e685ed09faf3e75832c5cc5c80703282c2cd8b52e",
    BECKETT: "e5a26b3d29e5b0bc8dbd72c11d16a3808a4ec0ac45b21f12a27d2a2fe5c5ae61",
}
WERE: Final = (
    Passage("wisdom", CITIES, 4.79, 6.43, "it was the age of wisdom"),
    Passage("hope", CITIES, 17.11, 18.85, "it was the spring of hope"),
    Passage("light", CITIES, 13.12, 14.95, "it was the season of light"),
    Passage("worst", CITIES, 2.9, 4.79, "it was the worst of times"),
    Passage("despair", CITIES, 18.85, 20.84, "it was the winter of despair"),
    Passage("best", CITIES, 0.9, 2.9, "it was the best of times"),
    Passage("belief", CITIES, 8.5, 10.52, "it was the epoch of belief"),
    Passage("foolishness", CITIES, 6.43, 8.5, "it was the age of foolishness"),
    Passage("darkness", CITIES, 14.95, 17.11, "it was the season of darkness"),
    Passage("incredulity", CITIES, 10.52, 13.12, "it was the epoch of incredulity"),
)
OTHERS: Final = (
    Passage("again", BECKETT, 3.39, 6.2, "no matter try again"),
    Passage("tried", BECKETT, 0.0, 3.39, "ever tried ever failed"),
    Passage("better", BECKETT, 6.2, 9.96, "fail again fail better"),
    Passage("nothing", CITIES, 22.68, 24.33, "we had nothing before us"),
    Passage("everything", CITIES, 20.84, 22.68, "we had everything before us"),
    Passage("heaven", CITIES, 24.33, 26.28, "we were all going direct to heaven"),
    Passage("other", CITIES, 26.28, 28.69, "we were all going direct the other way"),
    Passage("received", CITIES, 35.63, 38.52, "its being received for good or for evil"),
    Passage("comparison", CITIES, 38.52, 42.2, "in the superlative degree of comparison only"),
    Passage(
        *("authorities", CITIES, 32.51, 35.63),
        "that some of its noisiest authorities insisted on",
    ),
)


def pairs(recordings: dict[str, Path], shift: int = 0) -> Iterator[SuiteClip]:
    """The clips, two a pair.

    Args:
        recordings: where the two recordings are.
        shift: pair with the passage so many places further, for another deal of the same.
    """
    for place, one in enumerate(WERE):
        other = OTHERS[(place + shift) % len(OTHERS)]
        yield _clip(one, other, recordings)
        yield _clip(other, one, recordings)


def _clip(heard: Passage, asked: Passage, recordings: dict[str, Path]) -> SuiteClip:
    return SuiteClip(
        id=f"{heard.id}-as-{asked.id}",
        audio=str(recordings[heard.recording]),
        sha256=HASHES[heard.recording],
        target=asked.text,
        text=heard.text,
        offset=heard.begin,
        duration=round(heard.end - heard.begin, 2),
    )
