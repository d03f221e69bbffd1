"""Killed at any moment, a run goes on, and ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_folders import QUICK, command, environment, make_clips, mondegreen, records

KILLS = 6  # each of three ways to die, before anything is finished and after
PATIENCE = 120  # seconds, for a clip to be finished
CLIPS = 12  # more than can be finished between the kills, however fast a machine becomes
LONG = ("--method", "carlini-wagner", "--max-passes", "200")  # no clip ends before them
HOW = ("--workers", "2", "--threads", "1", "--checkpoint-seconds", "0.2")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
]


def test_killed_again_and_again_it_ends_as_if_undisturbed(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips", CLIPS)
    arguments = ("run", clips, *QUICK, *LONG, *HOW)
    calm_run, killed_run = tmp_path / "calm", tmp_path / "killed"
    first_item, pace = undisturbed((*arguments, "--out", calm_run), calm_run)
    calm, chance, finished = records(calm_run), random.Random(0), [0]
    for number in range(KILLS):
        process = start((*arguments, "--out", killed_run))
        # half are hit while they load or search; the others once they have finished a clip more,
        # while they search, prove and put in place
        late = number % 2 == 1
        wait = PATIENCE if late else chance.uniform(0.2, 0.9) * first_item
        await_item(killed_run, finished[-1], wait)
        if late:
            await_item(killed_run, finished[-1] + 1, chance.uniform(0, pace))
        strike(process, number, chance.uniform(0, 0.1) * first_item)
        finished.append(len(records(killed_run)))
    ended = mondegreen(*arguments, "--out", killed_run)
    assert ended.returncode == 0, ended.stderr
    assert finished == sorted(finished)
    assert len(set(finished[1:])) > 3  # it was hit while it worked, not only while it loaded
    assert finished[-1] < CLIPS  # and to the last
    assert records(killed_run) == calm  # every sample too: a record has its files' hashes
    assert len(calm) == CLIPS
    assert list(killed_run.rglob("*.part*")) == []
    assert list((killed_run / "searches").iterdir()) == []
    assert list((killed_run / "errors").iterdir()) == []


def undisturbed(arguments: tuple[object, ...], run: Path) -> tuple[float, float]:
    """Run to the end; the seconds until there was an item, and from then on for each."""
    began, first = time.monotonic(), None
    process = start(arguments)
    while process.poll() is None:
        time.sleep(0.05)
        if first is None and any(run.glob("items/[!.]*")):
            first = time.monotonic() - began
    assert process.returncode == 0
    assert first is not None
    return first, (time.monotonic() - began - first) / CLIPS


def await_item(run: Path, known: int, seconds: float) -> None:
    """Wait so long, or until the run has more items than are known."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(list(run.glob("items/[!.]*/record.json"))) <= known:
        time.sleep(0.02)


def start(arguments: tuple[object, ...]) -> subprocess.Popen[bytes]:
    """The driver, in a group of its own with its workers."""
    return subprocess.Popen(
        command(*map(str, arguments)),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def strike(process: subprocess.Popen[bytes], number: int, later: float) -> None:
    """Kill all at once, or the driver alone, or first a worker and the driver a little later."""
    assert process.poll() is None, "it ended before it was hit"
    if number % 3 == 0:
        os.killpg(process.pid, signal.SIGKILL)
    elif number % 3 == 1:
        process.kill()
    else:
        for worker in children(process.pid)[:1]:
            os.kill(worker, signal.SIGKILL)
        time.sleep(later)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    await_end_of_group(process.pid)


def children(pid: int) -> list[int]:
    """The worker processes of a driver."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [n for n in map(int, listed) if b"spawn_main" in Path(f"/proc/{n}/cmdline").read_bytes()]


def await_end_of_group(group: int) -> None:
    """Workers end with their driver; else two runs would share the folder."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("a worker has outlived its driver")
