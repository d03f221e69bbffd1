"""The engine of a Ray cluster: an actor for each worker, on whatever machine Ray puts it.

Without an address, a cluster of this machine is started, and ends with the run. With one, all
machines must see the run folder and the recordings under the same paths. Actors that are lost are
replaced by `Engine`, not by Ray, so that a lost job comes back as it does from any engine.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Event as Flag
from typing import Any, ClassVar, Final

from mondegreen.errors import MondegreenError, VictimError, first_line
from mondegreen.processors import processors
from mondegreen.runs.config import RunConfig
from mondegreen.runs.engines.base import (
    Engine,
    Exited,
    Handle,
    Message,
    worker_devices,
    worker_threads,
)
from mondegreen.runs.job import Advanced, Assignment, Event, Job
from mondegreen.runs.manifest import Attacked

try:
    import ray
    from ray.exceptions import RayError
except ImportError as error:
    raise MondegreenError(
        "The engine “ray” needs Ray. Install it: pip install 'mondegreen[ray]'; or use --engine"
        " local."
    ) from error

CONNECT_SECONDS: Final = 10.0


@dataclass(eq=False, kw_only=True)
class _ActorHandle(Handle):
    actor: Any
    pending: Any  # reference to its next message; None: it is idle
    passes: Any = None  # reference to how far its job has come

    def send(self, what: Job | None) -> None:
        if what is None:
            self.actor.stop.remote()
        else:
            self.pending = self.actor.work.remote(what)

    def receive(self) -> Message:
        try:
            message: Message = ray.get(self.pending)
        except RayError as error:
            return Exited(f"its actor ended unexpectedly ({first_line(error)})")
        self.pending = None
        return message

    def progress(self) -> Iterator[Advanced]:
        """How far its job has come, if it has answered since it was last asked."""
        if self.job is None:
            self.passes = None
            return
        self.passes = self.passes or self.actor.passes.remote()
        with suppress(RayError):  # no answer yet; or it has exited, which `receive` will say
            done, of = ray.get(self.passes, timeout=0)
            self.passes = None
            yield Advanced(self.job, done, of)

    def kill(self) -> None:
        ray.kill(self.actor)


class RayEngine(Engine[_ActorHandle]):
    """Actors of a Ray cluster; see `Engine`.

    Raises:
        VictimError: there is no cluster at the address, or none can be started.
    """

    load_seconds: ClassVar[float | None] = 600.0  # to find a place for an actor, and to load there

    def __init__(self, run: str, config: RunConfig) -> None:
        _connect(config.ray_address, (config.workers or 1) * worker_threads(config))
        self._on_gpu = config.device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1
        # Ray shows an actor only its own GPU
        super().__init__(run, config, "cuda" if self._on_gpu else config.device)

    def launch(self, assignment: Assignment) -> _ActorHandle:
        """See `Engine`."""
        needs = {"num_cpus": assignment.threads, "num_gpus": int(self._on_gpu)}
        # two threads: one works, the other answers
        actor = ray.remote(max_concurrency=2, **needs)(_WorkerActor).remote(assignment)
        return _ActorHandle(assignment=assignment, actor=actor, pending=actor.loaded.remote())

    def devices(self, attacked: Attacked, jobs: int) -> list[str]:
        """See `Engine`."""
        del attacked  # describes one machine
        held = ray.cluster_resources()
        places = int(held.get("CPU", 1)) // self.assignment.threads
        devices = ["cuda"] * int(held.get("GPU", 0)) if self._on_gpu else ["cpu"]
        count = len(worker_devices(self.config, devices, jobs, places))
        return [self.assignment.device] * count

    def messages(self, seconds: float | None) -> Iterator[tuple[_ActorHandle, Message]]:
        """See `Engine`."""
        busy = {worker.pending: worker for worker in self.workers if worker.pending is not None}
        if busy:
            for reference in ray.wait(list(busy), timeout=seconds)[0]:
                yield busy[reference], busy[reference].receive()
        else:
            time.sleep(seconds or 0)
        for worker in list(self.workers):
            for progress in worker.progress():
                yield worker, progress

    def close(self) -> None:
        """See `Engine`."""
        super().close()
        ray.shutdown()


class _WorkerActor:
    """Runs a `Worker` where Ray puts it."""

    def __init__(self, assignment: Assignment) -> None:
        from mondegreen.runs.worker import load_worker

        self._stop, self._passes = Flag(), (0, 0)
        self._worker = load_worker(assignment, self._stop)

    def loaded(self) -> Attacked | MondegreenError:
        worker = self._worker
        return worker if isinstance(worker, MondegreenError) else worker.describe()

    def work(self, job: Job) -> Event:
        from mondegreen.runs.worker import run_job

        assert not isinstance(self._worker, MondegreenError), "it has loaded"
        self._set_passes(0, 0)
        return run_job(self._worker, job, self._set_passes)

    def passes(self) -> tuple[int, int]:
        return self._passes

    def stop(self) -> None:
        self._stop.set()

    def _set_passes(self, passes: int, of: int) -> None:
        self._passes = (passes, of)


def _connect(address: str | None, least: int) -> None:
    """Join the cluster at an address, or start one of all processors, `least` or more."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage reports to Ray's makers
    own = {"num_cpus": max(least, processors()), "include_dashboard": False}
    options: dict[str, Any] = {} if address else own
    try:
        _check_address(address)
        ray.init(address or "local", log_to_driver=False, logging_level="ERROR", **options)
    except (RayError, OSError, RuntimeError, ValueError) as error:
        raise VictimError(
            f"No Ray cluster at {address or 'this machine'}: {error}. Check that it runs, or use"
            " --engine local."
        ) from error


def _check_address(address: str | None) -> None:
    """Raise OSError where nothing listens: Ray itself would try for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
