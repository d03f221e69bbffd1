"""The one worker, in this process: what it puts in place, refuses, and leaves when stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from run_folders import records
from toy import speech, toy_bank

from mondegreen.air.rooms import RoomBank, cached
from mondegreen.audio.pcm import save
from mondegreen.data.utterance import Utterance
from mondegreen.errors import MondegreenError, OptionError, VictimError
from mondegreen.runs.config import RunConfig
from mondegreen.runs.job import Assignment, Crashed, Ended, Finished, Halted, Job, Refused
from mondegreen.runs.ledger import Ledger
from mondegreen.runs.manifest import item_identity, write_manifest
from mondegreen.runs.plan import Row, make_rows, with_keys, write_rows
from mondegreen.runs.worker import Worker, load_worker, run_job
from mondegreen.search.presets import PRESETS
from mondegreen.victims.guard import bare

TARGET = "open the door"


def quiet(passes: int, of: int) -> None:
    """Tell nobody."""


def config(**options: object) -> RunConfig:
    return RunConfig(
        clips="none",
        **{"victim": "toy_victims:linear", "dtype": "float64", "max_passes": 40, **options},
    )


def worker(folder: Path, stop: Event | None = None, **options: object) -> Worker:
    ledger = Ledger(folder / "run")
    with ledger.alone():
        pass
    assignment = Assignment(str(folder / "run"), config(**options), "cpu", threads=1)
    return Worker(assignment, stop or Event())


def rows(folder: Path, found: Worker, lengths: list[int], text: str | None = None) -> list[Row]:
    clips = []
    for number, length in enumerate(lengths):
        path = folder / f"{number}.wav"
        save(path, speech(number, length), 16_000)
        clips.append(Utterance(f"clip {number}", str(path), text, TARGET))
    return with_keys(make_rows(clips), item_identity(config(), found.describe()))


def job(of: list[Row], *wanted: Row) -> Job:
    return Job(tuple(of), frozenset(row.key for row in wanted or of))


def test_a_batch_is_put_in_place_clip_by_clip(tmp_path: Path) -> None:
    found = worker(tmp_path)
    planned = rows(tmp_path, found, [6000, 7000])
    heard: list[tuple[int, int]] = []
    ended = run_job(found, job(planned), lambda *told: heard.append(told))
    assert ended == Ended(job(planned), tuple(Finished(row.key, verified=True) for row in planned))
    assert set(records(tmp_path / "run")) == {"clip 0", "clip 1"}
    assert (heard[0], heard[-1]) == ((1, 40), (40, 40))
    assert list((tmp_path / "run" / "searches").iterdir()) == []


def test_what_an_earlier_attempt_has_finished_is_not_attacked_again(tmp_path: Path) -> None:
    """A batch that dies in the proof of its second clip has its first one already."""
    found = worker(tmp_path)
    planned = rows(tmp_path, found, [6000, 7000])
    run_job(found, job(planned, planned[0]), quiet)
    item = tmp_path / "run" / "items" / planned[0].key / "record.json"
    before = item.stat().st_mtime_ns
    passes: list[int] = []
    alone = job([planned[0]])
    ended = run_job(found, alone, lambda done, _: passes.append(done))
    assert ended == Ended(alone, (Finished(planned[0].key, verified=True),))
    assert (passes, item.stat().st_mtime_ns) == ([], before)
    assert isinstance(run_job(found, job(planned), quiet), Ended)
    assert set(records(tmp_path / "run")) == {"clip 0", "clip 1"}


def test_what_is_finished_already_is_searched_for_but_not_put_in_place(tmp_path: Path) -> None:
    """A batch decides how its sums are rounded, so it stays whole whatever is wanted of it."""
    found = worker(tmp_path)
    planned = rows(tmp_path, found, [6000, 7000])
    run_job(found, job(planned, planned[1]), quiet)
    assert set(records(tmp_path / "run")) == {"clip 1"}


@pytest.mark.parametrize(
    ("text", "understood"), [("nothing at all", True), ("something else altogether", False)]
)
def test_a_clip_that_is_not_understood_is_flagged(
    tmp_path: Path, text: str, understood: bool
) -> None:
    found = worker(tmp_path)
    run_job(found, job(rows(tmp_path, found, [6000], text)), quiet)
    (record,) = records(tmp_path / "run").values()
    assert record["text"] == text
    assert record["understood"] is understood
    assert record["wer_clean"] == (0.0 if understood else 1.0)
    assert any("not understood" in warning for warning in record["warnings"]) is not understood


def test_where_nothing_is_known_of_the_words_nothing_is_claimed(tmp_path: Path) -> None:
    found = worker(tmp_path)
    run_job(found, job(rows(tmp_path, found, [6000])), quiet)
    (record,) = records(tmp_path / "run").values()
    assert (record["text"], record["understood"], record["wer_clean"]) == (None, None, None)
    assert (record["wer_target"], record["wer_original"]) == (0.0, 1.0)  # "nothing at all" is heard


def test_a_clip_that_has_changed_or_gone_is_refused_and_the_rest_of_its_batch_is_not(
    tmp_path: Path,
) -> None:
    found = worker(tmp_path)
    planned = rows(tmp_path, found, [6000, 7000, 8000])
    save(tmp_path / "0.wav", speech(9, 6000), 16_000)
    (tmp_path / "1.wav").unlink()
    ended = run_job(found, job(planned), quiet)
    assert isinstance(ended, Ended)
    refused = {o.key: o.reason for o in ended.outcomes if isinstance(o, Refused)}
    assert "not the recording that this run was begun with" in refused[planned[0].key]
    assert "cannot be read any more" in refused[planned[1].key]
    assert set(records(tmp_path / "run")) == {"clip 2"}


def test_a_stop_is_gone_on_from_to_the_bit(tmp_path: Path) -> None:
    for name in ("calm", "stopped"):
        (tmp_path / name).mkdir()
    calm = worker(tmp_path / "calm")
    planned = rows(tmp_path, calm, [6000, 7000])
    run_job(calm, job(planned), quiet)
    stop = Event()
    first = worker(tmp_path / "stopped", stop)

    def stop_at_25(passes: int, of: int) -> None:
        if passes == 25:
            stop.set()

    assert run_job(first, job(planned), stop_at_25) == Ended(job(planned), ())
    assert len(list((tmp_path / "stopped" / "run" / "searches").iterdir())) == 1
    heard: list[int] = []
    run_job(worker(tmp_path / "stopped"), job(planned), lambda passes, of: heard.append(passes))
    assert heard[0] == 26
    assert records(tmp_path / "stopped" / "run") == records(tmp_path / "calm" / "run")
    assert list((tmp_path / "stopped" / "run" / "searches").iterdir()) == []


def test_the_search_of_one_batch_is_not_taken_for_that_of_another(tmp_path: Path) -> None:
    """Whichever clip of a batch is missing: the file's name is the same, its clips are not."""
    stop, found = Event(), None
    found = worker(tmp_path, stop)
    planned = rows(tmp_path, found, [6000, 6000])
    (tmp_path / "0.wav").rename(tmp_path / "aside.wav")
    run_job(found, job(planned), lambda passes, _: stop.set() if passes == 9 else None)
    (tmp_path / "aside.wav").rename(tmp_path / "0.wav")
    (tmp_path / "1.wav").unlink()
    heard: list[int] = []
    run_job(worker(tmp_path), job(planned), lambda passes, of: heard.append(passes))
    assert heard[0] == 1


