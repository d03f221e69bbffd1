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

class Almost(Ear):
    def __init__(self, device): self.device = device
    def encode(self, target, length): ...
    def score(self, audio, lengths, targets): ...

def ear(device, dtype): return Ear(device, dtype)
def almost(device, dtype): return Almost(device)
def deaf(device): return Ear(device, None)
def nothing(device, dtype): return 3
def wants_later(device, dtype): import no_such_package
def broken(device, dtype): raise RuntimeError("no licence")
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ears_of_mine.py").write_text(MODULE)
    (tmp_path / "exits.py").write_text("\nimport sys\nsys.exit(0)")
    (tmp_path / "unfinished.py").write_text("def ear(:")
    (tmp_path / "wants_more.py").write_text("import no_such_package.of_mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_a_function_of_a_module_in_this_folder() -> None:
    ear = load_recogniser("ears_of_mine:ear", device="cpu")
    assert (ear.name, ear.sample_rate) == ("ear", 8000)
    assert str(ear.device) == "cpu"  # type: ignore[attr-defined]


def test_one_that_only_transcribes_cannot_be_attacked() -> None:
    with pytest.raises(VictimError, match="can only transcribe"):
        load_victim("ears_of_mine:ear", device="cpu")


def test_one_that_lacks_something_is_told_what() -> None:
    load_recogniser("ears_of_mine:almost", device="cpu")
    with pytest.raises(VictimError, match="cannot be attacked yet: it has no dtype;"):
        load_victim("ears_of_mine:almost", device="cpu")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("no_such_module:ear", "there is no module no_such_module in this folder"),
        ("no_such.module:ear", "there is no module no_such.module in this folder"),
        ("wants_more:ear", "wants_more failed: No module named 'no_such_package'; install"),
        ("ears_of_mine:deaf", "must accept device=... and dtype=...: .*argument 'dtype'"),
        ("ears_of_mine:eye", "has no function 'eye'"),
        ("ears_of_mine:wants_later", r"ears_of_mine\.py:\d+: ModuleNotFoundError: No module named"),
        ("exits:ear", r"exits\.py:3: SystemExit: 0;"),
        ("unfinished:ear", r"unfinished\.py:1: SyntaxError: invalid syntax"),
        ("ears_of_mine:nothing", "is of the type int, which has no name, sample_rate, transcribe"),
    ],
)
def test_what_is_wrong_is_said(spec: str, said: str) -> None:
    with pytest.raises(VictimError, match=said):
        load_recogniser(spec, device="cpu")


def test_errors_of_the_function_are_told_with_their_place() -> None:
    with pytest.raises(VictimError, match=r"ears_of_mine\.py:\d+: RuntimeError: no licence"):
        load_recogniser("ears_of_mine:broken", device="cpu")
