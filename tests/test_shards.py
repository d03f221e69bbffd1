"""Shards: parts of a run, attacked apart, are the run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import QUICK, environment, make_clips, mondegreen, records, rows

from mondegreen.errors import OptionError
from mondegreen.runs.config import RunConfig
from mondegreen.runs.shards import Merged, merge

OPTIONS = """
victim = "toy_victims:linear"
target = "open the door"
dtype = "float64"
method = "carlini-wagner"
max_passes = 30
workers = 1
threads = 1
"""
JOB = Path(__file__).parents[1] / "examples" / "slurm" / "array.sbatch"
RUN = (
    *QUICK,
    "--workers",
    "1",
    "--threads",
    "1",
    "--max-passes",
    "30",
    "--method",
    "carlini-wagner",
)


def ran(clips: Path, out: Path, *more: str) -> Path:
    found = mondegreen("run", clips, *RUN, "--out", out, *more)
    assert found.returncode == 0, found.stderr
    return out


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[Path]]:
    """Three clips, the run of all, and the two shards of it."""
    folder = tmp_path_factory.mktemp("shards")
    clips = make_clips(folder / "clips", 3)
    parts = [ran(clips, folder / f"part-{n}", "--shard", f"{n}/2") for n in (1, 2)]
    return clips, ran(clips, folder / "whole"), parts


@pytest.mark.slow
def test_merged_shards_are_what_one_machine_leaves(
    whole: tuple[Path, Path, list[Path]], tmp_path: Path
) -> None:
    clips, alone, parts = whole
    assert [len(rows(part)) for part in parts] == [2, 1]
    assert merge(parts[::-1], tmp_path / "run") == Merged(clips=3, finished=3, errors=0)
    assert rows(tmp_path / "run") == rows(alone)
    assert records(tmp_path / "run") == records(alone)
    again = mondegreen("run", clips, *RUN, "--out", tmp_path / "run")
    assert "3 of 3 finished" in again.stderr  # the same command finds nothing left to do
    assert again.returncode == 0


@pytest.mark.slow
def test_what_is_left_of_merged_shards_is_resumed(
    whole: tuple[Path, Path, list[Path]], tmp_path: Path
) -> None:
    clips, alone, parts = whole
    cut = shutil.copytree(parts[0], tmp_path / "cut")
    shutil.rmtree(cut / "items" / rows(cut)[1]["key"])
    done = mondegreen("merge", parts[1], cut, "--out", tmp_path / "run")
    assert done.returncode == 1
    assert "left               1" in done.stdout
    ran(clips, tmp_path / "run")
    assert records(tmp_path / "run") == records(alone)


@pytest.mark.slow
def test_what_is_no_whole_run_is_refused(
    whole: tuple[Path, Path, list[Path]], tmp_path: Path
) -> None:
    clips, alone, (first, second) = whole
    for shards, why in (
        ([first], "1 shard of 2; missing: 2"),
        ([first, first], "are both shard 1 of 2"),
        ([first, alone], "is a shard of another run"),
        ([first, clips], "is not the folder of a run"),
    ):
        with pytest.raises(OptionError, match=why):
            merge(shards, tmp_path / "run")
    with pytest.raises(OptionError, match="holds no run"):
        merge([first, second], clips)
    other = mondegreen("run", clips, *RUN, "--out", first, "--shard", "2/2")
    assert other.returncode == 2
    assert "is the folder of another run" in other.stderr


@pytest.mark.slow
def test_the_array_job_runs_its_shard(whole: tuple[Path, Path, list[Path]], tmp_path: Path) -> None:
    clips, _, _ = whole
    (tmp_path / "bin").mkdir()
    stub = tmp_path / "bin" / "mondegreen"
    stub.write_text(f'#!/bin/sh\nexec {sys.executable} -m mondegreen "$@"\n')
    stub.chmod(0o755)
    (tmp_path / "options.toml").write_text(OPTIONS)
    own = environment() | {"CLIPS": str(clips), "OPTIONS": "--config options.toml"}
    own["PATH"] = f"{stub.parent}:{own['PATH']}"
    for number in ("1", "2"):
        job = own | {"SLURM_ARRAY_TASK_ID": number, "SLURM_ARRAY_TASK_COUNT": "2"}
        done = subprocess.run(["bash", JOB], env=job, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    found = merge(list((tmp_path / "parts").iterdir()), tmp_path / "run")
    assert found == Merged(clips=3, finished=3, errors=0)


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "1/0", "-1/2", "a/b"])
def test_a_shard_that_there_cannot_be_is_refused(shard: str) -> None:
    with pytest.raises(OptionError, match="shard"):
        RunConfig(clips="x", shard=shard)
