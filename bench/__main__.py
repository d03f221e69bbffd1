"""Measure, merge into `bench/results.json`, and write `docs/benchmarks.md` from it.

    python -m bench A.tsv B.tsv              # a sample
    python -m bench A.tsv B.tsv --full       # everything, in hours; run it again to resume
    python -m bench A.tsv B.tsv --full --only quality --preset fast --victim moonshine-tiny
    python -m bench --only page              # only the page

Tables of clips have the columns id, audio (relative to the table) and target; two recordings in the
recogniser's wheel are always there. Whisper tiny.en is in the folder MONDEGREEN_WHISPER. Which
clips `fast` is found on and which it is judged on stands in `bench/subjects.py`. Parts are measured
in one process with one thread, unless they say otherwise. Several processes may run at once and
merge their results, but timings should run alone. Quality that was measured with the same stages
and target is kept, unless --again is given.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch

from bench import in_rooms, memory, page, passes, quality, results, rooms, threshold
from bench.subjects import SETS, VICTIMS, WHISPER, WORDS, Subject, loaded, subjects
from mondegreen.attacks.setup import Setup
from mondegreen.options import Options
from mondegreen.victims import Victim

PEERS = Path(__file__).with_name("work") / "peers"
QUICK_CLIPS, QUICK_BUDGET = 1, 500  # of a sample: the shortest clip, and passes at most


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
    parser.add_argument("tables", type=Path, nargs="*", help="tables of clips")
    parser.add_argument("--full", action="store_true", help="measure everything, not a sample")
    parser.add_argument("--again", action="store_true", help="measure again what is already known")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--victim", nargs="+", choices=(*VICTIMS, WHISPER), default=list(VICTIMS))
    parser.add_argument(
        "--method", nargs="+", default=["combined"], help="methods of the part in-rooms"
    )
    parser.add_argument("--air", nargs="+", default=["paper"], help="airs of the part in-rooms")
    parser.add_argument(
        "--preset", nargs="+", choices=quality.BUDGETS, default=list(quality.BUDGETS)
    )
    parser.add_argument(
        "--set",
        nargs="+",
        choices=SETS,
        default=list(SETS),
        help="clips to find on, or to judge on",
    )
    parser.add_argument(
        "--clip",
        nargs="+",
        default=[],
        help="clip ids (default: all of the sets; without --full, the shortest)",
    )
    parser.add_argument("--budgets", type=int, nargs="+", help="gradient passes")
    parser.add_argument("--turns", type=int, default=15, help="turns of each timing")
    parser.add_argument("--results", type=Path, default=results.PATH)
    parser.add_argument("--peers", type=Path, default=PEERS, help="folder with the peers' results")
    return parser.parse_args()


def measure_quality(options: argparse.Namespace) -> None:
    for victim, clips in victims(options):
        for preset in options.preset:
            every = quality.BUDGETS[preset]
            budgets = options.budgets or [b for b in every if options.full or b <= QUICK_BUDGET]
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
    known = partial(is_known, "in_rooms", options)
    for victim, clips in victims(options):
        for method, preset, air in product(options.method, options.preset, options.air):
            if preset == quality.PLANNED:
                continue
            own = in_rooms.PAPER_BUDGET if preset == "paper" else None
            plan = Options(method=method, preset=preset, max_passes=(options.budgets or [own])[0])
            setup = Setup.of(plan, victim.sample_rate, air=air)
            for clip in clips:
                for row in in_rooms.measured(victim, clip, setup, air, known):
                    keep("in_rooms", row, options)


def time_passes(options: argparse.Namespace) -> None:
    for name in options.victim:
        for row in passes.split(loaded(name), options.turns):
            keep("passes", row, options)


def time_batches(options: argparse.Namespace) -> None:
    """On all cores: this measures what one machine gets done."""
    torch.set_num_threads(os.cpu_count() or 1)
    for name in options.victim:
        for row in passes.throughput(loaded(name), max(3, options.turns // 3)):
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
    for row in rooms.measure(loaded(WORDS), turns=max(3, options.turns // 3)):
        keep("rooms", row, options)


def victims(options: argparse.Namespace) -> Iterator[tuple[Victim, list[Subject]]]:
    """Each victim asked for, and its clips; of a sample, the shortest.

    Raises:
        SystemExit: a table of clips does not exist.
    """
    for table in options.tables:
        if not table.is_file():
            raise SystemExit(
                f"There is no table of clips {table}. Name those there are: python -m bench A.tsv"
                " B.tsv, or make bench CLIPS='A.tsv B.tsv'."
            )
    asked = options.clip or [clip for name in options.set for clip in SETS[name]]
    quick = not options.full and not options.clip and not options.budgets
    for name in options.victim:
        clips = [one for one in subjects(options.tables, name, options.clip) if one.clip in asked]
        yield loaded(name), clips[:QUICK_CLIPS] if quick else clips


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
