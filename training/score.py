"""Score a head on recordings whose words are known.

    python training/score.py letters.safetensors --clips librispeech

Clips are a folder with a `clips.tsv` (columns: id, audio, text), or recordings in text files of
pocketsphinx's form ("<s> words </s> (name)").
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

import jiwer
import torch
from safetensors.torch import load_file

from mondegreen import load_victim
from mondegreen.audio.pcm import load
from mondegreen.victims.embedded.ctc import Letters, MoonshineCTC
from mondegreen.victims.families.moonshine import Moonshine
from mondegreen.victims.spelling import letters_only


def clips(folder: Path) -> list[tuple[Path, str]]:
    """Recordings and their words."""
    if (table := folder / "clips.tsv").exists():
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        return [(folder / row["audio"], row["text"]) for row in rows]
    lines = (folder / "transcription").read_text().splitlines()
    said = [re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip()) for line in lines]
    return [(folder / f"{found[2]}.wav", found[1]) for found in said if found]


def recogniser(weights: Path) -> MoonshineCTC:
    """The embedded encoder with a head from a file."""
    moonshine, head = load_victim(), Letters()
    assert isinstance(moonshine, Moonshine)
    head.load_state_dict({name: value.float() for name, value in load_file(weights).items()})
    return MoonshineCTC("letters", moonshine, head)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--beams", type=int, default=1)
    arguments = parser.parse_args()
    listener = recogniser(arguments.weights)
    listener.beams = arguments.beams
    said, heard = [], []
    for path, words in clips(arguments.clips):
        said.append(letters_only(words))
        heard.append(listener.transcribe(torch.from_numpy(load(path, listener.sample_rate))))
        print(f"{said[-1]}\n  {heard[-1]}")
    letters, words = jiwer.cer(said, heard), jiwer.wer(said, heard)
    print(f"{len(said)} clips: CER {letters:.1%}, WER {words:.1%}")
