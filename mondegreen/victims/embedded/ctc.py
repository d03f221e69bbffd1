"""`moonshine-tiny-ctc`: the embedded encoder with a CTC head of letters.

A CTC recogniser that needs no model hub: 28 symbols and a blank (Graves et al. 2006). The encoder
attends to the whole clip; the head is local, residual blocks of a depthwise convolution over time
and a two-layer perceptron. `training/` trains it; weights and model card are in `weights/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from mondegreen.errors import TargetError
from mondegreen.victims.base import Score
from mondegreen.victims.batching import Remembered
from mondegreen.victims.ctc_loss import Alignment, require_frames
from mondegreen.victims.families.moonshine import SAMPLE_RATE, Moonshine
from mondegreen.victims.spelling import letters_only
from mondegreen.victims.tokens.beam import decode

ALPHABET = " 'abcdefghijklmnopqrstuvwxyz"  # symbols 1 to 28
BLANK = 0


class Letters(nn.Module):
    """Letter logits of encoder states.

    Args:
        states: size of an encoder state.
        width: size of a block's state.
        blocks: how many.
        kernel: frames that a block sees.
        dropout: share of a block's inner values dropped in training.
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
        """Logits [B, F, 29] of states [B, F, D]; only `real` frames [B, F] are used."""
        hidden = self.enter(states)
        for block in self.blocks:
            hidden = block(hidden, real)
        logits: Tensor = self.leave(self.norm(hidden))
        return logits


class Block(nn.Module):
    """Mix neighbouring frames per channel, then channels per frame."""

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


WEIGHTS: Final = Path(__file__).parent / "weights" / "moonshine-tiny-ctc.safetensors"
_SPACE: Final = ALPHABET.index(" ") + 1


class MoonshineCTC:
    """Moonshine's encoder and a head of letters, on the same device, as a victim."""

    sample_rate = SAMPLE_RATE
    stride = 64 * 3 * 2  # samples from one frame to the next: of the encoder's three convolutions

    def __init__(self, name: str, moonshine: Moonshine, head: Letters) -> None:
        self.name = name
        self.moonshine = moonshine
        self.device, self.dtype = moonshine.device, moonshine.dtype
        self.head = head.requires_grad_(False).eval()
        self.beams = 1
        self._alignment = Remembered(self.align)
        self._frames = Remembered(moonshine.frames)

    def encode(self, target: str, length: int) -> Tensor:
        """Letters of `target`; see `Victim.encode`."""
        letters = torch.tensor(_spell(target), device=self.device)
        frames = int(self.moonshine.frames(torch.tensor(length)))
        require_frames(letters, frames, length / SAMPLE_RATE)
        return letters

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """CTC loss, and whether the best path is the target; see `Victim.score`."""
        logits, frames = self.logits(audio, lengths)
        return self._alignment(frames, *targets).score(logits)

    def logits(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, F, 29] of a padded batch [B, T], and how many frames of each are real, [B]."""
        states, mask = self.moonshine.encode_audio(audio, lengths)
        return self.head(states, mask), self._frames(lengths)

    def align(self, frames: Tensor, *targets: Tensor) -> Alignment:
        """Targets laid out for clips of so many frames, [B]."""
        return Alignment(frames, targets, BLANK, _SPACE)

    @torch.no_grad()
    def transcribe(self, audio: Tensor) -> str:
        """Best path, or prefix beam search with `beams` over one; audio [T] in [-1, 1].

        The encoder runs through its own `forward`, unlike in `score`.
        """
        return self.read(self.own_logits(audio))

    def own_logits(self, audio: Tensor) -> Tensor:
        """Logits [F, 29] of one clip [T]."""
        encoder = self.moonshine.model.model.encoder
        states = encoder(audio.to(self.device, self.dtype)[None]).last_hidden_state
        logits: Tensor = self.head(states)[0]
        return logits

    def read(self, logits: Tensor) -> str:
        """What logits [F, 29] say."""
        return _read(decode(logits, BLANK, self.beams))


def load_head(device: torch.device, dtype: torch.dtype) -> Letters:
    """The head that comes with the package."""
    head = Letters()
    head.load_state_dict({name: w.float() for name, w in load_file(WEIGHTS).items()})
    return head.to(device, dtype)


def _spell(target: str) -> list[int]:
    """Symbols of a phrase in lower case."""
    text = letters_only(target)
    if strange := sorted(set(text) - set(ALPHABET)):
        raise TargetError(
            f"the recogniser has no symbol for {', '.join(map(repr, strange))} in {target!r}; it"
            " writes the letters a to z, apostrophes and spaces"
        )
    if not text:
        raise TargetError(f"the target {target!r} has no letters; choose one in the letters a to z")
    return [ALPHABET.index(letter) + 1 for letter in text]


def _read(symbols: Sequence[int]) -> str:
    """The text of symbols, single spaces between words."""
    return " ".join("".join(ALPHABET[symbol - 1] for symbol in symbols).split())
