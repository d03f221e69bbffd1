"""Furnished rooms: within their ranges, and the same by any way."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyroomacoustics
import pytest

from mondegreen.air.rooms import PRESETS, SplitSizes, make, make_bank, simulate
from mondegreen.air.rooms.acoustics import reverberation_time
from mondegreen.air.rooms.furnished import draw_surfaces, expected_rt60, furnished_room
from mondegreen.air.rooms.settings import (
    CEILINGS,
    FLOORS,
    WALLS,
    FurnishedRooms,
    Geometry,
    generator,
)
from mondegreen.air.rooms.simulate import FILTER_DELAY, SPEED_OF_SOUND
from mondegreen.errors import RoomError

REAL = PRESETS["real"]
assert isinstance(REAL, FurnishedRooms)
COUNTS = SplitSizes(attack=1, validate=0, test=1)


def test_all_materials_are_in_the_librarys_list() -> None:
    for material in (*FLOORS, *CEILINGS, *WALLS):
        absorbed = pyroomacoustics.Material(material).absorption_coeffs
        assert len(absorbed) >= 6, material
        assert 0 < min(absorbed) <= max(absorbed) < 1, material


def test_surfaces_are_of_their_kind_and_differ() -> None:
    drawn = [draw_surfaces(generator(0, number)) for number in range(200)]
    assert {one["floor"] for one in drawn} == set(FLOORS)
    assert {one["ceiling"] for one in drawn} == set(CEILINGS)
    for wall in ("east", "west", "north", "south"):
        assert {one[wall] for one in drawn} == set(WALLS)


def test_eyrings_formula() -> None:
    geometry = Geometry((4.0, 5.0, 3.0), (1, 1, 1), (2, 2, 2))
    surfaces = dict.fromkeys(("east", "west", "north", "south", "floor", "ceiling"), "facing_brick")
    share = float(np.mean(pyroomacoustics.Material("facing_brick").absorption_coeffs[1:6]))
    # 0.161 V / (-S ln(1 - a)), the textbook's rounded constant
    expected = 0.161 * 60 / (-94 * math.log(1 - share))
    assert expected_rt60(pyroomacoustics, geometry, surfaces) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("number", [0, 2**41])
def test_a_room_is_within_its_ranges(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # the high-pass against drift, at 10 Hz, smears far to both sides of a sound
    monkeypatch.setitem(simulate._CONSTANTS, "rir_hpf_enable", False)
    geometry, rir = furnished_room(REAL, 5, number)
    for side, least, most in zip(geometry.size, (3, 4, 2.4), (8, 10, 4), strict=True):
        assert least <= side <= most
    for place in (geometry.source, geometry.microphone):
        assert min(place) >= 0.3
        assert min(np.subtract(geometry.size, place)) >= 0.3
    distance = math.dist(geometry.source, geometry.microphone)
    assert 0.5 <= distance <= 5
    assert 0.3 <= (reverberation_time(rir, 16_000) or 0) <= 0.8
    # Nothing comes earlier than the filter of 81 taps around the direct sound, which none of the
    # moved images overtakes by more than 8 cm; what is 60 dB below a response counts as silence.
    arrival = FILTER_DELAY + distance / SPEED_OF_SOUND * 16_000
    first = int(arrival - FILTER_DELAY - 0.08 / SPEED_OF_SOUND * 16_000)
    energy = np.square(rir, dtype=np.float64)
    assert first > 0
    assert energy[:first].sum() < 1e-6 * energy.sum()
    # 1 / d, of which a delay of half a sample leaves 2 / pi in the largest sample; with what the
    # surfaces add within some samples
    near = np.abs(rir[int(arrival) - 3 : int(arrival) + 5]).max()
    assert 0.9 * 2 / math.pi < near * distance < 1.5


@pytest.mark.slow
def test_two_processes_or_an_interruption_make_what_one_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replace(
        REAL, width=(3.0, 4.0), length=(4.0, 5.0), max_order=2, rays=50, rt60=(0.1, 0.6)
    )
    monkeypatch.setattr(make, "CHUNK", 1)
    expected = make_bank(tmp_path / "one", quick, COUNTS, seed=7, workers=1)
    make_bank(tmp_path / "two", quick, COUNTS, seed=7, workers=2)
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()

    class Interrupted(BaseException):
        pass

    def stop(done: int, _: int) -> None:
        if done == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        make_bank(tmp_path / "again", quick, COUNTS, seed=7, workers=1, on_room=stop)
    make_bank(tmp_path / "again", quick, COUNTS, seed=7, workers=1)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "one").read_bytes()
    attack, test = (next(iter(expected.split(name).responses()))[1] for name in ("attack", "test"))
    assert not np.array_equal(attack, test)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"rt60": (0.8, 0.3)}, "rt60 ranges from 0.8 to 0.3"),
        ({"distance": (0.0, 5.0)}, "distance ranges from 0.0"),
        ({"distance": (0.5, math.inf)}, "distance ranges"),
        ({"scattering": 1.0}, "scattering of 1.0"),
        ({"rays": 0}, "0 rays"),
        ({"margin": 2.0}, "no room for a source"),
    ],
)
def test_settings_that_no_room_can_meet_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(RoomError, match=told):
        replace(REAL, **values)
