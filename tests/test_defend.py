"""Defences put to the test: the rows of closed cases, and the command on toys from end to end."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from records import DRY, QUALITY
from run_folders import make_clips, mondegreen
from typer.testing import CliRunner

from mondegreen.cli import app
from mondegreen.defending.defence import ALL, Defence
from mondegreen.defending.defend import plan
from mondegreen.defending.hearing import Heard
from mondegreen.defending.row import Evidence, Rate, row
from mondegreen.errors import MondegreenError, OptionError, VictimError
from mondegreen.findings import Finding
from mondegreen.results.record import Record
from mondegreen.text import WordErrors

PCM = Defence.of("pcm:6", 16_000)
NOISE = Defence.of("noise:20", 16_000)
TEMPORAL = Defence.of("temporal", 16_000)


def heard(name: str, clean: str, *adversarial: str, verified: bool = True) -> Heard:
    texts = (clean,) * len(adversarial)
    said = "nothing at all"
    return Heard(name, "open the door", said, 2.0, verified, "default", texts, adversarial, 0.5)


def record(name: str, snr: float, *, verified: bool = True, mos: float = 4.4) -> Record:
    quality = replace(QUALITY, snr_db=snr, zimtohrli_mos=mos)
    return replace(DRY, id=name, quality=quality, verified=verified)


def evidence(**changed: object) -> Evidence:
    plain = Evidence(
        defence=PCM,
        heard=[
            heard("a", "nothing at all", "open the door"),
            heard("b", "nothing at", "nothing at all"),
        ],
        before=[record("a", 30.0, mos=4.8), record("b", 28.0, mos=4.6)],
        adaptive=[record("a", 24.0, mos=4.1), record("b", 25.0, mos=4.5)],
        heard_adaptive=[],
        clips=2,
        findings=[Finding("gradient-zero", "error", "ok", "fine")],
    )
    return replace(plain, **changed)  # type: ignore[arg-type]


def test_a_row_says_what_a_defence_costs_and_what_an_attack_pays() -> None:
    found = row(evidence())
    assert found.cost.wer is not None
    assert found.cost.wer.rate == 1 / 6  # one word of six is missing
    assert found.cost.without is not None
    assert found.cost.without.rate == 0
    assert (found.oblivious.heard.hits, found.oblivious.heard.clips) == (1, 2)
    assert found.price is not None
    assert (found.price.louder_db, found.price.loudest_db) == (4.5, 6.0)  # of 6 and 3
    assert found.price.zimtohrli == pytest.approx((0.7 + 0.1) / 2)
    assert found.result == "broken"


def test_a_row_that_fails_a_check_is_not_evaluated_whatever_its_numbers() -> None:
    fired = Finding("unbounded-fails", "error", "fires", "without a bound, 0 of 1 clips")
    found = row(evidence(findings=[fired]))
    assert found.result == "not evaluated"
    assert "unbounded-fails" in found.why


def test_half_of_the_clips_do_not_break_a_defence() -> None:
    one = [record("a", 24.0), record("b", 25.0, verified=False)]
    assert row(evidence(adaptive=one)).result.startswith("not broken")


def test_clips_that_could_not_be_attacked_do_not_speak_for_a_defence() -> None:
    found = row(evidence(adaptive=[record("a", 24.0)], clips=2))
    assert (found.adaptive.won.hits, found.adaptive.won.clips) == (1, 2)
    assert found.result == "not evaluated"  # the other could have decided it
    assert "1 could not be attacked" in found.why
    two = [record("a", 24.0), record("b", 25.0)]
    assert row(evidence(adaptive=two, clips=3)).result == "broken"  # it could not
    lost = [record("a", 24.0, verified=False), record("b", 25.0, verified=False)]
    assert row(evidence(adaptive=lost, clips=3)).result.startswith("not broken")


def test_an_attack_wins_against_a_detector_only_where_it_is_not_found() -> None:
    clean = [
        replace(heard(n, "x", "y"), clean_score=s, score=0.9) for n, s in (("a", 0.1), ("b", 0.3))
    ]
    files = [replace(heard(n, "x", "y"), score=s) for n, s in (("a", 0.3), ("b", 0.31))]
    found = row(evidence(defence=TEMPORAL, heard=clean, heard_adaptive=files))
    assert found.adaptive.verified.hits == 2
    assert found.adaptive.won.hits == 1
    assert found.detected is not None
    assert found.detected.auc == 1.0


def test_a_defence_that_nothing_could_be_attacked_through_is_not_evaluated() -> None:
    assert row(evidence(adaptive=[], findings=[])).result == "not evaluated"


def test_a_clip_that_was_attacked_only_once_has_no_price() -> None:
    assert row(evidence(adaptive=[record("other", 20.0)])).price is None


def test_what_is_random_counts_as_heard_in_more_than_half_of_its_draws() -> None:
    target, other = "open the door", "nothing at all"
    draws = [heard("a", other, target, target, other), heard("b", other, target, other, other)]
    found = row(evidence(defence=NOISE, heard=draws, heard_adaptive=draws))
    assert found.adaptive.verified.hits == 2
    assert found.adaptive.won.hits == 1
    assert (found.oblivious.heard.hits, found.oblivious.heard.clips) == (1, 2)
    assert found.adaptive.anew == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_words_are_wrong_only_where_it_is_known_what_is_said() -> None:
    unknown = [replace(one, text=None) for one in evidence().heard]
    found = row(evidence(heard=unknown, before=[replace(record("a", 30.0), text=None)]))
    assert (found.cost.wer, found.cost.without, found.oblivious.recovered) == (None, None, None)
    some = row(evidence(heard=[unknown[0], *evidence().heard[1:]]))
    assert some.cost.wer is not None
    assert (some.cost.wer.clips, some.cost.wer.rate) == (1, 1 / 3)


def test_the_passes_of_a_row_are_those_of_the_recogniser() -> None:
    names = ("pcm:6", "noise:20", "smooth:20:5", "disagree:noise:20", "temporal")
    assert [Defence.of(name, 16_000).passes for name in names] == [1, 4, 5, 8, 2]
    kinds = [Defence.of(name, 16_000).gradient for name in ("disagree:pcm:6", "average:3")]
    assert kinds == ["straight-through", "its own"]


def test_the_interval_of_a_rate_is_over_clips() -> None:
    same = Rate.of([[WordErrors(1, 4)]] * 9)
    assert same is not None
    assert (same.rate, same.low, same.high) == (0.25, 0.25, 0.25)
    apart = Rate.of([[WordErrors(0, 4)]] * 5 + [[WordErrors(4, 4)]] * 5)
    assert apart is not None
    assert apart.low < 0.25 < apart.rate == 0.5 < 0.75 < apart.high
    assert Rate.of([]) is None


def test_every_defence_that_is_tried_unless_others_are_named_is_there() -> None:
    found = [Defence.of(spec, 16_000) for spec in ALL]
    assert len({one.slug for one in found}) == len(ALL)
    assert sum(one.kind == "channel" for one in found) >= 6
    assert sum(one.kind == "detector" for one in found) == 3
    assert len(found) >= 18
    with pytest.raises(OptionError, match="no link"):
        Defence.of("no-such-thing", 16_000)


TARGET = ("--victim", "toy_victims:linear", "--target", "open the door", "--dtype", "float64")
ONE = (*TARGET, "--workers", "1", "--threads", "1", "--budget", "150", "--sample", "1")


@pytest.mark.slow
def test_the_command_from_end_to_end(tmp_path: Path) -> None:
    clips, out = make_clips(tmp_path / "clips", 2), tmp_path / "out"
    asked = ("--with", "gain:-1", "--with", "toy_victims:whisper", "--out", out)
    first = mondegreen("defend", clips, *ONE, *asked, "--json")
    assert first.returncode == 1, first.stderr  # one row is not evaluated
    rows = {one["defence"]: one for one in map(json.loads, first.stdout.splitlines())}

    # a tenth quieter: a linear victim has to be pushed further
    quieter = rows["gain:-1"]
    assert quieter["result"] == "broken"
    assert quieter["adaptive"]["verified"]["hits"] == 2
    assert quieter["price"]["louder_db"] > 0

    hushed = rows["toy_victims:whisper"]
    assert hushed["result"] == "not evaluated"
    assert hushed["adaptive"]["verified"]["hits"] == 0
    assert hushed["oblivious"]["heard"]["hits"] == 0

    assert json.loads((out / "defend.json").read_text())["rows"] == list(rows.values())
    with (out / "defend.csv").open(encoding="utf-8", newline="") as file:
        assert [line["defence"] for line in csv.DictReader(file)] == list(rows)
    page = (out / "report.html").read_text()
    assert "toy_victims:whisper" in page
    assert "not evaluated" in page
    assert "robust" not in page
    assert (out / "clips.html").is_file()

    items = {path: path.stat().st_mtime_ns for path in out.glob("**/record.json")}
    finished = ["defend", *map(str, (out / "without", *asked))]
    refused = CliRunner().invoke(app, [*finished, "--budget", "30"])
    assert isinstance(refused.exception, MondegreenError)  # exit status 2
    assert "another max_passes" in str(refused.exception)
    unasked = CliRunner().invoke(app, finished)
    assert "may not run code" in str(unasked.exception)  # a folder may be anybody's
    again = mondegreen("defend", out / "without", *TARGET[:2], *asked, "--sample", "1", "--json")
    assert list(map(json.loads, again.stdout.splitlines())) == list(rows.values())
    assert items == {path: path.stat().st_mtime_ns for path in out.glob("**/record.json")}


@pytest.mark.parametrize("spec", ["no-such-thing", "pcm:99", "gone:away"])
def test_what_nobody_can_put_to_the_test_is_refused_before_any_work(
    spec: str, tmp_path: Path
) -> None:
    flags = {"victim": "moonshine-tiny-ctc", "target": "open the door"}
    with pytest.raises((OptionError, VictimError), match=spec.partition(":")[0]):
        plan(str(tmp_path), flags, [spec], tmp_path / "out", sample=1)
    assert not (tmp_path / "out").exists()


def test_what_is_not_installed_is_left_out_of_what_nobody_asked_for(tmp_path: Path) -> None:
    flags, missing = {"victim": "moonshine-tiny-ctc", "target": "open the door"}, list[str]()
    specs = ["gone:away", "pcm:6"]
    found = plan(str(tmp_path), flags, specs, tmp_path / "out", 1, missing.append)
    assert [one.spec for one in found.defences] == ["pcm:6"]
    assert [line.partition(" ")[0] for line in missing] == ["gone:away"]
