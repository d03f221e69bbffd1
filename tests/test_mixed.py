"""A search in half precision believes only what was heard exactly, and rounds nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
import torch.nn.functional as F
import toy_victims
from test_near import CLIPS, STEPS, search, stages
from test_snapshot import same
from torch import Tensor
from toy import TARGET, LinearVictim, linear_victim, speech

from mondegreen import attack
from mondegreen.audio.batch import quantise
from mondegreen.errors import OptionError, VictimError
from mondegreen.options import Options
from mondegreen.runs.config import RunConfig
from mondegreen.search.loop import Search
from mondegreen.search.stage import Stage
from mondegreen.search.state import Snapshot
from mondegreen.victims import Score, load_victim
from mondegreen.victims.guard import GuardedVictim, attackable
from mondegreen.victims.mixed import exactly, rounded
from mondegreen.victims.near import EVERY, in_half, nearness, whole_every
from mondegreen.victims.through import through

CPU, BF16 = torch.device("cpu"), torch.bfloat16
SHORT = [clip.float() for clip in CLIPS]


class Rounding(LinearVictim):
    """The linear victim in float32, by a product that half precision rounds.

    Args:
        easy: what is added to w · x in half precision.
    """

    def __init__(self, length: int = 8192, bias: float = 40.0, easy: float = 0.0) -> None:
        super().__init__(linear_victim(length=length).weight.float(), bias)
        self.easy = easy
        self.in_half: list[bool] = []  # of each pass

    def encode(self, target: str, length: int) -> Tensor:
        return torch.tensor([1])

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        self.in_half.append(torch.is_autocast_enabled("cpu"))
        return super().score(audio, lengths, targets)

    def _margin(self, audio: Tensor) -> Tensor:
        product = (audio[None] @ self.weight[: len(audio), None])[0, 0].float()
        return product - self.bias + self.easy * torch.is_autocast_enabled("cpu")


def half(victim: Rounding) -> Any:
    return GuardedVictim(victim, "rounding", BF16)


def test_products_are_rounded_to_eight_bits_and_elsewhere_are_not() -> None:
    row, one = torch.tensor([[1 + 2**-9]]), torch.ones(1, 1)
    with rounded(CPU, BF16):
        assert (row @ one).item() == 1
        with exactly(row):
            assert (row @ one).item() == 1 + 2**-9
    with rounded(CPU, None):
        assert (row @ one).item() == 1 + 2**-9
    with exactly(row.to("meta")):  # where there is nothing to round
        assert (row @ one).item() == 1 + 2**-9


# ---- the search


def test_the_steps_between_are_rounded_and_each_success_is_heard_exactly() -> None:
    victim = Rounding()
    found = search(half(victim), SHORT, 4)
    list(found.run(stages()))
    assert victim.in_half == 2 * [step % 4 != 0 for step in range(STEPS)]
    for clip, trajectory in zip(SHORT, found.trajectories, strict=True):
        assert trajectory.candidates
        assert trajectory.looks == 0  # a whole pass is one pass
        for candidate in (*trajectory.candidates, *trajectory.milestones, *trajectory.trail):
            assert victim._margin(quantise(clip + candidate.delta)) > 0
            assert (candidate.step - 1) % 4 == 0


def test_what_only_half_precision_hears_is_no_success() -> None:
    found = search(half(Rounding(bias=1e6, easy=1e9)), SHORT[:1], 3)
    steps = list(found.run(stages()[:1]))
    assert [bool(step.hits[0]) for step in steps] == [n % 3 != 0 for n in range(STEPS)]
    assert not found.trajectories[0].candidates


@pytest.mark.parametrize("at", [6, STEPS + 3])
def test_it_goes_on_to_the_bit(at: int) -> None:
    whole = goes_on(lambda: half(Rounding()), TARGET, stages(), at)
    assert whole.trajectories[0].first_match is not None


def test_whisper_goes_on_to_the_bit_between_two_exact_steps(tmp_path: Path) -> None:
    """Though what its near passes keep is then made anew, with a near pass around it."""
    folder = str(tiny.BUILDERS["whisper"](tmp_path))
    few = (replace(stages()[0], steps=8),)
    goes_on(lambda: load_victim(folder, device="cpu", dtype=BF16), "a", few, at=6)


def goes_on(load: Callable[[], Any], target: str, of: Sequence[Stage], at: int) -> Search:
    """A search that is left alone; another is left after `at` steps, and a third goes on."""
    whole, first, second = (search(load(), SHORT, 4, target=target) for _ in range(3))
    list(whole.run(of))
    for number, _ in enumerate(first.run(of), 1):
        if number == at:
            break
    snapshot = first.snapshot()
    second.restore(Snapshot(snapshot.tensors, json.loads(json.dumps(snapshot.facts))))
    list(second.run(of))
    for found, expected in zip(second.trajectories, whole.trajectories, strict=True):
        assert same(found, expected)
    return whole


# ---- what is not rounded


@pytest.mark.parametrize("family", ["parakeet_ctc", "speech_to_text", "wav2vec2", "whisper"])
def test_features_are_exact(family: str, tmp_path: Path) -> None:
    victim: Any = load_victim(str(tiny.BUILDERS[family](tmp_path)), device="cpu")
    sound, lengths = speech(0, 20_000).float()[None], torch.tensor([20_000])
    with rounded(CPU, BF16):
        found, _ = victim.frontend(sound, lengths)
    expected, _ = victim.frontend(sound, lengths)
    assert torch.equal(found, expected)


def test_a_near_pass_of_whisper_has_exact_features_too(tmp_path: Path) -> None:
    victim: Any = load_victim(str(tiny.BUILDERS["whisper"](tmp_path)), device="cpu")
    clip, lengths = speech(0, 20_000).float()[None], torch.tensor([20_000])
    given: list[Tensor] = []
    victim.model.model.encoder.conv1.register_forward_pre_hook(
        lambda _, features: given.append(*features)
    )
    with rounded(CPU, BF16):
        victim.score_near(clip, lengths, [victim.encode("a", 20_000)], clip)
    expected, _ = victim.frontend(clip, lengths)
    assert len(given) == 2  # of the window, to keep the rest; and of the beginning
    torch.testing.assert_close(given[1], expected[..., : given[1].shape[-1]], rtol=0, atol=1e-5)


def test_links_are_exact() -> None:
    """What the recogniser behind one gets in half precision is what it gets anyway."""

    class Listening(Rounding):
        def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
            self.got = audio.detach()
            return super().score(audio, lengths, targets)

    own, given = Listening(), (SHORT[0][None], torch.tensor([len(SHORT[0])]), [torch.tensor([1])])
    behind = attackable(through(attackable(own), "mel"))
    behind.score(*given)
    expected = own.got
    with rounded(CPU, BF16):
        behind.score(*given)
    assert own.in_half == [False, True]
    assert torch.equal(own.got, expected)


# ---- the gate


def test_of_a_linear_victim_the_gradient_is_the_rounded_weight() -> None:
    victim, clip = Rounding(), speech(0, 8000).float()
    found = nearness(attackable(victim), clip, TARGET, BF16)
    weight = victim.weight[:8000]
    expected = F.cosine_similarity(weight, weight.to(BF16).float(), 0)
    assert found.cosine == pytest.approx(float(expected), abs=1e-6)
    assert found.holds


class Wrong(Rounding):
    """It can be tried on two seconds; in half precision something is wrong with it."""

    def __init__(self, wrong: str) -> None:
        super().__init__(length=32_000)
        self.wrong = wrong

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        score = super().score(audio, lengths, targets)
        if not torch.is_autocast_enabled("cpu") or not self.wrong:
            return score
        if self.wrong == "code":
            raise NotImplementedError("no kernel for this type")
        if self.wrong == "loss":
            return Score(score.loss * 1.1, score.matched)
        return Score(score.loss + (score.loss - score.loss).sqrt(), score.matched)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("loss", r"not near enough to itself in bfloat16 .* loss differs by 1\.0e-01"),
        ("gradient", r"cosine of the gradients 0\.000 .*; use float32"),
        ("code", r"cannot be searched in bfloat16: .*no kernel for this type; use float32"),
    ],
)
def test_what_half_precision_changes_too_much_is_refused(wrong: str, said: str) -> None:
    with pytest.raises(VictimError, match=said) as refused:
        in_half(attackable(Wrong(wrong)), BF16)
    assert "\n" not in str(refused.value)


def test_what_can_write_no_phrase_is_refused() -> None:
    with pytest.raises(VictimError, match="cannot be searched in bfloat16: got the target"):
        load_victim("toy_victims:linear", dtype=BF16)
    assert toy_victims.linear(CPU, BF16).dtype == torch.float64


# ---- what a user asks for


def test_a_victim_in_half_precision_has_its_weights_and_audio_in_float32(tmp_path: Path) -> None:
    folder = str(tiny.BUILDERS["wav2vec2"](tmp_path))
    victim: Any = load_victim(folder, device="cpu", dtype=BF16)
    assert {weight.dtype for weight in victim.model.parameters()} == {torch.float32}
    assert (victim.dtype, victim.half) == (torch.float32, BF16)
    assert "bfloat16 on cpu" in repr(victim)
    assert whole_every(victim, Options()) == EVERY


def test_a_record_says_what_was_searched_in() -> None:
    clip = speech(0, 8000).float()
    kinds = {
        attack(victim, clip, TARGET, sample_rate=16_000, max_passes=10).record.dtype
        for victim in (half(Rounding()), Rounding())
    }
    assert kinds == {"bfloat16", "float32"}


OTHERS = ({"preset": "paper"}, {"method": "robust"}, {"method": "untargeted"})


@pytest.mark.parametrize("others", OTHERS)
def test_where_every_pass_is_exact_it_is_refused(others: dict[str, Any]) -> None:
    said = "bfloat16 is for searches by the preset fast"
    with pytest.raises(OptionError, match=said):
        whole_every(half(Rounding()), Options(**others))
    with pytest.raises(OptionError, match=f"^{said}"):
        RunConfig(clips="clips", dtype="bfloat16", **others)
    assert RunConfig(clips="clips", dtype="float16").what()["dtype"] == "float16"
