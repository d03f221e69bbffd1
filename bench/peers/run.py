"""Peers on our victims, clips and targets, at given budgets of gradient passes.

    bench/peers/run.sh A.tsv B.tsv --victim moonshine-tiny-ctc --set judge

The shortest clip comes first. Every run leaves a 16-bit wav below the work folder and a line in its
`runs.jsonl`; what is there is not run again. Nothing is scored here: `bench.quality` scores
everyone's files by the same code. See `README.md` beside this file.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.peers import with_art, with_asr_attacks
from bench.peers.counted import Counted, OutOfTimeError, Task, gradient, matched
from bench.subjects import JUDGE, LETTERS, SETS, WORDS, Subject, subjects
from mondegreen.audio.batch import quantise
from mondegreen.audio.pcm import ADVERSARIAL_MARK, load, save
from mondegreen.text import as_sentence, matches
from mondegreen.victims import Victim, load_victim

WORK = Path(__file__).parents[1] / "work" / "peers"
PEERS: Mapping[str, tuple[Any, ...]] = {
    LETTERS: (with_asr_attacks, with_art),
    WORDS: (with_art,),  # asr-attacks knows no loss but CTC's
}
STAGE_1 = 1 / 5  # of a budget, as the paper's 1,000 of 5,000
LEAST = 100  # passes: as many as `fast` takes; with fewer, most clips are lost in stage 1 already
PACKAGES = (
    "asr-attacks",
    "adversarial-robustness-toolbox",
    "librosa",
    "mondegreen",
    "numpy",
    "torch",
    "transformers",
)


def main() -> None:
    options = parsed()
    torch.set_num_threads(1)
    victim = load_victim(options.victim)
    chosen = subjects(options.tables, options.victim, options.clip or SETS[options.set])
    tasks = [task_of(subject, victim) for subject in chosen]
    for peer in PEERS[options.victim]:
        check(peer, victim, tasks[0])
    try:
        for budget in options.budgets:
            for task in tasks:
                for peer, row in wanted(options, budget, task):
                    run(peer, row, Counted(victim, task, options.until), budget, options.out)
    except OutOfTimeError:
        print("out of time; the same command goes on from the last finished run", flush=True)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "tables", type=Path, nargs="+", help="columns id, audio (relative to the table), target"
    )
    parser.add_argument("--victim", choices=PEERS, default=LETTERS)
    parser.add_argument("--budgets", type=int, nargs="+", default=[500])
    parser.add_argument("--set", choices=SETS, default=JUDGE, help="clips of `bench.subjects`")
    parser.add_argument("--clip", nargs="+", default=[], help="ids of clips; default: the set")
    parser.add_argument("--out", type=Path, default=WORK)
    parser.add_argument("--until", type=clock, default=float("inf"), help="HH:MM of today")
    return parser.parse_args()


def clock(text: str) -> float:
    """Seconds since the epoch of a time of today."""
    hour, minute = text.split(":")
    return datetime.now().replace(hour=int(hour), minute=int(minute)).timestamp()


def task_of(subject: Subject, victim: Victim) -> Task:
    """A clip as the victim is given it, and its target as the victim writes it."""
    clean = quantise(torch.from_numpy(load(subject.path, victim.sample_rate)))
    target = subject.target if victim.name == LETTERS else as_sentence(subject.target)
    return Task(subject.clip, clean, target)


def check(peer: Any, victim: Victim, task: Task) -> None:
    """Refuse to run a peer whose adapter does not give it the victim that everyone attacks.

    A run of a few steps then compiles what is compiled once, so that no run's time contains it.

    Raises:
        SystemExit: its gradient or what it hears is not the victim's own.
    """
    expected = gradient(victim, task)
    found = peer.gradient(Counted(victim, task))
    error = float((found - expected).norm() / expected.norm())
    if not error < 1e-5:
        raise SystemExit(f"{peer.__name__}: its gradient is {error:.1e} off the victim's; stop")
    text = victim.transcribe(task.clean)
    for target in (text, task.target):
        hears = matches(peer.heard(Counted(victim, task), task.clean), target, "default")
        if hears != matched(victim, task.clean, target):
            raise SystemExit(f"{peer.__name__}: hears {target!r} where the victim does not; stop")
    launched(peer, peer.ROWS[0], Counted(victim, task), 1, 1)
    print(f"{peer.__name__}: gradient equal to {error:.0e}, decode equal", flush=True)


def wanted(options: argparse.Namespace, budget: int, task: Task) -> Iterator[tuple[Any, str]]:
    """The peers and rows that have not been run; a run of asr-attacks gives both of its rows."""
    done = {
        tuple(line[key] for key in ("victim", "row", "budget", "clip"))
        for line in lines(options.out)
    }
    for peer in PEERS[options.victim]:
        rows = peer.ROWS[:1] if peer is with_asr_attacks else peer.ROWS
        for row in rows:
            if (options.victim, row, budget, task.clip) not in done:
                yield peer, row


def run(peer: Any, row: str, victim: Counted, budget: int, out: Path) -> None:
    """Run one peer at one budget on one clip, and write down what it left and what it cost."""
    stages = divided(budget)
    wall, cpu = time.monotonic(), time.process_time()
    found = launched(peer, row, victim, *stages)
    cost = {
        "gradient_passes": victim.gradients,
        "forward_passes": victim.forwards,
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "wall_seconds": round(time.monotonic() - wall, 2),
    }
    for name, audio in found.items():
        line = {
            "victim": victim.victim.name,
            "row": name,
            "budget": budget,
            "clip": victim.task.clip,
            "target": victim.task.target,
            "stages": stages,
            **cost,
            **left(name, audio, victim, budget, out),
            **circumstances(),
        }
        with (out / "runs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def divided(budget: int) -> tuple[int, int]:
    """Passes of the two stages; both peers want at least one of the second."""
    first = min(max(round(budget * STAGE_1), LEAST), budget - 1)
    return first, budget - first


def launched(peer: Any, row: str, victim: Counted, first: int, second: int) -> dict[str, Any]:
    """The adversarial audio [T] of a row, or of both where one run gives both."""
    if peer is with_asr_attacks:
        return with_asr_attacks.attack(victim, first, second)
    return {row: with_art.attack(row, victim, first, second)}


def left(row: str, audio: Any, victim: Counted, budget: int, out: Path) -> dict[str, Any]:
    """Save what a run found, and say where, and what the wav had to cut off it."""
    name = row.replace(", ", "-").replace(" ", "-")
    path = out / victim.victim.name / name / str(budget) / f"{victim.task.clip}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, audio, victim.victim.sample_rate, comment=ADVERSARIAL_MARK)
    clipped = int(np.sum((audio > 1 - 1 / 32768) | (audio < -1)))
    return {"file": str(path.relative_to(out)), "clipped_samples": clipped}


def lines(out: Path) -> list[dict[str, Any]]:
    path = out / "runs.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def circumstances() -> dict[str, Any]:
    return {
        "threads": torch.get_num_threads(),
        "machine": processor(),
        "versions": {name: version(name) for name in PACKAGES},
        "finished": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    found = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in found if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
