"""A recogniser that hears long sounds in chunks, which overlap, and reads what they say together.

`chunks:10:2 > NAME` is the CTC recogniser NAME with chunks of 10 s. Each is heard alone, and of its
frames those of the 2 s at either end, which have little around them, are left to its neighbours.
What is left of all chunks is read as one. So the pipeline of transformers has it, with the same
`chunk_length_s` and `stride_length_s`.

Both `score` and `transcribe` hear chunks: the loss is that of the whole target over the frames of
all chunks, and its gradient that of what is heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mondegreen.chain.text import chained
from mondegreen.errors import OptionError, VictimError
from mondegreen.names import CHUNKS
from mondegreen.victims.base import Score, Victim
from mondegreen.victims.batching import Remembered
from mondegreen.victims.ctc_loss import Alignment
from mondegreen.victims.guard import bare, lacking

SHARE: Final = 6  # of a chunk is its context at either end, if nothing is said of it
LONGEST: Final = 120.0  # seconds of a chunk
SHORTEST: Final = 0.1  # seconds: what is shorter at the end goes with the chunk before
MEMBERS: Final = ("stride", "logits", "own_logits", "align", "read")  # of `Framewise`


class Framewise(Protocol):
    """What a CTC recogniser has to have, besides the members of a victim, to be heard in chunks."""

    @property
    def stride(self) -> int:
        """Samples from one frame to the next."""

    def logits(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, F, V] of a padded batch [B, T], differentiable, and their numbers [B]."""

    def own_logits(self, audio: Tensor) -> Tensor:
        """Logits [F, V] of one clip [T], through its own pipeline."""

    def align(self, frames: Tensor, *targets: Tensor) -> Alignment:
        """Its targets, laid out for clips of so many frames, [B]."""

    def read(self, logits: Tensor) -> str:
        """What logits [F, V] say."""


