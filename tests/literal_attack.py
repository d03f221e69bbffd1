"""Algorithm 1 as it is printed, one clip, every check a forward pass of its own, torch's Adam.

The slow twin of `mondegreen.search.loop`: written from the supplement and its resolutions (success
looked for after the update, i from 0; Adam fed the sign in stage 1; the victim hears 16 bits).
"""

from __future__ import annotations

import torch
from torch import Tensor

from mondegreen.air.transformations import Draws

LSB = 1 / 32768


def heard(x: Tensor, delta: Tensor) -> Tensor:
    y = x + delta
    rounded = (y * 32768).round().clamp(-32768, 32767) / 32768
    return y + (rounded - y).detach()


def hears_target(victim, x: Tensor, delta: Tensor, target: Tensor) -> bool:
    lengths = torch.tensor([len(x)])
    with torch.no_grad():
        return bool(victim.score(heard(x, delta)[None], lengths, [target]).matched[0])


def net_loss(victim, x: Tensor, delta: Tensor, target: Tensor) -> Tensor:
    return victim.score(heard(x, delta)[None], torch.tensor([len(x)]), [target]).loss[0]


def stage_1(victim, x, target, passes, lr=100 * LSB, eps=2000 * LSB):
    """Returns δ after the last update, ε, and the δ of every successful check."""
    delta = torch.zeros_like(x, requires_grad=True)
    adam = torch.optim.Adam([delta], lr=lr)
    successes = []
    for i in range(passes):
        adam.zero_grad()
        net_loss(victim, x, delta, target).backward()
        delta.grad.sign_()
        adam.step()
        with torch.no_grad():
            delta.clamp_(-eps, eps)
            delta.copy_(torch.maximum(torch.minimum(delta, 1 - LSB - x), -1 - x))
        if i % 10 == 0 and hears_target(victim, x, delta, target):
            successes.append(delta.detach().clone())
            eps = min(eps, float(delta.detach().abs().max()))
            eps = 0.8 * eps
    return delta.detach(), eps, successes


def stage_2(victim, x, start, target, passes, masking_loss, alpha=0.05):
    """Returns δ after the last update, and α."""
    delta = start.clone().requires_grad_()
    adam = torch.optim.Adam([delta], lr=LSB)
    for i in range(passes):
        for group in adam.param_groups:
            group["lr"] = LSB if i < 3000 else 0.1 * LSB
        adam.zero_grad()
        (net_loss(victim, x, delta, target) + alpha * masking_loss(delta)).backward()
        adam.step()
        with torch.no_grad():
            delta.copy_(torch.maximum(torch.minimum(delta, 1 - LSB - x), -1 - x))
        success = hears_target(victim, x, delta, target)
        if i % 20 == 0 and success:
            alpha = 1.2 * alpha
        if i % 50 == 0 and not success:
            alpha = 0.8 * alpha
    return delta.detach(), alpha


def in_rooms(victim, x, target, rooms, stage, seed):
    """One stage over rooms, draw by draw: δ after the last update, ε, and each step's hits."""
    delta = torch.zeros_like(x, requires_grad=True)
    adam = torch.optim.Adam([delta], lr=stage.rate.at(0, stage.steps))
    eps, all_hits, over = stage.bound.eps, [], stage.over
    lengths = torch.tensor([len(x)])
    for i in range(stage.steps):
        looking = i >= 1 and (i - 1) % stage.bound.every == 0
        rows = [
            rooms(heard(x, delta)[None, None], lengths, Draws.of((seed, 0, i), 1, 1, m))[:, 0]
            for m in range(over.looks if looking else over.draws)
        ]
        scores = [victim.score(row, lengths, [target]) for row in rows]
        hits = sum(bool(score.matched[0]) for score in scores)
        all_hits.append(hits)
        if looking and hits >= over.quorum:
            eps = 0.8 * min(eps, float(delta.detach().abs().max()))
        adam.zero_grad()
        (sum(score.loss[0] for score in scores[: over.draws]) / over.draws).backward()
        delta.grad.sign_()
        adam.step()
        with torch.no_grad():
            delta.clamp_(-eps, eps)
            delta.copy_(torch.maximum(torch.minimum(delta, 1 - LSB - x), -1 - x))
    return delta.detach(), eps, all_hits
