"""The gate on runs: what it says, and that every format says the same."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from records import DRY
from report_runs import a_record, a_run
from typer.testing import CliRunner

from mondegreen.cli import app
from mondegreen.errors import MondegreenError
from mondegreen.findings import Finding
from mondegreen.results.sanity import keep_findings

TEMPORAL = asdict(DRY.quality)["temporal"]  # a margin of -6.5 dB
SOUND = Finding("items-damaged", "error", "ok", "none")
BELOW = ("--below", "margin:0")


def made(
    folder: Path, attackable: int, clips: int, findings: list[Finding] | None = None, **changes: Any
) -> Path:
    """A run, whose first clips are attackable at a margin of 1.5 dB, the others beyond."""
    cheap = {"temporal": {**TEMPORAL, "margin_db": 1.5}}
    beyond = {"verified": False, "heard": "Nothing."}
    records = {
        f"c{n:03}": a_record(
            **{"id": f"c{n:03}", **(cheap if n < attackable else beyond), **changes}
        )
        for n in range(clips)
    }
    run = a_run(folder, records)
    keep_findings(run, [SOUND] if findings is None else findings, sample=1, seed=0)
    return run


def gate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["gate", *map(str, arguments)])


def refused(*arguments: str | Path) -> str:
    """Why bad input is refused."""
    ran = gate(*arguments)
    assert isinstance(ran.exception, MondegreenError), ran.output  # exit status 2
    return str(ran.exception)


@pytest.mark.parametrize(
    ("attackable", "clips", "status", "words"),
    [(0, 59, 0, "passes"), (9, 59, 1, "fails"), (2, 59, 2, "cannot be judged")],
)
def test_a_run_passes_fails_or_cannot_be_judged(
    tmp_path: Path, attackable: int, clips: int, status: int, words: str
) -> None:
    run = made(tmp_path / "run", attackable, clips)
    ran = gate(run, "--allow", "5%", *BELOW)
    assert ran.exit_code == status, ran.output
    assert f"the gate {words}" in " ".join(ran.stdout.split())
    assert f"{attackable} of {clips} clips attackable" in ran.stdout
    data = json.loads(gate(run, "--allow", "5%", *BELOW, "--json").stdout)
    assert (data["verdict"], data["status"]) == (words, status)
    assert [one["price"] for one in data["attackable"]] == [1.5] * attackable
    assert data["at_any_price"] == attackable


def test_the_price_decides_what_counts(tmp_path: Path) -> None:
    run = made(tmp_path / "run", 59, 59)
    assert gate(run, "--allow", "5%", "--below", "margin:1.5").exit_code == 1
    assert gate(run, "--allow", "5%", "--below", "margin:1.6").exit_code == 0


def test_clips_without_a_text_leave_open_whether_they_are_understood(tmp_path: Path) -> None:
    known = gate(made(tmp_path / "known", 0, 59, understood=True), "--allow", "5%", *BELOW)
    bare = gate(made(tmp_path / "bare", 0, 59, understood=None), "--allow", "5%", *BELOW)
    assert (known.exit_code, bare.exit_code) == (0, 0)
    assert "whether it understands the clean clips" in bare.stdout
    assert "whether it understands the clean clips" not in known.stdout


@pytest.mark.parametrize(
    ("findings", "why"),
    [
        ([Finding("noise-succeeds", "error", "fires", "it does")], "fires: noise-succeeds"),
        (None, "; run mondegreen sanity RUN"),
    ],
)
def test_what_cannot_be_believed_is_not_judged(
    tmp_path: Path, findings: list[Finding] | None, why: str
) -> None:
    run = made(tmp_path / "run", 59, 59, findings)
    if findings is None:
        (run / "sanity.json").unlink()
    ran = gate(run, "--allow", "5%", *BELOW)
    assert ran.exit_code == 2
    assert why in ran.stdout


def test_a_check_of_severity_warning_stops_nothing(tmp_path: Path) -> None:
    doubtful = Finding("clean-not-understood", "warning", "fires", "some")
    run = made(tmp_path / "run", 0, 59, [doubtful])
    assert gate(run, "--allow", "5%", *BELOW).exit_code == 0


@pytest.mark.parametrize(("now", "status"), [(2, 0), (15, 1), (6, 2)])
def test_a_run_is_judged_against_an_earlier_one(tmp_path: Path, now: int, status: int) -> None:
    before = made(tmp_path / "before", 2, 110)
    run = made(tmp_path / "now", now, 110, victim="another")
    ran = gate(run, "--against", before, "--worse-by", "3%", *BELOW)
    assert ran.exit_code == status, ran.output
    assert f"{now - 2} attackable only now and 0 only before" in ran.stdout


def test_one_rule_that_fails_is_enough(tmp_path: Path) -> None:
    before = made(tmp_path / "before", 20, 30)
    run = made(tmp_path / "now", 12, 30)
    both = (run, "--against", before, "--worse-by", "3%", *BELOW)
    assert gate(*both).exit_code == 0
    assert gate(*both, "--allow", "5%").exit_code == 1
    assert gate(*both, "--allow", "40%").exit_code == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"max_passes": 50}, "max_passes"),
        ({"stages": "t" * 64}, "stages"),
        ({"target": "close the door"}, "10 clips with another target, such as c000"),
    ],
)
def test_what_was_attacked_otherwise_is_not_compared(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    before, run = made(tmp_path / "before", 1, 10), made(tmp_path / "now", 1, 10, **changes)
    ran = gate(run, "--against", before, "--worse-by", "3%", *BELOW)
    assert ran.exit_code == 2
    assert why in ran.stdout


def test_other_clips_or_recordings_are_not_compared(tmp_path: Path) -> None:
    before, run = made(tmp_path / "before", 1, 10), made(tmp_path / "now", 1, 11)
    against = (run, "--against", before, "--worse-by", "3%", *BELOW)
    assert "1 clip in only one of them, such as c010" in gate(*against).stdout
    for folder, digest in ((before, "a"), (run, "b")):
        (folder / "clips.jsonl").write_text(
            "".join(
                json.dumps(
                    {"key": f"c{n:03}", "id": f"c{n:03}", "audio_filepath": "x", "sha256": digest}
                )
                + "\n"
                for n in range(11 if folder is run else 10)
            )
        )
    same = made(tmp_path / "same", 1, 10)
    (same / "clips.jsonl").write_text((before / "clips.jsonl").read_text().replace('"a"', '"b"'))
    ran = gate(same, "--against", before, "--worse-by", "3%", *BELOW)
    assert (ran.exit_code, "10 clips with another recording" in ran.stdout) == (2, True)


def test_an_earlier_run_that_was_not_checked_is_not_compared_with(tmp_path: Path) -> None:
    before, run = made(tmp_path / "before", 1, 10), made(tmp_path / "now", 1, 10)
    (before / "sanity.json").unlink()
    ran = gate(run, "--against", before, "--worse-by", "3%", *BELOW)
    assert (ran.exit_code, "the numbers of before" in ran.stdout) == (2, True)


def unjudged(*arguments: str | Path) -> str:
    """Why a run cannot be judged."""
    ran = gate(*arguments, "--allow", "5%", *BELOW)
    assert ran.exit_code == 2, ran.output
    return " ".join(ran.stdout.split())


def test_runs_without_a_price_cannot_be_judged(tmp_path: Path) -> None:
    failed = a_run(tmp_path / "failed", {}, {"c1": "no"})
    assert "none is finished" in unjudged(failed)
    assert "does not exist" in unjudged(tmp_path / "nowhere")
    bare = made(tmp_path / "bare", 3, 3, temporal=None, unmeasured={"temporal": "it failed"})
    assert "it failed (c000)" in unjudged(bare)


def test_clips_of_several_kinds_or_of_one_name_cannot_be_judged(tmp_path: Path) -> None:
    twice = made(tmp_path / "twice", 1, 2, id="c")
    assert "holds clip c more than once" in unjudged(twice)
    mixed = a_run(tmp_path / "mixed", {n: a_record(id=n, victim=n) for n in ("a", "b")})
    assert "several kinds (a, b)" in unjudged(mixed)
    alike = {n: a_record(id=n, clip_sha256="a" * 64) for n in ("a", "b")}
    assert "b in" in (why := unjudged(a_run(tmp_path / "alike", alike)))
    assert "is a copy of a: the same samples with the same target" in why
    uneven = {n: a_record(id=n, max_passes=passes) for n, passes in (("a", 5), ("b", 50))}
    other = a_run(tmp_path / "uneven", uneven)
    assert "not attacked alike" in unjudged(other)


def test_flags_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    run = made(tmp_path / "run", 1, 2)
    assert "Nothing to judge by" in refused(run, *BELOW)
    assert "go together" in refused(run, "--worse-by", "3%", *BELOW)
    assert "go together" in refused(run, "--against", run, *BELOW)
    assert "by which no price is taken" in refused(run, "--allow", "5%", "--below", "loudness:0")
    assert "price is not a number" in refused(run, "--allow", "5%", "--below", "margin:low")
    assert "goes from 1 to 5" in refused(run, "--allow", "5%", "--below", "zimtohrli:9")
    assert "as 5%" in refused(run, "--allow", "0.05", "--below", "margin:0")
    assert "expected a share" in refused(run, "--allow", "5", *BELOW)
