"""The page of a run as text: every clip in its place, the numbers of the summary, honest words."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
import toy
from report_runs import HOSTILE, RATE, every_kind, sign, sound_item, sound_run, steps, write_sounds
from test_tables import DRY, IN_ROOMS, QUALITY_IN_ROOMS, a_record, a_run, write_item

import mondegreen.victims
from mondegreen import MondegreenError, cli
from mondegreen.airs import REAL
from mondegreen.audio.pcm import save
from mondegreen.errors import StorageError
from mondegreen.findings import Finding
from mondegreen.report.numbers.contrast import contrast
from mondegreen.report.numbers.sources import gather
from mondegreen.report.page.cards import make_cards, readable
from mondegreen.report.page.head import head
from mondegreen.report.page.media import Shelf
from mondegreen.report.page.transcripts import transcripts
from mondegreen.report.page.write import write_report
from mondegreen.results.folder import WAV, hash_of
from mondegreen.results.heard import Claim, Listening, keep_hearings
from mondegreen.results.sanity import keep_findings


@pytest.fixture(autouse=True)
def charts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts take their time, and are drawn where a test asks for them alone."""
    if "charts" not in request.node.name:
        monkeypatch.setattr("mondegreen.report.page.write.charts", lambda _: [])


def written(tmp_path: Path, *folders: Path) -> str:
    page = tmp_path / "page.html"
    write_report([[folder] for folder in folders], page)
    return page.read_text()


def text_of(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def the_head(*folders: Path) -> Any:
    (part,) = gather([folders]).parts
    return head(part, 0)


def facts(*folders: Path) -> dict[str, str]:
    found: dict[str, str] = the_head(*folders).facts
    return found


def figures(*folders: Path) -> dict[str, str]:
    return {name: value for name, value, _ in the_head(*folders).figures}


# ---- what the page is about


def test_every_clip_is_there_once_in_the_order_of_the_run(tmp_path: Path) -> None:
    gathered = gather([[every_kind(tmp_path / "run")]])
    names = [clip.id for clip in gathered.clips]
    keys = [
        *("broken", "good", "failed", "stopped", "deaf", "bare", "rooms"),
        *("hostile", "long", "changed", "later", "later2"),
    ]
    assert names == [HOSTILE if key == "hostile" else f"id-{key}" for key in keys]
    folders = [clip.attempts[0].entry.folder for clip in gathered.clips]
    assert [folder and folder.name for folder in folders] == [
        *(None if key in ("broken", "later") else key for key in keys),
    ]


def test_a_clip_with_its_target_stands_on_one_card_for_all_runs(tmp_path: Path) -> None:
    first = sound_run(tmp_path / "first", {"a": {"id": "x"}, "b": {"id": "y"}})
    second = sound_run(
        tmp_path / "second",
        {"c": {"id": "y", "target": "Open the DOOR!"}, "d": {"id": "x", "target": "another"}},
    )
    gathered = gather([[first], [second]])
    assert [part.label for part in gathered.parts] == ["first", "second"]
    cards = [(clip.id, clip.target, [one.part for one in clip.attempts]) for clip in gathered.clips]
    assert cards == [
        ("x", "open the door", [0]),
        ("y", "open the door", [0, 1]),
        ("x", "another", [1]),
    ]


def test_two_results_of_one_kind_for_the_same_clip_have_a_card_each(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {"id": "x"}, "b": {"id": "x"}})
    assert [len(clip.attempts) for clip in gather([[run]]).clips] == [1, 1]


def test_methods_mixed_in_one_folder_are_parts_by_what_tells_them_apart(tmp_path: Path) -> None:
    sound_item(tmp_path / "a", method="robust")
    sound_item(tmp_path / "b", method="combined")
    gathered = gather([[tmp_path]])
    assert [part.label for part in gathered.parts] == ["robust", "combined"]
    assert [len(clip.attempts) for clip in gathered.clips] == [2]


def test_items_of_one_command_are_taken_together(tmp_path: Path) -> None:
    folders = [sound_item(tmp_path / name, id=name) for name in ("a", "b")]
    sound_item(tmp_path / "of-before")
    gathered = gather([folders])
    assert [clip.id for clip in gathered.clips] == ["a", "b"]
    assert len(gathered.parts) == 1


def test_runs_of_one_name_are_called_by_their_paths(tmp_path: Path) -> None:
    runs = [sound_run(tmp_path / name / "run", {"a": {}}) for name in ("one", "two")]
    assert [part.label for part in gather([[r] for r in runs]).parts] == [*map(str, runs)]


def test_clips_without_a_record_stand_with_the_first_part_of_their_folder(tmp_path: Path) -> None:
    run = sound_run(
        tmp_path / "run", {"a": {"method": "robust"}, "b": {"method": "combined"}}, pending=["c"]
    )
    parts = [[one.part for one in clip.attempts] for clip in gather([[run]]).clips]
    assert parts == [[0], [1], [0]]


