"""Every check on a data set that is sound, and on one in which its fault is planted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from toy import TARGET, LinearVictim, linear_victim, speech, toy_bank

import mondegreen as mg
from mondegreen import Options, attack_batch
from mondegreen.air.rooms import RoomBank, Split
from mondegreen.audio.pcm import load, save
from mondegreen.errors import MondegreenError, OptionError, TargetError
from mondegreen.findings import Finding
from mondegreen.judging.checks import CHECKS
from mondegreen.judging.gathering import Cost
from mondegreen.judging.sanity import examine
from mondegreen.judging.subject import Subject
from mondegreen.search import loop
from mondegreen.victims.base import Score, Victim

CLIPS = 3
QUICK = Options(method="carlini-wagner", max_passes=60)
ONE_PASS = Options(method="carlini-wagner", max_passes=1)
IDS = [check.id for check in CHECKS]


class Other(LinearVictim):
    """Another recogniser."""

    name = "another"


def attacked(
    folder: Path, victim: Victim, options: Options = QUICK, rooms: RoomBank | None = None
) -> Path:
    """Attack the clips, and save what comes of it."""
    paths = []
    for seed in range(CLIPS):
        paths.append(folder.parent / f"clip-{seed}.wav")
        save(paths[-1], speech(seed), 16_000)
    targets = ["open the door"] * CLIPS
    for result in attack_batch(victim, paths, targets, options, rooms=rooms):
        result.save(folder / result.record.id)
    return folder


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set that nothing is wrong with."""
    return attacked(tmp_path_factory.mktemp("sound") / "run", linear_victim())


@pytest.fixture(scope="module")
def in_rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = Options(method="robust", max_passes=300)  # to a small ball
    folder = tmp_path_factory.mktemp("in_rooms") / "run"
    return attacked(folder, linear_victim(), options, toy_bank())


def other_victim(seed: int) -> Other:
    linear = linear_victim(seed)
    return Other(linear.weight, linear.bias)


def found(check: str, folder: Path, victim: Victim, **given: Any) -> Finding:
    """What a check finds; those after it are not made."""
    return next(finding for finding in examine(folder, victim, **given) if finding.id == check)


def rewrite(folder: Path, number: int, **fields: Any) -> None:
    """Change a record."""
    path = folder / f"clip-{number}" / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


# ---- a sound evaluation


def test_nothing_is_said_against_a_sound_evaluation(sound: Path, tmp_path: Path) -> None:
    transfers = [attacked(tmp_path / "other", other_victim(1))]
    findings = list(examine(sound, linear_victim(), transfers=transfers))
    assert [finding.id for finding in findings] == IDS
    skipped = {finding.id for finding in findings if finding.state == "skipped"}
    assert {f.id: f.detail for f in findings if f.state == "fires"} == {}
    assert skipped == {"clean-not-understood", "rooms-leak"}


def test_nor_against_one_in_rooms(in_rooms: Path) -> None:
    findings = list(examine(in_rooms, linear_victim(), bank=toy_bank(), sample=2))
    states = {finding.id: finding.state for finding in findings}
    skipped = {name for name, state in states.items() if state == "skipped"}
    assert skipped == {"clean-not-understood", "lost-in-16-bits", "transfer-wins"}
    assert set(states.values()) == {"ok", "skipped"}


def test_the_same_seed_finds_the_same(sound: Path) -> None:
    once, again = (list(examine(sound, linear_victim(), sample=1, seed=5)) for _ in range(2))
    assert once == again


def test_what_costs_passes_looks_at_a_few_clips(sound: Path) -> None:
    victim = linear_victim()
    finding = found("gradient-zero", sound, victim, sample=2)
    assert finding.detail.endswith("0 of 2 clips")
    assert victim.heard == 2


def test_the_few_are_drawn_by_the_seed(sound: Path) -> None:
    def drawn(seed: int) -> list[str]:
        subject = Subject.of(sound, linear_victim(), None, (), sample=1, seed=seed)
        return [clip.record.id for clip in subject.drawn]

    assert {tuple(drawn(seed)) for seed in range(20)} == {("clip-0",), ("clip-1",), ("clip-2",)}
    assert drawn(7) == drawn(7)


# ---- the clips and the rooms


@pytest.mark.parametrize(
    ("answers", "state", "told"),
    [
        ([True, True, True], "ok", "3 of 3"),
        ([True, False, None], "fires", "1 of 2 clean clips are understood (50%)"),
        ([None, None, None], "skipped", "transcripts"),
    ],
)
def test_clean_clips(answers: list[bool | None], state: str, told: str, tmp_path: Path) -> None:
    folder = attacked(tmp_path / "run", linear_victim(), ONE_PASS)
    for number, answer in enumerate(answers):
        rewrite(folder, number, understood=answer)
    finding = found("clean-not-understood", folder, linear_victim(), sample=1)
    assert finding.state == state
    assert told in finding.detail


