"""What a driver asks of an engine, and how many workers it has, on which devices."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, Protocol

from mondegreen.runs.config import RunConfig
from mondegreen.runs.job import Event, Job
from mondegreen.runs.manifest import Attacked


class Engine(Protocol):
    """A pool of workers; the first is started with it, and loads while its driver plans.

    Workers that are lost are replaced; what they were at comes back as `Crashed`.
    """

    def open(self) -> Attacked:
        """Wait for the first worker, and tell what it has loaded.

        Raises:
            MondegreenError: the recogniser or the rooms cannot be had.
        """

    def staff(self, attacked: Attacked, jobs: int) -> int:
        """Start the other workers, no more than there are jobs; how many there are now."""

    def start(self, job: Job) -> bool:
        """Give a job to an idle worker; False: there is none."""

    def wait(self, seconds: float) -> list[Event]:
        """What has happened, having waited for something to, for so many seconds at most."""

    def stop(self) -> None:
        """Ask all workers to write down what they are at; their jobs then end."""

    def close(self) -> None:
        """End all workers at once."""


def make_engine(run: str, config: RunConfig) -> Engine:
    """The engine that a configuration names.

    Raises:
        MondegreenError: what it needs is not installed.
    """
    if config.engine == "ray":
        from mondegreen.runs.engines.ray import RayEngine

        return RayEngine(run, config)
    from mondegreen.runs.engines.local import LocalEngine

    return LocalEngine(run, config)


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
