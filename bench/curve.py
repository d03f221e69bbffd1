"""Quality against gradient passes: what the saved file of the best so far is worth, clip by clip.

    python bench/curve.py CLIPS.tsv --method imperceptible --preset paper --every 250 >> curve.jsonl

CLIPS.tsv has the columns id, audio (relative to it) and target. Every line written is one clip
after some number of passes: proved from its 16-bit file, and measured by `mondegreen.evaluation`.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mondegreen.attacks.loop import Search
from mondegreen.attacks.presets import preset, within
from mondegreen.audio import load, quantise, save
from mondegreen.evaluation.metrics import measure
from mondegreen.evaluation.verify import verify
from mondegreen.psychoacoustics import masking_threshold
from mondegreen.text import as_sentence
from mondegreen.victims import Victim, load_victim


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--only", nargs="*", help="ids of the clips to run")
    parser.add_argument("--method", default="imperceptible")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--passes", type=int, help="at most; default: as the preset says")
    parser.add_argument("--every", type=int, default=250, help="passes between two lines")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    victim = load_victim()
    with options.clips.open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        if not options.only or row["id"] in options.only:
            for line in curve(victim, options.clips.parent / row["audio"], row["target"], options):
                print(json.dumps({"id": row["id"], **line}), flush=True)


def curve(victim: Victim, path: Path, target: str, options: Any) -> Iterator[dict[str, Any]]:
    """Run one clip and measure its best so far every so many passes, and at the end."""
    target = as_sentence(target)
    clean = quantise(torch.from_numpy(load(path, victim.sample_rate)))
    search = Search(
        victim,
        [clean],
        [victim.encode(target, len(clean))],
        masking_threshold(clean[None], None, victim.sample_rate),
    )
    passes = 0
    for _ in search.run(within(preset(options.method, options.preset), options.passes)):
        passes += 1
        if passes % options.every == 0:
            yield standing(victim, clean, search, target, options)
    if passes % options.every:
        yield standing(victim, clean, search, target, options)


def standing(
    victim: Victim, clean: torch.Tensor, search: Search, target: str, options: Any
) -> dict[str, Any]:
    """Prove and measure the best so far of the only clip."""
    (trajectory,) = search.trajectories
    found = {
        "method": options.method,
        "preset": options.preset,
        "passes": trajectory.passes,
        "first_match": trajectory.first_match,
        "last": asdict(trajectory.curve[-1]),
    }
    if not trajectory.candidates:
        return found | {"verified": False}
    best = trajectory.candidates[-1]
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "adversarial.wav"
        save(saved, clean + best.delta, victim.sample_rate)
        proof = verify(saved, victim, target)
        adversarial = load(saved, victim.sample_rate)
    quality = measure(clean.numpy(), adversarial, victim.sample_rate)
    return found | {"found_at": best.passes, **asdict(proof), **asdict(quality)}


if __name__ == "__main__":
    main()
