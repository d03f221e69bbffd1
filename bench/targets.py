"""The targets, what was measured, and whether they were met; all computed from the results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.results import Results, Row, find
from bench.standing import (
    CLIPS,
    FAST,
    HEARD,
    LOSS,
    MEASURES,
    PAPER,
    PESQ,
    Measure,
    at,
    common,
    middle,
    presets,
    worst,
)
from bench.subjects import VICTIMS

BUDGETS = (100, 250, 500, 1000)
FIRST_SUCCESS = 60  # passes
OVERHEADS = {"stage 1": 1.03, "stage 2": 1.06, "ten rooms": 1.10}
STFTS, GIB, BATCH = 3.0, 3.0, 8
UNKNOWN = "not measured"
PAPER_WHOLE = 5000  # passes of `paper`'s own curve


@dataclass(frozen=True)
class Verdict:
    """One target.

    Attributes:
        asked: what was asked for.
        measured: what came out.
        met: None if it was not measured, or only in part.
    """

    asked: str
    measured: str
    met: bool | None

    @property
    def answer(self) -> str:
        return {True: "yes", False: "**no**", None: "not measured"}[self.met]


def verdicts(results: Results) -> list[Verdict]:
    """All targets, in the order of the page."""
    found: list[Verdict] = []
    for victim in VICTIMS:
        found += [equals_paper(results, victim, budget) for budget in (500, 250)]
        found += [ahead(results, victim, budget) for budget in BUDGETS]
        found += [reaches_four(results, victim), first_success(results, victim)]
        found.append(in_rooms(results, victim))
    for victim in VICTIMS:
        found += overheads(results, victim)
        found += [memory(results, victim), batch(results, victim)]
    return [*found, threshold(results)]


def equals_paper(results: Results, victim: str, budget: int) -> Verdict:
    """Clip by clip: the best PESQ of `paper`'s curve, and its masking loss there."""
    asked = (
        f"{victim}: within {budget} passes `fast` reaches, on every clip, the best PESQ of"
        " `paper`’s curve and its masking loss at that point"
    )
    curve = find(results, "quality", victim=victim, preset=PAPER)
    pairs = [(row, peak(curve, row["clip"])) for row in at(results, victim, FAST, budget)]
    known = [(row, top) for row, top in pairs if top is not None]
    if not known:
        return Verdict(asked, UNKNOWN, None)
    reached = {
        m.title: [not m.better(m.of(top), m.of(row)) for row, top in known] for m in MEASURES
    }
    both = sum(map(all, zip(*reached.values(), strict=True)))
    apart = ", ".join(f"{title} {sum(hits)}" for title, hits in reached.items())
    end = min(max(r["budget"] for r in curve if r["clip"] == row["clip"]) for row, _ in known)
    text = f"both on {both} of {len(known)} clips ({apart})"
    if end < PAPER_WHOLE:
        text += f"; `paper` measured only up to {end:,} passes"
    whole = len(known) == CLIPS and end >= PAPER_WHOLE
    return Verdict(asked, text, None if both == len(known) and not whole else both == CLIPS)


def peak(curve: Sequence[Row], clip: str) -> Row | None:
    """The point of a clip's curve with the best PESQ; None if no point is verified."""
    heard = [row for row in curve if row["clip"] == clip and row["verified"]]
    return max(heard, key=PESQ.of, default=None)


def ahead(results: Results, victim: str, budget: int) -> Verdict:
    """By the medians over the clips that both have; the counts clip by clip are for information.

    Medians over only some of the clips are reported but decide nothing, here and below.
    """
    asked = f"{victim}: at {budget:,} passes `fast` beats `paper` and all peers on both measures"
    ours = at(results, victim, FAST, budget)
    rivals = [name for name in presets(results, victim) if name != FAST]
    texts, won, whole = [], [], True
    for rival in rivals:
        mine, theirs = common(ours, at(results, victim, rival, budget))
        if not mine:
            texts.append(f"{rival}: not measured")
            continue
        whole &= len(mine) == CLIPS
        wins = [m.title for m in MEASURES if m.better(middle(m, mine), middle(m, theirs))]
        won.append(len(wins) == len(MEASURES))
        counts = ", ".join(
            f"{m.title} {m.shown(middle(m, mine))} against {m.shown(middle(m, theirs))}"
            f" ({_wins(m, mine, theirs)} of {len(mine)})"
            for m in MEASURES
        )
        texts.append(f"{rival}: {counts}")
    whole &= not all(won) or len(won) == len(rivals)  # losing to one is enough
    return Verdict(asked, "; ".join(texts), all(won) if won and whole else None)


def _wins(measure: Measure, mine: Sequence[Row], theirs: Sequence[Row]) -> int:
    other = {row["clip"]: measure.of(row) for row in theirs}
    return sum(measure.better(measure.of(row), other[row["clip"]]) for row in mine)


