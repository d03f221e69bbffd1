"""Is a recording whole? What its container promises, against what is there.

libsndfile believes the size of the file where it contradicts the header: to it, half of a WAV is a
shorter WAV. Here headers alone are read, and no number in one decides how much.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import SEEK_END
from struct import Struct
from typing import BinaryIO, Final

from mondegreen.errors import AudioError

MAX_CHUNKS: Final = 10_000  # before the samples
MAX_PAGES: Final = 2**20  # of an Ogg file; an hour has some 15,000
UNKNOWN: Final = 0x7FFF0000  # sizes from here on are what writers into a pipe put, if not there
ENDLESS: Final = 2**32 - 1  # "see ds64", in RF64


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a container's chunks lie: each a head with its name and size, then its content."""

    first: int  # where the first head lies
    head: Struct
    sound: bytes  # the name of the chunk with the samples
    multiple: int  # to which a chunk's length is filled up
    counts_head: bool = False  # whether sizes include the head


_RIFF: Final = _Layout(12, Struct("<4sI"), b"data", 2)
_CHUNKS: Final = {
    b"RIFF": _RIFF,
    b"RF64": _RIFF,
    b"RIFX": _Layout(12, Struct(">4sI"), b"data", 2),
    b"FORM": _Layout(12, Struct(">4sI"), b"SSND", 2),
    b"riff": _Layout(
        40, Struct("<16sQ"), b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", 8, True
    ),
    b"caff": _Layout(8, Struct(">4sQ"), b"data", 1),
}


def check_whole(name: str, file: BinaryIO, start: int = 0) -> None:
    """Refuse a recording that holds less than it promises, or does not say what it holds.

    Knows WAV (RIFF, RIFX, RF64, W64), AIFF, CAF, AU, NIST SPHERE and Ogg; FLAC says it to its
    decoder. Others pass: see `TELLING`.

    Args:
        name: of the file, for messages.
        file: the file, at any place.
        start: where the container begins, after tags.

    Raises:
        AudioError: it is cut short, or does not say how long it is.
    """
    file.seek(start)
    magic = file.read(4)
    if magic == b"OggS":
        _check_pages(name, file, start)
    elif magic in _CHUNKS:
        _check_promise(name, _in_chunks(file, start, _CHUNKS[magic]))
    elif magic in _IN_HEADER:
        file.seek(start)
        header = file.read(1024)
        there = file.seek(0, SEEK_END) - start
        _check_promise(name, _IN_HEADER[magic](header, there))


# The formats of libsndfile of which it is known how much they promise.
TELLING: Final = frozenset(
    {"WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "AU", "NIST", "OGG", "FLAC", "MP3"}
)

_Promise = tuple[int, int]  # bytes of sound: promised, and there


def _check_promise(name: str, found: _Promise | None) -> None:
    if found is None:
        raise AudioError(
            f"{name} has no samples where its header says. Expected an undamaged file; copy or"
            " export it again."
        )
    promised, there = found
    if promised > there >= 0 and promised < UNKNOWN:
        raise AudioError(
            f"{name} is cut short: {there} bytes of sound are there, its header promises"
            f" {promised}. Copy or download it again."
        )
    if promised > there or (promised == 0 and there > 0):
        raise AudioError(
            f"{name} does not say how long it is: its header promises {promised} bytes of sound,"
            f" {there} are there. Convert it to wav again, into a file and not a pipe."
        )


def _in_chunks(file: BinaryIO, start: int, layout: _Layout) -> _Promise | None:
    end = file.seek(0, SEEK_END)
    at, size_of = start + layout.first, layout.head.size
    long = ENDLESS
    for _ in range(MAX_CHUNKS):
        if at + size_of > end:
            break
        file.seek(at)
        name, length = layout.head.unpack(file.read(size_of))
        if layout.counts_head:
            length = max(length - size_of, 0)
        at += size_of
        if name == layout.sound:
            return (long if length == ENDLESS else length), end - at
        if name == b"ds64":
            long = int.from_bytes(file.read(16)[8:], "little")
        at += length + -length % layout.multiple
    return None


def _in_au(header: bytes, size: int) -> _Promise | None:
    order = ">" if header[:1] == b"." else "<"
    if len(header) < 12:
        return None
    offset, promised = Struct(order + "II").unpack(header[4:12])
    return promised, size - offset


def _in_nist(header: bytes, size: int) -> _Promise | None:
    fields = dict(re.findall(rb"^(\w+) -i (\d{1,18})\s*$", header, re.MULTILINE))
    names = (b"sample_count", b"sample_n_bytes", b"channel_count")
    offset = re.match(rb"NIST_1A\n +(\d{1,18})\n", header)
    if offset is None or not fields.keys() >= set(names):
        return None
    samples, width, channels = (int(fields[name]) for name in names)
    return samples * width * channels, size - int(offset[1])


_IN_HEADER: Final[dict[bytes, Callable[[bytes, int], _Promise | None]]] = {
    b".snd": _in_au,
    b"dns.": _in_au,
    b"NIST": _in_nist,
}


def _check_pages(name: str, file: BinaryIO, at: int) -> None:
    """Each stream in an Ogg file ends with a page that is marked as its last."""
    end = file.seek(0, SEEK_END)
    unfinished: set[bytes] = set()
    opening = True  # the first pages of all streams come before any other
    for _ in range(MAX_PAGES):
        file.seek(at)
        head = file.read(27)
        if len(head) < 27 or head[:4] != b"OggS":
            break
        flags, stream = head[5], head[14:18]
        at += 27 + head[26] + sum(file.read(head[26]))
        if at > end:
            unfinished.add(stream)
            break
        if flags & 2:  # the first of its stream
            if not opening:
                raise AudioError(
                    f"{name} does not say how long it is: it is a chain of several recordings."
                    " Convert it to wav."
                )
            unfinished.add(stream)
        opening = opening and bool(flags & 2)
        if flags & 4:  # the last
            unfinished.discard(stream)
    else:
        raise AudioError(f"{name} has more than {MAX_PAGES} pages. Cut it into shorter clips.")
    if unfinished:
        raise AudioError(f"{name} is cut short: its end is missing. Copy or download it again.")