def test_a_folder_that_is_not_there_or_holds_nothing_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(MondegreenError, match=re.escape(str(folder))):
            write_report([[folder]], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_page_without_a_folder_to_be_in_is_refused(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {}})
    with pytest.raises(StorageError, match="there is no such folder"):
        write_report([[run]], tmp_path / "none" / "page.html")


# ---- the head


def test_the_head_has_the_numbers_of_the_summary(tmp_path: Path) -> None:
    run = sound_run(
        tmp_path / "run",
        {
            "a": {"snr_db": 10.0, "pesq_c2": 2.0},
            "b": {"snr_db": 30.0, "pesq_c2": 4.0},
            "c": {"snr_db": 14.0, "pesq_c2": 3.0},
            "d": {"verified": False, "heard": "nothing", "snr_db": 99.0, "pesq_c2": 1.0},
        },
        pending=["e"],
    )
    told = the_head(run)
    assert told.headline == "In 3 of 4 clips, linear was made to transcribe the target"
    # Wilson, by hand: .3006, .9544
    assert told.lead == "Proved from the saved 16-bit files: 75% (95 %: 30% to 95%)."
    assert told.audible == (
        "Of the verified clips, by these yardsticks: 0 probably inaudible, 1 audible on direct"
        " comparison, 2 plainly audible."
    )
    assert told.bars == [("", [(0.0, 0.0), (0.0, 33.33), (33.33, 66.67)])]
    assert figures(run) == {
        "Zimtohrli MOS, median of 3 verified": "4.40",
        "PESQ (Cor. 2), median of 3 verified": "3.00",
        "SNR, dB, median of 3 verified": "14.00",
        "above threshold, median of 3 verified": "25.0%",
        "passes, median of 3 verified": "500",
    }
    assert told.left == ["1 not attacked yet"]
    assert facts(run)["Target"] == "2 phrases, listed below"  # that of the pending clip too


@pytest.mark.parametrize(
    ("verified", "told"),
    [
        (
            True,
            ("linear was made to transcribe the target", "Proved from the saved 16-bit file."),
        ),
        (False, ("linear was not made to transcribe the target", "")),
    ],
)
def test_of_one_clip_there_are_no_medians(
    tmp_path: Path, verified: bool, told: tuple[str, str]
) -> None:
    found = the_head(sound_item(tmp_path / "a", verified=verified))
    assert (found.headline, found.lead) == told
    assert "median" not in str(found.figures)


def test_method_and_data_are_told_in_words_and_paths_are_not(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {"method": "robust", "preset": "paper"}})
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["configuration"]["clips"] = "/home/somebody/clips.tsv"
    (run / "manifest.json").write_text(json.dumps(manifest))
    told = facts(run)
    assert told["Recordings"] == "1 clip of clips.tsv"
    assert told["Method"].startswith(
        "robust, preset paper: a perturbation that is still transcribed"
    )
    assert told["Method"].endswith("with the constants of the paper")
    assert told["Target"] == "“open the door”"
    assert (told["First match"], told["Time"]) == ("at pass 7", "2.50 s per clip")
    assert told["Proof"].endswith("with the target, ignoring case and punctuation")


@pytest.mark.parametrize("manifest", [{"configuration": 3}, {}, {"configuration": {"clips": 1}}])
def test_a_manifest_that_tells_nothing_keeps_nobody_from_the_page(
    tmp_path: Path, manifest: dict[str, Any]
) -> None:
    run = sound_run(tmp_path / "run", {"a": {}})
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert facts(run)["Recordings"] == "1 clip in the folder run"


