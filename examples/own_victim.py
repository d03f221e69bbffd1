"""A plain torch module as a victim.

    mondegreen check-victim own_victim:victim          (in this folder)
    mondegreen attack clip.wav --target "go" --victim own_victim:victim

The network here is a stand-in with random weights: it hears gibberish, but it can be attacked.
"""

import torch
from torch.nn.utils.rnn import pad_sequence

from mondegreen.errors import TargetError
from mondegreen.victims.ctc_loss import best_path, require_frames, score_ctc
from mondegreen.victims.spelling import letters_only

LETTERS = "_ abcdefghijklmnopqrstuvwxyz'"  # _ is the blank


class Network(torch.nn.Module):
    """Letter logits [F, 29] of a waveform [T]."""

    def __init__(self) -> None:
        super().__init__()
        self.listen = torch.nn.Conv1d(1, 48, 400, stride=320)
        self.spell = torch.nn.Conv1d(48, len(LETTERS), 3, padding=1)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        return 20 * self.spell(torch.tanh(self.listen(20 * clip[None]))).T


class MyVictim:
    name, sample_rate = "own_victim:victim", 16_000

    def __init__(self, network, device, dtype):
        self.network = network.to(device, dtype).eval().requires_grad_(False)
        self.device, self.dtype = device, dtype

    def encode(self, target, length):
        text = letters_only(target)  # "Open the door." is "open the door"
        if not text or set(text) - set(LETTERS[1:]):
            raise TargetError(f"{target!r} cannot be spelled in {LETTERS[1:]!r}")
        symbols = torch.tensor([LETTERS.index(c) for c in text], device=self.device)
        require_frames(symbols, (length - 400) // 320 + 1, length / self.sample_rate)
        return symbols

    def score(self, audio, lengths, targets):
        logits = [self.network(clip[:n]) for clip, n in zip(audio, lengths.tolist(), strict=True)]
        frames = torch.tensor([len(clip) for clip in logits], device=self.device)
        return score_ctc(pad_sequence(logits, batch_first=True), frames, targets, blank=0)

    @torch.no_grad()
    def transcribe(self, audio):
        logits = self.network(audio.to(self.device, self.dtype))
        return "".join(LETTERS[symbol] for symbol in best_path(logits, blank=0))


def victim(device, dtype):
    torch.manual_seed(0)
    return MyVictim(Network(), device, dtype)
