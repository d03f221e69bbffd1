"""Unfinished searches on disk: written down now and then, and gone on from to the bit."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from mondegreen.attacks.snapshot import Snapshot
from mondegreen.files import write_whole
from mondegreen.runs.attack import Attack


def keep(path: Path, attack: Attack) -> None:
    """Write down where an attack stands, between two of its steps.

    Raises:
        StorageError: it cannot be written.
    """
    snapshot = attack.snapshot()
    facts = {"snapshot": dict(snapshot.facts), "seconds": attack.seconds}
    metadata = {"facts": json.dumps(facts)}
    write_whole(path, save(dict(snapshot.tensors), metadata))


def recall(path: Path, attack: Attack) -> bool:
    """Let an attack go on from what was written down, if that is there and belongs to it.

    What is damaged, or was made by another version, costs the passes that went into it, no more.
    """
    # whatever a file may hold: it is ours, and a search can always begin again
    with suppress(OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError):
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["facts"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        attack.restore(Snapshot(tensors, facts["snapshot"]), facts["seconds"])
        return True
    return False
