"""Impulse responses measured in real rooms: found, read, and split by room.

Nothing is normalised: a response keeps the scale of its file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mondegreen.air.rooms.acoustics import first_arrival
from mondegreen.air.rooms.settings import SplitSizes, generator
from mondegreen.air.rooms.simulate import FILTER_DELAY
from mondegreen.audio.pcm import resample
from mondegreen.audio.recording import open_recording
from mondegreen.errors import AudioError, RoomError, reason
from mondegreen.reading import in_full, is_file, is_folder, sha256

SUFFIXES: Final = (".wav", ".flac", ".ogg")
MAX_SECONDS: Final = 10.0  # no room for speech rings longer
COLUMNS: Final = ("path", "room_id")


@dataclass(frozen=True)
class Recording:
    """A file with one response, and the room it was measured in."""

    path: Path  # where it lies
    name: str  # its path relative to the collection, with `/`
    room: str  # the room's id

    def sha256(self) -> str:
        """The hash of the file's content; raises `RoomError` if it cannot be read."""
        try:
            return sha256(self.path)
        except (OSError, ValueError) as error:
            raise RoomError(
                f"{self.path} cannot be read ({reason(error)}). Expected a measured"
                " impulse response; check the path."
            ) from error


def find_recordings(source: Path) -> list[Recording]:
    """The responses of a collection, sorted by name.

    In a folder, each direct subfolder is a room with all wav, flac and ogg files at any depth below
    it: `hall/mic1/a.wav` and `hall/mic2/a.wav` are of one room. Hidden files are skipped. A CSV
    file has the columns `path`, relative to the file, and `room_id`. A recording is one response.

    Raises:
        RoomError: there is no such collection, nothing in it, a file lies directly in the folder,
            or the table has another form or lists a file twice.
    """
    if is_folder(source):
        found = _in_folder(source)
    elif is_file(source) and source.suffix.lower() in SUFFIXES:
        found = [Recording(source, source.name, room=source.stem)]
    elif is_file(source):
        found = _in_table(source)
    else:
        raise RoomError(
            f"{source} does not exist. Expected an impulse response, a folder of them, or a CSV"
            " file with the columns path,room_id."
        )
    if not found:
        raise RoomError(
            f"{source} has no impulse responses. Expected {', '.join(SUFFIXES)} files, in a"
            " folder per room."
        )
    return sorted(found, key=lambda recording: recording.name)


def _in_folder(source: Path) -> list[Recording]:
    found = []
    for path in source.rglob("*"):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
            name = path.relative_to(source)
            if len(name.parts) == 1:
                raise RoomError(
                    f"{path} is not in a room's folder. Expected a folder per room in {source}:"
                    " move each room's files into one, or pass a CSV file with path,room_id."
                )
            found.append(Recording(path, name.as_posix(), room=name.parts[0]))
    return found


