"""Engines: whatever carries the jobs, the records are the same."""

from __future__ import annotations

import json
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace

import pytest
from run_folders import QUICK, make_clips, mondegreen, records
from toy import speech

from mondegreen.audio.pcm import save
from mondegreen.errors import MondegreenError
from mondegreen.runs.config import RunConfig
from mondegreen.runs.engines import local
from mondegreen.runs.engines.base import make_engine, worker_devices, worker_threads
from mondegreen.runs.job import Assignment
from mondegreen.runs.manifest import Attacked

HOW = ("--workers", "2", "--threads", "1", "--max-passes", "60", "--json")


def config(**options: object) -> RunConfig:
    return RunConfig(clips="none", **options)


@pytest.mark.slow
def test_ray_and_processes_give_the_same_records_and_lose_the_same_clip(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    clips = make_clips(tmp_path / "clips", 4)
    save(clips / "deadly.wav", speech(9, 6001), 16_000)
    found = {}
    for engine in ("local", "ray"):
        out = tmp_path / engine
        ran = mondegreen(
            *("run", clips, *QUICK, "--victim", "toy_victims:dying", *HOW),
            *("--engine", engine, "--out", out),
        )
        told = json.loads(ran.stdout)
        assert (told["verified"], told["errors"]) == (4, 1), ran.stderr
        (note,) = out.glob("errors/*.json")
        assert "ended by itself" in json.loads(note.read_text())["error"]
        found[engine] = records(out)
    assert found["ray"] == found["local"]


@pytest.mark.slow
def test_batches_of_several_clips_are_the_same_by_either_engine(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    clips = make_clips(tmp_path / "clips", 4)
    for engine in ("local", "ray"):
        arguments = ("run", clips, *QUICK, *HOW, "--batch", "3", "--engine", engine)
        assert mondegreen(*arguments, "--out", tmp_path / engine).returncode == 0
    assert records(tmp_path / "ray") == records(tmp_path / "local")


def test_whoever_replaces_the_first_worker_must_have_its_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hired: list[Assignment] = []

    def hire(assignment: Assignment) -> local._Hand:
        """The first tells what it has loaded, and ends."""
        hired.append(assignment)
        ours, theirs = Pipe()
        if len(hired) == 1:
            theirs.send(Attacked("toy", "w" * 64, 16_000, None, ("cpu",)))
            theirs.close()
        return local._Hand(SimpleNamespace(join=lambda: None, exitcode=1), ours, assignment)

    monkeypatch.setattr(local._Hand, "hire", hire)
    engine = local.LocalEngine("run", config())
    engine.open()
    engine.wait(1.0)
    assert [assignment.weights for assignment in hired] == [None, "w" * 64]


def test_a_cluster_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with pytest.raises(MondegreenError, match="--engine local"):
        make_engine(str(tmp_path), config(engine="ray", ray_address="127.0.0.1:1"))


def test_without_ray_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "mondegreen.runs.engines.ray", raising=False)
    with pytest.raises(MondegreenError, match=r"mondegreen\[ray\]"):
        make_engine("run", config(engine="ray"))


@pytest.mark.parametrize(
    ("options", "devices", "jobs", "places", "expected"),
    [
        ({}, ["cpu"], 100, 4, ["cpu"] * 4),
        ({}, ["cpu"], 3, 4, ["cpu"] * 3),
        ({"workers": 2}, ["cpu"], 100, 4, ["cpu"] * 2),
        ({}, ["cuda:0", "cuda:1"], 100, 16, ["cuda:0", "cuda:1"]),
        ({"workers": 3}, ["cuda:0", "cuda:1"], 100, 16, ["cuda:0", "cuda:1", "cuda:0"]),
        ({}, ["cpu"], 0, 4, ["cpu"]),
    ],
)
def test_a_worker_for_each_device_or_processor(options, devices, jobs, places, expected) -> None:
    assert worker_devices(config(**options), devices, jobs, places) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, 1), ({"workers": 2}, 4), ({"workers": 3}, 2), ({"workers": 20}, 1), ({"threads": 5}, 5)],
)
def test_threads_are_divided_among_the_workers_asked_for(monkeypatch, options, expected) -> None:
    monkeypatch.setattr("mondegreen.runs.engines.base.processors", lambda: 8)
    assert worker_threads(config(**options)) == expected
