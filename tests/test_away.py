"""Untargeted attacks: closed forms on linear victims, what is scored, and what the file proves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from toy import TARGET, LinearVictim, linear_victim, speech
from typer.testing import CliRunner

import mondegreen as mg
import mondegreen.victims
from mondegreen.aim import Aim
from mondegreen.audio.pcm import load, save
from mondegreen.cli import app
from mondegreen.errors import AudioError, MondegreenError, OptionError, TargetError
from mondegreen.judging.verify import recheck
from mondegreen.measures.quality import snr_db
from mondegreen.options import Options
from mondegreen.runs.config import RunConfig
from mondegreen.runs.plan import choose_clips, make_rows
from mondegreen.victims.away import Away, aimed, symbols
from mondegreen.victims.base import Score

HEARS = linear_victim(bias=-150.0)  # it hears TARGET in `speech()`, with 150 nats to spare
UNTARGETED = Options(method="untargeted")


class FourWords:
    """Hears a word of "north south east west" while its own pattern in the sound passes zero.

    The first word is the weakest. -log p of all four is the sum of softplus(-margin).
    """

    name, sample_rate = "four words", 16_000
    device, dtype = torch.device("cpu"), torch.float64
    words = ("north", "south", "east", "west")

    def __init__(self) -> None:
        patterns = torch.eye(4, dtype=torch.float64).repeat(1, 2048)
        self.patterns = patterns * torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None]
        self.offset = 20.0 - self.patterns @ speech()
        self.transcribed = 0

    def encode(self, target: str, length: int) -> Tensor:
        if target.split() != list(self.words):
            raise TargetError(f"got {target!r}")
        return torch.arange(4)

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        margins = self._margins(audio)
        return Score(F.softplus(-margins).sum(1), (margins > 0).all(1))

    def transcribe(self, audio: Tensor) -> str:
        self.transcribed += 1
        margins = self._margins(audio[None].double())[0]
        heard = zip(self.words, margins.tolist(), strict=True)
        return " ".join(word for word, margin in heard if margin > 0)

    def _margins(self, audio: Tensor) -> Tensor:
        return audio @ self.patterns.T + self.offset


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(tmp_path / "clip.wav", speech(), 16_000)
    return tmp_path / "clip.wav"


def untargeted(victim: Any, path: Path, **options: Any) -> mg.Result:
    return mg.attack(victim, path, method="untargeted", **options)


# ---- what is scored


def scored(victim: Any, sound: Tensor, said: str, options: Options = UNTARGETED) -> Score:
    aim = Aim.of(options, None, said)
    spelled = victim.transcribe(speech().float())
    tokens = symbols(victim, spelled, aim, len(sound))
    return Away(victim, options).score(sound[None], torch.tensor([len(sound)]), [tokens])


@pytest.mark.parametrize("lost", range(5))
def test_words_wrong_are_counted_in_the_transcript(lost: int) -> None:
    victim = FourWords()
    keep = torch.arange(4) >= lost
    sound = speech() - torch.where(keep, 0.0, 0.1).repeat(2048)
    score = scored(victim, sound, "NORTH SOUTH EAST WEST")
    assert score.wrong is not None
    assert (int(score.wrong[0]), bool(score.matched[0])) == (lost, lost >= 2)


def test_a_sound_is_transcribed_only_where_the_old_transcript_is_gone() -> None:
    victim = FourWords()
    scored(victim, speech(), "north south east west")
    assert victim.transcribed == 1  # the clean clip, by the test
    scored(victim, speech() - 0.1, "north south east west")
    assert victim.transcribed == 3


def test_the_loss_falls_all_the_way() -> None:
    """5 / (1 - log p / N), of N symbols: here one."""
    losses = []
    for nats in (1e-3, 1.0, 4.0, 99.0):
        margin = -nats - float(np.log(-np.expm1(-nats)))  # whose softplus(-margin) is that
        victim = LinearVictim(torch.ones(8192, dtype=torch.float64), float(speech().sum()) - margin)
        tokens = symbols(victim, TARGET, Aim(None, TARGET), 8192)
        away = Away(victim, UNTARGETED)
        losses.append(float(away.score(speech()[None], torch.tensor([8192]), [tokens]).loss))
    assert losses == pytest.approx([5 / 1.001, 2.5, 1.0, 0.05])


def test_what_is_wrong_is_judged_by_what_is_said_and_not_by_what_was_heard() -> None:
    sound = speech() - 0.1 * torch.tensor([1.0, 0, 0, 0]).double().repeat(2048)
    score = scored(FourWords(), sound, "north star")  # south east west: two more, one other
    assert score.wrong is not None
    assert int(score.wrong[0]) == 2  # of two words no more than two
    assert bool(score.matched[0])


def test_with_a_target_the_victim_is_searched_on_itself() -> None:
    assert aimed(HEARS, Options()) is HEARS
    assert aimed(HEARS, UNTARGETED).name == HEARS.name


def test_rows_are_scored_as_alone() -> None:
    victim = FourWords()
    sounds = [speech(), speech() - 0.1, speech() - 0.01]
    tokens = [symbols(victim, "north south east west", Aim(None, "north pole"), 8192)] * 3
    away, lengths = Away(victim, UNTARGETED), torch.tensor([8192] * 3)
    together = away.score(torch.stack(sounds), lengths, tokens)
    alone = [away.score(s[None], lengths[:1], tokens[:1]) for s in sounds]
    for name in ("loss", "matched", "wrong"):
        assert getattr(together, name).tolist() == pytest.approx(
            torch.cat([getattr(a, name) for a in alone]).tolist(), rel=1e-9
        )


# ---- closed forms


def least_snr(victim: LinearVictim) -> float:
    """The signal-to-noise ratio of the smallest ‖δ‖₂ that a linear victim mishears at, in dB."""
    margin = float(victim.weight @ speech()) - victim.bias
    return 20 * float(torch.log10(speech().norm() * victim.weight.norm() / margin))


@pytest.mark.parametrize(("apart", "verified"), [(-0.1, True), (0.1, False)])
def test_descent_in_a_ball_succeeds_where_the_smallest_change_is_in_it(
    path: Path, apart: float, verified: bool
) -> None:
    snr = least_snr(HEARS) + apart
    found = untargeted(HEARS, path, snr=snr)
    assert found.verified is verified
    assert found.record.quality.snr_db == pytest.approx(snr, abs=0.02)
    assert found.record.quality.snr_db >= snr


@pytest.mark.parametrize("snr", [0.0, 20.0, 40.0, 60.0, 75.0])
def test_the_saved_file_keeps_the_ratio(path: Path, tmp_path: Path, snr: float) -> None:
    """Down to where the ball holds fewer than one 16-bit step a sample."""
    found = untargeted(linear_victim(bias=-1e6), path, snr=snr, max_passes=5)
    found.save(tmp_path / "out")
    reached = snr_db(found.clean, load(tmp_path / "out" / "adversarial.wav", 16_000))
    assert not found.verified
    assert reached is None or snr <= reached


def test_of_the_iterates_that_with_most_words_wrong_is_kept(path: Path) -> None:
    """Half the words are enough; the ball allows all of them, and the strongest go last."""
    found = untargeted(FourWords(), path, snr=4.0)
    assert (found.record.heard, found.record.wer_original) == ("", 1.0)
    assert found.record.first_match < found.record.found_at
    assert found.verified


def test_without_a_bound_the_change_shrinks_around_the_aim(path: Path) -> None:
    found = untargeted(FourWords(), path, max_passes=150)
    assert found.verified
    assert found.record.wer_original == 0.5
    assert (found.record.quality.snr_db or 0) > 20
    assert len(found.record.trail) > 1


@pytest.mark.parametrize("word", FourWords.words)
def test_a_word_is_lost_that_must_not_be_heard(path: Path, word: str) -> None:
    found = untargeted(FourWords(), path, forbid=word, max_passes=120)
    assert found.verified
    assert word not in found.record.heard.split()


# ---- what is claimed


def test_the_record_says_what_was_aimed_for_and_the_file_proves_it(
    path: Path, tmp_path: Path
) -> None:
    found = mg.attack(
        FourWords(), path, method="untargeted", text="NORTH SOUTH EAST WET", max_passes=60
    )
    folder = found.save(tmp_path / "out")
    record = found.record
    assert (record.target, record.wer_target) == (None, None)
    assert (record.spelled, record.said) == ("north south east west", "NORTH SOUTH EAST WET")
    sound = torch.from_numpy(load(folder / "adversarial.wav", 16_000))
    assert record.heard == FourWords().transcribe(sound)
    assert record.verified is record.aim.met(record.heard)
    (claim,) = recheck(folder, FourWords())
    assert (claim.target, claim.confirmed) == (None, True)


def test_a_claim_is_refuted_where_the_words_are_heard_again(path: Path, tmp_path: Path) -> None:
    folder = untargeted(FourWords(), path, max_passes=60).save(tmp_path / "out")
    deaf_to_change = FourWords()
    deaf_to_change.offset = deaf_to_change.offset + 1e6
    (claim,) = recheck(folder, deaf_to_change)
    assert (claim.claimed, claim.verified) == (True, False)


def test_a_broken_bound_is_no_success(path: Path, tmp_path: Path) -> None:
    folder = untargeted(FourWords(), path, snr=10.0, max_passes=30).save(tmp_path / "out")
    kept = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(kept | {"snr": 30.0}))
    (claim,) = recheck(folder, FourWords())
    assert (claim.verified, claim.over_db) == (False, pytest.approx(20.0, abs=0.1))


def test_an_interrupted_proof_proves_nothing(path: Path) -> None:
    """An empty transcript has every word wrong; one that was never made has none."""

    class Interrupted(FourWords):
        def transcribe(self, audio: Tensor) -> str:
            if not torch.is_grad_enabled() or self.transcribed == 0:
                return super().transcribe(audio)
            raise KeyboardInterrupt

    found = untargeted(Interrupted(), path, max_passes=1)
    assert found.record.interrupted
    assert (found.verified, found.record.reached) == (False, False)


# ---- what is refused


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"forbid": "door"}, AudioError, "already heard without the word 'door'"),
        ({"text": "quite other words are said"}, AudioError, "already heard with at least 50%"),
        ({"target": "north"}, OptionError, "has none"),
        ({"start": "."}, OptionError, "untargeted takes no start"),
        ({"rooms": "fast"}, OptionError, "untargeted takes no rooms"),
    ],
)
def test_there_must_be_something_to_lose(
    path: Path, given: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        mg.attack(FourWords(), path, method="untargeted", **given)


@pytest.mark.parametrize("heard", ["", " ...", "?!"])
def test_where_no_word_is_heard_there_is_nothing_to_lose(path: Path, heard: str) -> None:
    victim = linear_victim()
    victim.transcribe = lambda _: heard  # type: ignore[method-assign]
    with pytest.raises(AudioError, match="hears no words in the clean clip"):
        untargeted(victim, path)


def test_a_targeted_attack_needs_a_target(path: Path) -> None:
    with pytest.raises(TargetError, match="no target"):
        mg.attack(HEARS, path)


# ---- what a user types


def typed(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_a_command_without_a_target_says_what_was_lost(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mondegreen.victims, "load_victim", lambda *_, **__: FourWords())
    how = ("--method", "untargeted", "--snr", "4", "--max-passes", "20", "--out", tmp_path / "out")
    ran = typed("attack", path, *how)
    assert ran.exit_code == 0, ran.output
    lines = dict(line.split(maxsplit=1) for line in ran.output.splitlines() if " " in line)
    assert lines["aim"] == "heard with at least 50% of its words wrong"
    assert "bound              signal to noise of at least 4 dB: kept" in ran.output
    assert "words wrong        100.0% of what was heard in the original (before " in ran.output


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "no target"),
        (("--method", "untargeted", "--target", "open"), "for the method untargeted"),
        (("--target", "open", "--forbid", "door"), "forbid is for the method untargeted"),
        (("--method", "untargeted", "--forbid", "?"), "no words left"),
        (("--method", "untargeted", "--air", "real"), "untargeted takes no rooms"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(
    path: Path, flags: tuple[str, ...], said: str
) -> None:
    ran = typed("attack", path, *flags)
    assert isinstance(ran.exception, MondegreenError), ran.output
    assert said in str(ran.exception)


def test_a_run_needs_no_targets(path: Path, tmp_path: Path) -> None:
    config = RunConfig(clips=str(path.parent), method="untargeted")
    (row,) = make_rows(choose_clips(config, tmp_path / "run"))
    assert (row.target, row.problem) == (None, None)
