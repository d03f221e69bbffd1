"""`moonshine-tiny-ctc`: the embedded encoder with a head of letters, frame by frame.

A CTC recogniser that needs no model hub. `training/` teaches the head; its weights and their card
lie in `weights/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor

from mondegreen.errors import TargetError
from mondegreen.victims.base import Score
from mondegreen.victims.ctc_beam import decode
from mondegreen.victims.ctc_loss import Alignment, require_frames
from mondegreen.victims.embedded.letters import ALPHABET, BLANK, Letters
from mondegreen.victims.moonshine import SAMPLE_RATE, Moonshine
from mondegreen.victims.remembered import Remembered
from mondegreen.victims.spelling import letters_only

WEIGHTS: Final = Path(__file__).parent / "weights" / "moonshine-tiny-ctc.safetensors"
_SPACE: Final = ALPHABET.index(" ") + 1


class MoonshineCTC:
    """Moonshine's encoder and a head of letters, as a victim.

    Args:
        name: what `load_victim` calls it.
        moonshine: whose encoder listens.
        head: on the same device, in the same type.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, name: str, moonshine: Moonshine, head: Letters) -> None:
        self.name = name
        self.moonshine = moonshine
        self.head = head.requires_grad_(False).eval()
        self.beams = 1
        self._alignment = Remembered(self._align)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.moonshine.device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' floating type."""
        return self.moonshine.dtype

    def encode(self, target: str, length: int) -> Tensor:
        """Letters of `target`; see `Victim.encode`."""
        letters = torch.tensor(_spell(target), device=self.device)
        frames = int(self.moonshine.frames(torch.tensor(length)))
        require_frames(letters, frames, length / SAMPLE_RATE)
        return letters

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """CTC loss, and whether the best path says the target; see `Victim.score`."""
        states, mask = self.moonshine.listen(audio, lengths)
        return self._alignment(lengths, *targets).score(self.head(states, mask))

    def _align(self, lengths: Tensor, *targets: Tensor) -> Alignment:
        return Alignment(self.moonshine.frames(lengths), targets, BLANK, _SPACE)

    @torch.no_grad()
    def transcribe(self, audio: Tensor) -> str:
        """Best path, or prefix beam search with `beams` over one; audio [T] in [-1, 1].

        The encoder runs through its own `forward`, unlike in `score`.
        """
        encoder = self.moonshine.model.model.encoder
        states = encoder(audio.to(self.device, self.dtype)[None]).last_hidden_state
        return _read(decode(self.head(states)[0], BLANK, self.beams))


def load_head(device: torch.device, dtype: torch.dtype) -> Letters:
    """The head that comes with the package."""
    head = Letters()
    head.load_state_dict({name: w.float() for name, w in load_file(WEIGHTS).items()})
    return head.to(device, dtype)


def _spell(target: str) -> list[int]:
    """Symbols of a phrase in small letters."""
    text = letters_only(target)
    if strange := sorted(set(text) - set(ALPHABET)):
        raise TargetError(
            f"the recogniser has no symbol for {', '.join(map(repr, strange))} in {target!r}; it"
            " writes the letters a to z, apostrophes and spaces"
        )
    if not text:
        raise TargetError(f"nothing of the target {target!r} can be spelled in letters")
    return [ALPHABET.index(letter) + 1 for letter in text]


def _read(symbols: Sequence[int]) -> str:
    """The text of symbols, single spaces between words."""
    return " ".join("".join(ALPHABET[symbol - 1] for symbol in symbols).split())
