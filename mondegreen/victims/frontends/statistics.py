"""Mean and deviation along the time axis of a padded batch, over each clip's own places alone."""

from __future__ import annotations

import torch
from torch import Tensor


def centred(values: Tensor, inside: Tensor) -> Tensor:
    """Values less their mean over the places inside; zero outside.

    Shape: values [B, T, ...], inside [B, T, ...] bool, broadcastable -> as values.
    """
    total = torch.where(inside, values, 0).sum(1, keepdim=True)
    return torch.where(inside, values - total / inside.sum(1, keepdim=True), 0)


def deviation(centred_values: Tensor, count: Tensor) -> Tensor:
    """√(sum of squares over time / count), whose gradient is zero, not infinite, where it is zero.

    Shape: centred_values [B, T, ...], count broadcastable to [B, 1, ...] -> [B, 1, ...].
    """
    variance = centred_values.square().sum(1, keepdim=True) / count
    positive = variance > 0
    return torch.where(positive, torch.where(positive, variance, 1).sqrt(), 0)
