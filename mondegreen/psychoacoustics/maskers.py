"""Step 1 of the threshold: which bins of a spectrum are maskers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

NEARBY_BARK = 0.5  # reach of the third criterion for maskers, to each side

# For each power of two: the bins whose windows have so many bins or up to twice as many, and where
# the two runs begin that cover each of these windows.
Windows: TypeAlias = tuple[tuple[Tensor, Tensor, Tensor], ...]


@dataclass(frozen=True)
class Axis:
    """Per-bin constants of selection and thresholds. Tensors are ``[bins]``."""

    bark: Tensor
    quiet: Tensor  # eq. (3) as power, with the profile's offset, at every frequency
    audible: Tensor  # bool: where the threshold in quiet counts
    nearby: Windows

    @property
    def floor(self) -> Tensor:
        """The threshold in quiet as power; 0 where it does not count. Shape: ``[bins]``."""
        return torch.where(self.audible, self.quiet, 0)


def local_maxima(power: Tensor, *, strict: bool = False) -> Tensor:
    """Bins at least as loud as both neighbours, eq. (1); louder than both if ``strict``.

    Shape: ``[..., bins]`` -> bool ``[..., bins]``. The first and the last bin, with one
    neighbour, are never maxima. Equal neighbours are both maxima, unless ``strict``.

    >>> power = torch.tensor([9.0, 1.0, 3.0, 3.0, 2.0])
    >>> local_maxima(power).tolist()
    [False, False, True, True, False]
    >>> local_maxima(power, strict=True).any().item()
    False
    """
    beats = torch.gt if strict else torch.ge
    inner = power[..., 1:-1]
    found = beats(inner, power[..., :-2]) & beats(inner, power[..., 2:])
    return torch.nn.functional.pad(found, (1, 1), value=False)


def loudest_nearby(power: Tensor, barks: Tensor) -> Tensor:
    """Bins that no bin less than 0.5 Bark away exceeds, the third criterion for maskers.

    Shape: power ``[..., bins]``, barks ``[bins]`` ascending -> bool ``[..., bins]``.

    >>> power, barks = torch.tensor([1.0, 2.0, 1.0]), torch.tensor([0.0, 0.4, 0.9])
    >>> loudest_nearby(power, barks).tolist()
    [False, True, False]
    """
    return power >= _window_maximum(power, nearby(barks))


def nearby(barks: Tensor) -> Windows:
    """The bins less than 0.5 Bark from each bin, in the form of `_window_maximum`.

    >>> [(here.tolist(), left.tolist()) for here, left, _ in nearby(torch.tensor([0.0, 0.4, 0.9]))]
    [([], []), ([0, 1, 2], [0, 0, 1])]
    """
    first = torch.searchsorted(barks, barks - NEARBY_BARK, right=True)
    last = torch.searchsorted(barks, barks + NEARBY_BARK) - 1
    width, length, windows = last - first + 1, 1, []
    while bool((width >= length).any()):
        here = torch.nonzero((width >= length) & (width < 2 * length)).squeeze(-1)
        windows.append((here, first[here], last[here] - length + 1))
        length *= 2
    return tuple(windows)


def _window_maximum(power: Tensor, windows: Windows) -> Tensor:
    """Maximum over a window of bins around every bin, with O(bins log bins) comparisons.

    Two runs of the same power-of-two length cover each window; runs double in each round.
    """
    runs, length = power.movedim(-1, 0).contiguous(), 1  # contiguous per bin
    maximum = torch.empty_like(runs)
    for here, left, right in windows:
        maximum[here] = torch.maximum(runs[left], runs[right])
        runs = torch.maximum(runs[:-length], runs[length:])
        length *= 2
    return maximum.movedim(0, -1)


def smoothed(power: Tensor) -> Tensor:
    """Power of each bin together with its two neighbours, eq. (6). Shape: ``[..., bins]``.

    >>> smoothed(torch.tensor([1.0, 2.0, 4.0])).tolist()
    [3.0, 7.0, 6.0]
    """
    both = torch.nn.functional.pad(power, (1, 1))
    return both[..., :-2] + power + both[..., 2:]


def select_paper(power: Tensor, axis: Axis) -> Tensor:
    """Maskers by the three criteria of step 1, each tested on the bin's own power.

    >>> barks = torch.arange(5.0)
    >>> axis = Axis(barks, torch.ones(5), torch.ones(5).bool(), nearby(barks))
    >>> select_paper(torch.tensor([[0.0, 5.0, 0.0, 0.5, 0.0]]), axis).nonzero()[:, 1].tolist()
    [1]
    """
    reached = axis.audible & (power >= axis.quiet)
    loudest = power >= _window_maximum(power, axis.nearby)
    return local_maxima(power) & reached & loudest


def select_authors(power: Tensor, axis: Axis) -> Tensor:
    """Maskers as the authors' released code keeps them: pairs from left to right.

    Of a masker and the next, if closer than 0.5 Bark, the one with the lower smoothed level is
    dropped (the right one if equal). Only there does the threshold in quiet count: a left one below
    it is dropped first, and then the next pair is compared at any distance.

    >>> barks = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4])
    >>> axis = Axis(barks, torch.ones(5), torch.ones(5).bool(), nearby(barks))
    >>> select_authors(torch.tensor([[0.0, 5.0, 0.0, 9.0, 0.0]]), axis).nonzero()[:, 1].tolist()
    [3]
    """
    candidates = local_maxima(power, strict=True)
    bins, present = packed(candidates)
    count = present.sum(-1)
    level = smoothed(power).gather(-1, bins)
    barks, quiet = axis.bark[bins], axis.quiet[bins]
    left, right = torch.zeros_like(count), torch.ones_like(count)
    kept = present.clone()

    def at(values: Tensor, rank: Tensor) -> Tensor:
        # A rank past the end is clamped; the caller masks the result.
        return values.gather(-1, rank.clamp(max=values.shape[-1] - 1)[:, None]).squeeze(-1)

    def drop(rank: Tensor, where: Tensor) -> None:
        frame = where.nonzero().squeeze(-1)
        kept[frame, rank[frame]] = False

    while bool((pending := right < count).any()):  # `right` advances by one or two each round
        close = pending & (at(barks, right) - at(barks, left) < NEARBY_BARK)
        faint = close & (at(quiet, left) > at(level, left))
        drop(left, faint)
        left, right = torch.where(faint, right, left), right + faint
        compared = close & (right < count)
        outdone = compared & (at(level, left) < at(level, right))
        drop(left, outdone)
        drop(right, compared & ~outdone)
        apart = pending & ~close
        left, right = torch.where(outdone | apart, right, left), right + (compared | apart)
    return _unpacked(bins, kept, power.shape[-1])


def packed(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The chosen bins of each frame, moved to the front.

    Shape: bool ``[F, bins]`` -> bins ``[F, M]`` and bool ``[F, M]``: which are real; M is
    the largest count of any frame.

    >>> bins, real = packed(torch.tensor([[True, False, True], [False, True, False]]))
    >>> bins.tolist(), real.tolist()
    ([[0, 2], [1, 0]], [[True, True], [True, False]])
    """
    frame, index = chosen.nonzero(as_tuple=True)
    count = chosen.sum(-1)
    rank = torch.arange(len(frame), device=chosen.device) - (count.cumsum(0) - count)[frame]
    ranks = torch.arange(int(count.max()), device=chosen.device)
    bins = torch.zeros(len(chosen), len(ranks), dtype=index.dtype, device=chosen.device)
    bins[frame, rank] = index
    return bins, ranks < count[:, None]


def _unpacked(bins: Tensor, kept: Tensor, n_bins: int) -> Tensor:
    """The reverse of ``packed``: bins ``[F, M]`` -> bool ``[F, n_bins]``."""
    chosen = torch.zeros(len(bins), n_bins, dtype=torch.bool, device=bins.device)
    frame, rank = kept.nonzero(as_tuple=True)
    chosen[frame, bins[frame, rank]] = True
    return chosen
