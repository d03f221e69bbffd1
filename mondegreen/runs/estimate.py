"""What a run will cost, before it is begun: measured on one clip, and extrapolated to all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Final

import torch

from mondegreen.attacks.attack import Attack
from mondegreen.attacks.clip import prepare
from mondegreen.attacks.recording import Recording
from mondegreen.attacks.setup import Setup
from mondegreen.errors import OptionError
from mondegreen.processors import processors
from mondegreen.runs.config import RunConfig
from mondegreen.runs.engines.base import worker_devices, worker_threads
from mondegreen.runs.plan import Row, choose_clips, make_rows
from mondegreen.victims import load_victim
from mondegreen.victims.near import EVERY

STEPS: Final = 1 + EVERY  # that are timed; after the first, one hears the sound whole
OnWork = Callable[[str, int, int], object]  # what is being done, how much is done, of how much


@dataclass(frozen=True)
class Estimate:
    """What a run will cost, if time and bytes grow with the length of a clip."""

    clips: int
    cannot_be_attacked: int  # of the clips, as far as their recordings tell
    passes: int  # gradient passes at most, of all clips
    measured_on: str  # the id of a clip of median length
    seconds_a_pass: float  # of that clip
    seconds_after: float  # to prove and measure it
    workers: int
    hours: float  # on so many workers
    bytes: int  # of all items


def estimate(config: RunConfig, on_work: OnWork = lambda *_: None) -> Estimate:
    """Look at all clips, and attack one for a few steps.

    Ctrl-C ends it without an estimate, wherever it comes.

    Raises:
        OptionError: no clip can be attacked.
        MondegreenError: the clips, the recogniser or the rooms are not available.
    """
    with TemporaryDirectory(prefix="mondegreen-") as folder:
        rows = make_rows(
            choose_clips(config, Path(folder)),
            on_file=lambda done, total: on_work("reading recordings", done, total),
        )
        return _measured(config, rows, Path(folder), on_work)


def _measured(config: RunConfig, rows: list[Row], folder: Path, on_work: OnWork) -> Estimate:
    possible = sorted((row for row in rows if row.problem is None), key=lambda row: row.lasts)
    if not possible:
        raise OptionError(f"No clip of {config.clips} can be attacked: {rows[0].problem}")
    chosen = possible[len(possible) // 2]
    torch.set_num_threads(worker_threads(config))
    on_work("loading the recogniser", 0, 1)
    victim = load_victim(config.victim, device=config.device, dtype=getattr(torch, config.dtype))
    on_work("loading the recogniser", 1, 1)
    setup = Setup.of(
        config.options,
        victim.sample_rate,
        config.rooms,
        config.air,
        lambda done, total: on_work("making rooms", done, total),
    )
    recording = Recording(chosen.audio, chosen.passage)
    clips = prepare(victim, [recording], [chosen.target], setup.options, texts=[chosen.text])
    attack = Attack(victim, clips, setup)
    first, *more = _timed(attack, on_work)
    seconds = fmean(more or [first])  # the first step also warms up
    began = time.monotonic()
    result = attack.conclude(0).measured(setup.rooms)
    if result.record.interrupted:
        raise KeyboardInterrupt  # which the attack has taken for its end: less than all was timed
    after = time.monotonic() - began
    (folder / "item").mkdir()
    result.write(folder / "item")
    size = sum(path.stat().st_size for path in (folder / "item").iterdir())
    long = sum(row.lasts for row in possible) / chosen.lasts  # in lengths of that clip
    devices = [str(victim.device)]
    if victim.device.type == "cuda" and config.device in ("auto", "cuda"):
        devices = [f"cuda:{n}" for n in range(torch.cuda.device_count())]
    workers = len(worker_devices(config, devices, len(possible), processors()))
    return Estimate(
        clips=len(rows),
        cannot_be_attacked=len(rows) - len(possible),
        passes=attack.passes * len(possible),
        measured_on=chosen.id,
        seconds_a_pass=seconds,
        seconds_after=after,
        workers=workers,
        hours=long * (attack.passes * seconds + after) / workers / 3600,
        bytes=round(long * size),
    )


def _timed(attack: Attack, on_work: OnWork) -> Iterator[float]:
    """Seconds a gradient pass, of a few steps."""
    before = time.monotonic()
    for done, progress in enumerate(islice(attack.run(), STEPS), 1):
        now = time.monotonic()
        yield (now - before) / progress.passes
        before = now
        on_work("timing passes", done, STEPS)
