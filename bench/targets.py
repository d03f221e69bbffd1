"""The targets, what was measured, and whether they were met; all computed from the results."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bench.results import Results, Row, find
from bench.standing import (
    FAST,
    LOSS,
    MEASURES,
    MOS,
    NONE,
    PESQ,
    Measure,
    at,
    cell,
    heard,
    inaudible,
    lacks,
    middle,
    worst,
)
from bench.subjects import JUDGE, SETS, VICTIMS, WHISPER, WORDS
from bench.surviving import ASKED, QUIETER, RATINGS, judged, quieter, share

Marks: TypeAlias = Sequence[tuple[Measure, float]]

CLIPS = len(SETS[JUDGE])
BUDGET = 500  # passes
MARKS = ((MOS, 4.7, 4.3), (PESQ, 4.35, 4.1), (LOSS, 0.5, 10))  # of the median, and of the worst
MOONSHOTS = ((MOS, 4.85), (PESQ, 4.5))  # of the median
SILENT = 8  # clips of nine with a masking loss of 0
EARLIER = ((MOS, 4.54), (PESQ, 4.12))  # medians of an earlier `fast`, after 500 passes
SOONER = (200, 100)  # passes: asked, and as a moonshot
OVERHEADS = {"stage 1": 1.03, "stage 2": 1.06, "ten rooms": 1.10}
STFTS, GIB, BATCH = 3.0, 3.0, 8


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
        return {True: "yes", False: "**no**", None: NONE}[self.met]


def verdicts(results: Results) -> list[Verdict]:
    """All targets, in the order of the page."""
    found = [audible(results, *mark) for mark in MARKS]
    found += [moonshot(results, *mark) for mark in MOONSHOTS]
    found.append(silent(results))
    found += [sooner(results, budget) for budget in SOONER]
    found += [verified(results, victim) for victim in (*VICTIMS, WHISPER)]
    for victim in VICTIMS:
        found += in_rooms(results, victim)
        found += overheads(results, victim)
        found += [memory(results, victim), batch(results, victim)]
    return [*found, threshold(results)]


def audible(results: Results, measure: Measure, median: float, least: float) -> Verdict:
    than = "at least" if measure.sign > 0 else "at most"
    asked = f"{measure.title} {than} {median:g} in the median, {least:g} on the worst clip"
    rows = at(results, WORDS, FAST, BUDGET)
    return Verdict(asked, cell(measure, rows), _met(rows, [(measure, median)], [(measure, least)]))


def moonshot(results: Results, measure: Measure, median: float) -> Verdict:
    asked = f"moonshot: {measure.title} {median:g} in the median"
    rows = at(results, WORDS, FAST, BUDGET)
    return Verdict(asked, cell(measure, rows), _met(rows, [(measure, median)]))


def silent(results: Results) -> Verdict:
    rows = at(results, WORDS, FAST, BUDGET)
    count = sum(LOSS.of(row) == 0 for row in rows)
    asked = f"moonshot: a masking loss of 0 on {SILENT} of {CLIPS} clips"
    met = count >= SILENT if len(rows) == CLIPS else None
    return Verdict(asked, f"{count} of {len(rows)}" if rows else NONE, met)


def sooner(results: Results, budget: int) -> Verdict:
    """What an earlier `fast` had after 500 passes."""
    marks = " and ".join(f"{measure.title} {median:g}" for measure, median in EARLIER)
    asked = f"within {budget} passes, {marks} in the median, as an earlier `fast` had after 500"
    if budget < SOONER[0]:
        asked = f"moonshot: {asked}"
    rows = at(results, WORDS, FAST, budget)
    text = " and ".join(cell(measure, rows) for measure, _ in EARLIER) if rows else NONE
    return Verdict(asked, text, _met(rows, EARLIER))


def verified(results: Results, victim: str) -> Verdict:
    asked = f"all verified on {victim}"
    rows = at(results, victim, FAST, BUDGET)
    all_heard = all(row["verified"] for row in rows)
    met = all_heard if len(rows) == CLIPS or not all_heard else None  # one is enough to miss it
    return Verdict(asked, heard(rows) if rows else NONE, met)


def _met(rows: Sequence[Row], medians: Marks, worsts: Marks = ()) -> bool | None:
    """Whether medians and worst clips reach their marks; some of the clips decide nothing."""
    measures = [measure for measure, _ in (*medians, *worsts)]
    if len(rows) < CLIPS or any(lacks(rows, measure.field) for measure in measures):
        return None
    return all(m.reaches(middle(m, rows), mark) for m, mark in medians) and all(
        m.reaches(worst(m, rows), mark) for m, mark in worsts
    )


def in_rooms(results: Results, victim: str) -> Iterator[Verdict]:
    """On the clips that nothing was found on, as far as they were measured."""
    for method, air, least in ASKED:
        asked = (
            f"{victim}: `{method}` heard in {least:.0%} of unmet rooms ({air} air), mean over clips"
        )
        rows = judged(results, victim, method, air)
        met = statistics.mean(row["heard_in"] for row in rows) >= least if rows else None
        yield Verdict(asked, f"{share(rows)} ({len(rows)} clips)" if rows else NONE, met)
    gains = quieter(results, victim)
    text = ", ".join(f"{RATINGS[name]} {gain:+.2f}" for name, gain in gains.items())
    asked = f"{victim}: in a room, `combined` {QUIETER:g} above `robust` on every clip"
    met = min(gains.values()) >= QUIETER if gains else None
    yield Verdict(asked, f"{text} on the worst" if gains else NONE, met)


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
        return Verdict(asked, NONE, None)
    (row,) = rows
    text = f"{row['ratio']:.3g} times ({row['ratio_low']:.3g} to {row['ratio_high']:.3g})"
    return Verdict(asked, text, row["ratio"] <= limit)


def memory(results: Results, victim: str) -> Verdict:
    rows = find(results, "memory", victim=victim, size=BATCH)
    asked = f"{victim}: a batch of {BATCH} clips of 10 s under {GIB:g} GiB"
    text = f"{rows[0]['peak_gib']:.2f} GiB" if rows else NONE
    return Verdict(asked, text, rows[0]["peak_gib"] < GIB if rows else None)


def batch(results: Results, victim: str) -> Verdict:
    rows = find(results, "batches", victim=victim, size=BATCH)
    asked = f"{victim}: a batch of {BATCH}, per clip and pass no slower than a clip alone"
    if not rows:
        return Verdict(asked, NONE, None)
    times = {clock: rows[0][clock]["ratio"] for clock in ("processor", "wall")}
    text = f"{times['processor']:.3g} times (processor), {times['wall']:.3g} times (wall)"
    return Verdict(asked, text, times["processor"] <= 1)


def headline(results: Results) -> str:
    """The result in a sentence, and how many of the targets were met."""
    all_of_them = verdicts(results)
    met, missed, unknown = (
        sum(one.met is met for one in all_of_them) for met in (True, False, None)
    )
    counts = f"{met} are met, {missed} missed and {unknown} not measured"
    return f"{_result(results)} Of {len(all_of_them)} targets {counts}."


def _result(results: Results) -> str:
    rows = at(results, WORDS, FAST, BUDGET)
    if not rows:
        return "`fast` was not measured."
    quality = ", ".join(f"{measure.title} {cell(measure, rows)}" for measure in MEASURES)
    return (
        f"`fast` on `{WORDS}` after {BUDGET} passes, medians and worst clips: {quality};"
        f" {heard(rows)} verified, {inaudible(rows)} probably inaudible."
    )
