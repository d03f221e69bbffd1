"""Batches for models that hear padding: clips of equal length share a pass, others do not.

Some architectures normalise over time, padding included, so that a clip in a padded batch is heard
differently from the same clip alone. Rather than patch them, they never see padding.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def by_length(lengths: Tensor) -> list[Tensor]:
    """Indices of equal lengths, [B] int64 -> tensors that partition 0 ... B - 1."""
    return [torch.where(lengths == length)[0] for length in sorted(set(lengths.tolist()))]


def unpadded(model: Callable[[Tensor], Tensor], inputs: Tensor, counts: Tensor) -> list[Tensor]:
    """What a model makes of each clip as if it were alone.

    Args:
        model: [b, F, ...] without padding to [b, F', ...].
        inputs: [B, F, ...], padded.
        counts: [B] int64: how much of each row is real.

    Returns:
        B tensors [F', ...], in the order of the rows.
    """
    groups = by_length(counts)
    outputs = [row for rows in groups for row in model(inputs[rows, : int(counts[rows[0]])])]
    return [outputs[place] for place in torch.cat(groups).argsort().tolist()]