@pytest.mark.parametrize("damage", [b"nonsense", None])
def test_a_search_that_cannot_be_resumed_starts_again_and_says_so(
    tmp_path: Path, damage: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Event()
    found = worker(tmp_path, stop)
    planned = rows(tmp_path, found, [6000])
    run_job(found, job(planned), lambda passes, _: stop.set() if passes == 9 else None)
    if damage is None:  # another version wrote it
        monkeypatch.setattr("mondegreen.attacks.attack._versions", lambda: {"mondegreen": "0"})
    else:
        found.ledger.search_path(job(planned).name).write_bytes(damage)
    heard: list[int] = []
    again = worker(tmp_path)
    ended = run_job(again, job(planned), lambda passes, _: heard.append(passes))
    assert heard[0] == 1
    assert isinstance(ended, Ended)
    assert ended.outcomes == (Finished(planned[0].key, verified=True),)
    (note,) = ended.notes
    assert re.fullmatch(r"its unfinished search could not be resumed \(.+\); it starts again", note)
    assert run_job(again, job(planned), quiet) == Ended(job(planned), ended.outcomes)


def test_a_fault_of_ours_in_resuming_is_not_taken_for_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Event()
    found = worker(tmp_path, stop)
    planned = rows(tmp_path, found, [6000])
    run_job(found, job(planned), lambda passes, _: stop.set() if passes == 9 else None)

    def faulty(*_: object) -> None:
        raise TypeError("unsupported operand")

    monkeypatch.setattr("mondegreen.search.loop.Search.restore", faulty)
    crashed = run_job(worker(tmp_path), job(planned), quiet)
    assert isinstance(crashed, Crashed)
    assert "TypeError: unsupported operand" in crashed.reason


def test_a_search_is_written_down_now_and_then(tmp_path: Path) -> None:
    found = worker(tmp_path, checkpoint_seconds=1e-6)
    planned = rows(tmp_path, found, [6000])
    path, seen = found.ledger.search_path(job(planned).name), []
    run_job(found, job(planned), lambda *_: seen.append(path.exists()))
    assert seen[0] is False
    assert all(seen[1:])


def test_a_full_disk_halts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = worker(tmp_path)
    planned = rows(tmp_path, found, [6000])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    halted = run_job(found, job(planned), quiet)
    assert isinstance(halted, Halted)
    assert "No space left on device" in halted.reason
    monkeypatch.undo()
    assert list((tmp_path / "run" / "items").iterdir()) == []
    assert isinstance(run_job(found, job(planned), quiet), Ended)


def test_what_a_recogniser_raises_is_told_with_its_place(tmp_path: Path) -> None:
    found = worker(tmp_path, victim="toy_victims:raising")
    planned = rows(tmp_path, found, [6001])
    crashed = run_job(found, job(planned), quiet)
    assert isinstance(crashed, Crashed)
    assert "RuntimeError: this sound is too much for me" in crashed.reason
    assert "toy_victims.py:" in crashed.reason


def test_other_weights_than_the_runs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_SEED", "0")
    options = config(victim="toy_victims:other_weights")
    first = Worker(Assignment(str(tmp_path), options, "cpu", 1), Event())
    same = Assignment(str(tmp_path), options, "cpu", 1, first.weights)
    Worker(same, Event())
    monkeypatch.setenv("TOY_SEED", "1")
    with pytest.raises(VictimError, match="other weights"):
        Worker(same, Event())


# ---- the bank of a run in rooms


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    toy_bank().save(tmp_path / "bank.rooms")
    return tmp_path / "bank.rooms"


def begun(folder: Path, **options: object) -> tuple[Worker, Assignment]:
    """A worker of a run whose manifest is written, and what the next one is started with."""
    first = worker(folder, **options)
    write_rows(folder / "run", rows(folder, first, [6000]))
    write_manifest(folder / "run", config(**options), first.describe(), clips=1)
    return first, Assignment(str(folder / "run"), config(**options), "cpu", 1, first.weights)


def test_a_run_in_rooms_goes_on_when_the_file_of_its_bank_is_gone(
    tmp_path: Path, bank: Path
) -> None:
    first, later = begun(tmp_path, method="robust", rooms=str(bank))
    bank.unlink()
    for assignment in (replace(later, weights=None), later):  # of the next call, and a second one
        again = Worker(assignment, Event())
        assert again.describe() == first.describe()
        assert first.setup.rooms is not None
        assert again.describe().bank == first.setup.rooms.key


def test_a_run_in_rooms_goes_on_when_the_default_bank_has_become_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "default_bank", lambda *_, **__: toy_bank())
    first, later = begun(tmp_path, method="robust")
    other = replace(toy_bank(), key="another")
    monkeypatch.setattr(cached, "default_bank", lambda *_, **__: other)
    again = Worker(replace(later, weights=None), Event())
    assert again.describe() == first.describe()
    (row,) = rows(tmp_path, again, [6000])
    assert isinstance(run_job(again, job([row]), quiet), Ended)
    shutil.rmtree(tmp_path / "run")
    assert worker(tmp_path, method="robust").describe().bank == "another"  # a run of its own


