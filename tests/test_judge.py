"""The commands that judge a run, as a user meets them: what they print, and their exit status."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from toy import TARGET, linear_victim, speech

import mondegreen.judging.verify
import mondegreen.victims
from mondegreen import attack, cli
from mondegreen.audio.pcm import save
from mondegreen.cli import output
from mondegreen.findings import Finding
from mondegreen.results.heard import Listening, read_hearings
from mondegreen.results.item import read_record
from mondegreen.results.sanity import keep_findings


@pytest.fixture
def results(tmp_path: Path) -> Path:
    victim = linear_victim()
    victim.name = "moonshine-tiny"
    for number in range(2):
        clip = tmp_path / "clips" / f"c{number}.wav"
        clip.parent.mkdir(exist_ok=True)
        save(clip, speech(number), 16_000)
        attack(victim, clip, TARGET, max_passes=60).save(tmp_path / "results" / str(number))
    return tmp_path / "results"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the entry point in this process; who listens is a toy that hears with a bias."""

    def call(*arguments: str | Path, bias: float = 150.0) -> tuple[int, str, str]:
        victim = linear_victim(bias=bias)
        victim.name = "moonshine-tiny"
        for name in ("load_victim", "load_recogniser"):
            monkeypatch.setattr(mondegreen.victims, name, lambda *_, **__: victim)
        monkeypatch.setattr(sys, "argv", ["mondegreen", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        seen = capsys.readouterr()
        return int(ended.value.code or 0), seen.out, seen.err

    return call


def test_verify_counts_the_claims_that_are_confirmed(run, results: Path) -> None:
    status, out, _ = run("verify", results)
    assert status == 0
    assert "claims                 2" in out
    assert "confirmed              2" in out


def test_verify_names_the_claims_that_are_not_confirmed(run, results: Path) -> None:
    status, out, err = run("verify", results, bias=1e6)
    assert status == 1
    assert "not confirmed          2" in out
    assert "c0 is not confirmed: 'Nothing at all.'" in err


def test_verify_as_json_is_a_line_an_item_and_one_of_all(run, results: Path) -> None:
    status, out, _ = run("verify", results, "--json", "--batch", "2")
    *claims, total = map(json.loads, out.splitlines())
    assert status == 0
    assert [claim["confirmed"] for claim in claims] == [True, True]
    assert (total["claims"], total["confirmed"], total["not_confirmed"]) == (2, 2, 0)


def test_verify_counts_a_tampered_item_as_damaged_and_nothing_else(run, results: Path) -> None:
    wav = results / "0" / "adversarial.wav"
    wav.write_bytes(wav.read_bytes()[:-2] + b"\1\1")
    for how in ((), ("--batch", "2")):
        status, out, err = run("verify", results, *how)
        assert status == 1
        counts = dict(re.findall(r"^(.*?)  +(\d+)$", out, re.M))
        assert counts == {
            **{"items": "2", "claims": "2", "confirmed": "1", "not confirmed": "0"},
            **{"damaged": "1", "heard but not claimed": "0"},
        }
        assert "adversarial.wav is not the file that was saved" in err


def test_verify_scores_batches_greedily_and_refuses_beams_with_them(
    run, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mondegreen.judging.verify.made_on", lambda _: pytest.fail("begun"))
    status, out, err = run("verify", results, "--batch", "2", "--beams", "5")
    assert (status, out) == (2, "")
    assert "give --batch or --beams, not both" in " ".join(err.split())
    assert not (results / "heard").exists()


def test_findings_of_sanity_do_not_vouch_for_results_saved_later(
    run, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Finding("noise-succeeds", "error", "ok", "0 of 10 draws")]
    monkeypatch.setattr("mondegreen.judging.sanity.examine", lambda *_, **__: iter(found))
    assert run("sanity", results)[0] == 0
    assert "not run" not in run("summary", results)[1]
    shutil.copytree(results / "0", results / "later")
    assert "not run" in run("summary", results)[1]


def test_verify_keeps_what_was_heard_for_each_way_of_listening(run, results: Path) -> None:
    run("verify", results)
    run("verify", results, bias=1e6)  # the same command: in place of the first
    run("verify", results, "--batch", "2", "--dtype", "float64")
    batched, alone = sorted(read_hearings(results), key=lambda kept: kept.how.batch is None)
    assert alone.how == Listening("moonshine-tiny", 1, "float32", None)
    assert batched.how == Listening("moonshine-tiny", 1, "float64", 2)
    assert [claim.transcript for claim in alone.claims] == ["Nothing at all."] * 2
    assert [claim.verified for claim in batched.claims] == [True, True]
    assert alone.whole
    assert alone.of("1", read_record(results / "1")) == alone.claims[1]


def test_verify_of_one_item_keeps_what_was_heard_in_it(run, results: Path) -> None:
    assert run("verify", results / "0")[0] == 0
    (kept,) = read_hearings(results / "0")
    assert [claim.item for claim in kept.claims] == ["0"]
    assert list(read_hearings(results)) == []
    assert "claims                 2" in run("verify", results)[1]  # it is no item of its own


def test_verify_interrupted_keeps_what_was_heard(
    run, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = mondegreen.judging.verify.recheck

    def stopped(*arguments: object, after: int, **options: object):
        yield from itertools.islice(whole(*arguments, **options), after)
        raise KeyboardInterrupt

    for after in (1, 0):  # before the first, nothing is kept
        monkeypatch.setattr("mondegreen.judging.verify.recheck", partial(stopped, after=after))
        assert run("verify", results)[0] == 1
        (kept,) = read_hearings(results)
        assert (kept.whole, kept.items, len(kept.claims)) == (False, 2, 1)


def test_verify_where_nothing_can_be_kept_judges_all_the_same(run, results: Path) -> None:
    (results / "heard").write_text("a file")
    status, out, err = run("verify", results)
    assert status == 0
    assert "confirmed              2" in out
    assert "what was heard is not kept" in err


@pytest.mark.parametrize("command", ["verify", "sanity", "summary", "compare", "collect"])
def test_a_folder_that_is_not_there_exits_with_2(run, tmp_path: Path, command: str) -> None:
    status, out, err = run(command, tmp_path / "none")
    assert (status, out) == (2, "")
    assert "none" in err
    assert "Traceback" not in err


def test_sanity_prints_and_keeps_what_it_finds(
    run, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        Finding("gradient-zero", "error", "ok", "none of 2 clips"),
        Finding("clean-not-understood", "warning", "fires", "1 of 2 clips"),
    ]
    monkeypatch.setattr("mondegreen.judging.sanity.examine", lambda *_, **__: iter(found))
    status, out, _ = run("sanity", results)
    assert status == 0  # a warning is no error
    assert "clean-not-understood" in out
    kept = json.loads((results / "sanity.json").read_text())
    assert [finding["state"] for finding in kept["findings"]] == ["ok", "fires"]
    found.append(Finding("noise-succeeds", "error", "fires", "2 of 2 clips"))
    assert run("sanity", results)[0] == 1
    _, out, _ = run("summary", results)
    assert "noise-succeeds" in out


def test_sanity_interrupted_leaves_what_was_found_before(
    run, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def examine(*_: object, **__: object):
        yield Finding("gradient-zero", "error", "ok", "none of 2 clips")
        raise KeyboardInterrupt

    monkeypatch.setattr("mondegreen.judging.sanity.examine", examine)
    status, out, err = run("sanity", results)
    assert status == 1
    assert "gradient-zero" in out
    assert "interrupted" in err
    assert "not run" in run("summary", results)[1]  # in part is not at all
    before = [Finding("noise-succeeds", "error", "fires", "2 of 2 clips")]
    keep_findings(results, before, sample=3, seed=0)
    assert run("sanity", results)[0] == 1
    assert "noise-succeeds" in run("summary", results)[1]


def test_sanity_on_a_healthy_victim_asks_every_check(run, results: Path) -> None:
    status, out, err = run("sanity", results, "--sample", "1", "--json")
    found = {finding["id"]: finding["state"] for finding in map(json.loads, out.splitlines())}
    assert len(found) == 14, err
    told = "3 checks attack 1 clip again (--sample), in at most 660 gradient passes"
    assert told in err
    assert found["gradient-zero"] == found["not-deterministic"] == found["noise-succeeds"] == "ok"
    assert status == (1 if "fires" in found.values() else 0)


def test_compare_sets_runs_side_by_side(run, results: Path) -> None:
    status, out, _ = run("compare", results / "0", results / "1")
    assert status == 0
    assert "1 of 1" in out
    _, out, _ = run("compare", results / "0", results / "1", "--json")
    assert len(out.splitlines()) == 2


def test_one_run_is_not_compared_but_one_folder_of_two_methods_is(run, results: Path) -> None:
    status, out, err = run("compare", results)
    assert (status, out) == (2, "")
    assert "nothing to compare with" in err
    assert "mondegreen summary" in err
    record = results / "1" / "record.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"preset": "paper"}))
    assert "imperceptible paper" in " ".join(run("compare", results)[1].split())


@pytest.mark.parametrize(("width", "tables"), [(200, [4]), (80, [3, 1]), (30, [1, 1, 1, 1])])
def test_more_columns_than_can_be_read_are_several_tables_and_nothing_is_cut_off(
    width: int,
    tables: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(output, "out", Console(width=width, soft_wrap=True))
    header = [f"imperceptible, experiments/2026-11-runs/number-{n}" for n in "abcd"]
    output.print_table(["", *header], [["first heard at, median", *"1234"], ["clips", *"5678"]])
    shown = capsys.readouterr().out
    found = [
        line.split() for line in shown.splitlines() if line.startswith("first heard at, median")
    ]
    assert [len(cells) - 4 for cells in found] == tables
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= width
