"""An attack in real air, from the search to the proof, and judged again from its record."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor
from toy import TARGET, LinearVictim, linear_victim, speech, toy_bank

from mondegreen import Options, attack
from mondegreen.airs import REAL, Air, Background
from mondegreen.attacks.setup import Setup
from mondegreen.audio.pcm import save
from mondegreen.files import key_of
from mondegreen.judging.evaluate import evaluate
from mondegreen.judging.verify import recheck
from mondegreen.results.item import read_item
from mondegreen.runs.config import RunConfig
from mondegreen.runs.manifest import Attacked, item_identity

BANK = toy_bank()


class Whistle(LinearVictim):
    """Hears TARGET when half of a sound's power is within the tone of 1 kHz, at any time."""

    def _margin(self, audio: Tensor) -> Tensor:
        cycles = torch.arange(len(audio), dtype=audio.dtype) / 16
        turns = torch.stack([torch.cos(2 * torch.pi * cycles), torch.sin(2 * torch.pi * cycles)])
        tone = (turns @ audio).square().sum() * 2 / len(audio)
        return 20 * (tone / audio.square().sum().clamp(min=1e-9) - 0.5)


def victim() -> Whistle:
    plain = linear_victim()
    return Whistle(plain.weight, plain.bias)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result in real air."""
    tmp = tmp_path_factory.mktemp("air")
    save(tmp / "clip.wav", speech(length=4096), 16_000)
    result = attack(
        victim(), tmp / "clip.wav", TARGET, method="robust", rooms=BANK, air="real", max_passes=40
    )
    return result.save(tmp / "out")


def test_an_attack_in_real_air_is_proved_in_it(folder: Path) -> None:
    record = read_item(folder).record
    assert record.verified
    assert record.survival is not None
    assert (record.survival.rooms.split, record.survival.rooms.count) == ("test", 10)
    assert record.clean is not None
    assert record.clean.rooms.heard == 0


def test_the_record_keeps_every_range(folder: Path) -> None:
    kept = json.loads((folder / "record.json").read_text())["air"]
    assert kept["rooms"] == "real"
    for name, section in (("loudspeaker", REAL.loudspeaker), ("microphone", REAL.microphone)):
        assert {key: tuple(pair) for key, pair in kept[name].items()} == vars(section)
    assert kept["noise"] == {"snr_db": [15.0, 40.0], "folder": None, "contents": None}
    assert (kept["offset_ms"], kept["gain_db"]) == ([0.0, 50.0], [-12.0, 0.0])
    assert kept["clock_ppm"] == [-100.0, 100.0]
    assert kept.keys() == Air.model_fields.keys()
    assert read_item(folder).record.air == REAL


def test_evaluate_takes_the_air_of_the_record_unless_told_otherwise(folder: Path) -> None:
    known = read_item(folder).record
    again = evaluate(victim(), folder, BANK)
    assert again.air == REAL
    assert again.survival == known.survival
    deaf = Air(noise=Background(snr_db=(-20.0, -20.0)))
    other = evaluate(victim(), folder, BANK, air=deaf)
    assert other.air == deaf
    assert other.survival is not None
    assert other.survival.rooms.heard == 0


def test_verify_hears_the_file_in_the_air_of_its_record(folder: Path, tmp_path: Path) -> None:
    (claim,) = recheck(folder, victim(), bank=BANK)
    assert (claim.claimed, claim.verified, claim.confirmed) == (True, True, True)
    deaf = tmp_path / "deaf"
    shutil.copytree(folder, deaf)
    record = json.loads((deaf / "record.json").read_text())
    record["air"]["noise"]["snr_db"] = [-20.0, -20.0]
    (deaf / "record.json").write_text(json.dumps(record))
    (claim,) = recheck(deaf, victim(), bank=BANK)
    assert (claim.claimed, claim.verified, claim.confirmed) == (True, False, False)


def test_a_clip_in_another_air_is_another_item() -> None:
    config = RunConfig(clips="clips", target=TARGET, method="robust")
    identities = [
        key_of(item_identity(config, attacked(air)))
        for air in (Air(), REAL, REAL.model_copy(update={"clock_ppm": (-100.0, 99.0)}))
    ]
    assert len(set(identities)) == 3


def attacked(air: Air) -> Attacked:
    setup = Setup.of(Options(method="robust"), 16_000, BANK, air)
    kept = setup.air.model_dump(mode="json")
    return Attacked("linear", "weights", 16_000, BANK.key, kept, "stages", ("cpu",))
