"""What a pass of the attack costs over the recogniser's own gradient pass.

    python bench/overhead.py --threads 1 --passes 8

Takes turns: one bare gradient pass of the victim, one pass of stage 1, one of stage 2, again and
again, on clips of unequal length; prints the median of each and the ratio to the bare pass. Time is
the processor's, not the wall's, so that other work on the machine blurs it less.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

import torch

from mondegreen.attacks.loop import Search
from mondegreen.attacks.presets import preset
from mondegreen.audio import load, pad, quantise
from mondegreen.psychoacoustics import masking_threshold
from mondegreen.victims import Victim, load_victim
from mondegreen.victims.embedded import bundled

TARGET = "Everyone can hear what nobody ever said."
SECONDS = (9.0, 8.0, 7.0, 6.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--passes", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    victim = load_victim()
    for size in (1, 4):
        row = {"batch": size, "threads": options.threads, "torch": version("torch")}
        print(json.dumps(row | measured(victim, size, options.passes)), flush=True)


def measured(victim: Victim, size: int, passes: int) -> dict[str, float]:
    """Median seconds of each kind of pass, and their ratios to the bare one."""
    recording = quantise(torch.from_numpy(load(bundled.asset(bundled.RECORDING), 16_000)))
    clips = [recording[: int(s * victim.sample_rate)].to(victim.device) for s in SECONDS[:size]]
    kinds = {"bare": bare(victim, clips)}
    for name, stage in zip(("stage_1", "stage_2"), preset("imperceptible", "paper"), strict=True):
        audio, lengths = pad(clips)
        threshold = masking_threshold(audio, lengths, victim.sample_rate)
        tokens = [victim.encode(TARGET, len(clip)) for clip in clips]
        run = Search(victim, clips, tokens, threshold).run([stage])
        kinds[name] = lambda run=run: next(run)
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(passes + 1):
        for name, step in kinds.items():
            before = time.process_time()
            step()
            if turn:  # the first turn warms up
                seconds[name].append(time.process_time() - before)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = {f"{name}_ratio": medians[name] / medians["bare"] for name in medians}
    return {name: round(value, 4) for name, value in (medians | ratios).items()}


def bare(victim: Victim, clips: list[torch.Tensor]) -> Callable[[], object]:
    """A forward and a backward pass of the recogniser, and nothing else."""
    audio, lengths = pad(clips)
    tokens = [victim.encode(TARGET, len(clip)) for clip in clips]

    def step() -> object:
        heard = audio.clone().requires_grad_()
        loss = victim.score(heard, lengths, tokens).loss
        return torch.autograd.grad(loss.sum(), heard)

    return step


if __name__ == "__main__":
    main()
