"""Making banks: the same bits by any way, and on from where it was interrupted."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from mondegreen.air.rooms import (
    PRESETS,
    RoomBank,
    RoomSettings,
    SplitSizes,
    make,
    make_bank,
    responses,
)
from mondegreen.air.rooms.settings import Geometry, draw_room
from mondegreen.air.rooms.simulate import FILTER_DELAY, SPEED_OF_SOUND, impulse_response
from mondegreen.errors import MondegreenError, RoomError

SMALL = replace(PRESETS["paper"], max_order=3)
COUNTS = SplitSizes(attack=5, validate=2, test=3)


class Interrupted(BaseException):
    """As a keyboard interrupt: no Exception."""


def interrupt_at(number: int) -> Callable[[int, int], None]:
    def on_room(done: int, total: int) -> None:
        if done >= number:
            raise Interrupted

    return on_room


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[Geometry]:
    """The geometries that are simulated, in order, for as long as one process does."""
    rooms: list[Geometry] = []

    def counted(geometry: Geometry, settings: RoomSettings) -> NDArray[np.float32]:
        rooms.append(geometry)
        return impulse_response(geometry, settings)

    monkeypatch.setattr(responses, "impulse_response", counted)
    return rooms


@pytest.fixture(autouse=True)
def chunks_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "CHUNK", 3)


def content(out: Path) -> dict[str, Any]:
    bank = RoomBank.load(out)
    return {
        name: (split.rirs.tolist(), split.lengths.tolist(), split.rooms)
        for name, split in bank.splits.items()
    }


# ---- what is in a bank ----------------------------------------------------------------------


def test_a_bank_has_its_counts_and_no_room_twice(tmp_path: Path) -> None:
    out = tmp_path / "new" / "bank.safetensors"
    bank = make_bank(out, SMALL, COUNTS, seed=7, workers=1)
    assert {name: len(split.rooms) for name, split in bank.splits.items()} == {
        "attack": 5,
        "validate": 2,
        "test": 3,
    }
    rooms = [room for split in bank.splits.values() for room in split.rooms]
    numbered = [(name, n) for name, count in COUNTS.items() for n in range(count)]
    assert [room.id for room in rooms] == [f"{name}-{n:06}" for name, n in numbered]
    assert len({(room.size, room.source, room.microphone) for room in rooms}) == 10
    assert bank.origin["seed"] == 7
    assert bank.origin["settings"]["max_order"] == 3
    assert sorted(path.name for path in out.parent.iterdir() if path.suffix != ".lock") == [
        out.name
    ]


def test_a_line_of_the_table_describes_its_response(tmp_path: Path) -> None:
    bank = make_bank(
        tmp_path / "bank", replace(SMALL, max_order=25), SplitSizes(1, 0, 2), workers=1
    )
    for split in bank.splits.values():
        for room, rir in split.responses():
            geometry = Geometry(room.size, room.source, room.microphone)
            assert np.array_equal(rir, impulse_response(geometry, PRESETS["fast"]))
            distance = np.linalg.norm(np.subtract(room.source, room.microphone))
            at = FILTER_DELAY + distance / SPEED_OF_SOUND * 16_000
            assert np.abs(rir[: int(at) - 10]).max() < 0.1 * np.abs(rir).max()
            assert 0.15 < room.rt60 < 0.5
            assert -25 < room.drr < 25


def test_a_count_of_zero_leaves_the_split_out(tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank", SMALL, SplitSizes(2, 0, 1), workers=1)
    assert list(bank.splits) == ["attack", "test"]
    with pytest.raises(RoomError, match="no rooms for 'validate'"):
        bank.split("validate")


def test_of_one_seed_no_bank_attacks_in_rooms_another_proves_in(tmp_path: Path) -> None:
    one = make_bank(tmp_path / "one", SMALL, SplitSizes(5, 2, 3), seed=4, workers=1)
    other = make_bank(tmp_path / "other", SMALL, SplitSizes(2, 4, 6), seed=4, workers=1)

    def places(bank: RoomBank, *names: str) -> set[tuple[Any, ...]]:
        rooms = [room for name in names for room in bank.split(name).rooms]
        return {(room.size, room.source, room.microphone) for room in rooms}

    for name, count in {"attack": 2, "validate": 2, "test": 3}.items():
        others = {"attack", "validate", "test"} - {name}
        assert places(one, name).isdisjoint(places(other, *others))
        assert len(places(one, name) & places(other, name)) == count
        pairs = zip(one.split(name).responses(), other.split(name).responses(), strict=False)
        for (room, rir), (same_room, same_rir) in pairs:
            assert room == same_room
            assert np.array_equal(rir, same_rir)


def test_rooms_to_attack_in_are_the_first_of_their_seed(tmp_path: Path) -> None:
    rooms = (
        make_bank(tmp_path / "bank", SMALL, SplitSizes(3, 1, 1), 6, workers=1).split("attack").rooms
    )
    drawn = [Geometry(room.size, room.source, room.microphone) for room in rooms]
    assert drawn == [draw_room(SMALL, 6, number) for number in range(3)]


def test_by_default_rooms_are_those_of_the_command_line(tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank", counts=SplitSizes(1, 0, 0), workers=1)
    assert bank.origin["settings"]["max_order"] == PRESETS["fast"].max_order


# ---- the same bits --------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_make_what_one_makes(tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    counted: list[tuple[int, int]] = []
    make_bank(alone, SMALL, COUNTS, seed=1, workers=1)
    make_bank(together, SMALL, COUNTS, 1, None, 2, lambda *done: counted.append(done))
    assert alone.read_bytes() == together.read_bytes()
    assert counted == [(done, 10) for done in range(1, 11)]


def test_an_interrupted_bank_goes_on_where_it_was(
    tmp_path: Path, simulated: list[Geometry]
) -> None:
    out, whole = tmp_path / "bank", tmp_path / "whole"
    with pytest.raises(Interrupted):
        make_bank(out, SMALL, COUNTS, workers=1, on_room=interrupt_at(8))
    assert not out.exists()
    assert len(list((tmp_path / "bank.part").iterdir())) == 2
    simulated.clear()
    counted: list[tuple[int, int]] = []
    make_bank(out, SMALL, COUNTS, workers=1, on_room=lambda *done: counted.append(done))
    assert len(simulated) == 4
    assert counted == [(done, 10) for done in (6, 7, 8, 9, 10)]
    assert not (tmp_path / "bank.part").exists()
    make_bank(whole, SMALL, COUNTS, workers=1)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("damage", ["flipped", "cut", "renamed", "gone"])
def test_a_damaged_chunk_is_made_again(
    tmp_path: Path, simulated: list[Geometry], damage: str
) -> None:
    out = tmp_path / "bank"
    with pytest.raises(Interrupted):
        make_bank(out, SMALL, COUNTS, workers=1, on_room=interrupt_at(10))
    first, second, _ = sorted((tmp_path / "bank.part").iterdir())
    if damage == "flipped":
        content = bytearray(first.read_bytes())
        content[-1] ^= 1
        first.write_bytes(content)
    elif damage == "cut":
        first.write_bytes(first.read_bytes()[:-1])
    elif damage == "renamed":
        second.replace(first)
    else:
        first.unlink()
    simulated.clear()
    make_bank(out, SMALL, COUNTS, workers=1)
    assert len(simulated) == {"renamed": 7}.get(damage, 4)
    make_bank(tmp_path / "whole", SMALL, COUNTS, workers=1)
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()


def test_chunks_of_another_bank_are_not_taken(tmp_path: Path, simulated: list[Geometry]) -> None:
    out = tmp_path / "bank"
    with pytest.raises(Interrupted):
        make_bank(out, SMALL, COUNTS, seed=0, workers=1, on_room=interrupt_at(8))
    simulated.clear()
    make_bank(out, SMALL, COUNTS, seed=1, workers=1)
    assert len(simulated) == 10
    make_bank(tmp_path / "whole", SMALL, COUNTS, seed=1, workers=1)
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.slow
def test_an_interrupt_with_processes_comes_through_and_keeps_the_chunks(tmp_path: Path) -> None:
    out = tmp_path / "bank"
    with pytest.raises(Interrupted):
        make_bank(out, SMALL, SplitSizes(60, 0, 0), workers=2, on_room=interrupt_at(8))
    assert not multiprocessing.active_children()
    assert len(list((tmp_path / "bank.part").iterdir())) == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_process_that_dies_is_an_error_that_keeps_the_chunks(tmp_path: Path) -> None:
    def kill_at_8(done: int, total: int) -> None:
        if done == 8:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    out = tmp_path / "bank"
    with pytest.raises(RoomError, match=r"2 processes ended without a result.*fewer workers"):
        make_bank(out, SMALL, SplitSizes(3000, 0, 0), workers=2, on_room=kill_at_8)
    # Nor does the other one stay.
    assert not multiprocessing.active_children()
    assert not out.exists()
    assert len(list((tmp_path / "bank.part").iterdir())) >= 2


# ---- a bank that is there -------------------------------------------------------------------


def test_a_bank_that_is_there_is_not_made_again(tmp_path: Path, simulated: list[Geometry]) -> None:
    out = tmp_path / "bank"
    made = make_bank(out, SMALL, COUNTS, workers=1)
    before, written = out.read_bytes(), out.stat().st_mtime_ns
    simulated.clear()
    again = make_bank(out, SMALL, COUNTS, workers=1)
    assert not simulated
    assert (again.key, again.origin) == (made.key, made.origin)
    assert torch.equal(again.split("test").rirs, made.split("test").rirs)
    assert (out.read_bytes(), out.stat().st_mtime_ns) == (before, written)


def test_another_bank_that_is_there_stays_and_the_difference_is_told(tmp_path: Path) -> None:
    out = tmp_path / "bank"
    make_bank(out, SMALL, COUNTS, workers=1)
    before = out.read_bytes()
    asked = replace(SMALL, max_order=2, width=(3.0, 4.0))
    with pytest.raises(RoomError) as refused:
        make_bank(out, asked, replace(COUNTS, test=4), workers=1)
    assert str(refused.value) == (
        f"{out} is another bank: its test is 3, not 4; its max_order is 3, not 2; its width is"
        " [3.0, 5.0], not [3.0, 4.0]. Choose another file to make, or"
        " delete it."
    )
    assert out.read_bytes() == before


def test_a_damaged_bank_that_is_there_stays(tmp_path: Path) -> None:
    out = tmp_path / "bank"
    out.write_text("the only copy of a novel")
    with pytest.raises(RoomError, match="not a bank of rooms"):
        make_bank(out, SMALL, COUNTS, workers=1)
    assert out.read_text() == "the only copy of a novel"


def test_a_second_maker_waits_and_finds_the_bank(tmp_path: Path, simulated: list[Geometry]) -> None:
    out = tmp_path / "bank"
    second = threading.Thread(target=make_bank, args=(out, SMALL, COUNTS, 0, None, 1))

    def start_the_second(done: int, total: int) -> None:
        if done == 1:
            second.start()

    make_bank(out, SMALL, COUNTS, 0, None, 1, start_the_second)
    second.join()
    assert len(simulated) == 10


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RoomError, match="No bank can be made in"):
        make_bank(tmp_path / "file" / "bank", SMALL, COUNTS, workers=1)
    (tmp_path / "bank.part").write_text("")
    with pytest.raises(RoomError, match=r"can be made in .*bank\.part"):
        make_bank(tmp_path / "bank", SMALL, COUNTS, workers=1)


def test_a_full_disk_is_told_and_leaves_no_bank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise MondegreenError(f"{path} could not be written: No space left on device")

    monkeypatch.setattr("mondegreen.air.rooms.bank.write_whole", full)
    with pytest.raises(MondegreenError, match="No space left"):
        make_bank(tmp_path / "bank", SMALL, COUNTS, workers=1)
    assert not (tmp_path / "bank").exists()


# ---- measured rooms -------------------------------------------------------------------------


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Six rooms of three responses each, the value of a sample telling which."""
    folder = tmp_path / "rooms"
    for n in range(18):
        path = folder / f"room{n // 3}" / f"{n}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        rir = np.zeros(2000 + n)
        rir[[50, 500]] = 0.5, (n + 1) / 256
        soundfile.write(path, rir, 16_000, subtype="PCM_16")
    return folder


