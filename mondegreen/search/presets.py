"""The attacks as data: section 4 of the supplement, and faster presets of our own.

`paper` has the supplement's numbers; `docs/departures.md` explains where it is silent. `fast` is
ours: the same threat model and measures, in far fewer gradient passes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import count

from mondegreen.air.transformations import Transformation
from mondegreen.audio.pcm import FULL_SCALE
from mondegreen.errors import OptionError
from mondegreen.files import key_of
from mondegreen.options import STARTS_FROM, Options
from mondegreen.search.stage import (
    Altogether,
    Ball,
    Decay,
    Elastic,
    Expectation,
    Masking,
    MaxNorm,
    Stage,
    Steps,
    Weighting,
    Widened,
)

_LSB = 1 / FULL_SCALE  # the supplement uses 16-bit units

Stages = tuple[Stage, ...]

# ---- 4.1: imperceptible, and its first stage alone

_PAPER_NORM = Stage(
    "minimise the norm",
    steps=1000,
    rate=Steps(((0, 100 * _LSB),)),
    sign=True,
    bound=MaxNorm(eps=2000 * _LSB, shrink=0.8, every=10),
)
_PAPER_MASKED = Stage(
    "minimise the perceptibility",
    steps=4000,
    rate=Steps(((0, 1 * _LSB), (3000, 0.1 * _LSB))),
    masking=Masking(alpha=0.05, up=1.2, up_every=20, down=0.8, down_every=50),
    keep="quietest",
)
_FAST_NORM = replace(_PAPER_NORM, steps=100, bound=MaxNorm(2000 * _LSB, shrink=0.8, every=1))
_FAST_NEAREST = Stage(
    "minimise the perceptibility",
    steps=400,
    rate=Decay(0.3, 0.06),
    betas=(0.0, 0.999),
    weighting=Weighting(exponent=0.5, masking=0.3, floor=0.3, shrink=Decay(0.1, 0.02)),
    edges=True,
    keep="quietest",
    planned=True,
)

# ---- with a bound: nowhere more than some dB above the threshold

_UNDER = Stage(
    "stay under the bound",
    steps=200,
    rate=Decay(0.5, 0.05),  # in shares of the room in each bin
    gentle=0.25,
    masking=Masking(alpha=1, up=1.05, up_every=1, down=1 / 1.05, down_every=1, log=True, guard=0.5),
    keep="quietest",
    enough=0.02,
    planned=True,
)

# ---- untargeted, within a ball: projected gradient descent, as benchmarks of recognisers use it

_PGD = Stage(
    "lose words in a ball",
    steps=50,
    rate=Decay(0.3, 0.05),
    betas=(0.5, 0.999),
    keep="most wrong",
    planned=True,
)

# ---- 4.2: robust

_PAPER_ROBUST = (
    Stage(
        "minimise the norm, in rooms",
        steps=2000,
        rate=Steps(((0, 50 * _LSB),)),
        sign=True,
        bound=MaxNorm(eps=2000 * _LSB, shrink=0.8, every=10),
        over=Expectation(draws=1, quorum=10, looks=10),
    ),
    Stage(
        "survive more rooms",
        steps=4000,
        rate=Steps(((0, 5 * _LSB),)),
        bound=Widened(by=300 * _LSB),
        over=Expectation(draws=10, quorum=1, looks=10),
        keep="most heard",
    ),
)

# Four rooms in one pass of the recogniser cost a third less than four passes.
_FAST_ROOMS = Expectation(draws=4, quorum=4, looks=4)

_FAST_ROBUST = Stage(
    "survive rooms",
    steps=450,
    rate=Decay(200 * _LSB, 10 * _LSB),
    sign=True,
    bound=Elastic(eps=2000 * _LSB, shrink=0.99, grow=1.09),  # settles at nine successes in ten
    over=_FAST_ROOMS,
    average=0.9,
    planned=True,
)

# ---- 4.3: imperceptible and robust

_PAPER_COMBINED = (
    Stage(
        "minimise the perceptibility, in rooms",
        steps=4000,
        rate=Steps(((0, 1 * _LSB),)),
        masking=Masking(alpha=0.01, up=2, up_every=20, down=0.5, down_every=50),
        over=Expectation(draws=10, quorum=4, looks=10),
        keep="quietest",
    ),
    Stage(
        "survive more rooms again",
        steps=6000,
        rate=Steps(((0, 1.5 * _LSB),)),
        masking=Masking(alpha=0.00005, up=1.2, up_every=20, down=1, down_every=50),
        over=Expectation(draws=10, quorum=8, looks=10),
        keep="quietest",
    ),
)

_FAST_COMBINED = (
    replace(_FAST_ROBUST, steps=200, rate=Decay(200 * _LSB, 20 * _LSB)),
    Stage(
        "minimise the perceptibility, in rooms",
        steps=300,
        rate=Decay(0.16, 0.024),
        betas=(0.9, 0.999),
        # settles at nine draws in ten
        weighting=Weighting(
            exponent=0.5, masking=0.3, floor=0.3, shrink=Altogether(6.5, most=0.1), grow=9
        ),
        edges=True,
        over=_FAST_ROOMS,
        average=0.9,
        planned=True,
    ),
)

PRESETS: Mapping[str, Mapping[str, Stages]] = {
    "carlini-wagner": {
        "paper": (_PAPER_NORM,),
        "fast": (replace(_FAST_NORM, steps=200, planned=True),),
    },
    "imperceptible": {
        "paper": (_PAPER_NORM, _PAPER_MASKED),
        "fast": (_FAST_NORM, _FAST_NEAREST),
    },
    "robust": {"paper": _PAPER_ROBUST, "fast": (_FAST_ROBUST,)},
    "combined": {
        "paper": (*_PAPER_ROBUST, *_PAPER_COMBINED),
        "fast": _FAST_COMBINED,
    },
    "untargeted": {"fast": (_FAST_NORM, _FAST_NEAREST)},
}


def stages_for(
    options: Options, over: tuple[Transformation, ...] = (), started: bool = False
) -> Stages:
    """The stages that options ask for, fitted to their budget of passes.

    Args:
        options: how to attack.
        over: the random transformations that a method in rooms takes means over.
        started: leave out the stages of the method that this one starts from.

    Raises:
        OptionError: the method starts from no other; or the budget is too small for one step, or
            to reach the stage that keeps a bound.
    """
    stages = _unfitted(options, started)
    fitted = within(stages, options.max_passes)
    if not fitted:
        raise OptionError(
            f"Got max_passes={options.max_passes}, expected at least {stages[0].over.draws}: one"
            " step's worth."
        )
    if options.bound is not None and not _ends(stages, options.max_passes):
        least = next(passes for passes in count(1) if _ends(stages, passes))
        raise OptionError(
            f"Got max_passes={options.max_passes}, and a bound that the preset {options.preset}"
            f" comes to last; give at least {least}, or leave the bound out."
        )
    return tuple(_over(stage, over) for stage in fitted) if options.in_rooms else fitted


def last_stage(options: Options) -> str:
    """The name of the stage that the method ends with, if its budget reaches it."""
    return _unfitted(options, started=False)[-1].name


def fingerprint(stages: Stages) -> str:
    """A hash of stages: after a preset changes, it is another attack."""
    dry = tuple(replace(stage, over=replace(stage.over, of=())) for stage in stages)
    return key_of({"stages": repr(dry)})[:16]  # what stages are over has a key of its own


def _unfitted(options: Options, started: bool) -> Stages:
    stages = PRESETS[options.method][options.preset]
    if started:
        if options.method not in STARTS_FROM:
            raise OptionError(
                f"{options.method} takes no start; expected one of: {', '.join(STARTS_FROM)}"
            )
        done = {stage.name for stage in PRESETS[STARTS_FROM[options.method]][options.preset]}
        stages = tuple(stage for stage in stages if stage.name not in done)
    if options.snr is not None:
        stages = (replace(_PGD, ball=Ball(options.snr)),)
    if options.bound is not None:
        stages = (*stages, replace(_UNDER, under=options.bound))
    return tuple(replace(stage, in_band=options.band == "keep") for stage in stages)


def _ends(stages: Stages, passes: int | None) -> bool:
    """Whether a budget reaches the last stage."""
    return [stage.name for stage in within(stages, passes)][-1:] == [stages[-1].name]


def within(stages: Stages, passes: int | None) -> Stages:
    """The stages for at most a number of gradient passes; None: unchanged.

    Planned stages share what the others leave, less or more than they ask for; those with `enough`
    get no more than they ask for. Then the last stage is cut short if needed.
    """
    if passes is None:
        return stages
    asked = sum(stage.passes for stage in stages if stage.planned)
    left = max(0, passes - sum(stage.passes for stage in stages if not stage.planned))
    stages = tuple(_planned(stage, left / asked) if stage.planned else stage for stage in stages)
    fitting = []
    for stage in stages:
        steps = min(stage.steps, max(0, passes // stage.over.draws))
        if steps:
            fitting.append(replace(stage, steps=steps))
        passes -= steps * stage.over.draws
    return tuple(fitting)


def _planned(stage: Stage, share: float) -> Stage:
    share = share if stage.enough is None else min(share, 1.0)
    return replace(stage, steps=math.ceil(stage.steps * share))


def _over(stage: Stage, transformations: tuple[Transformation, ...]) -> Stage:
    return replace(stage, over=replace(stage.over, of=transformations))
