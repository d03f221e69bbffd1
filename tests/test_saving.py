"""Saving: what was found is never lost, and an earlier result is never destroyed.

Every step on the disk is made to fail in turn, and to be the last one of a process that is killed.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from records import DRY

from mondegreen import files
from mondegreen.attacks import result as saving
from mondegreen.attacks.result import Result, make_folder
from mondegreen.errors import MondegreenError, StorageError
from mondegreen.files import discard, locked, part_name, sweep, undisturbed
from mondegreen.results.item import read_item
from mondegreen.results.levels import Levels, levels_of

CLEAN = (np.random.default_rng(0).integers(-9000, 9000, 4000) / 32768).astype(np.float32)
FLAT = np.full((3, 2), 9, np.uint8)
LEVELS = Levels(0.01, 31.25, FLAT, FLAT, FLAT, FLAT)


def a_result(step: int, levels: Levels | None = LEVELS) -> Result:
    """A result whose perturbation is one number of 16-bit steps."""
    adversarial = CLEAN + np.float32(step / 32768)
    return Result(replace(DRY, id=f"of {step}", sample_rate=16_000), CLEAN, adversarial, levels)


def read_step(folder: Path) -> int:
    """Which result a folder holds, whole: its record, its sound and its perturbation agree."""
    item = read_item(folder)
    step = int(item.record.id.removeprefix("of "))
    assert np.array_equal(item.delta, a_result(step).delta)
    assert np.array_equal(item.clean, CLEAN)
    return step


class Disk:
    """Does something instead of a step on the disk, once, at the step that is asked for."""

    STEPS = frozenset({"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove"})

    def __init__(self) -> None:
        self.within: str | None = None
        self.instead: Callable[[], None] = full
        self.left = 0
        sys.addaudithook(self._seen)  # for good: there is no taking it away

    def arm(self, within: Path, step: int, instead: Callable[[], None]) -> None:
        self.within, self.left, self.instead = str(within), step, instead

    def disarm(self) -> bool:
        """Whether the step never came."""
        self.within = None
        return self.left >= 0

    def _seen(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.within is None or event not in self.STEPS:
            return
        if str(arguments[0]).startswith(self.within):
            self.left -= 1
            if self.left == -1:
                self.instead()


@pytest.fixture(scope="module")
def hooked() -> Disk:
    return Disk()


@pytest.fixture
def disk(hooked: Disk, monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # the machine does not fail here
    return hooked


def full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def killed() -> None:
    os._exit(9)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where results are rescued to."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


def failure_of(found: Result, folder: Path) -> str | None:
    """What is said where it cannot be saved; None: it can."""
    try:
        found.save(folder)
    except StorageError as error:
        return str(error)
    return None


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


# ---- one step fails, one process is killed


@pytest.mark.parametrize("earlier", [True, False])
def test_whichever_step_fails_nothing_is_lost(
    tmp_path: Path, elsewhere: Path, disk: Disk, earlier: bool
) -> None:
    """The folder has the earlier result or the new one, whole; the new one is somewhere."""
    for step in range(200):
        folder = tmp_path / str(step)
        if earlier:
            a_result(1).save(folder)
        disk.arm(folder, step, full)
        told = failure_of(a_result(2), folder)
        never_came = disk.disarm()
        if told is None:
            assert read_step(folder) == 2
        else:
            assert "No space left" in told
            (rescued,) = elsewhere.iterdir()
            assert str(rescued) in told
            assert read_step(rescued) == 2
            discard(rescued)
            assert not earlier or read_step(folder) in (1, 2)
        if never_came:
            break
        a_result(3).save(folder)
        assert read_step(folder) == 3
        assert all(name == ".lock" or name.endswith(".part") for name in leftovers(folder))
    assert step > 15  # or there is nothing to test


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("earlier", [True, False])
def test_whichever_step_is_the_last_a_result_is_whole(
    tmp_path: Path, disk: Disk, earlier: bool
) -> None:
    for step in range(200):
        folder = tmp_path / str(step)
        folder.mkdir()
        if earlier:
            a_result(1).save(folder)
        child = os.fork()
        if child == 0:
            disk.arm(folder, step, killed)
            a_result(2).save(folder)
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if earlier or (folder / "record.json").exists() or ended == 0:
            assert read_step(folder) in ((1, 2) if earlier else (2,))
        a_result(3).save(folder)
        assert read_step(folder) == 3
        assert leftovers(folder) == [".lock"]
        if ended == 0:
            break
    assert step > 15


def test_a_real_limit_on_files_leaves_the_earlier_result(tmp_path: Path, elsewhere: Path) -> None:
    resource = pytest.importorskip("resource")
    folder = a_result(1).save(tmp_path / "out")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
    try:
        with pytest.raises(StorageError, match=r"File too large.*it is lost"):
            a_result(2).save(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert read_step(folder) == 1
    assert list(elsewhere.iterdir()) == []
    assert leftovers(folder) == [".lock"]


# ---- where it is rescued to


def test_it_goes_to_the_first_place_that_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary folder, the home folder, the current one."""

    def none() -> str:
        raise FileNotFoundError("no usable temporary folder")

    (tmp_path / "in the way").touch()
    monkeypatch.setattr("tempfile.gettempdir", none)
    for home, here in ((tmp_path / "home", tmp_path / "here"), (tmp_path / "no", tmp_path / "cwd")):
        here.mkdir()
        monkeypatch.chdir(here)
        monkeypatch.setenv("HOME", str(home))
        expected = here
        if home.name == "home":
            home.mkdir()
            expected = home
        with pytest.raises(StorageError, match=rf"in the way.*saved in {expected}"):
            a_result(2).save(tmp_path / "in the way")
        (rescued,) = expected.iterdir()
        assert read_step(rescued) == 2


