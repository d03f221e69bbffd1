"""Banks of simulated rooms by the name of their preset, made on first use and cached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from types import MappingProxyType
from typing import Final

from mondegreen.air.rooms import PRESETS, RoomBank, SplitSizes, make_bank
from mondegreen.air.rooms.bank import VERSION
from mondegreen.air.rooms.simulate import library
from mondegreen.errors import RoomError
from mondegreen.files import cache_folder, discard, key_of
from mondegreen.reading import is_there

# What 1,200 passes found in 500 rooms was heard in 92 % of those, and in 66 % of others. A room
# of `real` takes forty times as long to make, and its devices and noise are drawn anew each time.
COUNTS: Final[Mapping[str, SplitSizes]] = MappingProxyType(
    {
        "fast": SplitSizes(attack=2000, validate=50, test=100),
        "paper": SplitSizes(attack=1000, validate=100, test=100),  # as in the paper
        "real": SplitSizes(attack=500, validate=50, test=100),
    }
)
SMALL_COUNTS = SplitSizes(attack=500, validate=20, test=30)  # for a demonstration


def named_bank(
    name: str | None,
    sample_rate: int,
    on_room: Callable[[int, int], object] | None = None,
    preset: str = "fast",
) -> RoomBank:
    """A bank by its file, or the default one of a preset by its name; None: that of `preset`.

    Raises:
        RoomError: there is no such file or preset, it is of another rate, or as `default_bank`.
    """
    if name is None:
        return default_bank(sample_rate, on_room=on_room, preset=preset)
    if name in PRESETS:
        return default_bank(sample_rate, on_room=on_room, preset=name)
    return RoomBank.load(name, sample_rate)


def default_bank(
    sample_rate: int,
    counts: SplitSizes | None = None,
    on_room: Callable[[int, int], object] | None = None,
    preset: str = "fast",
) -> RoomBank:
    """A bank of simulated rooms of a preset; made on first use, and cached.

    `counts` are the preset's own in `COUNTS` unless given. A damaged bank is made again. `on_room`
    is called, while one is made, with the rooms done and wanted.

    Raises:
        RoomError: pyroomacoustics is missing, or the cache cannot be written.
    """
    library()
    counts = counts or COUNTS[preset]
    settings = replace(PRESETS[preset], sample_rate=sample_rate)
    made_from = [VERSION, asdict(settings), asdict(counts), version("pyroomacoustics")]
    path = cache_folder() / f"rooms-{key_of({'rooms': made_from})[:16]}.safetensors"
    # one process: it takes seconds (`real` four minutes), and workers would import the caller's
    # script a second time
    make = partial(make_bank, path, settings, counts, workers=1, on_room=on_room)
    try:
        return make()
    except RoomError:
        if not is_there(path):
            raise
        discard(path)  # damaged: nobody named this file, so nobody is asked to mend it
        return make()
