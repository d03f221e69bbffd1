"""Which recognisers hear the target of an example that was made on another.

    python bench/transfer.py attack CLIPS --victim moonshine-tiny-ctc --preset fast --work DIR
    python bench/transfer.py hear DIR --with pocketsphinx > bench/transfer/results.jsonl
    python bench/transfer.py table bench/transfer/results.jsonl

CLIPS is a folder with a `clips.tsv` (columns: id, audio, text). The targets, in TARGETS, are short.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
from collections import defaultdict
from pathlib import Path

import torch

import mondegreen as mg
from mondegreen.measures.transfer import transfer
from mondegreen.results.item import read_item

TARGETS = {
    "3575-170457-0013": "open the front door",
    "2961-960-0020": "turn off the alarm",
    "8224-274381-0007": "good morning",
    "61-70968-0011": "call me later",
    "5142-36377-0007": "send the money",
}
EARS = ("moonshine-tiny", "moonshine-tiny-int8", "moonshine-tiny-ctc")


def attack(arguments: argparse.Namespace) -> None:
    victim = mg.load_victim(arguments.victim)
    budget = f"-{arguments.max_passes}" if arguments.max_passes else ""
    for row in clips(arguments.clips):
        folder = arguments.work / f"{arguments.victim}, {arguments.preset}{budget}" / row["id"]
        if folder.exists():
            continue
        result = mg.attack(
            victim,
            arguments.clips / row["audio"],
            TARGETS[row["id"]],
            preset=arguments.preset,
            max_passes=arguments.max_passes,
        )
        result.save(folder)
        print(row["id"], result.verified, result.record.quality, flush=True)


def clips(folder: Path) -> list[dict[str, str]]:
    with (folder / "clips.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def hear(arguments: argparse.Namespace) -> None:
    ears = [mg.load_recogniser(name) for name in (*EARS, *arguments.others)]
    for path in sorted(arguments.work.glob("*/*/record.json")):
        item = read_item(path)
        record = item.record
        phrases = record.aim
        for ear in ears:
            heard = transfer(ear, item.adversarial, item.clean, record.sample_rate, phrases)
            assert heard.clean is not None, "an item has its clean clip"
            row = {
                "made on": path.parts[-3],
                "clip": path.parts[-2],
                "target": record.target,
                "verified": record.verified,
                "passes": record.passes,
                "snr_db": record.quality.snr_db,
                "pesq": record.quality.pesq,
                "masking": record.quality.masking.loss,
                "ear": ear.name,
                "heard": heard.sound.transcript,
                "matched": heard.sound.matched,
                "clean": heard.clean.transcript,
            }
            print(json.dumps(row), flush=True)


def table(arguments: argparse.Namespace) -> None:
    rows = [json.loads(line) for line in arguments.results.read_text().splitlines()]
    groups: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in rows:
        groups[row["made on"]].append(row)
    ears = list(dict.fromkeys(row["ear"] for row in rows))
    print("| made on | verified | PESQ | masking loss | " + " | ".join(ears) + " |")
    print("|---" * (4 + len(ears)) + "|")
    for made_on, group in groups.items():
        items = {row["clip"]: row for row in group}.values()
        counts = [sum(bool(r["matched"]) for r in group if r["ear"] == ear) for ear in ears]
        cells = [
            made_on,
            f"{sum(bool(r['verified']) for r in items)} of {len(items)}",
            f"{statistics.median(float(str(r['pesq'])) for r in items):.2f}",
            f"{statistics.median(float(str(r['masking'])) for r in items):.1f}",
            *(f"{count} of {len(items)}" for count in counts),
        ]
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("attack")
    one.add_argument("clips", type=Path)
    one.add_argument("--victim", default="moonshine-tiny-ctc")
    one.add_argument("--preset", default="fast")
    one.add_argument("--max-passes", type=int)
    one.add_argument("--work", type=Path, required=True)
    one.set_defaults(run=attack)
    two = commands.add_parser("hear")
    two.add_argument("work", type=Path)
    two.add_argument("--with", dest="others", action="append", default=[])
    two.set_defaults(run=hear)
    three = commands.add_parser("table")
    three.add_argument("results", type=Path)
    three.set_defaults(run=table)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
