from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mondegreen.data.targets import choose_targets, dealt_targets, limited, paper_targets
from mondegreen.data.utterance import Utterance
from mondegreen.errors import MondegreenError, OptionError, TargetError
from mondegreen.text import words_only

WORDS = ("the", "sea", "was", "calm")
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
SETS = st.lists(TEXTS, min_size=2, max_size=20)
SEEDS = st.integers(0, 2**63 - 1)


def clips_of(texts: Sequence[str | None]) -> list[Utterance]:
    return [Utterance(f"{n:05}", f"/{n}.wav", text) for n, text in enumerate(texts)]


def of_lengths(count: int) -> list[Utterance]:
    """Clips with texts of `count` down to 1 characters."""
    return clips_of(["a" * length for length in range(count, 0, -1)])


def targets_of(clips: Sequence[Utterance], **options: str) -> list[str | None]:
    given = {"target": None, "targets": None, **options}
    return [clip.target for clip in choose_targets(clips, **given, seed=0)]


def shuffled(clips: Sequence[Utterance], seed: int) -> list[Utterance]:
    return random.Random(seed).sample(clips, len(clips))


# ---- those that the clips came with, or one for all ------------------------------------------


def test_without_a_choice_clips_keep_their_own() -> None:
    clips = [replace(clip, target=f"say {clip.id}") for clip in clips_of(["a", None])]
    assert choose_targets(clips, target=None, targets=None, seed=0) == clips


def test_clips_without_a_target_are_counted_and_named() -> None:
    clips = clips_of(["a"] * 6)
    clips[1] = replace(clips[1], target="b")
    with pytest.raises(
        OptionError,
        match=r"Got 5 of 6 clips without a target \(00000, 00002, 00003, ...\), expected one for"
        r" each. Use --target PHRASE, or --targets",
    ):
        targets_of(clips)


def test_one_phrase_for_all_goes_before_the_clips_own() -> None:
    clips = [replace(clip, target="mine") for clip in clips_of(["a", None])]
    assert targets_of(clips, target="open the door") == ["open the door"] * 2


def test_one_of_the_two_only() -> None:
    with pytest.raises(OptionError, match="Got target 'a' and targets 'paper', expected one of"):
        targets_of(clips_of(["a"]), target="a", targets="paper")


def test_untargeted_no_clip_has_a_target_and_none_may_be_given() -> None:
    clips = [replace(clip, target="open") for clip in clips_of(["a", "b"])]
    choose = {"target": None, "targets": None, "seed": 0, "untargeted": True}
    assert [clip.target for clip in choose_targets(clips, **choose)] == [None, None]
    for asked in ({"target": "open"}, {"targets": "paper"}):
        with pytest.raises(OptionError, match=r"(open|paper).* has no targets"):
            choose_targets(clips, **{**choose, **asked})


@pytest.mark.parametrize("phrase", ["", " ", "...", "’", "\u200b"])
def test_a_target_without_words_names_the_clip(phrase: str) -> None:
    clips = [replace(clip, target="fine") for clip in clips_of(["a", "b"])]
    with pytest.raises(TargetError, match=r"^00000: Got the target"):
        targets_of(clips, target=phrase)
    clips[1] = replace(clips[1], target=phrase)
    with pytest.raises((TargetError, OptionError), match="00001"):
        targets_of(clips)


def test_no_clips_need_no_targets() -> None:
    assert targets_of([]) == []
    assert targets_of([], target="a") == []


