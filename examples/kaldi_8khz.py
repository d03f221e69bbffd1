"""A recogniser of telephone speech as a victim: 8 kHz, Kaldi's filter banks, a TDNN with CTC.

    mondegreen check-victim kaldi_8khz:victim          (in this folder)
    mondegreen attack clip.wav --target "go" --victim kaldi_8khz:victim

Put your own network in place of `Tdnn`, and load its weights. These are random: it hears gibberish,
but it can be attacked.
"""

import torch
from torch.nn.utils.rnn import pad_sequence

from mondegreen.errors import TargetError
from mondegreen.victims.ctc_loss import best_path, require_frames, score_ctc
from mondegreen.victims.frontends.kaldi import KaldiFbank
from mondegreen.victims.spelling import letters_only

LETTERS = "_ abcdefghijklmnopqrstuvwxyz'"  # _ is the blank
BANDS = 40


class Tdnn(torch.nn.Module):
    """Letter logits [ceil(F / 3), 29] of features [F, 40]: three layers that see ever farther."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv1d(BANDS, 64, 3, padding=1),
            torch.nn.Tanh(),
            torch.nn.Conv1d(64, 64, 3, padding=2, dilation=2),
            torch.nn.Tanh(),
            torch.nn.Conv1d(64, len(LETTERS), 3, padding=3, dilation=3, stride=3),
        )

    def forward(self, features):
        return 10 * self.layers(features.T[None])[0].T


class Telephone:
    name, sample_rate = "kaldi_8khz:victim", 8_000

    def __init__(self, network, device, dtype):
        self.network = network.to(device, dtype).eval().requires_grad_(False)
        # 25 ms every 10 ms, each band without its mean over the clip
        self.features = KaldiFbank(self.sample_rate, BANDS, zero_mean=True).to(device)
        self.device, self.dtype = device, dtype

    def encode(self, target, length):
        text = letters_only(target)
        if not text or set(text) - set(LETTERS[1:]):
            raise TargetError(f"{target!r} cannot be spelled in {LETTERS[1:]!r}")
        symbols = torch.tensor([LETTERS.index(c) for c in text], device=self.device)
        frames = int(self.features.counts(torch.tensor(length)))
        require_frames(symbols, (frames + 2) // 3, length / self.sample_rate)
        return symbols

    def score(self, audio, lengths, targets):
        features, frames = self.features(audio, lengths)
        logits = [self.network(f[:n]) for f, n in zip(features, frames.tolist(), strict=True)]
        counts = torch.tensor([len(clip) for clip in logits], device=self.device)
        padded = pad_sequence(logits, batch_first=True)
        return score_ctc(padded, counts, targets, blank=0, delimiter=LETTERS.index(" "))

    @torch.no_grad()
    def transcribe(self, audio):
        clip = audio.to(self.device, self.dtype)[None]
        features, _ = self.features(clip, torch.tensor([len(audio)], device=self.device))
        symbols = best_path(self.network(features[0]), blank=0)
        return " ".join("".join(LETTERS[symbol] for symbol in symbols).split())


def victim(device, dtype):
    torch.manual_seed(0)
    return Telephone(Tdnn(), device, dtype)
