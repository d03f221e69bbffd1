"""Banks of room impulse responses, each in one safetensors file with a checksum.

A bank has up to three splits, `attack`, `validate` and `test`, which share no room. One checksum
covers everything that is read, tensors and text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor

from mondegreen.air.rooms.responses import Response, Room
from mondegreen.audio.batch import pad
from mondegreen.audio.recording import SAMPLE_RATES
from mondegreen.errors import RoomError, reason
from mondegreen.files import write_whole
from mondegreen.reading import is_file, parse_json, read_tensors

FORMAT: Final = "mondegreen.rooms"
VERSION: Final = 2
LARGEST: Final = 2**33  # bytes of the file


@dataclass(frozen=True)
class Split:
    """Responses reserved for one purpose.

    Raises:
        RoomError: shapes, types or lengths do not match, or a value is not finite.
    """

    name: str  # `attack`, `validate` or `test`
    rirs: Tensor  # float32 `[N, L]`, zero after each response's end
    lengths: Tensor  # int64 `[N]`, samples before that
    rooms: tuple[Room, ...]  # N of them

    def __post_init__(self) -> None:
        n = len(self.rooms)
        if self.rirs.dtype != torch.float32 or self.rirs.ndim != 2 or len(self.rirs) != n:
            raise RoomError(
                f"The responses of {self.name} are {self.rirs.dtype} of shape"
                f" {list(self.rirs.shape)}, expected float32 [{n}, samples] for {n} rooms."
            )
        if self.lengths.dtype != torch.int64 or self.lengths.shape != (n,):
            raise RoomError(
                f"The lengths of {self.name} are {self.lengths.dtype} of shape"
                f" {list(self.lengths.shape)}, expected int64 [{n}]."
            )
        if bool(((self.lengths < 1) | (self.lengths > self.rirs.shape[1])).any()):
            raise RoomError(
                f"A response of {self.name} is not between 1 and {self.rirs.shape[1]} samples long."
            )
        if not bool(torch.isfinite(self.rirs).all()):
            raise RoomError(f"A response of {self.name} has NaN or infinite samples.")

    @classmethod
    def of(cls, name: str, responses: Iterable[Response]) -> Split:
        """Stack responses of unequal length, with zeros after the shorter ones."""
        rooms, rirs = zip(*responses, strict=True)
        return cls(name, *pad([torch.as_tensor(rir) for rir in rirs]), rooms)

    def responses(self) -> Iterator[Response]:
        """The responses one by one, without padding."""
        for room, rir, length in zip(self.rooms, self.rirs, self.lengths.tolist(), strict=True):
            yield Response(room, rir[:length].cpu().numpy())


@dataclass(frozen=True)
class RoomBank:
    """Splits of responses at one rate, and what they were made from."""

    sample_rate: int  # in Hz
    key: str  # the hash of `origin`; banks of equal key are equal
    origin: Mapping[str, Any]  # settings, seed, counts and versions, as JSON would have them
    splits: Mapping[str, Split]  # those that are not empty, by name

    def split(self, name: str) -> Split:
        """A split by its name; raises `RoomError` if there is none."""
        if name not in self.splits:
            raise RoomError(
                f"The bank has no rooms for {name!r}, only for {', '.join(sorted(self.splits))}."
                " Make a bank that has some, with --counts ATTACK,VALIDATE,TEST."
            )
        return self.splits[name]

    def save(self, path: str | PathLike[str]) -> None:
        """Write the bank to one file, whole or not at all.

        Raises:
            MondegreenError: the file cannot be written (disk full, no such folder, no permission).
        """
        tensors: dict[str, Tensor] = {}
        for name, split in self.splits.items():
            tensors[f"{name}.rirs"] = split.rirs.contiguous()
            tensors[f"{name}.lengths"] = split.lengths.contiguous()
        about: dict[str, Any] = {
            "version": VERSION,
            "sample_rate": self.sample_rate,
            "key": self.key,
            "origin": self.origin,
            "rooms": {name: [asdict(room) for room in s.rooms] for name, s in self.splits.items()},
        }
        about["sha256"] = _checksum(about, tensors)
        # One entry for everything: safetensors writes several in varying order.
        write_whole(Path(path), to_safetensors(tensors, {FORMAT: json.dumps(about)}))

    @classmethod
    def load(cls, path: str | PathLike[str], sample_rate: int | None = None) -> RoomBank:
        """Read a bank, and verify its checksum and, if given, its rate in Hz.

        Raises:
            RoomError: the file is missing, damaged, not a bank, or of another version or rate.
        """
        path = Path(path)
        about, tensors = _read(path)
        if about.get("version") != VERSION:
            raise RoomError(
                f"{path} is a bank of version {about.get('version')!r:.60}, expected {VERSION}."
                " Delete it and make it again."
            )
        try:
            bank = cls._parse(about, tensors)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise _damaged(path, error) from error
        if sample_rate not in (None, bank.sample_rate):
            raise RoomError(
                f"{path} holds responses at {bank.sample_rate} Hz, expected {sample_rate} Hz."
                " Make another bank at that rate."
            )
        return bank

    @classmethod
    def _parse(cls, about: dict[str, Any], tensors: dict[str, Tensor]) -> RoomBank:
        if about.pop("sha256") != _checksum(about, tensors):
            raise ValueError("its checksum differs")
        splits = {
            name: Split(
                name,
                tensors[f"{name}.rirs"],
                tensors[f"{name}.lengths"],
                tuple(_room(**line) for line in table),
            )
            for name, table in about["rooms"].items()
        }
        low, high = SAMPLE_RATES
        rate, key, origin = (about[name] for name in ("sample_rate", "key", "origin"))
        if not (isinstance(rate, int) and low <= rate <= high):
            raise ValueError(f"its sample rate is not between {low} and {high} Hz")
        if not (isinstance(key, str) and isinstance(origin, dict)):
            raise ValueError("it does not say what it was made from")
        return cls(rate, key, origin, splits)


def _room(*, size: Any = None, source: Any = None, microphone: Any = None, **simple: Any) -> Room:
    """A room from its JSON, which has lists for tuples."""
    size, source, microphone = (p and tuple(p) for p in (size, source, microphone))
    return Room(size=size, source=source, microphone=microphone, **simple)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A bank's metadata and its tensors."""
    if not is_file(path):
        raise RoomError(
            f"{path} does not exist, or is not a file. Expected a bank of rooms; check the path, or"
            " make it."
        )
    try:
        texts, tensors = read_tensors(path, LARGEST, "pt")
        about = parse_json(texts.get(FORMAT, "null"))
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if not isinstance(about, dict):
        raise RoomError(f"{path} is not a bank of rooms. Name the file that a bank was saved to.")
    return about, tensors


def _damaged(path: Path, error: Exception) -> RoomError:
    return RoomError(
        f"{path} is damaged, or not a bank of rooms ({reason(error)}). Name another file; if it was"
        " a bank, make it again."
    )


def _checksum(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over metadata and tensors, each tensor under its name and shape."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.cpu().numpy().data)
    return digest.hexdigest()
