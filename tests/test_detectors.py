"""Detectors give what their papers define; their curves are counted; opponents know of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import softplus
from toy import TARGET, LinearVictim, linear_victim, speech

from mondegreen import attack, load_victim
from mondegreen.audio.pcm import load
from mondegreen.chain.names import is_own, link
from mondegreen.errors import OptionError, VictimError
from mondegreen.judging.detectors import apart, detector, is_detector, roc
from mondegreen.victims.base import Score
from mondegreen.victims.fingerprint import fingerprint
from mondegreen.victims.guard import bare
from mondegreen.victims.through import through


class Ear:
    """Says what a function of the sound says."""

    name, sample_rate = "ear", 16_000

    def __init__(self, says: Callable[[Tensor], str]) -> None:
        self.says = says

    def transcribe(self, audio: Tensor) -> str:
        return self.says(audio)


# ---- what they measure ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "errors"),
    [
        ("Open the door.", "open the door", 0),
        ("", "", 0),
        ("", "open", 1),
        ("?!", "open", 1),
        ("kitten", "sitting", 3 / 7),
        ("ab", "abcd", 0.5),
    ],
)
def test_transcripts_are_apart_by_characters_of_the_longer_one(
    one: str, other: str, errors: float
) -> None:
    assert apart(one, other) == apart(other, one) == pytest.approx(errors)


def test_disagreement_is_between_the_sound_and_the_sound_behind_the_link() -> None:
    ear = Ear(lambda sound: "Open it." if sound.abs().max() > 0.2 else "opens")
    loud = torch.full((100,), 0.3)
    found = detector("disagree:gain:-6", 16_000)
    assert found.score(ear, loud) == pytest.approx(3 / 7)  # "open it", "opens": " it" or "s"
    assert found.score(ear, loud / 4) == 0
    assert found.score(ear, 3 * loud) == 0


@pytest.mark.parametrize(
    ("half", "whole", "errors"),
    [
        ("Open", "open the door", 0),
        ("Open it", "open the door", 2 / 7),  # against "open th"
        ("", "open the door", 0),
        ("open the door", "open", 9 / 13),
    ],
)
def test_the_first_half_is_compared_with_as_much_of_the_whole(
    half: str, whole: str, errors: float
) -> None:
    ear = Ear(lambda sound: half if len(sound) == 50 else whole)
    assert detector("temporal", 16_000).score(ear, torch.zeros(101)) == pytest.approx(errors)


@pytest.mark.parametrize(
    ("spec", "opponent"), [("temporal", "halves"), ("disagree:resample", "also:resample:8000")]
)
def test_a_detector_has_a_name_and_an_opponent(spec: str, opponent: str) -> None:
    found = detector(spec, 16_000)
    assert is_detector(spec)
    assert found.opponent == opponent
    assert detector(found.spec, 16_000) == found


@pytest.mark.parametrize("spec", ["disagree", "disagree:", "temporal:3", "disagree:telefone", "x"])
def test_what_is_no_detector_is_refused(spec: str) -> None:
    with pytest.raises(OptionError, match="There is no"):
        detector(spec, 16_000)
    assert not is_detector("pcm:8")


# ---- curves ---------------------------------------------------------------------------------

SCORES = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=40)


@settings(max_examples=30)
@given(SCORES, SCORES)
def test_the_area_is_the_share_of_pairs_in_order(clean: list[float], files: list[float]) -> None:
    pairs = [1.0 if file > one else 0.5 if file == one else 0.0 for file in files for one in clean]
    found = roc(clean, files)
    assert found.auc == pytest.approx(np.mean(pairs))
    alarms, shares = zip(*found.points, strict=True)
    assert np.trapezoid(shares, alarms) == pytest.approx(found.auc)
    assert (found.points[0], found.points[-1]) == ((0, 0), (1, 1))


@settings(max_examples=30)
@given(st.lists(st.integers(0, 30).map(float), min_size=20, max_size=60), SCORES)
def test_no_threshold_finds_more_at_that_rate(clean: list[float], files: list[float]) -> None:
    best = 0.0
    for limit in [*clean, *files, 100.0]:
        if np.mean(np.asarray(clean) >= limit) <= 0.05:
            best = max(best, float(np.mean(np.asarray(files) >= limit)))
    assert roc(clean, files).found[0.05] == pytest.approx(best)


def test_a_curve_counted_by_hand() -> None:
    clean = [*[0.0] * 18, 0.4, 0.6]
    found = roc(clean, [0.0, 0.5, 0.6, 0.7])
    assert found.found == {0.001: None, 0.01: None, 0.05: 0.75}  # one alarm, above 0.4
    assert found.found_without_alarm == 0.25
    assert found.auc == pytest.approx((9 + 19 + 19.5 + 20) / 80)
    assert found.alarms_below == pytest.approx(0.1391, abs=1e-4)  # (1 - p)^20 = 5 %


def test_few_clean_clips_cannot_show_a_low_rate() -> None:
    found = roc([0.0] * 17, [1.0] * 5)
    assert set(found.found.values()) == {None}
    assert found.unmeasured == "17 clean clips cannot show a false-positive rate of 0.1 %, 1 %, 5 %"
    assert found.found_without_alarm == 1
    assert roc([0.0] * 1000, [1.0]).unmeasured is None
    with pytest.raises(OptionError, match="no clean clips"):
        roc([], [1.0])


# ---- what knows of them ---------------------------------------------------------------------


def test_also_scores_the_sound_as_it_is_and_behind_the_link() -> None:
    victim, inner = through(linear_victim(), "also:gain:-6.0206"), linear_victim()
    both, lengths = torch.stack([speech(0), speech(1)]), torch.tensor([8192, 6000])
    score = victim.score(both, lengths, [torch.tensor([1])] * 2)
    for row, (sound, length) in enumerate(zip(both, lengths.tolist(), strict=True)):
        margin = sound[:length] @ inner.weight[:length]
        losses = [softplus(150 - margin), softplus(150 - margin / 2)]
        torch.testing.assert_close(score.loss[row], sum(losses) / 2, rtol=1e-4, atol=0)


@pytest.mark.parametrize(("times", "heard", "matched"), [(1.5, True, False), (2.5, True, True)])
def test_also_matches_only_if_both_do_but_hears_the_sound_alone(
    times: float, heard: bool, matched: bool
) -> None:
    weight = linear_victim().weight.abs()
    victim = through(LinearVictim(weight, float(0.1 * weight.sum())), "also:gain:-6.0206")
    sound = torch.full((8192,), 0.1 * times, dtype=torch.float64)
    assert (victim.transcribe(sound.float()) == TARGET) is heard
    score = victim.score(sound[None], torch.tensor([8192]), [torch.tensor([1])])
    assert bool(score.matched[0]) is matched


def test_also_of_what_is_random_goes_on_through_the_chain() -> None:
    inner = linear_victim()
    victim = through(inner, "also:noise:20", "noise:30", "pcm:12")
    victim.score(speech()[None], torch.tensor([8192]), [torch.tensor([1])])
    assert inner.heard == 2 * link("noise", 16_000).draws
    assert victim.name == "also:noise:20 > noise:30 > pcm:12 > linear"


def test_also_of_code_of_ones_own_is_such_code() -> None:
    assert is_own("also:my_module:my_function")
    assert not is_own("also:pcm:6")
    assert not is_own("halves")


class Summing(Ear):
    """Wants the sum of the sound to be the number of words of its target."""

    device, dtype = torch.device("cpu"), torch.float64

    def __init__(self) -> None:
        super().__init__(lambda sound: f"{round(float(sound.sum()))} words")

    def encode(self, target: str, length: int) -> Tensor:
        return torch.tensor([len(target.split())])

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        rows = [clip[:n].sum() for clip, n in zip(audio, lengths.tolist(), strict=True)]
        error = (torch.stack(rows) - torch.cat(list(targets))).abs()
        return Score(error, error < 0.5)


def test_halves_scores_the_first_words_in_the_first_half() -> None:
    victim = through(Summing(), "halves")
    assert victim.name == "halves > ear"
    five, one = victim.encode("one two three four five", 6), victim.encode("one", 4)
    audio = torch.tensor([[1.0, 1.0, 1.0, 2.0, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0, 9.0, 9.0]]).double()
    score = victim.score(audio, torch.tensor([6, 4]), [five, one])
    # 7 for 5 words and 3 for the first 2 of them; 3 for one word, and 2 for the same
    assert score.loss.tolist() == [2 + 1, 2 + 1]
    fits = torch.tensor([[1.0, 1.0, 0.0, 1.0, 1.0, 1.0]]).double()
    assert victim.score(fits, torch.tensor([6]), [five]).matched.tolist() == [True]
    late = fits.flip(1)
    assert victim.score(late, torch.tensor([6]), [five]).matched.tolist() == [False]
    assert victim.transcribe(late[0].float()) == "5 words"


def test_halves_stand_anywhere_in_a_chain_and_weigh_nothing() -> None:
    victim = through(linear_victim(), "gain:-3", "halves", "pcm:12")
    assert victim.name == "gain:-3 > halves > pcm:12 > linear"
    assert fingerprint(victim) == fingerprint(linear_victim())
    assert [link.spec for link in bare(victim).links] == ["gain:-3"]  # type: ignore[attr-defined]
    with pytest.raises(VictimError, match="can only transcribe"):
        through(Ear(lambda _: ""), "halves")


@pytest.mark.slow
def test_a_recogniser_tells_what_was_made_without_the_detector_and_not_what_was_made_with_it(
    beckett: Path,
) -> None:
    recogniser, found = load_victim(), detector("disagree:resample:8000", 16_000)
    clean = load(beckett, 16_000)[:48_000]
    scores = [found.score(recogniser, torch.from_numpy(clean))]
    for victim in (recogniser, through(recogniser, found.opponent)):
        result = attack(
            victim,
            clean,
            "good morning to all of you",
            sample_rate=16_000,
            method="carlini-wagner",
            max_passes=50,
        )
        assert result.verified
        scores.append(found.score(recogniser, torch.from_numpy(result.adversarial)))
    assert scores[0] < 0.2 < 0.5 < scores[1]
    assert scores[2] < 0.2
