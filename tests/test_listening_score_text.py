"""A score as text: aligned, within 80 columns, and safe from names that control a terminal."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listening_studies import (
    abx_key,
    guesser,
    hears_everything,
    hears_nothing,
    paper_key,
    session,
    staircase_key,
    with_threshold,
    write_study,
)
from rich.cells import cell_len

from mondegreen.listening.answers import read_answers
from mondegreen.listening.conclusions import at_least, at_most
from mondegreen.listening.key import read_key
from mondegreen.listening.score import score
from mondegreen.listening.score_report import WIDTH, describe, paragraphs, table

HOSTILE = (
    "<script>alert(1)</script>",
    "[red]markup[/red]",
    "\x1b[31mred\x1b[0m",
    "two\nlines\rand a return",
    "\u202egnirts",
    "名" * 300,
    "x" * 10_000,
)


def described(folder: Path, key: dict[str, Any], *sent: dict[str, Any]) -> str:
    study = read_key(write_study(folder, key, sent) / "key.json")
    return describe(score(study, read_answers([folder], study)))


def rows(text: str, first: str) -> list[list[str]]:
    """The cells of the table whose heading starts with `first`."""
    lines = text.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(first))
    block = lines[start : lines.index("", start)]
    return [re.split(r"  +", line.strip()) for line in block]


def test_a_table_is_aligned_names_left_and_numbers_right() -> None:
    text = table(("name", "hits", "share"), [("one", "1/2", "50 %"), ("three", "10/20", "5 %")])
    assert text.splitlines() == [
        "name    hits  share",
        "one      1/2   50 %",
        "three  10/20    5 %",
    ]


def test_a_name_that_is_too_long_is_cut_and_the_numbers_stay() -> None:
    text = table(("name", "of", "hits"), [("x" * 300, "y" * 20, "123/456")], names=2)
    heading, row = text.splitlines()
    assert cell_len(row) == WIDTH
    assert row.endswith("x…  " + "y" * 20 + "  123/456")
    assert heading.endswith("   hits")


@given(st.lists(st.text(max_size=200), min_size=1, max_size=5))
def test_no_name_makes_a_table_wider_or_moves_its_numbers(names: list[str]) -> None:
    lines = table(("name", "hits"), [(name, "1/2") for name in names]).splitlines()
    assert len(lines) == len(names) + 1
    assert {cell_len(line) for line in lines} == {cell_len(lines[0])}
    assert cell_len(lines[0]) <= WIDTH
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("value", "most", "least"),
    [
        (0.0, "0\u00a0%", "0\u00a0%"),
        (0.221, "23\u00a0%", "22\u00a0%"),
        (0.22, "22\u00a0%", "22\u00a0%"),
        (0.2200000001, "22\u00a0%", "22\u00a0%"),  # as precise as bounds are
        (0.999, "100\u00a0%", "99\u00a0%"),
        (1.0, "100\u00a0%", "100\u00a0%"),
    ],
)
def test_bounds_are_rounded_outward(value: float, most: str, least: str) -> None:
    assert (at_most(value), at_least(value)) == (most, least)


def test_the_rows_show_the_results(tmp_path: Path) -> None:
    key = abx_key(forms=1, each=5, conditions=("ours",))
    sent = [session(key, f"P{n}", hears_everything) for n in range(4)]
    text = described(tmp_path, key, *sent, session(key, "deaf", hears_nothing))
    low = 100 * 0.025 ** (1 / 4)  # of four listeners who are right in all
    assert rows(text, "condition")[1][:-1] == [
        *("ours", "20/20", "100 %", f"{int(low)} to 100", "∞", "0.0 to ∞", "≤ 100 %")
    ]
    assert "4 of 5 count" in text
    assert "deaf: " in text.split("\nExcluded\n")[1]
    assert "You can claim: " in text
    assert "explain the answers (p > 0.05)" in " ".join(text.split())


def test_the_most_audible_clips_come_first_and_the_rest_is_counted(tmp_path: Path) -> None:
    key = abx_key(forms=4, each=12, conditions=("ours",))
    sent = [session(key, f"P{n:02}", guesser, form=n % 4) for n in range(15)]
    text = described(tmp_path, key, *sent)
    shares = [int(row[3].removesuffix(" %")) for row in rows(text, "clip ")[1:11]]
    assert shares == sorted(shares, reverse=True)
    assert "and 2 more: --json, --html" in text.split("Clips")[1].split("Listeners")[0]
    assert "and 5 more: --json, --html" in text.split("Listeners")[1]


@pytest.mark.parametrize("protocol", ["abx", "paper"])
def test_the_text_fits_80_columns_whatever_the_names(tmp_path: Path, protocol: str) -> None:
    long = ("imperceptible robust fast", "carlini-wagner " + "w" * 100)
    key = abx_key(forms=2, each=3, conditions=long) if protocol == "abx" else paper_key()

    def listener(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        given = asked["correct"] or ("a" if asked["kind"] in ("abx", "natural") else "no")
        return {"trial": asked["id"], "answer": given}

    sent = [session(key, name, listener) for name in HOSTILE]
    left = [session(key, f"{name} left", listener) for name in HOSTILE]
    for one in left:
        one["answers"] = one["answers"][:2]
    text = described(tmp_path, key, *sent, *left, *(session(key, n, listener) for n in HOSTILE))
    assert max(map(cell_len, text.splitlines())) <= WIDTH
    assert all(line.isprintable() for line in text.replace("\u00a0", " ").splitlines())
    assert text.count("incomplete: ") == len(HOSTILE)
    assert text.count(": repeated") == len(HOSTILE)


def test_paragraphs_are_filled_by_columns_and_broken_at_spaces() -> None:
    text = paragraphs("title", ["word " * 20, "名" * 100, "95\u00a0%"])
    assert text.splitlines() == [
        "title",
        "  " + " ".join(["word"] * 15),
        "  " + " ".join(["word"] * 5),
        "  " + "名" * 38 + " …",
        "  95\u00a0%",
    ]


def test_the_text_of_a_staircase_has_levels_instead_of_shares(tmp_path: Path) -> None:
    key = staircase_key(clips=4)
    sent = [session(key, f"S{n}", with_threshold(-4.0), form=n % 2) for n in range(10)]
    text = described(tmp_path, key, *sent, session(key, "deaf", with_threshold(90.0)))
    head, row = rows(text, "condition")
    assert head == ["condition", "correct", "listeners", "just heard", "95 %", "all"]
    assert row[0] == "imperceptible fast"
    assert re.fullmatch(r"\d+/440", row[1])
    assert row[2] == "10 of 11"
    assert re.fullmatch(r"[+\u2212]\d\.\d dB", row[3])
    assert "share" not in text
    assert "Clips, the most audible first" in text
    assert "Without a threshold\n  deaf, imperceptible fast: may lie above +20 dB" in text
    assert "Without a threshold: 1 of 11 listeners." in re.sub(r"\s+", " ", text)
    assert all(cell_len(line) <= WIDTH for line in text.splitlines())
