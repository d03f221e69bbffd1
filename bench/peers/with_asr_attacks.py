"""`asr-attacks` 0.3.0 on a victim with a head of letters, through its adapter for CTC modules.

On a CPU the array that it keeps as its best is the memory that its optimiser goes on changing, so
it returns the last iterate. The repair is one word, a copy. The search never reads that array, so
one run gives both rows: what it returns, and the copy that it would have returned (`one_run.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import numpy as np
import torch
from asr_attacks import ASRAttacker, CTCModuleBackend
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.peers.counted import Counted
from mondegreen.victims.embedded.ctc import ALPHABET, BLANK

Array = NDArray[np.float32]

AS_SHIPPED, WITH_COPY = "asr-attacks", "asr-attacks, with copy"
ROWS = (AS_SHIPPED, WITH_COPY)
imperceptible = import_module("asr_attacks.attacks.imperceptible")  # its package hides it


class Logits(nn.Module):
    """A counted victim as the module that the adapter wants: audio [1, T] to logits [1, F, V]."""

    def __init__(self, victim: Counted) -> None:
        super().__init__()
        self.victim = victim

    def forward(self, audio: Tensor) -> Tensor:
        return self.victim.logits(audio)


def attack(victim: Counted, first: int, second: int) -> dict[str, Array]:
    """Both rows' adversarial audio [T], after so many steps of each stage; the rest by default."""
    with kept_arrays() as kept:
        found = ASRAttacker(backend(victim), verbose=False).imperceptible(
            victim.task.clean, target=victim.task.target, num_iter1=first, num_iter2=second
        )
    copies = [copy for array, copy in kept if np.shares_memory(array, found)]
    return {AS_SHIPPED: found.reshape(-1), WITH_COPY: copies[-1].reshape(-1)}


def backend(victim: Counted) -> CTCModuleBackend:
    """The peer's adapter; it wants a label for the blank, which it then leaves out."""
    return CTCModuleBackend(Logits(victim), ("_", *ALPHABET), device="cpu", blank_id=BLANK)


@contextmanager
def kept_arrays() -> Iterator[list[tuple[Array, Array]]]:
    """The arrays that the attack keeps from now on, each with a copy of what it held then."""
    original, kept = imperceptible.to_numpy, []

    def keeping(audio: Tensor) -> Array:
        array: Array = original(audio)
        kept.append((array, array.copy()))
        return array

    imperceptible.to_numpy = keeping
    try:
        yield kept
    finally:
        imperceptible.to_numpy = original


def gradient(victim: Counted) -> Tensor:
    """The gradient [T] of the summed CTC loss at the clean clip, through the adapter alone."""
    adapter = backend(victim)
    audio = victim.task.clean[None].clone().requires_grad_()
    letters = adapter.encode(victim.task.target)
    likely = adapter.logits(audio).log_softmax(-1).transpose(0, 1)
    sizes = torch.tensor([len(likely)]), torch.tensor([len(letters)])
    loss = nn.functional.ctc_loss(likely, letters[None], *sizes, BLANK, reduction="sum")
    return torch.autograd.grad(loss, audio)[0][0]


def heard(victim: Counted, audio: Tensor) -> str:
    """What the adapter hears in audio [T]."""
    text: str = backend(victim).decode(audio[None])
    return " ".join(text.split())
