"""A score as one page, for people: all of its tables, with the intervals drawn."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final, NamedTuple

from mondegreen.listening.claims import at_most, between, claims, notes, percent
from mondegreen.listening.exclusion import RULE
from mondegreen.listening.questions import ASKED, HIT
from mondegreen.listening.score import Rate, Result, Score
from mondegreen.listening.score_text import (
    UNKNOWN,
    about,
    hits,
    listener_name,
    sensitivity,
)
from mondegreen.pages import render
from mondegreen.report.summary_text import one_line

ACROSS: Final = 200  # of a drawing, in its own units, from 0 to 1
MARGIN: Final = 6


class Drawing(NamedTuple):
    """Where a share and its interval are drawn."""

    at: float
    low: float
    high: float


class Group(NamedTuple):
    """What one question came to; each with the same of everybody."""

    asked: str
    hit: str
    is_abx: bool
    pairs: list[tuple[Result, Result]]


def page(score: Score) -> str:
    """The page of a score, as HTML."""
    return render(
        "mondegreen.listening",
        "score",
        score=score,
        groups=list(_groups(score)),
        left_out=[who for who in score.listeners if who.reasons],
        checked=[who.headphones for who in score.listeners if who.headphones is not None],
        rule=" ".join(RULE),
        notes=notes(score),
        claims=list(claims(score)),
        about=about,
        listener_name=listener_name,
        drawing=drawing,
        across=ACROSS + 2 * MARGIN,
        middle=_place(0.5),
        percent=percent,
        at_most=at_most,
        between=between,
        hits=hits,
        sensitivity=sensitivity,
        one_line=one_line,
        unknown=UNKNOWN,
    )


def drawing(rate: Rate) -> Drawing | None:
    """Where a rate is drawn; None: nowhere."""
    if rate.share is None or rate.low is None or rate.high is None:
        return None
    return Drawing(*map(_place, (rate.share, rate.low, rate.high)))


def _place(share: float) -> float:
    return round(MARGIN + ACROSS * share, 1)


def _groups(score: Score) -> Iterator[Group]:
    pairs = zip(score.results, score.everybody, strict=True)
    for kind, group in groupby(pairs, key=lambda pair: pair[0].question.kind):
        yield Group(ASKED[kind], HIT[kind], kind == "abx", list(group))
