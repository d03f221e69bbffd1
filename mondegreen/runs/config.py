"""The configuration of a run over a data set: flags, or one TOML file with the same names.

A field says *what* is run, or only *how* (`HOW`): on how many workers, in which batches, on which
device. What is run is the run's identity: change it, and it is another run. How may change between
two calls; an item's samples then agree to rounding, and to the bit only where it did not.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mondegreen.data.plain_text import is_utf8
from mondegreen.errors import OptionError, reason

HOW: Final = frozenset(
    {"engine", "workers", "threads", "batch", "device", "checkpoint_seconds", "ray_address"}
)
TARGETS: Final = frozenset({"target", "targets"})
PATHS: Final = frozenset({"clips", "targets", "rooms"})
NO_PATHS: Final = frozenset({"paper", "fast"})  # whatever lies in the folder at hand


class RunConfig(BaseModel):
    """What is run over a data set, and how.

    Attributes:
        clips: a manifest (JSON Lines, CSV, TSV), a folder, or hf:NAME:CONFIG:SPLIT.
        target: one phrase for all clips.
        targets: "paper", or a file of phrases; neither this nor `target`: the clips' own.
        limit: a seeded sample of so many clips; None: all.
        max_clean_wer: see `Options`, like `method` to `under_threshold`.
        victim: see `load_victim`.
        rooms: a bank's file, or "fast" or "paper": a full bank of that preset; None: the default
            bank where the method works in rooms.
        dtype: floating type of weights and audio.
        engine: who works: processes of this machine, or a Ray cluster.
        workers: how many; None: one for each GPU, or without one for each processor.
        threads: of each worker; None: the processors, divided.
        batch: clips attacked at once by a worker, of like length.
        device: see `load_victim`; "auto": every GPU that there is.
        checkpoint_seconds: how often an unfinished search is written down.
        ray_address: of a running cluster; None: one of this machine's own.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    clips: str
    target: str | None = None
    targets: str | None = None
    limit: int | None = Field(None, ge=1)
    max_clean_wer: float = Field(0.5, ge=0, allow_inf_nan=False)
    victim: str = "moonshine-tiny"
    method: str = "imperceptible"
    preset: str = "fast"
    seed: int = Field(0, ge=0, lt=2**63)
    max_passes: int | None = Field(None, ge=1)
    exact: bool = False
    under_threshold: float | None = Field(None, ge=0, allow_inf_nan=False)
    rooms: str | None = None
    dtype: Literal["float32", "float64"] = "float32"

    engine: Literal["local", "ray"] = "local"
    workers: int | None = Field(None, ge=1)
    threads: int | None = Field(None, ge=1)
    batch: int = Field(1, ge=1)
    device: str = "auto"
    checkpoint_seconds: float = Field(30.0, gt=0, allow_inf_nan=False)
    ray_address: str | None = None

    def what(self) -> dict[str, Any]:
        """The fields that make this run this run."""
        return self.model_dump(exclude=set(HOW))

    def to_toml(self) -> str:
        """As a file that `read_config` reads; None, which TOML does not know, is left out."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))


def read_config(path: Path | None, flags: Mapping[str, Any]) -> RunConfig:
    """The configuration of a file, with flags over it.

    Args:
        path: a TOML file; None: flags alone.
        flags: by the fields' names; None: not given.

    Raises:
        OptionError: the file cannot be read, or something in it or in the flags is not offered.
    """
    given = _from_file(path) if path is not None else {}
    asked = {name: value for name, value in flags.items() if value is not None}
    if asked.keys() & TARGETS:  # there is but one way of choosing them
        given = {name: value for name, value in given.items() if name not in TARGETS}
    given |= asked
    for name, value in given.items():
        if isinstance(value, str) and not is_utf8(value):
            raise OptionError(f"Got {name} = {value!r}, which is no UTF-8. Type it again.")
    try:
        return RunConfig(**{name: _in_full(name, value) for name, value in given.items()})
    except ValidationError as error:
        raise OptionError("; ".join(map(_complaint, error.errors()))) from None


def _in_full(name: str, value: Any) -> Any:
    """A path in full, so that the same command from another folder is the same run."""
    if name not in PATHS or not isinstance(value, str) or value in NO_PATHS:
        return value
    if name == "clips":
        return value if value.startswith("hf:") else str(Path(value).resolve())
    return str(Path(value).resolve()) if os.path.exists(value) else value  # noqa: PTH110 - any text


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(
            f"{path} cannot be read as a configuration: {reason(error)}. Expected TOML, as"
            " `mondegreen run --print-config` writes it."
        ) from error


def _complaint(found: Mapping[str, Any]) -> str:
    """One of pydantic's findings, in our words."""
    name, known = ".".join(map(str, found["loc"])), RunConfig.model_fields
    if found["type"] == "extra_forbidden":
        close = get_close_matches(name, known, n=1)
        advice = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
        return f"The configuration has no key {name!r}; {advice}"
    if found["type"] == "missing":
        return f"No {name} were given; name them on the command line or in the configuration"
    return f"Got {name} = {found['input']!r}: {found['msg'].lower()}"
