"""Where the time of a pass goes, and what a batch saves.

A pass of the attack and the recogniser's own forward and backward pass take turns; their ratio is
the overhead. Its parts are timed separately: the masking loss and the rooms alone, and the loop
with a recogniser that takes no time. Bookkeeping is the loop's time in `BOOKKEEPING`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from bench.clock import Seconds, in_turns, median, ratio, rounded
from bench.results import Row
from bench.rooms import exponential_rooms
from bench.subjects import LETTERS
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.air.transformations import Rooms
from mondegreen.audio.batch import pad, quantise
from mondegreen.audio.pcm import load
from mondegreen.options import Options
from mondegreen.psychoacoustics.excess import masking_loss
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.search.loop import Search
from mondegreen.search.presets import PRESETS, stages_for
from mondegreen.search.scoring import at_once
from mondegreen.search.stage import Stage
from mondegreen.victims import Victim
from mondegreen.victims.base import Score
from mondegreen.victims.embedded import bundled
from mondegreen.victims.near import EVERY, follows

TARGETS = {LETTERS: "send the money"}  # as in the rest of the benchmark
TARGET = "Everyone can hear what nobody ever said."
SIZES = (1, 2, 4, 8)
SECONDS = 10.0
ROOM_SECONDS = 0.5
NEAR_SECONDS = 3.0
BOOKKEEPING = ("_keep", "_count")  # methods of `Search`: best so far, counters and curve

Kind = Callable[[], object]


@dataclass
class Instant:
    """A recogniser that takes no time: its loss is the sum of the samples."""

    victim: Victim

    def __getattr__(self, name: str) -> Any:
        return getattr(self.victim, name)

    def score(self, audio: Tensor, _lengths: Tensor, _targets: Sequence[Tensor]) -> Score:
        return Score(audio.sum(1), torch.zeros(len(audio), dtype=torch.bool))


@dataclass
class Split:
    """Total seconds in some methods of the search."""

    seconds: float = 0.0
    patched: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Split:
        for name in BOOKKEEPING:
            timed = partial(self._timed, getattr(Search, name))
            method = lambda search, *given, timed=timed: timed(search, *given)  # noqa: E731
            self.patched.enter_context(patch.object(Search, name, method))
        return self

    def __exit__(self, *_: object) -> None:
        self.patched.close()

    def _timed(self, method: Callable[..., object], *given: object) -> object:
        before = time.process_time()
        try:
            return method(*given)
        finally:
            self.seconds += time.process_time() - before


def recordings(size: int, sample_rate: int) -> list[Tensor]:
    """Clips of ten seconds: rotations of one recording."""
    speech = quantise(torch.from_numpy(load(bundled.asset(bundled.RECORDING), sample_rate)))
    samples = int(SECONDS * sample_rate)
    speech = speech.repeat(2)[:samples]
    return [speech.roll(number * samples // 16) for number in range(size)]


def bare(victim: Victim, clips: list[Tensor], draws: int = 1, *, backward: bool = True) -> Kind:
    """Passes of the recogniser alone, over `draws` copies of each clip.

    Its batches are as large as in an attack, so that only the attack's own work differs.
    """
    audio, lengths = pad([clip.to(victim.device, victim.dtype) for clip in clips])
    tokens = [target(victim, clip) for clip in clips]
    counts = [count for _, count in at_once(0, draws, audio)]

    def heard() -> None:
        for count in counts:
            rows = audio.repeat(count, 1).requires_grad_()
            score = victim.score(rows, lengths.repeat(count), tokens * count)
            if backward:
                torch.autograd.grad(score.loss.sum(), rows)

    return heard


def steps(victim: Victim, clips: list[Tensor], stage: Stage, whole_every: int = 1) -> Kind:
    """The steps of a stage, one per call."""
    here = [clip.to(victim.device, victim.dtype) for clip in clips]
    threshold = masking_threshold(*pad(here), victim.sample_rate)
    tokens = [target(victim, clip) for clip in clips]
    search = Search(victim, here, tokens, threshold, whole_every=whole_every)
    return partial(next, search.run([stage]))


def target(victim: Victim, clip: Tensor) -> Tensor:
    return victim.encode(TARGETS.get(victim.name, TARGET), len(clip))


def split(victim: Victim, turns: int) -> Iterator[Row]:
    """Stage 1, stage 2, and a step in ten rooms, each compared with the recogniser alone."""
    clips = recordings(1, victim.sample_rate)
    norm, masked = PRESETS["imperceptible"]["paper"]
    yield _row(victim, "stage 1", clips, norm, turns)
    yield _row(victim, "stage 2", clips, masked, turns)
    paper = Options(method="combined", preset="paper")
    _, _, in_rooms, _ = stages_for(paper, (Rooms(_reverb(victim)),))
    yield _row(victim, "ten rooms", clips, in_rooms, max(3, turns // 3))
    if follows(victim):
        yield near(victim, turns)


def near(victim: Victim, turns: int) -> Row:
    """A pass of `fast` on a clip of three seconds, where most are near passes, likewise."""
    clips = [recordings(1, victim.sample_rate)[0][: int(NEAR_SECONDS * victim.sample_rate)]]
    stage = replace(PRESETS["imperceptible"]["fast"][0], steps=EVERY * (turns + 1))
    step = steps(victim, clips, stage, EVERY)
    kinds: dict[str, Kind] = {
        "forward": bare(victim, clips, backward=False),
        "bare": bare(victim, clips),
        "pass": lambda: [step() for _ in range(EVERY)],
    }
    seconds = dict(in_turns(kinds, turns))
    seconds["pass"] = [together / EVERY for together in seconds["pass"]]
    forward, whole = median(seconds["forward"]), median(seconds["bare"])
    return {
        "victim": victim.name,
        "kind": "near passes, three seconds",
        **ratio(seconds, "pass", "bare"),
        "parts": rounded(forward=forward, backward=whole - forward),
    }


def _reverb(victim: Victim) -> Reverb:
    return Reverb(exponential_rooms(20, ROOM_SECONDS, victim.sample_rate))


def _row(victim: Victim, kind: str, clips: list[Tensor], stage: Stage, turns: int) -> Row:
    draws = stage.over.draws
    seconds = in_turns(
        {
            "forward": bare(victim, clips, draws, backward=False),
            "bare": bare(victim, clips, draws),
            "pass": steps(victim, clips, stage),
        },
        turns,
    )
    forward, whole = median(seconds["forward"]), median(seconds["bare"])
    return {
        "victim": victim.name,
        "kind": kind,
        **ratio(seconds, "pass", "bare"),
        "parts": rounded(
            forward=forward,
            backward=whole - forward,
            **_own(victim, clips, stage, 3 * turns),
        ),
    }


def _own(victim: Victim, clips: list[Tensor], stage: Stage, turns: int) -> dict[str, float]:
    """Seconds of the parts of a step that are not the recogniser's."""
    kinds: dict[str, Kind] = {"loop": steps(Instant(victim), clips, stage)}
    if stage.masking:
        kinds["masking"] = masking(victim, clips)
    if stage.over.of:
        kinds["rooms"] = rooms(victim, clips, stage)
    with Split() as bookkeeping:
        seconds: Seconds = in_turns(kinds, turns)
    medians = {name: median(values) for name, values in seconds.items()}
    noted = bookkeeping.seconds / (turns + 1)
    others = sum(value for name, value in medians.items() if name != "loop")
    return medians | {"loop": max(0.0, medians["loop"] - others - noted), "bookkeeping": noted}


