"""Quality of presets and peers after a number of gradient passes, from saved 16-bit files.

`score_file` scores every file, also one that another package made.

`paper, planned` is `paper` with its stages shortened in proportion, as a user with a budget might
do. Budgets whose stages begin alike share a run, whose best so far is proved at each of them. What
was measured with the same stages and target is not measured again.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from bench.results import Row
from bench.subjects import Subject
from mondegreen.attacks.attack import Attack
from mondegreen.attacks.clip import prepare
from mondegreen.attacks.proof import prove, verify
from mondegreen.attacks.setup import Setup
from mondegreen.audio.batch import quantise
from mondegreen.audio.pcm import ADVERSARIAL_MARK, load, save
from mondegreen.files import key_of
from mondegreen.measures.quality import measure
from mondegreen.options import Options
from mondegreen.search.presets import PRESETS as STAGES
from mondegreen.search.presets import Stages, within
from mondegreen.search.stage import Schedule, Stage
from mondegreen.victims import Victim
from mondegreen.victims.near import whole_every

METHOD: Final = "imperceptible"
PLANNED = "paper, planned"
BUDGETS: Final[Mapping[str, tuple[int, ...]]] = {  # gradient passes
    "fast": (100, 200, 500),
    "paper": (5000,),
    PLANNED: (500,),
}

Known = Callable[[Row], bool]  # whether there is a row with these key fields and settings


def score_file(victim: Victim, clean: NDArray[np.float32], path: Path, target: str) -> Row:
    """What a saved file proves, and its quality, as a flat row.

    Args:
        victim: hears the file.
        clean: the clip `[T]`, 16-bit samples at the victim's rate.
        path: the saved file.
        target: the phrase.

    Raises:
        AudioError: it cannot be read, or is not as long as the clip.
    """
    proof = verify(path, victim, target)
    quality = measure(clean, load(path, victim.sample_rate), victim.sample_rate)
    return {
        "verified": proof.matched,
        "heard": proof.transcript,
        "pesq": quality.pesq,
        "pesq_c2": quality.pesq_c2,
        "zimtohrli": quality.zimtohrli,
        "zimtohrli_mos": quality.zimtohrli_mos,
        "masking_loss": quality.masking.loss,
        "temporal_loss": quality.temporal.loss if quality.temporal else None,
        "share_above": quality.masking.share_above,
        "mean_excess_db": quality.masking.mean_excess_db,
        "max_excess_db": quality.masking.max_excess_db,
        "stoi": quality.stoi,
        "snr_db": quality.snr_db,
        "max_abs": quality.max_abs,
    }


def score_sound(
    victim: Victim, clean: NDArray[np.float32], adversarial: NDArray[np.float32], target: str
) -> Row:
    """Save samples [T] to a file, and score that."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adversarial.wav"
        save(path, adversarial, victim.sample_rate, comment=ADVERSARIAL_MARK)
        return score_file(victim, clean, path, target)


def measured(
    victim: Victim, subject: Subject, preset: str, budgets: Sequence[int], known: Known
) -> Iterator[Row]:
    """A clip's rows at the budgets that are not known yet."""
    plans = {budget: _head(victim, subject, preset, budget) for budget in budgets}
    missing = [budget for budget in sorted(plans) if not known(plans[budget])]
    for run in runs({budget: stages_for(preset, budget) for budget in missing}):
        for budget, found in _proved(victim, subject, preset, run):
            yield plans[budget] | found


def runs(plans: Mapping[int, Stages]) -> list[list[int]]:
    """Budgets, rising, in groups that one run can serve: it begins as the smaller ones do."""
    found: list[list[int]] = []
    for budget in sorted(plans, reverse=True):
        for run in found:
            if _begins(plans[budget], plans[run[-1]]):
                run.insert(0, budget)
                break
        else:
            found.append([budget])
    return found


def _begins(short: Stages, long: Stages) -> bool:
    """Whether `short` is `long` stopped early."""
    *done, last = short
    whole = long[len(done)] if len(done) < len(long) else None
    if whole is None or tuple(done) != long[: len(done)]:
        return False
    return replace(whole, steps=last.steps) == last and all(
        here.at(step, last.steps) == there.at(step, whole.steps)
        for here, there in zip(_schedules(last), _schedules(whole), strict=True)
        for step in range(last.steps)
    )