def test_a_measured_bank_is_split_by_room(tmp_path: Path, collection: Path) -> None:
    counted: list[tuple[int, int]] = []
    bank = make_bank(
        tmp_path / "bank",
        SMALL,
        SplitSizes(9, 5, 2),
        3,
        collection,
        1,
        lambda *n: counted.append(n),
    )
    assert [len(bank.split(name).rooms) for name in ("attack", "validate", "test")] == [9, 5, 2]
    assert counted[-1] == (16, 16)
    ids = [{room.id for room in split.rooms} for split in bank.splits.values()]
    assert [len(rooms) for rooms in ids] == [3, 2, 1]
    assert len(set().union(*ids)) == 6
    for split in bank.splits.values():
        for room, rir in split.responses():
            n = int(Path(room.path).stem)
            assert room.id == f"room{n // 3}"
            assert len(rir) == 1990 + n
            assert rir[490] * 256 == n + 1


def test_a_measured_bank_is_known_by_contents_rooms_and_seed(
    tmp_path: Path, collection: Path
) -> None:
    def key(seed: int = 0, rate: int = 16_000) -> str:
        out = tmp_path / f"bank{len(list(tmp_path.iterdir()))}"
        return make_bank(out, replace(SMALL, sample_rate=rate), COUNTS, seed, collection, 1).key

    first = key()
    assert key() == first
    assert len({first, key(seed=1), key(rate=8_000)}) == 3
    moved = collection / "room0" / "0.wav"
    moved.rename(collection / "room1" / "0.wav")
    second = key()
    soundfile.write(collection / "room2" / "6.wav", np.ones(100) / 4, 16_000)
    assert len({first, second, key()}) == 3


