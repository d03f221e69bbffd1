"""The engine of a Ray cluster: an actor for each worker, on whatever machine Ray puts it.

Without an address, a cluster of this machine's own is begun and ended with the run. With one, all
machines must see the run folder and the recordings under the same paths. Actors that are lost are
replaced here, not by Ray, so that a lost job comes back as it does from every other engine.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, replace
from threading import Event as Flag
from typing import TYPE_CHECKING, Any, Final

from mondegreen.errors import MondegreenError, VictimError
from mondegreen.runs.config import RunConfig
from mondegreen.runs.engines.base import STILLBORN, processors, worker_devices, worker_threads
from mondegreen.runs.job import Advanced, Assignment, Crashed, Event, Halted, Job, Lost
from mondegreen.runs.manifest import Attacked

if TYPE_CHECKING:
    from mondegreen.runs.worker import Worker

try:
    import ray
    from ray.exceptions import RayError
except ImportError as error:
    raise MondegreenError(
        "The engine “ray” needs Ray. Install it: pip install 'mondegreen[ray]'; or use --engine"
        " local."
    ) from error

LOAD_SECONDS: Final = 600.0  # for a cluster to find a place for an actor, and for that to load
KNOCK_SECONDS: Final = 10.0


class RayEngine:
    """Actors of a Ray cluster.

    Args:
        run: path of the run folder.
        config: what is run, and how.

    Raises:
        VictimError: there is no cluster at the address, or none can be begun.
    """

    def __init__(self, run: str, config: RunConfig) -> None:
        self._config = config
        self._threads = worker_threads(config)
        _connect(config.ray_address, (config.workers or 1) * self._threads)
        self._on_gpu = config.device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1
        device = "cuda" if self._on_gpu else config.device  # Ray shows an actor its own GPU only
        self._assignment = Assignment(run, config, device, self._threads)
        self._hands = [self._hire()]
        self._stillborn = 0

    def open(self) -> Attacked:
        """Wait for the first worker, and tell what it has loaded; see `Engine`."""
        first = self._hands[0]
        try:
            loaded = ray.get(first.pending, timeout=LOAD_SECONDS)
        except RayError as error:
            raise VictimError(f"No actor could load {self._config.victim}: {error}") from error
        if isinstance(loaded, MondegreenError):
            raise loaded
        assert isinstance(loaded, Attacked)
        self._assignment = replace(self._assignment, weights=loaded.weights)
        first.pending, first.ready = None, True
        return loaded

    def staff(self, attacked: Attacked, jobs: int) -> int:
        """Start the other workers; see `Engine`."""
        del attacked  # tells of one machine
        held = ray.cluster_resources()
        devices = ["cuda"] * int(held.get("GPU", 0)) if self._on_gpu else ["cpu"]
        places = int(held.get("CPU", 1)) // self._threads
        count = len(worker_devices(self._config, devices, jobs, places))
        self._hands += [self._hire() for _ in range(count - 1)]
        return len(self._hands)

    def start(self, job: Job) -> bool:
        """Give a job to an idle worker; see `Engine`."""
        idle = next((hand for hand in self._hands if hand.ready and hand.job is None), None)
        if idle is None:
            return False
        idle.job, idle.pending = job, idle.actor.work.remote(job)
        return True

    def wait(self, seconds: float) -> list[Event]:
        """What has happened; see `Engine`."""
        busy = {hand.pending: hand for hand in self._hands if hand.pending is not None}
        if not busy:
            time.sleep(seconds)
            return []
        done, _ = ray.wait(list(busy), timeout=seconds)
        events = [event for reference in done for event in self._said(busy[reference])]
        return events + [event for hand in self._hands for event in hand.progress()]

    def _said(self, hand: _Hand) -> list[Event]:
        try:
            said = ray.get(hand.pending)
        except RayError as error:
            return self._replace(hand, (str(error).splitlines() or [type(error).__name__])[0])
        hand.pending = None
        if isinstance(said, MondegreenError):
            return self._do_without(hand, str(said))
        if isinstance(said, Attacked):
            hand.ready, self._stillborn = True, 0
            return []
        hand.job = None
        return [said]

    def _replace(self, lost: _Hand, reason: str) -> list[Event]:
        """Put another worker in the place of one that has ended."""
        reason = f"its actor ended by itself ({reason})"
        crashed: list[Event] = [] if lost.job is None else [Crashed(lost.job, reason)]
        self._stillborn += not lost.ready
        if self._stillborn == STILLBORN:
            self._stillborn = 0
            return crashed + self._do_without(lost, reason)
        self._hands[self._hands.index(lost)] = self._hire()
        return crashed

    def _do_without(self, hand: _Hand, reason: str) -> list[Event]:
        """Go on with the other workers, if there are any."""
        self._hands.remove(hand)
        what = f"a worker cannot load {self._config.victim}: {reason}"
        return [Lost(what) if any(other.ready for other in self._hands) else Halted(what)]

    def _hire(self) -> _Hand:
        needs = {"num_cpus": self._threads, "num_gpus": int(self._on_gpu)}
        # one thread works, the other answers
        desk = ray.remote(max_concurrency=2, **needs)(_Desk)
        actor = desk.remote(self._assignment)
        return _Hand(actor, pending=actor.load.remote())

    def stop(self) -> None:
        """Ask all workers to write down what they are at; see `Engine`."""
        for hand in self._hands:
            hand.actor.stop.remote()

    def close(self) -> None:
        """End all workers at once; see `Engine`."""
        for hand in self._hands:
            ray.kill(hand.actor)
        self._hands = []
        ray.shutdown()


@dataclass
class _Hand:
    """A worker's actor, as its driver sees it."""

    actor: Any
    pending: Any  # a reference to what it will say next; None: it is idle
    ready: bool = False  # it has loaded what it attacks
    job: Job | None = None
    passes: Any = None  # a reference to how far it has come

    def progress(self) -> list[Event]:
        """How far its job has come, if it has answered since it was last asked."""
        if self.job is None:
            self.passes = None
            return []
        if self.passes is None:
            self.passes = self.actor.passes.remote()
        if not ray.wait([self.passes], timeout=0)[0]:
            return []
        try:
            done, of = ray.get(self.passes)
        except RayError:  # lost: `wait` will find out
            return []
        self.passes = None
        return [Advanced(self.job, done, of)]


