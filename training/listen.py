"""Make the head's training data: the embedded encoder's states for speech, and its letters.

    python training/listen.py read --out data/0.safetensors --hours 5 --seed 0
    python training/listen.py recorded --out data/1.safetensors --hours 2 --seed 1

Each file holds encoder states (half precision, one utterance after another) and their letters.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from corpus import sentences
from recordings import play, recordings
from safetensors.torch import save_file
from torch import Tensor
from voices import RATE, Sound, degrade, speak

from mondegreen import load_victim
from mondegreen.air.rooms.cached import default_bank
from mondegreen.victims.embedded.ctc import ALPHABET
from mondegreen.victims.families.moonshine import Moonshine
from mondegreen.victims.spelling import letters_only

DOUBT = 0.7  # nats per token; above it, the teacher's transcript is not trusted
PACE = (4, 22)  # letters per second; outside of this range it was not speech

Utterance = tuple[Tensor, str]


class Listener:
    """The embedded encoder, in random rooms."""

    def __init__(self, seed: int) -> None:
        victim = load_victim()
        assert isinstance(victim, Moonshine)
        self.victim, self.draw = victim, np.random.default_rng(seed)
        self.rooms = [rir.numpy() for rir in default_bank(RATE).split("attack").rirs]

    def read(self) -> Iterator[list[Utterance]]:
        """Random sentences in synthetic voices, endlessly."""
        texts = sentences()
        while True:
            text = texts[self.draw.integers(len(texts))]
            yield [(self.states(self.degraded(speak(text, self.draw))), text)]

    def recorded(self) -> Iterator[list[Utterance]]:
        """Recordings in random order, original and degraded, if the teacher is sure."""
        found = recordings()
        for index in self.draw.permutation(len(found)):
            sound = play(found[index])
            if sound is not None and (text := self.transcript(sound)):
                yield [(self.states(s), text) for s in (sound, self.degraded(sound))]

    def degraded(self, sound: Sound) -> Sound:
        """See `voices.degrade`."""
        return degrade(sound, self.rooms, self.draw)

    @torch.no_grad()
    def states(self, sound: Sound) -> Tensor:
        """The encoder's output for one clip, [F, D], in half precision."""
        heard, _ = self.victim.encode_audio(torch.tensor(sound)[None], torch.tensor([len(sound)]))
        return heard[0].half()

    @torch.no_grad()
    def transcript(self, sound: Sound) -> str:
        """The whole recogniser's transcript, in letters; empty if it is doubtful."""
        audio = torch.tensor(sound)
        said = self.victim.transcribe(audio)
        text = letters_only(said)
        seconds = len(sound) / RATE
        if set(text) - set(ALPHABET) or not PACE[0] < len(text) / seconds < PACE[1]:
            return ""
        tokens = self.victim.encode(said, len(sound))
        loss = self.victim.score(audio[None], torch.tensor([len(sound)]), [tokens]).loss.item()
        return text if loss < DOUBT * len(tokens) else ""


def gather(utterances: Iterator[list[Utterance]], hours: float) -> list[Utterance]:
    """Utterances until they last `hours`, or run out."""
    heard: list[Utterance] = []
    frames, wanted = 0, hours * 3600 * RATE / 384  # samples in a frame of the encoder
    for few in utterances:
        heard += few
        frames += sum(len(states) for states, _ in few)
        if len(heard) % 200 < len(few):
            print(f"{len(heard)} utterances, {frames / wanted:.0%}", flush=True)
        if frames >= wanted:
            break
    return heard


def pack(heard: list[Utterance], path: Path) -> None:
    """Write states and letters, concatenated, with the lengths of each."""
    letters = [torch.tensor([ALPHABET.index(c) + 1 for c in text]) for _, text in heard]
    tensors = {
        "states": torch.cat([state for state, _ in heard]),
        "frames": torch.tensor([len(state) for state, _ in heard]),
        "letters": torch.cat(letters).to(torch.uint8),
        "lengths": torch.tensor([len(letter) for letter in letters]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speech", choices=["read", "recorded"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    listener = Listener(arguments.seed)
    pack(gather(getattr(listener, arguments.speech)(), arguments.hours), arguments.out)
