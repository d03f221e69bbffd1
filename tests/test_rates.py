"""Recognisers of other rates than 16 kHz: from the clip to the proof, all at the recogniser's."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from toy import TARGET, LinearVictim, linear_victim, speech, toy_bank

from mondegreen import attack
from mondegreen.audio.pcm import load, save
from mondegreen.judging.verify import recheck
from mondegreen.results.item import read_item
from mondegreen.results.levels import levels_of
from mondegreen.victims.contract import CHECKS, examine
from mondegreen.victims.through import through

EXAMPLE = Path(__file__).parents[1] / "examples" / "kaldi_8khz.py"


class Rated(LinearVictim):
    """a linear victim of another rate."""

    def __init__(self, rate: int) -> None:
        plain = linear_victim()
        super().__init__(plain.weight, plain.bias)
        self.sample_rate = rate


def example() -> Any:
    spec = importlib.util.spec_from_file_location("kaldi_8khz", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.victim(torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100])
def test_a_result_is_at_the_rate_of_its_recogniser(rate: int, tmp_path: Path) -> None:
    save(tmp_path / "clip.wav", speech(), rate)
    folder = attack(Rated(rate), tmp_path / "clip.wav", TARGET, max_passes=60).save(
        tmp_path / "out"
    )
    record = read_item(folder).record
    assert record.verified
    assert soundfile.info(folder / "adversarial.wav").samplerate == record.sample_rate == rate
    levels = levels_of(folder, record)
    assert levels.frame_seconds == pytest.approx(0.032, rel=0.003)
    assert levels.band_hertz == pytest.approx(4 / 0.128, rel=0.003)
    (claim,) = recheck(folder, Rated(rate))
    assert claim.confirmed


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_rooms_and_air_are_at_the_rate_of_the_recogniser(rate: int, tmp_path: Path) -> None:
    save(tmp_path / "clip.wav", speech(length=8_000), rate)
    bank = toy_bank(sample_rate=rate)
    made = attack(
        Rated(rate),
        tmp_path / "clip.wav",
        TARGET,
        method="robust",
        rooms=bank,
        air="real",
        max_passes=20,
    )
    assert made.record.survival is not None
    assert made.record.survival.rooms.count == len(bank.splits["test"].rooms)


def test_the_kaldi_example_keeps_the_contract(beckett: Path) -> None:
    found = list(examine(example(), torch.from_numpy(load(beckett, 8_000))))
    assert len(found) == len(CHECKS)
    assert not [f"{f.id}: {f.detail}" for f in found if f.state == "fails"]


def test_the_kaldi_example_mishears_through_a_telephone(beckett: Path, tmp_path: Path) -> None:
    clip = load(beckett, 8_000)[: 2 * 8_000]
    save(tmp_path / "clip.wav", clip.astype(np.float64), 8_000)
    victim = through(example(), "telephone")
    made = attack(victim, tmp_path / "clip.wav", "go", max_passes=60)
    assert made.record.verified
    assert made.record.heard == "go"
