"""Pages in a real browser: what one asks for, what it says on its console, what axe finds in it.

Debian's Chromium, driven by Playwright; no browser is ever downloaded. Tests that use the fixtures
of `conftest.py` skip where there is none, and the end of the session says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

NO_BROWSER = "no Chromium is installed (Debian: apt-get install chromium)"
QUIET = (  # no sandbox: tests may run as root
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--autoplay-policy=no-user-gesture-required",
)


def executable() -> str | None:
    """Where the browser is, if there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(QUIET))
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and what it did while it was open.

    Attributes:
        page: to be driven.
        requests: addresses of everything that it asked for.
        console: what it said there, uncaught errors and violations of its policy included.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def open(self, path: Path, query: str = "") -> Page:
        """Open a file from the disk."""
        self.page.goto(path.resolve().as_uri() + query)
        return self.page

    @property
    def from_elsewhere(self) -> list[str]:
        """What it asked for that is neither inside it nor a file."""
        own = ("file:", "data:", "blob:")
        return [address for address in self.requests if not address.startswith(own)]

    def accessibility(self) -> list[dict[str, Any]]:
        """The violations that axe-core finds."""
        found = Axe().run(self.page).response["violations"]
        return [{"id": f["id"], "nodes": [n["html"][:200] for n in f["nodes"]]} for f in found]


@contextmanager
def watched(browser: Browser, **context: Any) -> Iterator[Watched]:
    """A fresh page in a context of its own; options as of Playwright's `new_context`."""
    opened = browser.new_context(**context)
    page = opened.new_page()
    seen = Watched(page)
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", lambda message: seen.console.append(message.text))
    page.on("pageerror", lambda error: seen.console.append(str(error)))
    yield seen
    opened.close()
