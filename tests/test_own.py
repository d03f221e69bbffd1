"""Recognisers of one's own, by module:function."""

from __future__ import annotations

from pathlib import Path

import pytest

from mondegreen import load_recogniser, load_victim
from mondegreen.errors import VictimError

MODULE = """
class Ear:
    name, sample_rate = "ear", 8000
    def __init__(self, device, dtype): self.device, self.given = device, dtype
    def transcribe(self, audio): return "something"

def ear(device, dtype): return Ear(device, dtype)
def nothing(device, dtype): return 3
def broken(device, dtype): raise RuntimeError("no licence")
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ears_of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_a_function_of_a_module_in_this_folder() -> None:
    ear = load_recogniser("ears_of_mine:ear", device="cpu")
    assert (ear.name, ear.sample_rate) == ("ear", 8000)
    assert str(ear.device) == "cpu"  # type: ignore[attr-defined]


def test_one_that_only_transcribes_cannot_be_attacked() -> None:
    with pytest.raises(VictimError, match="can only transcribe"):
        load_victim("ears_of_mine:ear", device="cpu")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("no_such_module:ear", "No module named 'no_such_module'"),
        ("ears_of_mine:eye", "has no function 'eye'"),
        ("ears_of_mine:nothing", "returned int, which has no name, sample_rate, transcribe"),
    ],
)
def test_what_is_wrong_is_said(spec: str, said: str) -> None:
    with pytest.raises(VictimError, match=said):
        load_recogniser(spec, device="cpu")


def test_errors_of_the_function_are_its_own() -> None:
    with pytest.raises(RuntimeError, match="no licence"):
        load_recogniser("ears_of_mine:broken", device="cpu")
