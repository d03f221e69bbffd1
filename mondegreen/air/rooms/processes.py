"""Processes that make responses.

Each imports this module and those of what it runs, none of which imports torch: that would double
the time to start, and more than double the memory.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

from mondegreen.air.rooms.responses import Response
from mondegreen.errors import RoomError


@contextmanager
def processes(workers: int) -> Iterator[Callable[..., Iterator[Response]]]:
    """A `map` over processes, or in this one if one will do."""

    def run(function: Callable[[Any], Response], jobs: Iterable[Any]) -> Iterator[Response]:
        # Not the pool's own map: it cancels futures that a broken pool is about to settle, which
        # may kill the thread that cleans up after the pool.
        futures = deque(pool.submit(function, job) for job in jobs)
        while futures:
            yield futures.popleft().result()

    if workers <= 1:
        yield map
        return
    # Spawned: a fork of a process in which torch has threads may hang.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _follow_the_parent)
    try:
        yield run
    except BrokenProcessPool as error:
        raise RoomError(
            f"One of {workers} processes ended without a result, perhaps out of memory. Run the"
            " same command again with fewer workers; it resumes."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _follow_the_parent() -> None:
    """Leave interrupts to the parent, and end when it does, even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_after_the_parent, daemon=True).start()


def _end_after_the_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # the main thread waits for work that will never come