def test_a_run_without_a_finished_clip_says_so(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", errors={"a": "silent"}, pending=["b"])
    told = the_head(run)
    assert told.headline == "No clip is finished yet, of 2 clips"
    assert told.figures == []
    assert "There are none" not in written(tmp_path, run)


def test_a_run_without_clips_has_a_page_too(tmp_path: Path) -> None:
    page = written(tmp_path, a_run(tmp_path / "run"))
    assert "The run has no clips" in text_of(page)
    assert "There are none." in page


def test_rooms_stand_beside_the_clean_clips(tmp_path: Path) -> None:
    clean = {"rooms": {**IN_ROOMS, "heard": 0.1}, "dry": DRY}
    run = sound_run(tmp_path / "run", {"a": {"bank": "b" * 64, "rooms": IN_ROOMS, "clean": clean}})
    _, value, meaning = the_head(run).figures[0]
    assert value == "80%"
    assert meaning.endswith("in the original, in 10%")
    assert "in at least half of the test rooms" in the_head(run).headline
    page = text_of(written(tmp_path, run))
    assert (
        "In paper air, the target is heard in 8 of 10 test rooms (80%; 95 %: 49% to 94%);"
        " in the original, in 1 of 10 test rooms (10%; 95 %: 49% to 94%)." in page
    )
    assert "test-0 open the door yes" in page


def test_the_air_is_named_where_rooms_are(tmp_path: Path) -> None:
    real = REAL.model_dump(mode="json")
    run = sound_run(tmp_path / "run", {"a": {"bank": "b" * 64, "rooms": IN_ROOMS, "air": real}})
    assert the_head(run).figures[0][0] == "Test rooms in real air"
    assert "in at least half of the test rooms, in real air" in the_head(run).headline
    page = text_of(written(tmp_path, run))
    assert "In real air, the target is heard in 8 of 10 test rooms" in page


def checked(run: Path, *findings: tuple[str, Any, Any]) -> Path:
    found = [
        Finding(name, severity, state, f"detail of {name}") for name, severity, state in findings
    ]
    keep_findings(run, found, sample=3, seed=0)
    return run


def test_what_sanity_found_is_told(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {}})
    assert the_head(run).verdict == "Not run. Run `mondegreen sanity RUN`."
    checked(run, ("gradient-zero", "error", "ok"), ("rooms-leak", "error", "skipped"))
    told = the_head(run)
    assert told.verdict == "None of the checks fired (1 skipped)."
    assert [(one.id, one.detail) for one in told.skipped] == [
        ("rooms-leak", "detail of rooms-leak"),
    ]
    checked(run, ("clean-not-understood", "warning", "fires"))
    assert the_head(run).verdict == "These numbers mean less than they seem to."
    checked(run, ("noise-succeeds", "error", "fires"), ("eps-does-not-help", "warning", "fires"))
    told = the_head(run)
    assert told.verdict.startswith("Do not trust these numbers")
    assert [one.id for one in told.fired] == ["noise-succeeds", "eps-does-not-help"]
    assert "detail of noise-succeeds" in text_of(written(tmp_path, run))


def test_checks_of_other_items_count_as_none(tmp_path: Path) -> None:
    run = checked(sound_run(tmp_path / "run", {"a": {}}), ("x", "error", "ok"))
    sound_item(tmp_path / "new", id="another")
    (run / "items/a/record.json").write_bytes((tmp_path / "new/record.json").read_bytes())
    assert the_head(run).verdict.startswith("Not run.")


def test_checks_of_one_folder_are_none_of_another(tmp_path: Path) -> None:
    folders = [sound_item(tmp_path / name) for name in ("a", "b")]
    checked(folders[0], ("x", "error", "ok"))
    assert the_head(*folders).verdict == f"None of the checks fired (not run in {folders[1]})."


def test_every_page_says_what_no_number_establishes(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {}})
    for folders in ([run], [run, sound_run(tmp_path / "other", {"a": {}})]):
        told = text_of(written(tmp_path, *folders))
        assert told.count("No number here proves that a perturbation is inaudible") == 1
        assert "Only for recognisers you own or are allowed to test." in told


# ---- every clip


def test_filters_count_failures_as_well_as_successes(tmp_path: Path) -> None:
    page = written(tmp_path, every_kind(tmp_path / "run"))
    counts = re.findall(r'data-filter="(\w*)".*?<span class="count">(\d+)</span>', page)
    assert dict(counts) == {
        **{"": "12", "verified": "6", "failed": "3", "error": "1", "pending": "1"},
        **{"damaged": "2", "misunderstood": "1", "interrupted": "1"},
    }
    kinds = re.findall(r'data-kinds="([\w ]*)"', page)
    assert kinds == [
        *(
            "error",
            "verified",
            "failed",
            "failed interrupted",
            "verified misunderstood",
            "verified",
        ),
        *("verified", "verified", "failed", "verified damaged", "pending", "damaged"),
    ]


def test_items_whose_files_changed_are_said_to_be_so(tmp_path: Path) -> None:
    page = text_of(written(tmp_path, every_kind(tmp_path / "run")))
    assert "1 with sounds that do not match their records" in page
    assert "adversarial.wav is not the file that was saved" in page


def test_what_was_never_heard_has_no_word_errors(tmp_path: Path) -> None:
    stopped = {"verified": False, "heard": "", "interrupted": True, "wer_target": 1.0}
    page = written(tmp_path, sound_run(tmp_path / "run", {"a": stopped}))
    assert "<dt>WER to target</dt>" not in page
    assert "<dt>SNR, dB</dt>" in page
    assert "not transcribed: the proof was interrupted" in page
    assert ">not transcribed" in page


