"""How many workers there are, on which devices, with how many threads each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from mondegreen.runs.config import RunConfig

STILLBORN: Final = 3  # workers lost in a row while they loaded, before one fewer will have to do


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_devices(config: RunConfig, devices: Sequence[str], jobs: int, places: int) -> list[str]:
    """The device of each worker: GPUs in turn, and never more workers than jobs.

    Args:
        config: whose `workers`, if given, is how many.
        devices: GPUs, or the CPU alone.
        jobs: how many there are to do.
        places: workers that the processors have room for.
    """
    default = places if devices[0] == "cpu" else len(devices)
    count = max(1, min(config.workers or default, jobs))
    return [devices[n % len(devices)] for n in range(count)]


def worker_threads(config: RunConfig) -> int:
    """Threads of each worker: the processors divided among those that are asked for.

    Not among those that there turn out to be jobs for: another number of clips would otherwise have
    other threads, and its sums be rounded otherwise.
    """
    return config.threads or max(1, processors() // (config.workers or processors()))
