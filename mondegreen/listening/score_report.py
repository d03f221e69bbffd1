"""A score as text for a terminal, as a page, and as plain data.

The page has all tables, with intervals drawn; the text has their first rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, Final

from rich.cells import cell_len, set_cell_size

from mondegreen.listening.answers import RULE
from mondegreen.listening.conclusions import (
    UNKNOWN,
    at_most,
    between,
    conclusions,
    decibels,
    notes,
    percent,
)
from mondegreen.listening.key import KINDS, Kind, Question
from mondegreen.listening.score import QuestionScore, Rate, StudyScore
from mondegreen.listening.staircase import Threshold
from mondegreen.report.numbers.statistics import LEVEL
from mondegreen.report.numbers.summary_text import one_line
from mondegreen.report.page.frame import render

WIDTH: Final = 80
GAP: Final = 2  # columns between columns
FIRST: Final = 10  # rows of clips and listeners in the text
INDENT: Final = "  "
JUST_HEARD: Final = "just heard"
PAGE_ONLY: Final = ("pooled", "claimed")  # for which a terminal is too narrow


# ---- numbers as text, for the terminal and the page


def result_rows(score: StudyScore) -> dict[Kind, list[dict[str, str]]]:
    """The rows of the tables, by kind of question; cells by their headings."""
    pairs = zip(score.results, score.everybody, strict=True)
    by_kind = groupby(pairs, key=lambda pair: pair[0].question.kind)
    return {kind: [_row(*pair) for pair in pairs] for kind, pairs in by_kind}


def _row(result: QuestionScore, everybody: QuestionScore) -> dict[str, str]:
    hits, share, interval = rate_cells(result.rate)
    if result.threshold is not None:
        _, level, bounds = level_cells(result.threshold)
        return {
            **{"condition": result.question.label, "correct": hits},
            "listeners": f"{result.threshold.listeners} of {result.rate.listeners}",
            **{JUST_HEARD: level, "95 %": bounds},
            "all": level_cells(everybody.threshold)[1] if everybody.threshold else UNKNOWN,
        }
    cells = {"condition": result.question.label, KINDS[result.question.kind].hit: hits}
    cells |= {"share": share, "95 %": interval, "pooled": between(result.pooled)}
    if result.question.kind != "abx":
        return cells | {"all": rate_cells(everybody.rate)[1]}
    found = result.d_prime
    return cells | {
        "d’": _d_prime(found.value) if found else UNKNOWN,
        "d’, 95 %": f"{_d_prime(found.low)} to {_d_prime(found.high)}" if found else UNKNOWN,
        "can tell": _can_tell(result),
        "claimed": rate_cells(result.claimed)[1] if result.claimed else UNKNOWN,
        "all": _can_tell(everybody),
    }


def rate_cells(rate: Rate) -> tuple[str, str, str]:
    """Hits of answers, the share, and its interval."""
    if rate.share is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    return f"{rate.hits:,}/{rate.answers:,}", percent(rate.share), between(rate)


def level_cells(found: Threshold) -> tuple[str, str, str]:
    """Right answers of all, the just-heard level, and its interval."""
    hits = f"{found.right:,}/{found.answers:,}"
    if found.db is None or found.low is None or found.high is None:
        return hits, UNKNOWN, UNKNOWN
    return hits, f"{decibels(found.db)} dB", f"{decibels(found.low)} to {decibels(found.high)}"


def header(score: StudyScore) -> tuple[str, str, str, str]:
    """The headings of tables by clip or by listener, after the first."""
    what = JUST_HEARD if score.key.protocol == "staircase" else "share"
    return ("condition", "hits", what, "95 %")


def without_threshold(score: StudyScore) -> list[str]:
    """The listeners who count but have no threshold, and why."""
    return [
        f"{one.session.name}, {question.title}: {found.unknown}; {found.right} of {found.answers}"
        " answers are right"
        for one in score.listeners
        for question, found in one.thresholds.items()
        if found.unknown and not one.reasons
    ]


def _d_prime(value: float | None) -> str:
    return "∞" if value is None else f"{value:.1f}"


def _can_tell(result: QuestionScore) -> str:
    return UNKNOWN if result.hearing is None else f"≤ {at_most(result.hearing.at_most)}"


def facts(score: StudyScore) -> dict[str, str]:
    """What the study is, and how many took part, by name."""
    checks = [listener.session.wears_headphones for listener in score.listeners]
    return {
        "study": f"{score.key.study}, {score.key.protocol}",
        "listeners": f"{score.counted} of {len(score.listeners)} count",
        "repeated sessions": str(len(score.repeated)),
        "headphone check": f"{checks.count(True)} passed, {checks.count(False)} failed,"
        f" {checks.count(None)} not checked",
        "clips": str(len(score.key.clips)),
    }


# ---- the text


def describe(score: StudyScore) -> str:
    """A score as text; JSON and the page have the rows that it leaves out."""
    by_clip = [
        [clip, of.title, *_cells(rate, score.thresholds.get((of, clip)))]
        for (of, clip), rate in _by_audibility(score)
    ]
    by_listener = [
        [listener.session.name, question.title, *_cells(rate, listener.thresholds.get(question))]
        for listener in score.listeners
        for question, rate in listener.rates.items()
        if not listener.reasons
    ]
    excluded = [f"{one.session.name}: {', '.join(one.reasons)}" for one in score.excluded]
    excluded += [f"{one.name}, form {one.form}: repeated" for one in score.repeated]
    no_level = without_threshold(score)
    parts = [
        "\n".join(f"{name:<18} {value}" for name, value in facts(score).items()),
        *(_table_of(kind, rows) for kind, rows in result_rows(score).items()),
        "all: with nobody excluded",
        *(
            paragraphs(one.about, (f"You can claim: {one.may}", f"You cannot claim: {one.may_not}"))
            for one in conclusions(score)
        ),
        paragraphs("What it means", notes(score)),
        paragraphs("Who counts", (RULE,)),
        *([paragraphs("Excluded", excluded)] if excluded else []),
        *([paragraphs("Without a threshold", no_level)] if no_level else []),
        f"Clips, the most audible first\n\n{_first(('clip', *header(score)), by_clip)}",
        f"Listeners\n\n{_first(('listener', *header(score)), by_listener)}",
    ]
    return "\n\n".join(parts)


def _by_audibility(score: StudyScore) -> list[tuple[tuple[Question, str], Rate]]:
    """The clips: those that are told apart most, or heard at the lowest level, come first."""
    levels = {at: found.db for at, found in score.thresholds.items() if found.db is not None}
    return sorted(score.clips.items(), key=lambda item: levels.get(item[0], -(item[1].share or 0)))


def _cells(rate: Rate, level: Threshold | None) -> tuple[str, str, str]:
    return rate_cells(rate) if level is None else level_cells(level)


def _table_of(kind: Kind, rows: Sequence[Mapping[str, str]]) -> str:
    headings = [heading for heading in rows[0] if heading not in PAGE_ONLY]
    cells = [[row[heading] for heading in headings] for row in rows]
    return f"{KINDS[kind].wording}\n\n{table(headings, cells)}"


def _first(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    more = f"\nand {len(rows) - FIRST:,} more: --json, --html" if len(rows) > FIRST else ""
    return table(headings, rows[:FIRST], names=2) + more


def table(header: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """Columns under their headings: names first, flush left; numbers flush right.

    If the table is too wide, the widest names are cut.
    """
    lines = [[one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for _ in range(sum(widths) + GAP * (len(widths) - 1) - WIDTH):
        widths[max(range(names), key=widths.__getitem__)] -= 1
    padded = (
        [
            _cut(cell, width) if at < names else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    )
    return "\n".join((" " * GAP).join(cells).rstrip() for cells in padded)


def paragraphs(title: str, texts: Iterable[str]) -> str:
    """Indented paragraphs under a title."""
    return "\n".join([_cut(one_line(title), WIDTH).rstrip(), *map(_filled, texts)])


def _cut(text: str, width: int) -> str:
    """A text in exactly this many columns of a terminal."""
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1) + "…"
    return set_cell_size(text, width)


def _filled(text: str) -> str:
    """A paragraph, broken only at plain spaces, by the columns that its characters take."""
    lines = [INDENT]
    for word in text.split(" "):
        if lines[-1] != INDENT and cell_len(lines[-1]) + cell_len(word) > WIDTH:
            lines.append(INDENT)
        lines[-1] += _cut(word, min(cell_len(word), WIDTH - len(INDENT))) + " "
    return "\n".join(line.rstrip() for line in lines)


# ---- plain data and the page


def to_json(score: StudyScore) -> dict[str, Any]:
    """A score as plain data: `results` of listeners who count, `everybody` with nobody excluded."""
    return {
        "study": score.key.study,
        "protocol": score.key.protocol,
        "level": LEVEL,
        "rule": RULE,
        "notes": list(notes(score)),
        "listeners": len(score.listeners),
        "counted": score.counted,
        "left_out": [
            {"listener": one.session.listener, "form": one.session.form, "reasons": [*one.reasons]}
            for one in score.excluded
        ],
        "repeated": [{"listener": one.listener, "form": one.form} for one in score.repeated],
        "claims": [asdict(one) for one in conclusions(score)],
        "results": [_result(result) for result in score.results],
        "everybody": [_result(result) for result in score.everybody],
        "by_clip": [
            {"clip": clip, **_rate(of, rate, score.thresholds.get((of, clip)))}
            for (of, clip), rate in score.clips.items()
        ],
        "by_listener": [
            {
                "listener": one.session.listener,
                "form": one.session.form,
                "counts": not one.reasons,
                "headphones": one.session.wears_headphones,
                "seconds": one.seconds,
                **asdict(one.caught),
                "rates": [
                    _rate(question, rate, one.thresholds.get(question))
                    for question, rate in one.rates.items()
                ],
            }
            for one in score.listeners
        ],
    }


def _rate(question: Question, rate: Rate, level: Threshold | None = None) -> dict[str, Any]:
    return {
        "kind": question.kind,
        "conditions": list(question.conditions),
        "label": question.label,
        "hit": KINDS[question.kind].hit,
        **asdict(rate),
        **({"threshold": asdict(level)} if level else {}),
    }


def _result(result: QuestionScore) -> dict[str, Any]:
    data = asdict(result) | {"pooled": result.pooled and result.pooled._asdict()}
    del data["question"], data["rate"]
    return _rate(result.question, result.rate) | data


def page(score: StudyScore) -> str:
    """A score as an HTML page."""
    return render(
        "mondegreen.listening",
        "score",
        score=score,
        facts=facts(score),
        tables=result_rows(score),
        kinds=KINDS,
        rule=RULE,
        notes=notes(score),
        conclusions=list(conclusions(score)),
        one_line=one_line,
        rate_cells=rate_cells,
        level_cells=level_cells,
        header=header(score),
        without_threshold=without_threshold(score),
    )