def test_records_without_pesq_and_levels_have_a_page(tmp_path: Path) -> None:
    unknown = ("pesq", "stoi", "snr_db", "pesq_c2", "zimtohrli", "zimtohrli_mos", "temporal")
    bare = {"pictured": False, **dict.fromkeys(unknown)}
    page = written(tmp_path, sound_run(tmp_path / "run", {"a": bare}))
    assert "No picture: the item has no levels to draw." in page
    assert "PESQ" not in page
    assert "by these yardsticks" not in page
    assert "<audio" in page


def test_the_verdict_leads_the_page_and_the_card(tmp_path: Path) -> None:
    rated, other = {"zimtohrli_mos": 3.2}, {"verified": False}
    page = written(tmp_path, sound_run(tmp_path / "run", {"a": rated, "b": other}))
    sentence = "Plainly audible by these yardsticks: Zimtohrli MOS 3.20 (below 4)."
    assert f'<p class="lead">{sentence}</p>' in page
    assert f"<p>{sentence}</p>" in page


def story(page: str) -> tuple[str, list[str], str]:
    """What a page of one result says first: its headline, its marks, and the texts that remain."""
    headline = re.search(r"<h1 class=.story.>(.*?)</h1>", page, re.S)
    texts = re.search(r'<dl class="texts">(.*?)</dl>', page, re.S)
    assert headline is not None
    marks = re.findall(r"<li class=\"\w+\">(.*?)</li>", page)
    return text_of(headline[1]), marks, text_of(texts[1]) if texts else ""


HEARD = "Original, heard as Nothing at all. → Adversarial, heard as"


def test_a_page_of_one_result_begins_with_what_is_heard_and_how_audible_it_is(
    tmp_path: Path,
) -> None:
    page = written(tmp_path, sound_run(tmp_path / "run", {"a": {"zimtohrli_mos": 4.5}}))
    assert story(page) == (
        f"{HEARD} Open the door.",
        ["verified from the saved file", "audible on direct comparison"],
        "",  # what is said, the target and both transcripts are in the headline
    )
    body = page[page.index("<body>") : page.index("<script>")]
    assert body.index('class="player"') < body.index('class="drawings"')
    assert body.index('class="drawings"') < body.index('class="gauges"')
    assert "<table" not in body
    assert "data-filter" not in body
    assert "inaudible" not in page[page.index("<h1") : page.index("</ul>")]


def test_a_headline_says_what_failed_and_leaves_the_differences_to_the_card(tmp_path: Path) -> None:
    failed = {"verified": False, "heard": "open a door", "understood": False, "interrupted": True}
    headline, marks, texts = story(written(tmp_path, sound_run(tmp_path / "run", {"a": failed})))
    assert headline == f"{HEARD} open a door"
    assert [marks[0], *marks[2:]] == [
        *("not verified", "not understood before the attack", "interrupted"),
    ]
    assert "Target open the door" in texts
    assert "not the target, WER 33.3%" in texts
    stopped = {"verified": False, "heard": "", "interrupted": True}
    run = sound_run(tmp_path / "stopped", {"a": stopped})
    assert story(written(tmp_path, run))[0] == f"{HEARD} not transcribed"
    silent = {"verified": False, "heard": "", "heard_clean": ""}
    run = sound_run(tmp_path / "silent", {"a": silent})
    assert story(written(tmp_path, run))[0].count("nothing") == 2


def test_a_headline_in_rooms_and_without_a_target(tmp_path: Path) -> None:
    rooms = {"bank": "b" * 64, "rooms": IN_ROOMS, "clean": {"rooms": IN_ROOMS, "dry": DRY}}
    rooms |= {"quality_in_rooms": QUALITY_IN_ROOMS, "zimtohrli_mos": 4.25}
    _, marks, _ = story(written(tmp_path, sound_run(tmp_path / "rooms", {"a": rooms})))
    assert marks == [
        "verified in 8 of 10 test rooms",
        "plainly audible in the median room",
        "audible on direct comparison as a file",
    ]
    lost = {"method": "untargeted", "target": None, "wer_target": None, "wer_original": 0.75}
    lost |= {"heard_clean": "Open the door.", "heard": "Oh, penned."}
    page = written(tmp_path, sound_run(tmp_path / "lost", {"a": lost}))
    assert story(page)[1][:2] == ["verified from the saved file", "word error rate 75.0%"]
    assert "the target" not in text_of(page)


def test_a_headline_of_changed_files_and_of_hostile_texts(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {"heard": HOSTILE, "heard_clean": "word " * 200}})
    page = written(tmp_path, run)
    headline, _, texts = story(page)
    assert "<script>alert(1)</script>" in headline  # as text
    assert page.count("<script>") == 1
    assert "Transcript of the original word word" in texts  # all of it, as the headline is cut
    (run / "items/a" / WAV).write_bytes(b"RIFF")
    assert story(written(tmp_path, run))[1][0] == "files damaged"


