"""`manifest.json`: what a run is, what it runs on, and whether a second command is the same run."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from mondegreen.errors import MondegreenError, OptionError
from mondegreen.files import as_json, differences, key_of, write_whole
from mondegreen.processors import processors
from mondegreen.results.folder import CLIPS, CONFIG, MANIFEST, hash_of, is_run, read_object
from mondegreen.results.record import typed
from mondegreen.runs.config import RunConfig

FORMAT: Final = 1
PACKAGES: Final = (
    *("mondegreen", "torch", "transformers", "numpy", "scipy", "soundfile", "soxr"),
    *("pyroomacoustics", "pystoi", "pesq", "pesqc2", "zimtohrli", "onnxruntime", "ray", "av"),
)


@dataclass(frozen=True)
class Attacked:
    """The recogniser and the rooms that a worker has loaded."""

    victim: str  # its name, pinned to a revision where it has one
    weights: str  # see `mondegreen.victims.fingerprint`
    sample_rate: int  # Hz
    bank: str | None  # the key of the bank of rooms; None: a method without rooms
    air: dict[str, Any] | None  # what happens to the sound, with all ranges; None: likewise
    stages: str  # the hash of what the attack does; see `mondegreen.search.presets.fingerprint`
    devices: tuple[str, ...]  # what could be worked on, each once: GPUs, or the CPU

    @property
    def what(self) -> dict[str, Any]:
        """The part of it that makes a run this run."""
        names = ("victim", "weights", "bank", "air", "stages")
        return {name: getattr(self, name) for name in names}


def identity(config: RunConfig, attacked: Attacked) -> dict[str, Any]:
    """What makes this run this run, but for its clips, which are compared one by one."""
    return {"configuration": config.what(), "attacked": attacked.what}


def item_identity(config: RunConfig, attacked: Attacked) -> dict[str, Any]:
    """What makes an item this item, besides its audio and its target."""
    attack = {**config.options.model_dump(), "dtype": config.dtype}
    return {"attack": attack, "victim": attacked.what}


@dataclass(frozen=True)
class _Begun:
    """What a manifest says of a run that was begun."""

    identity: Mapping[str, Any]
    begun: str
    calls: tuple[Any, ...]


def _begun(run: Path) -> _Begun:
    try:
        return typed(_Begun, read_object(run / MANIFEST))
    except MondegreenError as error:
        raise MondegreenError(
            f"{run / MANIFEST} is not what mondegreen wrote: {error}. Give --force-new to move the"
            " run aside and begin another; its items stay there."
        ) from error


def check_same(run: Path, config: RunConfig, attacked: Attacked | None = None) -> None:
    """Check that the run in a folder is this one.

    Args:
        run: the folder.
        config: of the command at hand.
        attacked: what its workers loaded; None: not known yet.

    Raises:
        OptionError: it is another run, and how.
        MondegreenError: its manifest is damaged.
    """
    there = _begun(run).identity
    asked: Mapping[str, Any] = {"configuration": config.what()}
    if attacked is not None:
        asked = identity(config, attacked)
    compared = {name: there.get(name) for name in asked}
    if different := "; ".join(differences(compared, asked)):
        raise OptionError(
            f"{run} is the folder of another run: {different}. Choose another --out, repeat the"
            " first command, or give --force-new to move what is there aside."
        )


def write_manifest(run: Path, config: RunConfig, attacked: Attacked, clips: int) -> None:
    """Write `config.toml` and `manifest.json`, once `clips.jsonl` is there.

    A resumed run keeps the date on which it began, and adds what it runs on now.

    Raises:
        StorageError: one cannot be written.
    """
    before = _begun(run) if is_run(run) else None
    made = identity(config, attacked)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = {
        "format": FORMAT,
        "identity": made,
        "hash": key_of(made),
        "configuration": config.model_dump(),
        "victim": {
            "name": attacked.victim,
            "weights": attacked.weights,
            "sample_rate": attacked.sample_rate,
        },
        "bank": attacked.bank,
        "clips": {"count": clips, "file": CLIPS, "sha256": hash_of(run / CLIPS)},
        "seeds": {"attack": config.seed, "targets": config.seed, "limit": config.seed},
        "begun": before.begun if before else now,
        "calls": [
            *(before.calls if before else ()),
            {"at": now, **_surroundings(config, attacked)},
        ],
    }
    write_whole(run / CONFIG, config.to_toml().encode())
    write_whole(run / MANIFEST, as_json(manifest))


def _surroundings(config: RunConfig, attacked: Attacked) -> dict[str, Any]:
    """What one call ran on."""
    return {
        "engine": config.engine,
        "devices": list(attacked.devices),
        "processors": processors(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": _versions(),
        "revision": _revision(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an optional one
            continue
    return found


def _revision() -> str | None:
    """The commit that this package's code is at, "+" where it was changed; None: no checkout."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists():
        return None
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", checkout, *arguments], capture_output=True, text=True, check=True
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain", "--", "mondegreen"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changes else "")
