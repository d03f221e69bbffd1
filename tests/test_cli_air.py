"""The commands of the loop, against a simulated sound card."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound_card import Card, through
from typer.testing import CliRunner

from mondegreen.air.rooms import RoomBank
from mondegreen.audio.pcm import ADVERSARIAL_MARK, save
from mondegreen.cli import app
from mondegreen.errors import AudioError, MondegreenError, OptionError

RATE = 16_000
CARD = Card(
    path=through(0.4, RATE),
    latency=3_210.5,
    drift=60e-6,
    snr_db=20,
    gain=0.3,
)


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "sounddevice", CARD.module())
    return tmp_path


def called(*arguments: str) -> str:
    ran = CliRunner().invoke(app, ["air", *arguments])
    if ran.exception:
        raise ran.exception
    return ran.stdout


def test_from_a_sweep_to_a_bank(at: Path) -> None:
    short = ["--seconds", "2", "--sample-rate", "16000", "--tail", "0.6"]
    made = json.loads(called("sweep", "--out", "sweep.wav", *short, "--json"))
    assert (made["high"], made["lasts_s"]) == (8_000.0, 4.8)
    called("play", "sweep.wav", "--record", "take.wav")
    found = json.loads(
        called("response", "take.wav", "--sweep", "sweep.wav", "--out", "room.wav", "--json")
    )
    (take,) = found["takes"]
    assert take["drift_ppm"] == pytest.approx(60, abs=2)
    assert take["offset"] == pytest.approx(3_210.5 / RATE + 0.5, abs=2 / RATE)
    assert found["rt60"] == pytest.approx(0.3, rel=0.1)
    make = ["rooms", "make", "--from", "room.wav", "--out", "my.rooms", "--counts", "0,0,1"]
    assert CliRunner().invoke(app, make).exception is None
    (room,) = RoomBank.load(at / "my.rooms").split("test").rooms
    assert (room.id, room.rt60) == ("room", pytest.approx(0.3, rel=0.1))


def test_a_response_is_told_in_lines(at: Path) -> None:
    called("sweep", "--out", "sweep.wav", "--seconds", "1", "--sample-rate", "16000")
    sweep, _ = soundfile.read("sweep.wav")
    save("take.wav", CARD.recorded(sweep), RATE)
    text = called("response", "take.wav", "--sweep", "sweep.wav", "--out", "room.wav")
    assert "clock drift      +60." in text
    assert "distortion       below the noise" in text
    assert "clipped          none" in text


def test_a_recording_has_every_take_and_keeps_the_mark(at: Path) -> None:
    save("a.wav", np.full(RATE // 2, 0.25), RATE, comment=ADVERSARIAL_MARK)
    called("play", "a.wav", "--record", "b.wav", "--takes", "3")
    with soundfile.SoundFile("b.wav") as file:
        assert file.comment == ADVERSARIAL_MARK
        assert file.frames == (0.5 + 3 * 1.5) * RATE


def test_nothing_is_overwritten(at: Path) -> None:
    save("a.wav", np.full(RATE, 0.25), RATE)
    before = (at / "a.wav").read_bytes()
    for command in (
        ["sweep", "--out", "a.wav"],
        ["play", "a.wav", "--record", "a.wav"],
        ["response", "a.wav", "--sweep", "a.wav", "--out", "a.wav"],
    ):
        with pytest.raises(OptionError, match="never overwritten"):
            called(*command)
    assert (at / "a.wav").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--sample-rate", "48000"], r"usual loudspeaker cannot be used at 48,000 Hz .*simulated"),
        (["--microphone", "other"], "'other' as microphone"),
    ],
)
def test_devices_that_do_not_fit_are_refused(at: Path, options: list[str], why: str) -> None:
    save("a.wav", np.full(RATE, 0.25), RATE)
    with pytest.raises(AudioError, match=why):
        called("play", "a.wav", "--record", "b.wav", *options)
    assert not (at / "b.wav").exists()


def test_a_machine_without_devices_says_so(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save("a.wav", np.full(RATE, 0.25), RATE)
    none = replace(CARD).module()
    none.query_devices = list
    monkeypatch.setitem(sys.modules, "sounddevice", none)
    with pytest.raises(AudioError, match="no audio devices"):
        called("play", "a.wav", "--record", "b.wav")
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioError, match=r"mondegreen\[audio\]"):
        called("play", "a.wav", "--record", "b.wav")


def test_what_is_no_sweep_is_refused(at: Path) -> None:
    save("a.wav", np.full(RATE, 0.25), RATE)
    with pytest.raises(MondegreenError, match="not a sweep"):
        called("response", "a.wav", "--sweep", "a.wav", "--out", "b.wav")
