"""How steady definitions of a score are: three deals of targets among the same passages.

`deals.jsonl` has the lowest price of each clip, by each yardstick, after 300 passes of `fast`. The
deals other than `quick` are of an earlier choice of the passages. `python -m bench.deals` prints
what docs/suites.md shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from math import hypot
from pathlib import Path
from typing import Any

import numpy as np

from mondegreen.report.numbers.prices import PricedClip, PricedClips
from mondegreen.results.prices import YARDSTICKS
from mondegreen.suites.score import mishear_score
from mondegreen.suites.text import cost_text, interval_text
from mondegreen.wording import By

ROWS = Path(__file__).with_name("deals.jsonl")
DRAWS, CLIPS = 2000, 20
Row = dict[str, Any]


def share_at_the_mark(margins: Any) -> float:
    return float(np.mean(margins >= 0))


DEFINITIONS: dict[str, tuple[By, Callable[[Any], Any]]] = {
    "median of the margin": ("margin", np.median),
    "mean of the margin": ("margin", np.mean),
    "share attackable at a margin of 0": ("margin", share_at_the_mark),
    "median of the SNR": ("snr", np.median),
    "median of Zimtohrli's MOS": ("zimtohrli", np.median),
    "median of PESQ (Cor. 2)": ("pesq", np.median),
    "median of the largest excess": ("excess", np.median),
}


def scores(rows: Sequence[Row]) -> None:
    """The score of each deal and recogniser, by the margin."""
    by = YARDSTICKS["margin"]
    for (deal, victim), some in groupby(rows, key=lambda row: (row["deal"], row["victim"])):
        clips = tuple(PricedClip(row["clip"], row["target"], None, row["margin"]) for row in some)
        found = mishear_score(PricedClips(victim, by, clips))
        told = f"{cost_text(found.at, by)} ({interval_text(found)})"
        print(f"{deal:<8} {victim:<20} {len(clips)} clips: {told}")


def steadiness(rows: Sequence[Row]) -> None:
    """Each definition over draws of as many clips as `quick` has, from all deals together."""
    victims = list(dict.fromkeys(row["victim"] for row in rows))
    for name, (by, of) in DEFINITIONS.items():
        means, spreads = [], []
        for victim in victims:
            random = np.random.default_rng(0)
            prices = np.array([row[by] for row in rows if row["victim"] == victim])
            found = [of(random.choice(prices, CLIPS, replace=False)) for _ in range(DRAWS)]
            means.append(np.mean(found))
            spreads.append(np.std(found))
        told = "  ".join(f"{m:.2f} ± {s:.2f}" for m, s in zip(means, spreads, strict=True))
        print(f"{name:<36} {told}  neighbours apart by {_apart(means, spreads)}")


def _apart(means: Sequence[float], spreads: Sequence[float]) -> str:
    """By how many of their standard deviations each recogniser is apart from the next lower one."""
    ranked = sorted(zip(means, spreads, strict=True), reverse=True)
    apart = [(a - b) / hypot(s, t) for (a, s), (b, t) in pairwise(ranked)]
    return ", ".join(f"{gap:.1f}" for gap in apart)


if __name__ == "__main__":
    known = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    scores(known)
    steadiness(known)
