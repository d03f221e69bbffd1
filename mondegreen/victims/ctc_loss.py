"""Connectionist temporal classification (Graves et al. 2006), for all CTC victims.

Each frame emits a symbol or the blank; a path collapses to a text by merging repeats, then dropping
blanks. With y_t(s) = softmax(logits_t)_s, the loss sums over all paths π that collapse to a target
(the map B): -log Σ_{π ∈ B⁻¹(target)} Π_t y_t(π_t). Greedy decoding follows the single best path. A
delimiter between words counts only once in a row, and not at all first or last: `transcribe` strips
and merges such spaces, and so does `matched`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mondegreen.errors import TargetError
from mondegreen.victims.base import Score
from mondegreen.victims.printed import NOTHING, SPACE

IMPOSSIBLE: Final = -1e4  # log p in place of -inf, as of symbols that a recogniser bars


def frames_needed(symbols: Tensor) -> int:
    """The fewest frames that fit `symbols` [N]: one each, and a blank between equal ones."""
    return len(symbols) + int((symbols[1:] == symbols[:-1]).sum())


def require_frames(symbols: Tensor, frames: int, seconds: float) -> None:
    """Refuse a target of symbols [N] that no path of so many frames can express.

    Raises:
        TargetError: it needs more frames than the clip, of `seconds`, has.
    """
    if frames < (needed := frames_needed(symbols)):
        raise TargetError(
            f"the target takes {needed} frames, but the clip of {seconds:.1f} s has only"
            f" {max(frames, 0)}; choose a shorter target or a longer clip"
        )


def score_ctc(
    logits: Tensor,
    frames: Tensor,
    targets: Sequence[Tensor],
    blank: int,
    delimiter: int | None = None,
    codes: Tensor | None = None,
) -> Score:
    """Loss and best-path match of a batch.

    Args:
        logits: [B, F, V]; -inf bars a symbol: its probability counts as e^-10,000.
        frames: [B] int64: how many of a clip's frames are real.
        targets: B tensors of symbols, [N] int64, none of them the blank.
        blank: its index.
        delimiter: the symbol between words, if there is one.
        codes: [V, K] int64, `Printed.codes`: with them, what symbols print decides what is matched,
            instead of the symbols themselves.
    """
    return Alignment(frames, targets, blank, delimiter, codes).score(logits)


class Alignment:
    """Targets laid out for `score_ctc`, for all logits with these numbers of frames.

    Arguments are those of `score_ctc`.
    """

    def __init__(
        self,
        frames: Tensor,
        targets: Sequence[Tensor],
        blank: int,
        delimiter: int | None = None,
        codes: Tensor | None = None,
    ) -> None:
        sizes = [len(target) for target in targets]
        self._frames, self._sizes = frames, torch.tensor(sizes, device=frames.device)
        # the loss reads both from main memory
        self._frame_counts, self._size_counts = frames.cpu(), torch.tensor(sizes, device="cpu")
        self._labels = pad_sequence(list(targets), batch_first=True, padding_value=blank)
        self._blank, self._codes = blank, codes
        labels = self._labels.flatten().tolist()
        self._least, self._most = min(labels, default=blank), max(labels, default=blank)
        if codes is None:
            self._wanted, self._marks = self._labels, self._sizes
            self._nothing, self._space = blank, -1 if delimiter is None else delimiter
        else:
            wanted = [_text_of(codes[target]) for target in targets]
            self._wanted = pad_sequence(wanted, batch_first=True, padding_value=NOTHING)
            self._marks = torch.tensor([len(text) for text in wanted], device=frames.device)
            self._nothing, self._space = NOTHING, SPACE

    def score(self, logits: Tensor) -> Score:
        """Loss and best-path match of logits [B, F, V], of each clip's own frames alone.

        Raises:
            ValueError: a target has a symbol that is not among the V.
        """
        if self._least < 0 or self._most >= logits.shape[-1]:  # the loss would read elsewhere
            raise ValueError(
                f"targets have the symbols {self._least} to {self._most}, the logits only those"
                f" from 0 to {logits.shape[-1] - 1}"
            )
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        log_p = logits.log_softmax(-1).transpose(0, 1)
        log_p = log_p.masked_fill(log_p == -torch.inf, IMPOSSIBLE)  # its gradient would be NaN
        counts = self._frame_counts, self._size_counts
        loss = F.ctc_loss(log_p, self._labels, *counts, self._blank, reduction="none")
        with torch.no_grad():
            best = logits.argmax(-1)
            past = torch.arange(best.shape[1], device=best.device) >= self._frames[:, None]
            best = best.masked_fill(past, self._blank)
            begun = best.masked_fill(_repeats(best), self._blank)
            marks = begun if self._codes is None else self._codes[begun].flatten(1)
            matched = _matches(marks, self._wanted, self._marks, self._nothing, self._space)
        return Score(loss, matched)


def _repeats(best: Tensor) -> Tensor:
    """Frames that say the same as the one before: [B, F]."""
    return F.pad(best[:, 1:] == best[:, :-1], (1, 0), value=False)


def _text_of(codes: Tensor) -> Tensor:
    """The characters [L] that symbols of `codes` [N, K] print, single spaces inside."""
    marks = codes.flatten()[None]
    marks = marks[(marks != NOTHING) & ~_redundant(marks, NOTHING, SPACE)]
    return marks[:-1] if len(marks) and marks[-1] == SPACE else marks


def _matches(marks: Tensor, wanted: Tensor, sizes: Tensor, nothing: int, space: int) -> Tensor:
    """Whether marks [B, M] are the first `sizes[b]` of those wanted [B, N]: [B] bool.

    What is `nothing` does not count, nor do spaces that come first, last or after another.
    """
    emitted = (marks != nothing) & ~_redundant(marks, nothing, space)
    place = emitted.cumsum(1) - 1
    expected = F.pad(wanted, (0, 1), value=-1).gather(1, place.clamp(0, wanted.shape[1]))
    after = place >= sizes[:, None]
    wrong = emitted & torch.where(after, marks != space, marks != expected)
    enough = (emitted & ~after).sum(1) == sizes
    return enough & ~wrong.any(1)


def _redundant(marks: Tensor, nothing: int, space: int) -> Tensor:
    """Spaces that come first, or right after another with only nothing between: [B, M]."""
    mark = torch.arange(marks.shape[1], device=marks.device).expand_as(marks)
    last = torch.where(marks != nothing, mark, -1).cummax(1).values
    before = F.pad(last[:, :-1], (1, 0), value=-1)
    previous = marks.gather(1, before.clamp(min=0))
    return (marks == space) & ((before < 0) | (previous == space))


def best_path(logits: Tensor, blank: int) -> list[int]:
    """The symbols of greedy decoding of [F, V]: repeats merged, then blanks dropped."""
    path = torch.unique_consecutive(logits.argmax(-1)).tolist()
    return [symbol for symbol in path if symbol != blank]
