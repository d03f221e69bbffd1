"""The engine of a Ray cluster: an actor for each worker, on whatever machine Ray puts it.

Without an address, a cluster of this machine is started, and ends with the run. A machine that sees
the run folder works in it; to another, what it lacks is sent, and its items come back, to be put in
place here: see `copies`. Actors that are lost are replaced by `Engine`, not by Ray, so that a lost
job comes back as it does from any engine.
"""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event as Flag
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np

from mondegreen.errors import MondegreenError, StorageError, VictimError, first_line
from mondegreen.files import discard, part_name, write_new
from mondegreen.processors import processors
from mondegreen.reading import is_there
from mondegreen.results.folder import BANK
from mondegreen.runs.config import RunConfig
from mondegreen.runs.engines.base import (
    Engine,
    Exited,
    Handle,
    Message,
    worker_devices,
    worker_threads,
)
from mondegreen.runs.engines.copies import (
    ITEM_FILES,
    SEARCH,
    Copies,
    Files,
    Lacking,
    contents,
    inputs,
    put_in_place,
)
from mondegreen.runs.job import Advanced, Assignment, Event, Halted, Job
from mondegreen.runs.manifest import Attacked

try:
    import ray
    from ray.exceptions import RayError
except ImportError as error:
    raise MondegreenError(
        "The engine “ray” needs Ray. Install it: pip install 'mondegreen[ray]'; or use --engine"
        " local."
    ) from error

from mondegreen.runs.engines.machines import look_around

CONNECT_SECONDS: Final = 10.0
FETCH_SECONDS: Final = 10.0  # for a search to come from another machine


Sent: TypeAlias = dict[str, dict[str, Any]]  # by what was lacking, references to its files


@dataclass(eq=False, kw_only=True)
class _ActorHandle(Handle):
    actor: Any
    pack: Callable[[Iterable[str]], Sent]
    call: Callable[[Sent], Any] | None = None  # what it was last asked for
    pending: Any = None  # reference to its next message; None: it is idle
    passes: Any = None  # reference to how far its job has come

    def ask(self, call: Callable[[Sent], Any]) -> None:
        self.call, self.pending = call, call({})

    def send(self, what: Job | None) -> None:
        if what is None:
            self.actor.stop.remote()
        else:
            self.ask(partial(self.actor.work.remote, what))

    def receive(self) -> Message | None:
        """What it has to say; None: it lacks something, which it is sent."""
        try:
            said, left = ray.get(self.pending)
        except RayError as error:
            return Exited(f"its actor ended unexpectedly ({first_line(error)})")
        if isinstance(said, Lacking):
            assert self.call is not None, "it was asked for something"
            self.pending = self.call(self.pack(said.paths))
            return None
        self.pending = None
        return self._put_in_place(said, left, self.job)

    def progress(self) -> Iterator[Message]:
        """How far its job has come, if it has answered since it was last asked."""
        if self.job is None:
            self.passes = None
            return
        self.passes = self.passes or self.actor.passes.remote()
        # a search comes from elsewhere: a get that waits for nothing breaks off fetching it
        if not ray.wait([self.passes], timeout=0, fetch_local=False)[0]:
            return
        with suppress(RayError):  # not there in time; or it has exited, which `receive` will say
            done, of, left = ray.get(self.passes, timeout=FETCH_SECONDS)
            self.passes = None
            yield self._put_in_place(Advanced(self.job, done, of), left)

    def _put_in_place(self, said: Message, left: Files | None, ended: Job | None = None) -> Message:
        """What it has said, once what it has left elsewhere is in the run folder."""
        try:
            if left is not None:
                put_in_place(Path(self.assignment.run), left, ended)
        except StorageError as error:
            return Halted(str(error)) if self.job else error
        return said

    def kill(self) -> None:
        ray.kill(self.actor)


