"""Measure, merge into `bench/results.json`, and write `docs/benchmarks.md` from it.

    python -m bench CLIPS.tsv                # a sample
    python -m bench CLIPS.tsv --full         # everything, in hours; run it again to resume
    python -m bench CLIPS.tsv --only quality --victim moonshine-tiny --preset fast --budgets 100 500
    python -m bench --only page              # only the page

CLIPS.tsv has the columns id, audio (relative to it) and target. Parts are measured in one process
with one thread, unless they say otherwise. Several processes may run at once and merge their
results, but timings should run alone. Quality that was measured with the same stages and target is
kept, unless --again is given.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench import in_rooms, memory, page, passes, quality, results, rooms, threshold
from bench.subjects import VICTIMS, WORDS, Subject, subjects
from mondegreen.air.rooms.cached import default_bank
from mondegreen.attacks.setup import Setup
from mondegreen.options import Options
from mondegreen.victims import Victim, load_victim

PEERS = Path(__file__).with_name("work") / "peers"
QUICK_CLIPS, QUICK_BUDGET = 1, 250  # of a sample: the shortest clip, and passes at most


def main() -> None:
    options = parsed()
    torch.set_num_threads(1)
    for part in options.only:
        PARTS[part](options)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clips", type=Path, nargs="?", help="the table of clips")
    parser.add_argument("--full", action="store_true", help="measure everything, not a sample")
    parser.add_argument("--again", action="store_true", help="measure again what is already known")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--victim", nargs="+", choices=VICTIMS, default=list(VICTIMS))
    parser.add_argument(
        "--method", nargs="+", default=["combined"], help="methods of the part in-rooms"
    )
    parser.add_argument("--preset", nargs="+", choices=quality.PRESETS, default=quality.PRESETS)
    parser.add_argument(
        "--clip",
        nargs="+",
        default=[],
        help="clip ids (default: all; without --full, the shortest)",
    )
    parser.add_argument("--budgets", type=int, nargs="+", help="gradient passes")
    parser.add_argument("--turns", type=int, default=15, help="turns of each timing")
    parser.add_argument("--results", type=Path, default=results.PATH)
    parser.add_argument("--peers", type=Path, default=PEERS, help="folder with the peers' results")
    return parser.parse_args()


def measure_quality(options: argparse.Namespace) -> None:
    for victim, clips in victims(options):
        for preset in options.preset:
            budgets = options.budgets or budgets_of(preset, options.full)
            for clip in clips:
                known = partial(is_known, "quality", options)
                for row in quality.measured(victim, clip, preset, budgets, known):
                    keep("quality", row, options)


def score_peers(options: argparse.Namespace) -> None:
    for victim, clips in victims(options):
        known = partial(is_known, "quality", options)
        for row, where in quality.of_peers(victim, clips, options.peers, known):
            keep("quality", row, options, where)


def measure_in_rooms(options: argparse.Namespace) -> None:
    bank = default_bank(16_000)
    budget = (options.budgets or [in_rooms.BUDGET])[0]
    known = partial(is_known, "in_rooms", options)
    for victim, clips in victims(options):
        for method in options.method:
            for preset in (name for name in options.preset if name != quality.PLANNED):
                plan = Options(method=method, preset=preset, max_passes=budget)
                for clip in clips:
                    for row in in_rooms.measured(victim, clip, Setup(plan, bank), known):
                        keep("in_rooms", row, options)


def time_passes(options: argparse.Namespace) -> None:
    for name in options.victim:
        for row in passes.split(load_victim(name), options.turns):
            keep("passes", row, options)


def time_batches(options: argparse.Namespace) -> None:
    """On all cores: this measures what one machine gets done."""
    torch.set_num_threads(os.cpu_count() or 1)
    for name in options.victim:
        for row in passes.throughput(load_victim(name), max(3, options.turns // 3)):
            keep("batches", row, options)
    torch.set_num_threads(1)


def weigh(options: argparse.Namespace) -> None:
    for name in options.victim:
        for size in (1, 8):
            keep("memory", memory.peak(name, size), options)


def time_threshold(options: argparse.Namespace) -> None:
    for row in threshold.measure(turns=2 * options.turns + 1, twin_turns=3):
        keep("threshold", row, options)


def time_rooms(options: argparse.Namespace) -> None:
    for row in rooms.measure(load_victim(WORDS), turns=max(3, options.turns // 3)):
        keep("rooms", row, options)


def victims(options: argparse.Namespace) -> Iterator[tuple[Victim, list[Subject]]]:
    """Each victim asked for, and its clips; of a sample, the shortest.

    Raises:
        SystemExit: no table of clips was given, or it does not exist.
    """
    if options.clips is None or not options.clips.is_file():
        raise SystemExit(
            f"There is no table of clips {options.clips or ''}. Give one: python -m bench"
            " CLIPS.tsv, or make bench CLIPS=CLIPS.tsv."
        )
    for name in options.victim:
        clips = subjects(options.clips, name, options.clip)
        quick = not options.full and not options.clip and not options.budgets
        yield load_victim(name), clips[:QUICK_CLIPS] if quick else clips


def budgets_of(preset: str, full: bool) -> list[int]:
    every = quality.CURVE if preset == "paper" else quality.BUDGETS
    return [budget for budget in every if full or budget <= QUICK_BUDGET]


def is_known(part: str, options: argparse.Namespace, head: results.Row) -> bool:
    """Whether there is a row with the same settings, and --again is not given."""
    wanted = {field: head[field] for field in (*results.KEYS[part], "settings")}
    return not options.again and bool(results.find(results.read(options.results), part, **wanted))


def keep(
    part: str, row: results.Row, options: argparse.Namespace, where: results.Row | None = None
) -> None:
    results.add(part, row, options.results, where)
    print(part, *(f"{name}={value}" for name, value in row.items()), flush=True)


PARTS: Mapping[str, Callable[[argparse.Namespace], Any]] = {
    "quality": measure_quality,
    "peers": score_peers,
    "in-rooms": measure_in_rooms,
    "passes": time_passes,
    "batches": time_batches,
    "memory": weigh,
    "threshold": time_threshold,
    "rooms": time_rooms,
    "page": lambda options: page.write(options.results),
}

if __name__ == "__main__":
    main()