def leaking() -> RoomBank:
    """A bank in which a response is searched and tested in."""
    whole = toy_bank()
    stolen, *_ = whole.split("attack").responses()
    _, *test = whole.split("test").responses()
    split = Split.of("test", [stolen._replace(room=test[0].room), *test])
    return RoomBank(16_000, "toy", {}, {**whole.splits, "test": split})


def test_rooms_of_the_attack_that_are_tested_in(in_rooms: Path, sound: Path) -> None:
    def state(folder: Path, bank: RoomBank | None) -> str:
        return found("rooms-leak", folder, linear_victim(), bank=bank).state

    assert state(in_rooms, toy_bank()) == "ok"
    assert state(in_rooms, leaking()) == "fires"
    assert state(in_rooms, None) == "skipped"
    assert state(sound, leaking()) == "skipped"


# ---- recognisers with a fault


class Planted(LinearVictim):
    """The victim of the data set, into which a fault has got."""

    def __init__(self, bias: float = 150.0) -> None:
        linear = linear_victim(bias=bias)
        super().__init__(linear.weight, linear.bias)


class WithoutGradient(Planted):
    def score(self, audio: Tensor, *given: Any) -> Score:
        score = super().score(audio, *given)
        return Score(score.loss.detach() + 0 * audio.sum(1), score.matched)


class RootOfSilence(Planted):
    def score(self, audio: Tensor, *given: Any) -> Score:
        score = super().score(audio, *given)
        return Score(score.loss + (0 * audio).sum(1).sqrt(), score.matched)


class Dithering(Planted):
    def score(self, audio: Tensor, *given: Any) -> Score:
        score = super().score(audio, *given)
        return Score(score.loss * (1 + torch.rand(())), score.matched)


class Moody(Planted):
    asked = 0

    def transcribe(self, audio: Tensor) -> str:
        self.asked += 1
        return TARGET if self.asked % 2 else "Nothing at all."


class Raising(Planted):
    def score(self, audio: Tensor, *given: Any) -> Score:
        raise IndexError("list index out of range\nand more")


class OutOfReach(Planted):
    """Hears the target in nothing that 16 bits can hold, though its gradient leads on."""

    def __init__(self) -> None:
        super().__init__(bias=1e6)


class Eager(Planted):
    """Hears the target in everything."""

    def __init__(self) -> None:
        super().__init__(bias=-1e6)


@pytest.mark.parametrize(
    ("victim", "check", "told"),
    [
        (WithoutGradient, "gradient-zero", "no gradient at all in 1 of 1"),
        (RootOfSilence, "gradient-not-finite", "1 of 1"),
        (Dithering, "not-deterministic", "0 of 1 sounds get another transcript and 1 another loss"),
        (Moody, "not-deterministic", "1 of 1 sounds get another transcript and 0 another loss"),
        (Raising, "gradient-zero", "could not be examined: IndexError: list index out of range"),
        (Eager, "noise-succeeds", "5 of 5"),
        (Eager, "shaped-noise-succeeds", "5 of 5"),
        (WithoutGradient, "unbounded-fails", "0 of 1"),
        (OutOfReach, "unbounded-fails", "0 of 1"),
        (OutOfReach, "passes-do-not-help", "0, 0 and 0 of 1 clips at 1, 15 and 60 passes"),
        (Eager, "passes-do-not-help", "1, 1 and 1 of 1"),
        (OutOfReach, "eps-does-not-help", "0, 0 and 0 of 1 clips at 1, 200 and 2000 / 32768"),
        (Eager, "eps-does-not-help", "1, 1 and 1 of 1"),
    ],
)
def test_a_recogniser_with_a_fault(
    victim: Callable[[], Victim], check: str, told: str, sound: Path
) -> None:
    finding = found(check, sound, victim(), sample=1)
    assert finding.state == "fires"
    assert told in finding.detail


class Startled(Planted):
    """Hears the target in any change of a clip that is as bright as it waits for.

    White noise has a brightness of 2, and that of a sound with the tilt of speech is close to 0.
    """

    def __init__(self, clean: Tensor, least: float, most: float) -> None:
        super().__init__()
        self.clean, self.least, self.most = clean, least, most

    def transcribe(self, audio: Tensor) -> str:
        change = audio - self.clean
        brightness = change.diff().square().sum() / change.square().sum()
        heard = self.least < brightness < self.most
        return TARGET if heard else super().transcribe(audio)


@pytest.mark.parametrize(
    ("brightness", "fires"),
    [((1.5, 2.5), "noise-succeeds"), ((0.0, 0.5), "shaped-noise-succeeds")],
)
def test_noise_of_one_shape_is_told_from_the_other(
    brightness: tuple[float, float], fires: str, sound: Path
) -> None:
    for check in ("noise-succeeds", "shaped-noise-succeeds"):
        finding = found(check, sound / "clip-0", Startled(speech(0), *brightness))
        assert finding.state == ("fires" if check == fires else "ok"), finding


