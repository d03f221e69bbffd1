"""Timing in turns: the kinds compared alternate, so that a busy machine slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Seconds = Mapping[str, list[Any]]  # by kind, one for each turn; differences of clock readings


def in_turns(
    kinds: Mapping[str, Callable[[], object]],
    turns: int,
    clock: Callable[[], Any] = time.process_time,
) -> Seconds:
    """Seconds of each kind in each turn; a first turn warms up and is not counted.

    The default clock is processor time, which other work on the machine disturbs less.
    """
    seconds: dict[str, list[Any]] = {name: [] for name in kinds}
    for turn in range(turns + 1):
        for name, work in kinds.items():
            before = clock()
            work()
            if turn:
                seconds[name].append(clock() - before)
    return seconds


def ratio(seconds: Seconds, name: str, other: str) -> dict[str, float]:
    """Median seconds of both, and the median, the middle half and the range of their ratios."""
    ratios = [a / b for a, b in zip(seconds[name], seconds[other], strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    return rounded(
        seconds=statistics.median(seconds[name]),
        other_seconds=statistics.median(seconds[other]),
        ratio=statistics.median(ratios),
        ratio_low=low,
        ratio_high=high,
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        turns=len(ratios),
    )


def rounded(**values: float) -> dict[str, float]:
    """Six significant digits, so that files stay readable."""
    return {name: float(f"{value:.6g}") for name, value in values.items()}


def median(values: Iterable[float]) -> float:
    return float(f"{statistics.median(values):.6g}")