def test_microphones_of_one_room_have_its_id_and_one_room_will_do(
    tmp_path: Path, collection: Path
) -> None:
    for n in range(3):
        moved = tmp_path / "home" / "study" / f"mic{n}" / "ir.wav"
        moved.parent.mkdir(parents=True)
        (collection / "room0" / f"{n}.wav").rename(moved)
    bank = make_bank(tmp_path / "bank", SMALL, SplitSizes(0, 0, 10), 0, tmp_path / "home", 1)
    assert list(bank.splits) == ["test"]
    assert [(room.id, room.path) for room in bank.split("test").rooms] == [
        ("study", f"study/mic{n}/ir.wav") for n in range(3)
    ]


def test_a_measured_response_under_two_rooms_makes_no_bank(
    tmp_path: Path, collection: Path
) -> None:
    shutil.copy(collection / "room1" / "4.wav", collection / "room5" / "copy.wav")
    with pytest.raises(RoomError, match=r"room1/4\.wav of room 'room1' and .*room5/copy\.wav of"):
        make_bank(tmp_path / "bank", SMALL, SplitSizes(), source=collection, workers=1)
    assert not (tmp_path / "bank").exists()


def test_a_measured_response_that_cannot_be_used_is_named(tmp_path: Path, collection: Path) -> None:
    soundfile.write(collection / "room3" / "9.wav", np.zeros(100), 16_000)
    with pytest.raises(RoomError, match=r"9\.wav is silent"):
        make_bank(tmp_path / "bank", SMALL, SplitSizes(), source=collection, workers=1)
    assert not (tmp_path / "bank").exists()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are read from /proc")
def test_a_killed_making_leaves_no_process_behind_and_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "bank.rooms"
    command = ["rooms", "make", "--out", str(out), "--workers", "2"]
    making = subprocess.Popen(
        [sys.executable, "-m", "mondegreen", *command, "--counts", "5000,1,1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: list(tmp_path.glob("bank.rooms.part/*.safetensors")))
    children = Path(f"/proc/{making.pid}/task/{making.pid}/children").read_text().split()
    making.kill()
    making.wait()
    assert len(children) >= 2
    until(lambda: not any(alive(child) for child in children))
    assert not out.exists()
    kept = list(tmp_path.glob("bank.rooms.part/*.safetensors"))
    assert all(RoomBank.load(chunk).splits for chunk in kept)


def alive(pid: str) -> bool:
    status = Path(f"/proc/{pid}/status")
    try:
        return "zombie" not in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something to hold."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.1)
