"""Engines: whatever carries the jobs, the records are the same."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from run_folders import QUICK, make_clips, mondegreen, records
from toy import speech

from mondegreen.audio.pcm import save
from mondegreen.errors import MondegreenError, VictimError
from mondegreen.runs.config import RunConfig
from mondegreen.runs.engines import local
from mondegreen.runs.engines.base import (
    FAILED_STARTS,
    Engine,
    Exited,
    Handle,
    make_engine,
    worker_devices,
    worker_threads,
)
from mondegreen.runs.job import Advanced, Assignment, Crashed, Ended, Event, Job, Lost
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
            *("--workers", "1", "--engine", engine, "--out", out),
        )
        told = json.loads(ran.stdout)
        assert (told["verified"], told["errors"]) == (4, 1), ran.stderr
        (note,) = out.glob("errors/*.json")
        assert "ended unexpectedly" in json.loads(note.read_text())["error"]
        found[engine] = records(out)
    assert found["ray"] == found["local"]


LOADED = Attacked("toy", "w" * 64, 16_000, None, None, "s" * 16, ("cpu",))
JOB = Job((), frozenset("a"))


class Recorded(Handle):
    """A worker that is sent jobs and does nothing."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__(assignment=assignment)
        self.sent: list[Job | None] = []
        self.killed = False

    def send(self, what: Job | None) -> None:
        self.sent.append(what)

    def kill(self) -> None:
        self.killed = True


class Scripted(Engine[Recorded]):
    """Workers that say what a test has them say."""

    def __init__(self, *says: object, workers: int = 1) -> None:
        self.launched: list[Recorded] = []
        self.script: list[tuple[int, object]] = list(enumerate(says))
        self.count = workers
        super().__init__("run", config())

    def launch(self, assignment: Assignment) -> Recorded:
        self.launched.append(Recorded(assignment))
        return self.launched[-1]

    def devices(self, attacked: Attacked, jobs: int) -> list[str]:
        return [f"cuda:{n}" for n in range(self.count)]

    def messages(self, seconds: float | None):
        while self.script:
            number, message = self.script.pop(0)
            yield self.launched[number], message

    def hear(self, *said: tuple[int, object]) -> list[Event]:
        """Let workers, by the order of their launch, say something."""
        self.script = list(said)
        return self.wait(1.0)


def opened(workers: int = 1) -> Scripted:
    engine = Scripted(LOADED, workers=workers)
    engine.grow(engine.open(), 9)
    return engine


def test_every_later_worker_must_have_the_weights_of_the_first() -> None:
    engine = opened(workers=2)
    engine.hear((0, Exited("out of memory")))
    assigned = [worker.assignment for worker in engine.launched]
    assert [assignment.weights for assignment in assigned] == [None, "w" * 64, "w" * 64]
    assert [assignment.device for assignment in assigned] == ["auto", "cuda:1", "auto"]


def test_jobs_go_to_workers_that_are_ready_and_idle() -> None:
    engine = opened(workers=2)
    assert [engine.start(JOB), engine.start(JOB)] == [True, False]  # the second is still loading
    assert engine.hear((1, LOADED)) == []
    assert [engine.start(JOB), engine.start(JOB)] == [True, False]
    advanced, ended = Advanced(JOB, 1, 2), Ended(JOB, ())
    assert engine.hear((0, advanced)) == [advanced]
    assert not engine.start(JOB)
    assert engine.hear((0, ended)) == [ended]
    assert engine.start(JOB)
    assert [len(worker.sent) for worker in engine.launched] == [2, 1]


def test_the_job_of_a_lost_worker_comes_back_and_another_takes_its_place() -> None:
    engine = opened()
    engine.start(JOB)
    assert engine.hear((0, Exited("signal SIGKILL"))) == [Crashed(JOB, "signal SIGKILL")]
    assert not engine.start(JOB)
    engine.hear((1, LOADED))
    assert engine.start(JOB)


def test_a_worker_that_cannot_start_is_given_up_and_the_others_go_on() -> None:
    engine = opened(workers=2)
    events = [engine.hear((1 + n, Exited("status 1"))) for n in range(FAILED_STARTS)]
    assert events[:-1] == [[]] * (FAILED_STARTS - 1)
    assert [type(event) for event in events[-1]] == [Lost]
    assert len(engine.launched) == 1 + FAILED_STARTS
    with pytest.raises(VictimError, match="no such weights"):
        engine.hear((0, VictimError("no such weights")))
    assert engine.workers == []


def test_a_start_that_succeeds_is_none_of_the_failed_ones_in_a_row() -> None:
    engine = opened(workers=2)
    for number in range(1, FAILED_STARTS):
        assert engine.hear((number, Exited("status 1"))) == []
    engine.hear((FAILED_STARTS, LOADED))
    assert engine.hear((FAILED_STARTS, Exited("status 1"))) == []
    assert engine.hear((FAILED_STARTS + 1, Exited("status 1"))) == []


@pytest.mark.parametrize(
    ("says", "match"),
    [
        ([Exited("status 1")] * FAILED_STARTS, "toy could not be loaded: status 1, 3 times"),
        ([VictimError("no such weights")], "no such weights"),
        ([], "did not answer"),
    ],
)
def test_a_first_worker_that_cannot_load_ends_the_run(says: list[object], match: str) -> None:
    engine = Scripted(*says)
    engine.config = config(victim="toy")
    with pytest.raises(VictimError, match=match):
        engine.open()


def test_a_first_worker_that_is_killed_while_it_loads_is_replaced() -> None:
    engine = Scripted(Exited("signal SIGKILL"), LOADED)
    assert engine.open() == LOADED
    assert engine.workers == engine.launched[1:]
    assert engine.start(JOB)
    assert [worker.sent for worker in engine.launched] == [[], [JOB]]


def test_while_another_worker_loads_one_that_cannot_does_not_end_the_run() -> None:
    engine = opened(workers=2)
    engine.hear((0, Exited("out of memory")))  # worker 2 takes its place
    assert [type(e) for e in engine.hear((2, VictimError("no memory")))] == [Lost]
    engine.hear((1, LOADED))
    assert engine.start(JOB)


def test_a_worker_that_ends_after_a_stop_is_not_replaced() -> None:
    engine = opened()
    engine.start(JOB)
    engine.stop()
    assert engine.hear((0, Exited("status 1"))) == [Crashed(JOB, "status 1")]
    assert (engine.launched[0].sent, engine.workers) == ([JOB, None], [])


def test_closing_ends_all_workers() -> None:
    engine = opened(workers=2)
    engine.close()
    assert [worker.killed for worker in engine.launched] == [True, True]


def test_how_a_process_ended_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "serve", exit_at_once)
    engine = local.LocalEngine("run", config())
    with pytest.raises(VictimError, match=r"its process ended unexpectedly \(status 7\)"):
        engine.open()
    engine.close()


def exit_at_once(*_: object) -> None:
    os._exit(7)


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
