"""What is asked: arrangements, catch trials, and names that reveal nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mondegreen.errors import MondegreenError
from mondegreen.listening.design import (
    Condition,
    Names,
    Protocol,
    Treatment,
    abx,
    ask,
    make_forms,
    paper,
    staircase,
)
from mondegreen.listening.key import Trial

CW, OURS = Condition("carlini-wagner paper", "carlini-wagner"), Condition("ours", "imperceptible")


def heard(trial: Trial, names: Names) -> dict[str, str]:
    """The conditions of a trial's sounds, by their letters."""
    known = {name: stimulus for (stimulus, _), name in names.of.items()}
    assert {known[name].clip for name in trial.sounds.values()} == {trial.clip}
    return {letter: known[name].condition for letter, name in trial.sounds.items()}


def asked(treatment: Treatment, arrangement: int) -> tuple[Trial, dict[str, str]]:
    names = Names(Random(0))
    trial = ask(treatment, "clip", arrangement, "test", names)
    assert len(set(trial.sounds.values())) == len(trial.sounds)  # no name gives X away
    return trial, heard(trial, names)


@pytest.mark.parametrize(
    ("arrangement", "sounds", "correct"),
    [
        (0, {"a": "clean", "b": "ours", "x": "clean"}, "a"),
        (1, {"a": "ours", "b": "clean", "x": "clean"}, "b"),
        (2, {"a": "clean", "b": "ours", "x": "ours"}, "b"),
        (3, {"a": "ours", "b": "clean", "x": "ours"}, "a"),
    ],
)
def test_the_four_arrangements_of_abx(
    arrangement: int, sounds: dict[str, str], correct: str
) -> None:
    trial, found = asked(Treatment("abx", ("ours",)), arrangement)
    assert (found, trial.correct, trial.conditions) == (sounds, correct, ("ours",))


@pytest.mark.parametrize("arrangement", range(4))
def test_three_identical_sounds_have_no_correct_answer(arrangement: int) -> None:
    trial, found = asked(Treatment("abx", ("clean",)), arrangement)
    assert set(found.values()) == {"clean"}
    assert trial.correct is None


@pytest.mark.parametrize(
    ("treatment", "sounds", "correct"),
    [
        (Treatment("noise", ("ours",)), {"a": "ours"}, None),
        (Treatment("noise", ("clean",)), {"a": "clean"}, None),
        (Treatment("noise", ("obvious",)), {"a": "obvious"}, "yes"),
        (Treatment("natural", ("clean", "ours")), {"a": "clean", "b": "ours"}, None),
        (Treatment("identical", ("clean", "ours")), {"a": "clean", "b": "ours"}, "no"),
        (Treatment("identical", ("clean", "clean")), {"a": "clean", "b": "clean"}, "yes"),
    ],
)
def test_the_questions_of_the_paper(
    treatment: Treatment, sounds: dict[str, str], correct: str | None
) -> None:
    trial, found = asked(treatment, 0)
    assert (found, trial.correct) == (sounds, correct)
    turned, found = asked(treatment, 1)
    assert found == dict(zip(sounds, reversed(sounds.values()), strict=True))
    assert turned.conditions == treatment.conditions


def test_the_protocol_of_the_paper() -> None:
    kinds = Counter(treatment.kind for treatment in paper([OURS, CW]).treatments)
    assert kinds == {"noise": 3, "natural": 3, "identical": 4}
    assert Treatment("identical", ("clean", "clean")) in paper([OURS, CW]).treatments
    assert ("natural", ("carlini-wagner paper", "ours")) in paper([OURS, CW]).treatments


@pytest.mark.parametrize("conditions", [[CW], [OURS], [CW, CW], [CW, OURS, OURS]])
def test_the_paper_compares_exactly_two_conditions(conditions: list[Condition]) -> None:
    with pytest.raises(MondegreenError, match=r"one carlini-wagner run with one imperceptible"):
        paper(conditions)


