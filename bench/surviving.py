"""What survives rooms and other air: over clips, and clip by clip."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from scipy.stats import t as student

from bench.results import Results, Row, find
from bench.standing import FAST, NONE
from bench.subjects import JUDGE, SETS

ASKED: Final = (  # method, air, and the mean share of rooms that should hear the target
    ("robust", "paper", 0.80),
    ("robust", "real", 0.60),
    ("combined", "paper", 0.65),
)
QUIETER: Final = 1.0  # points by which combined should be above robust, by either yardstick
RATINGS: Final = {"zimtohrli_mos": "Zimtohrli MOS", "pesq_c2": "PESQ (Cor. 2)"}


@dataclass(frozen=True)
class Kind:
    """What rows have in common."""

    method: str
    preset: str
    air: str
    judged: bool  # on clips that nothing was found on

    @classmethod
    def of(cls, row: Row) -> Kind:
        return cls(row["method"], row["preset"], row["air"], row["clip"] in SETS[JUDGE])


def kinds(results: Results, victim: str) -> Iterator[tuple[Kind, list[Row]]]:
    """The rows of a victim by kind; of each, the shortest passes last."""
    rows = find(results, "in_rooms", victim=victim)
    for kind in sorted({Kind.of(row) for row in rows}, key=str):
        yield kind, [row for row in rows if Kind.of(row) == kind]


def judged(results: Results, victim: str, method: str, air: str) -> list[Row]:
    """The rows of `fast` on clips that nothing was found on."""
    wanted = Kind(method, FAST, air, judged=True)
    return next((rows for kind, rows in kinds(results, victim) if kind == wanted), [])


def share(rows: Sequence[Row]) -> str:
    """The mean share of rooms over clips, with Student's 95 % interval, and the worst clip."""
    heard = [row["heard_in"] for row in rows]
    low, high = interval(heard)
    return f"{statistics.mean(heard):.0%} ({low:.0%} to {high:.0%}), worst clip {min(heard):.0%}"


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Student's 95 % interval of a mean of shares, within 0 and 1."""
    if len(values) < 2:
        return 0.0, 1.0
    half = student.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.mean(values)
    return max(0.0, mean - half), min(1.0, mean + half)


def rated(row: Row, rating: str) -> float | None:
    """A yardstick in the median room; None: not measured."""
    seen = row.get("in_rooms", {}).get(rating)
    return None if seen is None else float(seen["median"])


def over_clips(results: Results, victim: str) -> Iterable[tuple[str, ...]]:
    """A line of each kind."""
    for kind, rows in kinds(results, victim):
        yield (
            kind.method,
            f"`{kind.preset}`",
            kind.air,
            f"{len(rows)}, {'judged on' if kind.judged else 'found on'}",
            f"{statistics.median(row['passes'] for row in rows):,.0f}",
            f"**{share(rows)}**",
            *(_middle([rated(row, rating) for row in rows]) for rating in RATINGS),
        )


def clip_by_clip(results: Results, victim: str) -> Iterable[tuple[str, ...]]:
    """A line of each row."""
    for kind, rows in kinds(results, victim):
        for row in rows:
            yield (
                kind.method,
                f"`{kind.preset}`",
                kind.air,
                row["clip"],
                f"{row['heard_in']:.0%} ({row['heard_low']:.0%} to {row['heard_high']:.0%})",
                "yes" if row["verified"] else "no",
                *(_in_a_room(row, rating) for rating in RATINGS),
                *(_number(row[rating]) if rating in row else "" for rating in RATINGS),
                _number(row["snr_db"], ".1f"),
            )


def quieter(results: Results, victim: str) -> dict[str, float]:
    """By how much combined is above robust in the median room, on the worst clip, by yardstick."""
    robust = {row["clip"]: row for row in judged(results, victim, "robust", "paper")}
    gains: dict[str, float] = {}
    for row in judged(results, victim, "combined", "paper"):
        for rating in RATINGS if row["clip"] in robust else ():
            pair = rated(row, rating), rated(robust[row["clip"]], rating)
            if pair[0] is not None and pair[1] is not None:
                gains[rating] = min(gains.get(rating, math.inf), pair[0] - pair[1])
    return gains


def _middle(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.2f} ({min(known):.2f})" if known else NONE


def _in_a_room(row: Row, rating: str) -> str:
    seen = row.get("in_rooms", {}).get(rating)
    return "" if seen is None else f"{seen['median']:.2f} ({seen['worst']:.2f})"


def _number(value: float | None, form: str = ".2f") -> str:
    return "none" if value is None else format(value, form)