class Piece(NamedTuple):
    """A chunk of a sound, in samples."""

    begin: int
    end: int
    left: int  # how much of it is context only, at its beginning
    right: int  # and at its end

    def kept(self, frames: int, stride: int) -> slice:
        """Which of its frames count, of one every `stride` samples.

        >>> Piece(0, 800, left=0, right=200).kept(7, stride=100)
        slice(0, 6, None)
        """
        stop = (self.end - self.begin - self.right) // stride if self.right else frames
        return slice(self.left // stride, min(stop, frames))


def pieces(length: int, size: int, context: int, least: int = 0) -> list[Piece]:
    """The chunks of `size` samples that cover a sound of `length`.

    The last one is shorter or, where less than `least` samples would be left for it, longer.

    >>> [tuple(piece) for piece in pieces(1000, 600, 100)]
    [(0, 600, 0, 100), (400, 1000, 100, 0)]
    """
    found, step = [], size - 2 * context
    for begin in range(0, length, step):
        last = length - begin - step <= max(2 * context, least - 1)
        end, left = length if last else begin + size, context if begin else 0
        found.append(Piece(begin, end, left, 0 if last else context))
        if last:
            break
    return found


def seconds_of(spec: str) -> tuple[float, float]:
    """How long a chunk and its context at either end last, of "chunks:10" or "chunks:10:2".

    Raises:
        OptionError: it is neither, or nothing of a chunk would be left.

    >>> seconds_of("chunks:12")
    (12.0, 2.0)
    """
    given = spec.split(":")[1:]
    try:
        size = float(given[0])
        context = float(given[1]) if len(given) > 1 else size / SHARE
        right = len(given) <= 2 and 0 <= 2 * context < size <= LONGEST
    except (ValueError, IndexError):
        right = False
    if not right:
        raise refused(spec)
    return size, context


def refused(spec: str) -> OptionError:
    """What to say of chunks that there cannot be."""
    return OptionError(
        f"Got {spec!r:.60}, expected {CHUNKS}:SECONDS or {CHUNKS}:SECONDS:CONTEXT: chunks of up to"
        f" {LONGEST:g} s, with less than half of one as context at either end, such as"
        f" {CHUNKS}:10:2"
    )


class Chunked:
    """A CTC victim that hears in chunks; what it has besides is the recogniser's own.

    Args:
        recogniser: behind the border; see `mondegreen.victims.guard`.
        spec: as `seconds_of` reads it.

    Raises:
        OptionError: as `seconds_of`.
        VictimError: the recogniser says nothing frame by frame.
    """

    scores_chunks = True

    def __init__(self, recogniser: Victim, spec: str) -> None:
        self.recogniser = recogniser
        self.name = chained([spec], recogniser.name)
        inner: Any = bare(recogniser)
        self._inner = inner
        if missing := lacking(self._inner, MEMBERS):
            raise VictimError(
                f"{recogniser.name} cannot be heard in chunks: it has no {', '.join(missing)}; only"
                " a CTC recogniser can, directly before which the chunks stand"
            )
        # whole frames, so that those of neighbours are at the same times
        self._size, self._context = (
            round(seconds * recogniser.sample_rate / inner.stride) * inner.stride
            for seconds in seconds_of(spec)
        )
        if self._size <= 2 * self._context:
            raise refused(spec)
        self._least = int(SHORTEST * recogniser.sample_rate)
        self._laid_out, self._places = Remembered(self._layout), Remembered(self._stitches)
        self._alignment = Remembered(self._inner.align)

    def __getattr__(self, name: str) -> Any:
        if name in ("recogniser", "_inner"):  # not there yet, while it is unpickled
            raise AttributeError(name)
        return getattr(self.recogniser, name)

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """CTC loss over the frames of all chunks, and whether their best path matches.

        See `Victim.score`. All chunks of all clips are one pass.
        """
        laid_out, sizes = self._laid_out(lengths)
        chunks = [audio[b, piece.begin : piece.end] for b, piece in laid_out]
        logits, frames = self._inner.logits(pad_sequence(chunks, batch_first=True), sizes)
        places, counts = self._places(lengths, frames)
        clips = [torch.cat([logits[row, kept] for row, kept in clip]) for clip in places]
        score: Score = self._alignment(counts, *targets).score(pad_sequence(clips, True))
        return score

    @torch.no_grad()
    def transcribe(self, audio: Tensor) -> str:
        """What all chunks say together; audio [T] in [-1, 1]."""
        return str(self._inner.read(self.in_chunks(audio)))

    @torch.no_grad()
    def in_chunks(self, audio: Tensor) -> Tensor:
        """Logits [F, V] of a clip [T], chunk by chunk, through the recogniser's own pipeline."""
        found = []
        for piece in self._pieces(len(audio)):
            logits = self._inner.own_logits(audio[piece.begin : piece.end])
            found.append(logits[piece.kept(len(logits), self._inner.stride)])
        return torch.cat(found)

    @torch.no_grad()
    def at_once(self, audio: Tensor) -> Tensor:
        """Logits [F, V] of a clip [T] that is heard as a whole."""
        logits: Tensor = self._inner.own_logits(audio)
        return logits

    def _pieces(self, length: int) -> list[Piece]:
        return pieces(length, self._size, self._context, self._least)

    def _layout(self, lengths: Tensor) -> tuple[list[tuple[int, Piece]], Tensor]:
        """The chunks of clips, each with its clip's place in the batch, and their lengths."""
        laid_out = [
            (b, piece)
            for b, length in enumerate(lengths.tolist())
            for piece in self._pieces(length)
        ]
        return laid_out, lengths.new_tensor([piece.end - piece.begin for _, piece in laid_out])

    def _stitches(
        self, lengths: Tensor, frames: Tensor
    ) -> tuple[list[list[tuple[int, slice]]], Tensor]:
        """For each clip, the rows of its chunks and what counts of them; and the frames of each."""
        laid_out, _ = self._laid_out(lengths)
        places: list[list[tuple[int, slice]]] = [[] for _ in lengths]
        for row, ((b, piece), count) in enumerate(zip(laid_out, frames.tolist(), strict=True)):
            places[b].append((row, piece.kept(count, self._inner.stride)))
        counts = [sum(kept.stop - kept.start for _, kept in clip) for clip in places]
        return places, frames.new_tensor(counts)
