"""The engine of one machine: spawned processes, each with a pipe to the driver.

A process that is killed breaks its pipe and nothing else. When the driver ends, in whatever way,
the pipes break at the other end, and the processes end with it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import Any, Final

from mondegreen.errors import MondegreenError
from mondegreen.processors import processors
from mondegreen.runs.engines.base import (
    Engine,
    Exited,
    Handle,
    Message,
    worker_devices,
)
from mondegreen.runs.job import Advanced, Assignment, Job
from mondegreen.runs.manifest import Attacked

REPORT_EVERY: Final = 0.25  # s between two reports of a job's progress


@dataclass(eq=False, kw_only=True)
class _ProcessHandle(Handle):
    process: SpawnProcess
    pipe: Connection[Any, Any]

    def send(self, what: Job | None) -> None:
        with suppress(OSError):  # it has exited, which `receive` will say
            self.pipe.send(what)

    def receive(self) -> Message:
        try:
            message: Message = self.pipe.recv()
        except (EOFError, OSError):
            return Exited(f"its process ended unexpectedly ({self._exit_status()})")
        return message

    def _exit_status(self) -> str:
        self.pipe.close()
        self.process.join()
        code = self.process.exitcode or 0
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class LocalEngine(Engine[_ProcessHandle]):
    """Processes of this machine; see `Engine`."""

    def launch(self, assignment: Assignment) -> _ProcessHandle:
        """See `Engine`."""
        # spawned: a fork of a process in which torch has threads may hang
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, assignment), daemon=True)
        with _interrupts_blocked():  # the process inherits this: Ctrl-C would kill it as it starts
            process.start()
        theirs.close()  # so that the pipe breaks when the process ends
        return _ProcessHandle(assignment=assignment, process=process, pipe=ours)

    def devices(self, attacked: Attacked, jobs: int) -> list[str]:
        """See `Engine`."""
        places = processors() // self.assignment.threads
        return worker_devices(self.config, attacked.devices, jobs, places)

    def messages(self, seconds: float | None) -> Iterator[tuple[_ProcessHandle, Message]]:
        """See `Engine`."""
        workers: dict[Any, _ProcessHandle] = {worker.pipe: worker for worker in self.workers}
        for pipe in connection.wait(workers, seconds):
            yield workers[pipe], workers[pipe].receive()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Hold back Ctrl-C from this thread, and from processes that it starts."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(pipe: Connection[Any, Any], assignment: Assignment) -> None:
    """The main function of a worker's process: load, say so, then do job after job."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the driver gets them too, and decides
    os.dup2(2, 1)  # what a recogniser prints is not a result
    jobs: SimpleQueue[Job] = SimpleQueue()
    stop = Flag()
    Thread(target=_listen, args=(pipe, jobs, stop), daemon=True).start()
    # imports torch, which takes seconds and which the driver does not need
    from mondegreen.runs.worker import load_worker, run_job

    worker = load_worker(assignment, stop)
    if isinstance(worker, MondegreenError):
        pipe.send(worker)
        return
    pipe.send(worker.describe())
    while True:
        job = jobs.get()
        pipe.send(run_job(worker, job, _progress_reporter(pipe, job)))


def _listen(pipe: Connection[Any, Any], jobs: SimpleQueue[Job], stop: Flag) -> None:
    """Receive from the driver; end with it."""
    try:
        while True:
            job = pipe.recv()
            if job is None:
                stop.set()
            else:
                jobs.put(job)
    except (EOFError, OSError):
        os._exit(1)  # the main thread may be deep in a pass


def _progress_reporter(pipe: Connection[Any, Any], job: Job) -> Callable[[int, int], None]:
    """Tells the driver how far a job has come, not more often than every `REPORT_EVERY`."""
    reported = 0.0

    def report(passes: int, of: int) -> None:
        nonlocal reported
        if time.monotonic() - reported > REPORT_EVERY:
            reported = time.monotonic()
            pipe.send(Advanced(job, passes, of))

    return report
