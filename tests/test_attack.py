"""The public attack: what it claims, what it saves, and what it says when it cannot."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.numpy import load_file
from torch import Tensor
from toy import TARGET, LinearVictim, linear_victim, speech

from mondegreen import MondegreenError, Options, Result, attack, attack_batch
from mondegreen.attacks import attack as attacks
from mondegreen.attacks import doubts
from mondegreen.attacks.clip import _warnings
from mondegreen.audio.batch import quantise
from mondegreen.audio.pcm import load, save
from mondegreen.errors import AudioError, OptionError, RecogniserError, TargetError
from mondegreen.measures import quality as metrics
from mondegreen.results.record import Point, Record
from mondegreen.search.presets import PRESETS
from mondegreen.victims.base import Score

PROMISED = {
    *("id", "audio", "target", "heard_clean", "heard", "verified", "method", "preset"),
    *("victim", "seed", "passes", "seconds", "max_abs", "snr_db", "masking", "pesq", "stoi"),
}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    save(tmp_path / "clip.wav", speech(), 16_000)
    return tmp_path / "clip.wav"


@pytest.fixture
def result(clip: Path) -> Result:
    return attack(linear_victim(), clip, "open the door", max_passes=60)


def record_of(folder: Path) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    text = (folder / "record.json").read_text()
    parsed: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return parsed


# ---- what is claimed and what is saved


def test_the_saved_file_is_what_was_proved(result: Result, tmp_path: Path) -> None:
    folder = result.save(tmp_path / "out")
    adversarial = load(folder / "adversarial.wav", 16_000)
    assert result.verified
    assert linear_victim().transcribe(torch.from_numpy(adversarial)) == TARGET
    assert np.array_equal(adversarial, result.adversarial)
    assert soundfile.info(folder / "adversarial.wav").subtype == "PCM_16"


def test_delta_is_exactly_the_difference_of_the_files(
    clip: Path, result: Result, tmp_path: Path
) -> None:
    folder = result.save(tmp_path / "out")
    delta = load_file(folder / "delta.safetensors")["delta"]
    assert np.array_equal(delta, load(folder / "adversarial.wav", 16_000) - load(clip, 16_000))
    assert np.array_equal(delta * 32768, np.round(delta * 32768))
    assert record_of(folder)["max_abs"] == np.abs(delta).max() * 32768


def test_the_record_has_what_was_promised(clip: Path, result: Result, tmp_path: Path) -> None:
    record = record_of(result.save(tmp_path / "out"))
    assert record.keys() >= PROMISED
    assert record["adversarial"] is True
    assert record["id"] == "clip"
    assert record["audio"] == str(clip)
    assert (record["target"], record["spelled"]) == ("open the door", TARGET)
    assert (record["heard_clean"], record["heard"]) == ("Nothing at all.", TARGET)
    assert record["masking"].keys() == {
        *("profile", "loss", "share_above", "mean_excess_db", "max_excess_db"),
        *("edges_db", "margin_db"),
    }
    assert record["passes"] == 60
    assert 1 <= record["first_match"] <= record["found_at"] <= 60


def test_it_leaves_no_file_but_these(result: Result, tmp_path: Path) -> None:
    folder = result.save(tmp_path / "out")
    seen = {p.name for p in folder.iterdir() if not p.name.startswith(".")}
    assert seen == {"adversarial.wav", "delta.safetensors", "levels.safetensors", "record.json"}
    assert record_of(folder)["files"].keys() == seen - {"record.json"}


def test_the_same_run_gives_the_same_file(clip: Path, result: Result) -> None:
    again = attack(linear_victim(), clip, "open the door", max_passes=60)
    assert np.array_equal(again.adversarial, result.adversarial)


def test_a_batch_gives_what_its_clips_give_alone(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.wav" for i in range(4)]
    for i, path in enumerate(paths):
        save(path, speech(i, 3000 + 1500 * i), 16_000)
    options = Options(max_passes=80)
    together = attack_batch(linear_victim(), paths, [TARGET] * 4, options)
    for path, row in zip(paths, together, strict=True):
        (alone,) = attack_batch(linear_victim(), [path], [TARGET], options)
        assert row.record.found_at == alone.record.found_at
        assert np.array_equal(row.adversarial, alone.adversarial)


def test_an_attack_leaves_the_global_generator_alone(clip: Path) -> None:
    before = torch.get_rng_state()
    attack(linear_victim(), clip, TARGET, max_passes=3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("most", "understood"), [(0.5, False), (2 / 3, True), (0.0, False)])
def test_a_clip_that_is_not_understood_is_flagged(
    clip: Path, most: float, understood: bool
) -> None:
    """Of “nothing at all”, two words of three are wrong for one who said “nothing else here”."""
    paths, texts = [clip, clip, clip], ["nothing else here", "Nothing at all!", None]
    options = Options(max_passes=1, max_clean_wer=most)
    found = attack_batch(linear_victim(), paths, [TARGET] * 3, options, texts=texts)
    assert [row.record.text for row in found] == texts
    assert [row.record.wer_clean for row in found] == [pytest.approx(2 / 3), 0.0, None]
    assert [row.record.understood for row in found] == [understood, True, None]
    said = "the clean clip is not understood: 2 errors in its 3 words"
    warned = [said in row.record.warnings for row in found]
    assert warned == [not understood, False, False]


def test_texts_must_be_as_many_as_clips(clip: Path) -> None:
    with pytest.raises(OptionError, match="2 texts for 1 clips"):
        attack_batch(linear_victim(), [clip], [TARGET], texts=["a", "b"])


def test_any_rate_and_channel_count_comes_in(tmp_path: Path) -> None:
    stereo = np.repeat(speech(length=24_000).numpy()[:, None], 2, axis=1)
    soundfile.write(tmp_path / "stereo.flac", stereo, 44_100)
    found = attack(linear_victim(length=9_000), tmp_path / "stereo.flac", TARGET, max_passes=60)
    assert found.verified
    assert found.record.sample_rate == 16_000
    assert len(found.adversarial) == pytest.approx(24_000 * 16_000 / 44_100, abs=1)


def test_a_copy_in_another_format_is_known_as_the_same_clip(tmp_path: Path) -> None:
    steps = quantise(speech()).numpy()
    for name in ("a.wav", "b.flac"):
        soundfile.write(tmp_path / name, steps, 16_000, subtype="PCM_16")
    soundfile.write(tmp_path / "c.wav", -steps, 16_000, subtype="PCM_16")
    one, copy, other = (
        attack(linear_victim(), tmp_path / name, TARGET, max_passes=1).record.clip_sha256
        for name in ("a.wav", "b.flac", "c.wav")
    )
    assert one == copy != other


# ---- what is not believed


class Deaf(LinearVictim):
    """Matches in the loop as its parent does, and transcribes something else."""

    def transcribe(self, audio: Tensor) -> str:
        return "Something else."


def test_a_match_that_the_file_does_not_prove_is_no_success(clip: Path) -> None:
    linear = linear_victim()
    found = attack(Deaf(linear.weight, linear.bias), clip, TARGET, max_passes=40)
    assert found.record.first_match is not None
    assert not found.verified
    assert found.record.heard == "Something else."


def test_what_is_verified_was_found_at_a_pass(clip: Path) -> None:
    """Where the last move of a search succeeds, no step has seen it; the proof does."""
    linear = linear_victim()
    first = attack(linear, clip, TARGET).record.first_match
    assert first is not None
    found = attack(linear, clip, TARGET, max_passes=first - 1)
    assert found.verified
    assert (found.record.found_at, found.record.first_match) == (first - 1, first - 1)
    assert found.record.stage == found.record.curve[-1].stage


class Interrupted(LinearVictim):
    """Is interrupted while it transcribes the file, after the clean clip."""

    calls = 0

    def transcribe(self, audio: Tensor) -> str:
        self.calls += 1
        if self.calls > 1:
            raise KeyboardInterrupt
        return super().transcribe(audio)


def test_ctrl_c_while_proving_keeps_what_was_found(clip: Path, tmp_path: Path) -> None:
    linear = linear_victim()
    victim = Interrupted(linear.weight, linear.bias)
    record = record_of(attack(victim, clip, TARGET, max_passes=60).save(tmp_path / "out"))
    assert (record["verified"], record["interrupted"], record["heard"]) == (False, True, "")
    assert "proof was interrupted" in record["warnings"][-1]
    saved = torch.from_numpy(load(tmp_path / "out" / "adversarial.wav", 16_000))
    assert linear.transcribe(saved) == TARGET  # it is the success, only not proved


@pytest.mark.parametrize(("snr_db", "warned"), [(-47.2, True), (0.0, False), (None, False)])
def test_a_change_louder_than_the_clip_is_warned_of(
    clip: Path, snr_db: float | None, warned: bool
) -> None:
    found = attack(linear_victim(), clip, TARGET, max_passes=1).record
    told = [*doubts._louder(replace(found.quality, snr_db=snr_db))]
    expected = (
        "the change is louder than the clip (signal to noise -47.2 dB): it is plainly audible"
    )
    assert told == ([expected] if warned else [])


def test_a_click_that_the_masking_loss_does_not_see_is_warned_of(clip: Path) -> None:
    found = attack(linear_victim(), clip, TARGET, preset="paper", max_passes=300)
    quiet = replace(found.record.quality.masking, max_excess_db=10.0, edges_db=15.9)
    for masking, warned in ((quiet, False), (replace(quiet, edges_db=16.0), True)):
        told = doubts._clicks(replace(found.record.quality, masking=masking))
        assert bool(list(told)) == warned


def test_ctrl_c_while_measuring_keeps_what_was_proved(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed, calls = metrics.computed, iter([True])

    def stopped_once(*what: Any) -> metrics.Quality:
        if next(calls, False):
            raise KeyboardInterrupt
        return computed(*what)

    monkeypatch.setattr(attacks, "computed", stopped_once)
    found = attack(linear_victim(), clip, TARGET, max_passes=60)
    assert found.verified
    assert found.record.interrupted  # so that whoever drives it does stop
    assert found.record.quality == metrics.measure(found.clean, found.adversarial, 16_000)


class Sceptic(LinearVictim):
    """Transcribes the target only with some margin, so that the last candidates fail the proof."""

    margin = 25.0

    def transcribe(self, audio: Tensor) -> str:
        sure = self._margin(audio.to(self.weight)) > self.margin
        return TARGET if sure else "Nothing at all."


def margin(found: Point) -> float:
    """Of the loss, which is softplus(-margin)."""
    assert found.loss is not None
    return -math.log(math.expm1(found.loss))


def test_when_the_best_candidate_is_not_proved_an_older_one_is_tried(clip: Path) -> None:
    linear = linear_victim()
    victim = Sceptic(linear.weight, linear.bias)
    margins: dict[int, float] = {}  # the last of every ten passes

    def note(_clip: str, news: Point | Record) -> None:
        if isinstance(news, Point) and news.matched:
            margins[news.passes // 10] = margin(news)

    how: dict[str, Any] = {"method": "carlini-wagner", "preset": "paper", "max_passes": 30}
    attack(linear, clip, TARGET, on_news=note, **how)
    newest, *older = reversed(margins.values())
    assert newest < max(older)  # or there is nothing to test
    victim.margin = (newest + max(older)) / 2
    assert attack(victim, clip, TARGET, **how).verified


def test_an_unreachable_target_fails_and_says_what_was_heard(clip: Path) -> None:
    found = attack(linear_victim(bias=1e6), clip, TARGET, max_passes=12)
    assert not found.verified
    assert found.record.heard == "Nothing at all."
    assert found.record.first_match is None
    assert found.record.found_at is None
    assert np.abs(found.delta).max() > 0  # the last iterate, not silence


def test_a_clip_that_is_the_target_already_is_warned_about(clip: Path) -> None:
    found = attack(linear_victim(bias=-1e3), clip, TARGET, max_passes=2)
    assert any("already transcribed as the target" in warning for warning in found.record.warnings)


def test_a_target_faster_than_speech_is_warned_about(clip: Path) -> None:
    found = attack(linear_victim(), clip, TARGET, max_passes=2)  # 3 words in half a second
    warning = "the target asks for 3 words in 0.5 s, faster than people speak"
    assert warning in found.record.warnings


@pytest.mark.parametrize(
    ("target", "seconds", "asked"),
    [
        ("открой дверь", 0.5, None),  # 2 words at 4.5 a second take 0.44 s
        ("открой дверь", 0.4, "2 words"),
        ("宋朝末年间定居粉岭围。", 1.2, None),  # 10 characters at 9 a second take 1.11 s
        ("宋朝末年间定居粉岭围。", 1.1, "10 characters"),
        ("เปิดประตู", 0.4, None),  # 7 letters with their marks at 20 a second take 0.35 s
        ("เปิดประตู", 0.3, "7 characters"),
        ("我用 iPhone", 0.4, "1 word and 2 characters"),  # 2/9 s and 1/4.5 s
    ],
)
def test_how_fast_people_speak_depends_on_what_their_writing_counts(
    target: str, seconds: float, asked: str | None
) -> None:
    said = f"the target asks for {asked} in {seconds} s, faster than people speak"
    assert _warnings(target, seconds, heard_already=False) == ([said] if asked else [])


# ---- interrupted


@pytest.mark.parametrize("after_success", [True, False])
def test_ctrl_c_returns_the_best_so_far_verified(clip: Path, after_success: bool) -> None:
    def stop(_clip: str, news: Point | Record) -> None:
        if isinstance(news, Point) and news.matched == after_success:
            raise KeyboardInterrupt

    found = attack(linear_victim(), clip, TARGET, on_news=stop)
    assert found.record.interrupted
    assert found.verified == after_success
    assert found.record.passes == (found.record.first_match if after_success else 1)


# ---- what is told on the way


def test_every_step_of_a_clip_is_news_and_at_last_its_record(clip: Path, tmp_path: Path) -> None:
    save(tmp_path / "other.wav", speech(1), 16_000)
    news: list[tuple[str, Point | Record]] = []
    found = attack_batch(
        linear_victim(),
        [clip, tmp_path / "other.wav"],
        [TARGET, TARGET],
        Options(max_passes=25),
        on_news=lambda *what: news.append(what),
    )
    assert {name for name, _ in news} == {"clip", "other"}
    for record in (one.record for one in found):
        *points, last = [what for name, what in news if name == record.id]
        assert last == record
        assert [one.passes for one in points] == list(range(1, record.passes + 1))
        assert set(record.curve) <= set(points)


# ---- refusals


def test_exact_wants_the_letter(clip: Path) -> None:
    with pytest.raises(TargetError):  # the toy victim knows one spelling
        attack(linear_victim(), clip, "open the door", exact=True)
    assert attack(linear_victim(), clip, TARGET, exact=True, max_passes=100).verified


@pytest.mark.parametrize("target", ["", "  ", "?!"])
def test_empty_targets_are_refused(clip: Path, target: str) -> None:
    with pytest.raises(TargetError, match="no words"):
        attack(linear_victim(), clip, target)


@pytest.mark.parametrize(
    "options", [{"method": "magic"}, {"preset": "slow"}, {"max_passes": 0}, {"max_passes": -3}]
)
def test_options_outside_of_what_is_offered_are_refused(
    clip: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(OptionError):
        attack(linear_victim(), clip, TARGET, **options)


def test_clips_and_targets_must_be_as_many(clip: Path) -> None:
    with pytest.raises(OptionError, match="one target for each"):
        attack_batch(linear_victim(), [clip, clip], [TARGET])


def test_a_bad_clip_is_refused_before_any_pass(clip: Path, tmp_path: Path) -> None:
    victim = linear_victim()
    with pytest.raises(AudioError, match="missing"):
        attack_batch(victim, [clip, tmp_path / "missing.wav"], [TARGET, TARGET])
    assert victim.heard == 0


def test_a_folder_that_cannot_be_made_says_so(result: Result, clip: Path) -> None:
    for folder in (clip / "out", clip.parent / ("a name too long" * 20)):
        with pytest.raises(MondegreenError, match="could not be made"):
            result.save(folder)
    with pytest.raises(MondegreenError, match="there is a file of that name"):
        result.save(clip)


def test_an_earlier_stage_vouches_for_a_later_one_that_fails_its_proof(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stage 2 ends at the edge of the decision; what stage 1 ended with stays in reserve."""
    norm, masked = PRESETS["imperceptible"]["fast"][0], PRESETS["imperceptible"]["paper"][1]
    assert masked.masking is not None
    nimble = replace(masked.masking, alpha=20, up=1.05, up_every=1, down=1 / 1.05, down_every=1)
    masked = replace(masked, steps=400, masking=replace(nimble, log=True))
    monkeypatch.setitem(PRESETS, "imperceptible", {"fast": (norm, masked)})
    linear = linear_victim(bias=60)
    seen: dict[str, list[float]] = {}

    def note(_clip: str, news: Point | Record) -> None:
        if isinstance(news, Point) and news.matched:
            seen.setdefault(news.stage, []).append(margin(news))

    before = attack(linear, clip, TARGET, on_news=note)
    (stage_1, first), (stage_2, second) = seen.items()
    assert before.record.stage == stage_2
    victim = Sceptic(linear.weight, linear.bias)
    victim.margin = max(second[-40:]) + 0.01
    assert first[-1] > victim.margin  # or there is nothing to test
    found = attack(victim, clip, TARGET)
    assert found.verified
    assert found.record.stage == stage_1
    told = f"the last stage, “{stage_2}”, found nothing: what is saved is from “{stage_1}”"
    assert any(told in warning for warning in found.record.warnings)