# ---- the paper's rule ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "offset"), [(2, 1), (3, 1), (10, 5), (999, 499), (1000, 500), (1500, 500)]
)
def test_the_target_is_the_text_so_many_ranks_below(count: int, offset: int) -> None:
    clips = of_lengths(count)
    expected = [clips[(rank + offset) % count].text for rank in range(count)]
    assert targets_of(clips, targets="paper") == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["aaa", "bb", "cc", "d"], ["cc", "d", "aaa", "bb"]),  # equal lengths: by id
        (["b", "aa"], ["aa", "b"]),
        (["AAA.", "bbbb", "aaa", "ccc"], ["ccc", "ccc", "bbbb", "bbbb"]),
        (["aaaa", "bbb", "aaa", "c"], ["aaa", "c", "aaaa", "bbb"]),
        (["same", "same", "same", "other"], ["other", "other", "other", "same"]),
        (["é" * 3, "東京", "x", "🎧🎧🎧🎧"], ["x", "🎧🎧🎧🎧", "ééé", "東京"]),
    ],
)
def test_targets_of_the_paper_by_hand(texts: list[str], expected: list[str]) -> None:
    assert targets_of(clips_of(texts), targets="paper") == expected


@given(
    st.lists(st.text("abc ", min_size=1, max_size=9).map(lambda t: t + "."), unique_by=words_only)
)
def test_targets_of_the_paper_are_the_texts_dealt_anew(texts: list[str]) -> None:
    clips = clips_of([text for text in texts if words_only(text)])
    if len(clips) > 1:
        assert Counter(targets_of(clips, targets="paper")) == Counter(c.text for c in clips)


@given(SETS, SEEDS)
def test_the_paper_gives_no_clip_its_own_text_in_any_order(texts: list[str], seed: int) -> None:
    clips = clips_of(texts)
    if len(set(texts)) > 1:
        found = paper_targets(clips)
        assert all(words_only(found[clip.id]) != words_only(clip.text or "") for clip in clips)
        assert paper_targets(shuffled(clips, seed)) == found


@pytest.mark.parametrize("texts", [[], ["a"], ["a", "A.", "a!"]])
def test_the_paper_needs_two_texts(texts: list[str]) -> None:
    with pytest.raises(OptionError, match=f"Got {len(texts)} clips that all say the same"):
        targets_of(clips_of(texts), targets="paper")


def test_the_paper_needs_every_text() -> None:
    with pytest.raises(
        OptionError, match=r"2 of 4 clips without a text \(00001, 00003\), expected"
    ):
        targets_of(clips_of(["a", None, "b", ""]), targets="paper")


def test_a_text_without_words_is_no_target() -> None:
    with pytest.raises(TargetError, match=r"^00000: Got the target"):
        targets_of(clips_of(["hello", "..."]), targets="paper")


# ---- phrases of a file -----------------------------------------------------------------------


def dealt(tmp_path: Path, clips: Sequence[Utterance], phrases: str, seed: int = 0) -> list[str]:
    (tmp_path / "phrases.txt").write_bytes(phrases.encode())
    file = str(tmp_path / "phrases.txt")
    found = choose_targets(clips, target=None, targets=file, seed=seed)
    assert [replace(clip, target=None) for clip in found] == list(clips)
    return [clip.target or "" for clip in found]


def test_phrases_of_a_file(tmp_path: Path) -> None:
    phrases = "\ufeffOpen the door.\r\n\r\n  call 東京  \r\nopen THE door\r\nstop"
    found = dealt(tmp_path, clips_of([None] * 3), phrases)
    assert sorted(found) == ["Open the door.", "call 東京", "stop"]


def test_a_file_that_is_called_as_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("paper").write_text("out of the file")
    assert targets_of(of_lengths(2), targets="./paper") == ["out of the file"] * 2
    assert targets_of(of_lengths(2), targets="paper") == ["a", "aa"]


@given(st.integers(1, 7), st.integers(0, 30), SEEDS)
def test_the_pack_is_shuffled_and_dealt_again(size: int, count: int, seed: int) -> None:
    pack = [f"phrase {n}" for n in range(size)]
    found = list(dealt_targets(clips_of([None] * count), pack, seed).values())
    assert sorted({*found[:size]}) == sorted(found[:size])
    assert found[size:] == found[: max(count - size, 0)]
    assert set(found) <= set(pack)


