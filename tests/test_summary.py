"""Summaries of runs: against formulas and counts by hand, and with whatever may lie in a folder."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pytest
from test_tables import (
    DRY,
    HOSTILE,
    IN_ROOMS,
    MASKING,
    QUALITY_IN_ROOMS,
    a_record,
    a_run,
    peak_of,
    write_item,
)
from toy import linear_victim, speech

from mondegreen import MondegreenError, attack
from mondegreen.airs import REAL, Air
from mondegreen.audio.pcm import save
from mondegreen.errors import OptionError
from mondegreen.findings import Finding
from mondegreen.report.numbers.contrast import contrast
from mondegreen.report.numbers.measures import SPREADS
from mondegreen.report.numbers.sources import gather, gather_to_compare
from mondegreen.report.numbers.statistics import ErrorRate, Share
from mondegreen.report.numbers.summary import Summary, summarise
from mondegreen.report.numbers.summary_text import LONGEST, describe, one_line, side_by_side
from mondegreen.results.sanity import keep_findings

Z = 1.959963984540054  # of 95 %
STUDENT = {2: 12.706204736432095, 3: 4.302652729911275}  # the same of t, by clips


def wilson(hits: int, clips: int) -> tuple[float, float]:
    """Wilson's interval, from its formula."""
    p, q = hits / clips, Z**2 / clips
    centre, reach = p + q / 2, Z * math.sqrt(p * (1 - p) / clips + q / clips / 4)
    return (centre - reach) / (1 + q), (centre + reach) / (1 + q)


def summary_of(folder: Path, *records: dict[str, Any] | str, **others: Any) -> Summary:
    """The one summary of a run of such records."""
    (summary,) = summarise(
        [a_run(folder, dict(zip("abcdefghij", records, strict=False)), **others)]
    )
    return summary


# ---- counts and shares


def test_every_clip_is_counted_once(tmp_path: Path) -> None:
    summary = summary_of(
        tmp_path / "run",
        a_record(),
        a_record(verified=False),
        a_record(verified=False, interrupted=True, heard=""),
        a_record(understood=False),
        a_record(understood=None),
        "{",
        errors={"x": "no words", "y": "no words", "z": "no such file"},
        pending=["later", "later", "last", "a"],
    )
    counts = summary.counts
    assert (counts.clips, counts.finished, counts.errors, counts.damaged, counts.pending) == (
        *(11, 5, 3, 1, 2),
    )
    assert (counts.verified, counts.unverified) == (3, 2)
    assert (counts.interrupted, counts.not_understood) == (1, 1)
    assert summary.errors == {"no words": 2, "no such file": 1}
    assert "record.json cannot be read" in summary.damaged[0]
    assert (summary.verified.hits, summary.verified.clips) == (3, 5)
    assert (summary.verified_understood.hits, summary.verified_understood.clips) == (1, 3)


@pytest.mark.parametrize(("hits", "clips"), [(5, 5), (0, 5), (3, 5), (1, 1), (0, 1), (7, 10)])
def test_the_share_of_verified_clips_has_wilsons_interval(
    tmp_path: Path, hits: int, clips: int
) -> None:
    records = [a_record(verified=i < hits) for i in range(clips)]
    verified = summary_of(tmp_path / "run", *records).verified
    assert verified.share == hits / clips
    assert (verified.low, verified.high) == pytest.approx(wilson(hits, clips), abs=1e-12)


def test_wilsons_interval_of_five_of_five_as_it_is_known() -> None:
    assert wilson(5, 5) == pytest.approx((0.5655, 1.0), abs=5e-5)


def test_a_folder_of_items_has_neither_errors_nor_pending(tmp_path: Path) -> None:
    write_item(tmp_path / "one", a_record())
    write_item(tmp_path / "two", "{}")
    (summary,) = summarise([tmp_path])
    assert (summary.counts.clips, summary.counts.finished, summary.counts.damaged) == (2, 1, 1)


def test_an_item_is_a_folder_of_one(tmp_path: Path) -> None:
    write_item(tmp_path / "one", a_record())
    assert summarise([tmp_path / "one"])[0].counts.clips == 1