def _in_table(source: Path) -> list[Recording]:
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise RoomError(
                    f"{source} has the columns {list(reader.fieldnames or ())}, expected a header"
                    f" with {','.join(COLUMNS)}."
                )
            lines = [(reader.line_num, row["path"], row["room_id"]) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RoomError(
            f"{source} is not a CSV file in UTF-8 ({reason(error)}). Export it again."
        ) from error
    found: dict[Path, Recording] = {}  # by resolved path, however the table spells it
    for number, name, room in lines:
        if not name or not room:
            raise RoomError(
                f"{source}, line {number}: got path {name!r} of room {room!r}, expected both."
                " Complete the line, or delete it."
            )
        recording = Recording(source.parent / name, name, room)
        first = found.setdefault(in_full(recording.path), recording)
        if first is not recording:
            raise RoomError(
                f"{source}, line {number}: {name} is listed twice, before as {first.name}. A"
                " response belongs to one room; delete one of the lines."
            )
    return list(found.values())


def contents(recordings: Iterable[Recording]) -> dict[str, tuple[str, str]]:
    """The room and the hash of each recording, by its name.

    Raises:
        RoomError: a file cannot be read, or occurs in two rooms and so might enter two splits.
    """
    first: dict[str, Recording] = {}
    found = {}
    for recording in recordings:
        sha256 = recording.sha256()
        other = first.setdefault(sha256, recording)
        if other.room != recording.room:
            raise RoomError(
                f"{other.path} of room {other.room!r} and {recording.path} of room"
                f" {recording.room!r} are identical files. Expected a response of one room; leave"
                " one of them out, or assign both to the same room."
            )
        found[recording.name] = (recording.room, sha256)
    return found


def read_response(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """One response, float32 `[L]` at `sample_rate`, from up to 40 samples before its direct sound.

    Simulated responses reach as far before theirs. Of several channels the first is used: they are
    microphones at different places, and no place has their mean.

    Raises:
        RoomError: the file is missing, empty, not audio, cut short, longer than `MAX_SECONDS`,
            silent, or holds NaN or infinity.
    """
    response, rate = _decode(path)
    if not np.isfinite(response).all():
        raise RoomError(
            f"{path} holds NaN or infinite samples, expected numbers. Export the response again."
        )
    response = resample(response, rate, sample_rate)
    if not response.any():
        raise RoomError(
            f"{path} is silent in its first channel. Expected an impulse response; leave the file"
            " out."
        )
    return response[max(first_arrival(response, sample_rate) - FILTER_DELAY, 0) :]


def _decode(path: Path) -> tuple[NDArray[np.float32], int]:
    """First channel `[T]` and rate; reads no more than the limit and one sample."""
    try:
        with open_recording(path) as file:
            rate, promised = int(file.samplerate), int(file.frames)
            most = int(MAX_SECONDS * rate)
            frames = file.read(most + 1, dtype="float32", always_2d=True)
    except AudioError as error:
        raise RoomError(f"{error} It should hold one impulse response.") from error
    if len(frames) > most:
        raise RoomError(
            f"{path} lasts longer than {MAX_SECONDS:g} s, expected one impulse response. Cut it"
            " where its decay ends, or leave it out."
        )
    if not len(frames) or len(frames) < promised:
        raise RoomError(
            f"{path} holds {len(frames)} samples but its header says {promised}; expected a whole"
            " impulse response. Copy it again, or leave it out."
        )
    return np.ascontiguousarray(frames[:, 0]), rate


def assign_rooms(rooms: Iterable[str], counts: SplitSizes, seed: int) -> dict[str, str]:
    """The split of each room; a split of 0 responses gets none.

    The rooms are shuffled and dealt in proportion to the counts, each to the split with the most
    responses wanted per room it has (Adams's method). A split without rooms comes first, so each
    gets at least one.

    Raises:
        RoomError: there are fewer rooms than splits.
    """
    names = sorted(set(rooms))
    wanted = dict(counts.items())
    if len(names) < len(wanted):
        raise RoomError(
            f"The rooms of the responses are {names}, expected at least {len(wanted)}, for"
            f" {', '.join(wanted)}: splits share no room. Add rooms, put each room's files in"
            " its own folder, or leave splits out with a count of 0."
        )
    given = dict.fromkeys(wanted, 0)
    split_of = {}
    for room in generator(seed).permutation(names).tolist():
        split = max(wanted, key=lambda name: (not given[name], wanted[name] / (given[name] or 1)))
        given[split] += 1
        split_of[room] = split
    return split_of


def split_recordings(
    recordings: Iterable[Recording], counts: SplitSizes, seed: int
) -> dict[str, list[Recording]]:
    """The recordings of each split's rooms; a random sample if there are more than its count.

    Raises:
        RoomError: there are fewer rooms than splits.
    """
    recordings = list(recordings)
    split_of = assign_rooms((recording.room for recording in recordings), counts, seed)
    rng = generator(seed)
    chosen = {}
    for name, count in counts.items():
        mine = [recording for recording in recordings if split_of[recording.room] == name]
        kept = sorted(rng.permutation(len(mine))[:count].tolist())
        chosen[name] = [mine[index] for index in kept]
    return chosen
