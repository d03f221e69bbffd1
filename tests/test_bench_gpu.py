"""The check of a GPU, tried on the CPU; and what a pass keeps, in closed form."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from typer.main import get_command

from bench import gpu, passes
from bench.footprint import kept, whisper
from mondegreen import cli
from mondegreen.victims import Score, load_victim


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.BUILDERS["wav2vec2"](tmp_path_factory.mktemp("wav2vec2")))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "TARGET", "send the money")
    monkeypatch.setattr(passes, "SECONDS", 6.0)
    monkeypatch.setattr(gpu, "SECONDS", 0.0)


def test_without_a_gpu_it_says_so_and_ends_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 0
    assert "no CUDA device here" in capsys.readouterr().out


@pytest.mark.slow
def test_on_the_cpu_it_finds_the_cpu_itself(
    folder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it, but that the processes which are killed are stood in for."""
    monkeypatch.setattr(gpu, "_run", run)
    assert gpu.main([folder, "--device", "cpu"]) == 0
    head, _, *lines = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert head == "| recogniser | what | found | |"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {of for of, *_ in cells} == {folder}
    found = {what: (told, verdict) for _, what, told, verdict in cells}
    assert found["contract"] == ("kept", "ok")
    assert "differs by 0.0e+00" in found["as on the CPU"][0]
    assert found["as on the CPU"][1] == found["killed, and resumed"][1] == "ok"
    for half in ("bfloat16", "float16"):
        assert "cosine of the gradients 1.000" in found[half][0]
    kinds = ("passes", "bfloat16 passes")
    rates = [f"{kind}, batch of {size}" for kind in kinds for size in (1, 2)]
    for rate in rates:
        number, words = found[rate][0].split(maxsplit=1)
        assert float(number) > 0
        assert words == "a second"
    others = {"contract", "as on the CPU", "waits of a step", "bfloat16", "float16"}
    assert found.keys() == {*others, *rates, "killed, and resumed"}


def test_what_half_precision_cannot_do_is_said_and_not_timed(folder: str) -> None:
    """A loss that half precision moves."""
    victim: Any = load_victim(folder, device="cpu")
    score = victim.bare.score

    def moved(*given: Any) -> Score:
        found = score(*given)
        return Score(found.loss * (1 + 0.1 * torch.is_autocast_enabled("cpu")), found.matched)

    victim.bare.score = moved
    row = gpu.near(folder, victim, torch.bfloat16)
    assert "so it is refused" in row.found
    assert row.good is None  # a recogniser may be so


def test_another_recogniser_is_told_apart(folder: str) -> None:
    other: Any = load_victim(folder, device="cpu")
    with torch.no_grad():
        other.model.lm_head.weight.mul_(1.01)
    assert gpu.same_as_on_the_cpu(folder, other).good is False


def run(
    here: Path, out: Path, name: str, device: str, until: int = 9, *, lost: bool = False
) -> None:
    """What such a run leaves; its arguments are seen to be ones that there are."""
    get_command(cli.app).commands["run"].make_context(
        "run", gpu._asked(here, out, name, device)[1:]
    )
    for clip in sorted((here / "clips").iterdir())[:until]:
        place = out / "items" / clip.stem
        place.mkdir(parents=True, exist_ok=True)
        hash_ = "other" if lost and out.name == "killed" and clip.stem == "3" else "same"
        record = {"id": clip.stem, "hash": hash_, "seconds": time.monotonic()}
        (place / "record.json").write_text(json.dumps(record))


@pytest.mark.parametrize("lost", [False, True])
def test_a_run_that_loses_something_is_told_from_one_that_goes_on(
    monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """What is left of runs is compared, not what their clocks wrote."""

    monkeypatch.setattr(gpu, "_run", partial(run, lost=lost))
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
