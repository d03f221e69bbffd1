"""The check of a GPU, tried on the CPU; and what a pass keeps, in closed form."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from bench import gpu, passes
from bench.footprint import kept, whisper
from mondegreen.victims import load_victim


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.BUILDERS["wav2vec2"](tmp_path_factory.mktemp("wav2vec2")))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "TARGET", "send the money")
    monkeypatch.setattr(gpu, "SECONDS", 0.0)


def test_without_a_gpu_it_says_so_and_ends_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 0
    assert "no CUDA device here" in capsys.readouterr().out


def test_on_the_cpu_it_finds_the_cpu_itself(folder: str) -> None:
    rows = {row.what: row for row in gpu.check(folder, "cpu", sizes=(1, 2))}
    assert "differs by 0.0e+00" in rows["as on the CPU"].found
    assert rows["as on the CPU"].good
    rates = [float(rows[f"passes, batch of {size}"].found.split()[0]) for size in (1, 2)]
    assert min(rates) > 0


def test_another_recogniser_is_told_apart(folder: str) -> None:
    other: Any = load_victim(folder, device="cpu")
    with torch.no_grad():
        other.model.lm_head.weight.mul_(1.01)
    assert gpu.same_as_on_the_cpu(folder, other).good is False


@pytest.mark.parametrize("lost", [False, True])
def test_a_run_that_loses_something_is_told_from_one_that_goes_on(
    monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """What is left of runs is compared, not what their clocks wrote."""

    def run(here: Path, out: Path, *_: str, until: int = 9) -> None:
        for clip in sorted((here / "clips").iterdir())[:until]:
            place = out / "items" / clip.stem
            place.mkdir(parents=True, exist_ok=True)
            hash_ = "other" if lost and out.name == "killed" and clip.stem == "3" else "same"
            record = {"id": clip.stem, "hash": hash_, "seconds": time.monotonic()}
            (place / "record.json").write_text(json.dumps(record))

    monkeypatch.setattr(gpu, "_run", run)
    row = gpu.killed_and_resumed("anything", "cpu")
    assert row.good is not lost
    assert row.found == f"killed with 1 of 4 clips, ended with 4; {3 if lost else 4} as undisturbed"


# ---- the memory of a pass


def test_what_a_pass_keeps_in_closed_form() -> None:
    """Of a frozen layer its weights alone; of a product both sides; each storage once."""
    with torch.device("meta"):
        layer = torch.nn.Linear(100, 7)
        sound = torch.empty(3, 100, requires_grad=True)
    layer.requires_grad_(False)
    weights = {p.untyped_storage()._cdata for p in layer.parameters()}
    assert kept(lambda: layer(sound), weights) == 0
    assert kept(lambda: sound * sound, set()) == 4 * 300
    assert kept(lambda: layer(sound).exp().sin(), weights) == 4 * 21  # both keep the middle


def test_weights_of_a_whisper() -> None:
    """As many numbers as are published of tiny, 37,184,640 with the positions; and of two clips,
    twice as much is kept as of one."""
    weights, one = whisper("tiny")
    _, two = whisper("tiny", clips=2)
    assert abs(weights / 4 - 37.8e6) < 0.5e6
    assert 1.95 < two / one <= 2.01
