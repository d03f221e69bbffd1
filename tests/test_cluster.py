"""A cluster of machines that share no folder: its run is that of one machine, whatever happens."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import hosts
import pytest
import run_folders
from run_folders import QUICK, command, environment, make_clips, records
from toy import speech, toy_bank

import mondegreen
from mondegreen.audio.pcm import save
from mondegreen.errors import VictimError

ray = pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hosts.can_be_hidden(), reason="files cannot be hidden: no unshare"),
]
PATIENCE = 240  # s, for anything


class Cluster(NamedTuple):
    """The driver's machine, on which no worker is, and others that do not see the folder."""

    address: str
    folder: Path
    machine: subprocess.Popen[bytes]  # the only one for workers


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    from ray.cluster_utils import Cluster as Head

    folder, package = tmp_path_factory.mktemp("driver"), Path(str(mondegreen.__file__)).parent
    about = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": hosts.MEMORY}
    with pytest.MonkeyPatch.context() as patch, ExitStack() as machines:
        for name, value in (environment() | hosts.SETTINGS).items():
            patch.setenv(name, value)
        head = Head(True, head_node_args={**about, "resources": {"any": 1}})
        machines.callback(head.shutdown)
        blind, _ = (
            machines.enter_context(hosts.machine(head.address, hidden, cpus, named))
            for hidden, cpus, named in ((folder, 1, "any"), (package, 0, "bare"))
        )
        ray.init(head.address, log_to_driver=False, logging_level="ERROR")
        machines.callback(ray.shutdown)
        await_that(lambda: sum(node["Alive"] for node in ray.nodes()) == 3)
        yield Cluster(head.address, folder, blind)


def await_that(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def test_it_is_said_what_the_machines_see_and_lack(cluster: Cluster) -> None:
    from mondegreen.runs.engines.machines import look_around

    mark = cluster.folder / "mark"
    mark.touch()

    def told(**needs: int) -> list[str]:
        return look_around("RUN", mark, needs)

    others = "the others are sent what they lack, and their items come back, through Ray"
    assert told(any=1) == [f"RUN is seen by 1 of 2 machines; {others}"]
    assert told(any=1, CPU=1) == [f"RUN is seen by 0 of 1 machine; {others}"]
    assert told(GPU=1) == []
    with pytest.raises(VictimError, match=r"^1 of 1 machine .*has no mondegreen.*Install"):
        told(bare=1)


def test_a_machine_is_lost_and_nothing_else(cluster: Cluster) -> None:
    """It sees no file of the driver's; it is lost in mid-search, and another takes its place."""
    arguments, out = in_rooms(cluster.folder), cluster.folder / "by-ray"
    by_ray = ("--engine", "ray", "--ray-address", cluster.address, "--out", out)
    process = subprocess.Popen(
        command(*arguments, *by_ray),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    saved = "searches/[!.]*"
    await_that(lambda: bool([*out.glob(saved)]) or process.poll() is not None)
    cluster.machine.kill()
    with hosts.machine(cluster.address, cluster.folder, 1, "any"):
        told, notes = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, notes
    assert json.loads(told)["left"] == 0
    assert "seen by 0 of 1 machine; the others are sent" in notes
    assert notes.count("trying again") == 1
    alone = run_folders.mondegreen(*arguments, "--out", cluster.folder / "alone")
    assert alone.returncode == 0, alone.stderr
    assert records(out) == records(cluster.folder / "alone")
    assert len(records(out)) == CLIPS
    assert list(out.glob(saved)) == []
    assert [path.name for path in out.glob(".*")] == [".lock"]


CLIPS = 4


def in_rooms(folder: Path) -> tuple[str | Path, ...]:
    """A run that needs files of several kinds."""
    clips = make_clips(folder / "clips", CLIPS)
    (folder / "noises").mkdir()
    save(folder / "noises" / "hum.wav", 0.1 * speech(7, 5000), 16_000)
    (folder / "air.toml").write_text('[noise]\nsnr_db = [20, 20]\nfolder = "noises"\n')
    toy_bank({"attack": 3, "validate": 2, "test": 2}).save(folder / "bank.rooms")
    files = ("--rooms", folder / "bank.rooms", "--air", folder / "air.toml")
    what = (*QUICK, "--victim", "toy_victims:slow", "--method", "robust", "--max-passes", "60")
    how = ("--workers", "1", "--threads", "1", "--batch", "2", "--checkpoint-seconds", "0.05")
    return "run", clips, *files, *what, *how, "--json"
