"""Connectionist temporal classification (Graves et al. 2006), for all CTC victims.

Each frame emits a symbol or the blank; a path collapses to a text by merging repeats, then dropping
blanks. With y_t(s) = softmax(logits_t)_s, the loss sums over all paths π that collapse to a target
(the map B): -log Σ_{π ∈ B⁻¹(target)} Π_t y_t(π_t). Greedy decoding follows the single best path. A
delimiter between words counts only once in a row, and not at all first or last: `transcribe` strips
and merges such spaces, and so does `matched`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mondegreen.errors import TargetError
from mondegreen.victims.base import Score


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
) -> Score:
    """Loss and best-path match of a batch.

    Args:
        logits: [B, F, V].
        frames: [B] int64: how many of a clip's frames are real.
        targets: B tensors of symbols, [N] int64, none of them the blank.
        blank: its index.
        delimiter: the symbol between words, if there is one.
    """
    return Alignment(frames, targets, blank, delimiter).score(logits)


class Alignment:
    """Targets laid out for `score_ctc`, for all logits with these numbers of frames.

    Arguments are those of `score_ctc`.
    """

    def __init__(
        self, frames: Tensor, targets: Sequence[Tensor], blank: int, delimiter: int | None = None
    ) -> None:
        sizes = [len(target) for target in targets]
        self._frames, self._sizes = frames, torch.tensor(sizes, device=frames.device)
        # the loss reads both from main memory
        self._frame_counts, self._size_counts = frames.cpu(), torch.tensor(sizes, device="cpu")
        self._labels = pad_sequence(list(targets), batch_first=True, padding_value=blank)
        self._blank, self._delimiter = blank, -1 if delimiter is None else delimiter

    def score(self, logits: Tensor) -> Score:
        """Loss and best-path match of logits [B, F, V], of each clip's own frames alone."""
        log_p = logits.log_softmax(-1).transpose(0, 1)
        counts = self._frame_counts, self._size_counts
        loss = F.ctc_loss(log_p, self._labels, *counts, self._blank, reduction="none")
        with torch.no_grad():
            best = logits.argmax(-1)
            past = torch.arange(best.shape[1], device=best.device) >= self._frames[:, None]
            best = best.masked_fill(past, self._blank)
            matched = _matches(best, self._labels, self._sizes, self._blank, self._delimiter)
        return Score(loss, matched)


def _matches(best: Tensor, labels: Tensor, sizes: Tensor, blank: int, delimiter: int) -> Tensor:
    """Whether each path [B, F] collapses to the first `sizes[b]` of its labels [B, N]: [B] bool."""
    emitted = (best != blank) & (best != F.pad(best[:, :-1], (1, 0), value=blank))
    emitted &= ~_redundant(best, blank, delimiter)
    place = emitted.cumsum(1) - 1
    expected = F.pad(labels, (0, 1), value=-1).gather(1, place.clamp(0, labels.shape[1]))
    after = place >= sizes[:, None]
    wrong = emitted & torch.where(after, best != delimiter, best != expected)
    enough = (emitted & ~after).sum(1) == sizes
    return enough & ~wrong.any(1)


def _redundant(best: Tensor, blank: int, delimiter: int) -> Tensor:
    """Delimiters that come first, or right after another with only blanks between: [B, F]."""
    frame = torch.arange(best.shape[1], device=best.device).expand_as(best)
    last = torch.where(best != blank, frame, -1).cummax(1).values
    before = F.pad(last[:, :-1], (1, 0), value=-1)
    previous = best.gather(1, before.clamp(min=0))
    return (best == delimiter) & ((before < 0) | (previous == delimiter))


def best_path(logits: Tensor, blank: int) -> list[int]:
    """The symbols of greedy decoding of [F, V]: repeats merged, then blanks dropped."""
    path = torch.unique_consecutive(logits.argmax(-1)).tolist()
    return [symbol for symbol in path if symbol != blank]