def test_clips_of_one_name_get_ids_of_their_own(clip: Path, tmp_path: Path) -> None:
    for folder, name in (("x", "clip"), ("y", "clip-2")):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / f"{name}.wav", speech(), 16_000)
    paths = [clip, tmp_path / "x" / "clip.wav", tmp_path / "y" / "clip-2.wav"]
    found = attack_batch(linear_victim(), paths, [TARGET] * 3, Options(max_passes=1))
    assert [r.record.id for r in found] == ["clip", "clip-2", "clip-2-2"]


def test_exact_refuses_spaces_that_nothing_prints(clip: Path) -> None:
    with pytest.raises(TargetError, match="spaces"):
        attack(linear_victim(), clip, "Open  the door.", exact=True)


# ---- a recogniser that fails late


class FailingLate(LinearVictim):
    """The linear victim, of which a method fails from its n-th call on."""

    def __init__(self, method: str, call: int) -> None:
        plain = linear_victim()
        super().__init__(plain.weight, plain.bias)
        self.method, self.left = method, call

    def score(self, *given: Any) -> Score:
        self._spend("score")
        return super().score(*given)

    def transcribe(self, audio: Tensor) -> str:
        self._spend("transcribe")
        return super().transcribe(audio)

    def _spend(self, method: str) -> None:
        self.left -= method == self.method
        if not self.left:
            self.left = 1  # and from now on
            raise SystemExit(0)


