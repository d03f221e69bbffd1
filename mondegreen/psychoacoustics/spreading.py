"""The sum of what many maskers spread over a spectrum, without a term for each masker and bin.

A masker at z0 with level l gives exp(l + b (z - z0)) at the Bark value z, where b is one constant
for all maskers below z0, but a masker's own above. The literal sum takes an exponential for each
frame, masker and bin. Here bins are in blocks no wider than `WIDEST` Bark, with centre c, and

    exp(l + b (z - z0)) = exp(l + b (c - z0)) exp(b (z - c)).

Below maskers the second factor is common: first factors are summed, then multiplied once. Above, it
is a smooth function of b, and so its Chebyshev series: `TERMS` sums per block, and a matrix
product. In a masker's own block, where its flanks meet, each term is computed. Nothing is left out
that a double could hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

WIDEST: Final = 1.25  # Bark; a wider block takes more terms, narrower ones are more of them
TERMS: Final = 18  # leaves out 1e-15 of a term at slopes 27 dB/Bark apart
NEPERS: Final = math.log(10) / 10  # of power, in a decibel
NOWHERE: Final = 1e6  # Bark; so far away nothing is left
NOTHING: Final = -80.0  # nepers of power, -347 dB; far smaller numbers are slow in float32, so zero


@dataclass(frozen=True)
class Spreading:
    """A frequency axis in J blocks of W bins, and what is the same for all maskers.

    >>> barks = torch.arange(4, dtype=torch.float64)
    >>> spreading = Spreading.over(barks, (27.0, -27.0, 0.0), torch.device("cpu"), torch.float64)
    >>> level_db, slope = torch.tensor([[[60.0]], [[-20.0]]], dtype=torch.float64)
    >>> power = spreading(torch.tensor([[1]]), level_db, slope)
    >>> (10 * power[0].log10()).round(decimals=6).tolist()  # one masker of 60 dB, at 1 Bark
    [33.0, 60.0, 40.0, 20.0]
    """

    barks: Tensor  # [J, W], the last bin repeated to the end of the last block
    centres: Tensor  # [J]
    down: Tensor  # [J, J], from a block's centre to those below it, along the slope below maskers
    below: Tensor  # [J, W], from a block's centre to its bins, along the same slope
    # [J, TERMS, W], the same along the slopes above maskers: coefficients of the series
    above: Tensor
    # in dB per Bark: the one below maskers; the least and the most above them
    slopes: tuple[float, float, float]

    @classmethod
    def over(
        cls,
        barks: Tensor,
        slopes: tuple[float, float, float],
        device: torch.device,
        dtype: torch.dtype,
    ) -> Spreading:
        """Prepare for an axis.

        Args:
            barks: [bins] ascending, float64, in main memory.
            slopes: see `Spreading`.
            device: of what is to be summed.
            dtype: of what is to be summed.
        """
        blocks = _blocks(barks)
        centres = (blocks[:, 0] + blocks[:, -1]) / 2
        offsets = blocks - centres[:, None]
        steep = NEPERS * slopes[0]
        down = torch.exp(steep * (centres - centres[:, None])).tril(-1)
        below = torch.exp(steep * offsets)
        above = _coefficients(offsets, slopes)
        blocks, centres, down, below, above = (
            table.to(device, dtype) for table in (blocks, centres, down, below, above)
        )
        return cls(blocks, centres, down, below, above, slopes)

    def __call__(self, bins: Tensor, level_db: Tensor, slope: Tensor) -> Tensor:
        """Sum the maskers of every frame.

        Args:
            bins: [F, M] where the maskers are.
            level_db: [F, M] what they give at their own bins, in dB; minus infinity: no masker.
            slope: [F, M] dB per Bark above them, between the least and the most of `slopes`.

        Returns:
            [F, J W] power of all maskers of a frame at each bin; meaningless past the last bin.
        """
        level, slope = NEPERS * level_db, NEPERS * slope
        own_block = bins // self.barks.shape[1]
        place = self.barks.flatten()[bins]
        to_centre = self.centres[own_block] - place
        within = self._near(own_block, place, level, slope)
        centred = torch.exp(level + NEPERS * self.slopes[0] * to_centre)[..., None]
        near = _by_block(torch.cat([within, centred], -1), own_block, len(self.centres))
        beneath = (near[..., -1] @ self.down)[..., None] * self.below
        beyond = self._far(own_block, level + slope * to_centre, slope)
        return (near[..., :-1] + beneath + beyond).flatten(1)

    def _near(self, own_block: Tensor, place: Tensor, level: Tensor, slope: Tensor) -> Tensor:
        """What each masker gives in its own block, [F, M, W]."""
        distance = self.barks[own_block] - place[..., None]
        slopes = torch.where(distance < 0, NEPERS * self.slopes[0], slope[..., None])
        return torch.exp(torch.addcmul(level[..., None], slopes, distance))

    def _far(self, own_block: Tensor, centred: Tensor, slope: Tensor) -> Tensor:
        """What maskers give above their own blocks, [F, J, W].

        Args:
            own_block: [F, M].
            centred: [F, M] their slopes' lines at their own blocks' centres, in nepers.
            slope: [F, M] nepers per Bark.
        """
        _, least, most = self.slopes
        series = _chebyshev((2 / NEPERS * slope - most - least) / (most - least))  # [F, M, TERMS]
        distance = self.centres[:, None] - self.centres[own_block][:, None]  # [F, J, M]
        distance = F.threshold(distance, 0.0, NOWHERE)  # no further than the own block: nothing
        at_centres = torch.addcmul(centred[:, None], slope[:, None], distance)
        at_centres = at_centres.clamp_(min=NOTHING).exp_()
        kept = F.threshold(at_centres, 2 * math.exp(NOTHING), 0.0, inplace=True)
        sums = kept @ series
        return torch.bmm(sums.transpose(0, 1), self.above).transpose(0, 1)


def _coefficients(offsets: Tensor, slopes: tuple[float, float, float]) -> Tensor:
    """Chebyshev coefficients in b of exp(b (z - c)), by its values at the zeros of the next term.

    Shape: z - c ``[J, W]`` -> ``[J, TERMS, W]``.
    """
    _, least, most = slopes
    order = torch.arange(TERMS, dtype=offsets.dtype)
    nodes = torch.cos(torch.pi * (order + 0.5) / TERMS)
    at_nodes = NEPERS * ((most + least) / 2 + (most - least) / 2 * nodes)
    values = torch.exp(at_nodes[:, None] * offsets[:, None])
    return (_chebyshev(nodes).T * torch.where(order > 0, 2, 1)[:, None] / TERMS) @ values


def _by_block(values: Tensor, block: Tensor, count: int) -> Tensor:
    """Sums of what belongs to one block: values [F, M, N], block [F, M] -> [F, count, N]."""
    frames = len(values)
    row = block + count * torch.arange(frames, device=block.device)[:, None]
    sums = values.new_zeros(frames * count, values.shape[-1])
    return sums.index_add_(0, row.flatten(), values.flatten(0, 1)).view(frames, count, -1)


def _blocks(barks: Tensor) -> Tensor:
    """The axis in blocks of a power of two of bins, the largest that keeps to `WIDEST`: [J, W]."""
    size = 1
    while size < len(barks) and bool(
        (barks[2 * size - 1 :] - barks[: 1 - 2 * size] <= WIDEST).all()
    ):
        size *= 2
    missing = -len(barks) % size
    return torch.cat([barks, barks[-1:].expand(missing)]).reshape(-1, size)


def _chebyshev(x: Tensor) -> Tensor:
    """The first `TERMS` Chebyshev polynomials of x in [-1, 1]: [...] -> [..., TERMS]."""
    terms, twice = [torch.ones_like(x), x], 2 * x
    while len(terms) < TERMS:
        terms.append(torch.addcmul(-terms[-2], twice, terms[-1]))
    return torch.stack(terms, -1)
