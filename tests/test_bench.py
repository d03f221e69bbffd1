"""The benchmark: no measure flatters, merging loses nothing, and the page matches the results."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench import charts, clock, page, passes, quality, results, standing, subjects, targets
from bench.results import Results, Row
from mondegreen.audio.pcm import save
from mondegreen.errors import AudioError, OptionError
from mondegreen.search.stage import Decay, MaxNorm, Stage, Steps

ROOT = Path(__file__).resolve().parents[1]
HERE = {"processor": "abacus", "cores": 1, "threads": 1, "versions": {"torch": "0"}}
WORDS = subjects.WORDS


def row(preset: str, clip: str, budget: int, pesq: float, loss: float, **other: Any) -> Row:
    return {
        "victim": WORDS,
        "preset": preset,
        "clip": clip,
        "budget": budget,
        "settings": "same",
        "passes": budget,
        "first_match": 20,
        "verified": True,
        "pesq": pesq,
        "masking_loss": loss,
        "share_above": 0.1,
        "stoi": 0.9,
        "snr_db": 20.0,
        "max_abs": 100.0,
        "where": "here",
        "date": "2019-06-09",
        **other,
    }


def of(*quality_rows: Row, **parts: list[Row]) -> Results:
    empty: Results = {part: [] for part in results.KEYS}
    known = {"here": HERE} if quality_rows else {}
    return {**empty, "circumstances": known, "quality": list(quality_rows), **parts}


def everyone(preset: str, budget: int, pesq: float, loss: float, **other: Any) -> list[Row]:
    return [row(preset, f"clip {n}", budget, pesq, loss, **other) for n in range(standing.CLIPS)]


# ---- merging


def test_a_row_that_comes_again_replaces_the_earlier_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for budget, pesq in ((100, 1.0), (250, 2.0), (100, 3.0)):
        results.add("quality", row("fast", "a", budget, pesq, 1.0), path, HERE)
    found = {one["budget"]: one["pesq"] for one in results.read(path)["quality"]}
    assert found == {100: 3.0, 250: 2.0}


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with ThreadPoolExecutor(8) as pool:
        for n in range(40):
            pool.submit(results.add, "memory", {"victim": str(n), "size": 1}, path, HERE)
    assert len(results.read(path)["memory"]) == 40


def test_circumstances_are_kept_as_long_as_a_row_names_them(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    elsewhere = {**HERE, "processor": "sundial"}
    results.add("memory", {"victim": "a", "size": 1}, path, elsewhere)
    results.add("memory", {"victim": "b", "size": 1}, path, HERE)
    assert {c["processor"] for c in _circumstances(path)} == {"abacus", "sundial"}
    results.add("memory", {"victim": "a", "size": 1}, path, HERE)
    assert {c["processor"] for c in _circumstances(path)} == {"abacus"}


def _circumstances(path: Path) -> list[Row]:
    return list(results.read(path)["circumstances"].values())


def test_a_row_stands_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for name in ("a", "b"):
        results.add("memory", {"victim": name, "size": 1, "note": "θ"}, path, HERE)
    lines = [line.rstrip(",") for line in path.read_text("utf-8").splitlines() if "θ" in line]
    assert [json.loads(line)["victim"] for line in lines] == ["a", "b"]


# ---- settings


def test_settings_are_the_same_as_long_as_nothing_is_off_its_default() -> None:
    @dataclass(frozen=True)
    class Old:
        a: int

    @dataclass(frozen=True)
    class New:
        a: int
        b: int = 7

    assert quality.described(Old(1)) == {"is": "Old", "a": 1}
    assert quality.described((New(1), New(1, 8))) == [
        {"is": "New", "a": 1},
        {"is": "New", "a": 1, "b": 8},
    ]


def test_settings_tell_stages_and_targets_apart() -> None:
    stage = Stage("s", steps=10, rate=Steps(((0, 1.0),)), bound=MaxNorm(0.5))
    other = Stage("s", steps=10, rate=Steps(((0, 1.0),)), bound=MaxNorm(0.25))
    names = {
        quality.settings_of((stage,), "x"),
        quality.settings_of((other,), "x"),
        quality.settings_of((stage,), "y"),
    }
    assert len(names) == 3


def test_what_a_budget_runs() -> None:
    whole = sum(stage.passes for stage in quality.stages_for("paper", 100))
    assert whole == 5000, "the paper's run is left on its way, never squeezed"
    planned = quality.stages_for(quality.PLANNED, 500)
    assert [stage.passes for stage in planned] == [100, 400]
    assert sum(stage.passes for stage in quality.stages_for("fast", 250)) == 250


def runs_of(preset: str, *budgets: int) -> list[list[int]]:
    return quality.runs({budget: quality.stages_for(preset, budget) for budget in budgets})


def test_budgets_that_do_the_same_at_first_share_a_run() -> None:
    assert runs_of("paper", 500, 100) == [[100, 500]]
    assert runs_of("fast", 100, 250, 500, 1000) == [[100, 250, 500, 1000]]
    assert runs_of(quality.PLANNED, 100, 250) == [[250], [100]]


def test_budgets_whose_rates_fall_otherwise_do_not() -> None:
    def stages(steps: int, slowest: int) -> tuple[Stage, ...]:
        return (Stage("s", steps, Decay(8.0, 1.0, slowest)),)

    assert quality.runs({10: stages(10, 40), 20: stages(20, 40)}) == [[10, 20]]
    assert quality.runs({10: stages(10, 10), 20: stages(20, 10)}) == [[20], [10]]
    assert quality.runs({10: stages(10, 40), 20: stages(20, 30)}) == [[20], [10]]


# ---- scoring


class Parrot:
    """Hears one phrase in everything."""

    name, sample_rate = "parrot", 16_000

    def __init__(self, phrase: str) -> None:
        self.phrase = phrase

    def transcribe(self, audio: torch.Tensor) -> str:
        return self.phrase


def test_a_file_is_scored_by_what_is_in_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clean = (np.round(rng.normal(0, 2000, 16_000)) / 2**15).astype(np.float32)
    path = tmp_path / "adversarial.wav"
    delta = np.zeros_like(clean)
    delta[[100, 200]] = 3 / 2**15, -5 / 2**15
    save(path, clean + delta, 16_000)
    scored = quality.score_file(Parrot("Open the door."), clean, path, "open the door")
    assert scored["verified"]
    assert scored["max_abs"] == 5
    noise = (3**2 + 5**2) / 2**30
    expected = 10 * math.log10(float(np.square(clean, dtype=np.float64).sum()) / noise)
    assert scored["snr_db"] == pytest.approx(expected)
    other = quality.score_file(Parrot("Close the door."), clean, path, "open the door")
    assert not other["verified"]
    with pytest.raises(AudioError):
        quality.score_file(Parrot(""), clean[:-1], path, "open the door")


def test_peers_are_scored_from_their_files(tmp_path: Path) -> None:
    clip = tmp_path / "a.wav"
    save(clip, np.full(8000, 0.25, np.float32), 16_000)
    save(tmp_path / "peer.wav", np.full(8000, 0.5, np.float32), 16_000)
    run = {
        **{"victim": "parrot", "row": "peer", "clip": "a", "budget": 250, "target": "yes"},
        **{"gradient_passes": 249, "forward_passes": 3, "cpu_seconds": 1.0, "file": "peer.wav"},
        **{"machine": "abacus", "threads": 1, "versions": {}, "finished": "2026-11-25T09:00"},
    }
    lines = [run, {**run, "victim": "another"}, {**run, "clip": "not in the table"}]
    (tmp_path / "runs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    given = [subjects.Subject("a", clip, "yes", 0.5)]
    ((scored, where),) = quality.of_peers(Parrot("no"), given, tmp_path, lambda _: False)
    assert (scored["preset"], scored["passes"], scored["date"]) == ("peer", 249, "2026-11-25")
    assert scored["max_abs"] == 8192
    assert not scored["verified"]
    assert where["processor"] == "abacus"
    assert list(quality.of_peers(Parrot("no"), given, tmp_path, lambda _: True)) == []


def test_clips_come_shortest_first_with_the_victims_own_targets(tmp_path: Path) -> None:
    ids = list(subjects.SPOKEN)[:2]
    for clip, samples in zip(ids, (800, 400), strict=True):
        save(tmp_path / f"{clip}.wav", np.zeros(samples, np.float32), 16_000)
    table = "id\taudio\ttarget\n" + "".join(f"{clip}\t{clip}.wav\tHELLO\n" for clip in ids)
    (tmp_path / "clips.tsv").write_text(table)
    words = subjects.subjects(tmp_path / "clips.tsv", WORDS)
    assert [one.clip for one in words] == ids[::-1]
    assert {one.target for one in words} == {"HELLO"}
    (letters,) = subjects.subjects(tmp_path / "clips.tsv", subjects.LETTERS, ids[:1])
    assert letters.target == subjects.SPOKEN[ids[0]]
    with pytest.raises(OptionError, match="nowhere"):
        subjects.subjects(tmp_path / "clips.tsv", WORDS, ["nowhere"])


# ---- standing: failures count as worst


def test_a_failure_that_sounds_perfect_counts_as_the_worst() -> None:
    rows = everyone("fast", 500, 3.0, 2.0)
    rows[0] |= {"verified": False, "pesq": 4.64, "masking_loss": 0.0}
    assert standing.best(standing.PESQ, rows) == 3.0
    assert standing.worst(standing.PESQ, rows) == -math.inf
    assert standing.worst(standing.LOSS, rows) == math.inf
    assert standing.cell(standing.PESQ, rows) == "3.00 (failed), 4 heard"


def test_cells() -> None:
    values = [row("fast", str(n), 500, n, 10.0**n) for n in range(1, 6)]
    assert standing.cell(standing.PESQ, values) == "3.00 (1.00)"
    assert standing.cell(standing.LOSS, values) == "1,000 (100,000)"
    assert standing.cell(standing.LOSS, values[:1]) == "10.00 (10.00), 1 clip only"
    assert standing.cell(standing.LOSS, []) == "not measured"


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.floats(1, 4.64))
def test_failing_more_never_looks_better(heard: list[bool], pesq: float) -> None:
    rows = [row("fast", str(n), 500, pesq, 1.0, verified=v) for n, v in enumerate(heard)]
    fewer = [*rows[:-1], {**rows[-1], "verified": False}]
    for measure in standing.MEASURES:
        before, after = standing.middle(measure, rows), standing.middle(measure, fewer)
        assert not measure.better(after, before)


# ---- targets


def test_ahead_needs_both_measures() -> None:
    fast = everyone("fast", 500, 3.0, 5.0)
    for pesq, loss, met in ((2.9, 6.0, True), (3.1, 6.0, False), (2.9, 4.0, False)):
        found = targets.ahead(of(*fast, *everyone("paper", 500, pesq, loss)), WORDS, 500)
        # "paper, planned" and the peers are rivals too, and are not measured
        assert found.met == (None if met else False)
    names = ("paper", "paper, planned", *standing.PEERS[WORDS])
    rivals = [row for name in names for row in everyone(name, 500, 2.0, 9.0)]
    assert targets.ahead(of(*fast, *rivals), WORDS, 500).met is True
    peer = everyone("peer", 500, 3.5, 9.0)
    found = targets.ahead(of(*fast, *rivals, *peer), WORDS, 500)
    assert found.met is False
    assert (
        "peer: PESQ 3.00 against 3.50 (0 of 5), masking loss 5.00 against 9.00 (5 of 5)"
        in found.measured
    )


def test_failures_of_fast_are_not_ahead_of_anyone() -> None:
    fast = everyone("fast", 500, 4.64, 0.0, verified=False)
    rivals = [*everyone("paper", 500, 1.0, 9e9), *everyone("paper, planned", 500, 1.0, 9e9)]
    assert targets.ahead(of(*fast, *rivals), WORDS, 500).met is False


def test_equal_to_paper_is_clip_by_clip_at_its_best_pesq() -> None:
    curve = [
        one
        for budget, pesq, loss in ((250, 2.0, 90.0), (2000, 3.5, 5.0), (5000, 3.4, 0.1))
        for one in everyone("paper", budget, pesq, loss)
    ]
    equal = everyone("fast", 500, 3.5, 5.0)
    assert targets.equals_paper(of(*curve, *equal), WORDS, 500).met is True
    short = [dict(one) for one in equal]
    short[2]["masking_loss"] = 5.1
    found = targets.equals_paper(of(*curve, *short), WORDS, 500)
    assert found.met is False
    assert found.measured == "both on 4 of 5 clips (PESQ 5, masking loss 4)"


def test_half_a_curve_of_paper_proves_nothing() -> None:
    curve, fast = everyone("paper", 1000, 2.0, 90.0), everyone("fast", 500, 3.5, 5.0)
    found = targets.equals_paper(of(*curve, *fast), WORDS, 500)
    assert found.met is None
    assert "only up to 1,000 passes" in found.measured
    assert targets.equals_paper(of(*curve), WORDS, 500).met is None


@pytest.mark.parametrize(("first", "met"), [(60, True), (61, False), (None, False)])
def test_first_success(first: int | None, met: bool) -> None:
    rows = everyone("fast", 100, 3.0, 5.0)
    rows[3]["first_match"] = first
    assert targets.first_success(of(*rows), WORDS).met is met


def test_rooms_count_heard_and_loss() -> None:
    def rows(preset: str, heard: float, loss: float) -> list[Row]:
        key = {"victim": WORDS, "method": "combined", "preset": preset, "budget": 1000}
        made = {"heard_in": heard, "masking_loss": loss, "verified": False}
        return [{**key, **made, "clip": clip} for clip in "abcde"]

    paper = rows("paper", 0.2, 100.0)
    for heard, loss, met in ((0.3, 90.0, True), (0.2, 90.0, False), (0.3, 110.0, False)):
        both = of(in_rooms=[*paper, *rows("fast", heard, loss)])
        assert targets.in_rooms(both, WORDS).met is met
    assert targets.in_rooms(of(in_rooms=paper), WORDS).met is None


def test_some_of_the_clips_meet_no_target() -> None:
    names = ("paper", "paper, planned", *standing.PEERS[WORDS])
    rivals = [row for name in names for row in everyone(name, 500, 2.0, 9.0)]
    some = everyone("fast", 500, 3.0, 5.0)[:4]
    assert targets.ahead(of(*some, *rivals), WORDS, 500).met is None
    assert targets.first_success(of(*some), WORDS).met is None
    late = [{**some[0], "first_match": 61}]
    assert targets.first_success(of(*late), WORDS).met is False  # one is enough to miss it
    assert targets.reaches_four(of(*everyone("fast", 1000, 4.1, 5.0)[:4]), WORDS).met is None
    assert targets.reaches_four(of(*everyone("fast", 1000, 4.1, 5.0)), WORDS).met is True


def test_nothing_measured_is_nothing_met() -> None:
    assert {verdict.met for verdict in targets.verdicts(of())} == {None}


# ---- timing


def test_turns_are_taken_and_the_first_is_not_counted() -> None:
    now, order = [0.0], []

    def work(name: str, seconds: float) -> None:
        order.append(name)
        now[0] += seconds

    kinds = {"a": lambda: work("a", 3.0), "b": lambda: work("b", 2.0)}
    seconds = clock.in_turns(kinds, 2, lambda: now[0])
    assert order == ["a", "b"] * 3
    assert seconds == {"a": [3.0, 3.0], "b": [2.0, 2.0]}
    assert clock.ratio(seconds, "a", "b")["ratio"] == 1.5


def test_a_ratio_is_the_median_of_ratios_in_a_turn() -> None:
    seconds = {"a": [1.0, 20.0, 3.0], "b": [1.0, 10.0, 1.0]}  # slow machine in the second turn
    found = clock.ratio(seconds, "a", "b")
    assert (found["ratio_min"], found["ratio"], found["ratio_max"]) == (1, 2, 3)


def test_bookkeeping_is_told_from_the_rest_of_the_loop() -> None:
    for name in passes.BOOKKEEPING:
        assert callable(getattr(passes.Search, name)), "renamed? bench/passes.py times it"
    original = passes.Search._count
    with passes.Split():
        assert passes.Search._count is not original
    assert passes.Search._count is original


def test_memory_of_a_new_program_is_its_own() -> None:
    held = np.ones(2**26)
    ask = "from bench.memory import resident_peak as peak; print(peak())"
    found = subprocess.run([sys.executable, "-c", ask], capture_output=True, check=True, cwd=ROOT)
    assert float(found.stdout) < 0.5 < held.nbytes / 2**30 + 0.1


# ---- the page


def test_the_page_is_what_the_results_say() -> None:
    written = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    assert written == page.render(results.read()), "run: python -m bench --only page"


@pytest.mark.parametrize("victim", subjects.VICTIMS)
def test_charts_were_drawn_from_the_results(victim: str) -> None:
    with Image.open(ROOT / "docs" / charts.name_of(victim)) as drawn:
        assert drawn.info[charts.DRAWN_FROM] == charts.rows_key(results.read(), victim)
        assert drawn.width <= charts.WIDTH


def test_every_row_is_told_by_its_part() -> None:
    for part, fields in results.KEYS.items():
        rows = results.read()[part]
        assert len({results.key(part, one) for one in rows}) == len(rows)
        assert all(field in one for one in rows for field in fields)


def test_what_is_not_measured_says_so() -> None:
    text = page.render(of())
    assert text.count("not measured") > 20
    assert "0.00" not in text


def test_failures_are_shown_as_such() -> None:
    rows = everyone("fast", 500, 4.64, 0.0, verified=False)
    text = page.render(of(*rows))
    assert "failed (failed), 0 heard" in text
    assert "| **no** | 4.64 |" in text


def test_a_chart_leaves_gaps_where_medians_failed(tmp_path: Path) -> None:
    rows = [*everyone("fast", 100, 3, 1, verified=False), *everyone("fast", 500, 3.0, 1.0)]
    charts.draw(of(*rows), WORDS, tmp_path)
    with Image.open(tmp_path / charts.name_of(WORDS)) as drawn:
        assert drawn.width <= charts.WIDTH
    assert math.isnan(charts._drawn(standing.PESQ, standing.middle(standing.PESQ, rows[:5])))