class _Desk:
    """Where a worker works."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._stop = Flag()
        self._worker: Worker | None = None
        self._passes = (0, 0)

    def load(self) -> Attacked | MondegreenError:
        from mondegreen.runs.worker import load_worker

        found = load_worker(self._assignment, self._stop)
        if isinstance(found, MondegreenError):
            return found
        self._worker = found
        return found.describe()

    def work(self, job: Job) -> Event:
        from mondegreen.runs.worker import run_job

        assert self._worker is not None, "it has loaded"
        self._note(0, 0)
        return run_job(self._worker, job, self._note)

    def passes(self) -> tuple[int, int]:
        return self._passes

    def stop(self) -> None:
        self._stop.set()

    def _note(self, passes: int, of: int) -> None:
        self._passes = (passes, of)


def _connect(address: str | None, least: int) -> None:
    """Join the cluster at an address, or begin one of all processors, `least` or more."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told that this runs
    own: dict[str, Any] = {"num_cpus": max(least, processors()), "include_dashboard": False}
    try:
        _knock(address)
        ray.init(
            address or "local",
            log_to_driver=False,
            logging_level="ERROR",
            **({} if address else own),
        )
    except (RayError, OSError, RuntimeError, ValueError) as error:
        raise VictimError(
            f"No Ray cluster at {address or 'this machine'}: {error}. See that it runs, or use"
            " --engine local."
        ) from error


def _knock(address: str | None) -> None:
    """See that somebody listens at an address: Ray itself would try for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host:
        socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS).close()
