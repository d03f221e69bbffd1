"""Suites: what they consist of, what is refused, and what a score says."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from math import comb
from pathlib import Path
from random import Random
from typing import Any

import pytest
import toy

from mondegreen.audio.pcm import save
from mondegreen.data.utterance import Utterance
from mondegreen.errors import AudioError, MondegreenError, OptionError
from mondegreen.options import Options
from mondegreen.reading import sha256
from mondegreen.report.numbers.prices import PricedClip, PricedClips
from mondegreen.results.card import Cost
from mondegreen.results.prices import YARDSTICKS
from mondegreen.suites import librispeech
from mondegreen.suites.named import load_suite
from mondegreen.suites.score import mishear_score, ranks
from mondegreen.suites.suite import Suite, SuiteClip, read_suite, write_suite


def a_suite(folder: Path) -> Suite:
    """A suite of one recording."""
    folder.mkdir(parents=True)
    save(folder / "a.wav", toy.speech(0, 4000), 16_000)
    clip = SuiteClip("a", str(folder / "a.wav"), sha256(folder / "a.wav"), "open the door")
    return Suite("ours", 1, "For tests.", "margin", Options(max_passes=9), (clip,))


# ---- what a suite is


def test_a_suite_is_the_same_wherever_it_lies_and_whatever_is_said_about_it(tmp_path: Path) -> None:
    suite = a_suite(tmp_path / "here")
    write_suite(suite, tmp_path / "here" / "ours.suite")
    (tmp_path / "here").rename(tmp_path / "there")
    found = read_suite(tmp_path / "there" / "ours.suite")
    assert found.identity == suite.identity
    assert found.clips[0].audio == str(tmp_path / "there" / "a.wav")
    assert replace(found, about="Other words.").identity == suite.identity
    assert load_suite(str(tmp_path / "there" / "ours.suite"), None, tmp_path) == found


@pytest.mark.parametrize(
    "change",
    [
        {"by": "snr"},
        {"options": Options(max_passes=10)},
        {"clips": {"target": "close the door"}},
        {"clips": {"sha256": "0" * 64}},
        {"clips": {"offset": 0.1}},
    ],
)
def test_what_a_score_depends_on_makes_it_another_suite(
    tmp_path: Path, change: dict[str, object]
) -> None:
    suite = a_suite(tmp_path / "here")
    if isinstance(of_clip := change.get("clips"), dict):
        change = {"clips": (replace(suite.clips[0], **of_clip),)}
    assert replace(suite, **change).identity.key != suite.identity.key


def test_another_recording_in_the_place_of_one_is_refused(tmp_path: Path) -> None:
    suite, path = a_suite(tmp_path / "here"), tmp_path / "here" / "ours.suite"
    write_suite(suite, path)
    save(tmp_path / "here" / "a.wav", toy.speech(1, 4000), 16_000)
    with pytest.raises(AudioError, match="not the recording that the suite ours was made of"):
        load_suite(str(path), None, tmp_path)
    (tmp_path / "here" / "a.wav").unlink()
    with pytest.raises(AudioError, match="is not there"):
        load_suite(str(path), None, tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", "is not a suite: look at name"),
        ("[1]", "is not a suite"),
        ("no JSON", "is not a suite"),
    ],
)
def test_a_file_that_is_no_suite_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "x.suite").write_text(text)
    with pytest.raises(MondegreenError, match=why):
        load_suite(str(tmp_path / "x.suite"), None, tmp_path)


@pytest.mark.parametrize("count", [0, 2])
def test_a_suite_has_clips_each_with_its_own_id(tmp_path: Path, count: int) -> None:
    suite, path = a_suite(tmp_path / "here"), tmp_path / "here" / "ours.suite"
    write_suite(replace(suite, clips=suite.clips * count), path)
    with pytest.raises(OptionError, match=rf"has {count} clips, {min(count, 1)} with an id"):
        read_suite(path)


# ---- those that come with mondegreen


@pytest.mark.parametrize(
    ("change", "copies"),
    [
        ({}, True),
        ({"target": "Open the door!"}, True),
        ({"target": "close the door"}, False),
        ({"sha256": "0" * 64}, False),
        ({"offset": 0.1}, False),
    ],
)
def test_a_suite_does_not_count_copies(
    tmp_path: Path, change: dict[str, Any], copies: bool
) -> None:
    suite = a_suite(tmp_path / "here")
    other = replace(suite.clips[0], id="b", **change)
    write_suite(replace(suite, clips=(*suite.clips, other)), tmp_path / "two.suite")
    told = pytest.raises(OptionError, match="b is a copy of a") if copies else nullcontext()
    with told:
        read_suite(tmp_path / "two.suite")


def test_each_clip_of_quick_asks_for_what_is_said_in_its_partner(tmp_path: Path) -> None:
    suite = load_suite("quick", None, tmp_path)  # which checks the hashes of the recordings
    said = {clip.id: clip.text for clip in suite.clips}
    assert len(said) == 20
    for clip in suite.clips:
        one, other = clip.id.split("-as-")
        assert clip.target == said[f"{other}-as-{one}"]
    assert len(set(said.values())) == len(said)


def test_passages_of_quick_do_not_overlap(tmp_path: Path) -> None:
    clips = load_suite("quick", None, tmp_path).clips
    spans = sorted((one.audio, one.offset or 0.0, one.duration or 0.0) for one in clips)
    for (audio, begin, lasts), (other, after, _) in pairwise(spans):
        assert audio != other or begin + lasts <= after + 1e-6


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("quik", None, "no suite 'quik'"),
        ("quick", "folder", "leave out --data"),
        ("librispeech-50", None, "needs recordings that you have: --data"),
    ],
)
def test_a_suite_says_what_it_needs(tmp_path: Path, name: str, data: str | None, why: str) -> None:
    with pytest.raises(OptionError, match=why):
        load_suite(name, data, tmp_path)


def whole_set() -> list[Utterance]:
    """As many utterances as test-clean has, of 40 speakers, with 1 to 20 words each."""
    random = Random(0)
    return [
        Utterance(
            f"{n % 40}-1-{n:04}",
            f"/{n}.flac",
            " ".join(random.choice("abcdefghij") for _ in range(random.randint(1, 20))),
        )
        for n in range(librispeech.UTTERANCES)
    ]


def test_librispeech_50_is_the_same_in_any_order_and_as_described() -> None:
    clips = whole_set()
    found = librispeech.chosen(clips)
    assert found == librispeech.chosen(clips[::-1])
    assert len(found) == 50
    assert max(Counter(one.id.split("-")[0] for one in found).values()) <= 2
    assert {len((one.text or "").split()) for one in found} <= set(range(6, 15))
    texts = {one.text for one in found}
    assert all(one.target in texts - {one.text} for one in found)


def test_a_part_of_librispeech_or_another_set_is_refused() -> None:
    clips = whole_set()
    with pytest.raises(OptionError, match="Got 2,619 recordings, expected the 2,620"):
        librispeech.chosen(clips[1:])
    with pytest.raises(OptionError, match="only 0 utterances to choose"):
        librispeech.chosen([replace(one, text=None) for one in clips])


# ---- the score


@pytest.mark.parametrize("clips", range(1, 80))
def test_the_ranks_enclose_the_median_in_95_of_100_samples_and_no_wider(clips: int) -> None:
    # how many of N prices are below the true median: as heads of N coins
    below = [comb(clips, k) / 2**clips for k in range(clips + 1)]
    low, high = ranks(clips)
    assert low + high == clips + 1

    def holds(low: int) -> float:  # price number `low` is below the median, that from the end not
        return sum(below[k] for k in range(low, clips + 1 - low))

    assert holds(low) >= 0.95
    assert holds(low + 1) < 0.95


def priced(*prices: float | None, unknown: int = 0) -> PricedClips:
    found = tuple(PricedClip(f"c{n}", "x", None, price) for n, price in enumerate(prices))
    return PricedClips("run", YARDSTICKS["margin"], found, (), tuple("u" * unknown))


MANY = tuple(
    float(n) for n in range(20)
)  # margins; the least audible, and cheapest, is the highest


@pytest.mark.parametrize(
    ("clips", "at", "least", "most"),
    [
        (priced(*MANY), 10.0, 14.0, 5.0),  # ten clips at 10 or above; ranks 6 and 15
        (priced(*MANY[:19]), 9.0, 14.0, 4.0),  # of 19, ranks 5 and 15
        (priced(*MANY[-10:], *[None] * 10), 10.0, 14.0, "beyond"),
        (priced(*MANY[-9:], *[None] * 11), "beyond", 14.0, "beyond"),
        (priced(*MANY[:18], unknown=2), 8.0, 14.0, 3.0),  # they may be the cheapest, or the dearest
        (priced(1.0, 2.0, 3.0), 2.0, "unknown", "unknown"),
    ],
)
def test_half_of_the_clips_are_attackable_at_the_score(
    clips: PricedClips, at: Cost, least: Cost, most: Cost
) -> None:
    found = mishear_score(clips)
    assert (found.at, found.least_audible, found.most_audible) == (at, least, most)


def test_a_suites_file_is_plain_json(tmp_path: Path) -> None:
    write_suite(a_suite(tmp_path / "here"), tmp_path / "here" / "ours.suite")
    data = json.loads((tmp_path / "here" / "ours.suite").read_text())
    assert data["clips"][0]["audio"] == "a.wav"
    assert data["options"]["max_passes"] == 9
