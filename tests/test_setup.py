"""Options, rooms and air belong together, or are refused before anything is spent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy import linear_victim, toy_bank

from mondegreen.air.rooms import RoomBank, cached
from mondegreen.air.transformations import Gain, Rooms
from mondegreen.airs import Air
from mondegreen.attacks.setup import Setup
from mondegreen.errors import OptionError, RoomError
from mondegreen.options import Options
from mondegreen.search.presets import PRESETS, fingerprint, stages_for

BANK = toy_bank()
ROBUST = Options(method="robust")


def test_a_method_without_rooms_needs_none_and_takes_none() -> None:
    assert Setup.of(Options(), 16_000) == Setup(Options())
    for given in ({"rooms": BANK}, {"rooms": "fast"}, {"air": "real"}):
        with pytest.raises(OptionError, match="imperceptible takes no rooms; expected one of"):
            Setup.of(Options(), 16_000, **given)


def test_a_bank_is_taken_as_it_is_or_by_its_file(tmp_path: Path) -> None:
    BANK.save(tmp_path / "bank.rooms")
    for rooms in (BANK, str(tmp_path / "bank.rooms")):
        setup = Setup.of(ROBUST, 16_000, rooms, Air(gain_db=(-6, 6)))
        assert setup.rooms is not None
        assert setup.rooms.key == BANK.key
        assert setup.air == Air(gain_db=(-6.0, 6.0))


def test_without_a_bank_it_is_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, object, str]] = []

    def default(rate: int, *, on_room: object, preset: str) -> RoomBank:
        asked.append((rate, on_room, preset))
        return BANK

    monkeypatch.setattr(cached, "default_bank", default)
    assert Setup.of(ROBUST, 16_000, on_room=print).rooms is BANK
    assert Setup.of(ROBUST, 16_000, air="real", on_room=print).rooms is BANK
    assert asked == [(16_000, print, "fast"), (16_000, print, "real")]


def test_a_bank_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="8000 Hz"):
        Setup.of(ROBUST, 16_000, toy_bank(sample_rate=8000))
    with pytest.raises(RoomError, match="'validate'"):
        Setup.of(ROBUST, 16_000, toy_bank({"attack": 3, "test": 3}))
    with pytest.raises(RoomError, match="none"):
        Setup.of(ROBUST, 16_000, str(tmp_path / "none.rooms"))


def test_a_budget_that_does_not_reach_the_bound_is_refused() -> None:
    with pytest.raises(OptionError, match="max_passes=50"):
        Setup.of(Options(under_threshold=3.0, max_passes=50), 16_000)


def test_stages_are_over_the_attack_split_and_the_air_on_the_victims_device() -> None:
    victim = linear_victim()
    for stage in Setup(ROBUST, BANK, Air(gain_db=(-6, 6))).stages(victim):
        rooms, gain = stage.over.of
        assert isinstance(rooms, Rooms)
        assert torch.equal(rooms.reverb.rirs, BANK.split("attack").rirs.to(victim.dtype))
        assert gain == Gain()
    assert all(not stage.over.of for stage in Setup(Options()).stages(victim))
    whole = Setup(Options(method="combined"), BANK)
    assert len(whole.stages(victim)) - len(whole.stages(victim, started=True)) == 1


def test_a_fingerprint_is_of_what_stages_do() -> None:
    victim, stages = linear_victim(), stages_for(ROBUST)
    assert fingerprint(Setup(ROBUST, BANK).stages(victim)) == fingerprint(stages)
    (stage,) = stages
    assert fingerprint((replace(stage, steps=stage.steps + 1),)) != fingerprint(stages)
    prints = {fingerprint(s) for presets in PRESETS.values() for s in presets.values()}
    assert len(prints) == 8
