"""The attacks, as data: section 4 of the supplement, and our own faster numbers.

`paper` follows the supplement to the number, with `docs/departures.md` where it is silent. `fast`
is ours: the same threat and the same yardsticks in at most 500 gradient passes.
"""

from __future__ import annotations

from collections.abc import Mapping

from mondegreen.attacks.stage import Decay, Masking, MaxNorm, Stage, Steps
from mondegreen.audio import FULL_SCALE
from mondegreen.errors import OptionError

_LSB = 1 / FULL_SCALE  # the supplement counts in 16-bit units

_PAPER_STAGE_1 = Stage(
    "minimise the norm",
    passes=1000,
    rate=Steps(((0, 100 * _LSB),)),
    sign=True,
    bound=MaxNorm(eps=2000 * _LSB, shrink=0.8, every=10),
)
_PAPER_STAGE_2 = Stage(
    "minimise the perceptibility",
    passes=4000,
    rate=Steps(((0, 1 * _LSB), (3000, 0.1 * _LSB))),
    masking=Masking(alpha=0.05, up=1.2, up_every=20, down=0.8, down_every=50),
    keep="quietest",
)
_FAST_STAGE_1 = Stage(
    "minimise the norm",
    passes=200,
    rate=Steps(((0, 100 * _LSB),)),
    sign=True,
    bound=MaxNorm(eps=2000 * _LSB, shrink=0.8, every=1),
)
_FAST_STAGE_2 = Stage(
    "minimise the perceptibility",
    passes=300,
    rate=Decay(5 * _LSB, 1 * _LSB),
    betas=(0.9, 0.99),
    masking=Masking(alpha=0.001, up=1.08, up_every=1, down=1 / 1.08, down_every=1),
    keep="quietest",
    enough=1.0,
)

PRESETS: Mapping[str, Mapping[str, tuple[Stage, ...]]] = {
    "carlini-wagner": {"paper": (_PAPER_STAGE_1,), "fast": (_FAST_STAGE_1,)},
    "imperceptible": {
        "paper": (_PAPER_STAGE_1, _PAPER_STAGE_2),
        "fast": (_FAST_STAGE_1, _FAST_STAGE_2),
    },
}


def preset(method: str, name: str) -> tuple[Stage, ...]:
    """The stages of a method's preset.

    Raises:
        OptionError: no such method or preset.
    """
    if method not in PRESETS:
        raise OptionError(f"no method is called {method!r}; there are: {', '.join(PRESETS)}")
    if name not in PRESETS[method]:
        raise OptionError(
            f"{method} has no preset {name!r}; there are: {', '.join(PRESETS[method])}"
        )
    return PRESETS[method][name]
