"""The engine of one machine: spawned processes, each with a pipe to the driver.

A process that ends without a word (out of memory, killed) breaks its pipe and nothing else: its job
comes back as crashed, and another process takes its place. When the driver ends, however it does,
the pipes break at the other end, and the processes end with it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import Any, Final

from mondegreen.errors import MondegreenError, VictimError
from mondegreen.runs.config import RunConfig
from mondegreen.runs.engines.base import STILLBORN, processors, worker_devices, worker_threads
from mondegreen.runs.job import Advanced, Assignment, Crashed, Event, Halted, Job, Lost
from mondegreen.runs.manifest import Attacked

STOP: Final = "stop"
TELL_EVERY: Final = 0.25  # s between two words of a job's progress


class LocalEngine:
    """Processes of this machine.

    Args:
        run: path of the run folder.
        config: what is run, and how.
    """

    def __init__(self, run: str, config: RunConfig) -> None:
        self._config = config
        self._assignment = Assignment(run, config, config.device, worker_threads(config))
        self._hands = [_Hand.hire(self._assignment)]
        self._stopping = False
        self._stillborn = 0  # workers lost in a row while they loaded

    def open(self) -> Attacked:
        """Wait for the first worker, and tell what it has loaded; see `Engine`."""
        first = self._hands[0]
        try:
            loaded = first.pipe.recv()
        except EOFError:
            raise VictimError(
                f"A process that loaded {self._config.victim} ended by itself"
                f" ({first.epitaph()}). Is there enough memory?"
            ) from None
        if isinstance(loaded, MondegreenError):
            raise loaded
        assert isinstance(loaded, Attacked)
        self._assignment = replace(self._assignment, weights=loaded.weights)
        first.ready = True
        return loaded

    def staff(self, attacked: Attacked, jobs: int) -> int:
        """Start the other workers; see `Engine`."""
        places = processors() // self._assignment.threads
        devices = worker_devices(self._config, attacked.devices, jobs, places)
        for device in devices[1:]:
            self._hands.append(_Hand.hire(replace(self._assignment, device=device)))
        return len(self._hands)

    def start(self, job: Job) -> bool:
        """Give a job to an idle worker; see `Engine`."""
        idle = next((hand for hand in self._hands if hand.ready and hand.job is None), None)
        if idle is None:
            return False
        idle.job = job
        idle.say(job)  # where it has just ended, `wait` will find out
        return True

    def wait(self, seconds: float) -> list[Event]:
        """What has happened; see `Engine`."""
        pipes = {hand.pipe: hand for hand in self._hands}
        events: list[Event] = []
        for pipe in connection.wait(pipes, seconds):
            hand = pipes[pipe]  # type: ignore[index]
            try:
                said = hand.pipe.recv()
            except (EOFError, OSError):
                events += self._replace(hand)
                continue
            events += self._said(hand, said)
        return events

    def _said(self, hand: _Hand, said: Any) -> list[Event]:
        if isinstance(said, Attacked):
            hand.ready, self._stillborn = True, 0
            return []
        if isinstance(said, MondegreenError):
            return self._do_without(hand, str(said))
        if not isinstance(said, Advanced):
            hand.job = None
        return [said]

    def _replace(self, lost: _Hand) -> list[Event]:
        """Put another worker in the place of one that has ended."""
        reason = f"its process ended by itself ({lost.epitaph()})"
        crashed: list[Event] = [] if lost.job is None else [Crashed(lost.job, reason)]
        self._stillborn += not lost.ready
        if self._stillborn == STILLBORN or self._stopping:
            self._stillborn = 0
            return crashed + self._do_without(lost, reason)
        another = replace(lost.assignment, weights=self._assignment.weights)
        self._hands[self._hands.index(lost)] = _Hand.hire(another)
        return crashed

    def _do_without(self, hand: _Hand, reason: str) -> list[Event]:
        """Go on with the other workers, if there are any."""
        self._hands.remove(hand)
        if self._stopping:
            return []
        what = f"a worker cannot load {self._config.victim}: {reason}"
        return [Lost(what) if any(other.ready for other in self._hands) else Halted(what)]

    def stop(self) -> None:
        """Ask all workers to write down what they are at; see `Engine`."""
        self._stopping = True
        for hand in self._hands:
            hand.say(STOP)

    def close(self) -> None:
        """End all workers at once; see `Engine`."""
        for hand in self._hands:
            hand.process.kill()
        for hand in self._hands:
            hand.process.join()
            hand.pipe.close()
        self._hands = []


@dataclass
class _Hand:
    """A worker's process, as its driver sees it."""

    process: SpawnProcess
    pipe: Connection[Any, Any]
    assignment: Assignment
    ready: bool = False  # it has loaded what it attacks
    job: Job | None = None

    @classmethod
    def hire(cls, assignment: Assignment) -> _Hand:
        """Start a process."""
        # Spawned: a fork of a process in which torch has threads may never come back.
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, assignment), daemon=True)
        with _deaf_to_interrupts():  # which the process inherits: it would die of one as it starts
            process.start()
        theirs.close()  # so that the pipe breaks when the process ends
        return cls(process, ours, assignment)

    def say(self, what: Any) -> None:
        """Send something, unless the process has ended."""
        with suppress(OSError):
            self.pipe.send(what)

    def epitaph(self) -> str:
        """How the process ended."""
        self.pipe.close()
        self.process.join()
        code = self.process.exitcode or 0
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Put off Ctrl-C in this thread, and in what it starts."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(pipe: Connection[Any, Any], assignment: Assignment) -> None:
    """What a worker's process does: load, say so, then job after job."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the driver gets them too, and decides
    os.dup2(2, 1)  # what a recogniser prints is no result
    jobs: SimpleQueue[Job] = SimpleQueue()
    stop = Flag()
    Thread(target=_listen, args=(pipe, jobs, stop), daemon=True).start()
    # torch takes seconds to import, which the driver does without
    from mondegreen.runs.worker import load_worker, run_job

    worker = load_worker(assignment, stop)
    if isinstance(worker, MondegreenError):
        pipe.send(worker)
        return
    pipe.send(worker.describe())
    while True:
        job = jobs.get()
        pipe.send(run_job(worker, job, _Teller(pipe, job)))


def _listen(pipe: Connection[Any, Any], jobs: SimpleQueue[Job], stop: Flag) -> None:
    """Take what the driver says; without a driver, end."""
    try:
        while True:
            said = pipe.recv()
            if said == STOP:
                stop.set()
            else:
                jobs.put(said)
    except (EOFError, OSError):
        os._exit(1)  # the main thread may be deep in a pass


class _Teller:
    """Tells the driver how far a job has come, now and then."""

    def __init__(self, pipe: Connection[Any, Any], job: Job) -> None:
        self._pipe, self._job, self._told = pipe, job, 0.0

    def __call__(self, passes: int, of: int) -> None:
        if time.monotonic() - self._told > TELL_EVERY:
            self._told = time.monotonic()
            self._pipe.send(Advanced(self._job, passes, of))
