"""Train the head of `moonshine-tiny-ctc`.

    python training/train.py data/*.safetensors --out letters.safetensors --epochs 12

The encoder is frozen: training reads only its states, made by `listen.py`. Each epoch hides
stretches of time and adds noise to the states, so that the head does not rely on what only
synthetic voices have.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mondegreen.victims.embedded.ctc import ALPHABET, BLANK, Letters

Utterance = tuple[Tensor, Tensor]  # states [F, D] in half precision, letters [N]

FRAMES = 6000  # of a batch, padding included
RATE, DECAY, DROPOUT = 2e-3, 0.02, 0.15


def read(paths: list[Path]) -> list[Utterance]:
    """Utterances of the files that `listen.py` wrote."""
    found: list[Utterance] = []
    for path in paths:
        data = load_file(path)
        states = data["states"].split(data["frames"].tolist())
        found += zip(states, data["letters"].split(data["lengths"].tolist()), strict=True)
    return [(state, letters) for state, letters in found if speakable(state, letters)]


def speakable(state: Tensor, letters: Tensor) -> bool:
    """Whether there is a frame for every letter, and one between equal neighbours."""
    return len(letters) + int((letters[1:] == letters[:-1]).sum()) < len(state)


def batches(utterances: list[Utterance], draw: np.random.Generator) -> list[list[Utterance]]:
    """All utterances once, those of similar length together, in random order."""
    order = sorted(utterances, key=lambda u: len(u[0]) + draw.uniform(0, 20))
    made: list[list[Utterance]] = [[]]
    for utterance in order:
        if (len(made[-1]) + 1) * len(utterance[0]) > FRAMES:
            made.append([])
        made[-1].append(utterance)
    draw.shuffle(made)
    return made


def disturb(states: Tensor, draw: np.random.Generator) -> Tensor:
    """States [F, D] with a few stretches hidden, a few channels hidden, and noise added."""
    states = states.float()
    states = states + torch.randn_like(states) * states.std() * draw.uniform(0, 0.6)
    for _ in range(draw.integers(0, 1 + len(states) // 30)):
        start = draw.integers(len(states))
        states[start : start + draw.integers(1, 10)] = 0.0
    return states * (torch.rand(states.shape[1]) > draw.uniform(0, 0.3))


def loss_of(head: Letters, batch: list[Utterance], states: list[Tensor]) -> Tensor:
    """Mean CTC loss of a batch, in nats per letter."""
    frames = torch.tensor([len(state) for state in states])
    real = torch.arange(int(frames.max())) < frames[:, None]
    logits = head(pad_sequence(states, batch_first=True), real)
    letters = torch.cat([letters for _, letters in batch]).long()
    lengths = torch.tensor([len(letters) for _, letters in batch])
    log_probs = F.log_softmax(logits, -1).transpose(0, 1)
    return F.ctc_loss(log_probs, letters, frames, lengths, blank=BLANK, reduction="sum") / len(
        letters
    )


def spell(head: Letters, state: Tensor) -> str:
    """The collapsed best path."""
    best = torch.unique_consecutive(head(state.float()[None])[0].argmax(-1))
    return "".join(ALPHABET[symbol - 1] for symbol in best.tolist() if symbol != BLANK)


def train(
    head: Letters,
    utterances: list[Utterance],
    held: list[Utterance],
    epochs: int,
    rate: float,
    out: Path,
) -> None:
    """Train a head, and save it in half precision after every epoch."""
    draw = np.random.default_rng(0)
    optimiser = torch.optim.AdamW(head.parameters(), lr=rate, weight_decay=DECAY)
    steps = epochs * len(batches(utterances, np.random.default_rng(0))) + epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps, pct_start=0.1)
    for epoch in range(epochs):
        begun, losses = time.monotonic(), []
        head.train()
        for batch in batches(utterances, draw):
            with torch.autocast("cpu", torch.bfloat16):  # twice as fast, where supported
                loss = loss_of(head, batch, [disturb(state, draw) for state, _ in batch])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        head.eval()
        with torch.no_grad():
            now = np.mean([loss_of(head, [u], [u[0].float()]).item() for u in held])
        print(
            f"epoch {epoch + 1}: {np.mean(losses):.3f} nats per letter, {now:.3f} on held-out"
            f" sentences, {time.monotonic() - begun:.0f} s",
            flush=True,
        )
        save_file({k: v.half().contiguous() for k, v in head.state_dict().items()}, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rate", type=float, default=RATE, help="Peak learning rate.")
    parser.add_argument("--start", type=Path, help="Start from these weights.")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    begun = Letters(dropout=DROPOUT)
    if arguments.start:
        begun.load_state_dict({k: v.float() for k, v in load_file(arguments.start).items()})
    everything = read(arguments.data)
    held = everything[:200]  # of the first file
    train(begun, everything[200:], held, arguments.epochs, arguments.rate, arguments.out)
