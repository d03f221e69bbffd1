"""The attacks in rooms on the real recogniser and real speech: small budgets, few rooms."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from stages import preset

from mondegreen import Result, attack, load_victim
from mondegreen.air.rooms import PRESETS, RoomBank, SplitSizes, make_bank
from mondegreen.audio.pcm import load, save
from mondegreen.judging.evaluate import evaluate
from mondegreen.victims.families.moonshine import Moonshine

pytestmark = pytest.mark.slow
TARGET = "open the door"


@pytest.fixture(scope="module")
def victim() -> Moonshine:
    return load_victim("moonshine-tiny", device="cpu")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> RoomBank:
    path = tmp_path_factory.mktemp("rooms") / "few.rooms"
    return make_bank(path, PRESETS["fast"], SplitSizes(attack=60, validate=4, test=8), workers=1)


@pytest.fixture(scope="module")
def clip(beckett: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    save(path, torch.from_numpy(load(beckett, 16_000)[:28_000]), 16_000)  # to "ever tried"
    return path


@pytest.fixture(scope="module")
def robust(victim: Moonshine, clip: Path, bank: RoomBank) -> Result:
    return attack(victim, clip, TARGET, method="robust", rooms=bank, max_passes=250)


def test_robust_survives_rooms_that_it_never_met(robust: Result) -> None:
    assert robust.record.survival is not None
    assert robust.record.clean is not None
    assert robust.verified
    assert robust.record.survival.rooms.heard >= 0.5
    assert robust.record.clean.rooms.heard == 0
    assert robust.record.clean.rooms.wer_original is not None
    assert robust.record.clean.rooms.wer_original < 0.5  # the rooms are no excuse


def test_the_saved_file_survives_as_was_claimed(
    robust: Result, victim: Moonshine, bank: RoomBank, tmp_path: Path
) -> None:
    seen = evaluate(victim, robust.save(tmp_path / "out"), bank)
    assert robust.record.survival is not None
    assert seen.survival.rooms.heard == robust.record.survival.rooms.heard


def test_combined_is_quieter_and_still_survives(
    robust: Result, victim: Moonshine, clip: Path, bank: RoomBank
) -> None:
    quieter = attack(
        victim, clip, TARGET, method="combined", rooms=bank, start=robust, max_passes=240
    )
    before, after = robust.record.quality.masking, quieter.record.quality.masking
    assert before is not None
    assert after is not None
    assert after.loss < before.loss / 2
    assert quieter.record.survival is not None
    assert quieter.record.survival.rooms.heard > 0


def test_the_paper_s_robust_runs_as_written(victim: Moonshine, clip: Path, bank: RoomBank) -> None:
    run = attack(
        victim, clip, TARGET, method="robust", preset="paper", rooms=bank, max_passes=40
    ).record
    first, _ = preset("robust", "paper")
    assert {point.stage for point in run.curve} == {first.name}
    assert run.passes == 40
    assert run.looks == 4 * 9  # ten rooms every ten steps, one of them the gradient's own
    assert run.curve[0].loss is not None
    assert run.curve[-1].loss is not None
    assert run.curve[-1].loss < run.curve[0].loss / 2
    assert run.curve[0].eps == pytest.approx(2000 / 32768)


def test_the_paper_s_combined_goes_on_from_a_robust_one(
    robust: Result, victim: Moonshine, clip: Path, bank: RoomBank
) -> None:
    run = attack(
        *(victim, clip, TARGET),
        method="combined",
        preset="paper",
        rooms=bank,
        start=robust,
        max_passes=20,
    ).record
    first, _ = preset("combined", "paper", started=True)
    assert {point.stage for point in run.curve} == {first.name}
    assert (run.passes, run.looks) == (20, 0)  # two steps of ten rooms
    assert [point.judged for point in run.curve] == [10]