def test_what_others_heard_stays_beside_a_headline(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {}})
    keep_hearings(
        run, Listening("b", 1, "float32", None), [a_claim(run, "Open the door.", True)], 1
    )
    assert story(written(tmp_path, run))[2] == "Transcript by b Open the door. the target"


def test_filters_that_would_change_nothing_are_left_out(tmp_path: Path) -> None:
    page = written(tmp_path, sound_run(tmp_path / "run", {"a": {}, "b": {}}))
    assert "data-filter" not in page[page.index("<body>") : page.index("<script>")]
    page = written(tmp_path, sound_run(tmp_path / "other", {"a": {}, "b": {"verified": False}}))
    found = re.findall(r'data-filter="(\w*)".*?<span class="count">(\d+)</span>', page)
    assert found == [("", "2"), ("verified", "1"), ("failed", "1")]


def test_what_is_heard_in_rooms_leads_and_stands_beside_the_dry_figures(tmp_path: Path) -> None:
    there = {"quality_in_rooms": QUALITY_IN_ROOMS, "zimtohrli_mos": 4.25}
    other = {"verified": False}
    page = written(tmp_path, sound_run(tmp_path / "run", {"a": there, "b": other}))
    sentence = (
        "Plainly audible to a listener in the median room by these yardsticks: Zimtohrli MOS 3.50"
        " (below 4) and PESQ (Cor. 2) 3.25 (below 3.5). Without a room: audible on direct"
    )
    assert f'<p class="lead">{sentence}' in page
    assert f"<p>{sentence}" in page
    for name, value in {"": 4.25, ", median room": 3.5, ", worst room": 2.5}.items():
        assert f"<dt>Zimtohrli MOS{name}</dt><dd>{value:.2f}</dd>" in page


def test_the_verdicts_of_many_are_counted_in_rooms_and_as_files(tmp_path: Path) -> None:
    there = {"quality_in_rooms": QUALITY_IN_ROOMS, "zimtohrli_mos": 4.25}
    page = text_of(written(tmp_path, sound_run(tmp_path / "run", {"a": there, "b": there})))
    assert (
        "by these yardsticks: in rooms, 0 probably inaudible, 0 audible on direct comparison, 2"
        " plainly audible; as files, 0 probably inaudible, 2 audible on direct" in page
    )


def test_a_page_of_untargeted_results_speaks_of_what_is_said(tmp_path: Path) -> None:
    how = {"method": "untargeted", "target": None, "wer_target": None, "text": "open the door"}
    how["heard_clean"] = "Open the door."
    lost = {**how, "heard": "Oh, penned a floor."}
    kept = {**how, "forbid": "door", "heard": "Open a door.", "verified": False}
    page = text_of(written(tmp_path, sound_run(tmp_path / "run", {"a": lost, "b": kept})))
    for told in (
        "In 1 of 2 clips, linear was made to mishear what is said Proved from the saved 16-bit",
        "Aim heard with at least 50% of its words wrong or without the word 'door'; wrong are 83",
        "compared with what is said, ignoring case and punctuation",
        "what was aimed for, WER to what is said > 100%",
        "not what was aimed for, WER to what is said 33.3%",
    ):
        assert told in page
    assert "the target" not in page


def test_what_was_not_measured_says_why_on_its_card(tmp_path: Path) -> None:
    why = {"pesq_c2": "its code crashed (SIGSEGV)", "zimtohrli": "<b>it\nhung", "x": "y"}
    page = written(tmp_path, sound_run(tmp_path / "run", {"a": {"unmeasured": why}}))
    told = "PESQ (Cor. 2): its code crashed (SIGSEGV); Zimtohrli: &lt;b&gt;it hung; x: y"
    assert f'Not measured: <span dir="auto">{told}</span>.' in page


def test_other_levels_than_those_that_were_saved_are_not_drawn(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {}, "b": {}})
    other = sound_item(tmp_path / "other", seconds=2.0) / "levels.safetensors"
    drawn = written(tmp_path, run).count("<img")
    (run / "items/a/levels.safetensors").write_bytes(other.read_bytes())
    page = written(tmp_path, run)
    assert page.count("<img") < drawn
    assert "levels.safetensors is not the file that was saved" in text_of(page)
    assert "Damaged 1" in text_of(page)


def test_a_record_of_another_schema_is_shown_as_damaged_and_says_why(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {"schema": 1}, "b": {}})
    page = text_of(written(tmp_path, run))
    assert "it is a record of schema 1" in page
    assert "1 damaged on disk" in page


