"""The commands of suites, from clips of one's own to a card and its gate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from run_folders import make_clips, mondegreen
from typer.testing import CliRunner

from mondegreen.cli import app
from mondegreen.errors import MondegreenError
from mondegreen.results.card import read_card
from mondegreen.results.folder import is_run
from mondegreen.suites.named import load_suite
from mondegreen.suites.run import run_suite
from mondegreen.suites.suite import read_suite


def suite(*arguments: str | Path) -> str:
    """What a command of suites prints."""
    ran = CliRunner().invoke(app, ["suite", *map(str, arguments)])
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return ran.stdout


def refused(*arguments: str | Path) -> str:
    ran = CliRunner().invoke(app, ["suite", *map(str, arguments)])
    assert isinstance(ran.exception, MondegreenError), ran.output  # exit status 2
    return str(ran.exception)


def test_what_there_is_can_be_listed_and_shown() -> None:
    assert [json.loads(line)["suite"] for line in suite("list", "--json").splitlines()] == [
        "quick",
        "librispeech-50",
    ]
    shown = suite("show", "quick")
    assert "quick, version 1" in shown
    assert suite("show", "quick", "--all").count("-as-") == 20
    head, *clips = map(json.loads, suite("show", "quick", "--json").splitlines())
    assert head["key"] in shown
    assert len(clips) == 20


def test_a_suite_that_is_made_holds_what_was_asked(tmp_path: Path) -> None:
    clips, path = make_clips(tmp_path / "clips", 3), tmp_path / "ours.suite"
    asked = ("--clips", clips, "--name", "ours", "--target", "open the door", "--by", "snr")
    suite("make", path, *asked, "--limit", "2", "--max-passes", "50")
    made = read_suite(path)
    assert (made.name, made.by, made.options.max_passes, len(made.clips)) == ("ours", "snr", 50, 2)
    assert {one.target for one in made.clips} == {"open the door"}
    assert "exists" in refused("make", path, *asked)  # and is not overwritten
    (clips / "copy.wav").write_bytes((clips / "c00.wav").read_bytes())
    assert "copy is a copy of c00" in refused("make", tmp_path / "x.suite", *asked)
    assert "has no prices" in refused("make", tmp_path / "x.suite", *asked, "--method", "robust")


@pytest.mark.slow
def test_from_clips_of_ones_own_to_a_card_and_its_gate(tmp_path: Path) -> None:
    clips, path, out = make_clips(tmp_path / "clips", 2), tmp_path / "ours.suite", tmp_path / "run"
    asked = ("--clips", clips, "--name", "ours", "--target", "open the door")
    suite("make", path, *asked, "--max-passes", "110")
    command = ("suite", "run", path, "--victim", "toy_victims:linear", "--workers", "1")
    ran = mondegreen(*command, "--out", out, "--json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    card = read_card(out / "card.json")
    assert is_run(out)
    assert card.suite == read_suite(path).identity
    assert told["at"] == card.score.at
    assert [one.heard for one in card.clips] == [True, True]
    assert card.doubt is None
    assert f"version 1, `{card.suite.key}`" in (out / "card.md").read_text()

    again = mondegreen(*command, "--out", out)  # nothing is left to do but to say it again
    assert again.returncode == 0, again.stderr
    assert read_card(out / "card.json").clips == card.clips

    judged = ("gate", str(out / "card.json"), "--allow", "5%", "--below", "margin:0")
    gate = CliRunner().invoke(app, judged)
    assert gate.exit_code == 2  # two clips are too few to tell
    assert "59 would do" in gate.output

    other = tmp_path / "other.suite"
    suite("make", other, *asked, "--max-passes", "111")
    assert "is of the suite ours" in refused("run", other, "--out", out)


def test_a_suite_that_was_killed_while_it_began_begins_again(tmp_path: Path) -> None:
    clips, path, out = make_clips(tmp_path / "clips", 1), tmp_path / "ours.suite", tmp_path / "run"
    suite("make", path, "--clips", clips, "--name", "ours", "--target", "open the door")
    made = load_suite(str(path), None, tmp_path)
    out.mkdir()
    (out / ".half.part").touch()  # all that was written by then
    with pytest.raises(MondegreenError, match="nobody:here"):
        run_suite(made, "nobody:here", out, {"workers": 1, "device": "cpu"})
    (out / "suite.jsonl").unlink()  # or this was not
    with pytest.raises(MondegreenError, match="nobody:here"):
        run_suite(made, "nobody:here", out, {"workers": 1, "device": "cpu"})
    assert (out / "suite.jsonl").read_bytes() == made.manifest()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips", 1)
    assert "is not empty" in refused("run", "quick", "--out", clips)
    assert [one.name for one in clips.iterdir()] == ["c00.wav"]