@given(SETS, st.lists(TEXTS, min_size=1, max_size=8), SEEDS)
def test_no_clip_is_dealt_its_own_text_in_any_order(
    texts: list[str], phrases: list[str], seed: int
) -> None:
    clips = clips_of(texts)
    found = dealt_targets(clips, phrases, seed)
    if len(set(phrases)) > 1:
        assert all(found[clip.id] != clip.text for clip in clips)
    assert set(found.values()) <= set(phrases)
    assert dealt_targets(shuffled(clips, seed), phrases, seed) == found


@given(SEEDS)
def test_a_phrase_that_a_clip_says_already_goes_to_the_next(seed: int) -> None:
    pack = [f"phrase {n}" for n in range(5)]
    top, second, *rest = dealt_targets(clips_of([None] * 5), pack, seed).values()
    clips = clips_of([f"{top.upper()}!", None, None, None, None])
    assert list(dealt_targets(clips, pack, seed).values()) == [second, top, *rest]


def test_the_seed_shuffles() -> None:
    pack = [f"phrase {n}" for n in range(20)]
    orders = {tuple(dealt_targets(clips_of([None] * 20), pack, n).values()) for n in range(10)}
    assert len(orders) == 10


def test_a_single_phrase_is_for_all_even_for_who_says_it() -> None:
    assert list(dealt_targets(clips_of(["a", "b"]), ["a"], 0).values()) == ["a", "a"]


def test_what_is_dealt_stays_the_same_from_release_to_release() -> None:
    found = dealt_targets(clips_of(["two", None, None, None]), ["one", "two", "three"], seed=1)
    assert list(found.values()) == ["three", "two", "one", "two"]


@pytest.mark.parametrize(
    ("phrases", "error", "message"),
    [
        ("", OptionError, "has no phrases. Expected one per line"),
        (" \r\n\n", OptionError, "has no phrases"),
        ("fine\n\n...\n", TargetError, r"phrases.txt, line 3: Got the target '...'"),
    ],
)
def test_a_file_of_phrases_that_is_wrong(
    tmp_path: Path, phrases: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        dealt(tmp_path, clips_of(["a"]), phrases)


def test_a_file_of_phrases_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match=r"none.txt does not exist, or is not a file"):
        targets_of(clips_of(["a"]), targets=str(tmp_path / "none.txt"))


# ---- how many --------------------------------------------------------------------------------


@given(st.integers(0, 30), st.integers(1, 40), SEEDS)
def test_a_sample_keeps_the_order_and_grows(count: int, limit: int, seed: int) -> None:
    clips = shuffled(clips_of([None] * count), seed)
    found = limited(clips, limit, seed)
    assert len(found) == min(limit, count)
    assert found == [clip for clip in clips if clip in found]
    assert {clip.id for clip in found} <= {clip.id for clip in limited(clips, limit + 1, seed)}
    assert {*limited(shuffled(clips, limit), limit, seed)} == {*found}


def test_a_sample_is_drawn_by_the_seed() -> None:
    clips = clips_of([None] * 50)
    assert len({tuple(limited(clips, 5, seed)) for seed in range(10)}) == 10


def test_every_clip_is_drawn_about_as_often() -> None:
    clips = clips_of([None] * 5)
    drawn = Counter(clip.id for seed in range(2_000) for clip in limited(clips, 2, seed))
    # Each is in 800 of the 2,000, give or take four standard deviations.
    assert all(abs(drawn[clip.id] - 800) < 4 * (2_000 * 0.4 * 0.6) ** 0.5 for clip in clips)


def test_without_a_limit_all_are_taken() -> None:
    clips = clips_of(["b", "a"])
    assert limited(clips, None, seed=0) == clips


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one(limit: int) -> None:
    with pytest.raises(OptionError, match=f"Got limit={limit}, expected 1 clip or more"):
        limited(clips_of(["a"]), limit, seed=0)
