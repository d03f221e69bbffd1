"""What other recognisers make of a finished sound: alone, within `evaluate`, and as it is told."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
import toy
from numpy.typing import NDArray
from torch import Tensor

import mondegreen.victims
from mondegreen import attack, cli
from mondegreen.aim import Aim
from mondegreen.audio.pcm import save
from mondegreen.errors import OptionError, VictimError
from mondegreen.judging.evaluate import attacked, evaluate
from mondegreen.measures.transfer import Transcribed, Transfer, transcribe, transfer

PHRASES = Aim(target="Open the door.", original="Nothing at all.")


class Ear:
    """Says what it is told to, one text a sound and the last for ever, and keeps the sounds."""

    def __init__(self, name: str, *texts: str, sample_rate: int = 16_000) -> None:
        self.name, self.sample_rate = name, sample_rate
        self.texts = texts
        self.sounds: list[NDArray[np.float32]] = []

    def transcribe(self, audio: Tensor) -> str:
        self.sounds.append(audio.numpy())
        return self.texts[min(len(self.sounds), len(self.texts)) - 1]


class Deaf(Ear):
    """Fails as a server would, or as a user who has seen enough."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("deaf")
        self.error = error

    def transcribe(self, audio: Tensor) -> str:
        raise self.error


SOUND, CLEAN = (toy.speech(seed).float().numpy() for seed in (1, 2))


# ---- alone


def test_both_sounds_are_heard_and_judged_by_the_same_phrases() -> None:
    ear = Ear("other", "open a door now", "nothing at all")
    assert transfer(ear, SOUND, CLEAN, 16_000, PHRASES) == Transfer(
        recogniser="other",
        # "the" became "a", "now" was added: 2 errors of 3 words; none of "nothing at all" is right
        sound=Transcribed("open a door now", False, wer_target=2 / 3, wer_original=4 / 3),
        clean=Transcribed("nothing at all", False, wer_target=3 / 3, wer_original=0.0),
    )
    np.testing.assert_array_equal(np.stack(ear.sounds), np.stack([SOUND, CLEAN]))


@pytest.mark.parametrize(
    ("normaliser", "matched"), [("default", (True, True)), ("exact", (True, False))]
)
def test_the_target_is_told_by_the_declared_rule(
    normaliser: str, matched: tuple[bool, bool]
) -> None:
    phrases = Aim("Open the door.", None, normaliser)
    texts = ("Open the door.", "OPEN THE DOOR")
    heard = [transcribe(Ear("other", text), SOUND, 16_000, phrases) for text in texts]
    assert tuple(one.matched for one in heard) == matched


def test_nothing_is_said_of_what_is_not_known() -> None:
    seen = transfer(Ear("other", ""), SOUND, None, 16_000, Aim("Open the door.", None))
    assert seen == Transfer("other", Transcribed("", False, 1.0, None), clean=None)


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_an_ear_of_another_rate_gets_the_sound_at_its_own(rate: int) -> None:
    ear = Ear("other", "", sample_rate=rate)
    transcribe(ear, SOUND, 16_000, PHRASES)
    np.testing.assert_array_equal(ear.sounds[0], soxr.resample(SOUND, 16_000, rate))
    assert len(ear.sounds[0]) == round(len(SOUND) * rate / 16_000)


def test_a_converted_sound_keeps_within_full_scale() -> None:
    square = np.sign(np.sin(np.arange(8_000) / 10)).astype(np.float32)
    ear = Ear("other", "", sample_rate=24_000)
    transcribe(ear, square, 16_000, PHRASES)
    assert np.abs(soxr.resample(square, 16_000, 24_000)).max() > 1.01
    assert np.abs(ear.sounds[0]).max() == 1.0


# ---- within `evaluate`


def named() -> toy.LinearVictim:
    """A toy under the name of a recogniser that a record may have loaded."""
    victim = toy.linear_victim()
    victim.name = "moonshine-tiny"
    return victim


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of an attack without rooms."""
    folder = tmp_path_factory.mktemp("transfer")
    save(folder / "clip.wav", toy.speech(), 16_000)
    result = attack(named(), folder / "clip.wav", "open the door", max_passes=60)
    assert result.verified
    return result.save(folder / "item")


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    toy.toy_bank().save(tmp_path / "toy.rooms")
    return tmp_path / "toy.rooms"


def test_a_result_without_rooms_is_heard_by_all_in_the_order_given(item: Path) -> None:
    ears = [Ear("b", "Open the door.", "Nothing at all."), Ear("a", "door", sample_rate=8_000)]
    done: list[tuple[int, int]] = []
    seen = evaluate(
        toy.linear_victim(),
        item,
        toy.toy_bank(),
        others=ears,
        on_other=lambda *counts: done.append(counts),
    )
    assert [(t.recogniser, t.sound.matched) for t in seen.transfers] == [("b", True), ("a", False)]
    assert [t.clean and t.clean.wer_original for t in seen.transfers] == [0.0, 1.0]
    assert [len(sound) for ear in ears for sound in ear.sounds] == [8192, 8192, 4096, 4096]
    assert done == [(1, 2), (2, 2)]
    assert seen.warnings == []


def test_a_recording_has_no_clean_clip_to_be_heard(item: Path) -> None:
    ear = Ear("other", "Open the door.")
    seen = evaluate(
        toy.linear_victim(),
        item.parent / "clip.wav",
        toy.toy_bank(),
        target="open the door",
        others=[ear],
    )
    assert seen.transfers == [
        Transfer("other", Transcribed("Open the door.", True, 0.0, None), None)
    ]


def test_an_ear_that_fails_costs_neither_the_rooms_nor_the_others(item: Path) -> None:
    ears = [Deaf(VictimError("it is down")), Ear("other", "door")]
    seen = evaluate(toy.linear_victim(), item, toy.toy_bank(), others=ears)
    assert seen.survival.rooms.count == 10
    assert [t.recogniser for t in seen.transfers] == ["other"]
    assert seen.warnings == ["deaf has not heard it: it is down"]


def test_an_interruption_leaves_out_the_ears_that_remain(item: Path) -> None:
    last = Ear("last", "door")
    ears = [Ear("first", "door"), Deaf(KeyboardInterrupt()), last]
    seen = evaluate(toy.linear_victim(), item, toy.toy_bank(), others=ears)
    assert seen.survival.rooms.count == 10
    assert [t.recogniser for t in seen.transfers] == ["first"]
    assert last.sounds == []
    assert seen.warnings == ["interrupted after 1 of 3 recognisers"]


# ---- on the command line


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the entry point with toy recognisers; servers, by their names, as they are."""
    toys = {
        "moonshine-tiny": named(),  # whom the item was made on
        "own/other_ear": Ear("other_ear", "Open the door!", "Nothing [at] all."),
        "own/deaf": Deaf(VictimError("it is down")),
    }
    load_recogniser: Callable[..., object] = mondegreen.victims.load_recogniser

    def load(name: str, **options: Any) -> object:
        return toys.get(name) or load_recogniser(name, **options)

    monkeypatch.setattr(mondegreen.victims, "load_recogniser", load)

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mondegreen", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        seen = capsys.readouterr()
        return int(ended.value.code or 0), seen.out, seen.err

    return call


