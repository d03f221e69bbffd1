"""Transducers: the loss of a target, and whether it is the greedy decode, from one lattice.

A transducer (Graves 2012) walks a lattice of frames t and symbols u. At each node it either emits
the blank, and moves on in time, or emits the target's next symbol. A path starts at (0, 0) and ends
with a blank that lands on (frames, symbols); p(target | audio) is the sum over all paths:

    log α(t, u) = logsumexp(log α(t - 1, u) + blank(t - 1, u), log α(t, u - 1) + emit(t, u - 1))

In the plain transducer a blank takes one frame and a symbol none; in the token-and-duration
transducer (Xu et al. 2023) the model also predicts how many frames each takes, and the sum runs
over the durations.

All nodes of an anti-diagonal t + u = n depend only on earlier ones, so the recursion runs over n
and handles a whole diagonal of the whole batch at once. Impossible arcs weigh `_NEVER`, which is
finite: -inf would make the gradients NaN.

Greedy decoding looks at one node (t, u) at a time: the likeliest symbol there, and how many frames
to move on. While its output is the target it stays on the target's lattice, so all that it looks at
is already there. It stops at nodes where a symbol is likeliest, and runs over blanks in between;
the end of each run over blanks is found for all nodes at once, by doubling the leaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_NEVER = -1e30  # log-probability; exp(_NEVER - x) is exactly 0 for every x that occurs


def rnnt_loss(blank: Tensor, emit: Tensor, frames: Tensor, symbols: Tensor) -> Tensor:
    """Loss of the transducer of Graves (2012), in nats, one per clip.

    Args:
        blank: [B, T, U + 1] log-probability of the blank at each node.
        emit: [B, T, U] log-probability of the target's symbol u, at (t, u).
        frames: [B] int64, how many of T are real; at least 1.
        symbols: [B] int64, how many of U are real; 0 is the empty target.

    Returns:
        [B] -log p(target | audio); infinite, with gradient zero, where no path exists. Values past
        `frames` and `symbols` are ignored, even NaN.
    """
    return _loss({1: blank}, {0: emit}, frames, symbols)


def tdt_loss(
    blank: Tensor,
    emit: Tensor,
    duration: Tensor,
    durations: Sequence[int],
    frames: Tensor,
    symbols: Tensor,
) -> Tensor:
    """Loss of the token-and-duration transducer of Xu et al. (2023), in nats, one per clip.

    A blank of duration 0 is not an arc, nor is one that leaps past the last frame: their
    probability is lost. As `rnnt_loss`, with `duration` [B, T, U + 1, D], the log-probability at
    each node of each of the `durations`, D different numbers of frames.
    """
    taking = dict(zip(durations, duration.unbind(-1), strict=True))
    blanks = {d: blank + log_p for d, log_p in taking.items() if d > 0}
    emits = {d: emit + log_p[..., :-1] for d, log_p in taking.items()}
    return _loss(blanks, emits, frames, symbols)


def _loss(
    blanks: dict[int, Tensor], emits: dict[int, Tensor], frames: Tensor, symbols: Tensor
) -> Tensor:
    """Minus the log of the summed probability of all paths; arcs by the frames they take."""
    forward = _forward(_arcs(blanks, emits, frames, symbols), list(blanks), list(emits))
    clips = torch.arange(len(frames), device=frames.device)
    log_p = forward[frames + symbols, clips, symbols]
    return torch.where(log_p > _NEVER / 2, -log_p, torch.inf)


def _arcs(
    blanks: dict[int, Tensor], emits: dict[int, Tensor], frames: Tensor, symbols: Tensor
) -> Tensor:
    """The weight of arriving: [N, K, B, U + 1], diagonal n = t + u by arc kind by u.

    Arcs are stored where they lead. Those that start outside the clip's own lattice, or leave the
    last frame by a symbol, are closed: only a blank ends a path.
    """
    size = next(iter(blanks.values())).shape
    t = torch.arange(size[1], device=frames.device)[:, None]
    u = torch.arange(size[2], device=frames.device)
    frames, symbols = frames[:, None, None], symbols[:, None, None]
    rows = []
    for taken, log_p in blanks.items():
        real = (t + taken <= frames) & (u <= symbols)
        rows.append(F.pad(log_p.masked_fill(~real, _NEVER), (0, 0, taken, 0), value=_NEVER))
    for taken, log_p in emits.items():
        real = (t + taken < frames) & (u[:-1] < symbols)
        rows.append(F.pad(log_p.masked_fill(~real, _NEVER), (1, 0, taken, 0), value=_NEVER))
    nodes = size[1] + 1
    whole = [F.pad(row, (0, 0, 0, nodes), value=_NEVER)[:, :nodes] for row in rows]
    return _skew(torch.stack(whole)).permute(2, 0, 1, 3)


def _skew(nodes: Tensor) -> Tensor:
    """Turn anti-diagonals into rows: [..., T, U] at (t, u) goes to [..., T + U - 1, U], (t + u, u).

    Each column moves down by one more than the one before, as a change of shape alone.
    """
    *kinds, T, U = nodes.shape
    columns = F.pad(nodes.transpose(-1, -2), (0, U), value=_NEVER)
    return columns.flatten(-2)[..., :-U].reshape(*kinds, U, T + U - 1).transpose(-1, -2)


def _forward(arcs: Tensor, blanks: list[int], emits: list[int]) -> Tensor:
    """Log-probability of reaching each node: [N, B, U + 1], from the result of `_arcs`."""
    never = torch.full_like(arcs[0, 0], _NEVER)
    begin = never.index_fill(1, never.new_zeros(1, dtype=torch.int64), 0.0)
    reached = [begin]
    for n in range(1, len(arcs)):
        by_blank = [reached[n - d] if d <= n else never for d in blanks]
        by_symbol = [reached[n - d - 1].roll(1, -1) if d < n else never for d in emits]
        reached.append((torch.stack(by_blank + by_symbol) + arcs[n]).logsumexp(0))
    return torch.stack(reached)


@dataclass(frozen=True)
class Choices:
    """What greedy decoding does at every node of a batch of lattices."""

    symbol: Tensor  # [B, T, U + 1] int64: the likeliest symbol
    moves: Tensor  # [B, T, U + 1] int64: frames to go on by; at a blank at least 1
    blank: int  # the blank's number
    per_frame: int | None  # so many symbols at one frame force a move to the next; None: never


def says(
    choices: Choices, targets: Tensor, frames: Tensor, symbols: Tensor, steps: Tensor
) -> Tensor:
    """Whether the greedy decode is the target, symbol by symbol: [B] bool, without a wait.

    Args:
        choices: at the nodes of the targets' lattices.
        targets: [B, U] int64, padded.
        frames: [B] int64: how many of T are real.
        symbols: [B] int64: how many of U are real.
        steps: [B] int64: blanks and symbols after which decoding is cut off.
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
    """Where a run over blanks from each node ends, and how many blanks it passes.

    Both are [B, T + 1, U + 1] int64; at row T, past the last frame, runs end.
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
