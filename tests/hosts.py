"""Machines of a Ray cluster: processes here that do not see the files, and can be switched off."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from run_folders import environment

# Mounts and processes of their own; for others than root, as the root of their own little world.
OWN = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
ALONE = OWN if os.geteuid() == 0 else (*OWN, "--map-root-user")
SETTINGS = {
    "RAY_health_check_period_ms": "1000",  # to notice soon that one is gone
    "RAY_USAGE_STATS_ENABLED": "0",
}
MEMORY = 80_000_000  # bytes of a machine's object store


def can_be_hidden() -> bool:
    """Whether this system lets a process have mounts of its own."""
    mount = (*ALONE, "mount", "-t", "tmpfs", "none", "/mnt")
    return (
        bool(shutil.which("unshare")) and not subprocess.run(mount, capture_output=True).returncode
    )


@contextmanager
def machine(
    address: str, hidden: Path, cpus: int, resource: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A machine that joins a cluster, with a /tmp of its own, and without what is in a folder.

    Kill it, and all that runs on it ends. `resource` is something that it has for others to name.
    """
    empty = "mount -t tmpfs none"
    hide = f"{empty} /tmp && (! [ -d '{hidden}' ] || {empty} '{hidden}')"
    ray = f"{sys.executable} -m ray.scripts.scripts start --block --address={address}"
    ray += f" --object-store-memory={MEMORY} --include-log-monitor=false"
    ray += f" --num-cpus={cpus} --resources='{json.dumps({resource: 1})}'"
    process = subprocess.Popen(
        (*ALONE, "sh", "-c", f"{hide} && exec {ray}"),
        env=environment() | SETTINGS,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
