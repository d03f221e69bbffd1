"""The bank of rooms that is used when none is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version

from mondegreen.air.rooms import PRESETS, RoomBank, SplitSizes, make_bank
from mondegreen.air.rooms.bank import VERSION
from mondegreen.air.rooms.simulate import library
from mondegreen.files import cache_folder, key_of

COUNTS = SplitSizes(attack=500, validate=50, test=100)
FULL_COUNTS = SplitSizes(attack=1000, validate=100, test=100)  # as many as the paper's
SMALL_COUNTS = SplitSizes(attack=200, validate=20, test=30)  # for a demonstration


def named_bank(
    name: str | None, sample_rate: int, on_room: Callable[[int, int], object] | None = None
) -> RoomBank:
    """A bank by its file, or by a preset's name: a full one, made on first use, and cached.

    Args:
        name: a file, or a key of `mondegreen.air.rooms.PRESETS`; None: the default bank.
        sample_rate: in Hz.
        on_room: see `default_bank`.

    Raises:
        RoomError: there is no such file or preset, it is of another rate, or as `default_bank`.
    """
    if name is None:
        return default_bank(sample_rate, on_room=on_room)
    if name in PRESETS:
        return default_bank(sample_rate, FULL_COUNTS, on_room, name)
    return RoomBank.load(name, sample_rate)


def default_bank(
    sample_rate: int,
    counts: SplitSizes = COUNTS,
    on_room: Callable[[int, int], object] | None = None,
    preset: str = "fast",
) -> RoomBank:
    """A bank of simulated rooms; made on first use, and cached.

    Args:
        sample_rate: in Hz.
        counts: rooms in each split.
        on_room: called, when it has to be made, with the rooms done and wanted.
        preset: a key of `mondegreen.air.rooms.PRESETS`.

    Raises:
        RoomError: pyroomacoustics is missing, or what is cached is damaged.
    """
    library()
    settings = replace(PRESETS[preset], sample_rate=sample_rate)
    made_from = [VERSION, asdict(settings), asdict(counts), version("pyroomacoustics")]
    path = cache_folder() / f"rooms-{key_of({'rooms': made_from})[:16]}.safetensors"
    # one process: it is a matter of seconds, and a caller's script need not be safe to start twice
    return make_bank(path, settings, counts, workers=1, on_room=on_room)