def test_ctrl_c_waits_until_it_is_saved(tmp_path: Path) -> None:
    class Impatient(Result):
        def write(self, folder: Path, key: str | None = None) -> None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
                signal.raise_signal(number)
            super().write(folder, key)

    found = a_result(2)
    with pytest.raises(KeyboardInterrupt):
        Impatient(found.record, found.clean, found.adversarial, found.levels).save(tmp_path)
    assert read_step(tmp_path) == 2


def test_other_threads_are_not_signalled_and_may_save(tmp_path: Path) -> None:
    thread = threading.Thread(target=a_result(2).save, args=(tmp_path,))
    thread.start()
    thread.join()
    assert read_step(tmp_path) == 2


def test_handlers_are_what_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with undisturbed():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


# ---- what can fail is found before a search


@pytest.mark.parametrize("name", [".lock", "record.json", "adversarial.wav", "levels.safetensors"])
def test_a_folder_in_the_place_of_a_file_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "out" / name).mkdir(parents=True)
    with pytest.raises(StorageError, match=f"{name} is a folder"):
        make_folder(tmp_path / "out")


def test_a_lock_that_leads_nowhere_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "none" / "lock")
    with pytest.raises(StorageError, match="lock"):
        make_folder(tmp_path)


def test_a_record_that_is_a_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "theirs").write_text("theirs")
    for target in (tmp_path / "none" / "record.json", tmp_path / "theirs"):
        (tmp_path / "out" / "record.json").unlink(missing_ok=True)
        (tmp_path / "out" / "record.json").symlink_to(target)
        a_result(2).save(make_folder(tmp_path / "out"))
        assert read_step(tmp_path / "out") == 2
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_a_name_that_is_not_utf_8_is_a_name(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    found = a_result(2)
    found = replace(found, record=replace(found.record, audio=odd, heard="öffne die Tür"))
    folder = found.save(odd).rename(tmp_path / "plain")
    assert read_step(folder) == 2
    text = (folder / "record.json").read_bytes().decode()
    assert '"heard": "öffne die Tür"' in text
    assert r"caf\udce9" in text  # as JSON has it: the name can be had back


# ---- two processes


def test_a_lock_that_is_held_is_waited_for_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "PATIENCE", 0.05)
    path = tmp_path / ".lock"
    caplog.set_level(logging.WARNING)
    with FileLock(path), pytest.raises(StorageError) as told, locked(path, 0.05):
        pass
    assert f"{path} is held by another process" in str(told.value)
    assert f"waiting for another process, which holds {path}" in caplog.text
    with locked(path, 0.05):
        pass


def test_a_folder_that_stays_locked_costs_no_result(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PATIENCE", 0.05)
    monkeypatch.setattr(saving, "LOCKED", 0.05)
    folder = a_result(1).save(tmp_path / "out")
    with FileLock(folder / ".lock"), pytest.raises(StorageError, match="held by another process"):
        a_result(2).save(folder)
    assert read_step(folder) == 1
    assert [read_step(rescued) for rescued in elsewhere.iterdir()] == [2]


def test_only_what_dead_processes_left_is_swept_away(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        (tmp_path / part_name()).mkdir()
        (tmp_path / part_name()).touch()
        os._exit(0)
    os.waitpid(child, 0)
    kept = {part_name(), ".of-1-another.part", "a.part", ".report.html.part"}
    for name in kept:
        (tmp_path / name).touch()
    assert len(list(tmp_path.iterdir())) == len(kept) + 2
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept


# ---- pictures


def test_levels_of_an_earlier_result_are_not_taken_for_its_own(tmp_path: Path) -> None:
    a_result(1).save(tmp_path)
    a_result(2, levels=None).save(tmp_path)
    assert read_step(tmp_path) == 2
    with pytest.raises(MondegreenError, match="not the file that was saved"):
        levels_of(tmp_path, read_item(tmp_path).record)


@pytest.mark.parametrize("name", ["adversarial.wav", "delta.safetensors", "levels.safetensors"])
def test_every_file_of_an_item_is_looked_at(tmp_path: Path, name: str) -> None:
    a_result(1).save(tmp_path)
    (tmp_path / name).write_bytes(b"junk")
    with pytest.raises(MondegreenError, match=f"{name} is not the file that was saved"):
        read_item(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(MondegreenError, match=f"{name} is missing"):
        read_item(tmp_path)


# ---- what may fail after a result is found


def test_what_cannot_be_measured_is_missing_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise RuntimeError("its code crashed (SIGSEGV)")

    for name in ("mondegreen.measures.ratings.measured_apart", "pystoi.stoi"):
        monkeypatch.setattr(name, broken)
    monkeypatch.setattr(saving, "spectra", broken)
    found = a_result(2, levels=None).measured()
    quality = found.record.quality
    rated = quality.pesq, quality.pesq_c2, quality.zimtohrli, quality.zimtohrli_mos, quality.stoi
    assert (*rated, found.levels) == (None,) * 6
    of_a_crash = ("pesq", "pesq_c2", "stoi")
    assert {name: quality.unmeasured[name] for name in of_a_crash} == dict.fromkeys(
        of_a_crash, "its code crashed (SIGSEGV)"
    )
    assert found.record.warnings[-1] == "there will be no pictures: its code crashed (SIGSEGV)"
    assert read_step(found.save(tmp_path)) == 2
    assert read_item(tmp_path).record.quality == quality


def test_ctrl_c_while_measuring_ends_only_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(saving, "rated", interrupted)
    found = a_result(2).measured()
    assert found.record.interrupted
    assert "PESQ, Zimtohrli, STOI and pictures are missing" in found.record.warnings[-1]
