"""The site: it is whole, its links lead somewhere, it is silent, and it can be searched."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Literal
from urllib.parse import unquote, urldefrag

import browser
import pytest
from browser import Watched
from playwright.sync_api import Browser, expect

ROOT = Path(__file__).resolve().parents[1]
CONFIG = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
WAIT = 30_000  # ms, on a busy machine
LOOKED_AT = ("index", "ship", "gallery", "numbers", "api/attacks")


class Anchors(HTMLParser):
    """What a page has to be linked to, and what it links to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.text: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id":
                self.names.add(value or "")
            elif name in ("href", "src") and tag != "link":
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make site` does, in a folder of its own."""
    from docs.website import build

    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    return build(folder)


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where a server on this machine shows it."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_every_page_of_the_docs_is_in_the_navigation() -> None:
    named = re.findall(r"([\w/-]+\.md)$", CONFIG, re.M)
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - set(named) == set()
    assert len(named) == len(set(named))


def test_no_plugin_is_asked_for() -> None:
    assert "plugins" not in re.findall(r"^(\w+):", CONFIG, re.M)


@pytest.mark.slow
def test_every_link_leads_to_a_page_and_a_place_on_it(site: Path) -> None:
    pages = {page: Anchors(page) for page in site.rglob("*.html") if page.name != "404.html"}
    lost, inside = [], 0
    for page, anchors in pages.items():
        for link in anchors.links:
            path, name = urldefrag(link)
            if re.match(r"[a-z]+:|//", path):
                continue
            target = (page.parent / unquote(path)).resolve() if path else page
            inside += 1
            there = unquote(name) in pages[target].names if name and target in pages else True
            if not target.is_file() or not there:
                lost.append(f"{page.relative_to(site)}: {link}")
    assert lost == []
    assert inside > 1_000


@pytest.mark.slow
def test_every_entry_of_the_navigation_is_a_page(site: Path) -> None:
    for page in re.findall(r"([\w/-]+)\.md$", CONFIG, re.M):
        assert (site / f"{page}.html").is_file(), page


@pytest.mark.slow
def test_pages_read_the_same_as_in_the_repository(site: Path) -> None:
    """A list or table that Markdown of another kind takes for a paragraph."""
    for page in site.glob("*.html"):
        body = page.read_text(encoding="utf-8").partition("<article")[2].partition("</article")[0]
        told = re.sub(r"<(pre|code)\b.*?</\1>", "", body, flags=re.S)
        assert re.findall(r"<p>[^<]*\n(?:- |\d+\. |\|)[^<]*", told) == [], page.name
        assert re.findall(r"\]\([^)]*\)|```", told) == [], page.name


@pytest.mark.slow
def test_the_reference_has_what_the_package_exports(site: Path) -> None:
    import mondegreen

    places = {name for page in (site / "api").glob("*.html") for name in Anchors(page).names}
    first = Anchors(site / "api" / "index.html")
    for name in mondegreen.__all__:
        (link,) = {link for link in first.links if re.search(rf"\.html#.*\.{name}$", link)}
        assert urldefrag(link)[1] in places


@pytest.mark.slow
def test_an_argument_is_explained_beside_its_signature(site: Path) -> None:
    text = " ".join("".join(Anchors(site / "api" / "attacks.html").text).split())
    assert "sample_rate: int | None = None," in text
    assert "on_room called while a method in rooms chooses" in text
    assert "RoomError a bank of another rate, or without a split." in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "pages"), [("light", LOOKED_AT), ("dark", ("index", "api/attacks"))]
)
def test_pages_are_silent_ask_nobody_and_can_be_used_by_anybody(
    address: str, chromium: Browser, scheme: Literal["light", "dark"], pages: tuple[str, ...]
) -> None:
    with browser.watched(chromium, color_scheme=scheme) as tab:
        for name in pages:
            tab.page.goto(f"{address}/{name}.html")
            tab.page.wait_for_load_state("networkidle")
            assert tab.accessibility() == [], name
            tab.page.set_viewport_size({"width": 360, "height": 740})
            wide = tab.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 360, f"{name} hangs over the edge of a phone"
            tab.page.set_viewport_size({"width": 1280, "height": 720})
        assert tab.console == []
        assert [
            one for one in tab.requests if not one.startswith((address, "data:", "blob:"))
        ] == []


@pytest.mark.slow
def test_a_search_finds_a_word_and_leads_to_it(address: str, tab: Watched) -> None:
    page = tab.page
    page.goto(f"{address}/index.html")
    page.wait_for_load_state("networkidle")
    page.keyboard.press("/")
    page.keyboard.type("mishear score")
    hit = page.get_by_role("option").filter(has_text="Glossary").first
    expect(hit).to_be_visible(timeout=WAIT)
    # the theme's own: grey paths, and a list that is gone through from the field, not by itself
    assert {one["id"] for one in tab.accessibility()} <= {
        "color-contrast",
        "scrollable-region-focusable",
    }
    assert tab.console == []
    hit.click()
    page.wait_for_url("**/glossary.html**")
    expect(page.get_by_role("heading", name="Mishear score")).to_be_in_viewport(timeout=WAIT)
