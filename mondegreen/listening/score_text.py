"""A score, told three ways: as text for a terminal, as plain data, and as a page.

In the plain data, what is not known is null. The page has all tables, with intervals drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, Final, NamedTuple

from rich.cells import cell_len, set_cell_size

from mondegreen.listening.answers import RULE
from mondegreen.listening.claims import at_most, between, claims, notes, percent
from mondegreen.listening.score import Listener, Rate, Result, Score, Sensitivity
from mondegreen.listening.study import ASKED, HIT, Question
from mondegreen.report.numbers.statistics import LEVEL
from mondegreen.report.numbers.summary_text import one_line
from mondegreen.report.page.frame import render

WIDTH: Final = 80
GAP: Final = 2  # columns between columns
FIRST: Final = 10  # rows of clips and listeners that are told
UNKNOWN: Final = "-"
INDENT: Final = "  "


def describe(score: Score) -> str:
    """A score but for rows past the first few, which JSON and the page have."""
    parts = [
        _facts(score),
        *_tables(score),
        *_claims(score),
        paragraphs("What it means", notes(score)),
        paragraphs("Who counts", (" ".join(RULE),)),
        *_left_out(score),
        _clips(score),
        _listeners(score),
    ]
    return "\n\n".join(parts)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """Columns under their headings: the first ones are names, to the left; others to the right.

    Where it were too wide, the widest names are cut.
    """
    lines = [[one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for _ in range(sum(widths) + GAP * (len(widths) - 1) - WIDTH):
        widths[max(range(names), key=widths.__getitem__)] -= 1
    return "\n".join(_row(line, widths, names) for line in lines)


def paragraphs(title: str, texts: Iterable[str]) -> str:
    """Paragraphs under a title, set in a little."""
    return "\n".join([_cut(one_line(title), WIDTH).rstrip(), *map(_filled, texts)])


def sensitivity(value: float | None) -> str:
    """A d’, which has no bound where all answers are right."""
    return "∞" if value is None else f"{value:.1f}"


def hits(rate: Rate) -> str:
    """So many of how many."""
    return f"{rate.hits:,}/{rate.answers:,}" if rate.answers else UNKNOWN


def listener_name(name: str) -> str:
    """What a listener calls himself, on a line."""
    return one_line(name) or "(no name)"


def about(question: Question) -> str:
    """A question among others of its study."""
    return question.label if question.kind == "abx" else f"{question.kind}: {question.label}"


def _row(cells: Sequence[str], widths: Sequence[int], names: int) -> str:
    padded = [
        _cut(cell, width) if at < names else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return (" " * GAP).join(padded).rstrip()


def _cut(text: str, width: int) -> str:
    """A text in exactly so many columns of a terminal."""
    return set_cell_size(
        text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…", width
    )


def _filled(text: str) -> str:
    """A paragraph, broken at spaces alone, and by the columns that characters take."""
    lines = [INDENT]
    for word in text.split(" "):
        if lines[-1] != INDENT and cell_len(lines[-1]) + cell_len(word) > WIDTH:
            lines.append(INDENT)
        lines[-1] += _cut(word, min(cell_len(word), WIDTH - len(INDENT))) + " "
    return "\n".join(line.rstrip() for line in lines)


def _facts(score: Score) -> str:
    study, checks = score.study, [who.headphones for who in score.listeners]
    facts = {
        "study": f"{study.id}, {study.protocol}",
        "listeners": f"{score.counted} count, of {len(score.listeners)}",
        "headphone check": f"{checks.count(True)} passed, {checks.count(False)} failed,"
        f" {checks.count(None)} without",
        "clips": str(len(study.clips)),
    }
    return "\n".join(f"{name:<18} {value}" for name, value in facts.items())


def _tables(score: Score) -> Iterator[str]:
    """A table for each kind of question."""
    pairs = zip(score.results, score.everybody, strict=True)
    for kind, group in groupby(pairs, key=lambda pair: pair[0].question.kind):
        header = ["condition", HIT[kind], "share", "95 %", *(_ABX if kind == "abx" else _PAPER)]
        rows = [
            [
                found.question.label,
                *_rate(found.rate),
                *(_abx(found, of) if kind == "abx" else _rate(of.rate)[1:2]),
            ]
            for found, of in group
        ]
        yield f"{ASKED[kind]}\n\n{table(header, rows)}"
    yield "all in: with nobody left out"


_ABX: Final = ("d’", "95 %", "can tell", "all in")
_PAPER: Final = ("all in",)


def _rate(rate: Rate) -> list[str]:
    share = UNKNOWN if rate.share is None else percent(rate.share)
    return [hits(rate), share, (between(rate) or UNKNOWN).removesuffix("\u00a0%")]


def _abx(result: Result, everybody: Result) -> list[str]:
    return [*_d_prime(result.d_prime), _can_tell(result), _can_tell(everybody)]


def _d_prime(found: Sensitivity | None) -> tuple[str, str]:
    if found is None:
        return UNKNOWN, UNKNOWN
    return sensitivity(found.value), f"{sensitivity(found.low)} to {sensitivity(found.high)}"


def _can_tell(result: Result) -> str:
    return UNKNOWN if result.hearing is None else f"≤ {at_most(result.hearing.at_most)}"


def _claims(score: Score) -> Iterator[str]:
    for found in claims(score):
        told = (f"May be claimed: {found.may}", f"May not be claimed: {found.may_not}")
        yield paragraphs(found.about, told)


def _left_out(score: Score) -> Iterator[str]:
    told = [
        f"{listener_name(who.name)}: {', '.join(who.reasons)}"
        for who in score.listeners
        if who.reasons
    ]
    told += [f"{listener_name(name)}, form {form}: repeated" for name, form in score.repeated]
    if told:
        yield paragraphs("Left out", told)


def _clips(score: Score) -> str:
    most_first = sorted(score.clips, key=lambda of: -(of.rate.share or 0))
    rows = [[of.clip, about(of.question), *_rate(of.rate)] for of in most_first]
    return _first("Clips, by their share", "clip", rows)


def _listeners(score: Score) -> str:
    rows = [
        [listener_name(who.name), about(of.question), *_rate(of.rate)]
        for who in score.listeners
        for of in who.rates
        if not who.reasons
    ]
    return _first("Listeners", "listener", rows)


def _first(title: str, of: str, rows: Sequence[Sequence[str]]) -> str:
    header = (of, "condition", "hits", "share", "95 %")
    more = f"\nand {len(rows) - FIRST:,} more: --json, --html" if len(rows) > FIRST else ""
    return f"{title}\n\n{table(header, rows[:FIRST], names=2)}{more}"


def to_json(score: Score) -> dict[str, Any]:
    """All of a score; `results` are of those who count, `everybody` with nobody left out."""
    return {
        "study": score.study.id,
        "protocol": score.study.protocol,
        "level": LEVEL,
        "rule": " ".join(RULE),
        "notes": list(notes(score)),
        "listeners": len(score.listeners),
        "counted": score.counted,
        "left_out": [
            {"listener": who.name, "form": who.form, "reasons": list(who.reasons)}
            for who in score.listeners
            if who.reasons
        ],
        "repeated": [{"listener": name, "form": form} for name, form in score.repeated],
        "claims": [asdict(found) for found in claims(score)],
        "results": [_result(found) for found in score.results],
        "everybody": [_result(found) for found in score.everybody],
        "by_clip": [
            {"clip": of.clip, **_question(of.question), **asdict(of.rate)} for of in score.clips
        ],
        "by_listener": _by_listener(score.listeners),
    }


def _question(question: Question) -> dict[str, Any]:
    return {
        "kind": question.kind,
        "conditions": list(question.conditions),
        "label": question.label,
        "hit": HIT[question.kind],
    }


def _result(result: Result) -> dict[str, Any]:
    told = asdict(result)
    del told["question"]
    told["pooled"] = result.pooled._asdict() if result.pooled else None
    return {**_question(result.question), **told.pop("rate"), **told}


def _by_listener(listeners: Sequence[Listener]) -> list[dict[str, Any]]:
    return [
        {
            "listener": who.name,
            "form": who.form,
            "counts": not who.reasons,
            "headphones": who.headphones,
            "seconds": who.seconds,
            **asdict(who.caught),
            "rates": [{**_question(of.question), **asdict(of.rate)} for of in who.rates],
        }
        for who in listeners
    ]


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
