"""The items of a run folder: put in place whole, leftovers deleted, damaged ones moved aside."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from toy import TARGET, linear_victim, speech

from mondegreen import MondegreenError, Result, attack
from mondegreen.audio.pcm import save
from mondegreen.errors import StorageError
from mondegreen.runs.ledger import Ledger
from mondegreen.runs.plan import Row


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    clip = tmp_path_factory.mktemp("clip") / "clip.wav"
    save(clip, speech(), 16_000)
    return attack(linear_victim(), clip, TARGET, max_passes=60)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = Ledger(tmp_path / "run")
    with found.alone():
        return found


def row(key: str) -> Row:
    return Row(key, f"clip {key}", f"/{key}.wav", None, TARGET, "hash", 1.0, None)


def put(ledger: Ledger, result: Result, key: str) -> Path:
    ledger.commit(key, lambda folder: result.write(folder, key=key))
    return ledger.items / key


def test_an_item_is_there_whole_or_not_at_all(ledger: Ledger, result: Result) -> None:
    def torn(folder: Path) -> None:
        result.write(folder, key="b")
        raise KeyboardInterrupt

    put(ledger, result, "a")
    with pytest.raises(KeyboardInterrupt):
        ledger.commit("b", torn)
    assert [path.name for path in ledger.items.iterdir()] == ["a"]
    assert ledger.survey([row("a"), row("b")]) == ({"a": True}, [])


def test_the_first_of_two_stays(ledger: Ledger, result: Result) -> None:
    folder = put(ledger, result, "a")
    before = (folder / "record.json").stat().st_mtime_ns
    put(ledger, result, "a")
    assert (folder / "record.json").stat().st_mtime_ns == before
    assert [path.name for path in ledger.items.iterdir()] == ["a"]


def test_what_killed_processes_left_is_cleared_away(ledger: Ledger, result: Result) -> None:
    put(ledger, result, "a")
    part = ledger.items / ".b.1234.part"
    part.mkdir()
    (part / "adversarial.wav").touch()
    (ledger.searches / ".x.safetensors.1234.part").touch()
    (ledger.searches / "x.safetensors").touch()
    ledger.note_error(row("c"), "no speech", attempts=1)
    ledger.survey([row("a")])
    assert [path.name for path in ledger.items.iterdir()] == ["a"]
    assert [path.name for path in ledger.searches.iterdir()] == ["x.safetensors"]
    assert list(ledger.errors.iterdir()) == []  # it comes up again


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("record.json", b""),
        ("record.json", b"[]"),
        ("record.json", b'{"key": "b", "files": {}}'),
        ("adversarial.wav", b"RIFF"),
        ("delta.safetensors", b""),
        ("delta.safetensors", None),
    ],
)
def test_what_was_damaged_is_moved_aside_and_comes_up_again(
    ledger: Ledger, result: Result, name: str, content: bytes | None
) -> None:
    sound, torn = put(ledger, result, "a"), put(ledger, result, "b")
    if content is None:
        (torn / name).unlink()
    else:
        (torn / name).write_bytes(content)
    finished, complaints = ledger.survey([row("a"), row("b")])
    assert finished == {"a": True}
    assert len(complaints) == 1
    assert "Moved to" in complaints[0]
    assert sound.is_dir()
    assert (ledger.run / "damaged" / "b").is_dir()
    # and a second time, beside the first
    put(ledger, result, "b")
    (ledger.items / "b" / "adversarial.wav").unlink()
    ledger.survey([row("a"), row("b")])
    assert sorted(path.name for path in (ledger.run / "damaged").iterdir()) == ["b", "b-2"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"key": "a"}, "belongs to another item"),
        ({"verified": None}, "look at verified"),
        ({"verified": "yes"}, "look at verified"),
    ],
)
def test_an_item_with_another_ones_record_is_not_finished(
    ledger: Ledger, result: Result, change: dict[str, object], why: str
) -> None:
    """Its files are its own, so that nothing else is wrong with it."""
    record = put(ledger, result, "b") / "record.json"
    assert ledger.verified("b")
    record.write_text(json.dumps({**json.loads(record.read_text()), **change}))
    with pytest.raises(MondegreenError, match=why):
        ledger.verified("b")
    finished, complaints = ledger.survey([row("b")])
    assert (finished, len(complaints)) == ({}, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="finds a descriptor's folder in /proc")
def test_an_item_is_on_the_disk_before_its_name_is_and_then_its_name_is(
    ledger: Ledger, result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a power cut may leave the name of a folder without its files."""
    calls: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def recorded_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        calls.append(f"sync {'part' if path.suffix == '.part' and path.is_dir() else path.name}")
        fsync(descriptor)

    def recorded_rename(path: Path, target: Path) -> Path:
        calls.append(f"rename {path.suffix[1:]} to {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "rename", recorded_rename)
    put(ledger, result, "a")
    assert calls[-3:] == ["sync part", "rename part to a", "sync items"]


def test_a_failure_is_told_from_a_success(ledger: Ledger, tmp_path: Path) -> None:
    save(tmp_path / "clip.wav", speech(), 16_000)
    failed = attack(linear_victim(bias=1e6), tmp_path / "clip.wav", TARGET, max_passes=3)
    put(ledger, failed, "a")
    assert ledger.survey([row("a")]) == ({"a": False}, [])


def test_another_process_is_told_to_wait(ledger: Ledger) -> None:
    second = Ledger(ledger.run)
    with ledger.alone(), pytest.raises(MondegreenError, match="another process"), second.alone():
        pass
    with Ledger(ledger.run).alone():
        pass


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ledger = Ledger(tmp_path / "file" / "run")
    with pytest.raises(StorageError, match="cannot be written to"), ledger.alone():
        pass