# ---- distributions


def test_distributions_are_over_verified_clips_and_say_what_they_skip(tmp_path: Path) -> None:
    values = [3.1, 0.0, None, 4.5, 3.3]
    records = [a_record(pesq=value) for value in values]
    summary = summary_of(tmp_path / "run", *records, a_record(pesq=1.0, verified=False))
    spread, known = summary.spreads["pesq"], [3.1, 0.0, 4.5, 3.3]
    assert spread is not None
    assert (spread.count, spread.skipped) == (4, 1)
    quartiles = statistics.quantiles(known, method="inclusive")
    assert [spread.quartile_1, spread.median, spread.quartile_3] == pytest.approx(quartiles)
    assert (spread.least, spread.greatest) == (0.0, 4.5)
    assert spread.mean == pytest.approx(statistics.fmean(known))


def test_each_distribution_is_of_its_own_field(tmp_path: Path) -> None:
    summary = summary_of(tmp_path / "run", a_record(quality_in_rooms=QUALITY_IN_ROOMS))
    in_rooms = {
        f"quality_in_rooms_{name}_{what}": QUALITY_IN_ROOMS[name][what]
        for name in ("zimtohrli_mos", "pesq_c2", "temporal_loss")
        for what in ("median", "worst")
    }
    expected = {
        **{"passes": 500, "first_match": 7, "seconds": 2.5, "snr_db": -3.5, "max_abs": 120},
        **{"masking_loss": 5.5, "masking_share_above": 0.25, "pesq": 3.4, "stoi": 0.99},
        **{"masking_mean_excess_db": 3.0, "masking_max_excess_db": 9.0, "temporal_loss": 2.5},
        **{"temporal_margin_db": -6.5, "masking_edges_db": 0.0},
        **{"zimtohrli_mos": 4.4, "pesq_c2": 3.9},
        **in_rooms,
    }
    assert {name: spread and spread.median for name, spread in summary.spreads.items()} == expected
    assert expected.keys() == set(SPREADS)


def test_what_was_measured_on_no_clip_has_no_distribution(tmp_path: Path) -> None:
    unmeasured = ("pesq", "stoi", "pesq_c2", "zimtohrli", "zimtohrli_mos", "temporal")
    nothing = a_record(**dict.fromkeys(unmeasured), snr_db=None, first_match=None)
    summary = summary_of(tmp_path / "run", nothing)
    known = {name for name, spread in summary.spreads.items() if spread}
    measured = {name for name in SPREADS if name.startswith("masking")}
    assert known == {"passes", "seconds", "max_abs"} | measured
    unverified = summary_of(tmp_path / "other", a_record(verified=False))
    assert set(unverified.spreads.values()) == {None}


# ---- word errors


def test_word_errors_are_pooled_over_words_not_over_clips(tmp_path: Path) -> None:
    summary = summary_of(
        tmp_path / "run",
        # target: 0 of 3; original, which is the text: 3 of 3; clean: 1 of 3
        a_record(heard="Open the door!", text="nothing at all", heard_clean="Nothing at."),
        # target: 1 of 1 and another inserted, 2 of 1; no text: original is what was heard, 2 of 4
        a_record(target="go", text=None, heard="one two", heard_clean="one two three four"),
    )
    assert summary.to_target == ErrorRate(2, errors=2, words=4, characters=0, rate=0.5, median=1)
    assert summary.to_original == ErrorRate(2, 5, 7, 0, rate=5 / 7, median=0.75)
    assert summary.clean == ErrorRate(1, 1, 3, 0, rate=1 / 3, median=1 / 3)


def test_a_transcript_that_loops_does_not_decide_the_median(tmp_path: Path) -> None:
    loops = a_record(verified=False, heard="open the door " * 100)
    summary = summary_of(tmp_path / "run", a_record(), a_record(), loops)
    assert (summary.to_target.rate, summary.to_target.median) == (33, 0)  # 297 of 9 words
    lines = describe(summary)
    assert lines["WER to target"] == "> 100% of 9 words; median clip 0.0%"
    assert lines["> 100%"].startswith("more errors than words")
    assert "> 100%" not in describe(summary_of(tmp_path / "other", a_record()))


