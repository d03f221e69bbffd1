"""Shows that one run of asr-attacks gives both of its rows: the repaired peer, run apart.

    .venv-peers/bin/python -m bench.peers.one_run CLIPS.tsv 5142-36377-0007 --budget 250

Compares the repaired peer with the copy taken beside the peer as shipped: all audio that the
recogniser was given, and what came out of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from asr_attacks import ASRAttacker

from bench.peers.counted import Counted
from bench.peers.run import STAGE_1, task_of
from bench.peers.with_asr_attacks import (
    AS_SHIPPED,
    WITH_COPY,
    Array,
    attack,
    backend,
    imperceptible,
)
from bench.subjects import LETTERS, subjects
from mondegreen.victims import load_victim


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("clip")
    parser.add_argument("--budget", type=int, default=250)
    options = parser.parse_args()
    torch.set_num_threads(1)
    victim = load_victim(LETTERS)
    (subject,) = subjects([options.table], LETTERS, [options.clip])
    task = task_of(subject, victim)
    first = round(options.budget * STAGE_1)
    beside, apart = Counted(victim, task), Counted(victim, task)
    rows = attack(beside, first, options.budget - first)
    alone = repaired(apart, first, options.budget - first)
    print("same audio heard:", beside.digest.hexdigest() == apart.digest.hexdigest())
    print("same result as with copy:", np.array_equal(rows[WITH_COPY], alone))
    print("same result as shipped:", np.array_equal(rows[AS_SHIPPED], alone))


def repaired(victim: Counted, first: int, second: int) -> Array:
    """The adversarial audio [T] of the peer with the word put in."""
    original = imperceptible.to_numpy
    imperceptible.to_numpy = lambda audio: original(audio).copy()
    try:
        found: Array = ASRAttacker(backend(victim), verbose=False).imperceptible(
            victim.task.clean, target=victim.task.target, num_iter1=first, num_iter2=second
        )
    finally:
        imperceptible.to_numpy = original
    return found.reshape(-1)


if __name__ == "__main__":
    main()