@pytest.mark.parametrize("check", ["noise-succeeds", "shaped-noise-succeeds"])
def test_noise_is_compared_with_what_is_verified(check: str, tmp_path: Path) -> None:
    folder = attacked(tmp_path / "run", linear_victim(), ONE_PASS)
    assert found(check, folder, linear_victim()).state == "skipped"
    rewrite(folder, 1, verified=True)
    assert found(check, folder, Eager()).detail.startswith("5 of 5 draws")


# ---- successes that are lost


class Deaf(Planted):
    def transcribe(self, audio: Tensor) -> str:
        return "Something else."


def test_successes_that_are_lost_in_the_file(tmp_path: Path) -> None:
    folder = attacked(tmp_path / "run", Deaf())
    assert found("lost-in-16-bits", folder, Deaf()).detail.startswith("3 of 3 clips")
    rewrite(folder, 0, heard=TARGET)  # whatever else stands against it, such as a bound
    rewrite(folder, 1, interrupted=True)
    finding = found("lost-in-16-bits", folder, Deaf())
    assert (finding.state, finding.detail[:6]) == ("fires", "1 of 2")
    rewrite(folder, 2, first_match=None)
    assert found("lost-in-16-bits", folder, Deaf()).state == "ok"


# ---- examples from elsewhere


def test_transfer_that_beats_the_attack_itself(sound: Path, tmp_path: Path) -> None:
    """The run had one pass; the same weights under another name were attacked in earnest."""
    weak = attacked(tmp_path / "weak", linear_victim(), ONE_PASS)
    strong = attacked(tmp_path / "strong", other_victim(0))
    finding = found("transfer-wins", weak, linear_victim(), transfers=[strong])
    assert finding.state == "fires"
    assert finding.detail == "made on another: 3 of 3 succeed, of the run's own 0 of 3"
    # as good is not better
    assert found("transfer-wins", sound, linear_victim(), transfers=[strong]).state == "ok"


def test_only_the_same_clips_and_targets_are_compared(sound: Path, tmp_path: Path) -> None:
    others = attacked(tmp_path / "others", other_victim(0))
    rewrite(others, 0, target="close the door")
    rewrite(others, 1, id="clip-7")
    finding = found("transfer-wins", sound, linear_victim(), transfers=[others])
    assert finding.detail == "made on another: 1 of 1 succeed, of the run's own 1 of 1"
    rewrite(others, 2, id="clip-8")
    finding = found("transfer-wins", sound, linear_victim(), transfers=[others])
    assert (finding.state, "other clips or aims" in finding.detail) == ("skipped", True)


def test_an_example_in_rooms_is_compared_by_what_is_heard_without_them(
    in_rooms: Path, tmp_path: Path
) -> None:
    others = attacked(tmp_path / "others", other_victim(0))
    copy = attacked(tmp_path / "run", linear_victim())
    for number in range(CLIPS):
        rewrite(copy, number, verified=True, heard="Something else.")
    finding = found("transfer-wins", copy, linear_victim(), transfers=[others])
    assert finding.detail.endswith("of the run's own 0 of 3")
    assert finding.state == "fires"


# ---- a broken attack