def test_what_is_counted_is_what_the_writing_counts(tmp_path: Path) -> None:
    chinese = {"text": "宋朝末年间定居粉岭围。", "heard_clean": "宋朝末年间定居分岭围"}
    mixed = {"text": "我用 iPhone 打电话", "heard_clean": "我用iPhone打电话"}
    lines = describe(summary_of(tmp_path / "run", a_record(**chinese), a_record(**mixed)))
    assert lines["WER of original"] == "6.2% of 1 word and 15 characters; median clip 5.0%"


def test_only_the_target_is_compared_to_the_letter(tmp_path: Path) -> None:
    words = {
        "heard": "open the door",
        "text": "OPEN THE DOOR",
        "heard_clean": "Open the door!",
    }
    record = a_record(target="Open the door.", exact=True, **words)
    summary = summary_of(tmp_path / "run", record)
    assert summary.to_target.errors == 2
    assert (summary.to_original.errors, summary.clean.errors) == (0, 0)


def test_a_file_that_was_never_heard_has_no_word_errors(tmp_path: Path) -> None:
    stopped = a_record(heard="", interrupted=True, verified=False)
    silent = a_record(heard="", verified=False)
    assert summary_of(tmp_path / "stopped", stopped).to_target == ErrorRate(0, 0, 0, 0, None, None)
    assert summary_of(tmp_path / "silent", silent).to_target == ErrorRate(1, 3, 3, 0, 1, 1)
    assert summary_of(tmp_path / "both", stopped).clean.clips == 1


@pytest.mark.parametrize("words", HOSTILE)
def test_any_transcript_can_be_summed_up_and_told(tmp_path: Path, words: str) -> None:
    record = a_record(heard=words, heard_clean=words, text=words, victim=f"v{words}")
    summary = summary_of(tmp_path / "run", record, errors={"x": words})
    json.dumps(summary.to_json(), allow_nan=False)
    for line in describe(summary).values():
        assert line == "" or line.isprintable()
    assert summary.clean.errors == 0


# ---- rooms


def in_rooms(heard: float, clean: float = 0.0, **changes: Any) -> dict[str, Any]:
    control = {"rooms": {**IN_ROOMS, "heard": clean}, "dry": DRY}
    return a_record(rooms={**IN_ROOMS, "heard": heard}, clean=control, **changes)


def test_the_mean_share_of_rooms_has_students_interval_over_clips(tmp_path: Path) -> None:
    shares = [0.4, 0.5, 0.9]
    records = [in_rooms(share, clean=share / 10, verified=share >= 0.5) for share in shares]
    summary = summary_of(tmp_path / "run", *records)
    assert summary.rooms is not None
    assert summary.clean_rooms is not None
    reach = STUDENT[3] * statistics.stdev(shares) / math.sqrt(3)
    mean = statistics.fmean(shares)
    assert summary.rooms.mean == pytest.approx(mean)
    assert (summary.rooms.low, summary.rooms.high) == pytest.approx((max(mean - reach, 0), 1.0))
    assert summary.clean_rooms.mean == pytest.approx(mean / 10)
    assert summary.clean_rooms.high == pytest.approx((mean + reach) / 10)


def test_one_clip_in_rooms_has_no_interval_and_none_has_no_mean(tmp_path: Path) -> None:
    rooms = summary_of(tmp_path / "one", in_rooms(0.8)).rooms
    assert rooms is not None
    assert (rooms.clips, rooms.mean, rooms.low, rooms.high) == (1, 0.8, None, None)
    assert summary_of(tmp_path / "none", a_record()).rooms is None


# ---- groups and folders


