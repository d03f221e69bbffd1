"""Whether a transducer's greedy decode is the target, read off the lattice that its loss runs over.

Greedy decoding looks at one node (t, u) at a time: the likeliest symbol there, and how many frames
to move on. As long as it says the target it stays on the target's lattice, so all that it looks at
is there already. It rests at a node where a symbol is likeliest, and runs over blanks in between;
where a run over blanks comes to rest is found for all nodes at once, by doubling the leaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Choices:
    """What greedy decoding does at every node of a batch of lattices.

    Attributes:
        symbol: [B, T, U + 1] int64: the likeliest symbol.
        moves: [B, T, U + 1] int64: frames to go on by; at a blank at least 1.
        blank: the blank's number.
        per_frame: so many symbols at one frame force a move to the next; None: never.
    """

    symbol: Tensor
    moves: Tensor
    blank: int
    per_frame: int | None


def says(
    choices: Choices, targets: Tensor, frames: Tensor, symbols: Tensor, steps: Tensor
) -> Tensor:
    """Tell whether the greedy decode is the target, symbol by symbol.

    Args:
        choices: at the nodes of the targets' lattices.
        targets: [B, U] int64, padded.
        frames: [B] int64: how many of T are real.
        symbols: [B] int64: how many of U are real.
        steps: [B] int64: blanks and symbols together that decoding is cut off after.

    Returns:
        [B] bool, computed without a copy to the host.
    """
    clips = torch.arange(len(frames), device=frames.device)
    rest, passed = _runs(choices)
    moves = F.pad(choices.moves, (0, 0, 0, 1))
    right = F.pad(choices.symbol[..., :-1] == targets[:, None], (0, 1, 0, 1))
    t, taken, held = (torch.zeros_like(frames) for _ in range(3))
    on_track = frames >= 0
    result = frames < 0
    for u in range(targets.shape[1] + 1):
        node = clips, rest[clips, t, u], u
        held = torch.where(node[1] > t, 0, held) + 1
        taken = taken + passed[clips, t, u]
        speaks = (node[1] < frames) & (taken < steps)
        result = result | (on_track & ~speaks & (symbols == u))
        on_track = on_track & speaks & right[node]
        t, taken = node[1] + moves[node], taken + 1
        if choices.per_frame is not None:
            forced = held >= choices.per_frame
            t, held = t + forced, held.masked_fill(forced, 0)
        t = t.clamp(max=choices.symbol.shape[1])
    return result


def _runs(choices: Choices) -> tuple[Tensor, Tensor]:
    """Where a run over blanks from each node comes to rest, and how many it passes.

    Returns:
        Both [B, T + 1, U + 1] int64; row T, past the last frame, rests.
    """
    T = choices.symbol.shape[1]
    t = torch.arange(T + 1, device=choices.symbol.device)[:, None]
    runs = F.pad(choices.symbol == choices.blank, (0, 0, 0, 1))
    leap = torch.where(runs, t + F.pad(choices.moves, (0, 0, 0, 1)), t).clamp(max=T)
    passed = runs.long()
    for _ in range(T.bit_length()):  # after k rounds a leap is 2^k blanks long
        passed = passed + passed.gather(1, leap)
        leap = leap.gather(1, leap)
    return leap, passed
