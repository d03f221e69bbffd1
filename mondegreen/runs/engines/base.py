"""What a driver asks of an engine."""

from __future__ import annotations

from typing import Protocol

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
