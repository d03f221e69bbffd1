"""The benchmark: no measure flatters, merging loses nothing, and the page matches the results."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench import clock, page, passes, quality, results, standing, subjects, surviving, targets
from bench.peers.counted import Counted, Task
from bench.results import Results, Row
from mondegreen.audio.pcm import load, save
from mondegreen.errors import AudioError, OptionError
from mondegreen.search.stage import Decay, MaxNorm, Schedule, Stage, Steps, Weighting
from mondegreen.victims import load_victim
from mondegreen.victims.embedded.bundled import RECORDING, asset
from mondegreen.victims.embedded.ctc import BLANK

ROOT = Path(__file__).resolve().parents[1]
HERE = {"processor": "abacus", "cores": 1, "threads": 1, "versions": {"torch": "0"}}
WORDS, JUDGE = subjects.WORDS, subjects.JUDGE
JUDGING = subjects.SETS[JUDGE]


def row(
    preset: str, clip: str, budget: int, mos: float = 4.8, loss: float = 0.3, **other: Any
) -> Row:
    return {
        "victim": WORDS,
        "preset": preset,
        "clip": clip,
        "budget": budget,
        "settings": "same",
        "passes": budget,
        "first_match": 20,
        "verified": True,
        "zimtohrli_mos": mos,
        "pesq_c2": 4.4,
        "pesq": 4.0,
        "masking_loss": loss,
        "temporal_loss": loss,
        "snr_db": 20.0,
        "where": "here",
        "date": "2019-06-09",
        **other,
    }


def of(*quality_rows: Row, **parts: list[Row]) -> Results:
    empty: Results = {part: [] for part in results.KEYS}
    known = {"here": HERE} if quality_rows else {}
    return {**empty, "circumstances": known, "quality": list(quality_rows), **parts}


def everyone(
    preset: str, budget: int, mos: float = 4.8, loss: float = 0.3, **other: Any
) -> list[Row]:
    return [row(preset, clip, budget, mos, loss, **other) for clip in JUDGING]


# ---- merging


def test_a_row_that_comes_again_replaces_the_earlier_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for budget, mos in ((100, 1.0), (250, 2.0), (100, 3.0)):
        results.add("quality", row("fast", "a", budget, mos), path, HERE)
    found = {one["budget"]: one["zimtohrli_mos"] for one in results.read(path)["quality"]}
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
    cut = quality.stages_for("paper", 1500)
    assert [stage.passes for stage in cut] == [1000, 500], "the paper's run, stopped early"
    planned = quality.stages_for(quality.PLANNED, 500)
    assert [stage.passes for stage in planned] == [100, 400]
    assert sum(stage.passes for stage in quality.stages_for("fast", 250)) == 250


def runs_of(preset: str, *budgets: int) -> list[list[int]]:
    return quality.runs({budget: quality.stages_for(preset, budget) for budget in budgets})


def test_budgets_that_do_the_same_at_first_share_a_run() -> None:
    assert runs_of("paper", 500, 100) == [[100, 500]]
    assert runs_of(quality.PLANNED, 100, 250) == [[250], [100]]


def test_budgets_whose_rates_fall_otherwise_do_not() -> None:
    constant, falling = Steps(((0, 8.0),)), Decay(8.0, 1.0)

    def runs(rate: Schedule, shrink: Schedule) -> list[list[int]]:
        weighting = Weighting(exponent=0.5, masking=0.3, floor=1.0, shrink=shrink)
        stage = Stage("s", 10, rate, weighting=weighting)
        return quality.runs({10: (stage,), 20: (replace(stage, steps=20),)})

    assert runs(constant, constant) == [[10, 20]]
    assert runs(falling, constant) == runs(constant, falling) == [[20], [10]]


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
    tables = [tmp_path / f"{clip}.tsv" for clip in ids]
    for clip, samples, table in zip(ids, (800, 400), tables, strict=True):
        save(tmp_path / f"{clip}.wav", np.zeros(samples, np.float32), 16_000)
        table.write_text(f"id\taudio\ttarget\n{clip}\t{clip}.wav\tHELLO\n")
    words = subjects.subjects(tables, WORDS)
    assert [one.clip for one in words] == [*ids[::-1], "beckett", "two_cities"]
    assert [one.target for one in words[:2]] == ["HELLO", "HELLO"]
    assert [round(one.seconds, 2) for one in words[2:]] == [9.96, 10]
    (letters,) = subjects.subjects(tables, subjects.LETTERS, ids[:1])
    assert letters.target == subjects.SPOKEN[ids[0]]
    with pytest.raises(OptionError, match="nowhere"):
        subjects.subjects(tables, WORDS, ["nowhere"])


def test_no_speaker_is_both_found_and_judged_on() -> None:
    find, judge = ({clip.split("_")[0] for clip in clips} for clips in subjects.SETS.values())
    assert not find & judge
    everything = {clip for clips in subjects.SETS.values() for clip in clips}
    assert set(subjects.SPOKEN) | set(subjects.WHEEL) <= everything, "a misspelt id"


# ---- standing: failures count as worst


def test_a_failure_that_sounds_perfect_counts_as_the_worst() -> None:
    rows = everyone("fast", 500, 4.5, 2.0)
    rows[0] |= {"verified": False, "zimtohrli_mos": 5.0, "masking_loss": 0.0}
    assert standing.worst(standing.MOS, rows) == -math.inf
    assert standing.worst(standing.LOSS, rows) == math.inf
    assert standing.cell(standing.MOS, rows) == "4.50 (failed)"
    assert standing.heard(rows) == "8 of 9"


def test_cells() -> None:
    values = [row("fast", str(n), 500, n, 10.0**n) for n in range(1, 6)]
    assert standing.cell(standing.MOS, values) == "3.00 (1.00)"
    assert standing.cell(standing.LOSS, values) == "1,000 (100,000)"
    assert standing.cell(standing.LOSS, []) == "not measured"
    unrated = {**values[0], "zimtohrli_mos": None}
    assert standing.cell(standing.MOS, [*values[1:], unrated]) == "3.00 (failed)"
    older = {name: value for name, value in values[0].items() if name != "zimtohrli_mos"}
    assert standing.cell(standing.MOS, [*values[1:], older]) == "not measured"


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.floats(1, 5))
def test_failing_more_never_looks_better(heard: list[bool], mos: float) -> None:
    rows = [row("fast", str(n), 500, mos, 1.0, verified=v) for n, v in enumerate(heard)]
    fewer = [*rows[:-1], {**rows[-1], "verified": False}]
    for measure in standing.MEASURES:
        for value in (standing.middle, standing.worst):
            assert measure.reaches(value(measure, rows), value(measure, fewer))


def test_inaudible_is_what_every_yardstick_says_of_a_verified_file() -> None:
    rows = everyone("fast", 500)
    assert standing.inaudible(rows) == "9 of 9"
    rows[0]["zimtohrli_mos"], rows[1]["pesq_c2"], rows[2]["temporal_loss"] = 4.69, 4.34, 0.51
    rows[3]["verified"], rows[4]["pesq_c2"] = False, None
    assert standing.inaudible(rows) == "4 of 9"
    del rows[0]["temporal_loss"]
    assert standing.inaudible(rows) == "not measured"


def test_sets_are_kept_apart() -> None:
    found = row("fast", subjects.SETS[subjects.FIND][0], 500)
    both = of(*everyone("fast", 500), found)
    ((_, _, judged),) = standing.groups(both, WORDS, JUDGE)
    assert [one["clip"] for one in judged] == list(JUDGING)
    assert standing.at(both, WORDS, "fast", 500, subjects.FIND) == [found]


# ---- targets


@pytest.mark.parametrize(
    ("median", "least", "met"),
    [(4.7, 4.3, True), (4.69, 4.3, False), (4.7, 4.29, False)],
)
def test_audible_asks_for_the_median_and_the_worst(median: float, least: float, met: bool) -> None:
    rows = everyone("fast", 500, median)
    rows[4]["zimtohrli_mos"] = least
    assert targets.audible(of(*rows), standing.MOS, 4.7, 4.3).met is met


def test_less_masking_loss_is_better() -> None:
    for loss, met in ((0.5, True), (0.51, False)):
        rows = everyone("fast", 500, loss=loss)
        assert targets.audible(of(*rows), standing.LOSS, 0.5, 10).met is met


def test_one_failure_misses_the_worst_clip_and_being_verified() -> None:
    rows = everyone("fast", 500)
    assert targets.verified(of(*rows), WORDS).met is True
    rows[3]["verified"] = False
    assert targets.verified(of(*rows), WORDS).met is False
    assert targets.verified(of(*rows[:4]), WORDS).met is False
    assert targets.audible(of(*rows), standing.MOS, 4.7, 4.3).met is False


def test_a_moonshot_of_silence_counts_clips() -> None:
    rows = everyone("fast", 500, loss=0.0)
    for audible, met in ((1, True), (2, False)):
        for one in rows[:audible]:
            one["masking_loss"] = 1e-9
        assert targets.silent(of(*rows)).met is met


def test_sooner_looks_at_its_own_budget() -> None:
    rows = [*everyone("fast", 200, 4.6), *everyone("fast", 100, 4.0)]
    assert [targets.sooner(of(*rows), budget).met for budget in (200, 100)] == [True, False]


def test_clips_that_it_was_found_on_meet_no_target() -> None:
    rows = [row("fast", clip, 500, 5.0, 0.0) for clip in subjects.SETS[subjects.FIND]]
    asked = targets.verdicts(of(*rows))
    assert {verdict.met for verdict in asked} == {None}


def aired(method: str, clip: str, heard: float, mos: float) -> Row:
    key = {"victim": WORDS, "method": method, "preset": "fast", "air": "paper", "budget": None}
    rating = {"median": mos, "worst": mos - 0.5, "room": "r", "count": 20}
    seen = {"zimtohrli_mos": rating, "pesq_c2": {**rating, "median": mos - 0.25}}
    return {**key, "clip": clip, "heard_in": heard, "in_rooms": seen}


def test_what_survives_is_judged_by_the_mean_over_clips_and_quality_by_the_worst() -> None:
    clips = subjects.SETS[subjects.JUDGE][:2]
    robust = [
        aired("robust", clip, heard, 2.0) for clip, heard in zip(clips, (0.7, 0.9), strict=True)
    ]
    combined = [
        aired("combined", clip, 0.6, mos) for clip, mos in zip(clips, (3.0, 3.5), strict=True)
    ]
    verdicts = list(targets.in_rooms(of(in_rooms=[*robust, *combined]), WORDS))
    assert [verdict.met for verdict in verdicts] == [True, None, False, True]
    assert verdicts[0].measured.startswith("80% (0% to 100%), worst clip 70%")
    assert verdicts[3].measured == "Zimtohrli MOS +1.00, PESQ (Cor. 2) +1.00 on the worst"


def test_clips_that_it_was_found_on_do_not_count_in_rooms() -> None:
    rows = [aired("robust", clip, 1.0, 2.0) for clip in subjects.SETS[subjects.FIND]]
    assert {one.met for one in targets.in_rooms(of(in_rooms=rows), WORDS)} == {None}


def test_the_interval_of_a_mean_is_student_s() -> None:
    low, high = surviving.interval([0.5, 0.6, 0.7])  # a half width of 4.303 · 0.1 / √3
    assert (low, high) == pytest.approx((0.6 - 0.24841, 0.6 + 0.24841), abs=1e-5)


def test_some_of_the_clips_meet_no_target() -> None:
    some = [*everyone("fast", 500, 5.0, 0.0)[:8], *everyone("fast", 200, 5.0)[:8]]
    assert {verdict.met for verdict in targets.verdicts(of(*some))} == {None}


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
    rows = everyone("fast", 500, 5.0, 0.0, verified=False)
    text = page.render(of(*rows))
    assert "| failed (failed) | 0 of 9 | 0 of 9 |" in text
    assert "| **no** | 5.00 |" in text


# ---- peers


def test_what_peers_are_given_is_the_victim_itself() -> None:
    victim = load_victim(subjects.LETTERS)
    sound = torch.from_numpy(load(asset(RECORDING), 16_000)[:16_000])
    counted = Counted(victim, Task("beckett", sound, "yes"))
    logits = counted.logits(sound[None].clone().requires_grad_())
    assert (counted.gradients, counted.forwards) == (0, 1)
    letters = victim.encode("yes", len(sound))
    likely = logits.log_softmax(-1).transpose(0, 1)
    sizes = torch.tensor([len(likely)]), torch.tensor([len(letters)])
    loss = torch.nn.functional.ctc_loss(likely, letters[None], *sizes, BLANK, reduction="sum")
    score = victim.score(sound[None], torch.tensor([len(sound)]), [letters])
    torch.testing.assert_close(loss[None], score.loss)
    loss.backward()
    assert (counted.gradients, counted.forwards) == (1, 0)
    broken = torch.full_like(sound, torch.nan)
    assert counted.transcribe(broken) == ""
    assert counted.gradient(broken).isnan().all()
    assert (counted.gradients, counted.forwards) == (2, 1)