def test_a_search_that_the_recogniser_ends_after_a_success_is_proved(
    clip: Path, result: Result, tmp_path: Path
) -> None:
    assert result.record.first_match is not None
    late = result.record.first_match + 2
    found = attack(FailingLate("score", late), clip, TARGET, max_passes=60)
    assert (found.verified, found.record.passes, found.record.interrupted) == (True, late - 1, True)
    assert isinstance(found.fault, RecogniserError)
    (said,) = [text for text in found.record.warnings if "the recogniser failed during the" in text]
    assert said.startswith("the recogniser failed during the search: linear: ")
    assert "SystemExit: 0" in said
    assert record_of(found.save(tmp_path / "out"))["verified"] is True


def test_a_success_that_the_recogniser_fails_to_prove_is_kept_unproved(
    clip: Path, result: Result
) -> None:
    late = FailingLate("transcribe", 2)  # the first hears the clean clip
    found = attack(late, clip, TARGET, max_passes=60)
    assert (found.verified, found.record.heard) == (False, "")
    assert found.record.found_at is not None
    assert found.record.first_match == result.record.first_match
    assert np.abs(found.delta).max() > 0
    (said,) = [text for text in found.record.warnings if "the recogniser failed during the" in text]
    assert said.startswith("the recogniser failed during the proof: linear: ")
    assert str(found.fault) in said


@pytest.mark.parametrize(("method", "call"), [("score", 2), ("transcribe", 1)])
def test_where_nothing_was_found_yet_the_fault_is_all_there_is(
    method: str, call: int, clip: Path
) -> None:
    with pytest.raises(RecogniserError, match="SystemExit: 0"):
        attack(FailingLate(method, call), clip, TARGET)


def test_a_fault_in_the_proof_of_one_clip_leaves_the_others_theirs(
    clip: Path, tmp_path: Path
) -> None:
    save(tmp_path / "other.wav", speech(1), 16_000)
    clips = [clip, tmp_path / "other.wav"]
    fails = FailingLate("transcribe", 4)  # two for the clean clips, and one for the first file
    first, second = attack_batch(fails, clips, [TARGET, TARGET], Options(max_passes=60))
    assert (first.verified, first.fault) == (True, None)
    assert not second.verified
    assert second.fault is not None
    assert second.record.found_at is not None
