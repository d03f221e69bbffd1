"""The border to a recogniser's own code: whatever it raises or returns is one error in one line."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy import TARGET, LinearVictim, linear_victim, speech

import mondegreen as mg
from mondegreen.audio.pcm import save
from mondegreen.errors import AudioError, RecogniserError, TargetError, VictimError
from mondegreen.victims.base import Recogniser, Score, Victim
from mondegreen.victims.fingerprint import fingerprint
from mondegreen.victims.guard import Guarded, attackable, bare, guarded, slope

HERE = str(Path(__file__))


class Strange(LinearVictim):
    """The linear victim with some members replaced."""

    def __init__(self, **members: Any) -> None:
        plain = linear_victim()
        super().__init__(plain.weight, plain.bias)
        self.members = members

    def __getattribute__(self, name: str) -> Any:
        if name != "members" and name in (members := self.members if _made(self) else {}):
            return members[name]
        return super().__getattribute__(name)


def _made(victim: Strange) -> bool:
    return "members" in object.__getattribute__(victim, "__dict__")


def raising(error: BaseException) -> Callable[..., Any]:
    def method(*_: Any) -> Any:
        raise error

    return method


def returning(value: Any) -> Callable[..., Any]:
    return lambda *_: value


def scored(**parts: Any) -> Callable[..., Score]:
    """A score of two clips, one part of it replaced."""
    whole = {"loss": torch.zeros(2, requires_grad=True), "matched": torch.zeros(2).bool()}
    return lambda *_: Score(**{**whole, **parts})


BATCH = torch.zeros(2, 8192, dtype=torch.float64, requires_grad=True), torch.tensor([8192] * 2)
USES: dict[str, Callable[[Any], object]] = {
    "transcribe": lambda victim: victim.transcribe(torch.zeros(800)),
    "encode": lambda victim: victim.encode(TARGET, 8192),
    "score": lambda victim: victim.score(*BATCH, [torch.tensor([1])] * 2),
}


def used(method: str, what: Callable[..., Any]) -> object:
    """A method used through the border, when it does something else."""
    return USES[method](attackable(Strange(**{method: what})))


@pytest.mark.parametrize("method", USES)
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (IndexError("\n  list index out of range.\nmore"), "IndexError: list index out of range;"),
        (SystemExit(0), "SystemExit: 0;"),
        (GeneratorExit(), "GeneratorExit;"),
        (RecursionError("too deep"), "RecursionError: too deep;"),
        (MemoryError(), "MemoryError;"),
        (StopIteration(), "StopIteration;"),
        (KeyError("\ud800\x1b[2J"), r"KeyError: '\ud800\x1b[2J';"),
        (ValueError("a\x1b[2Jb"), "ValueError: a?[2Jb;"),
    ],
)
def test_whatever_is_raised_is_told_in_a_line_with_its_place(
    method: str, error: BaseException, said: str
) -> None:
    with pytest.raises(RecogniserError) as told:
        used(method, raising(error))
    lines = str(told.value).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"linear: {HERE}:")
    assert said in lines[0]
    assert lines[0].endswith("check it with: mondegreen check-victim linear")


def test_an_error_raised_in_a_library_is_told_at_the_recognisers_own_line() -> None:
    def transcribe(audio: torch.Tensor) -> str:
        return str(torch.nn.functional.conv1d(audio, audio))

    line = transcribe.__code__.co_firstlineno + 1
    with pytest.raises(RecogniserError, match=rf"test_guard\.py:{line}: RuntimeError"):
        used("transcribe", transcribe)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), TargetError("no"), AudioError("too long")])
def test_an_interrupt_and_a_refusal_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as passed:
        used("encode", raising(error))
    assert passed.value is error


@pytest.mark.parametrize(
    ("method", "value", "said"),
    [
        ("transcribe", None, "transcribe returned None, expected a str"),
        ("transcribe", b"yes", "transcribe returned a bytes, expected a str"),
        ("transcribe", "a\ud800", r"transcribe returned 'a\ud800', which is half a character"),
        ("transcribe", "go " * 50_000, "transcribe returned a text of 150,000 characters"),
        ("encode", None, "encode returned None, expected a tensor [N] of torch.int64"),
        ("encode", [1, 2], "encode returned a list"),
        ("encode", torch.tensor([[1]]), "encode returned a tensor [1, 1] of torch.int64"),
        ("encode", torch.tensor([1.0]), "encode returned a tensor [1] of torch.float32"),
        ("encode", torch.tensor([], dtype=torch.int64), "encode returned a tensor [0]"),
        ("score", None, "score returned None, expected a Score(loss, matched)"),
        ("score", (torch.zeros(2), torch.zeros(2)), "score returned a tuple"),
    ],
)
def test_what_is_returned_wrongly_is_told(method: str, value: Any, said: str) -> None:
    with pytest.raises(RecogniserError) as told:
        used(method, returning(value))
    assert f": {said}" in str(told.value)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"loss": None}, "the loss None, expected a tensor [2]"),
        ({"loss": torch.tensor(1.0)}, "the loss a tensor [] of torch.float32"),
        ({"loss": torch.zeros(2, 1)}, "the loss a tensor [2, 1]"),
        ({"loss": torch.zeros(2).long()}, "a loss of torch.int64, expected floats"),
        ({"loss": torch.zeros(2, device="meta")}, "the loss on meta, but the audio is on cpu"),
        ({"loss": torch.zeros(2)}, "a loss that does not hang on the audio"),
        ({"matched": torch.zeros(3).bool()}, "the matched a tensor [3] of torch.bool"),
        ({"matched": torch.zeros(2)}, "matched of torch.float32, expected bool"),
        ({"matched": [True, False]}, "the matched a list, expected a tensor [2]"),
    ],
)
def test_a_wrong_score_is_told_with_the_place_of_its_method(
    parts: dict[str, Any], said: str
) -> None:
    with pytest.raises(RecogniserError) as told:
        used("score", scored(**parts))
    assert f"{HERE}:" in str(told.value)
    assert f"score returned {said}" in str(told.value)


def test_without_gradients_a_loss_needs_none() -> None:
    with torch.no_grad():
        score = used("score", scored(loss=torch.ones(2)))
    assert isinstance(score, Score)
    assert score.loss.tolist() == [1.0, 1.0]


def test_a_loss_that_hangs_on_weights_alone_has_no_slope() -> None:
    weight, audio = torch.ones(1, requires_grad=True), torch.ones(3, requires_grad=True)
    with pytest.raises(RecogniserError, match="score returned a loss that does not hang on the au"):
        slope(linear_victim(), weight.sum(), audio)
    assert slope(linear_victim(), (weight * audio).sum(), audio).tolist() == [1, 1, 1]


def test_a_backward_pass_that_raises_is_the_recognisers() -> None:
    audio = torch.ones(3, requires_grad=True)
    root = audio.sqrt()
    loss = (root * root).sum()
    root.data.add_(1)
    root.add_(1)  # in place: autograd refuses
    with pytest.raises(RecogniserError, match="RuntimeError: one of the variables needed"):
        slope(linear_victim(), loss, audio)


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("sample_rate", 0, "0, expected a whole number of Hz, 1000 to 768000"),
        ("sample_rate", -8000, "-8000, expected"),
        ("sample_rate", 10**9, "1000000000, expected"),
        ("sample_rate", 16_000.0, "16000.0, expected"),
        ("sample_rate", float("nan"), "nan, expected"),
        ("name", 3, "a int, expected a str"),
        ("name", "", "of 0 characters"),
        ("name", "a" * 1001, "of 1001 characters"),
        ("name", "a\x1b[2J", r"'a\x1b[2J', which has control characters"),
        ("name", "a\ud800", r"'a\ud800', which has control characters or half characters"),
        ("device", 3, "a int, expected a torch.device"),
        ("device", "warp", "'warp', which is not available: RuntimeError"),
        ("dtype", "float32", "'float32', expected torch.float32 or torch.float64"),
        ("dtype", torch.float16, "torch.float16, expected"),
    ],
)
def test_a_member_of_the_wrong_kind_is_told(member: str, value: Any, said: str) -> None:
    with pytest.raises(RecogniserError) as told:
        guarded(Strange(**{member: value}), "mine")
    assert str(told.value).startswith(f"mine: its {member} is {said}")


def test_a_whole_number_of_numpy_is_a_rate_and_a_devices_name_a_device() -> None:
    victim = attackable(Strange(sample_rate=np.int64(8000), device="cpu"))
    assert (victim.sample_rate, type(victim.sample_rate)) == (8000, int)
    assert victim.device == torch.device("cpu")


class Ear:
    """It only transcribes, and has something more."""

    name, sample_rate, more = "ear", 8000, 7

    def transcribe(self, audio: torch.Tensor) -> str:
        assert audio.dtype == torch.float32
        return f"{len(audio)}"


def test_behind_the_border_a_recogniser_is_what_it_was() -> None:
    ear, victim = guarded(Ear()), guarded(linear_victim())
    assert isinstance(ear, Recogniser)
    assert not isinstance(ear, Victim)
    assert isinstance(victim, Victim)
    assert guarded(victim) is victim
    assert ear.more == 7  # type: ignore[attr-defined]
    assert not hasattr(ear, "beams")
    assert isinstance(bare(ear), Ear)
    assert fingerprint(victim) == fingerprint(linear_victim())
    with pytest.raises(AttributeError):
        ear.beams = 4  # type: ignore[attr-defined]
    with pytest.raises(VictimError, match="mine is of the type Strange, which has no sample_rate;"):
        guarded(Strange(sample_rate=None), "mine")
    with pytest.raises(VictimError, match="linear cannot be attacked yet: it has no dtype;"):
        attackable(Strange(dtype=None))
    with pytest.raises(VictimError, match="mine is of the type Strange, which has no sample_rate;"):
        guarded(Strange(sample_rate=None), "mine")
    with pytest.raises(VictimError, match="linear cannot be attacked yet: it has no dtype;"):
        attackable(Strange(dtype=None))
    with pytest.raises(VictimError, match="ear can only transcribe: it has no device, dtype, enc"):
        attackable(ear)


def test_what_is_no_recogniser_is_told() -> None:
    with pytest.raises(VictimError, match=r"use mondegreen\.load_victim\('moonshine-tiny'\)"):
        mg.attack("moonshine-tiny", "clip.wav", TARGET)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        ("clip.wav", r"a str to transcribe; .*mondegreen\.audio\.pcm\.load\(path, 8000\)"),
        (Path("clip.wav"), r"mondegreen\.audio\.pcm\.load\(path, 8000\)"),
        (np.zeros(800, np.int16), r"torch\.int16; give one clip.*16-bit samples / 32768"),
        (np.array(["a"]), "a ndarray to transcribe"),
        (torch.zeros(1, 800), r"shape \[1, 800\]; give one clip, \[T\] floats in \[-1, 1\]"),
        (np.zeros((800, 2)), r"shape \[800, 2\]"),
        (torch.zeros(0), r"shape \[0\]"),
        (torch.full((800,), float("nan")), "NaN or infinite"),
        (None, "Got None to transcribe"),
    ],
)
def test_what_cannot_be_transcribed_is_told(audio: Any, said: str) -> None:
    with pytest.raises(AudioError, match=said):
        guarded(Ear()).transcribe(audio)


def test_an_array_of_floats_is_a_clip_whatever_its_type_and_layout() -> None:
    ear: Any = guarded(Ear())
    assert ear.transcribe(np.zeros((900, 2))[:, 0]) == "900"
    assert ear.transcribe(torch.zeros(800, dtype=torch.float64, requires_grad=True)) == "800"


def test_a_fault_crosses_from_a_worker_to_its_driver() -> None:
    """Errors are pickled by their arguments, as they are copied."""
    fault = RecogniserError("mine", "file.py:3: it broke", "mend it")
    assert str(copy.copy(fault)) == "mine: file.py:3: it broke; mend it"


def test_victims_given_to_attack_and_recognisers_given_to_verify_are_guarded(
    tmp_path: Path,
) -> None:
    path = tmp_path / "clip.wav"
    save(path, speech().float().numpy(), 16_000)
    with pytest.raises(RecogniserError, match="SystemExit: 0"):
        mg.attack(Strange(score=raising(SystemExit(0))), path, TARGET, max_passes=2)
    with pytest.raises(RecogniserError, match="transcribe returned None"):
        mg.verify(path, Strange(transcribe=returning(None)), TARGET)
    assert isinstance(guarded(linear_victim()), Guarded)
