"""A recogniser: a torch module with random weights, which hears gibberish but can be attacked."""

import torch
from torch.nn.utils.rnn import pad_sequence

from mondegreen.errors import TargetError
from mondegreen.victims.ctc_loss import best_path, require_frames, score_ctc
from mondegreen.victims.spelling import letters_only

LETTERS = "_ abcdefghijklmnopqrstuvwxyz'"  # _ is the blank


class Letters:
    name, sample_rate = "example-letters", 16_000

    def __init__(self, device, dtype):
        torch.manual_seed(0)
        self.device, self.dtype = device, dtype
        self.weights = torch.randn(len(LETTERS), 1, 400).to(device, dtype)

    def logits(self, clip):
        return 9 * torch.conv1d(clip[None], self.weights, stride=320).T

    def encode(self, target, length):
        text = letters_only(target)
        if not text or set(text) - set(LETTERS[1:]):
            raise TargetError(f"{target!r} cannot be spelled in {LETTERS[1:]!r}")
        symbols = torch.tensor([LETTERS.index(c) for c in text], device=self.device)
        require_frames(symbols, (length - 400) // 320 + 1, length / self.sample_rate)
        return symbols

    def score(self, audio, lengths, targets):
        logits = [self.logits(clip[:n]) for clip, n in zip(audio, lengths.tolist(), strict=True)]
        frames = torch.tensor([len(clip) for clip in logits], device=self.device)
        return score_ctc(pad_sequence(logits, batch_first=True), frames, targets, blank=0)

    @torch.no_grad()
    def transcribe(self, audio):
        logits = self.logits(audio.to(self.device, self.dtype))
        return "".join(LETTERS[symbol] for symbol in best_path(logits, blank=0))


def letters(device, dtype):
    return Letters(device, dtype)
