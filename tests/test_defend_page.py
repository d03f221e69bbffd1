"""The page of a table of defences in a real browser: axe finds nothing, a phone shows all of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import browser
import pytest
from playwright.sync_api import Browser, expect
from report_runs import HOSTILE, sound_run
from test_defend import NOISE, PCM, TEMPORAL, evidence

from mondegreen.defending.defend import Trial
from mondegreen.defending.page import write_pages
from mondegreen.defending.row import row
from mondegreen.findings import Finding


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of three defences: one broken, one not evaluated, and a detector."""
    folder = tmp_path_factory.mktemp("defended")
    without = sound_run(folder / "without", {"a": {}, "b": {}})
    facts = {"recogniser": HOSTILE, "method": "imperceptible", "preset": "fast", "passes": 150}
    trial = SimpleNamespace(
        folder=folder,
        without=without,
        defences=[PCM, NOISE, TEMPORAL],
        behind=lambda defence: folder / defence.slug,
        facts=facts,
    )
    sound_run(folder / PCM.slug, {"a": {}, "b": {"verified": False}})
    fired = Finding("unbounded-fails", "error", "fires", HOSTILE)
    rows = [
        row(evidence()),
        row(evidence(defence=NOISE, findings=[fired])),
        row(evidence(defence=TEMPORAL)),
    ]
    write_pages(cast(Trial, trial), rows)
    return folder / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(chromium: Browser, page: Path, scheme: str) -> None:
    with browser.watched(chromium, color_scheme=scheme) as seen:
        opened = seen.open(page)
        opened.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
        expect(opened.locator("tbody tr")).to_have_count(3)
        expect(opened.get_by_text("not evaluated").first).to_be_visible()
        assert seen.accessibility() == []
        assert seen.console == seen.from_elsewhere == []


def test_a_phone_has_nothing_to_scroll_sideways(chromium: Browser, page: Path) -> None:
    with browser.watched(chromium, viewport={"width": 390, "height": 800}) as seen:
        opened = seen.open(page)
        opened.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
        assert opened.evaluate("() => document.documentElement.scrollWidth") == 390
