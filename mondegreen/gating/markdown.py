"""The verdict as Markdown: a summary for a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from mondegreen.gating.gate import WORDS, Verdict
from mondegreen.gating.rule import Outcome

SIGNS: Final[dict[Outcome, str]] = {"pass": "✅", "fail": "❌", "unclear": "❔"}
MOST: Final = 20  # clips in the table; a pull request is no place for more


def markdown(verdict: Verdict) -> bytes:
    """The file."""
    lines = [
        f"### {SIGNS[verdict.outcome]} The gate {verdict.words}",
        "",
        f"Run {code(verdict.clips.label)}. What counts: {verdict.limit.words}.",
        "",
        *table(["", "rule", "why"], [[WORDS[r.outcome], r.rule, r.why] for r in verdict.rulings]),
    ]
    if verdict.not_checked is not None:
        lines += ["", f"Not checked: {verdict.not_checked}."]
    if verdict.attackable:
        rows = [
            [code(one.id), verdict.price(one), code(one.aim), code(one.path or "")]
            for one in verdict.attackable[:MOST]
        ]
        lines += ["", *table(["clip", verdict.limit.by.label, "heard", "item"], rows)]
    if more := len(verdict.attackable) - MOST:
        lines += ["", f"… and {more} more."] if more > 0 else []
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    whole = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(_cell(one) for one in row)} |" for row in whole]


def _cell(text: str) -> str:
    """On one line, in one cell, and no mark-up but what is code."""
    plain = " ".join(text.split()).replace("|", "\\|")
    return plain if plain.startswith("`") else plain.replace("<", "&lt;")


def code(text: str) -> str:
    """A stranger's text, in which nothing is mark-up."""
    return f"`{' '.join(text.split()).replace('`', chr(39))}`" if text.strip() else ""
