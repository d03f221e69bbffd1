"""The page of a score, in a real browser: quiet, accessible, and safe from hostile names."""

from __future__ import annotations

import math
import random
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from browser import Watched, watched
from listening_studies import (
    CONDITIONS,
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
from playwright.sync_api import Browser, Page

from mondegreen.listening.answers import read_answers
from mondegreen.listening.key import read_key
from mondegreen.listening.score import score
from mondegreen.listening.score_report import page

SCRIPT = "<script>document.title = 'taken'</script>"
HOSTILE = (SCRIPT, '"><img src=x onerror=alert(1)>', "=1+1", "\u202egnirts", "x" * 10_000)


def written(folder: Path, key: dict[str, Any], *sent: dict[str, Any]) -> Path:
    study = read_key(write_study(folder, key, sent) / "key.json")
    path = folder / "score.html"
    path.write_text(page(score(study, read_answers([folder], study))), encoding="utf-8")
    return path


@pytest.fixture
def abx(tmp_path: Path) -> Path:
    """Guessers, golden ears, an excluded listener, a repeated one, and hostile names."""
    key = abx_key(forms=4, each=6)
    sent = [session(key, f"P{n:02}", guesser, form=n % 4) for n in range(8)]
    sent += [
        session(key, "golden ears", hears_everything),
        session(key, SCRIPT + "!", hears_nothing),
    ]
    sent += [session(key, name, guesser, form=1) for name in HOSTILE]
    return written(tmp_path, key, *sent, session(key, "P00", form=3))


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    def listener(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        given = asked["correct"] or rng.choice(
            ["a"] if asked["kind"] == "natural" else ["yes", "no"]
        )
        return {"trial": asked["id"], "answer": given}

    key = paper_key()
    return written(tmp_path, key, *(session(key, f"W{n}", listener, form=n % 4) for n in range(6)))


@pytest.fixture
def staircase(tmp_path: Path) -> Path:
    """Listeners with a threshold, one without, and a hostile name."""
    key = staircase_key()
    sent = [session(key, f"S{n}", with_threshold(-4.0), form=n % 2) for n in range(10)]
    return written(tmp_path, key, *sent, session(key, SCRIPT, with_threshold(90.0)))


def cells(page: Page, selector: str) -> list[str]:
    return [text.strip() for text in page.locator(selector).all_inner_texts()]


@pytest.mark.parametrize(
    ("study", "scheme", "width"),
    [*product(["abx", "paper"], ["light", "dark"], [390, 1280]), ("staircase", "dark", 390)],
)
def test_the_page_is_quiet_and_accessible(
    study: str, scheme: Any, width: int, chromium: Browser, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(study)
    size: Any = {"width": width, "height": 900}
    with watched(chromium, viewport=size, color_scheme=scheme) as seen:
        opened = seen.open(path)
        assert seen.accessibility() == []
        assert seen.console == []
        assert seen.from_elsewhere == []
        assert opened.evaluate("document.documentElement.scrollWidth") == width


def test_names_are_text_and_nothing_else(abx: Path, tab: Watched) -> None:
    opened = tab.open(abx)
    assert opened.title() == "Listening test 0123456789abcdef"
    assert opened.locator("img").count() == 0
    assert opened.locator("script").count() == 1
    names = opened.locator("tbody bdi").all_text_contents()
    assert SCRIPT in names
    assert SCRIPT + "!" in names
    assert '"><img src=x onerror=alert(1)>' in names
    assert "gnirts" in names  # without the mark that turned it round
    assert max(map(len, names)) == 200
    assert tab.console == []


def test_conclusions_come_first(abx: Path, tab: Watched) -> None:
    opened = tab.open(abx)
    assert cells(opened, ".claim h3") == list(CONDITIONS)
    assert all("can tell “" in text for text in cells(opened, ".claim p:first-of-type"))
    headings = cells(opened, "h2")
    assert headings[:2] == ["What you can claim", "Results"]


def test_excluded_listeners_and_repeated_sessions_are_named(abx: Path, tab: Watched) -> None:
    opened = tab.open(abx)
    assert "13 of 14 (" not in opened.inner_text("header")
    assert "14 of 15" in opened.inner_text("header")
    assert "claimed a difference in 2 of 2 identical pairs" in opened.inner_text("main")
    assert "P00 (form 3)" in opened.inner_text("main").replace("\n", " ")


def test_the_papers_questions_have_a_table_each(paper: Path, tab: Watched) -> None:
    opened = tab.open(paper)
    assert cells(opened, "h3")[-3:] == [
        "Do you hear background noise?",
        "Which sounds more natural?",
        "Are these identical?",
    ]
    assert "d’" not in cells(opened, "thead th")
    assert opened.locator(".guessing").count() == 3  # a half means something of preferences alone


def test_a_heading_sorts_by_its_numbers_in_both_directions(abx: Path, tab: Watched) -> None:
    opened = tab.open(abx)
    table = opened.locator("table[data-sorted]").first
    heading = table.locator("thead th").nth(3)
    share = "table[data-sorted] >> nth=0 >> tbody tr td:nth-child(4)"

    def shares() -> list[int]:
        return [int(text.removesuffix("%").strip()) for text in cells(opened, share)]

    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert shares() == sorted(shares(), reverse=True)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert shares() == sorted(shares())
    clip = table.locator("thead th").nth(0)
    clip.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") is None
    names = cells(opened, "table[data-sorted] >> nth=0 >> tbody th")
    assert names == sorted(names, key=lambda name: -int(name.split()[1]))
    assert tab.console == []
    assert tab.accessibility() == []


def test_intervals_are_drawn_where_they_lie_and_only_if_somebody_was_asked(tmp_path: Path) -> None:
    key = abx_key(forms=2, each=2)
    key["forms"][0] = [t for t in key["forms"][0] if CONDITIONS[1] not in t["conditions"]]
    half = session(key, "half", hears_everything)
    wrong = next(t["id"] for t in key["forms"][0] if t["role"] == "test")
    for answer in half["answers"]:
        if answer["trial"] == wrong:
            answer["answer"] = "ab"["ba".index(answer["answer"])]
    text = written(tmp_path, key, half).read_text(encoding="utf-8")
    assert re.findall(r'<circle class="share" cx="([0-9.]+)"', text) == ["106.0"]
    low, high = re.findall(r'<line class="interval" x1="([0-9.]+)" x2="([0-9.]+)"', text)[0]
    assert (float(low), float(high)) == (6 + 200 * 0.0125, 6 + 200 * 0.9875)


def test_the_drawn_interval_is_that_of_the_table(abx: Path, tab: Watched) -> None:
    opened = tab.open(abx)
    line = opened.locator("line.interval").first
    low, high = (float(line.get_attribute(name) or "nan") for name in ("x1", "x2"))
    interval = cells(opened, "table >> nth=0 >> tbody tr:first-child td:nth-child(4)")[0]
    assert interval == f"{int((low - 6) / 2)} to {math.ceil((high - 6) / 2)}"


def test_it_prints_with_every_row(abx: Path, tab: Watched) -> None:
    opened = tab.open(abx)
    opened.emulate_media(media="print")
    assert opened.locator("table[data-sorted] >> nth=1").is_visible()
    overflow = "[...document.querySelectorAll('.wide')].map(e => getComputedStyle(e).overflowX)"
    assert set(opened.evaluate(overflow)) == {"visible"}
