"""What was claimed is transcribed again: it is confirmed or not, and either is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from toy import TARGET, LinearVictim, linear_victim, speech, toy_bank

from mondegreen import MondegreenError, attack
from mondegreen.air.rooms import RoomBank
from mondegreen.audio.pcm import save
from mondegreen.errors import OptionError, TargetError
from mondegreen.judging.verify import bank_of, made_on, recheck
from mondegreen.results.heard import Claim


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two successes and a failure, of clips that are not equally long."""
    folder = tmp_path_factory.mktemp("results")
    for number, (bias, length) in enumerate([(150.0, 8192), (150.0, 6000), (1e6, 7000)]):
        save(folder / f"c{number}.wav", speech(number, length), 16_000)
        victim = linear_victim(bias=bias)
        victim.name = "moonshine-tiny"
        attack(victim, folder / f"c{number}.wav", TARGET, max_passes=60).save(folder / str(number))
    return folder


def copied(results: Path, folder: Path) -> Path:
    return Path(shutil.copytree(results, folder / "copy"))


def heard(folder: Path, victim: LinearVictim | None = None, **options: object) -> list[Claim]:
    return list(recheck(folder, victim or linear_victim(), **options))


@pytest.mark.parametrize("batch", [None, 1, 2, 3])
def test_claims_are_confirmed_with_the_victim_that_they_were_made_on(results: Path, batch) -> None:
    claims = heard(results, batch=batch)
    assert [claim.id for claim in claims] == ["c0", "c1", "c2"]
    assert [claim.confirmed for claim in claims] == [True, True, False]
    assert [claim.claimed for claim in claims] == [True, True, False]
    assert all(claim.problem is None for claim in claims)
    assert claims[0].transcript == (TARGET if batch is None else None)


@pytest.mark.parametrize("batch", [None, 2])
def test_claims_are_not_confirmed_with_one_that_hears_something_else(results: Path, batch) -> None:
    claims = heard(results, linear_victim(bias=1e6), batch=batch)
    assert [claim.confirmed for claim in claims] == [False, False, False]


def test_what_was_not_claimed_may_be_heard(results: Path) -> None:
    claims = heard(results, linear_victim(bias=-1e6))
    assert [(claim.claimed, claim.verified) for claim in claims][2] == (False, True)
    assert not claims[2].confirmed


@pytest.mark.parametrize("batch", [None, 2])
def test_a_file_that_is_another_is_a_claim_that_is_not_confirmed(
    results: Path, tmp_path: Path, batch
) -> None:
    folder = copied(results, tmp_path)
    (folder / "0" / "adversarial.wav").write_bytes((folder / "c0.wav").read_bytes())
    (folder / "1" / "record.json").write_text("{")
    claims = heard(folder, batch=batch)
    assert [claim.confirmed for claim in claims] == [False, False, False]
    assert [claim.claimed for claim in claims] == [True, True, False]
    assert "not the file that was saved" in str(claims[0].problem)
    assert "cannot be read" in str(claims[1].problem)


def test_a_record_that_claims_more_than_its_file_holds_is_not_confirmed(
    results: Path, tmp_path: Path
) -> None:
    folder = copied(results, tmp_path)
    path = folder / "2" / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"verified": True}))
    (claim,) = heard(folder / "2", linear_victim(bias=1e6))
    assert (claim.claimed, claim.confirmed) == (True, False)
    assert claim.transcript == "Nothing at all."


def test_it_is_known_who_listens(results: Path, tmp_path: Path) -> None:
    assert made_on(results) == "moonshine-tiny"
    folder = copied(results, tmp_path)
    path = folder / "2" / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"victim": "another"}))
    with pytest.raises(OptionError, match="several recognisers"):
        made_on(folder)
    with pytest.raises(OptionError, match=r"made on another.*--victim NAME"):
        made_on(folder / "2")