def masking(victim: Victim, clips: list[Tensor]) -> Kind:
    """Only the masking loss and its gradient."""
    audio, lengths = pad(clips)
    threshold = masking_threshold(audio, lengths, victim.sample_rate)
    delta = 1e-3 * torch.randn(audio.shape, generator=torch.Generator().manual_seed(0))

    def work() -> object:
        moving = delta.clone().requires_grad_()
        return torch.autograd.grad(masking_loss(moving, threshold).sum(), moving)

    return work


def rooms(victim: Victim, clips: list[Tensor], stage: Stage) -> Kind:
    """Only the rooms of a step, forward and backward."""
    audio, lengths = pad(clips)
    reverb, index = _reverb(victim), torch.arange(stage.over.draws).expand(len(clips), -1)

    def work() -> object:
        heard = audio.clone()[:, None].requires_grad_()
        return torch.autograd.grad(reverb(heard, lengths, index).sum(), heard)

    return work


def throughput(victim: Victim, turns: int, sizes: Sequence[int] = SIZES) -> Iterator[Row]:
    """Passes of stage 2 on batches, in wall time and processor time, compared with one clip."""
    (_, stage) = PRESETS["imperceptible"]["paper"]
    clips = recordings(max(sizes), victim.sample_rate)
    kinds = {str(size): steps(victim, clips[:size], stage) for size in sizes}
    taken = in_turns(kinds, turns, lambda: np.array([time.perf_counter(), time.process_time()]))
    both = np.array([taken[name] for name in kinds]).transpose(2, 0, 1).tolist()
    clocks = {
        name: dict(zip(kinds, seconds, strict=True))
        for name, seconds in zip(("wall", "processor"), both, strict=True)
    }
    for size in sizes:
        row: Row = {"victim": victim.name, "size": size}
        for name, seconds in clocks.items():
            over = ratio(seconds, str(size), "1")
            per_clip = {k: v / size for k, v in over.items() if k.startswith("ratio")}
            row[name] = rounded(seconds_per_clip=over["seconds"] / size, **per_clip)
        yield row
