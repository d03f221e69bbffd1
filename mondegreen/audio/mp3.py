"""MP3 files, frame by frame: how much sound there is, whatever a header says.

An MP3 need not say how long it is. Some begin with a frame that does (called Xing or Info); without
one, decoders guess it from the first bit rates, and stop there. But every frame tells its own size.
So frames are counted here, and the decoder gets these alone, and their number.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from io import SEEK_END, SEEK_SET
from typing import Final

from mondegreen.errors import AudioError

MAX_BYTES: Final = 96 * 2**20  # an hour at 200 kbit/s
MAX_FRAMES: Final = 2**19  # over three hours of any rate
LOOK_AHEAD: Final = 2**20  # bytes after the last frame in which there may be more
IN_A_ROW: Final = 3  # frames that are not there by chance
SAME: Final = 0xFFFE0C00  # bits of a header that do not change: version, layer, sample rate
STEREO: Final = (17, 32)  # bytes between the header and a tag, of MPEG-2 and MPEG-1
MONO: Final = (9, 17)

KBPS: Final = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG-2 and 2.5
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG-1
)


def counted(name: str, content: bytes) -> io.BytesIO:
    """The frames of an MP3 file, in a form of which a decoder gets the true length.

    Tags before, between and after the frames are left out. Files that were joined are one sound.

    Args:
        name: of the file, for messages.
        content: of the file, at most `MAX_BYTES`.

    Raises:
        AudioError: it has fewer frames than it promises or ends within one; something else lies
            between them; or they change their rate or channels.
    """
    found = _Frames(name, content)
    spare = 0 if found.partial else found.tags  # some writers count the tag's own frame
    if found.promised > found.count + spare:
        raise AudioError(
            f"{name} is cut short: {found.count} frames are there, its header promises"
            f" {found.promised}. Copy or download it again."
        )
    if found.partial and not found.promised:
        raise AudioError(
            f"{name} does not say how long it is, and ends in the middle of a frame. Copy or"
            " download it again, or convert it to wav if nothing is missing."
        )
    if not found.count:
        raise AudioError(f"{name} has no MP3 frames. Expected a recording; convert it to wav.")
    return found.rewound()


@dataclass(frozen=True, slots=True)
class _Frame:
    header: int
    size: int  # in bytes, with the header

    @property
    def kind(self) -> tuple[int, bool]:
        """What all frames of a file have in common."""
        return self.header & SAME, self.mono

    @property
    def mono(self) -> bool:
        return self.header >> 6 & 3 == 3

    @property
    def tag_at(self) -> int:
        """Where a tag lies in the frame, if it has one."""
        checksum = 0 if self.header >> 16 & 1 else 2
        return 4 + checksum + (MONO if self.mono else STEREO)[self.header >> 19 & 1]


class _Sound(io.BytesIO):
    """Frames to decode."""

    counts_at: int | None = None  # where the number of frames lies, if it is given

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Move, but not to the end where no number is given: only then libmpg123 counts.

        From the size of the file it would guess.
        """
        if whence == SEEK_END and self.counts_at is None:
            return self.tell()
        return super().seek(offset, whence)


class _Frames:
    """The frames of a file, its tags put aside."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name, self.content = name, content
        self.sound = _Sound()
        self.kind: tuple[int, bool] | None = None
        self.count = self.promised = self.tags = 0
        self.partial = False  # whether the file ends within a frame
        at = 0
        while at < len(content) and self.count < MAX_FRAMES:
            at = self._after(at)
        if at < len(content):
            raise AudioError(f"{name} has more than {MAX_FRAMES} frames. Cut it into clips.")

    def rewound(self) -> io.BytesIO:
        """The frames from the first; the number that the file gives is replaced by the true one."""
        if self.sound.counts_at is not None:
            self.sound.seek(self.sound.counts_at)
            self.sound.write(self.count.to_bytes(4, "big"))
        self.sound.seek(0)
        return self.sound

    def _after(self, at: int) -> int:
        """Take what lies here; where it ends."""
        if skipped := id3_length(self.content[at : at + 10]):
            return at + skipped
        frame = _frame(self.content, at)
        if frame is None or self.kind not in (None, frame.kind):
            return self._after_other(at)
        self.kind = frame.kind
        end = at + frame.size
        if end > len(self.content):
            self.partial = True
            return len(self.content)
        self._take(frame, self.content[at:end])
        return end

    def _take(self, frame: _Frame, content: bytes) -> None:
        tag = content[frame.tag_at : frame.tag_at + 12]
        if tag[:4] not in (b"Xing", b"Info"):
            self.sound.write(content)
            self.count += 1
            return
        self.tags += 1
        if len(tag) == 12 and tag[7] & 1:  # it gives the number of frames
            self.promised += int.from_bytes(tag[8:], "big")
            if not self.sound.tell():  # before all sound: it also says what to trim
                self.sound.write(content)
                self.sound.counts_at = frame.tag_at + 8

    def _after_other(self, at: int) -> int:
        """What is no frame of this file: the end, unless more frames follow."""
        again = _next_frames(self.content, at)
        if again is None:
            return len(self.content)
        what = (
            "changes its sample rate or its channels"
            if again == at
            else f"is damaged: {again - at} bytes are not sound"
        )
        raise AudioError(f"{self.name} {what} at byte {at}. Convert it to wav.")


def id3_length(head: bytes) -> int:
    """The length of the ID3v2 tag that begins with these ten bytes; 0 if it is none.

    >>> id3_length(b"ID3" + bytes([4, 0, 0, 0, 0, 1, 2]))
    140
    """
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 127:
        return 0
    a, b, c, d = head[6:10]  # seven bits each
    return 10 + (a << 21 | b << 14 | c << 7 | d)


def _frame(content: bytes, at: int) -> _Frame | None:
    """The frame of layer III that begins here, if one does."""
    header = int.from_bytes(content[at : at + 4], "big")
    version, layer = header >> 19 & 3, header >> 17 & 3
    kbps, rate = header >> 12 & 15, header >> 10 & 3
    sync = header >> 21 == 0x7FF
    if not sync or version == 1 or layer != 1 or kbps in {0, 15} or rate == 3:
        return None
    first = version == 3  # MPEG-1; the others halve and quarter its sample rates
    hz = (44_100, 48_000, 32_000)[rate] >> (0 if first else 1 if version == 2 else 2)
    size = (144_000 if first else 72_000) * KBPS[first][kbps] // hz + (header >> 9 & 1)
    return _Frame(header, size)


def _next_frames(content: bytes, at: int) -> int | None:
    """Where the next frames begin that are not there by chance, if there are any."""
    end = min(at + LOOK_AHEAD, len(content))
    while (at := content.find(b"\xff", at, end)) >= 0:
        if _in_a_row(content, at):
            return at
        at += 1
    return None


def _in_a_row(content: bytes, at: int) -> bool:
    kinds: list[tuple[int, bool]] = []
    while len(kinds) < IN_A_ROW and (frame := _frame(content, at)):
        kinds.append(frame.kind)
        at += frame.size
    return len(kinds) == IN_A_ROW and len(set(kinds)) == 1