def reaches_four(results: Results, victim: str) -> Verdict:
    rows = at(results, victim, FAST, 1000)
    text = (
        f"{PESQ.shown(middle(PESQ, rows))} (worst {PESQ.shown(worst(PESQ, rows))})"
        if rows
        else UNKNOWN
    )
    met = middle(PESQ, rows) >= 4 if len(rows) == CLIPS else None
    return Verdict(f"{victim}: median PESQ 4.0 by 1,000 passes", text, met)


def first_success(results: Results, victim: str) -> Verdict:
    """Over all rows of `fast`; those of one run agree."""
    rows = find(results, "quality", victim=victim, preset=FAST)
    asked = f"{victim}: first success of `fast` within {FIRST_SUCCESS} passes on every clip"
    if not rows:
        return Verdict(asked, UNKNOWN, None)
    firsts = [math.inf if row["first_match"] is None else row["first_match"] for row in rows]
    clips = len({row["clip"] for row in rows})
    text = f"pass {min(firsts):g} to {max(firsts):g}, over {clips} clips"
    met = max(firsts) <= FIRST_SUCCESS
    return Verdict(asked, text.replace("inf", "never"), None if met and clips < CLIPS else met)


def in_rooms(results: Results, victim: str) -> Verdict:
    asked = (
        f"{victim}: `combined` with 1,000 room passes: heard in more rooms, with less masking loss,"
        " than `paper` with as many"
    )
    mine, theirs = (
        find(results, "in_rooms", victim=victim, method="combined", preset=preset, budget=1000)
        for preset in (FAST, PAPER)
    )
    mine, theirs = common(mine, theirs)
    if not mine:
        return Verdict(asked, UNKNOWN, None)
    heard = [_median(rows, HEARD.field) for rows in (mine, theirs)]
    loss = [_median(rows, LOSS.field) for rows in (mine, theirs)]
    text = (
        f"{heard[0]:.0%} against {heard[1]:.0%}, {LOSS.form(loss[0])} against {LOSS.form(loss[1])}"
        f" (medians of {len(mine)} clips)"
    )
    met = heard[0] > heard[1] and loss[0] < loss[1]
    return Verdict(asked, text, met if len(mine) == CLIPS else None)


def _median(rows: Sequence[Row], field: str) -> float:
    """Of all files, whether or not they are heard without a room."""
    return statistics.median(float(row[field]) for row in rows)


def overheads(results: Results, victim: str) -> Iterator[Verdict]:
    for kind, limit in OVERHEADS.items():
        asked = f"{victim}: {kind}, at most {limit - 1:.0%} over the recogniser’s own pass"
        yield _ratio(asked, find(results, "passes", victim=victim, kind=kind), limit)


def threshold(results: Results) -> Verdict:
    asked = f"threshold of a clip of 10 s: at most {STFTS:g} times its bare STFT"
    return _ratio(asked, find(results, "threshold", kind="threshold over STFT"), STFTS)


def _ratio(asked: str, rows: Sequence[Row], limit: float) -> Verdict:
    """The median of the ratios decides; the middle half is reported."""
    if not rows:
        return Verdict(asked, UNKNOWN, None)
    (row,) = rows
    text = f"{row['ratio']:.3g} times ({row['ratio_low']:.3g} to {row['ratio_high']:.3g})"
    return Verdict(asked, text, row["ratio"] <= limit)


def memory(results: Results, victim: str) -> Verdict:
    rows = find(results, "memory", victim=victim, size=BATCH)
    asked = f"{victim}: a batch of {BATCH} clips of 10 s under {GIB:g} GiB"
    text = f"{rows[0]['peak_gib']:.2f} GiB" if rows else UNKNOWN
    return Verdict(asked, text, rows[0]["peak_gib"] < GIB if rows else None)


def batch(results: Results, victim: str) -> Verdict:
    rows = find(results, "batches", victim=victim, size=BATCH)
    asked = f"{victim}: a batch of {BATCH}, per clip and pass no slower than a clip alone"
    if not rows:
        return Verdict(asked, UNKNOWN, None)
    times = {clock: rows[0][clock]["ratio"] for clock in ("processor", "wall")}
    text = f"{times['processor']:.3g} times (processor), {times['wall']:.3g} times (wall)"
    return Verdict(asked, text, times["processor"] <= 1)


def headline(results: Results) -> str:
    """How many of the targets were met, in a sentence."""
    all_of_them = verdicts(results)
    counts = [sum(one.met is met for one in all_of_them) for met in (True, False, None)]
    return (
        f"Of {len(all_of_them)} targets {counts[0]} are met, {counts[1]} are not, and {counts[2]}"
        " are not measured."
    )
