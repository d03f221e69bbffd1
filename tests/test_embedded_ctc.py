"""The recogniser that was taught here: what it writes, and that its card says the truth of it."""

from __future__ import annotations

import re
from pathlib import Path

import jiwer
import pytest
import torch
from conftest import Clip
from torch import Tensor

import mondegreen as mg
from mondegreen.audio.pcm import load, save
from mondegreen.errors import TargetError, VictimError
from mondegreen.victims import load_recogniser
from mondegreen.victims.embedded.ctc import ALPHABET, WEIGHTS, Letters, MoonshineCTC
from mondegreen.victims.guard import bare
from mondegreen.victims.spelling import letters_only

CARD = WEIGHTS.with_suffix(".md")


@pytest.fixture(scope="module")
def victim() -> MoonshineCTC:
    found = bare(mg.load_victim("moonshine-tiny-ctc", device="cpu"))
    assert isinstance(found, MoonshineCTC)
    return found


@pytest.fixture(scope="module")
def speech(beckett: Path) -> Tensor:
    return torch.from_numpy(load(beckett, 16_000))


def test_the_weights_are_small_and_safe() -> None:
    assert WEIGHTS.suffix == ".safetensors"
    assert WEIGHTS.stat().st_size <= 5_000_000


def test_a_head_hears_a_padded_clip_as_it_is_alone() -> None:
    torch.manual_seed(0)
    head = Letters(states=8, width=16, blocks=2, kernel=5).double()
    states = torch.randn(2, 9, 8, dtype=torch.float64)
    real = torch.arange(9) < torch.tensor([[9], [4]])
    states[1, 4:] = torch.nan
    torch.testing.assert_close(head(states, real)[1, :4], head(states[1:, :4])[0])


def test_there_is_a_frame_of_logits_for_every_frame_promised(victim: MoonshineCTC) -> None:
    for length in (16_000, 16_383, 16_384, 20_001):
        states, _ = victim.moonshine.encode_audio(torch.zeros(1, length), torch.tensor([length]))
        assert states.shape[1] == int(victim.moonshine.frames(torch.tensor(length)))


def test_targets_are_letters(victim: MoonshineCTC) -> None:
    symbols = victim.encode("Don\u2019t  STOP, now!", 48_000).tolist()
    assert "".join(ALPHABET[symbol - 1] for symbol in symbols) == "don't stop now"
    with pytest.raises(TargetError, match=r"no symbol for '7'"):
        victim.encode("room 7", 48_000)
    with pytest.raises(TargetError, match=r"no symbol for '&' in 'AT&T'"):
        victim.encode("AT&T", 48_000)
    with pytest.raises(TargetError, match="frames"):
        victim.encode("good morning", 4_000)


def test_matched_is_the_transcript(victim: MoonshineCTC, speech: Tensor) -> None:
    for clip in speech.split(40_000)[:4]:
        heard = victim.transcribe(clip)
        length = torch.tensor([len(clip)])
        for target, expected in ((heard, True), (heard[:-1], False), (f"{heard}s", False)):
            encoded = [victim.encode(target, len(clip))]
            assert bool(victim.score(clip[None], length, encoded).matched) is expected


def test_beams_are_for_listening(speech: Tensor) -> None:
    beams = load_recogniser("moonshine-tiny-ctc", device="cpu", beams=8)
    assert set(beams.transcribe(speech)) <= set(ALPHABET)
    with pytest.raises(VictimError, match="use 1"):
        load_recogniser("moonshine-tiny-int8", device="cpu", beams=8)


@pytest.mark.slow
def test_the_card_tells_its_error_rates(victim: MoonshineCTC, clips: list[Clip]) -> None:
    said = [letters_only(clip.text) for clip in clips]
    heard = [victim.transcribe(torch.from_numpy(load(clip.path, 16_000))) for clip in clips]
    told = re.search(r"LibriSpeech.*\| ([\d.]+) % \| ([\d.]+) % \|", CARD.read_text())
    assert told is not None
    assert float(told[1]) == pytest.approx(100 * jiwer.cer(said, heard), abs=0.3)
    assert float(told[2]) == pytest.approx(100 * jiwer.wer(said, heard), abs=1.5)


@pytest.mark.slow
def test_it_can_be_attacked(victim: MoonshineCTC, beckett: Path, tmp_path: Path) -> None:
    save(tmp_path / "clip.wav", load(beckett, 16_000)[:52_000], 16_000)  # to "ever failed"
    result = mg.attack(victim, tmp_path / "clip.wav", "good morning", max_passes=60)
    assert result.verified
    result.save(tmp_path / "item")
    proof = mg.verify(tmp_path / "item" / "adversarial.wav", victim, "good morning")
    assert proof.transcript == "good morning"
