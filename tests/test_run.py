"""Runs over data sets: what they leave, what they refuse, and what they survive."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_runs import sound_item
from run_folders import QUICK, command, environment, make_clips, mondegreen, records, rows
from toy import speech
from typer.testing import CliRunner

from mondegreen.audio.pcm import save
from mondegreen.cli import app
from mondegreen.errors import MondegreenError, OptionError, StorageError
from mondegreen.files import part_name
from mondegreen.options import Options
from mondegreen.results.record import OnNews, Point, Record
from mondegreen.runs.config import RunConfig, read_config
from mondegreen.runs.job import (
    ATTEMPTS,
    Advanced,
    Crashed,
    Ended,
    Event,
    Finished,
    Halted,
    Job,
    Lost,
    Refused,
)
from mondegreen.runs.ledger import Ledger
from mondegreen.runs.manifest import Attacked
from mondegreen.runs.run import Tally, make_jobs, run
from mondegreen.search.presets import PRESETS, fingerprint, stages_for

ONE = ("--workers", "1", "--threads", "1")
MOUNTS = (
    shutil.which("unshare") is not None
    and subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True
    ).returncode
    == 0
)


# ---- a driver with an engine that needs no processes


class Scripted:
    """An engine of so many workers, which do with a job what a function says."""

    weights, stages = "w" * 64, "s" * 16

    def __init__(self, does: Callable[[Job], list[Event]], workers: int = 2) -> None:
        self.does, self.workers = does, workers
        self.given: list[Job] = []
        self.waiting: list[Event] = []
        self.notes: list[str] = []
        self.busy = 0
        self.stopped = self.opened = self.closed = False

    def open(self) -> Attacked:
        self.opened = True
        return Attacked("toy", self.weights, 16_000, None, None, self.stages, ("cpu",))

    def grow(self, attacked: Attacked, jobs: int) -> int:
        return min(self.workers, jobs)

    def start(self, job: Job) -> bool:
        if self.busy == self.workers:
            return False
        self.busy += 1
        self.given.append(job)
        self.waiting += self.does(job)
        return True

    def wait(self, seconds: float) -> list[Event]:
        assert self.waiting, "nothing will ever happen"
        events, self.waiting = self.waiting, []
        self.busy -= sum(isinstance(event, Ended | Crashed) for event in events)
        return events

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True


def succeeding(job: Job) -> list[Event]:
    done = tuple(Finished(key, verified=True) for key in sorted(job.wanted))
    return [Advanced(job, 1, 2), Ended(job, done)]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    return make_clips(tmp_path / "clips", 5)


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clips: Path):
    """A run in this process, by a scripted engine."""

    def call(
        does: Callable[[Job], list[Event]],
        out: Path = tmp_path / "run",
        force_new: bool = False,
        on_news: OnNews | None = None,
        **options: object,
    ) -> tuple[Tally, Scripted]:
        engine = Scripted(does)
        monkeypatch.setattr("mondegreen.runs.run.make_engine", lambda *_: engine)
        options = {"clips": str(clips)} | options
        config = read_config(None, {"target": "open the door", **options})
        try:
            return run(config, out, force_new=force_new, on_news=on_news), engine
        finally:
            assert engine.closed or not engine.opened

    return call


def test_every_clip_is_given_out_once_the_longest_first(drive) -> None:
    tally, engine = drive(succeeding)
    assert (tally.clips, tally.verified, tally.done) == (5, 5, 5)
    ids = [row.id for job in engine.given for row in job.rows]
    assert ids == ["c04", "c03", "c02", "c01", "c00"]


def test_a_clip_that_this_call_finishes_is_news(drive, tmp_path: Path) -> None:
    """Each point of its curve, then its record."""

    def attacking(job: Job) -> list[Event]:
        for key in job.wanted:
            sound_item(tmp_path / "run" / "items" / key, id=job.rows[0].id, key=key)
        return succeeding(job)

    news: list[tuple[str, Point | Record]] = []
    drive(attacking, limit=2, on_news=lambda *what: news.append(what))
    told = [what for _, what in news if isinstance(what, Record)]
    assert len({record.id for record in told}) == 2
    in_order = [(one.id, what) for one in told for what in (*one.curve, one)]
    assert (news, len(news) > 2) == (in_order, True)
    drive(attacking, limit=2, on_news=lambda *what: news.append(what))
    assert len(news) == len(in_order)


def test_batches_are_of_like_length(drive) -> None:
    _, engine = drive(succeeding, batch=2)
    assert [[row.id for row in job.rows] for job in engine.given] == [
        ["c04", "c03"],
        ["c02", "c01"],
        ["c00"],
    ]


def test_a_batch_that_crashes_is_tried_again_then_its_clips_alone_then_they_are_errors(
    drive, tmp_path: Path
) -> None:
    def does(job: Job) -> list[Event]:
        if any(row.id == "c03" for row in job.rows):
            return [Crashed(job, "out of memory")]
        return succeeding(job)

    tally, engine = drive(does, batch=2)
    assert (tally.verified, tally.errors) == (4, 1)
    together = [job for job in engine.given if len(job.rows) == 2 and job.rows[1].id == "c03"]
    alone = [job for job in engine.given if [row.id for row in job.rows] == ["c03"]]
    assert (len(together), len(alone)) == (ATTEMPTS, ATTEMPTS)
    (note,) = (tmp_path / "run" / "errors").iterdir()
    told = json.loads(note.read_text())
    assert (told["id"], told["error"], told["attempts"]) == ("c03", "out of memory", ATTEMPTS)


def test_a_clip_that_is_refused_is_an_error_at_once(drive) -> None:
    def does(job: Job) -> list[Event]:
        return [Ended(job, tuple(Refused(key, "no speech") for key in job.wanted))]

    tally, engine = drive(does)
    assert (tally.errors, len(engine.given)) == (5, 5)


def test_errors_come_up_again_with_the_next_call(drive) -> None:
    drive(lambda job: [Ended(job, tuple(Refused(key, "no") for key in job.wanted))])
    tally, _ = drive(succeeding)
    assert (tally.verified, tally.errors) == (5, 0)


def test_where_nothing_can_be_written_the_run_ends_and_says_so(drive) -> None:
    with pytest.raises(StorageError, match="No space left"):
        drive(lambda job: [Halted("the disk is full: No space left on device")])


def test_what_a_worker_has_to_say_is_a_note_with_the_clips_name(drive) -> None:
    tally, _ = drive(lambda job: [replace(succeeding(job)[1], notes=("it starts again",))], limit=1)
    (note,) = tally.notes
    assert note.endswith(": it starts again")
    assert note[:3] in {"c00", "c01", "c02", "c03", "c04"}


def test_late_news_of_a_job_that_has_ended_does_not_keep_the_run_waiting(drive) -> None:
    tally, _ = drive(lambda job: succeeding(job)[::-1])
    assert (tally.verified, tally.jobs) == (5, {})


def test_a_recording_that_is_not_there_is_an_error_and_not_given_out(
    drive, tmp_path: Path, clips: Path
) -> None:
    listed = tmp_path / "list.jsonl"
    lines = [{"audio_filepath": str(clips / f"c0{i}.wav"), "text": "x"} for i in range(2)]
    lines.append({"audio_filepath": str(clips / "gone.wav"), "text": "x"})
    listed.write_text("\n".join(json.dumps(line) for line in lines))
    tally, engine = drive(succeeding, clips=str(listed))
    assert (tally.clips, tally.verified, tally.errors) == (3, 2, 1)
    assert len(engine.given) == 2
    assert "gone.wav" in tally.notes[0]
    # and once it is there, it is a clip like others
    shutil.copy(clips / "c02.wav", clips / "gone.wav")
    tally, engine = drive(succeeding, clips=str(listed))
    assert tally.notes == ["resuming: 0 of 3 finished, 0 under way"]
    assert "gone" in [row.id for job in engine.given for row in job.rows]


def test_the_same_sound_and_target_twice_is_attacked_once(
    drive, tmp_path: Path, clips: Path
) -> None:
    shutil.copy(clips / "c00.wav", clips / "copy.wav")
    tally, engine = drive(succeeding)
    assert (tally.clips, len(engine.given)) == (5, 5)
    assert "attacked once" in tally.notes[0]


@pytest.mark.parametrize("change", [{"seed": 1}, {"method": "carlini-wagner"}, {"limit": 2}])
def test_a_changed_configuration_is_refused_with_the_difference(drive, change) -> None:
    drive(succeeding)
    with pytest.raises(OptionError, match=next(iter(change))):
        drive(succeeding, **change)


@pytest.mark.parametrize("change", [{"batch": 2}, {"workers": 1}, {"checkpoint_seconds": 5.0}])
def test_how_it_is_run_may_change(drive, change) -> None:
    drive(succeeding)
    drive(succeeding, **change)


def test_a_run_among_its_recordings_does_not_take_its_results_for_clips(
    drive, tmp_path: Path, clips: Path
) -> None:
    drive(succeeding, out=clips / "run")
    item = clips / "run" / "items" / "key"
    item.mkdir()
    shutil.copy(clips / "c00.wav", item / "adversarial.wav")
    tally, _ = drive(succeeding, out=clips / "run")
    assert tally.clips == 5


def test_other_clips_in_the_same_folder_are_refused(drive, clips: Path) -> None:
    drive(succeeding)
    shutil.copy(clips / "c00.wav", clips / "another.wav")
    with pytest.raises(OptionError, match=r"another\.wav"):
        drive(succeeding)


def test_a_clip_that_has_vanished_is_still_one_of_the_run(drive, clips: Path) -> None:
    def all_but_one(job: Job) -> list[Event]:
        if job.rows[0].id == "c02":
            return [Ended(job, ())]
        return succeeding(job)

    drive(all_but_one)
    (clips / "c02.wav").unlink()
    tally, engine = drive(succeeding)
    assert tally.clips == 5
    assert "c02" in [row.id for job in engine.given for row in job.rows]  # who tells why it fails


def test_clips_that_were_not_drawn_may_come_and_go(drive, clips: Path) -> None:
    _, engine = drive(succeeding, limit=2)
    drawn = {row.id for job in engine.given for row in job.rows}
    spare = next(path for path in sorted(clips.iterdir()) if path.stem not in drawn)
    spare.unlink()
    shutil.copy(clips / f"{drawn.pop()}.wav", clips / "new.wav")
    tally, _ = drive(succeeding, limit=2)
    assert tally.clips == 2


def test_of_two_files_of_one_name_either_may_vanish(drive, tmp_path: Path, clips: Path) -> None:
    for folder in ("a", "b"):
        (clips / folder).mkdir()
        save(clips / folder / "same.wav", speech(ord(folder), 6000), 16_000)
    drive(succeeding)
    shutil.rmtree(clips / "a")
    tally, _ = drive(succeeding)
    assert tally.clips == 7


def test_rows_that_were_changed_in_a_manifest_are_refused(
    drive, tmp_path: Path, clips: Path
) -> None:
    listed = tmp_path / "list.jsonl"
    lines = [{"audio_filepath": str(clips / f"c0{i}.wav"), "text": f"t{i}"} for i in range(2)]
    listed.write_text("\n".join(json.dumps(line) for line in lines))
    drive(succeeding, clips=str(listed))
    for text in ('{"audio_filepath": "%s", "text": "t0"}', '{"audio_filepath": "%s", "text": "x"}'):
        listed.write_text(text % (clips / "c00.wav"))
        with pytest.raises(OptionError, match="over other clips"):
            drive(succeeding, clips=str(listed))


def test_runs_among_the_recordings_are_no_recordings(drive, clips: Path) -> None:
    drive(succeeding, out=clips / "run")
    shutil.copytree(clips / "run", clips / "run-1")
    (clips / "run-1" / "items" / "key").mkdir()
    shutil.copy(clips / "c00.wav", clips / "run-1" / "items" / "key" / "adversarial.wav")
    tally, _ = drive(succeeding, out=clips / "run")
    assert tally.clips == 5


def test_a_worker_that_cannot_be_replaced_is_one_fewer(drive) -> None:
    told = []

    def does(job: Job) -> list[Event]:
        events = [] if told else [Lost("a worker cannot load toy: too little memory")]
        told.append(job)
        return [*succeeding(job), *events]

    tally, _ = drive(does)
    assert (tally.verified, tally.workers) == (5, 1)
    assert "too little memory" in tally.notes[0]


def test_other_weights_under_the_same_name_are_refused(drive, monkeypatch) -> None:
    drive(succeeding)
    monkeypatch.setattr(Scripted, "weights", "v" * 64)
    with pytest.raises(OptionError, match="weights"):
        drive(succeeding)


def test_after_a_preset_has_changed_a_run_does_not_mix_two_attacks(
    drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stages() -> str:
        return fingerprint(stages_for(Options()))

    monkeypatch.setattr(Scripted, "stages", property(lambda _: stages()))
    drive(succeeding)
    before = stages()
    norm, nearest = PRESETS["imperceptible"]["fast"]
    changed = {"fast": (replace(norm, steps=norm.steps + 1), nearest)}
    monkeypatch.setitem(PRESETS, "imperceptible", changed)
    assert stages() != before
    with pytest.raises(OptionError) as refused:
        drive(succeeding)
    said = f'its stages is "{before}", not "{stages()}"'
    assert said in str(refused.value)
    drive(succeeding, force_new=True)
    keys = [[row["key"] for row in rows(tmp_path / name)] for name in ("run", "run-1")]
    assert not set(keys[0]) & set(keys[1])


def test_a_folder_of_something_else_is_refused(drive, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").touch()
    with pytest.raises(OptionError, match=r"thesis\.tex"):
        drive(succeeding)
    (tmp_path / "run" / "thesis.tex").unlink()
    drive(succeeding)  # an empty one is as good as none


def test_a_folder_that_only_looks_like_a_run_is_left_alone(drive, tmp_path: Path) -> None:
    precious = tmp_path / "run" / "items" / ".git" / "HEAD"
    precious.parent.mkdir(parents=True)
    precious.touch()
    (tmp_path / "run" / "thesis.tex").touch()
    with pytest.raises(OptionError, match=r"thesis\.tex"):
        drive(succeeding)
    (tmp_path / "run" / "thesis.tex").unlink()
    drive(succeeding)
    assert precious.exists()


def test_another_run_moves_the_first_aside(drive, tmp_path: Path) -> None:
    drive(succeeding)
    drive(succeeding, seed=1, force_new=True)
    drive(succeeding, seed=2, force_new=True)
    seeds = [
        json.loads(path.read_text())["seeds"]["attack"]
        for path in sorted(tmp_path.glob("run*/manifest.json"))
    ]
    assert seeds == [2, 0, 1]


def test_where_the_first_run_went_is_said(drive, tmp_path: Path) -> None:
    drive(succeeding)
    tally, _ = drive(succeeding, seed=1, force_new=True)
    assert f"the run that was here is now {tmp_path / 'run-1'}" in tally.notes


def test_a_new_run_that_cannot_begin_leaves_the_first_where_it_was(drive, tmp_path: Path) -> None:
    def entries() -> dict[str, object]:
        run = tmp_path / "run"
        return {path.name: path.is_dir() or path.read_bytes() for path in run.iterdir()}

    drive(succeeding)
    before = entries()
    with pytest.raises(MondegreenError):
        drive(succeeding, clips=str(tmp_path / "nothing"), force_new=True)
    assert entries() == before
    assert not list(tmp_path.glob("run-*"))


def test_what_a_killed_process_left_is_nothing_of_somebody_else(drive, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / part_name()).touch()
    drive(succeeding)


def test_a_run_that_is_under_way_is_not_moved_aside(drive, tmp_path: Path) -> None:
    drive(succeeding)
    with Ledger(tmp_path / "run").alone(), pytest.raises(MondegreenError, match="another process"):
        drive(succeeding, seed=1, force_new=True)


def test_a_folder_of_recordings_is_not_moved_aside(drive, clips: Path) -> None:
    with pytest.raises(OptionError, match="holds no run"):
        drive(succeeding, out=clips, force_new=True)
    assert clips.is_dir()


def test_targets_are_written_down_and_the_list_is_a_manifest_itself(drive, tmp_path: Path) -> None:
    drive(succeeding)
    listed = rows(tmp_path / "run")
    assert [row["target"] for row in listed] == ["open the door"] * 5
    assert len({row["sha256"] for row in listed}) == 5
    drive_again = read_config(None, {"clips": str(tmp_path / "run" / "clips.jsonl")})
    assert drive_again.target is None


def test_a_manifest_says_what_was_run_and_on_what(drive, tmp_path: Path) -> None:
    drive(succeeding)
    told = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert told["victim"] == {"name": "toy", "weights": "w" * 64, "sample_rate": 16_000}
    assert told["configuration"]["target"] == "open the door"
    assert told["clips"]["count"] == 5
    assert told["calls"][0]["packages"]["mondegreen"]
    drive(succeeding)
    again = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert len(again["calls"]) == 2
    assert {**again, "calls": 0} == {**told, "calls": 0}
    assert RunConfig(**told["configuration"]).to_toml() == (
        tmp_path / "run" / "config.toml"
    ).read_text(encoding="utf-8")


def test_what_is_finished_of_a_batch_is_left_out_but_the_batch_stays(drive) -> None:
    _, engine = drive(succeeding)
    rows = [job.rows[0] for job in engine.given]
    keys = [row.key for row in rows]
    first, second, third = make_jobs(rows, {keys[0]}, batch=2)
    assert first.rows == (rows[0], rows[1])
    assert first.wanted == {keys[1]}
    assert make_jobs(rows, set(keys), batch=2) == []
    assert {second.name, third.name} == {job.name for job in make_jobs(rows, set(keys[:2]), 2)}


@pytest.mark.parametrize(
    ("tally", "went_well", "succeeded"),
    [
        (Tally(3, verified=3), 0, 0),
        (Tally(3, verified=1, failed=2), 0, 1),
        (Tally(3, verified=2, errors=1), 1, 1),
        (Tally(3, verified=2), 1, 1),  # stopped
    ],
)
def test_its_exit_status_says_whether_the_run_went_well(
    tmp_path: Path,
    clips: Path,
    monkeypatch: pytest.MonkeyPatch,
    tally: Tally,
    went_well: int,
    succeeded: int,
) -> None:
    monkeypatch.setattr("mondegreen.runs.run.run", lambda *_, **__: tally)
    monkeypatch.setattr("mondegreen.report.numbers.tables.collect", lambda _: [])
    arguments = ["run", str(clips), "--out", str(tmp_path / "run")]
    for flags, status in (([], went_well), (["--require-success"], succeeded)):
        assert CliRunner().invoke(app, [*arguments, *flags]).exit_code == status


# ---- real processes


def test_a_run_from_the_command_line_and_what_it_leaves(tmp_path: Path, clips: Path) -> None:
    out = tmp_path / "run"
    save(clips / "silent.wav", 1e-9 * np.ones(8000), 16_000)
    (clips / "torn.wav").write_bytes((clips / "c00.wav").read_bytes()[:3000])
    arguments = ("run", clips, *QUICK, *ONE, "--max-passes", "60", "--out", out, "--json")
    ran = mondegreen(*arguments)
    assert ran.returncode == 1  # two clips could not be attacked
    told = json.loads(ran.stdout)
    assert (told["clips"], told["verified"], told["errors"], told["left"]) == (7, 5, 2, 0)
    assert "silent.wav is silent" in ran.stderr
    found = records(out)
    assert set(found) == {"c00", "c01", "c02", "c03", "c04"}
    assert (out / "records.csv").read_text().count("\n") == 8  # a heading, and a row a clip
    # the same command does nothing but try the errors again
    before = {path: path.stat().st_mtime_ns for path in out.glob("items/*/*")}
    again = mondegreen(*arguments)
    assert json.loads(again.stdout) == told
    assert {path: path.stat().st_mtime_ns for path in out.glob("items/*/*")} == before
    # what was damaged is moved aside and made anew, to the bit
    (of_c03,) = (p.parent for p in out.glob("items/*/record.json") if '"c03"' in p.read_text())
    victim = next(p for p in out.glob("items/*/adversarial.wav") if p.parent != of_c03)
    victim.write_bytes(victim.read_bytes()[:-2] + b"\1\1")
    (clips / "c03.wav").unlink()  # finished: nobody needs it any more
    third = mondegreen(*arguments)
    assert "Moved to" in " ".join(third.stderr.split())
    assert records(out) == found
    assert len(list((out / "damaged").iterdir())) == 1


def test_workers_that_die_or_raise_cost_their_clip_alone(tmp_path: Path, clips: Path) -> None:
    save(clips / "deadly.wav", speech(9, 6001), 16_000)
    for function, said in (("dying", "SIGKILL"), ("raising", "too much for me")):
        out = tmp_path / function
        ran = mondegreen(
            *("run", clips, *QUICK, "--victim", f"toy_victims:{function}", "--max-passes", "30"),
            *("--workers", "2", "--threads", "1", "--out", out, "--json"),
        )
        told = json.loads(ran.stdout)
        assert (told["verified"], told["errors"]) == (5, 1), ran.stderr
        (note,) = out.glob("errors/*.json")
        assert said in json.loads(note.read_text())["error"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_writes_down_what_is_under_way(
    tmp_path: Path, clips: Path, number: signal.Signals
) -> None:
    out = tmp_path / "run"
    arguments = ("run", clips, *QUICK, "--victim", "toy_victims:slow", *ONE, "--out", out)
    process = subprocess.Popen(
        command(*arguments), env=environment(), stderr=subprocess.PIPE, encoding="utf-8"
    )
    manifest = out / "manifest.json"
    deadline = time.monotonic() + 120
    while not manifest.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)  # some passes
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "run the same command again to resume" in said
    assert "Traceback" not in said
    assert len(list((out / "searches").iterdir())) == 1


def test_a_victim_that_cannot_be_loaded_ends_it_before_anything(
    tmp_path: Path, clips: Path
) -> None:
    ran = mondegreen(
        *("run", clips, *QUICK, "--victim", "toy_victims:broken", "--out", tmp_path / "run")
    )
    assert ran.returncode == 2
    assert "no such weights" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--method", "carlini"), "'carlini' is not one of"),
        (("--preset", "slow"), "'slow' is not one of"),
        (("--targets", "x" * 300, "--target", ""), "targets"),
        (("--rooms", "none.rooms"), "takes no rooms"),
    ],
)
def test_a_wrong_option_leaves_no_run_behind(
    tmp_path: Path, clips: Path, wrong: tuple[str, ...], said: str
) -> None:
    ran = mondegreen("run", clips, *QUICK, *wrong, "--out", tmp_path / "run")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_a_second_process_on_the_same_run_is_refused(tmp_path: Path, clips: Path) -> None:
    with Ledger(tmp_path / "run").alone():
        ran = mondegreen("run", clips, *QUICK, "--out", tmp_path / "run")
    assert ran.returncode == 2
    assert "another process" in ran.stderr


def test_a_read_only_folder_and_a_full_disk_say_what_to_do(
    drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:  # to whom nothing is read-only
        (tmp_path / "run").mkdir(mode=0o500)
        with pytest.raises(StorageError, match="permissions"):
            drive(succeeding)
        (tmp_path / "run").rmdir()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        drive(succeeding)
    monkeypatch.undo()


@pytest.mark.skipif(not MOUNTS, reason="needs a mount of its own")
def test_a_disk_that_fills_up_ends_a_run_with_4_and_leaves_no_torn_item(
    tmp_path: Path, clips: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    run_on_it = shlex.join(
        command("run", clips, *QUICK, *ONE, "--max-passes", "30", "--out", disk / "run")
    )
    # room for the plan, not for the first item's files
    mount = f"mount -t tmpfs -o size=24k tmpfs {disk}"
    script = f"{mount} && {{ {run_on_it}; echo $?; ls {disk}/run/items; }}"
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
    )
    assert ran.stdout == "4\n"
    assert "No space left on device" in " ".join(ran.stderr.split())
    assert "Traceback" not in ran.stderr


def full(_: int) -> None:
    raise OSError(28, "No space left on device")
