"""How many processors this process may use, which in a container is less than the machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Final

from mondegreen.errors import OptionError
from mondegreen.reading import read_bytes

MOST_THREADS: Final = 1024  # of an option; more than any machine that is attacked on can use
PER_PROCESSOR: Final = 4  # threads for each processor of the machine, beyond which all only waits


def processors(root: Path = Path("/")) -> int:
    """The processors that affinity and the quota of the control group leave to this process.

    Args:
        root: where /proc and /sys are.
    """
    quotas = [ceil(quota) for quota in _quotas(root)]
    return max(1, min([affinity(), *quotas]))


def affinity() -> int:
    """The processors that the scheduler may run this process on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_threads(threads: int | None) -> None:
    """Refuse so many threads that the system might not start them: it would end the process.

    Raises:
        OptionError: they are more than a few for each processor of this machine.
    """
    most = PER_PROCESSOR * (os.cpu_count() or 1)
    if threads is not None and threads > most:
        raise OptionError(
            f"Got {threads} threads, expected at most {most} on this machine of"
            f" {os.cpu_count()} processors. More of them only wait for each other."
        )


def _quotas(root: Path) -> Iterator[float]:
    """Processors' worth of time of this process's control group and of those above it.

    Groups of both versions; a quota of a group above holds for all in it.
    """
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        mounted = root / "sys/fs/cgroup" / controllers  # in version 2, without controllers
        if controllers and "cpu" not in controllers.split(","):
            continue
        # in a container, the group may be mounted at the top while its path is that of the host
        group = Path(path.lstrip("/"))
        for above in (group, *group.parents):
            yield from _quota(mounted / above)


def _quota(group: Path) -> Iterator[float]:
    """The quota of one group, if it has one: -1 or "max" is none."""
    quota = [*_lines(group / "cpu.cfs_quota_us"), *_lines(group / "cpu.cfs_period_us")]
    for numbers in (quota, *(line.split() for line in _lines(group / "cpu.max"))):
        if len(numbers) == 2 and all(n.isdigit() and int(n) for n in numbers):
            yield int(numbers[0]) / int(numbers[1])


def _lines(path: Path) -> list[str]:
    try:
        return read_bytes(path).decode().splitlines()
    except (OSError, ValueError):
        return []
