"""The bank of rooms that is used when none is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version

from mondegreen.rooms import PRESETS, Counts, RoomBank, make_bank
from mondegreen.rooms.bank import VERSION, key_of
from mondegreen.rooms.simulate import library
from mondegreen.victims.embedded.bundled import cache_folder

COUNTS = Counts(attack=500, validate=50, test=100)
SMALL_COUNTS = Counts(attack=200, validate=20, test=30)  # for a demonstration


def default_bank(
    sample_rate: int,
    counts: Counts = COUNTS,
    on_room: Callable[[int, int], object] | None = None,
) -> RoomBank:
    """A bank of simulated rooms, preset `fast`; made on first use, and cached.

    Args:
        sample_rate: in Hz.
        counts: rooms in each split.
        on_room: called, when it has to be made, with the rooms done and wanted.

    Raises:
        RoomError: pyroomacoustics is missing, or what is cached is damaged.
    """
    library()
    settings = replace(PRESETS["fast"], sample_rate=sample_rate)
    made_from = [VERSION, asdict(settings), asdict(counts), version("pyroomacoustics")]
    path = cache_folder() / f"rooms-{key_of({'rooms': made_from})[:16]}.safetensors"
    # one process: it is a matter of seconds, and a caller's script need not be safe to start twice
    return make_bank(path, settings, counts, workers=1, on_room=on_room)
