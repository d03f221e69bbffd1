"""The command `mondegreen listen score`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from listening_studies import abx_key, guesser, hears_nothing, session, write_csv, write_study
from typer.testing import CliRunner

from mondegreen import MondegreenError
from mondegreen.cli import app

KEY = abx_key(forms=2, each=3)
SENT = [session(KEY, f"P{n}", guesser, form=n % 2) for n in range(6)]


def called(*arguments: str | Path) -> str:
    ran = CliRunner().invoke(app, ["listen", "score", *map(str, arguments)])
    if ran.exception:
        raise ran.exception
    return ran.stdout


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path / "study", KEY, SENT)


def test_a_study_is_scored_by_its_folder(study: Path) -> None:
    text = called(study)
    assert "6 of 6 count" in text
    assert "Is X A or B?" in text


def test_json_is_one_object_on_one_line(study: Path) -> None:
    (line,) = called(study, "--json").splitlines()
    data = json.loads(line)
    assert (data["study"], data["counted"]) == ("0123456789abcdef", 6)


def test_the_page_is_written_beside_the_text(study: Path, tmp_path: Path) -> None:
    text = called(study, "--html", tmp_path / "score.html")
    assert "6 of 6 count" in text
    assert (tmp_path / "score.html").read_text("utf-8").startswith("<!doctype html>")


def test_an_invalid_page_name_is_refused_before_scoring(study: Path) -> None:
    with pytest.raises(MondegreenError, match=r"does not end in \.html"):
        called(study.parent / "none", "--html", study / "score.txt")


def test_downloads_in_another_folder_need_the_key_option(study: Path, tmp_path: Path) -> None:
    away = tmp_path / "downloads"
    away.mkdir()
    table = write_csv(away / "all.csv", SENT)
    with pytest.raises(MondegreenError, match="--key"):
        called(table)
    assert called(table, "--key", study / "key.json") == called(study)


def test_names_are_not_markup(tmp_path: Path) -> None:
    left = session(KEY, "[red]left[/red] :smile:")
    left["answers"] = left["answers"][:2]
    assert "[red]left[/red] :smile:" in called(write_study(tmp_path, KEY, [*SENT, left]))


def test_bad_input_is_one_line_and_status_2(tmp_path: Path) -> None:
    nobody: list[dict[str, Any]] = [session(KEY, "[b]deaf", hears_nothing)]
    folder = write_study(tmp_path, KEY, nobody)
    ran = subprocess.run(
        [sys.executable, "-m", "mondegreen", "listen", "score", folder],
        capture_output=True,
        encoding="utf-8",
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    *_, error = ran.stderr.splitlines()
    assert error.startswith("error: nothing is left to score")
    assert "[b]deaf" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_scoring_needs_no_torch(study: Path) -> None:
    check = (
        "import sys; from mondegreen.cli import app\n"
        f"try: app(['listen', 'score', {str(study)!r}])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)
