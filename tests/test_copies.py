"""Copies: what a worker does with them is what it does with the files themselves."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
import tiny_ctc
from run_folders import records
from toy import speech, toy_bank

from mondegreen.audio.pcm import save
from mondegreen.data.utterance import Utterance
from mondegreen.errors import StorageError
from mondegreen.reading import here, read_bytes
from mondegreen.runs.config import RunConfig
from mondegreen.runs.engines.copies import (
    BANK,
    ITEM_FILES,
    SEARCH,
    Copies,
    contents,
    inputs,
    put_in_place,
)
from mondegreen.runs.job import Assignment, Ended, Finished, Job
from mondegreen.runs.ledger import Ledger
from mondegreen.runs.manifest import item_identity
from mondegreen.runs.plan import Row, make_rows, with_keys
from mondegreen.runs.worker import Worker, run_job

TARGET = "open the door"
AIR = '[noise]\nsnr_db = [20, 20]\nfolder = "../noises"\n'


def sent(paths: Iterable[str]) -> dict[str, dict[str, memoryview]]:
    return {
        path: {name: memoryview(held) for name, held in contents(path).items()} for path in paths
    }


def run_folder(path: Path) -> str:
    with Ledger(path).alone():
        return str(path)


def planned(folder: Path, worker: Worker, config: RunConfig, lengths: list[int]) -> list[Row]:
    clips = []
    for number, length in enumerate(lengths):
        path = folder / f"{number}.wav"
        save(path, speech(number, length), 16_000)
        clips.append(Utterance(f"clip {number}", str(path), None, TARGET))
    return with_keys(make_rows(clips), item_identity(config, worker.describe()))


def job_of(rows: list[Row]) -> Job:
    return Job(tuple(rows), frozenset(row.key for row in rows))


def quiet(passes: int, of: int) -> None:
    """Tell nobody."""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.mark.slow
def test_a_worker_that_sees_nothing_leaves_what_one_that_sees_everything_does(
    tmp_path: Path, scratch: Path
) -> None:
    world = tmp_path / "world"
    for name in ("noises", "airs"):
        (world / name).mkdir(parents=True)
    save(world / "noises" / "hum.wav", 0.1 * speech(7, 5000), 16_000)
    (world / "airs" / "room.toml").write_text(AIR)
    toy_bank({"attack": 3, "validate": 2, "test": 2}).save(world / "bank.rooms")
    config = RunConfig(
        clips="none",
        victim=str(tiny_ctc.build("wav2vec2", world / "letters")),
        method="robust",
        rooms=str(world / "bank.rooms"),
        air=str(world / "airs" / "room.toml"),
        max_passes=6,
    )
    assignment = Assignment(run_folder(world / "run"), config, "cpu", 1)
    seeing = Worker(assignment, Event())
    job = job_of(planned(world, seeing, config, [8000, 9000]))
    run_job(seeing, job, quiet)
    needed = inputs(config)
    packed, clips = sent(needed), sent(row.audio for row in job.rows)

    world.rename(tmp_path / "gone")
    copies, mine = Copies(assignment.run, sees_run=False), tmp_path / "mine"
    run_folder(mine)
    of_run = {f"{assignment.run}/{name}" for name in ("manifest.json", "bank.rooms")}
    assert copies.lacking_to_load(needed) == {*needed, *of_run}
    with copies.holding(packed):
        blind = Worker(replace(assignment, run=str(copies.run)), Event())
        put_in_place(mine, copies.left(BANK) or {})
    assert blind.describe() == seeing.describe()
    search = f"{assignment.run}/searches/{job.name}.safetensors"
    assert copies.lacking_to_do(job) == {*(row.audio for row in job.rows), search}
    with copies.holding(clips):
        ended = run_job(blind, job, quiet)
        put_in_place(mine, copies.left(ITEM_FILES, SEARCH) or {}, job)

    assert isinstance(ended, Ended)
    assert {outcome.key for outcome in ended.outcomes} == set(job.wanted)
    assert records(mine) == records(tmp_path / "gone" / "run")  # with the hashes of all files
    assert len(records(mine)) == 2
    assert (mine / "bank.rooms").read_bytes() == (tmp_path / "gone/run/bank.rooms").read_bytes()
    assert list(scratch.glob("mondegreen-*")) == []


def toy_config() -> RunConfig:
    return RunConfig(clips="none", victim="toy_victims:linear", dtype="float64", max_passes=30)


def away(run: Path, stop: Event | None = None) -> tuple[Copies, Worker]:
    """A worker that does not see the run folder."""
    copies = Copies(str(run), sees_run=False)
    with copies.holding({}):
        assignment = Assignment(str(copies.run), toy_config(), "cpu", 1)
        return copies, Worker(assignment, stop or Event())


def test_a_search_that_was_stopped_on_one_machine_goes_on_on_another(tmp_path: Path) -> None:
    run, stop, told = Path(run_folder(tmp_path / "run")), Event(), []
    copies, worker = away(run, stop)
    job = job_of(planned(tmp_path, worker, toy_config(), [6000]))

    def stop_at_9(passes: int, of: int) -> None:
        told.append(copies.saved())
        if passes == 9:
            stop.set()

    with copies.holding({}):
        assert run_job(worker, job, stop_at_9) == Ended(job, ())
        told += [copies.saved(), copies.saved()]
        put_in_place(run, copies.left(ITEM_FILES, SEARCH) or {}, job)
    search = Ledger(run).search_path(job.name)
    assert told == [None] * 9 + [{f"searches/{search.name}": search.read_bytes()}, None]

    heard: list[int] = []
    copies, worker = away(run)
    with copies.holding(sent([str(search)])):
        run_job(worker, job, lambda passes, of: heard.append(passes))
        put_in_place(run, copies.left(ITEM_FILES, SEARCH) or {}, job)
    assert heard[0] == 10
    assert set(records(run)) == {"clip 0"}
    assert not search.exists()  # the job has ended, and left none


def test_an_item_that_is_there_is_kept(tmp_path: Path) -> None:
    run = Path(run_folder(tmp_path / "run"))
    left = {"items/key/record.json": b"first", "items/key/adversarial.wav": b"sound"}
    put_in_place(run, left)
    put_in_place(run, left | {"items/key/record.json": b"second"})
    assert (run / "items" / "key" / "record.json").read_bytes() == b"first"
    assert [path.name for path in (run / "items").iterdir()] == ["key"]


def test_where_the_run_folder_is_seen_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    run = Path(run_folder(tmp_path / "run"))
    copies = Copies(str(run), sees_run=True)
    worker = Worker(Assignment(str(copies.run), toy_config(), "cpu", 1), Event())
    job = job_of(planned(tmp_path, worker, toy_config(), [6000, 7000, 8000]))
    assert copies.lacking_to_load([str(tmp_path), "/not/there"]) == {"/not/there"}
    assert copies.lacking_to_do(job) == set()
    clips = sent(row.audio for row in job.rows[:2])
    (tmp_path / "0.wav").unlink()
    save(tmp_path / "1.wav", speech(9, 7000), 16_000)  # another recording of that name
    assert copies.lacking_to_do(job) == {row.audio for row in job.rows[:2]}
    with copies.holding(clips):
        ended = run_job(worker, job, quiet)
        assert copies.left(ITEM_FILES, SEARCH) is None
    assert ended == Ended(job, tuple(Finished(row.key, verified=True) for row in job.rows))
    assert {record["audio"] for record in records(run).values()} == {r.audio for r in job.rows}


def test_a_recording_that_is_nowhere_is_refused_as_on_one_machine(tmp_path: Path) -> None:
    run = Path(run_folder(tmp_path / "run"))
    copies, worker = away(run)
    job = job_of(planned(tmp_path, worker, toy_config(), [6000]))
    (tmp_path / "0.wav").unlink()
    with copies.holding(sent(copies.lacking_to_do(job))):
        ended = run_job(worker, job, quiet)
    assert isinstance(ended, Ended)
    (refused,) = ended.outcomes
    assert f"{tmp_path}/0.wav cannot be read any more" in refused.reason


def test_a_machine_without_room_for_copies_says_so(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    copies = Copies(str(tmp_path), sees_run=False)
    with (
        pytest.raises(StorageError, match=f"{scratch}.*No space left on device.*TMPDIR"),
        copies.holding({"/a.wav": {"/a.wav": memoryview(b"sound")}}),
    ):
        pass
    assert list(scratch.iterdir()) == []


def test_no_name_leads_out_of_the_folder_of_copies(tmp_path: Path, scratch: Path) -> None:
    name = "/a/../../../b.wav"
    with Copies(str(tmp_path), sees_run=True).holding({name: {name: memoryview(b"sound")}}):
        assert here(name).resolve().is_relative_to(scratch)
        assert read_bytes(Path(name)) == b"sound"
    assert here(name) == Path(name)


def test_what_is_sent_is_what_the_configuration_names_and_is_there(tmp_path: Path) -> None:
    for name in ("noises", "airs", "letters"):
        (tmp_path / name).mkdir()
    (tmp_path / "airs" / "room.toml").write_text(AIR)
    shutil.copy(tmp_path / "airs" / "room.toml", tmp_path / "bank.rooms")
    air, bank = str(tmp_path / "airs" / "room.toml"), str(tmp_path / "bank.rooms")
    victim = str(tmp_path / "letters")
    of = RunConfig(clips="none", victim=f"telephone > {victim}", rooms=bank, air=air)
    assert inputs(of) == [victim, bank, air, f"{tmp_path}/airs/../noises"]
    (tmp_path / "tiny.pt").touch()
    (tmp_path / "tokenizer.json").touch()
    of = RunConfig(clips="none", victim=f"{tmp_path}/tiny.pt")
    assert inputs(of) == [f"{tmp_path}/tiny.pt", f"{tmp_path}/tokenizer.json"]
    assert inputs(RunConfig(clips="none", rooms="fast", air="real")) == []
    assert inputs(RunConfig(clips="none", victim="/not/there", rooms="/nor/this")) == []
