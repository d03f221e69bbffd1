"""Results played through a simulated sound card, and what is heard of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy
from scipy.signal import fftconvolve
from sound_card import Card, Sound, through
from torch import Tensor
from typer.testing import CliRunner

from mondegreen import attack
from mondegreen.audio.pcm import save
from mondegreen.cli import app
from mondegreen.errors import AudioError, MondegreenError
from mondegreen.judging import played
from mondegreen.judging.played import score
from mondegreen.results.item import read_item

RATE = 16_000
CARD = Card(
    path=through(0.3, RATE),
    latency=2_000.5,
    drift=80e-6,
    snr_db=25,
    gain=0.3,
)


class Scripted:
    """Answers with given transcripts, one after the other."""

    name, sample_rate = "scripted", RATE

    def __init__(self, *answers: str) -> None:
        self.answers, self.sounds = list(answers), list[Tensor]()

    def transcribe(self, audio: Tensor) -> str:
        self.sounds.append(audio)
        return self.answers[len(self.sounds) - 1]


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of two seconds."""
    folder = tmp_path_factory.mktemp("played")
    victim = toy.linear_victim(length=2 * RATE, bias=100)
    victim.name = "moonshine-tiny"
    save(folder / "clip.wav", toy.speech(length=2 * RATE), RATE)
    return attack(victim, folder / "clip.wav", "open the door", max_passes=30).save(folder / "item")


def recorded(path: Path, *sounds: Sound, rate: int = RATE, card: Card = CARD) -> Path:
    """The sounds one after the other, half a second apart."""
    parts = [np.append(sound, np.zeros(RATE // 2)) for sound in sounds]
    heard = card.recorded(np.concatenate(parts).astype(np.float64))
    save(path, heard, rate)
    return path


def test_takes_are_counted_by_hand(item: Path, tmp_path: Path) -> None:
    sound = read_item(item).adversarial
    takes = [recorded(tmp_path / "a.wav", sound, sound), recorded(tmp_path / "b.wav", sound)]
    answers = ["Open the door!", "Open a door", "Nothing at all"]
    ear = Scripted(*answers)
    found = score(ear, takes, item)
    assert [take.heard.transcript for take in found.takes] == answers
    assert [Path(take.recording).name for take in found.takes] == ["a.wav", "a.wav", "b.wav"]
    assert found.heard == pytest.approx(1 / 3)
    assert (found.heard_low, found.heard_high) == pytest.approx((0.0615, 0.7923), abs=1e-3)
    assert found.wer_target == pytest.approx((0 + 1 + 3) / 9)
    assert [len(heard) for heard in ear.sounds] == [len(sound)] * 3
    begins = [take.begins * RATE for take in found.takes]
    assert begins == pytest.approx([2_000.5, 2_000.5 + 40_000 * (1 + 80e-6), 2_000.5], abs=2)
    assert [take.drift_ppm for take in found.takes] == pytest.approx([80] * 3, abs=10)
    assert (found.clean, found.quality, found.floor) == ((), None, None)


def test_the_yardsticks_compare_aligned_takes(
    item: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without noise the room is all there is, and δ in it is as far below the clip as outside."""
    known = read_item(item)
    quiet = replace(CARD, snr_db=None)
    seen: list[tuple[Sound, Sound]] = []

    def panel(clean: Sound, other: Sound, rate: int) -> str:
        seen.append((clean, other))
        return "quality"

    monkeypatch.setattr(played, "measure", panel)
    a = recorded(tmp_path / "a.wav", known.adversarial, card=quiet)
    b = recorded(tmp_path / "b.wav", known.clean, known.clean, card=replace(quiet, latency=77.2))
    found = score(Scripted("x", "y", "z"), [a], item, clean=b)
    assert [take.heard.transcript for take in found.clean] == ["y", "z"]
    (clean, other), (first, second) = seen
    delta, same = other - clean, second - first
    assert np.square(same).sum() < 1e-3 * np.square(first).sum()
    in_room = fftconvolve(known.delta, quiet.path)[: len(delta)] * quiet.gain
    assert np.square(delta).sum() == pytest.approx(np.square(in_room).sum(), rel=0.1)


def test_what_is_no_take_is_refused(item: Path, tmp_path: Path) -> None:
    known = read_item(item)
    other = toy.speech(seed=3, length=4 * RATE).numpy()
    spoilt = {
        "not found": recorded(tmp_path / "other.wav", other),
        "lasts 1.2 s": recorded(tmp_path / "short.wav", known.adversarial[: RATE // 4]),
        "has the clean clip": recorded(tmp_path / "clean.wav", known.clean),
        "is clipped": recorded(
            tmp_path / "clipped.wav", known.adversarial, card=replace(CARD, gain=30)
        ),
        "was not found": recorded(tmp_path / "rate.wav", known.adversarial, rate=22_050),
        "not found in": recorded(
            tmp_path / "quiet.wav", known.adversarial, card=replace(CARD, snr_db=-30)
        ),
    }
    for why, path in spoilt.items():
        with pytest.raises(AudioError, match=why):
            score(Scripted("x"), [path], item)
    take = recorded(tmp_path / "a.wav", known.adversarial)
    with pytest.raises(AudioError, match="has the adversarial file"):
        score(Scripted("x"), [take], item, clean=take)
    with pytest.raises(MondegreenError, match="is not a result"):
        score(Scripted("x"), [take], tmp_path)


def test_it_is_printed_and_in_the_json(
    item: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = read_item(item).adversarial
    take = recorded(tmp_path / "a.wav", sound, sound)
    ears = [Scripted("Open the door.", "Open the door."), Scripted("Nothing", "Nothing")]
    monkeypatch.setattr("mondegreen.victims.load_recogniser", lambda *_, **__: ears.pop(0))
    command = ["air", "score", str(take), "--of", str(item)]
    ran = CliRunner().invoke(app, command)
    assert ran.exit_code == 0
    assert "target heard in 2 of 2 takes (100%; 95 %: 34% to 100%)" in ran.stdout
    assert "take 2" in ran.stdout
    ran = CliRunner().invoke(app, [*command, "--json"])
    assert ran.exit_code == 1
    found = json.loads(ran.stdout)
    assert (found["heard"], found["takes"][0]["heard"]["transcript"]) == (0.0, "Nothing")
