"""Passages attacked in their context: what all of the recording is heard as."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import TARGET, LinearVictim, linear_victim, speech, toy_bank

from mondegreen import attack, attack_batch
from mondegreen.attacks.attack import Attack
from mondegreen.attacks.clip import prepare
from mondegreen.attacks.recording import Recording
from mondegreen.attacks.replacing import Replacing, kept
from mondegreen.attacks.result import Result
from mondegreen.attacks.setup import Setup
from mondegreen.audio.context import Context
from mondegreen.audio.passage import Passage
from mondegreen.audio.pcm import load, save
from mondegreen.defending.defence import Defence
from mondegreen.defending.hearing import _heard as heard_behind
from mondegreen.errors import AudioError, OptionError, TargetError
from mondegreen.judging.evaluate import evaluate
from mondegreen.judging.subject import Subject
from mondegreen.judging.sweeps import passes_to_success, unbounded
from mondegreen.judging.verify import recheck
from mondegreen.options import Options
from mondegreen.results.item import read_item

RATE, LENGTH = 16_000, 40_000
BEGIN, END = 12_008, 20_200
SECONDS = {"begin": BEGIN / RATE, "end": END / RATE}
BEFORE, HERE, AFTER = "Nobody came.", "Nothing at all.", "It rained."


class Talk(LinearVictim):
    """Hears a whole recording by all of its samples, and knows its parts by their lengths."""

    def transcribe(self, audio: torch.Tensor) -> str:
        parts = {BEGIN: BEFORE, END - BEGIN: HERE, LENGTH - END: AFTER}
        return parts.get(len(audio)) or f"{BEFORE} {super().transcribe(audio)} {AFTER}"

    def encode(self, target: str, length: int) -> torch.Tensor:
        if target != f"{BEFORE} {TARGET} {AFTER}":
            raise TargetError(f"got the target {target!r}")
        return super().encode(TARGET, length)


def victim() -> Talk:
    plain = linear_victim(length=LENGTH)
    return Talk(plain.weight, plain.bias)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("recordings")
    paths = [folder / f"talk{number}.wav" for number in range(2)]
    for number, path in enumerate(paths):
        save(path, speech(number, LENGTH), RATE)
    return paths


HOW = {"in_context": True, "max_passes": 120}


@pytest.fixture(scope="module")
def found(recordings: list[Path]) -> Result:
    return attack(victim(), recordings[0], "open the door", **SECONDS, **HOW)


@pytest.fixture(scope="module")
def item(found: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return found.save(tmp_path_factory.mktemp("result") / "item")


# ---- the attack


def test_it_is_verified_by_what_the_saved_file_is_heard_as(found: Result, item: Path) -> None:
    sound = torch.from_numpy(load(item / "adversarial.wav", RATE))
    record, whole = found.record, f"{BEFORE} {TARGET} {AFTER}"
    assert victim().transcribe(sound) == whole
    assert (record.heard, record.target, record.spelled) == (whole, whole, whole)
    assert (record.heard_clean, record.replaced) == (f"{BEFORE} {HERE} {AFTER}", HERE)
    assert record.verified
    assert (record.heard_whole, record.wer_target) == (None, 0.0)
    assert record.trail


def test_only_the_passage_is_changed(recordings: list[Path], found: Result, item: Path) -> None:
    change = load(item / "adversarial.wav", RATE) - load(recordings[0], RATE)
    assert np.array_equal(change[BEGIN:END], found.delta)
    assert not change[:BEGIN].any()
    assert not change[END:].any()


def test_what_is_heard_is_the_sum_over_all_of_the_recording(
    recordings: list[Path], found: Result
) -> None:
    """A perturbation of the passage alone would have to reach another bias."""
    hears = victim()
    clean = torch.from_numpy(load(recordings[0], RATE)).double()
    moved = float(hears.weight[BEGIN:END] @ torch.from_numpy(found.delta).double())
    needed = hears.bias - float(hears.weight @ clean)
    assert moved > needed > 0
    assert moved < 1.1 * needed + 10


def test_each_clip_of_a_batch_gets_what_it_gets_alone(
    recordings: list[Path], found: Result
) -> None:
    parts = [Recording(path, Passage(**SECONDS)) for path in recordings]
    options = Options(**HOW)
    first, second = attack_batch(victim(), parts, ["open the door"] * 2, options)
    (alone,) = attack_batch(victim(), parts[1:], ["open the door"], options)
    assert np.array_equal(first.adversarial, found.adversarial)
    assert np.array_equal(second.adversarial, alone.adversarial)


def begun(path: Path) -> Attack:
    hears, options = victim(), Options(in_context=True, max_passes=30)
    recording = Recording(path, Passage(**SECONDS))
    clips = prepare(hears, [recording], ["open the door"], options)
    return Attack(hears, clips, Setup.of(options, RATE, None, None))


def test_a_search_goes_on_where_it_was_left(recordings: list[Path]) -> None:
    whole, left, resumed = (begun(recordings[0]) for _ in range(3))
    for _ in whole.run():
        pass
    for step, _ in enumerate(left.run()):
        if step == 12:
            kept_there = left.snapshot()
            break
    resumed.restore(kept_there, 1.0)
    for _ in resumed.run():
        pass
    one, other = (attack.conclude(0) for attack in (whole, resumed))
    assert np.array_equal(one.adversarial, other.adversarial)
    assert one.delta.any()


def test_a_search_in_another_context_is_not_gone_on_with(
    recordings: list[Path], tmp_path: Path
) -> None:
    left = begun(recordings[0])
    next(iter(left.run()))
    snapshot = left.snapshot()
    sound = load(recordings[0], RATE)
    sound[:100] *= 0.5  # far from the frames over the passage
    save(tmp_path / "other.wav", sound, RATE)
    with pytest.raises(ValueError, match="of other clips"):
        begun(tmp_path / "other.wav").restore(snapshot, 1.0)


def test_a_recording_that_is_too_long_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "hour.wav", speech(0, 121 * RATE), RATE)
    with pytest.raises(AudioError, match=r"lasts 121 s, and a passage in its context .* 120 s"):
        attack(victim(), tmp_path / "hour.wav", TARGET, **SECONDS, **HOW)


@pytest.mark.parametrize("method", ["robust", "combined", "untargeted"])
def test_methods_that_have_no_context(method: str) -> None:
    with pytest.raises(OptionError, match=f"in_context is not for the method {method}"):
        Options(method=method, in_context=True)


def test_a_start_was_made_in_the_context(recordings: list[Path]) -> None:
    how = {**SECONDS, "method": "carlini-wagner", "max_passes": 60}
    first = attack(victim(), recordings[0], "open the door", in_context=True, **how)
    again = attack(victim(), recordings[0], "open the door", **SECONDS, **HOW, start=first)
    assert again.verified
    record = replace(
        first.record, options=first.record.options.model_copy(update={"in_context": False})
    )
    with pytest.raises(OptionError, match="start has the in_context False, expected True"):
        attack(
            victim(),
            recordings[0],
            "open the door",
            **SECONDS,
            **HOW,
            start=replace(first, record=record),
        )


# ---- downstream


def test_it_is_confirmed_by_all_of_the_file(item: Path) -> None:
    (claim,) = recheck(item, victim())
    assert claim.confirmed
    assert claim.transcript == f"{BEFORE} {TARGET} {AFTER}"
    with pytest.raises(OptionError, match="in context are transcribed one by one"):
        list(recheck(item, victim(), batch=1))


def test_it_is_evaluated_and_defended_in_its_context(item: Path) -> None:
    found = evaluate(victim(), item, in_rooms=False)
    assert found.alone is not None
    assert (found.holds, found.alone.sound.matched) == (True, True)
    assert evaluate(victim(), item, toy_bank()).survival.dry.heard == 1.0
    behind = heard_behind(read_item(item), victim(), Defence.of("pcm:8", RATE))
    assert behind.adversarial == (f"{BEFORE} {TARGET} {AFTER}",)
    assert behind.clean == (f"{BEFORE} {HERE} {AFTER}",)


def test_it_is_examined_in_its_context(item: Path, found: Result) -> None:
    (drawn,) = Subject.of(item, victim(), None, (), sample=1, seed=0).drawn
    case = drawn.case
    assert np.array_equal(case.clean.numpy(), found.clean)
    assert case.succeeds(victim(), case.delta)
    assert not case.succeeds(victim(), 0 * case.delta)
    assert case.score(victim(), (case.clean + case.delta).double()).matched
    assert passes_to_success(victim(), case, (unbounded(),), lambda _: None) in range(2, 300)


# ---- which words are replaced


@pytest.mark.parametrize(
    ("before", "here", "after", "parts"),
    [
        ("One two.", "three for", "five", "One two.|Three four.|Five."),
        ("", "one to", "three four five", "|One two.|Three four. Five."),
        ("one two three four", "five", "", "One two. Three four.|Five.|"),
        ("this regard", "for the time", "we met", "this regard|for the time|we met"),
        ("he had lay", "sure", "then", "he had|leisure|then"),  # a word that is cut
        ("", "up the bank", "", "|up the bank. Up the bank.|"),  # heard twice
        ("so", "what", "else", "||"),
    ],
)
def test_words_of_a_passage(before: str, here: str, after: str, parts: str) -> None:
    """Of a text that runs words together, too."""
    whole = {"this": "this regardfor the timewe met"}.get(
        parts[:4], parts.replace("|", " ").strip()
    )
    begin = kept(whole, before, here + after)
    end = len(whole) - kept(whole[::-1], after[::-1], (before + here)[::-1])
    found = "|".join(part.strip() for part in (whole[:begin], whole[begin:end], whole[end:]))
    assert found == parts


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("We met.", "It rained.", "We met. Open the door. It rained."),
        ("we met and", "then it rained", "we met and open the door then it rained"),
        ("", "", "Open the door."),
    ],
)
def test_a_phrase_is_written_as_its_place_asks(before: str, after: str, expected: str) -> None:
    assert Replacing(before, "a word", after).by("open the door") == expected
    exact = " ".join(part for part in (before, "open the door", after) if part)
    assert Replacing(before, "a word", after).by("open the door", exact=True) == exact


def test_silence_and_what_is_too_short_are_heard_as_nothing() -> None:
    context = Context(torch.ones(RATE // 20), torch.zeros(RATE))
    found = Replacing.of(victim(), context, torch.ones(END - BEGIN), HERE)
    assert found == ("", HERE, "")
