"""The head of `moonshine-tiny-ctc`: from the embedded encoder's states to letters, frame by frame.

Connectionist temporal classification (Graves et al. 2006) over 28 symbols and a blank. The encoder
has attended to the whole clip already; what the head adds is local, so it is made of convolutions
over time, each block a depthwise convolution and a two-layer perceptron on a residual path.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ALPHABET = " 'abcdefghijklmnopqrstuvwxyz"  # symbols 1 to 28
BLANK = 0


class Letters(nn.Module):
    """Letter logits of encoder states.

    Args:
        states: size of an encoder state.
        width: size of a block's state.
        blocks: how many.
        kernel: frames that a block looks at.
        dropout: share of a block's inner values that training hides.
    """

    def __init__(
        self,
        states: int = 288,
        width: int = 288,
        blocks: int = 5,
        kernel: int = 15,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(states, width)
        self.blocks = nn.ModuleList(Block(width, kernel, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, len(ALPHABET) + 1)

    def forward(self, states: Tensor, real: Tensor | None = None) -> Tensor:
        """Logits [B, F, 29] of states [B, F, D]; frames that are not `real` [B, F] are ignored."""
        hidden = self.enter(states)
        for block in self.blocks:
            hidden = block(hidden, real)
        logits: Tensor = self.leave(self.norm(hidden))
        return logits


class Block(nn.Module):
    """Mix neighbouring frames channel by channel, then channels frame by frame."""

    def __init__(self, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Conv1d(width, width, kernel, padding="same", groups=width)
        self.expand = nn.Linear(width, 2 * width)
        self.hide = nn.Dropout(dropout)
        self.contract = nn.Linear(2 * width, width)

    def forward(self, hidden: Tensor, real: Tensor | None) -> Tensor:
        """[B, F, W] to [B, F, W]; frames past a clip's end count as zeros, as they do alone."""
        seen = self.norm(hidden)
        if real is not None:
            seen = torch.where(real[..., None], seen, 0.0)
        mixed = self.mix(seen.transpose(1, 2)).transpose(1, 2)
        change: Tensor = self.contract(self.hide(nn.functional.gelu(self.expand(mixed))))
        return hidden + change