def test_an_item_inside_another_is_on_its_card(tmp_path: Path) -> None:
    """As `mondegreen demo --method combined` leaves them, and reports on them."""
    demo = sound_item(tmp_path / "demo", method="combined")
    robust = sound_item(demo / "robust", noise=1, method="robust")
    for sources in ([[demo]], [[robust, demo]]):
        written_page = write_report(sources, tmp_path / "page.html")
        assert written_page.clips == 1
        page = (tmp_path / "page.html").read_text()
        for name in ("combined", "robust"):
            assert text_of(page).count(f"{name} : verified") == 1


def test_the_whole_record_is_there_and_can_be_read_back(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {"seed": 2**63 - 1, "text": HOSTILE + "\u2028é"}})
    page = written(tmp_path, run)
    shown = re.search(r"<pre[^>]*>(.*?)</pre>", page, re.S)
    assert shown is not None
    assert json.loads(html.unescape(shown[1])) == json.loads(
        (run / "items/a/record.json").read_text()
    )


def sounds_on(page: str) -> list[np.ndarray]:
    encoded = re.findall(r'<audio [^>]*src="data:audio/flac;base64,([^"]*)"', page)
    return [soundfile.read(io.BytesIO(base64.b64decode(e)), dtype="int16")[0] for e in encoded]


def test_what_plays_is_what_was_saved_to_the_bit(tmp_path: Path) -> None:
    clean, delta = steps(0.5, noise=7)
    sound_item(tmp_path / "item", 0.5, noise=7)
    original, adversarial, alone = sounds_on(written(tmp_path, tmp_path / "item"))
    np.testing.assert_array_equal(original, clean)
    np.testing.assert_array_equal(adversarial, clean + delta)
    assert np.abs(alone).max() == 16_384


def test_a_comparison_has_one_original_unless_there_are_several(tmp_path: Path) -> None:
    clean, delta = steps(0.5)
    folders = [sound_item(tmp_path / name, 0.5) for name in ("a", "b")]
    write_sounds(folders[1], clean, 2 * delta)
    sign(folders[1], a_record())
    found = sounds_on(written(tmp_path, *folders))
    np.testing.assert_array_equal(found[0], clean)
    np.testing.assert_array_equal(found[1], clean + delta)
    np.testing.assert_array_equal(found[2], clean + 2 * delta)
    assert len(found) == 5
    write_sounds(folders[1], clean + 1, delta)
    sign(folders[1], a_record())
    assert len(sounds_on(written(tmp_path, *folders))) == 6


def test_many_media_lie_beside_the_page(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {}, "b": {}})
    page = tmp_path / "page.html"
    told = write_report([[run]], page, inside=1000)
    assert told.files == tmp_path / "page-files"
    markup = page.read_text()
    assert "data:audio" not in markup
    assert "page-files" in text_of(markup)
    addresses = re.findall(r'(?:audio preload="none"|img loading="lazy") src="([^"]*)"', markup)
    assert len(addresses) == 2 * (3 + 4)
    assert all((tmp_path / address).is_file() for address in addresses)
    assert write_report([[run]], page).files is None
    assert not told.files.exists()


def test_a_page_is_the_same_every_time(tmp_path: Path) -> None:
    run = every_kind(tmp_path / "run")
    assert written(tmp_path, run) == written(tmp_path, run)


def test_cards_are_told_as_they_are_made(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    run = sound_run(tmp_path / "run", {"a": {}, "b": {}}, pending=["c"])
    write_report([[run]], tmp_path / "page.html", on_card=lambda *done: seen.append(done))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_record_is_shown_in_its_writing_and_what_cannot_be_seen_is_escaped() -> None:
    record = {"text": "宋朝 \u202e", "files": {"é": "\n"}}
    assert readable(record) == '{\n "text": "宋朝 \\u202e",\n "files": {\n  "é": "\\n"\n }\n}'
    assert json.loads(readable(record)) == record


def test_a_search_that_never_matched_says_so(tmp_path: Path) -> None:
    never = {"first_match": None, "found_at": None, "verified": False}
    run = sound_run(tmp_path / "run", {"a": never}, errors={"b": "the recording is silent"})
    broken, failed = make_cards(gather([[run]]), Shelf(tmp_path / "page.html", 10**9))
    assert dict(failed.numbers)["first match"] == ["never heard"]
    assert dict(failed.numbers)["margin, dB"] == ["-6.50"]
    assert broken.numbers == []


# ---- texts


def texts_of(run: Path) -> dict[str, tuple[str, str]]:
    (clip,) = gather([[run]]).clips
    found = transcripts([("", attempt) for attempt in clip.attempts])
    return {t.label: (" ".join(f"{p.kind}:{p.text}" for p in t.pieces), t.note) for t in found}


def test_texts_are_marked_where_that_helps(tmp_path: Path) -> None:
    failed = {"verified": False, "heard": "open a door", "text": None}
    assert texts_of(sound_run(tmp_path / "near", {"a": failed})) == {
        "Transcript of the original": ("same:Nothing at all.", ""),
        "Target": ("same:open the door", ""),
        "Transcript of the adversarial file": (
            "same:open missing:the extra:a same:door",
            "not the target, WER 33.3%",
        ),
    }
    far = texts_of(sound_run(tmp_path / "far", {"a": {**failed, "heard": "quite another"}}))
    assert far["Transcript of the adversarial file"] == (
        "same:quite another",
        "not the target, WER 100.0%",
    )


def a_claim(run: Path, heard: str | None, verified: bool, problem: str | None = None) -> Claim:
    """What was heard in the one item of a run."""
    item = run / "items/a"
    file = hash_of(item / WAV)
    return Claim(str(item), file, "id-a", "open the door", True, heard, verified, problem)


def test_what_others_heard_is_told_while_the_file_is_the_same(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {}})
    claim = a_claim(run, "open that door", False)
    keep_hearings(run, Listening("another", 5, "float32", None), [claim], 1)
    told = texts_of(run)["Transcript by another, 5 beams"]
    assert told == ("same:open missing:the extra:that same:door", "not the target, WER 33.3%")
    assert facts(run)["Verified again"] == "0 of 1 confirmed by another, 5 beams"
    write_sounds(run / "items/a", *steps(1.0, noise=9))
    sign(run / "items/a", a_record())
    assert "Transcript by another, 5 beams" not in texts_of(run)