def _schedules(stage: Stage) -> list[Schedule]:
    return [stage.rate, *([stage.weighting.shrink] if stage.weighting else [])]


def stages_for(preset: str, budget: int) -> Stages:
    """The stages that are run for a budget."""
    stages = STAGES[METHOD][_options(preset).preset]
    if preset == PLANNED:
        stages = tuple(replace(stage, planned=True) for stage in stages)
    return within(stages, budget)


def _options(preset: str) -> Options:
    return Options(method=METHOD, preset="fast" if preset == "fast" else "paper")


def _head(victim: Victim, subject: Subject, preset: str, budget: int) -> Row:
    return {
        "victim": victim.name,
        "preset": preset,
        "clip": subject.clip,
        "budget": budget,
        "target": subject.target,
        "settings": settings_of(
            stages_for(preset, budget), subject.target, whole_every(victim, _options(preset))
        ),
    }


def _proved(
    victim: Victim, subject: Subject, preset: str, budgets: Sequence[int]
) -> Iterator[tuple[int, Row]]:
    """Search, and at each budget prove the best so far, as `attack` proves its result."""
    setup = Setup(_options(preset))
    (clip,) = prepare(victim, [subject.path], [subject.target], setup.options)
    attack = Attack(victim, [clip], setup)
    attack.stages = stages_for(preset, budgets[-1])
    (trajectory,) = attack.search.trajectories
    left, seconds, began = list(budgets), 0.0, time.process_time()

    def row() -> Row:
        proven = prove(victim, clip, trajectory, setup, lambda *_: None)
        return {
            "passes": trajectory.passes,
            "first_match": trajectory.first_match,
            "found_at": proven.candidate.passes if proven.candidate else None,
            **score_sound(victim, clip.clean.numpy(), proven.adversarial, clip.target),
            "cpu_seconds": round(seconds, 1),
        }

    for _ in attack.run() if left else ():
        if trajectory.passes >= left[0]:
            seconds += time.process_time() - began
            yield left.pop(0), row()
            began = time.process_time()  # without proving and measuring
        if not left:
            return
    seconds += time.process_time() - began
    for budget in left:  # the search ended before them
        yield budget, row()


def of_peers(
    victim: Victim, subjects: Sequence[Subject], folder: Path, known: Known
) -> Iterator[tuple[Row, Row]]:
    """Score the runs of `bench/peers` in a folder: rows, and where each run was made."""
    path, clips = folder / "runs.jsonl", {subject.clip: subject for subject in subjects}
    runs = path.read_text("utf-8").splitlines() if path.exists() else []
    for run in map(json.loads, runs):
        head = {
            "victim": run["victim"],
            "preset": run["row"],
            "clip": run["clip"],
            "budget": run["budget"],
            "target": run["target"],
            "settings": key_of({"peer": run})[:16],
        }
        if run["victim"] != victim.name or run["clip"] not in clips or known(head):
            continue
        clean = quantise(torch.from_numpy(load(clips[run["clip"]].path, victim.sample_rate)))
        cost = {
            "passes": run["gradient_passes"],
            "forward_passes": run["forward_passes"],
            "cpu_seconds": run["cpu_seconds"],
            "date": run["finished"][:10],
        }
        scored = score_file(victim, clean.numpy(), folder / run["file"], run["target"])
        where = {
            "processor": run["machine"],
            "threads": run["threads"],
            "versions": run["versions"],
        }
        yield head | cost | scored, where


def settings_of(stages: Stages, target: str, whole_every: int = 1) -> str:
    """A hash of how a row was made: the target, and the stages' numbers that are not defaults.

    It does not depend on whether the number of steps was planned. Every how many steps sounds are
    heard whole counts where some are not.
    """
    fixed = tuple(replace(stage, planned=False) for stage in stages)
    made = {"stages": described(fixed), "target": target}
    return key_of(made | ({"whole": whole_every} if whole_every > 1 else {}))[:16]


def described(value: object) -> Any:
    """Dataclasses as plain data, without default values, so that new fields change nothing."""
    if isinstance(value, tuple | list):
        return [described(one) for one in value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    told = {f.name: getattr(value, f.name) for f in fields(value)}
    default = {f.name: _default(f) for f in fields(value)}
    kept = {name: described(told[name]) for name in told if told[name] != default[name]}
    return {"is": type(value).__name__, **kept}


def _default(field: Any) -> object:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default
