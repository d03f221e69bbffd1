"""The engine of a run: a pool of workers, and what happens when one of them is lost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar

from mondegreen.errors import MondegreenError, VictimError
from mondegreen.foreign import find_function
from mondegreen.plugins import ENGINES, plugins
from mondegreen.processors import processors
from mondegreen.runs.config import RunConfig
from mondegreen.runs.job import Advanced, Assignment, Crashed, Event, Job, Lost
from mondegreen.runs.manifest import Attacked

FAILED_STARTS: Final = 3  # in a row, before a pool goes on with one worker fewer


@dataclass(frozen=True)
class Exited:
    """A worker has ended unexpectedly: out of memory, killed, or its machine is gone."""

    reason: str


@dataclass(eq=False, kw_only=True)
class Handle(ABC):
    """A worker as its engine sees it."""

    assignment: Assignment
    ready: bool = False  # it has loaded the recogniser
    job: Job | None = None

    @abstractmethod
    def send(self, what: Job | None) -> None:
        """Give it a job; None asks it to save the search under way and end its job."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once."""


H = TypeVar("H", bound=Handle)
Message: TypeAlias = Attacked | MondegreenError | Event | Exited


class Engine(ABC, Generic[H]):
    """A pool of workers; the first one starts at once, and loads while its driver plans.

    A worker that is lost is replaced, and its job comes back as `Crashed`. `run` is the path of the
    run folder, `device` that of the first worker (None: the configuration's).
    """

    load_seconds: ClassVar[float | None] = None  # longest wait for the first worker; None: any

    def __init__(self, run: str, config: RunConfig, device: str | None = None) -> None:
        self.config = config
        self.assignment = Assignment(run, config, device or config.device, worker_threads(config))
        self.workers = [self.launch(self.assignment)]
        self.stopping = False
        self.failed_starts = 0  # in a row
        self.notes: list[str] = []  # for the user, on where the workers are

    @abstractmethod
    def launch(self, assignment: Assignment) -> H:
        """Start a worker; its first message is what it has loaded, or why it cannot."""

    @abstractmethod
    def devices(self, attacked: Attacked, jobs: int) -> list[str]:
        """The device of each worker that so many jobs need, the first worker's included."""

    @abstractmethod
    def messages(self, seconds: float | None) -> Iterator[tuple[H, Message]]:
        """What workers have said, after waiting for at most `seconds` (None: any) for a message."""

    def open(self) -> Attacked:
        """Wait for the first worker, and return what it has loaded; one that exits is replaced.

        Raises:
            MondegreenError: the recogniser or the rooms are not available.
        """
        reason = ""
        for start in range(FAILED_STARTS):
            if start:
                self.workers = [self.launch(self.assignment)]
            silent = self.workers[0], VictimError(self._not_loaded("it did not answer"))
            first, loaded = next(self.messages(self.load_seconds), silent)
            match loaded:
                case Attacked():
                    self.assignment = replace(self.assignment, weights=loaded.weights)
                    first.ready = True
                    return loaded
                case MondegreenError():
                    raise loaded
                case Exited(reason):
                    pass
        raise VictimError(self._not_loaded(f"{reason}, {FAILED_STARTS} times"))

    def _not_loaded(self, reason: str) -> str:
        return f"{self.config.victim} could not be loaded: {reason}"

    def grow(self, attacked: Attacked, jobs: int) -> int:
        """Start the other workers, at most one per job; return how many there are now."""
        for device in self.devices(attacked, jobs)[1:]:
            self.workers.append(self.launch(replace(self.assignment, device=device)))
        return len(self.workers)

    def start(self, job: Job) -> bool:
        """Give a job to an idle worker; False if there is none."""
        idle = next((worker for worker in self.workers if worker.ready and not worker.job), None)
        if idle is not None:
            idle.job = job
            idle.send(job)
        return idle is not None

    def wait(self, seconds: float) -> list[Event]:
        """What has happened, after waiting for at most `seconds` for something to happen.

        Raises:
            VictimError: no worker can load the recogniser any more.
        """
        said = self.messages(seconds)
        return [event for worker, message in said for event in self._events(worker, message)]

    def _events(self, worker: H, message: Message) -> list[Event]:
        match message:
            case Exited(reason):
                return self._replace(worker, reason)
            case MondegreenError():
                return self._drop(worker, str(message))
            case Attacked():
                worker.ready, self.failed_starts = True, 0
                return []
        if not isinstance(message, Advanced):
            worker.job = None
        return [message]

    def _replace(self, lost: H, reason: str) -> list[Event]:
        """Start another worker in the place of one that has exited."""
        crashed: list[Event] = [Crashed(lost.job, reason)] if lost.job else []
        self.failed_starts += not lost.ready
        if self.failed_starts == FAILED_STARTS or self.stopping:
            self.failed_starts = 0
            return crashed + self._drop(lost, reason)
        again = replace(lost.assignment, weights=self.assignment.weights)
        self.workers[self.workers.index(lost)] = self.launch(again)
        return crashed

    def _drop(self, worker: H, reason: str) -> list[Event]:
        """Go on with the other workers, if there are any: some may still be loading."""
        self.workers.remove(worker)
        if self.stopping:
            return []
        what = f"a worker cannot load {self.config.victim}: {reason}"
        if not self.workers:
            raise VictimError(what)
        return [Lost(what)]

    def stop(self) -> None:
        """Ask all workers to save the searches under way; their jobs then end."""
        self.stopping = True
        for worker in self.workers:
            worker.send(None)

    def close(self) -> None:
        """End all workers at once."""
        for worker in self.workers:
            worker.kill()
        self.workers = []


def make_engine(run: str, config: RunConfig) -> Engine[Any]:
    """The engine that a configuration names.

    Raises:
        MondegreenError: Ray, or the package that adds the engine, cannot be imported.
    """
    name = config.engine
    if name == "ray":
        from mondegreen.runs.engines.ray import RayEngine

        return RayEngine(run, config)
    if name == "local":
        from mondegreen.runs.engines.local import LocalEngine

        return LocalEngine(run, config)
    made: Engine[Any] = find_function(plugins(ENGINES)[name].spec)(run, config)
    return made


def worker_devices(config: RunConfig, devices: Sequence[str], jobs: int, places: int) -> list[str]:
    """The device of each worker: `devices` (GPUs, or the CPU) in turn, at most one per job.

    Unless `config.workers` is given, there is one for each GPU, or as many as the CPU has `places`.
    """
    default = places if devices[0] == "cpu" else len(devices)
    count = max(1, min(config.workers or default, jobs))
    return [devices[n % len(devices)] for n in range(count)]


def worker_threads(config: RunConfig) -> int:
    """Threads of each worker: the processors divided by the workers asked for.

    The workers at work may be fewer; but with them the number of threads would depend on the number
    of clips, and with it how sums are rounded.
    """
    return config.threads or max(1, processors() // (config.workers or processors()))