@given(
    protocol=st.sampled_from([abx([OURS]), abx([CW, OURS]), paper([CW, OURS])]),
    clips=st.integers(1, 30),
    most=st.integers(1, 25),
    seed=st.integers(0, 2**32),
)
def test_a_form_is_training_then_tests_among_catch_trials(
    protocol: Protocol, clips: int, most: int, seed: int
) -> None:
    ids = [f"clip {at}" for at in range(clips)]
    names = Names(Random(seed))
    for form in make_forms(protocol, ids, most, Random(seed), names):
        roles = Counter(trial.role for trial in form)
        training = len(protocol.training)
        assert [trial.role for trial in form[:training]] == ["training"] * training
        assert roles["training"] == training
        assert roles["catch same"] == roles["catch obvious"] == max(2, round(roles["test"] / 10))
        tested = [trial.clip for trial in form if trial.role == "test"]
        assert len(tested) == len(set(tested)) <= most
        others = {trial.clip for trial in form if trial.role != "test"}
        assert clips == len(tested) or not others & set(tested)
        for trial in form:
            sounds = heard(trial, names)
            if trial.role == "catch same":
                assert set(sounds.values()) == {"clean"}
                assert trial.correct == (None if trial.kind == "abx" else "yes")
            if trial.role == "catch obvious":
                assert "obvious" in sounds.values()
                assert trial.correct is not None
            if trial.role == "test":
                assert not {"obvious", "training"} & set(sounds.values())


@pytest.mark.parametrize("arrangement", [0, 1])
def test_the_one_that_was_changed_is_beside_the_original(arrangement: int) -> None:
    trial, found = asked(Treatment("changed", ("ours",)), arrangement)
    assert found == {"a": ("clean", "ours")[arrangement], "b": ("ours", "clean")[arrangement]} | {
        "x": "clean"
    }
    assert trial.correct is not None
    assert found[trial.correct] == "ours"


@given(clips=st.integers(1, 9), seed=st.integers(0, 2**32), both=st.booleans())
def test_a_staircase_asks_some_forty_times_about_at_most_four_clips(
    clips: int, seed: int, both: bool
) -> None:
    protocol = staircase([CW, OURS] if both else [OURS])
    names = Names(Random(seed))
    ids = [f"clip {at}" for at in range(clips)]
    for form in make_forms(protocol, ids, protocol.most, Random(seed), names):
        tests = [trial for trial in form if trial.role == "test"]
        tracks = Counter(trial.track for trial in tests)
        assert len(set(tracks.values())) == 1
        assert 40 <= len(tests) < 40 + len(tracks)
        assert len(tracks) <= min(4, clips)
        assert {trial.clip for trial in tests} == {ids[track[1]] for track in tracks if track}
        rounds = [tests[at : at + len(tracks)] for at in range(0, len(tests), len(tracks))]
        assert all({trial.track for trial in one} == tracks.keys() for one in rounds)
        for track in tracks:  # a track is of one clip in one condition
            assert len({(t.clip, t.conditions) for t in tests if t.track == track}) == 1
        staircases = Counter(t.track[0] for t in form if t.track and t.role != "test")
        assert set(staircases.values()) == {1}  # catch trials are played as saved
        assert not staircases.keys() & {track[0] for track in tracks if track}
        assert all(trial.track is None for trial in form if trial.role == "training")
        assert {trial.role for trial in form} == {"training", "test", "catch obvious"}
        assert len({trial.correct for trial in tests}) == 2


def test_listeners_get_correct_answers_only_in_training() -> None:
    names = Names(Random(0))
    ids = [f"clip {at}" for at in range(8)]
    for form in make_forms(abx([CW, OURS]), ids, 4, Random(0), names):
        for trial in form:
            page, key = trial.for_page(), asdict(trial)
            assert page.keys() - {"training"} == {"id", "kind", "sounds"}
            assert ("training" in page) == (trial.role == "training")
            assert (page["id"], page["sounds"]) == (key["id"], key["sounds"])
            assert list(key) == [
                *("id", "kind", "role", "clip", "conditions", "sounds", "correct", "track"),
            ]
        assert [trial.id for trial in form] == [f"t{at:03}" for at in range(1, len(form) + 1)]


def test_names_are_drawn_from_the_seed_and_each_belong_to_one_sound() -> None:
    names = Names(Random(0))
    drawn = {names("clip", condition, copy) for condition in "abc" for copy in range(3)}
    assert len(drawn) == 9
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in drawn)
    assert names("clip", "a", 0) in drawn
    assert Names(Random(1))("clip", "a") != names("clip", "a")
