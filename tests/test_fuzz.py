"""Whatever is in a file, it is read or refused: no other error, no hang, no more than 1 GiB."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from random import Random

import fuzzing
import pytest
from fuzzing import KINDS, Kind, parent
from mutations import as_json, changed_bytes, changed_value

from mondegreen.errors import AudioError

INPUTS = 20_000
FUZZING = Path(fuzzing.__file__)


@pytest.mark.slow
def test_twenty_thousand_hostile_inputs_are_read_or_refused() -> None:
    command = [sys.executable, FUZZING, "--inputs", str(INPUTS)]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert ran.returncode == 0, ran.stderr
    rows = [line.strip("| ").split(" | ") for line in ran.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == list(KINDS)
    counts = [[int(cell.replace(",", "")) for cell in row[1:4]] for row in rows]
    assert sum(inputs for inputs, _, _ in counts) >= INPUTS
    assert all(taken > 0 and refused > 0 for _, taken, refused in counts)  # neither is all there is
    assert all(taken + refused == inputs for inputs, taken, refused in counts)


# ---- the fuzzer itself


class Faulty(Kind):
    """A reader that refuses most, and has one fault."""

    def make(self) -> None:
        self.seeds = {"a.txt": b"some text", "b.json": {"a": [1, 2], "b": None}}

    def write(self, rng: Random) -> Path:
        self.number = getattr(self, "number", -1) + 1
        return super().write(rng)

    def read(self, path: Path) -> None:
        if self.number == 7:
            self.fault()
        if self.number % 2:
            raise AudioError("It is no recording.")

    def fault(self) -> None:
        """Nothing."""


class Raises(Faulty):
    def fault(self) -> None:
        raise KeyError("audio")


class Hangs(Faulty):
    def fault(self) -> None:
        time.sleep(60)


class Swallows(Faulty):
    def fault(self) -> None:
        bytearray(2**31)


class SaysNothing(Faulty):
    def fault(self) -> None:
        raise AudioError("")


class SaysTooMuch(Faulty):
    def fault(self) -> None:
        raise AudioError("x" * 5_000)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (Faulty, Raises, Hangs, Swallows, SaysNothing, SaysTooMuch):
        monkeypatch.setitem(KINDS, kind.__name__, kind)
    monkeypatch.setattr(fuzzing, "HANG", 2.0)


def test_what_is_taken_and_refused_is_counted(
    faults: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzzing, "MEMORY", 2**40)  # the process of these tests may be large
    tally = parent("Faulty", range(10))
    assert (tally.inputs, tally.taken, tally.refused) == (10, 5, 5)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("Raises", "KeyError: 'audio'"),
        ("Hangs", "in refused_or_not"),
        ("Swallows", "MemoryError"),
        ("SaysNothing", "an error without a text"),
        ("SaysTooMuch", "an error of 5000 characters"),
    ],
)
def test_a_fault_is_found_and_can_be_had_again(faults: None, kind: str, told: str) -> None:
    with pytest.raises(AssertionError) as found:
        parent(kind, range(10), seed=3)
    assert told in str(found.value)
    assert f"--inputs 1 --kind {kind} --first 7 --seed 3" in str(found.value)


def test_the_same_number_is_the_same_input(tmp_path: Path) -> None:
    kind = Faulty(tmp_path)
    again = [kind.write(Random("0 a 5")).read_bytes() for _ in range(2)]
    assert again[0] == again[1]
    assert len({kind.write(Random(f"0 a {n}")).read_bytes() for n in range(100)}) > 50


def test_changes_are_changes() -> None:
    for number in range(200):
        rng = Random(number)
        assert isinstance(changed_bytes(b"some bytes" * 40, [b"others"], rng), bytes)
        assert isinstance(as_json(changed_value({"a": [1, {"b": None}]}, rng), rng), bytes)
    changed = {changed_bytes(b"some bytes" * 40, [b"others"], Random(n)) for n in range(100)}
    assert len(changed) > 90
