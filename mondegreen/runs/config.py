"""The configuration of a run over a data set: flags, or one TOML file with the same names.

A field says *what* is run, or only *how* (`HOW`): on how many workers, in which batches, on which
device. What is run is the run's identity: change it, and it is another run. How may change between
two calls; an item's samples then agree to rounding, and to the bit only where it did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import tomli_w
from pydantic import Field, field_validator, model_validator

from mondegreen.chain.text import chained, unchained
from mondegreen.data.plain_text import is_utf8
from mondegreen.errors import OptionError, reason
from mondegreen.names import EMBEDDED
from mondegreen.options import DTYPE, Dtype, Options
from mondegreen.plugins import ENGINES, VICTIMS, plugins
from mondegreen.processors import MOST_THREADS
from mondegreen.reading import in_full, in_place, is_file, is_folder, read_toml

HOW: Final = frozenset(
    {"engine", "workers", "threads", "batch", "device", "checkpoint_seconds", "ray_address"}
)
TARGETS: Final = frozenset({"target", "targets"})
PATHS: Final = frozenset({"clips", "targets", "rooms", "air"})
NO_PATHS: Final = frozenset({"paper", "fast", "real"})  # even if a file of that name is there


class RunConfig(Options):
    """What is run over a data set, and how: the fields of `Options`, and these."""

    clips: str = Field(
        description="A manifest (.jsonl as NeMo's, .csv, .tsv), a folder of recordings, a"
        " LibriSpeech tree, or hf:NAME:CONFIG:SPLIT."
    )
    target: str | None = Field(
        default=None, description="One phrase for all clips. Default: each clip's own target."
    )
    targets: str | None = Field(
        default=None,
        description="A file of phrases, or paper: other clips' transcripts of a similar length.",
    )
    limit: int | None = Field(
        default=None, ge=1, description="Attack a random sample of this many clips."
    )
    shard: str | None = Field(
        default=None,
        pattern=r"^[1-9]\d{0,4}/[1-9]\d{0,4}$",
        description="Attack only a part of the clips, as 2/8: the second of eight; see `mondegreen"
        " merge`.",
    )
    victim: str = Field(
        default="moonshine-tiny",
        description="The recogniser: a name, a model hub's ID or ID@REVISION, a folder with a"
        " checkpoint, or module:function.",
    )
    rooms: str | None = Field(
        default=None,
        description="Bank file, or fast, paper or real: a bank that is made once and kept. Default:"
        " the air's own.",
    )
    air: str | None = Field(
        default=None,
        description="What happens to the sound: paper, rooms alone; real, also loudspeaker, noise,"
        " microphone and clock; or a TOML file of ranges: see docs/rooms.md. Default: paper.",
    )
    dtype: Dtype = Field(default="float32", description=DTYPE)

    engine: str = Field(
        default="local",
        description="local: processes on this machine; ray: a Ray cluster; or that of a plug-in.",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=MOST_THREADS,
        description="Number of workers. Default: one per GPU, or per processor.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=MOST_THREADS,
        description="Threads per worker. Default: the processors, divided.",
    )
    batch: int = Field(default=1, ge=1, description="Clips that a worker attacks at once.")
    device: str = Field(
        default="auto", description="auto (every GPU, or the CPU), cpu, cuda, cuda:1."
    )
    checkpoint_seconds: float = Field(
        default=30.0, gt=0, description="Seconds between two snapshots of an unfinished search."
    )
    ray_address: str | None = Field(
        default=None, description="Address of a Ray cluster. Default: start one on this machine."
    )

    @field_validator("engine")
    @classmethod
    def _engine_is_there(cls, name: str) -> str:
        known = ("local", "ray", *plugins(ENGINES))
        if name not in known:
            raise ValueError(f"Got engine = {name!r:.60}, expected one of: {', '.join(known)}")
        return name

    @field_validator("shard")
    @classmethod
    def _shard_is_one_of_them(cls, shard: str | None) -> str | None:
        if shard is not None and int(shard.split("/")[0]) > int(shard.split("/")[1]):
            raise ValueError(f"Got shard = {shard!r}, expected K/N with K from 1 to N, as 2/8")
        return shard

    @model_validator(mode="after")
    def _dtype_serves(self) -> Self:
        self.check_dtype(self.dtype)
        return self

    @property
    def part(self) -> tuple[int, int]:
        """Which shard this is, from 0 on, and of how many; all clips are the one shard of one."""
        number, of = map(int, (self.shard or "1/1").split("/"))
        return number - 1, of

    @property
    def options(self) -> Options:
        """How each clip is attacked."""
        return Options(**{name: getattr(self, name) for name in Options.model_fields})

    def what(self) -> dict[str, Any]:
        """The fields that make this run this run."""
        return self.model_dump(exclude=set(HOW))

    def to_toml(self) -> str:
        """As a file that `read_config` reads; None, which TOML does not know, is left out."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))


def read_config(path: Path | None, flags: Mapping[str, Any]) -> RunConfig:
    """The configuration of a file, with flags over it.

    The links of `through` become a part of the recogniser's name.

    Args:
        path: a TOML file; None: flags alone.
        flags: by the fields' names, or `through`; None: not given.

    Raises:
        OptionError: the file cannot be read, or something in it or in the flags is not offered.
    """
    given = _from_file(path) if path is not None else {}
    asked = {name: value for name, value in flags.items() if value is not None}
    if asked.keys() & TARGETS:  # there is only one way of choosing them
        given = {name: value for name, value in given.items() if name not in TARGETS}
    given |= asked
    links = _links(given.pop("through", []))
    for name, value in given.items():
        if isinstance(value, str) and ("\0" in value or not is_utf8(value)):
            raise OptionError(
                f"Got {name} = {value!r:.60}, which is not UTF-8 text. Type it again."
            )
    config = RunConfig(**{name: _in_full(name, value) for name, value in given.items()})
    before, recogniser = unchained(config.victim)
    named = (*EMBEDDED, *plugins(VICTIMS))
    if recogniser not in named and (is_folder(recogniser) or is_file(recogniser)):  # a checkpoint
        recogniser = str(in_place(recogniser))
    return config.model_copy(update={"victim": chained([*links, *before], recogniser)})


def _links(given: Any) -> list[str]:
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return given
    raise OptionError(
        f'Got through = {given!r:.60}, expected a list of links such as ["telephone", "opus:24"].'
    )


def _in_full(name: str, value: Any) -> Any:
    """A path in full: the same run from any folder, and when the file is gone."""
    if name not in PATHS or not value or not isinstance(value, str) or value in NO_PATHS:
        return value
    return value if name == "clips" and value.startswith("hf:") else str(in_full(value))


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except (OSError, ValueError) as error:
        raise OptionError(
            f"{path} cannot be read as a configuration: {reason(error)}. Expected TOML, as"
            " `mondegreen run --print-config` writes it."
        ) from error