def test_it_is_printed_below_the_rooms(run, item: Path, bank: Path) -> None:
    status, out, _ = run("evaluate", item, "--rooms", bank, "--with", "own/other_ear")
    assert status == 0
    assert out.endswith(
        "recogniser         other_ear\n"
        "  the sound        the target, WER 0.0% to the target, 100.0% to the original:"
        " Open the door!\n"
        "  the clean clip   not the target, WER 100.0% to the target, 0.0% to the original:"
        " Nothing [at] all.\n"
    )


def test_it_is_in_the_json(run, item: Path, bank: Path) -> None:
    _, out, _ = run("evaluate", item, "--rooms", bank, "--with", "own/other_ear", "--json")
    clean = {
        "transcript": "Nothing [at] all.",
        "matched": False,
        "wer_target": 1.0,
        "wer_original": 0.0,
    }
    sound = {
        "transcript": "Open the door!",
        "matched": True,
        "wer_target": 0.0,
        "wer_original": 1.0,
    }
    assert json.loads(out)["with"] == [{"recogniser": "other_ear", **sound, "clean": clean}]
    assert json.loads(run("evaluate", item, "--rooms", bank, "--json")[1])["with"] == []


def test_an_ear_that_has_not_heard_it_is_told_by_the_exit_status(
    run, item: Path, bank: Path
) -> None:
    assert run("evaluate", item, "--rooms", bank)[0] == 0
    status, out, err = run(
        *("evaluate", item, "--rooms", bank), "--with", "own/deaf", "--with", "own/other_ear"
    )
    assert status == 1
    assert "recogniser         other_ear" in out
    assert "deaf has not heard it: it is down" in err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no-such-ear", "There is no recogniser"),
        ("http://127.0.0.1:1/v1#model", "--i-am-authorised"),
    ],
)
def test_an_ear_that_cannot_be_had_is_refused_before_anything_is_heard(
    run, item: Path, bank: Path, name: str, message: str
) -> None:
    status, out, err = run("evaluate", item, "--rooms", bank, "--with", name)
    assert (status, out) == (2, "")
    assert message in err
    assert "listening" not in err


def test_a_server_is_asked_once_authorised_and_its_key_is_not_told(
    run, monkeypatch: pytest.MonkeyPatch, item: Path, bank: Path
) -> None:
    monkeypatch.setenv("MONDEGREEN_API_KEY", "sk-secret")
    nobody = "http://127.0.0.1:1/v1#model"
    status, out, err = run(
        *("evaluate", item, "--rooms", bank, "--json"), "--with", nobody, "--i-am-authorised"
    )
    assert status == 1
    assert json.loads(out)["warnings"][0].startswith(f"{nobody} has not heard it:")
    assert "sk-secret" not in out + err


def test_a_result_is_heard_by_whom_it_was_made_on(item: Path, tmp_path: Path) -> None:
    assert attacked(item) == attacked(item / "record.json") == "moonshine-tiny"
    save(tmp_path / "clip.wav", toy.speech(), 16_000)
    assert attacked(tmp_path / "clip.wav") is None


def test_a_record_does_not_choose_which_code_is_run(item: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(item, tmp_path / "copy"))
    record = json.loads((copy / "record.json").read_text())
    (copy / "record.json").write_text(json.dumps(record | {"victim": "os:abort"}))
    with pytest.raises(OptionError, match="--victim os:abort"):
        attacked(copy)


def test_a_checkpoint_that_is_not_there_is_said_to_be(item: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(item, tmp_path / "copy"))
    record = json.loads((copy / "record.json").read_text())
    (copy / "record.json").write_text(json.dumps(record | {"victim": "/gone/checkpoint"}))
    with pytest.raises(OptionError, match="/gone/checkpoint, which is not there"):
        attacked(copy)
