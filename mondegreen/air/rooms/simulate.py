"""Impulse responses of shoebox rooms by the image source method (Allen and Berkley, 1979).

The images come from *pyroomacoustics*. Its settings are fixed here: some are global, and others
depend on the machine.

- One thread: more would add the images in another order, with other rounding.
- Fractional delays are filters of 81 taps, so every response is 40 samples late. The delay is kept:
  cutting it off would cut off half the filter of a near source.
- A zero-phase high-pass at 10 Hz removes the offset of the images, which are all positive.
- The direct sound has the amplitude 1/d at a distance of d metres; nothing is normalised.
- No air absorption, ray tracing or displaced images: no random numbers at all (furnished rooms have
  them, see `mondegreen.air.rooms.furnished`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mondegreen.air.rooms.settings import Geometry, RoomSettings
from mondegreen.errors import RoomError

SPEED_OF_SOUND: Final = 343.0  # m/s, dry air of 20 degrees Celsius
FILTER_DELAY: Final = 40  # samples by which every response is late

_CONSTANTS: Final[dict[str, Any]] = {
    "num_threads": 1,
    "c": SPEED_OF_SOUND,
    "frac_delay_length": 2 * FILTER_DELAY + 1,
    "sinc_lut_granularity": 20,
    "rir_hpf_enable": True,
    "rir_hpf_fc": 10.0,
    "rir_hpf_kwargs": {"n": 2, "rp": 5.0, "rs": 60.0, "type": "butter"},
}


def impulse_response(geometry: Geometry, settings: RoomSettings) -> NDArray[np.float32]:
    """The response from source to microphone, up to the last image of `max_order` reflections.

    Order 100 takes about 0.6 s and 0.6 GB of memory.

    Returns:
        float32 `[L]`; the direct sound lies at `FILTER_DELAY + distance / SPEED_OF_SOUND * rate`.

    Raises:
        RoomError: pyroomacoustics is not installed.
    """
    pra = library()
    with constants(pra):
        room = pra.ShoeBox(
            geometry.size,
            fs=settings.sample_rate,
            max_order=settings.max_order,
            materials=pra.Material(energy_absorption=settings.absorption),
            air_absorption=False,
            ray_tracing=False,
            use_rand_ism=False,
        )
        room.add_source(geometry.source)
        room.add_microphone(geometry.microphone)
        room.compute_rir()
    return np.asarray(room.rir[0][0], dtype=np.float32)


def library() -> ModuleType:
    """The simulator, an optional package; raises `RoomError` if it is not installed."""
    try:
        import pyroomacoustics
    except ImportError as error:
        raise RoomError(
            f"Simulating rooms needs pyroomacoustics, which cannot be imported ({error})."
            " Run: pip install 'mondegreen[rooms]'"
        ) from error
    module: ModuleType = pyroomacoustics
    return module


@contextmanager
def constants(pra: ModuleType) -> Iterator[None]:
    """Set the library's global constants, and restore them afterwards."""
    before = {name: pra.constants.get(name) for name in _CONSTANTS}
    try:
        for name, value in _CONSTANTS.items():
            pra.constants.set(name, value)
        yield
    finally:
        for name, value in before.items():
            pra.constants.set(name, value)
