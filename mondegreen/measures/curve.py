"""The margin: by how many dB a change could be louder, or would have to be quieter, to pass.

The change is turned down or up in steps of 1 dB until a yardstick crosses its mark, which is a
number that says more than a score does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np

from mondegreen.errors import MeasureError, reason
from mondegreen.measures.quality import TEMPORAL, Audio, masking_excess
from mondegreen.measures.ratings import pesq_c2, zimtohrli
from mondegreen.results.verdict import MASKING, PESQ, YARDSTICKS, ZIMTOHRLI, Yardstick

FARTHEST: Final = 40  # dB up or down
OnLevel = Callable[[Yardstick, int], object]  # called before each measurement, with the level in dB


class Margin(NamedTuple):
    """The highest level at which a change still reaches the mark of one yardstick."""

    yardstick: Yardstick
    level: int | None  # dB, where the change as it is has 0; None: not found
    why: str  # it was not found; else empty


def margins(
    clean: Audio, adversarial: Audio, sample_rate: int, on_level: OnLevel = lambda *_: None
) -> Iterator[Margin]:
    """The margin of every yardstick of the verdict, for clips `[T]`.

    Louder, samples beyond full scale are cut off; nothing is rounded.

    >>> clean = np.sin(np.arange(4_096) * np.pi / 8)
    >>> {found.why for found in margins(clean, clean, 16_000)}
    {'the two do not differ'}
    """
    delta = np.subtract(adversarial, clean, dtype=np.float64)
    for yardstick in YARDSTICKS:

        def passes(level: int, of: Yardstick = yardstick) -> bool:
            on_level(of, level)
            changed = np.clip(clean + 10 ** (level / 20) * delta, -1.0, 1.0)
            return of.passes(VALUES[of.name](clean, changed, sample_rate))

        try:
            if not delta.any():
                raise MeasureError("the two do not differ")
            yield Margin(yardstick, margin(passes), "")
        except Exception as error:  # whatever a yardstick does, it costs no more than its margin
            yield Margin(yardstick, None, reason(error))


def margin(passes: Callable[[int], bool]) -> int:
    """The level nearest to 0 dB that passes where the next one up does not.

    Raises:
        MeasureError: there is none within `FARTHEST` dB.

    >>> margin(lambda level: level <= -3), margin(lambda level: level <= 3)
    (-3, 3)
    """
    if passes(0):
        found = next((k - 1 for k in range(1, FARTHEST + 1) if not passes(k)), None)
    else:
        found = next((-k for k in range(1, FARTHEST + 1) if passes(-k)), None)
    if found is None:
        raise MeasureError(f"it does not cross its mark within {FARTHEST} dB")
    return found


def _mos(clean: Audio, adversarial: Audio, sample_rate: int) -> float:
    return zimtohrli(clean, adversarial, sample_rate).mos


def _loss(clean: Audio, adversarial: Audio, sample_rate: int) -> float:
    return masking_excess(clean, adversarial, sample_rate, TEMPORAL).loss


VALUES: Final[dict[str, Callable[[Audio, Audio, int], float]]] = {
    ZIMTOHRLI.name: _mos,
    PESQ.name: pesq_c2,
    MASKING.name: _loss,
}
