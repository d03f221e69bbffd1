"""What a run will cost, said beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from run_folders import QUICK, make_clips
from typer.testing import CliRunner

from mondegreen.cli import app
from mondegreen.errors import OptionError
from mondegreen.runs.config import RunConfig
from mondegreen.runs.estimate import estimate

ASKED = {
    "victim": "toy_victims:linear",
    "target": "open the door",
    "dtype": "float64",
    "max_passes": 120,
    "device": "cpu",
}


def test_passes_and_bytes_are_those_of_all_clips(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips", 3)  # of 6000, 6100 and 6200 samples
    found = estimate(RunConfig(clips=str(clips), workers=2, **ASKED))
    alone = estimate(RunConfig(clips=str(clips), limit=1, workers=1, **ASKED))
    assert (found.clips, found.cannot_be_attacked, found.workers) == (3, 0, 2)
    assert found.passes == 3 * 120
    assert found.measured_on == "c01"  # the clip of median length
    assert alone.passes == 120
    assert found.bytes == pytest.approx(3 * alone.bytes, rel=0.1)
    a_clip = 120 * found.seconds_a_pass + found.seconds_after
    assert found.hours == pytest.approx(3 * a_clip / 2 / 3600)


def test_what_cannot_be_attacked_is_counted_and_nothing_is_left_behind(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips", 2)
    (clips / "x.wav").write_bytes(b"no sound")
    ran = CliRunner().invoke(
        app, ["run", str(clips), *QUICK, "--max-passes", "110", "--dry-run", "--json"]
    )
    assert ran.exit_code == 0, ran.output
    data = json.loads(ran.stdout)
    assert (data["clips"], data["cannot_be_attacked"], data["passes"]) == (3, 1, 220)
    assert {path.name for path in tmp_path.iterdir()} == {"clips"}


def test_a_budget_of_one_step_is_estimated_too(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips", 1)
    found = estimate(RunConfig(clips=str(clips), **ASKED | {"max_passes": 1}))
    assert found.passes == 1
    assert found.seconds_a_pass > 0


def test_a_run_of_which_no_clip_can_be_attacked_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "x.wav").write_bytes(b"no sound")
    with pytest.raises(OptionError, match=r"No clip of .* can be attacked"):
        estimate(RunConfig(clips=str(tmp_path / "clips"), **ASKED))


@pytest.mark.parametrize(
    "during",
    [
        "mondegreen.attacks.proof._heard",
        "mondegreen.attacks.attack.trail",
        "mondegreen.attacks.result.rated",
        "mondegreen.attacks.result.levels",
    ],
)
def test_an_estimate_that_is_stopped_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    clips = make_clips(tmp_path / "clips", 1)
    monkeypatch.setattr(during, stopped)
    with pytest.raises(KeyboardInterrupt):
        estimate(RunConfig(clips=str(clips), **ASKED))