def test_groups_come_in_the_order_in_which_they_are_seen(tmp_path: Path) -> None:
    for name, preset in (("1", "paper"), ("2", "fast"), ("3", "paper")):
        write_item(tmp_path / "x" / name, a_record(preset=preset))
    write_item(tmp_path / "y" / "1", a_record(preset="fast"))
    found = summarise([tmp_path / "x", tmp_path / "y"])
    assert [(summary.preset, summary.counts.clips) for summary in found] == [
        *(("paper", 2), ("fast", 2)),
    ]
    assert found[0].folders == (str(tmp_path / "x"),)
    assert found[1].folders == (str(tmp_path / "x"), str(tmp_path / "y"))


def test_what_tells_no_group_counts_with_the_finished_clips_of_its_run(tmp_path: Path) -> None:
    # the manifest names the victim as it was asked for, records as it calls itself
    summary = summary_of(tmp_path / "run", "{", a_record(), errors={"x": "why"}, pending=["y"])
    assert (summary.victim, summary.method, summary.preset) == ("linear", "imperceptible", "fast")
    assert summary.counts.clips == 4


def test_a_run_of_which_nothing_has_finished_is_named_by_its_manifest(tmp_path: Path) -> None:
    empty, failed = a_run(tmp_path / "empty"), a_run(tmp_path / "failed", errors={"x": "why"})
    (summary,) = summarise([empty, failed])
    assert (summary.victim, summary.method, summary.preset) == (
        *("of the manifest", "robust", "paper"),
    )
    assert (summary.counts.clips, summary.counts.errors, summary.counts.finished) == (1, 1, 0)
    assert summary.verified == Share(0, 0, None, None, None)
    assert summary.folders == (str(empty), str(failed))