def test_what_was_only_compared_or_could_not_be_heard_says_so(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {}})
    for name, heard, verified, problem, note in (
        ("batch", None, True, None, "the target; its words were not kept"),
        ("broken", None, False, "no file", "could not be transcribed: no file"),
    ):
        claim = a_claim(run, heard, verified, problem)
        keep_hearings(run, Listening(name, 1, "float32", None), [claim], 1)
        assert texts_of(run)[f"Transcript by {name}"][1] == note


# ---- side by side


def test_what_differs_besides_is_said_above_the_numbers(tmp_path: Path) -> None:
    first = sound_run(tmp_path / "first", {"a": {}, "b": {}, "c": {"target": "one"}})
    second = sound_run(tmp_path / "second", {"a": {"passes": 40}, "c": {"target": "two"}})
    page = text_of(written(tmp_path, first, second))
    said = "The clips differ: 2 clips in all of them (3 in first; 2 in second)."
    assert page.index(said) < page.index("The targets of 1 clip differ.") < page.index("finished")


def test_a_comparison_shows_the_numbers_of_every_run(tmp_path: Path) -> None:
    runs = [
        sound_run(tmp_path / name, {"a": {"snr_db": snr}, "b": {"snr_db": snr}})
        for name, snr in (("p", 11.5), ("q", 22.5))
    ]
    told = text_of(written(tmp_path, *runs))
    assert "SNR, dB, median 11.50 22.50" in told
    assert told.count("p : verified") == 2


# ---- without what it does not need, and from the command line