def test_a_worker_with_another_bank_or_other_stages_than_the_runs_is_refused(
    tmp_path: Path, bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, later = begun(tmp_path, method="robust", rooms=str(bank))
    Worker(later, Event())
    with monkeypatch.context() as patched:
        patched.setitem(PRESETS, "robust", PRESETS["combined"])
        with pytest.raises(OptionError, match="its stages is"):
            Worker(later, Event())
    toy_bank({"attack": 3, "validate": 2, "test": 2}).save(bank)
    other = replace(RoomBank.load(bank), key="another")
    monkeypatch.setattr(RoomBank, "load", lambda *_: other)
    with pytest.raises(OptionError, match="its bank is"):
        Worker(later, Event())


def test_items_of_other_stages_have_other_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(tmp_path, worker(tmp_path), [6000])
    norm, nearest = PRESETS["imperceptible"]["fast"]
    changed = {"fast": (replace(norm, sign=False), nearest)}
    monkeypatch.setitem(PRESETS, "imperceptible", changed)
    after = rows(tmp_path, worker(tmp_path), [6000])
    assert [row.sha256 for row in before] == [row.sha256 for row in after]
    assert [row.key for row in before] != [row.key for row in after]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"victim": "toy_victims:broken"}, "no such weights"),
        ({"victim": "none-such"}, "none-such"),
        ({"rooms": "fast"}, "takes no rooms"),
        ({"max_passes": 50, "under_threshold": 3.0}, "max_passes=50"),
    ],
)
def test_what_cannot_be_loaded_is_said(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    found = load_worker(Assignment(str(tmp_path), config(**options), "cpu", 1), Event())
    assert isinstance(found, MondegreenError)
    assert said in str(found)


def test_an_item_says_which_it_is(tmp_path: Path) -> None:
    found = worker(tmp_path)
    (row,) = rows(tmp_path, found, [6000])
    run_job(found, job([row]), quiet)
    record = json.loads((tmp_path / "run" / "items" / row.key / "record.json").read_text())
    assert (record["key"], record["id"], record["audio"]) == (row.key, row.id, row.audio)


def test_a_recogniser_that_fails_while_a_clip_is_prepared_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clip is refused for good only for what is wrong with the clip."""
    found = worker(tmp_path)
    planned = rows(tmp_path, found, [6000])

    def fail(*_: object) -> str:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(type(bare(found.victim)), "transcribe", fail)
    crashed = run_job(found, job(planned), quiet)
    assert isinstance(crashed, Crashed)
    assert crashed.reason.startswith(f"toy_victims:linear: {__file__}:")
    assert "RuntimeError: out of memory; check it with" in crashed.reason
