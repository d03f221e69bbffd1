"""How many processors there are for a process, by trees like those of containers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from mondegreen import processors
from mondegreen.errors import OptionError


@pytest.fixture(autouse=True)
def sixty_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "affinity", lambda: 64)


def tree(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V1 = "3:memory:/box\n2:cpu,cpuacct:/box/job\n1:cpuset:/\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 64),  # no control groups
        ({"proc/self/cgroup": "0::/\n"}, 64),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 64),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "1000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "9900000 100000\n"}, 64),
        # the tightest of a group and those above it
        (
            {
                "proc/self/cgroup": "0::/slice/job\n",
                "sys/fs/cgroup/slice/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/slice/job/cpu.max": "max 100000\n",
            },
            4,
        ),
        # a container whose group is mounted at the top, with its path on the host
        (
            {
                "proc/self/cgroup": "0::/docker/8f2a\n",
                "sys/fs/cgroup/cpu.max": "300000 100000\n",
            },
            3,
        ),
        # version 1
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/box/job/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu,cpuacct/box/job/cpu.cfs_period_us": "50000\n",
            },
            5,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            64,
        ),
        # another controller's numbers are not the processor's
        (
            {
                "proc/self/cgroup": "3:memory:/\n",
                "sys/fs/cgroup/memory/cpu.cfs_quota_us": "100000\n",
                "sys/fs/cgroup/memory/cpu.cfs_period_us": "100000\n",
            },
            64,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 0\n"}, 64),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "\xff\n"}, 64),
    ],
)
def test_a_quota_is_taken(tmp_path: Path, files: Mapping[str, str], expected: int) -> None:
    assert processors.processors(tree(tmp_path, files)) == expected


def test_affinity_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "affinity", lambda: 3)
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "800000 100000\n"}
    assert processors.processors(tree(tmp_path, files)) == 3


def test_more_threads_than_can_be_started_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    processors.check_threads(8)
    with pytest.raises(OptionError, match="Got 9 threads, expected at most 8"):
        processors.check_threads(9)
