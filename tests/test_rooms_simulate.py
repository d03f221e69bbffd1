"""Rooms drawn and simulated, against geometry, the stored response and themselves."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyroomacoustics
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from mondegreen.air.rooms.acoustics import first_arrival
from mondegreen.air.rooms.settings import (
    GAP,
    PRESETS,
    Geometry,
    RoomSettings,
    SplitSizes,
    draw_room,
)
from mondegreen.air.rooms.simulate import FILTER_DELAY, SPEED_OF_SOUND, impulse_response
from mondegreen.errors import RoomError

PAPER, FAST = PRESETS["paper"], PRESETS["fast"]
STORED = Geometry(size=(4, 5, 3), source=(1, 2, 1.5), microphone=(3, 4, 1.2))


# ---- drawing --------------------------------------------------------------------------------


@examples(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), number=st.integers(0, 10**6))
def test_rooms_keep_to_their_ranges_margin_and_gap(seed: int, number: int) -> None:
    room = draw_room(PAPER, seed, number)
    ranges = (PAPER.width, PAPER.length, PAPER.height)
    for (least, most), side, a, b in zip(
        ranges, room.size, room.source, room.microphone, strict=True
    ):
        assert least <= side <= most
        assert PAPER.margin <= min(a, b) <= max(a, b) <= side - PAPER.margin
    assert math.dist(room.source, room.microphone) >= GAP


def test_a_room_hardly_larger_than_the_gap_still_keeps_it() -> None:
    side = (0.3, 0.3)
    tight = RoomSettings(width=side, length=side, height=side)
    rooms = [draw_room(tight, 0, number) for number in range(100)]
    assert all(math.dist(room.source, room.microphone) >= GAP for room in rooms)


def test_sizes_fill_their_ranges() -> None:
    sizes = np.array([draw_room(PAPER, 3, number).size for number in range(2000)])
    np.testing.assert_allclose(sizes.mean(0), [4, 5, 3], atol=0.05)
    np.testing.assert_allclose(sizes.std(0), 2 / math.sqrt(12), atol=0.03)


def test_a_room_is_its_seed_and_its_number() -> None:
    rooms = [draw_room(PAPER, seed, number) for seed in (0, 1) for number in range(500)]
    assert len(set(rooms)) == 1000
    assert draw_room(PAPER, 1, 7) == rooms[507]
    assert draw_room(FAST, 1, 7) == rooms[507]  # the same rooms, whatever the order


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"height": (0.29, 4.0)}, "height of 0.29 m has no room"),
        ({"margin": 1.0}, "height of 2.0 m has no room"),
        ({"width": (5.0, 3.0)}, "width ranges from 5.0 to 3.0"),
        ({"width": (3.0, math.nan)}, "width ranges"),
        ({"length": (4.0, math.inf)}, "length ranges"),
        ({"absorption": 0.0}, "absorption is 0.0"),
        ({"absorption": 1.1}, "absorption is 1.1"),
        ({"max_order": -1}, "order is -1"),
        ({"sample_rate": 0}, "rate is 0 Hz"),
        ({"margin": 0.0}, "margin is 0.0"),
    ],
)
def test_settings_that_no_room_can_meet_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RoomError, match=message):
        replace(PAPER, **values)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(RoomError, match="seed is -1"):
        draw_room(PAPER, -1, 0)


def test_counts_are_not_negative_and_not_nothing() -> None:
    with pytest.raises(RoomError, match=r"\(-1, 100, 100\)"):
        SplitSizes(attack=-1)
    with pytest.raises(RoomError, match="at least one"):
        SplitSizes(0, 0, 0)
    assert SplitSizes(3, 0, 2).items() == [("attack", 3), ("test", 2)]


# ---- simulating -----------------------------------------------------------------------------


def test_the_stored_response_is_met(vectors: Path) -> None:
    stored = np.load(vectors / "rir_4x5x3.npz")["rir"]
    rir = impulse_response(STORED, PAPER)
    assert rir.dtype == np.float32
    assert rir.shape == stored.shape == (23_500,)
    np.testing.assert_allclose(rir, stored, rtol=0, atol=1e-6 * np.abs(stored).max())


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_one_tap_at_its_distance_with_its_amplitude(rate: int) -> None:
    # 64 samples away exactly: the fractional delay is then a single tap of 1/d.
    distance = 64 / rate * SPEED_OF_SOUND
    geometry = Geometry((4, 5, 3), (1, 1, 1), (1 + distance, 1, 1))
    rir = impulse_response(geometry, replace(PAPER, max_order=0, sample_rate=rate))
    assert first_arrival(rir, rate) == FILTER_DELAY + 64
    assert rir[FILTER_DELAY + 64] == pytest.approx(1 / distance, rel=0.01)
    assert np.sort(np.abs(rir))[-2] < 0.05 / distance  # what the high-pass takes away around it


def test_reflections_are_the_images_at_their_distances_and_strengths() -> None:
    rir = impulse_response(STORED, replace(PAPER, max_order=1))
    expected = np.zeros(len(rir))
    source, microphone = np.array(STORED.source), np.array(STORED.microphone)
    images = [(source, 1.0)]
    for axis in range(3):
        for wall in (0.0, STORED.size[axis]):
            image = source.copy()
            image[axis] = 2 * wall - image[axis]
            images.append((image, math.sqrt(1 - 0.36)))
    n = np.arange(len(rir))
    for image, gain in images:
        distance = np.linalg.norm(image - microphone)
        late = n - FILTER_DELAY - distance / SPEED_OF_SOUND * 16_000
        window = np.where(np.abs(late) <= 40.5, 0.5 + 0.5 * np.cos(np.pi * late / 40.5), 0)
        expected += gain / distance * np.sinc(late) * window
    spectrum, theory = np.fft.rfft(rir, 4096), np.fft.rfft(expected, 4096)
    heard = slice(128, 1800)  # 500 Hz to 7 kHz: above the high-pass, below the filters' edge
    error = np.abs(spectrum - theory)[heard].max() / np.abs(theory)[heard].max()
    assert error < 0.02


def test_fast_is_within_its_stated_error() -> None:
    for number in (3, 9):
        room = draw_room(PAPER, 0, number)
        full, fast = impulse_response(room, PAPER), impulse_response(room, FAST)
        missing = full.copy()
        missing[: len(fast)] -= fast
        assert 10 * math.log10(np.sum(missing**2) / np.sum(full**2)) < -40


def test_the_librarys_constants_neither_matter_nor_change() -> None:
    constants = pyroomacoustics.constants
    small = replace(PAPER, max_order=3)
    expected = impulse_response(STORED, small)
    strange = {"c": 300.0, "frac_delay_length": 41, "rir_hpf_enable": False, "num_threads": 3}
    before = {name: constants.get(name) for name in strange}
    try:
        for name, value in strange.items():
            constants.set(name, value)
        found = impulse_response(STORED, small)
        assert {name: constants.get(name) for name in strange} == strange
    finally:
        for name, value in before.items():
            constants.set(name, value)
    assert np.array_equal(found, expected)


def test_images_are_added_up_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    build = pyroomacoustics.simulation.ism.compute_ism_rir

    def watched(*args: Any, **options: Any) -> Any:
        used.append(pyroomacoustics.constants.get("num_threads"))
        return build(*args, **options)

    monkeypatch.setattr("pyroomacoustics.room.compute_ism_rir", watched)
    impulse_response(STORED, FAST)
    assert used == [1]


def test_another_process_gets_the_same_bits() -> None:
    code = """
import sys
from mondegreen.air.rooms.settings import PRESETS, draw_room
from mondegreen.air.rooms.simulate import impulse_response
rir = impulse_response(draw_room(PRESETS["fast"], 5, 8), PRESETS["fast"])
sys.stdout.buffer.write(rir.tobytes())
"""
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert other == impulse_response(draw_room(FAST, 5, 8), FAST).tobytes()


def test_without_the_library_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    with pytest.raises(RoomError, match=r"pip install 'mondegreen\[rooms\]'"):
        impulse_response(STORED, PAPER)


def test_a_seed_of_more_than_32_bits_is_refused() -> None:
    """It would give rooms of another seed and split: numpy strings the words of seeds together."""
    with pytest.raises(RoomError, match=r"2\*\*32"):
        draw_room(RoomSettings(), 2**32, 0)
