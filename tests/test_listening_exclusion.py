"""Which listeners count: the exclusion rule at its edges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from listening_studies import (
    abx_key,
    guesser,
    hears_everything,
    hears_nothing,
    paper_key,
    session,
    write_study,
)

from mondegreen.listening.answers import Judged, judge, one_each, read_answers
from mondegreen.listening.key import read_key

KEY = abx_key(forms=3, each=2, catches=4)


def judged(folder: Path, sent: dict[str, Any], key: dict[str, Any] = KEY) -> Judged:
    study = read_key(write_study(folder, key, [sent]) / "key.json")
    (one,) = read_answers([folder], study)
    return judge(one, study)


def with_catches(*, obvious_right: int, same_claimed: int, of: int = 4) -> dict[str, Any]:
    """A session with given numbers of right catch trials and of claimed differences."""
    key = abx_key(forms=3, each=2, catches=of)
    sent = session(key, "P1", hears_everything)
    roles = {asked["id"]: asked for asked in key["forms"][0]}
    right, claimed = obvious_right, same_claimed
    for answer in sent["answers"]:
        asked = roles[answer["trial"]]
        if asked["role"] == "catch obvious":
            answer["answer"] = asked["correct"] if right > 0 else other(asked["correct"])
            right -= 1
        if asked["role"] == "catch same":
            answer["heard_difference"] = claimed > 0
            claimed -= 1
    return sent


def other(choice: str) -> str:
    return {"a": "b", "b": "a", "yes": "no", "no": "yes"}[choice]


@pytest.mark.parametrize("listener", [guesser, hears_everything])
def test_neither_guessing_nor_hearing_excludes_a_listener(tmp_path: Path, listener: Any) -> None:
    found = judged(tmp_path, session(KEY, "P1", listener))
    assert found.reasons == ()
    assert (found.caught.obvious_right, found.caught.obvious_of) == (4, 4)
    assert (found.caught.same_right, found.caught.same_of) == (4, 4)


@pytest.mark.parametrize(
    ("right", "of", "counts"),
    [(4, 4, True), (3, 4, True), (2, 4, False), (2, 2, True), (1, 2, False), (0, 1, False)],
)
def test_three_of_four_obvious_trials_must_be_right(
    tmp_path: Path, right: int, of: int, counts: bool
) -> None:
    key = abx_key(forms=3, each=2, catches=of)
    found = judged(tmp_path, with_catches(obvious_right=right, same_claimed=0, of=of), key)
    expected = () if counts else (f"right in {right} of {of} obvious trials",)
    assert found.reasons == expected


@pytest.mark.parametrize(
    ("claimed", "of", "counts"),
    [(0, 4, True), (2, 4, True), (3, 4, False), (1, 2, True), (2, 2, False), (1, 1, False)],
)
def test_more_than_half_of_the_identical_pairs_must_not_be_called_different(
    tmp_path: Path, claimed: int, of: int, counts: bool
) -> None:
    key = abx_key(forms=3, each=2, catches=of)
    found = judged(tmp_path, with_catches(obvious_right=of, same_claimed=claimed, of=of), key)
    expected = () if counts else (f"claimed a difference in {claimed} of {of} identical pairs",)
    assert found.reasons == expected


@pytest.mark.parametrize(("passed", "counts"), [(None, True), (True, True), (False, False)])
def test_a_headphone_check_that_was_made_must_be_passed(
    tmp_path: Path, passed: bool | None, counts: bool
) -> None:
    check = None if passed is None else {"right": 3, "of": 6, "passed": passed}
    found = judged(tmp_path, session(KEY, "P1", headphones=check))
    assert found.reasons == (() if counts else ("did not pass the headphone check",))


def test_every_trial_except_training_must_be_answered(tmp_path: Path) -> None:
    sent = session(KEY, "P1")
    asked = len(sent["answers"])
    del sent["answers"][0]  # training
    assert judged(tmp_path / "training", sent).reasons == ()
    del sent["answers"][3]
    assert judged(tmp_path / "test", sent | {"complete": True}).reasons == (
        f"incomplete: {asked - 2} of {asked - 1} trials answered",
    )


def test_all_reasons_are_given(tmp_path: Path) -> None:
    sent = session(KEY, "P1", hears_nothing, seed=3, headphones={"passed": False})
    wrong = {t["id"]: t for t in KEY["forms"][0] if t["role"] == "catch obvious"}
    for answer in sent["answers"]:
        if answer["trial"] in wrong:
            answer["answer"] = other(wrong[answer["trial"]]["correct"])
    del sent["answers"][1]
    assert [reason.split()[0] for reason in judged(tmp_path, sent).reasons] == [
        *("incomplete:", "right", "claimed", "did")
    ]


def test_the_rule_ignores_scored_trials(tmp_path: Path) -> None:
    sent = session(KEY, "P1")
    tests = {t["id"] for t in KEY["forms"][0] if t["role"] in ("test", "training")}
    before = judged(tmp_path / "before", sent)
    for answer in sent["answers"]:
        if answer["trial"] in tests:
            answer |= {"answer": other(answer["answer"]), "heard_difference": True}
    after = judged(tmp_path / "after", sent)
    assert (before.caught, before.reasons) == (after.caught, after.reasons)


@pytest.mark.parametrize(("same", "obvious", "reasons"), [("yes", "no", 0), ("no", "yes", 2)])
def test_the_papers_catch_trials_have_right_answers(
    tmp_path: Path, same: str, obvious: str, reasons: int
) -> None:
    """One identical pair, one obvious, and one obvious noise, which is always heard here."""

    def listener(asked: dict[str, Any], rng: Any) -> dict[str, Any]:
        given = {"catch same": same, "catch obvious": obvious}.get(asked["role"], "yes")
        if asked["kind"] == "noise":
            given = "yes"
        return {"trial": asked["id"], "answer": "a" if asked["kind"] == "natural" else given}

    key = paper_key()
    found = judged(tmp_path, session(key, "P1", listener), key)
    assert len(found.reasons) == reasons
    assert (found.caught.obvious_of, found.caught.same_of) == (2, 1)


# ---- sessions that repeat a listener


def sessions(folder: Path, *sent: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    study = read_key(write_study(folder, KEY, sent) / "key.json")
    return one_each(read_answers([folder], study), study)


def unfinished(sent: dict[str, Any]) -> dict[str, Any]:
    return {**sent, "answers": sent["answers"][:4]}


def at(hour: int, form: int) -> dict[str, Any]:
    return session(KEY, "P1", form=form, started=f"2026-01-02T{hour:02}:00:00.000Z")


def test_the_first_complete_session_of_a_listener_counts(tmp_path: Path) -> None:
    sent = [at(12, 2), unfinished(at(8, 0)), at(10, 1), session(KEY, "P2")]
    chosen, repeated = sessions(tmp_path, *sent)
    assert [(s.listener, s.form) for s in chosen] == [("P1", 1), ("P2", 0)]
    assert [(s.listener, s.form) for s in repeated] == [("P1", 2), ("P1", 0)]


def test_the_first_of_unfinished_sessions_represents_the_listener(tmp_path: Path) -> None:
    chosen, repeated = sessions(tmp_path, unfinished(at(12, 2)), unfinished(at(10, 1)))
    assert [s.form for s in chosen] == [1]
    assert [s.form for s in repeated] == [2]


def test_sessions_without_a_name_are_different_listeners(tmp_path: Path) -> None:
    chosen, repeated = sessions(tmp_path, session(KEY, ""), session(KEY, "", form=1))
    assert len(chosen) == 2
    assert repeated == []