def test_neither_torch_nor_a_recogniser_is_needed(tmp_path: Path) -> None:
    run = every_kind(tmp_path / "run")
    program = (
        "import sys; from pathlib import Path;"
        "from mondegreen.report.page.write import write_report;"
        f"write_report([[Path({str(run)!r})]], Path({str(tmp_path / 'page.html')!r}));"
        "assert not {'torch', 'transformers', 'onnxruntime'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert (tmp_path / "page.html").is_file()


def test_charts_are_pictures_with_their_words(tmp_path: Path) -> None:
    page = written(tmp_path, sound_run(tmp_path / "run", {"a": {}, "b": {}}))
    shown = re.findall(r'<img src="data:image/svg\+xml;base64,([^"]*)" alt="([^"]+)">', page)
    assert shown
    for svg, _ in shown:
        ElementTree.fromstring(base64.b64decode(svg))


@pytest.mark.parametrize("changes", [{}, {"pesq_c2": None, "zimtohrli_mos": None, "snr_db": None}])
@pytest.mark.parametrize("verified", [True, False])
def test_there_are_charts_of_whatever_there_is(
    tmp_path: Path, changes: dict[str, Any], verified: bool
) -> None:
    written(tmp_path, sound_run(tmp_path / "run", {"a": {"verified": verified, **changes}}))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the entry point in this process, on a toy recogniser."""
    victim = toy.linear_victim()
    monkeypatch.setattr(mondegreen.victims, "load_victim", lambda *_, **__: victim)

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mondegreen", *map(str, arguments)])
        try:
            cli.main()
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
        seen = capsys.readouterr()
        return status, seen.out, seen.err

    return call


def test_report_writes_into_the_folder_or_where_it_is_told(command, tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {}})
    status, out, _ = command("report", run)
    assert (status, out) == (0, f"{run / 'report.html'}\n")
    assert (run / "report.html").is_file()
    status, out, _ = command("report", run, "--out", tmp_path / "x.html", "--json")
    assert status == 0
    assert json.loads(out) == {"page": str(tmp_path / "x.html"), "files": None, "clips": 1}


def test_compare_writes_a_page_where_it_is_told(command, tmp_path: Path) -> None:
    runs = [sound_run(tmp_path / name, {"a": {}}) for name in ("one", "two")]
    status, out, err = command("compare", *runs, "--html", tmp_path / "c.html", "--json")
    assert status == 0
    assert [json.loads(line)["counts"]["clips"] for line in out.splitlines()] == [1, 1]
    assert [json.loads(line)["differences"] for line in out.splitlines()] == [[], []]
    assert str(tmp_path / "c.html") in err
    assert "Side by side" in (tmp_path / "c.html").read_text()


def test_compare_says_in_what_else_runs_differ(command, tmp_path: Path) -> None:
    one = sound_run(tmp_path / "one", {"a": {}, "b": {"target": "go"}})
    two = sound_run(tmp_path / "two", {"a": {"passes": 7}, "b": {}, "c": {}})
    said = contrast(gather([[one], [two]]))
    assert len(said) == 2  # clips and targets; the longest search of both is that of "b"
    status, out, _ = command("compare", one, two)
    assert status == 0
    assert out.splitlines()[: len(said)] == said
    _, out, _ = command("compare", one, two, "--json")
    assert [json.loads(line)["differences"] for line in out.splitlines()] == [said] * 2


def test_a_report_of_two_folders_is_asked_of_compare(command) -> None:
    status, _, told = command("report", "one", "two")
    assert status == 2
    assert "mondegreen compare one two --html PAGE" in told


def test_a_report_of_what_is_not_there_blames_the_results_and_not_the_page(
    command, tmp_path: Path
) -> None:
    (tmp_path / "file.txt").touch()
    for name in ("none", "file.txt"):
        status, _, err = command("report", tmp_path / name)
        assert status == 2
        said = "is a file" if name == "file.txt" else "does not exist"
        assert f"{name} {said}" in " ".join(err.split())


def test_what_is_no_page_is_refused_before_anything_is_printed(command, tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {}})
    for words in (("report", run, "--out"), ("compare", run, run, "--html")):
        status, out, err = command(*words, tmp_path / "page.txt")
        assert (status, out) == (2, "")
        assert "does not end in .html" in err
        assert not (tmp_path / "page.txt").exists()


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    for n in range(2):
        save(tmp_path / f"c{n}.wav", toy.speech(n), RATE)
    return [tmp_path / f"c{n}.wav" for n in range(2)]


@pytest.mark.parametrize("as_json", [False, True])
def test_attack_ends_with_a_report_of_its_own(
    command, tmp_path: Path, clips: list[Path], as_json: bool
) -> None:
    sound_item(tmp_path / "out" / "of-before", id="of-before")
    status, out, err = command(
        *("attack", *clips, "--target", "open the door", "--max-passes", "30"),
        *("--out", tmp_path / "out", *(["--json"] if as_json else [])),
    )
    assert status == 0
    assert str(tmp_path / "out/report.html") in (err if as_json else out)
    if as_json:
        assert [json.loads(line)["verified"] for line in out.splitlines()] == [True, True]
    page = (tmp_path / "out/report.html").read_text()
    assert "2 clips" in page
    assert "of-before" not in page


def test_a_report_that_cannot_be_written_loses_no_result(
    command, tmp_path: Path, clips: list[Path]
) -> None:
    (tmp_path / "out" / "report.html").mkdir(parents=True)
    status, out, err = command(
        *("attack", clips[0], "--target", "open the door", "--max-passes", "30"),
        *("--out", tmp_path / "out"),
    )
    assert status == 0
    assert "yes, from the saved file" in out
    assert "the report could not be written" in err
    assert (tmp_path / "out/record.json").is_file()


def test_even_a_fault_in_the_report_loses_no_result(
    command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clips: list[Path]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("mondegreen.report.page.write.write_report", fail)
    status, _, err = command(
        *("attack", clips[0], "--target", "open the door", "--max-passes", "30"),
        *("--out", tmp_path / "out"),
    )
    assert status == 0
    assert "the report could not be written: a fault" in err


def test_a_damaged_folder_of_items_has_a_page(tmp_path: Path) -> None:
    write_item(tmp_path / "items" / "a", "[]")
    assert "damaged" in text_of(written(tmp_path, tmp_path / "items"))


def test_a_page_that_is_a_folder_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    with pytest.raises(MondegreenError, match=r"pages is a folder\. Name the page in it"):
        write_report([[tmp_path / "no run"]], tmp_path / "pages")
