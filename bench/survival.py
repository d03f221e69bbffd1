"""How survival in rooms grows with gradient passes and with the bound, one room per step.

    python bench/survival.py CLIPS.tsv BANK --eps 500 1000 2000 --every 200 >> survival.jsonl

CLIPS.tsv has the columns id, audio (relative to it) and target. Each line of output is one clip
under one fixed bound after some number of passes, with the share of the bank's test rooms in which
greedy decoding of x + δ, rounded to 16 bits, is the target. The rates are those of `fast`.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mondegreen import load_victim
from mondegreen.air.rooms import RoomBank
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.air.transformations import Rooms
from mondegreen.audio.batch import quantise
from mondegreen.audio.pcm import FULL_SCALE, load
from mondegreen.measures.quality import snr_db
from mondegreen.measures.survival import heard_share
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.search.loop import Search
from mondegreen.search.stage import Decay, Elastic, Expectation, Stage
from mondegreen.text import as_sentence
from mondegreen.victims.base import Victim


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("bank", type=Path)
    parser.add_argument("--only", nargs="*", help="ids of the clips to use")
    parser.add_argument("--eps", nargs="+", type=float, default=[500, 1000, 2000])
    parser.add_argument("--passes", type=int, default=1600)
    parser.add_argument("--every", type=int, default=200)
    options = parser.parse_args()
    victim, bank = load_victim("moonshine-tiny"), RoomBank.load(options.bank)
    with options.clips.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        if options.only and row["id"] not in options.only:
            continue
        path = options.clips.parent / row["audio"]
        clean = quantise(torch.from_numpy(load(path, victim.sample_rate)))
        for eps in options.eps:
            for line in growth(victim, bank, clean, row["target"], eps, options):
                print(json.dumps({"id": row["id"], "eps": eps, **line}), flush=True)


def growth(
    victim: Victim, bank: RoomBank, clean: Tensor, target: str, eps: float, options: Any
) -> Iterator[dict[str, Any]]:
    """Search under one bound, and evaluate every `options.every` passes."""
    tokens = victim.encode(as_sentence(target), len(clean))
    threshold = masking_threshold(clean[None], None, victim.sample_rate)
    search = Search(victim, [clean], [tokens], threshold)
    stage = Stage(
        "fixed bound",
        steps=options.passes,
        rate=Decay(200 / FULL_SCALE, 10 / FULL_SCALE),
        sign=True,
        bound=Elastic(eps / FULL_SCALE, shrink=1, grow=1),
        over=Expectation((Rooms(Reverb(bank.split("attack").rirs)),)),
    )
    for step in search.run([stage]):
        found = search.trajectories[0].candidates  # the latest was heard in its room
        if (step.step + 1) % options.every == 0:
            sound = quantise(clean + found[-1].delta) if found else clean
            yield {
                "passes": step.step + 1,
                "loss": round(float(step.loss[0]), 3),
                "heard": heard_share(victim, sound, tokens, bank.split("test")),
                "snr_db": snr_db(clean.numpy(), sound.numpy()),
            }


if __name__ == "__main__":
    main()