def test_a_manifest_that_does_not_say_what_is_run_is_refused(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", pending=["x"])
    for text in ("{", "{}", '{"configuration": {"method": "robust"}, "victim": 7}'):
        (run / "manifest.json").write_text(text)
        with pytest.raises(MondegreenError, match=r"manifest\.json"):
            summarise([run])


def test_damaged_items_alone_are_of_an_unknown_group(tmp_path: Path) -> None:
    write_item(tmp_path / "one", "{}")
    (summary,) = summarise([tmp_path])
    assert (summary.victim, summary.counts.damaged) == (None, 1)
    assert "(unknown)" in summary.label


def test_a_folder_named_twice_counts_once(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", {"a": a_record()})
    assert summarise([run, run / ".." / "run"])[0].counts.clips == 1


def test_compared_folders_stay_apart_and_keep_their_labels(tmp_path: Path) -> None:
    runs = [a_run(tmp_path / name, {"a": a_record()}) for name in ("x", "y")]
    assert summarise(runs)[0].counts.clips == 2
    found = [part.summary for part in gather_to_compare(runs).parts]
    assert [summary.counts.clips for summary in found] == [1, 1]
    assert [summary.label for summary in found] == [f"linear imperceptible fast, {r}" for r in runs]


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="holds no results"):
        summarise([tmp_path])
    with pytest.raises(MondegreenError, match="does not exist"):
        summarise([tmp_path / "nowhere"])


# ---- controls


def test_checks_of_other_items_are_none(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", {"a": a_record()})
    keep_findings(run, [], sample=1, seed=0)
    write_item(run / "items" / "b", a_record())
    (run / "clips.jsonl").write_text(
        "".join(json.dumps({"key": k, "id": k, "audio_filepath": k}) + "\n" for k in "ab")
    )
    assert summarise([run])[0].findings == {str(run): None}


def test_what_sanity_found_is_kept_by_folder(tmp_path: Path) -> None:
    runs = [a_run(tmp_path / name, {"a": a_record()}) for name in ("x", "y")]
    (before,) = summarise(runs)
    assert before.findings == {str(run): None for run in runs}
    found = [Finding("deaf", "warning", state, "hears nothing") for state in ("ok", "fires")]
    keep_findings(runs[0], found, sample=1, seed=0)
    (after,) = summarise(runs)
    assert after.findings == {str(runs[0]): tuple(found), str(runs[1]): None}


_WHOLE = '{"items": {}, "sample": 1, "seed": 0, "findings": %s}'


@pytest.mark.parametrize("text", ["{", "{}", _WHOLE % "[{}]", _WHOLE % "7"])
def test_damaged_checks_are_no_clean_bill(tmp_path: Path, text: str) -> None:
    run = a_run(tmp_path / "run", {"a": a_record()})
    (run / "sanity.json").write_text(text)
    assert summarise([run])[0].findings == {str(run): None}


# ---- nested and mixed folders


def test_an_item_inside_another_counts_once_however_it_is_named(tmp_path: Path) -> None:
    """As `mondegreen demo --method combined` leaves them, and reports on them."""
    demo = tmp_path / "demo"
    write_item(demo, a_record(method="combined"))
    write_item(demo / "robust", a_record(method="robust"))
    for folders in ([demo], [demo / "robust", demo], [demo, demo / "robust"]):
        found = {summary.method: summary.counts.clips for summary in summarise(folders)}
        assert found == {"combined": 1, "robust": 1}
    (clip,) = gather([[demo]]).clips
    assert [attempt.part for attempt in clip.attempts] == [0, 1]


def test_a_folder_of_mixed_schemas_counts_the_old_items_as_damaged(tmp_path: Path) -> None:
    old = a_record()
    del old["schema"]
    write_item(tmp_path / "a", old)
    write_item(tmp_path / "b", a_record())
    (summary,) = summarise([tmp_path])
    assert (summary.counts.finished, summary.counts.damaged) == (1, 1)
    assert "schema 1" in describe(summary)["damaged"]


# ---- what keeps runs from being compared


def test_one_run_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"nothing to compare with.*mondegreen summary"):
        gather_to_compare([a_run(tmp_path / "run", {"a": a_record()})])


def differences(tmp_path: Path, *runs: dict[str, dict[str, Any]]) -> list[str]:
    names = [f"r{number}" for number in range(len(runs))]
    made = [a_run(tmp_path / name, records) for name, records in zip(names, runs, strict=True)]
    return contrast(gather([[run] for run in made]))


def test_equal_runs_do_not_differ(tmp_path: Path) -> None:
    assert differences(tmp_path / "alone", {"a": a_record()}) == []
    assert differences(tmp_path / "two", {"a": a_record()}, {"b": a_record()}) == []
    twice = {key: a_record(target=target) for key, target in (("a", "Open it!"), ("b", "open it"))}
    assert differences(tmp_path / "twice", twice, twice) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "y"}, "The clips differ: 0 clips in all of them (1 in r0; 1 in r1)."),
        ({"target": "another"}, "The targets of 1 clip differ."),
        (
            {"passes": 40},
            "The budgets differ. Gradient passes of the longest search: 500 in r0; 40 in r1.",
        ),
        ({"exact": True}, "The rules for a match differ"),
    ],
)
def test_what_differs_is_said(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    (line,) = differences(tmp_path, {"a": a_record()}, {"a": a_record(**change)})
    assert line.startswith(said)


def test_other_rooms_are_said_unless_a_method_has_none(tmp_path: Path) -> None:
    runs = [{"a": a_record(bank=bank)} for bank in ("x", "y", None)]
    (line,) = differences(tmp_path / "rooms", *runs[:2])
    assert line.startswith("The banks of rooms differ")
    assert differences(tmp_path / "none", *runs[1:]) == []


# ---- a real result, and many


def test_a_real_result(tmp_path: Path) -> None:
    save(tmp_path / "clip.wav", speech(), 16_000)
    found = attack(linear_victim(), tmp_path / "clip.wav", "open the door", max_passes=100)
    found.save(tmp_path / "out")
    (summary,) = summarise([tmp_path / "out"])
    assert (summary.victim, summary.counts.verified) == ("linear", 1)
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert (summary.to_target.rate, summary.to_target.words) == (record["wer_target"], 3)
    assert summary.to_original.rate == record["wer_original"]
    spread = summary.spreads["max_abs"]
    assert spread is not None
    assert spread.median == found.record.quality.max_abs


@pytest.mark.slow
def test_many_clips_take_little_memory(tmp_path: Path) -> None:
    found: list[Summary] = []
    summarise([a_run(tmp_path / "one", {"a": a_record()})])  # imports what it needs
    few, more = (
        peak_of(lambda run: found.extend(summarise([run])), tmp_path, count) for count in (100, 600)
    )
    assert [one.counts.verified for one in found] == [100, 600]
    assert [one.to_target.words for one in found] == [300, 1_800]
    assert (more - few) / 500 < 2_000  # bytes; a record takes 8,800


# ---- in words


def test_json_is_plain(tmp_path: Path) -> None:
    told = summary_of(tmp_path / "run", in_rooms(0.8)).to_json()
    assert json.loads(json.dumps(told, allow_nan=False))["verified"]["share"] == 1.0
    assert told["label"].endswith("run")
    assert told["spreads"]["passes"]["median"] == 500


def test_an_untargeted_run_has_words_lost_and_no_target(tmp_path: Path) -> None:
    lost = {"method": "untargeted", "target": None, "wer_target": None, "snr": 30.0}
    said = {"text": "open the door", "heard_clean": "Open the door."}
    records = [
        a_record(**lost, **said, heard="Oh, penned a floor.", wer_original=4 / 3),
        a_record(**lost, **said, heard="Open a door.", wer_original=1 / 3, verified=False),
    ]
    lines = describe(summary_of(tmp_path / "run", *records))
    assert "WER to target" not in lines
    assert lines["WER to original"] == "83.3% of 6 words; median clip 83.3%"
    assert lines["bound"] == "a signal-to-noise ratio of at least 30 dB"
    assert lines["verified"].startswith("1 of 2, 50%")


def test_a_summary_is_told_line_by_line(tmp_path: Path) -> None:
    said = {0.4: "nothing at all", 0.8: "oh nothing at all"}
    records = [in_rooms(share, verified=share >= 0.5, text=said[share]) for share in said]
    why = {"x": "no words\nin it", "y": "b", "z": "c", "u": "d", "v": "e"}
    summary = summary_of(tmp_path / "run", *records, "{", errors=why, pending=["later"])
    lines = describe(summary)
    assert lines["clips"] == "2 of 9 finished, 5 failed with an error, 1 damaged, 1 pending"
    assert lines["verified"] == "1 of 2, 50% (95 %: 9% to 91%)"
    understood = lines["of clips transcribed well"]
    assert understood == "1 of 2, 50% (95 %: 9% to 91%)"
    assert lines["WER to target"] == "0.0% of 6 words; median clip 0.0%"
    assert lines["WER to original"] == "100.0% of 7 words; median clip 100.0%"
    assert lines["WER of original"] == "14.3% of 7 words; median clip 12.5%"
    assert lines["test rooms"] == (
        "in paper air, heard in 60% (95 %: 0% to 100%), mean over 2 clips"
    )
    assert lines["original, in rooms"] == (
        "in paper air, heard in 0% (95 %: 0% to 0%), mean over 2 clips"
    )
    assert lines["above threshold"] == "25.0% (25.0% to 25.0%; 25.0% to 25.0%), mean 25.0%"
    assert lines["sanity checks"] == "not run (mondegreen sanity)"
    assert lines["errors"] == "1 × no words in it; 1 × b; 1 × c; and 2 more"
    assert lines["damaged"].startswith(str(tmp_path))


def test_the_airs_of_the_rooms_are_named(tmp_path: Path) -> None:
    car = Air(name="car.toml", gain_db=(-6.0, 0.0))
    airs = [REAL.model_dump(mode="json"), car.model_dump(mode="json"), None]
    several = summary_of(tmp_path / "several", *(in_rooms(0.8, air=air) for air in airs))
    assert several.airs == ("real air", "the air of car.toml", "paper air")
    told = describe(several)["test rooms"]
    assert told.startswith("in real air and the air of car.toml and paper air, heard in 80%")
    assert summary_of(tmp_path / "dry", a_record()).airs == ()


def test_large_numbers_small_numbers_and_none_are_told(tmp_path: Path) -> None:
    masking = {**MASKING, "loss": 1174736.4}
    lines = describe(summary_of(tmp_path / "run", a_record(masking=masking, pesq=None)))
    assert lines["masking loss"].startswith("1,174,736 (")
    assert lines["SNR, dB"].startswith("-3.50 (")
    assert lines["PESQ (2007)"] == "-"
    assert "unknown for" not in lines["passes"]
    assert "test rooms" not in lines
    assert "errors" not in lines


def test_what_some_clips_lack_is_told(tmp_path: Path) -> None:
    lines = describe(summary_of(tmp_path / "run", a_record(pesq=None), a_record(pesq=3.0)))
    assert lines["PESQ (2007)"] == "3.00 (3.00 to 3.00; 3.00 to 3.00), mean 3.00; unknown for 1"


def test_verdicts_are_counted_on_verified_clips(tmp_path: Path) -> None:
    old = dict.fromkeys(("pesq_c2", "zimtohrli", "zimtohrli_mos", "temporal"))
    quiet = {"pesq_c2": 4.5, "zimtohrli_mos": 4.8, "temporal": {**MASKING, "loss": 0.1}}
    plain = a_record(zimtohrli_mos=3.0)
    records = [a_record(), a_record(**quiet), plain, plain, a_record(**old)]
    summary = summary_of(tmp_path / "run", *records, a_record(**quiet, verified=False))
    assert list(summary.verdicts.values()) == [1, 1, 2]
    assert describe(summary)["how audible"] == (
        "1 probably inaudible, 1 audible on direct comparison, 2 plainly audible, 1 not known"
    )
    unknown = summary_of(tmp_path / "old", a_record(**old))
    assert describe(unknown)["how audible"] == "-"


def test_what_is_heard_in_rooms_is_summed_up_where_it_was_measured(tmp_path: Path) -> None:
    there = a_record(quality_in_rooms=QUALITY_IN_ROOMS)
    lines = describe(summary_of(tmp_path / "run", there, there, a_record()))
    assert lines["how audible, in rooms"] == (
        "0 probably inaudible, 0 audible on direct comparison, 2 plainly audible, 1 not known"
    )
    assert lines["Zimtohrli MOS, worst room"].startswith("2.50 (2.50 to 2.50;")
    dry = describe(summary_of(tmp_path / "dry", a_record()))
    assert lines.keys() - dry.keys() >= {"how audible, in rooms", "PESQ (Cor. 2), median room"}
    assert not [name for name in dry if "room" in name]


def test_findings_are_told(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", {"a": a_record()})
    states = ("ok", "fires", "skipped")
    found = [Finding(f"is-{state}", "warning", state, "hears\nnothing") for state in states]
    keep_findings(run, found, sample=1, seed=0)
    other = a_run(tmp_path / "other", {"a": a_record()})
    (summary,) = summarise([run, other])
    told = describe(summary)["sanity checks"]
    assert told == f"is-fires (warning): hears nothing; not run in {other}"
    keep_findings(run, [], sample=1, seed=0)
    assert describe(summarise([run])[0])["sanity checks"] == "none fired"


def test_side_by_side_has_a_column_for_each_and_no_row_of_nothing(tmp_path: Path) -> None:
    x = a_run(tmp_path / "x", {"a": in_rooms(0.8, pesq=None)})
    passes = zip("abc", (400, 900, 950), strict=True)
    y = a_run(tmp_path / "y", {key: a_record(passes=count, pesq=None) for key, count in passes})
    header, rows = side_by_side([part.summary for part in gather_to_compare([x, y]).parts])
    assert header == ["", f"linear imperceptible fast, {x}", f"linear imperceptible fast, {y}"]
    told = {name: cells for name, *cells in rows}
    assert told["passes, median"] == ["500", "900"]
    assert told["test rooms"] == ["in paper air, heard in 80%, mean over 1 clip", "-"]
    assert told["of clips transcribed well"][0] == "1 of 1, 100% (95 %: 21% to 100%)"
    assert "PESQ (2007), median" not in told
    assert side_by_side([]) == ([""], [])


def test_a_line_is_short_and_moves_no_cursor() -> None:
    assert one_line("a\x1b[2J\tb\u202e\nc\0") == "a [2J b c"
    assert len(one_line("word " * 2000)) == LONGEST
