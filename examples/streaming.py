"""A streaming recogniser as a victim: it hears 0.32 s at a time and remembers the rest in caches.

    mondegreen check-victim streaming:victim           (in this folder)
    mondegreen attack clip.wav --target "go" --victim streaming:victim

`transcribe` streams, as the product does. `score` hears a clip at once, which is one pass instead
of many, with the same network. Whether the two are the same is what "chunked equals whole" checks.
The weights are random: it hears gibberish, but it can be attacked.
"""

import torch
from torch.nn.utils.rnn import pad_sequence

from mondegreen.errors import TargetError
from mondegreen.victims.ctc_loss import best_path, require_frames, score_ctc
from mondegreen.victims.spelling import letters_only

LETTERS = "_ abcdefghijklmnopqrstuvwxyz'"  # _ is the blank
WINDOW, HOP = 400, 320  # samples: 25 ms every 20 ms
CHUNK = 5120  # samples: 0.32 s


class Network(torch.nn.Module):
    """Letter logits [F, 29] of samples [T], and what the next samples need of these."""

    def __init__(self):
        super().__init__()
        self.listen = torch.nn.Linear(WINDOW, 48)
        self.remember = torch.nn.GRU(48, 48, batch_first=True)
        self.spell = torch.nn.Linear(48, len(LETTERS))

    def forward(self, samples, state=None):
        held, hidden = state or (samples[:0], None)
        samples = torch.cat([held, samples])
        if len(samples) < WINDOW:
            return samples.new_zeros(0, len(LETTERS)), (samples, hidden)
        frames = samples.unfold(0, WINDOW, HOP)
        heard, hidden = self.remember(torch.tanh(self.listen(20 * frames))[None], hidden)
        return 20 * self.spell(heard[0]), (samples[len(frames) * HOP :], hidden)


class Streaming:
    name, sample_rate = "streaming:victim", 16_000

    def __init__(self, network, device, dtype):
        self.network = network.to(device, dtype).eval().requires_grad_(False)
        self.device, self.dtype = device, dtype

    def encode(self, target, length):
        text = letters_only(target)
        if not text or set(text) - set(LETTERS[1:]):
            raise TargetError(f"{target!r} cannot be spelled in {LETTERS[1:]!r}")
        symbols = torch.tensor([LETTERS.index(c) for c in text], device=self.device)
        require_frames(symbols, (length - WINDOW) // HOP + 1, length / self.sample_rate)
        return symbols

    def score(self, audio, lengths, targets):
        logits = [self.network(c[:n])[0] for c, n in zip(audio, lengths.tolist(), strict=True)]
        frames = torch.tensor([len(clip) for clip in logits], device=self.device)
        padded = pad_sequence(logits, batch_first=True)
        return score_ctc(padded, frames, targets, blank=0, delimiter=LETTERS.index(" "))

    @torch.no_grad()
    def in_chunks(self, audio):
        logits, state = [], None
        for chunk in audio.to(self.device, self.dtype).split(CHUNK):
            more, state = self.network(chunk, state)
            logits.append(more)
        return torch.cat(logits)

    @torch.no_grad()
    def at_once(self, audio):
        return self.network(audio.to(self.device, self.dtype))[0]

    def transcribe(self, audio):
        symbols = best_path(self.in_chunks(audio), blank=0)
        return " ".join("".join(LETTERS[symbol] for symbol in symbols).split())


def victim(device, dtype):
    torch.manual_seed(0)
    return Streaming(Network(), device, dtype)
