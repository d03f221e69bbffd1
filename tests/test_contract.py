"""Every victim keeps the contract, and the contract catches those that do not."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mondegreen import load_victim
from mondegreen.audio.pcm import load
from mondegreen.errors import TargetError
from mondegreen.names import EMBEDDED
from mondegreen.victims import Score, Victim
from mondegreen.victims.contract import CHECKS, Finding, examine
from mondegreen.victims.families.checkpoint import load_checkpoint

CPU, FLOAT = torch.device("cpu"), torch.float32
EXAMPLE = Path(__file__).parents[1] / "examples" / "own_victim.py"
Faulty = Callable[[Any], Any]


@pytest.fixture(scope="module")
def speech(beckett: Path) -> Tensor:
    return torch.from_numpy(load(beckett, 16_000))


@pytest.fixture
def example() -> Any:
    """The victim of the example, with a network that says enough to be examined."""
    spec = importlib.util.spec_from_file_location("own_victim", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.victim(CPU, FLOAT)


def states(findings: Iterator[Finding]) -> dict[str, str]:
    return {finding.id: finding.state for finding in findings}


# Random transducers write words in symbols that their tokenizer would not choose.
MISSPELL = ("parakeet_rnnt", "parakeet_tdt")
MATCHED = "matched is what it hears"


def assert_kept(victim: Victim, speech: Tensor, excused: tuple[str, ...] = ()) -> None:
    found = [finding for finding in examine(victim, speech) if finding.id not in excused]
    failed = [finding for finding in found if finding.state == "fails"]
    assert not failed, "\n".join(f"{f.id}: {f.detail}" for f in failed)


@pytest.mark.parametrize("family", tiny.BUILDERS)
def test_every_family_keeps_the_contract(family: str, speech: Tensor, tmp_path: Path) -> None:
    folder = tiny.BUILDERS[family](tmp_path / "checkpoint")
    victim = load_checkpoint(str(folder), CPU, FLOAT)
    assert isinstance(victim, Victim)
    assert_kept(victim, speech, excused=(MATCHED,) if family in MISSPELL else ())


@pytest.mark.parametrize(
    ("family", "dtype"), [("wav2vec2", torch.float16), ("moonshine", torch.bfloat16)]
)
def test_weights_stored_in_half_precision_keep_it_in_single(
    family: str, dtype: torch.dtype, speech: Tensor, tmp_path: Path
) -> None:
    folder = tiny.BUILDERS[family](tmp_path / "checkpoint")
    stored = folder / "model.safetensors"
    half = {name: weight.to(dtype) for name, weight in load_file(stored).items()}
    save_file(half, stored, {"format": "pt"})
    victim: Any = load_checkpoint(str(folder), CPU, FLOAT)
    weights = victim.model.state_dict()
    assert {weight.dtype for weight in weights.values()} == {FLOAT}
    for name, weight in half.items():
        assert torch.equal(weights[name], weight.float())
    assert_kept(victim, speech)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in EMBEDDED if "int8" not in name])
def test_the_embedded_recognisers_keep_the_contract(name: str, speech: Tensor) -> None:
    victim = load_victim(name)
    assert_kept(victim, speech)


def test_the_example_keeps_the_contract_in_25_lines(example: Any, speech: Tensor) -> None:
    assert_kept(example, speech)
    source = EXAMPLE.read_text().partition("class MyVictim")[2].partition("\ndef victim")[0]
    assert len([line for line in source.splitlines() if line.strip()]) <= 25


class Wrapped:
    """A victim whose `score` or `transcribe` a fault has got into."""

    def __init__(self, victim: Any, **faults: Any) -> None:
        self._victim, self._faults = victim, faults

    def __getattr__(self, name: str) -> Any:
        return self._faults.get(name, getattr(self._victim, name))


def scoring(fault: Callable[[Any, Tensor, Tensor, Sequence[Tensor]], Score]) -> Faulty:
    def wrap(victim: Any) -> Wrapped:
        return Wrapped(victim, score=lambda *given: fault(victim, *given))

    return wrap


def cut_gradient(victim: Any, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
    score: Score = victim.score(audio.detach(), lengths, targets)
    return dataclasses.replace(score, loss=score.loss + 0 * audio.sum(1))


def root_of_silence(
    victim: Any, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]
) -> Score:
    score: Score = victim.score(audio, lengths, targets)
    return dataclasses.replace(score, loss=score.loss + audio.square().sum(1).sqrt())


def anothers_gradient(
    victim: Any, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]
) -> Score:
    score: Score = victim.score(audio, lengths, targets)
    return dataclasses.replace(score, loss=score.loss + 0.1 * (score.loss - score.loss.detach()))


def dither(victim: Any, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
    score: Score = victim.score(audio + 0.01 * torch.randn_like(audio), lengths, targets)
    return score


def hear_padding(victim: Any, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
    score: Score = victim.score(audio - audio.mean(1, keepdim=True), lengths, targets)
    return score


def mean_over_batch(
    victim: Any, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]
) -> Score:
    score: Score = victim.score(audio, lengths, targets)
    return dataclasses.replace(score, loss=score.loss / len(targets))


def always(answer: bool) -> Faulty:
    def fault(victim: Any, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        score: Score = victim.score(audio, lengths, targets)
        return dataclasses.replace(score, matched=torch.full_like(score.matched, answer))

    return scoring(fault)


def other_ears(victim: Any) -> Wrapped:
    return Wrapped(victim, transcribe=lambda audio: victim.transcribe(3 * audio))


def one_loss(victim: Any, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
    score: Score = victim.score(audio, lengths, targets)
    return dataclasses.replace(score, loss=score.loss.mean())


def forgetful(victim: Any) -> Wrapped:
    heard: list[str] = []

    def transcribe(audio: Tensor) -> str:
        heard.append("")
        return f"{victim.transcribe(audio)} {'a' * len(heard)}"

    return Wrapped(victim, transcribe=transcribe)


@pytest.mark.parametrize(
    ("fault", "caught"),
    [
        (lambda victim: Wrapped(victim, sample_rate=2_000), "sample rate"),
        (scoring(cut_gradient), "gradient finite"),
        (scoring(root_of_silence), "gradient finite"),
        (scoring(anothers_gradient), "finite differences"),
        (scoring(dither), "deterministic"),
        (forgetful, "deterministic"),
        (scoring(hear_padding), "ignores padding"),
        (scoring(mean_over_batch), "ignores the batch"),
        (always(True), "matched is what it hears"),
        (always(False), "matched is what it hears"),
        (other_ears, "matched is what it hears"),
        (scoring(one_loss), "gradient finite"),
    ],
)
def test_planted_faults_are_caught(
    fault: Faulty, caught: str, example: Any, speech: Tensor
) -> None:
    findings = list(examine(fault(example), speech))
    found = states(findings)
    assert set(found) == set(CHECKS)
    assert found[caught] == "fails"
    if caught == "deterministic":
        assert any("is dropout on?" in finding.detail for finding in findings)


def test_a_victim_that_cannot_be_spoken_to_fails_at_once(example: Any, speech: Tensor) -> None:
    def refuse(target: str, length: int) -> Tensor:
        raise TargetError("nothing can be spelled")

    findings = list(examine(Wrapped(example, encode=refuse), speech))
    assert [finding.state for finding in findings] == ["fails"]
    assert findings[0].detail == "nothing can be spelled"


def test_a_check_that_raises_has_failed(example: Any, speech: Tensor) -> None:
    def broken(*given: Any) -> Score:
        raise IndexError("list index out of range")

    findings = list(examine(Wrapped(example, score=broken), speech))
    failed = {f.id: f.detail for f in findings if f.state == "fails"}
    place, said = failed["gradient finite"].split(": ", 1)
    assert said == "IndexError: list index out of range"
    assert place.startswith(f"{__file__}:")


def test_a_rate_that_is_no_whole_number_fails_at_once(example: Any, speech: Tensor) -> None:
    (finding,) = examine(Wrapped(example, sample_rate=16_000.0), speech)
    assert finding.state == "fails"
    assert "its sample_rate is 16000.0, expected a whole number of Hz" in finding.detail


def root_of_pauses(victim: Any, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
    """A loss whose gradient is NaN at digital silence, but not if all is silent."""
    score: Score = victim.score(audio, lengths, targets)
    starts = [row[:100].square().sum().sqrt() if row.any() else row.sum() for row in audio]
    more = torch.stack(starts)
    return dataclasses.replace(score, loss=score.loss + more)


def test_a_gradient_that_is_nan_in_a_pause_is_named(example: Any, speech: Tensor) -> None:
    found = {f.id: f for f in examine(scoring(root_of_pauses)(example), speech)}
    assert found["gradient finite"].state == "fails"
    assert "silence nan" not in found["gradient finite"].detail
    assert "a pause of zeros nan" in found["gradient finite"].detail
