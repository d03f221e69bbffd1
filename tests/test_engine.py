"""The engine: what a step costs beside the recogniser's own work."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import pytest
import tiny
import torch
import torch.nn.functional as F
from stages import preset
from torch import Tensor
from toy import LinearVictim, linear_victim, speech, toy_rooms
from waits import counted, on_host

from mondegreen.air.noises import Recorded
from mondegreen.air.rooms.reverb import Reverb
from mondegreen.air.through import through
from mondegreen.air.transformations import Rooms, Transformation
from mondegreen.airs import REAL
from mondegreen.audio.batch import pad, quantise
from mondegreen.psychoacoustics.threshold import masking_threshold
from mondegreen.search.loop import Search
from mondegreen.search.stage import Expectation, Stage
from mondegreen.victims import load_victim
from mondegreen.victims.base import Score, Victim
from mondegreen.victims.batching import Remembered

TARGETS = {"batched": "Open the door.", "moonshine-tiny": "Yes.", "moonshine-tiny-ctc": "yes"}


class Batched(LinearVictim):
    """The linear victim, as one product over a padded batch."""

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        real = torch.arange(audio.shape[1], device=audio.device) < lengths[:, None]
        margin = (audio * real) @ self.weight[: audio.shape[1]] - self.bias
        return Score(F.softplus(-margin), margin > 0)


def toy(bias: float = 150.0) -> Batched:
    plain = linear_victim(bias=bias)
    return Batched(plain.weight, plain.bias)


@cache
def loaded(name: str) -> Victim:
    return load_victim(name, device="cpu")


VICTIMS: list[Callable[[], Victim]] = [
    pytest.param(toy, id="toy"),
    pytest.param(lambda: toy(-1e6), id="toy that is convinced at once"),
    pytest.param(partial(loaded, "moonshine-tiny"), id="Moonshine"),
    pytest.param(partial(loaded, "moonshine-tiny-ctc"), id="CTC"),
]
FIRST, SECOND = preset("imperceptible", "paper")
_, WEIGHTED, BOUNDED = preset("imperceptible", "fast", under=6.0)
(EAGER,) = preset("carlini-wagner", "fast")  # it looks for success at every step


def rooms(dtype: torch.dtype) -> Rooms:
    return Rooms(Reverb(toy_rooms().reverb.rirs.to(dtype)))


def real_air(dtype: torch.dtype) -> tuple[Transformation, ...]:
    """All that happens in it, and recorded noise besides."""
    hum = 0.1 * torch.randn(700, generator=torch.Generator().manual_seed(0))
    hum.in_main_memory = True  # type: ignore[attr-defined]
    return *through(REAL, rooms(dtype), 16_000), Recorded((hum,), (20.0, 30.0))


def stage(name: str, victim: Victim) -> Stage:
    kinds = {
        "bounded": FIRST,
        "masked": SECOND,
        "in a norm of hearing": WEIGHTED,
        "under a bound": dataclasses.replace(BOUNDED, enough=-1.0),  # nobody leaves
        "in rooms": dataclasses.replace(
            EAGER, over=Expectation((rooms(victim.dtype),), draws=2, quorum=2, looks=3)
        ),
        "in real air": dataclasses.replace(
            EAGER, over=Expectation(real_air(victim.dtype), draws=2, quorum=2, looks=3)
        ),
        "masked, in rooms": dataclasses.replace(
            SECOND, over=Expectation((rooms(victim.dtype),), draws=2, quorum=1, looks=2)
        ),
    }
    steps = 12 if isinstance(victim, LinearVictim) else 5  # in 12, one more is written down
    return dataclasses.replace(kinds[name], steps=steps)


def search(
    victim: Victim, clips: Sequence[Tensor], target: str | None = None, whole_every: int = 1
) -> Search:
    audio, lengths = pad(clips)
    threshold = masking_threshold(audio, lengths, victim.sample_rate)
    target = target or TARGETS.get(victim.name, "Open the door.")
    tokens = [victim.encode(target, len(clip)) for clip in clips]
    return Search(victim, clips, tokens, threshold, whole_every=whole_every)


def clips_of(victim: Victim) -> list[Tensor]:
    """Three clips of unequal lengths."""
    if isinstance(victim, LinearVictim):
        return [speech(seed, n) for seed, n in enumerate((8192, 6000, 4096))]
    generator = torch.Generator().manual_seed(0)
    lengths = (17_000, 16_000, 14_000)
    return [quantise(0.1 * torch.randn(n, generator=generator)).to(victim.dtype) for n in lengths]


def waits_of_steps(
    victim: Victim, stage: Stage, target: str | None = None, whole_every: int = 1
) -> list[list[str]]:
    """What each step waits for, but the first two, which lay out, and the last: clips leave."""
    clips, found = clips_of(victim), []
    search(victim, clips, target)  # the frequency axis is prepared, and kept, in main memory
    with counted() as waits:
        steps = search(victim, clips, target, whole_every).run([stage])
        for _ in range(2):
            next(steps)
        for _ in range(stage.steps - 3):
            waits.clear()
            next(steps)
            found.append(list(waits))
    return found


@pytest.mark.parametrize(
    "kind",
    [
        "bounded",
        "masked",
        "in a norm of hearing",
        "under a bound",
        "in rooms",
        "in real air",
        "masked, in rooms",
    ],
)
@pytest.mark.parametrize("make", VICTIMS)
def test_a_step_waits_for_the_device_once(make: Callable[[], Victim], kind: str) -> None:
    victim = make()
    for waits in waits_of_steps(victim, stage(kind, victim)):
        assert waits == ["cpu"]


@pytest.mark.parametrize("family", tiny.BUILDERS)
def test_a_step_of_any_family_waits_once_in_half_precision_and_exactly(
    family: str, tmp_path: Path
) -> None:
    """Every second one is exact; loading has seen that the others are near enough."""
    folder = str(tiny.BUILDERS[family](tmp_path))
    victim = load_victim(folder, device="cpu", dtype=torch.bfloat16)
    for waits in waits_of_steps(victim, stage("bounded", victim), target="a", whole_every=2):
        assert waits == ["cpu"]


@pytest.mark.parametrize("kind", ["bounded", "in a norm of hearing"])
def test_a_step_waits_once_be_its_pass_near_or_whole(kind: str, tmp_path: Path) -> None:
    victim = load_victim(str(tiny.BUILDERS["whisper"](tmp_path)), device="cpu")
    how = dataclasses.replace(stage(kind, victim), steps=9)
    waits = waits_of_steps(victim, how, target="a", whole_every=3)
    assert waits == [["cpu"]] * 6


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("family", tiny.BUILDERS)
def test_a_gradient_step_does_not_wait_for_a_real_device(family: str, tmp_path: Path) -> None:
    victim = load_victim(str(tiny.BUILDERS[family](tmp_path)), device="cuda")
    audio, lengths = pad([clip.to(victim.device) for clip in clips_of(victim)])
    targets = [victim.encode("a", 14_000) for _ in audio]
    audio.requires_grad_()
    torch.autograd.grad(victim.score(audio, lengths, targets).loss.sum(), audio)  # lays out
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch.autograd.grad(victim.score(audio, lengths, targets).loss.sum(), audio)
    finally:
        torch.cuda.set_sync_debug_mode("default")


class Planted(Batched):
    """The victim, with something more in every pass."""

    def __init__(self, more: Callable[[Score], object]) -> None:
        plain = linear_victim()
        super().__init__(plain.weight, plain.bias)
        self.more = more

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        score = super().score(audio, lengths, targets)
        self.more(score)
        return score


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(lambda score: score.loss.tolist(), id="tolist"),
        pytest.param(lambda score: score.loss[0].item(), id="item"),
        pytest.param(lambda score: float(score.loss.detach()[0]), id="float"),
        pytest.param(lambda score: bool(score.matched.any()), id="bool"),
        pytest.param(lambda score: score.loss.detach().numpy(), id="numpy"),
        pytest.param(lambda score: score.loss.cpu(), id="cpu"),
        pytest.param(lambda score: score.loss.to("cpu"), id="to"),
        pytest.param(lambda score: score.matched.nonzero(), id="nonzero"),
        pytest.param(lambda score: score.loss[score.matched], id="mask"),
        pytest.param(lambda score: score.loss[torch.tensor([0])], id="index from the host"),
        pytest.param(lambda score: torch.equal(score.loss, score.loss), id="equal"),
        pytest.param(lambda score: score.loss.repeat_interleave(score.matched.long()), id="repeat"),
        pytest.param(lambda score: torch.tensor([1], device=score.loss.device), id="new"),
        pytest.param(lambda score: torch.tensor([1]).to(score.loss.device), id="to the device"),
    ],
)
def test_a_wait_that_is_planted_is_found(more: Callable[[Score], object]) -> None:
    victim = Planted(more)
    for waits in waits_of_steps(victim, stage("bounded", victim)):
        assert len(waits) > 1


def test_what_a_step_says_lies_in_main_memory() -> None:
    victim = toy()
    clips = clips_of(victim)
    for stage in (FIRST, SECOND):
        with counted():
            seen = vars(next(search(victim, clips).run([stage])))
            told = {name: value for name, value in seen.items() if isinstance(value, Tensor)}
            assert {"index", "loss", "hits", "matched"} < set(told)
            assert all(map(on_host, told.values()))


# ---- what is remembered


def test_the_same_tensors_are_worked_on_once() -> None:
    calls: list[int] = []

    def total(values: Tensor, times: int) -> float:
        calls.append(times)
        return float(values.sum()) * times

    remembered, values = Remembered(total), torch.ones(3)
    assert [remembered(values, 2), remembered(values, 2), remembered(values, 3)] == [6, 6, 9]
    assert calls == [2, 3]


def test_equal_tensors_are_not_the_same_and_changed_ones_are_not_either() -> None:
    remembered = Remembered(lambda values: float(values.sum()))
    values = torch.ones(3)
    assert [remembered(values), remembered(torch.zeros(3)), remembered(values)] == [3, 0, 3]
    values.add_(1)
    assert remembered(values) == 6


def test_another_number_of_targets_is_another_batch() -> None:
    remembered = Remembered(lambda *targets: len(targets))
    one, other = torch.ones(1), torch.zeros(1)
    assert [remembered(one), remembered(one, other), remembered(other, one)] == [1, 2, 2]


def test_what_is_made_in_inference_serves_a_search_as_well() -> None:
    weight = torch.ones(2)
    remembered = Remembered(lambda values: values * 2)
    with torch.inference_mode():
        remembered(weight)
    x = torch.ones(2, requires_grad=True)
    (gradient,) = torch.autograd.grad((x * remembered(weight)).square().sum(), x)
    assert gradient.tolist() == [8, 8]


def test_what_has_to_go_is_gone_before_another_is_made() -> None:
    made: list[weakref.ref[Tensor]] = []

    def large(_: Tensor, number: int) -> Tensor:
        assert all(one() is None for one in made)
        found = torch.ones(3)
        made.append(weakref.ref(found))
        return found

    remembered, values = Remembered(large, latest=1), torch.ones(1)
    for number in range(3):
        remembered(values, number)
    assert len(made) == 3


def test_what_is_made_in_half_precision_is_exact_all_the_same() -> None:
    row = torch.tensor([[1.0, 2**-10]])
    remembered = Remembered(lambda values: values @ values.T - 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert row @ row.T - 1 == 0
        assert remembered(row) == 2**-20


def test_few_are_kept() -> None:
    calls: list[int] = []
    remembered, values = Remembered(lambda _, number: calls.append(number)), torch.ones(1)
    for number in [*range(9), 0]:
        remembered(values, number)
    assert calls == [*range(9), 0]