def test_an_attack_that_is_broken(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = loop.move
    monkeypatch.setattr(loop, "move", lambda s, n, b, g, *rest: step(s, n, b, -g, *rest))
    fired = {
        one.id: one for one in examine(sound, linear_victim(), sample=1) if one.state == "fires"
    }
    assert fired.keys() == {
        *("planted-not-found", "unbounded-fails", "passes-do-not-help", "eps-does-not-help")
    }
    assert not any("could not be examined" in one.detail for one in fired.values())


def test_an_attack_of_one_pass_finds_nothing_and_has_nothing_to_grow_with(tmp_path: Path) -> None:
    folder = attacked(tmp_path / "run", linear_victim(), ONE_PASS)
    assert found("planted-not-found", folder, linear_victim(), sample=1).state == "fires"
    assert found("passes-do-not-help", folder, linear_victim(), sample=1).state == "skipped"


def test_an_attack_that_needed_long_is_given_as_long_again(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mondegreen.judging.gathering.PASSES", 2)
    records = [json.loads(path.read_text()) for path in sound.glob("*/record.json")]
    most = max(record["first_match"] for record in records)
    finding = found("passes-do-not-help", sound, linear_victim())
    assert most > 2
    assert finding.state == "ok"
    assert finding.detail.endswith(f"and {most} passes")


# ---- on the way


def test_ctrl_c_keeps_what_was_found(sound: Path) -> None:
    def stop(check: str, done: int, of: int) -> None:
        if check == "unbounded-fails" and done == 3:
            raise KeyboardInterrupt

    kept: list[Finding] = []
    with pytest.raises(KeyboardInterrupt):
        kept.extend(examine(sound, linear_victim(), on_work=stop))
    assert [finding.id for finding in kept] == IDS[: IDS.index("unbounded-fails")]


def test_the_work_is_told_from_its_beginning_to_its_end(sound: Path, tmp_path: Path) -> None:
    told: dict[str, list[tuple[int, int]]] = {}
    transfers = [attacked(tmp_path / "other", other_victim(1))]

    def note(check: str, done: int, of: int) -> None:
        told.setdefault(check, []).append((done, of))

    list(examine(sound, linear_victim(), transfers=transfers, sample=2, on_work=note))
    assert list(told) == [check for check in IDS if check != "rooms-leak"]
    for steps in told.values():
        assert steps == sorted(steps)
        assert len({of for _, of in steps}) == 1
        assert steps[-1][0] == steps[-1][1]


@pytest.mark.parametrize("sample", [1, 2])
def test_what_it_may_cost_is_told_before_the_first_check(sound: Path, sample: int) -> None:
    told: list[Cost] = []
    totals: dict[str, int] = {}

    def note(check: str, done: int, of: int) -> None:
        totals[check] = of

    findings = examine(sound, linear_victim(), None, (), sample, 0, note, told.append)
    (cost,) = told
    assert not totals
    list(findings)
    assert (cost.checks, cost.clips) == (3, sample)
    assert cost.passes == sum(totals[check] for check in IDS[-3:])


UNSPEAKABLE = "what nobody can write"


class Picky(Planted):
    """It cannot write every target."""

    def encode(self, target: str, length: int) -> torch.Tensor:
        if target == UNSPEAKABLE:
            raise TargetError(f"{target} cannot be written.")
        return super().encode(target, length)


@pytest.mark.parametrize(
    "ill", [{"preset": "of tomorrow"}, {"spelled": UNSPEAKABLE}, {"sample_rate": 10**9}]
)
def test_an_ill_record_is_named_and_keeps_no_other_from_being_examined(
    sound: Path, tmp_path: Path, ill: dict[str, Any]
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(sound, copy)
    rewrite(copy, 1, **ill)
    victim = Picky()
    finding = found("items-damaged", copy, victim, sample=3)
    assert (finding.state, finding.severity) == ("fires", "error")
    assert finding.detail.startswith("1 of 3 items are damaged")
    assert finding.detail.endswith(": clip-1")
    assert found("gradient-zero", copy, victim, sample=3).detail.endswith("of 2 clips")
    for number in (0, 2):
        rewrite(copy, number, **ill)
    with pytest.raises(OptionError, match=r"no result that is whole; the first: "):
        examine(copy, victim)


# ---- refusals


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"victim": other_victim(0)}, "was made on linear, and the recogniser given is another"),
        ({"sample": 0}, "a sample of 0"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    given: dict[str, Any], message: str, sound: Path
) -> None:
    with pytest.raises(OptionError, match=message):
        examine(**{"folder": sound, "victim": linear_victim(), **given})


def test_another_bank_is_refused(in_rooms: Path) -> None:
    another = RoomBank(16_000, "another", {}, toy_bank().splits)
    with pytest.raises(
        OptionError, match="in rooms of the bank toy, and the bank given is another"
    ):
        examine(in_rooms, linear_victim(), bank=another)


def test_transfer_from_the_same_recogniser_is_refused(sound: Path) -> None:
    with pytest.raises(OptionError, match="made on linear, the recogniser that is examined"):
        examine(sound, linear_victim(), transfers=[sound])


def test_a_folder_without_results_is_refused(tmp_path: Path, sound: Path) -> None:
    with pytest.raises(OptionError, match="holds no results"):
        examine(tmp_path, linear_victim())
    with pytest.raises(OptionError, match="holds no results"):
        examine(sound, linear_victim(), transfers=[tmp_path])
    with pytest.raises(MondegreenError, match="does not exist"):
        examine(tmp_path / "missing", linear_victim())


# ---- the real recogniser


@pytest.mark.slow
def test_nothing_is_said_against_an_attack_on_the_embedded_recogniser(
    beckett: Path, tmp_path: Path
) -> None:
    save(tmp_path / "clip.wav", load(beckett, 16_000)[:28_000], 16_000)  # to "ever tried"
    victim = mg.load_victim("moonshine-tiny", device="cpu")
    mg.attack(
        victim, tmp_path / "clip.wav", "open the door", method="carlini-wagner", max_passes=80
    ).save(tmp_path / "run")
    fired = {f.id: f.detail for f in examine(tmp_path / "run", victim) if f.state == "fires"}
    assert fired == {}