def test_one_record_that_cannot_be_read_keeps_no_other_from_being_heard(
    results: Path, tmp_path: Path
) -> None:
    folder = copied(results, tmp_path)
    (folder / "1" / "record.json").write_text("{")
    assert made_on(folder) == "moonshine-tiny"
    assert bank_of(folder, None, 16_000) is None
    with pytest.raises(MondegreenError, match="no record that can be read"):
        made_on(folder / "1")


@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize(
    ("ill", "problem"),
    [
        ({"sample_rate": 8_000}, "is not what was saved"),
        ({"sample_rate": 10**9}, "look at sample_rate"),
        ({"bank": "b" * 64}, "another bank"),
        ({"target": 5}, "look at target"),
        ({"files": {"adversarial.wav": "0"}}, "does not say which files"),
        ({"passes": 2**70}, "look at passes"),
    ],
)
def test_an_ill_record_is_one_claim_that_is_not_confirmed(
    results: Path, tmp_path: Path, batch: int | None, ill: dict[str, object], problem: str
) -> None:
    folder = copied(results, tmp_path)
    path = folder / "1" / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | ill))
    if batch and "bank" in ill:
        problem = "one by one"
    assert made_on(folder) == "moonshine-tiny"
    claims = heard(folder, bank=bank_of(folder, None, 16_000), batch=batch)
    assert [claim.confirmed for claim in claims] == [True, False, False]
    assert [claim.problem is None for claim in claims] == [True, False, True]
    assert problem in str(claims[1].problem)


class Picky(LinearVictim):
    """It cannot write every target."""

    def encode(self, target: str, length: int) -> torch.Tensor:
        if target == "unspeakable":
            raise TargetError("It cannot write that.")
        return super().encode(target, length)


def test_a_target_that_cannot_be_written_is_one_claim(results: Path, tmp_path: Path) -> None:
    folder = copied(results, tmp_path)
    path = folder / "1" / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"spelled": "unspeakable"}))
    claims = heard(folder, Picky(linear_victim().weight, linear_victim().bias), batch=3)
    assert [claim.confirmed for claim in claims] == [True, False, False]
    assert claims[1].problem == "It cannot write that."


def test_nothing_to_hear_is_said(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="no results"):
        made_on(tmp_path)
    with pytest.raises(MondegreenError, match="does not exist"):
        made_on(tmp_path / "none")


def test_another_rate_is_refused(results: Path) -> None:
    victim = linear_victim()
    victim.sample_rate = 8_000
    with pytest.raises(OptionError, match="8000 Hz"):
        heard(results, victim)


def test_one_that_only_transcribes_hears_no_batches(results: Path) -> None:
    class Ear:
        name, sample_rate = "ear", 16_000

        def transcribe(self, audio: torch.Tensor) -> str:
            return TARGET

    with pytest.raises(OptionError, match="only transcribes"):
        list(recheck(results, Ear(), batch=2))
    assert all(claim.verified for claim in recheck(results, Ear()))


# ---- in rooms


@pytest.fixture(scope="module")
def in_rooms(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RoomBank]:
    folder, bank = tmp_path_factory.mktemp("rooms"), toy_bank()
    save(folder / "clip.wav", speech(), 16_000)
    how = {"method": "robust", "rooms": bank, "max_passes": 150}
    attack(linear_victim(), folder / "clip.wav", TARGET, **how).save(folder / "item")
    return folder, bank


def test_what_was_proved_in_rooms_is_heard_in_rooms(in_rooms: tuple[Path, RoomBank]) -> None:
    folder, bank = in_rooms
    bank.save(folder / "named.rooms")
    found = bank_of(folder, str(folder / "named.rooms"), 16_000)
    assert found is not None
    assert found.key == bank.key
    (claim,) = heard(folder, bank=found)
    assert claim.confirmed


def test_other_rooms_are_refused(in_rooms: tuple[Path, RoomBank]) -> None:
    folder, _ = in_rooms
    other = toy_bank()
    object.__setattr__(other, "key", "another")
    for bank in (None, other):
        with pytest.raises(OptionError, match="another bank"):
            heard(folder, bank=bank)
    with pytest.raises(OptionError, match="one by one"):
        heard(folder, batch=2)
