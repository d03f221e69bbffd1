"""What a notebook shows: a result as a page, short names, and progress."""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from toy import linear_victim, speech

import mondegreen as mg
from docs.notebook import notebook_page, run
from mondegreen import _in_notebook
from mondegreen.attacks.result import Result
from mondegreen.audio.pcm import save
from mondegreen.notebook import shown, watch
from mondegreen.results.record import Point, Record
from mondegreen.victims.guard import attackable

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("notebook")
    save(folder / "greeting.wav", speech(), 16_000)
    return mg.attack(linear_victim(), folder / "greeting.wav", "open the door", max_passes=40)


def test_a_result_is_shown_as_its_report(result: Result) -> None:
    frame = shown(result)
    (page,) = re.findall('<iframe srcdoc="([^"]*)"', frame)
    page = html.unescape(page)
    assert page.startswith("<!doctype html>")
    assert page.count("data:audio/") >= 2  # the sounds are in it
    assert "greeting" in page
    assert "Open the door." in page
    assert not re.findall('(?:src|href)="(?!data:|#|https?:)[^"]', page)  # nothing lies elsewhere


def test_a_notebook_is_told_how_to_show_results(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {}

    class Html:
        def for_type_by_name(self, module: str, name: str, show: object) -> None:
            told[module, name] = show

    shell = SimpleNamespace(display_formatter=SimpleNamespace(formatters={"text/html": Html()}))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    _in_notebook()
    show = told[type(result).__module__, type(result).__name__]
    assert show(result) == shown(result)  # type: ignore[operator]


def test_what_is_printed_of_an_object_is_short(result: Result) -> None:
    record = "<record of greeting: verified, heard as 'Open the door.' by linear>"
    assert repr(result.record) == record
    assert repr(result).startswith(f"<result: {record}")
    victim = attackable(linear_victim(), "toy")
    assert repr(victim) == "<victim linear at 16000 Hz, float64 on cpu>"


def test_progress_ends_with_the_verdict(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    on_news = watch()
    point = Point(3, "s", 1.0, True, 1, 1, None, None, None)
    on_news("greeting", point)
    on_news("greeting", result.record)
    assert isinstance(result.record, Record)
    assert "greeting: verified" in capsys.readouterr().out


def test_outside_of_a_notebook_nothing_is_registered(tmp_path: Path) -> None:
    assert "IPython" not in sys.modules or sys.modules["IPython"].get_ipython() is None


@pytest.mark.slow
def test_the_quickstart_runs_and_shows_a_verified_result(tmp_path: Path) -> None:
    text = QUICKSTART.read_text(encoding="utf-8")
    quicker = tmp_path / "quickstart.ipynb"
    quicker.write_text(text.replace("max_passes=150", "max_passes=30"), encoding="utf-8")
    notebook = run(quicker, tmp_path)
    loaded, attacked, told, _ = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert "max_passes=30" in attacked.source
    assert "<victim moonshine-tiny at 16000 Hz" in loaded.outputs[-1].data["text/plain"]
    assert "Good evening everyone" in html.unescape(attacked.outputs[-1].data["text/html"])
    assert "verified from the file: True" in told.outputs[0].text
    assert (tmp_path / "quickstart-result" / "adversarial.wav").is_file()
    page = notebook_page(notebook, tmp_path)
    assert "verified from the file: True" in page
    (frame,) = re.findall(r'<iframe [^>]*src="sounds/([^"]*)"', page)
    assert (tmp_path / frame).read_text(encoding="utf-8").count("data:audio/") >= 2