class RayEngine(Engine[_ActorHandle]):
    """Actors of a Ray cluster; see `Engine`.

    Raises:
        VictimError: there is no cluster at the address, none can be started, or a machine of it
            lacks mondegreen.
        OptionError: there is no such air.
        StorageError: the run folder cannot be written to.
    """

    load_seconds: ClassVar[float | None] = 600.0  # to find a place for an actor, and to load there

    def __init__(self, run: str, config: RunConfig) -> None:
        _connect(config.ray_address, (config.workers or 1) * worker_threads(config))
        self._on_gpu = config.device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1
        self._mark = Path(run) / part_name()  # who sees it sees the run folder
        self._inputs = inputs(config)
        self._packed: Sent = {}  # the inputs, once they were lacking somewhere
        try:
            write_new(self._mark, b"")
            needs = {"CPU": worker_threads(config), "GPU": int(self._on_gpu)}
            notes = [] if config.ray_address is None else look_around(run, self._mark, needs)
            # Ray shows an actor only its own GPU
            super().__init__(run, config, "cuda" if self._on_gpu else config.device)
        except MondegreenError:
            self._leave()
            raise
        self.notes += notes

    def launch(self, assignment: Assignment) -> _ActorHandle:
        """See `Engine`."""
        needs = {"num_cpus": assignment.threads, "num_gpus": int(self._on_gpu)}
        # two threads: one works, the other answers
        kind = ray.remote(max_concurrency=2, **needs)(_WorkerActor)
        actor = kind.remote(assignment, self._inputs, str(self._mark))
        handle = _ActorHandle(assignment=assignment, actor=actor, pack=self._pack)
        handle.ask(actor.load.remote)
        return handle

    def _pack(self, paths: Iterable[str]) -> Sent:
        return {path: self._packed.get(path) or self._referred(path) for path in paths}

    def _referred(self, path: str) -> dict[str, Any]:
        # arrays: bytes would be copied once more
        arrays = ((name, np.frombuffer(held, np.uint8)) for name, held in contents(path).items())
        files = {name: ray.put(array) for name, array in arrays}
        if path in self._inputs:
            self._packed[path] = files
        return files

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
        yield from self._heard(seconds)
        for worker in list(self.workers):
            for progress in worker.progress():
                yield worker, progress

    def _heard(self, seconds: float | None) -> list[tuple[_ActorHandle, Message]]:
        while busy := {worker.pending: worker for worker in self.workers if worker.pending}:
            ready = [busy[reference] for reference in ray.wait(list(busy), timeout=seconds)[0]]
            heard = [(worker, said) for worker in ready if (said := worker.receive())]
            if heard or not ready:
                return heard
        time.sleep(seconds or 0)
        return []

    def close(self) -> None:
        """See `Engine`."""
        super().close()
        self._leave()

    def _leave(self) -> None:
        discard(self._mark)
        ray.shutdown()


class _WorkerActor:
    """Runs a `Worker` where Ray puts it; on a machine that lacks files, on copies of them."""

    def __init__(self, assignment: Assignment, inputs: list[str], mark: str) -> None:
        self._stop, self._passes = Flag(), (0, 0)
        self._assignment, self._inputs = assignment, inputs
        self._copies = Copies(assignment.run, sees_run=is_there(mark))

    def load(self, sent: Sent) -> tuple[Attacked | MondegreenError | Lacking, Files | None]:
        from mondegreen.runs.worker import load_worker

        lacking = self._copies.lacking_to_load(self._inputs)
        if not lacking <= sent.keys():
            return Lacking(frozenset(lacking)), None
        assignment = replace(self._assignment, run=str(self._copies.run))
        try:
            with self._copies.holding(_fetched(sent)):
                worker = load_worker(assignment, self._stop)
                if isinstance(worker, MondegreenError):
                    return self._from_here(worker), None
                self._worker = worker
                made = self._copies.left(BANK) if assignment.weights is None else None
                return worker.describe(), made
        except StorageError as error:
            return self._from_here(error), None

    def work(self, job: Job, sent: Sent) -> tuple[Event | Lacking, Files | None]:
        from mondegreen.runs.worker import run_job

        lacking = self._copies.lacking_to_do(job)
        if not lacking <= sent.keys():
            return Lacking(frozenset(lacking)), None
        self._set_passes(0, 0)
        try:
            with self._copies.holding(_fetched(sent)):
                event = run_job(self._worker, job, self._set_passes)
                return event, self._copies.left(ITEM_FILES, SEARCH)
        except StorageError as error:
            return Halted(str(self._from_here(error))), None

    def passes(self) -> tuple[int, int, Files | None]:
        return *self._passes, self._copies.saved()

    def stop(self) -> None:
        self._stop.set()

    def _set_passes(self, passes: int, of: int) -> None:
        self._passes = (passes, of)

    def _from_here(self, error: MondegreenError) -> MondegreenError:
        """An error that says on which machine of a cluster it was met."""
        if self._assignment.config.ray_address is None:
            return error
        kind = StorageError if isinstance(error, StorageError) else VictimError
        return kind(f"on {platform.node()}: {error}")


def _fetched(sent: Sent) -> dict[str, dict[str, memoryview]]:
    return {
        path: {name: memoryview(ray.get(reference)) for name, reference in files.items()}
        for path, files in sent.items()
    }


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
