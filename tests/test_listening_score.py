"""Scores: counted by hand, and of simulated listeners, through files."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from listening_studies import (
    CONDITIONS,
    abx_key,
    guesser,
    hears_everything,
    hears_nothing,
    paper_key,
    session,
    staircase_key,
    with_threshold,
    write_csv,
    write_study,
)
from scipy.stats import beta

from mondegreen import MondegreenError
from mondegreen.listening.answers import read_answers
from mondegreen.listening.conclusions import conclusions, notes
from mondegreen.listening.detection import d_prime, interval, upper_bound
from mondegreen.listening.key import Question, read_key
from mondegreen.listening.score import QuestionScore, StudyScore, score
from mondegreen.listening.score_report import to_json
from mondegreen.listening.staircase import Answer, of_clip

OURS, BASELINE = CONDITIONS


def scored(folder: Path, key: dict[str, Any], *sent: dict[str, Any]) -> StudyScore:
    study = read_key(write_study(folder, key, sent) / "key.json")
    return score(study, read_answers([folder], study))


def only(found: StudyScore, label: str) -> QuestionScore:
    (result,) = (result for result in found.results if result.question.label == label)
    return result


def right_in(count: int, condition: str) -> Any:
    """A listener who is right in the first `count` trials of a condition, and then wrong."""
    seen = 0

    def listener(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        nonlocal seen
        answer = hears_everything(asked, rng) | {"heard_difference": False}
        if asked["role"] == "test" and condition in asked["conditions"]:
            seen += 1
            if seen > count:
                answer["answer"] = "ab"["ba".index(answer["answer"])]
        return answer

    return listener


# ---- ABX, by hand


def test_right_answers_are_counted_by_condition(tmp_path: Path) -> None:
    key = abx_key(forms=1, each=4)
    sent = [session(key, f"P{n}", right_in(n, OURS)) for n in (1, 2, 4)]
    found = scored(tmp_path, key, *sent)
    ours, baseline = only(found, OURS), only(found, BASELINE)
    assert (ours.rate.hits, ours.rate.answers, ours.rate.listeners) == (7, 12, 3)
    assert ours.rate.share == pytest.approx(7 / 12)
    assert (ours.rate.low, ours.rate.high) == pytest.approx(interval([0.25, 0.5, 1.0]))
    assert (baseline.rate.hits, baseline.rate.answers) == (12, 12)
    assert found.counted == 3
    assert ours.pooled == pytest.approx((beta.ppf(0.025, 7, 6), beta.ppf(0.975, 8, 5)), abs=1e-7)
    pooled = to_json(found)["results"][0]["pooled"]
    assert pooled == {"low": ours.pooled[0], "high": ours.pooled[1]}


def test_a_listener_without_a_name_is_named_as_such(tmp_path: Path) -> None:
    key = abx_key(forms=1, each=4)
    with pytest.raises(MondegreenError, match=r"listeners counts: \(no name\) \(right in 0 of 2"):
        scored(tmp_path, key, session(key, "", wrong_in_obvious))


def wrong_in_obvious(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    answer = hears_everything(asked, rng)
    other = "ab"["ba".index(answer["answer"])]
    return answer | ({"answer": other} if asked["role"] == "catch obvious" else {})


def test_the_share_is_the_mean_of_the_listeners(tmp_path: Path) -> None:
    """Forms may differ in length; each listener is one observation."""
    key = abx_key(forms=2, each=4, conditions=(OURS,))
    tests = [t for t in key["forms"][1] if t["role"] == "test"]
    key["forms"][1] = [t for t in key["forms"][1] if t not in tests[1:]]
    sent = [session(key, "P0", right_in(2, OURS)), session(key, "P1", right_in(1, OURS), form=1)]
    rate = only(scored(tmp_path, key, *sent), OURS).rate
    assert (rate.hits, rate.answers) == (3, 5)
    assert rate.share == pytest.approx((2 / 4 + 1 / 1) / 2)


def test_hearing_and_d_prime_come_from_the_same_shares(tmp_path: Path) -> None:
    key = abx_key(forms=1, each=4)
    sent = [session(key, f"P{n}", right_in(n, OURS)) for n in (3, 3, 4, 4, 4)]
    for number, one in enumerate(sent):
        one["listener"] = f"P{number}"
    ours = only(scored(tmp_path, key, *sent), OURS)
    shares = [0.75, 0.75, 1.0, 1.0, 1.0]
    assert ours.hearing is not None
    assert ours.hearing.share == pytest.approx(2 * 0.9 - 1)
    assert ours.hearing.at_most == pytest.approx(2 * upper_bound(shares) - 1)
    assert ours.d_prime is not None
    low, high = interval(shares)
    assert (ours.d_prime.value, ours.d_prime.low, ours.d_prime.high) == (
        pytest.approx(d_prime(0.9)),
        pytest.approx(d_prime(low)),
        d_prime(high),
    )


def test_claimed_differences_are_counted_separately(tmp_path: Path) -> None:
    key = abx_key(forms=1, each=4)

    def listener(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        claims_it = asked["role"] == "test" and OURS in asked["conditions"]
        return hears_everything(asked, rng) | {"heard_difference": claims_it}

    found = scored(tmp_path, key, session(key, "P0", listener))
    claimed = {result.question.label: result.claimed for result in found.results}
    assert claimed[OURS] is not None
    assert claimed[BASELINE] is not None
    assert (claimed[OURS].hits, claimed[BASELINE].hits) == (4, 0)


def test_training_and_catch_trials_are_not_scored(tmp_path: Path) -> None:
    found = scored(tmp_path, key := abx_key(forms=1, each=4), session(key, "P0", hears_everything))
    assert [result.question for result in found.results] == [
        Question("abx", ("clean", OURS)),
        Question("abx", ("clean", BASELINE)),
    ]
    assert sum(result.rate.answers for result in found.results) == 8


def test_clips_and_listeners_have_their_own_rows(tmp_path: Path) -> None:
    key = abx_key(forms=1, each=4, conditions=(OURS,))
    sent = [session(key, f"P{n}", right_in(n, OURS)) for n in (1, 3)]
    found = scored(tmp_path, key, *sent)
    tests = [t["clip"] for t in key["forms"][0] if t["role"] == "test"]
    assert {clip: (rate.hits, rate.answers) for (_, clip), rate in found.clips.items()} == dict(
        zip(tests, [(2, 2), (1, 2), (1, 2), (0, 2)], strict=True)
    )
    (first,), (second,) = (listener.rates.values() for listener in found.listeners)
    assert (first.hits, second.hits) == (1, 3)
    assert (first.answers, first.listeners) == (4, 1)
    assert (second.low, second.high) == pytest.approx(
        (beta.ppf(0.025, 3, 2), beta.ppf(0.975, 4, 1)), abs=1e-8
    )
    assert found.listeners[0].seconds == 4.5


def test_a_clips_answers_by_one_listener_are_one_observation(tmp_path: Path) -> None:
    key = abx_key(forms=1, each=4, conditions=(OURS,))
    key["clips"] = ["the one"]
    for trial in key["forms"][0]:
        trial["clip"] = "the one"
    found = scored(tmp_path, key, *(session(key, f"P{n}", right_in(2, OURS)) for n in range(3)))
    (rate,) = found.clips.values()
    assert (rate.hits, rate.answers, rate.listeners) == (6, 12, 3)
    assert (rate.low, rate.high) == pytest.approx(interval([0.5, 0.5, 0.5]))


# ---- who counts


def test_excluded_listeners_are_named_and_count_among_everybody(tmp_path: Path) -> None:
    key = abx_key(forms=2, each=6, catches=6)
    sent = [session(key, f"P{n}", guesser, form=n % 2) for n in range(8)]
    found = scored(
        tmp_path, key, *sent, session(key, "deaf", hears_nothing), session(key, "P0", form=1)
    )
    assert (found.counted, len(found.listeners)) == (8, 9)
    assert [one.session.name for one in found.excluded] == ["deaf"]
    assert [(one.name, one.form) for one in found.repeated] == [("P0", 1)]
    with_all = {result.question: result.rate for result in found.everybody}
    for result in found.results:
        assert (result.rate.listeners, result.rate.answers) == (8, 48)
        assert (with_all[result.question].listeners, with_all[result.question].answers) == (9, 54)


def test_an_unfinished_session_counts_only_among_everybody(tmp_path: Path) -> None:
    key = abx_key(forms=1, each=4, conditions=(OURS,))
    left = session(key, "left", hears_everything)
    left["answers"] = left["answers"][:3]  # training, and two tests
    found = scored(tmp_path, key, session(key, "P0", right_in(2, OURS)), left)
    assert (found.results[0].rate.answers, found.everybody[0].rate.answers) == (4, 6)


def test_if_nobody_counts_the_error_says_why(tmp_path: Path) -> None:
    key = abx_key(forms=1, each=4, catches=8)
    sent = [session(key, f"P{n}", hears_nothing) for n in range(12)]
    with pytest.raises(MondegreenError, match="nothing is left to score") as refused:
        scored(tmp_path, key, *sent)
    assert "P3 (" in str(refused.value)
    assert "8 of 8 identical pairs" in str(refused.value)
    assert "and 2 more" in str(refused.value)


def test_a_question_that_nobody_was_asked_is_unknown(tmp_path: Path) -> None:
    key = abx_key(forms=2, each=2)
    key["forms"][0] = [t for t in key["forms"][0] if BASELINE not in t["conditions"]]
    found = scored(tmp_path, key, session(key, "P0"))
    baseline = only(found, BASELINE)
    assert (baseline.rate.answers, baseline.rate.share, baseline.rate.high) == (0, None, None)
    assert (baseline.hearing, baseline.d_prime, baseline.claimed) == (None, None, None)
    assert [claim.may for claim in conclusions(found)][1].startswith("Nothing")


# ---- simulated listeners


def test_guessers_give_a_bound_and_no_difference(tmp_path: Path) -> None:
    key = abx_key(forms=8, each=6)
    sent = [session(key, f"P{n}", guesser, form=n % 8) for n in range(40)]
    found = scored(tmp_path, key, *sent)
    for result, claim in zip(found.results, conclusions(found), strict=True):
        assert result.hearing is not None
        assert result.hearing.at_least == 0
        assert 0.07 < result.hearing.at_most < 0.3  # of 40, 7.2 % at best
        assert not claim.apart
        assert claim.may.startswith("At most ")
        assert claim.may_not.startswith("that nobody can")


def test_listeners_who_hear_everything_are_found(tmp_path: Path) -> None:
    key = abx_key(forms=8, each=6)
    sent = [session(key, f"P{n}", hears_everything, form=n % 8) for n in range(12)]
    found = scored(tmp_path, key, *sent)
    for result, claim in zip(found.results, conclusions(found), strict=True):
        assert result.hearing is not None
        assert result.hearing.at_least == pytest.approx(2 * 0.05 ** (1 / 12) - 1)
        assert result.hearing.at_most == 1
        assert claim.apart
        assert result.telling == 0  # 6 of 6 are too few, of twelve listeners
        assert claim.may.startswith("At least 55\u00a0% and at most 100\u00a0%")
        assert claim.may_not == "that it is imperceptible."


def test_one_listener_who_hears_everything_makes_it_perceptible(
    tmp_path: Path,
) -> None:
    key = abx_key(forms=8, each=12, conditions=(OURS,))
    sent = [session(key, f"P{n}", guesser, form=n % 8) for n in range(20)]
    found = scored(tmp_path, key, *sent, session(key, "golden ears", hears_everything))
    (result,), (claim,) = found.results, conclusions(found)
    assert result.rate.low is not None
    assert result.rate.low < 0.5
    assert result.telling == 1
    assert claim.apart
    assert "At least 1 of these 21 listeners can tell “imperceptible fast”" in claim.may
    assert claim.may_not == "that it is imperceptible."


def test_a_csv_scores_like_the_json_files(tmp_path: Path) -> None:
    key = abx_key(forms=4, each=3)
    sent = [session(key, f"P{n}", guesser, form=n % 4) for n in range(9)]
    sent.append(session(key, "=1+1", hears_nothing))
    from_json = scored(tmp_path, key, *sent)
    table = write_csv(tmp_path / "all.csv", sent)
    from_csv = score(from_json.key, read_answers([table], from_json.key))
    assert to_json(from_csv) == to_json(from_json)


# ---- the paper's questions


def paper_listener(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Hears noise in the baseline, prefers the clean clip to all, and finds no two identical."""
    heard = asked["conditions"]
    answer = {
        "noise": "yes" if heard[0] in (BASELINE, "obvious") else "no",
        "identical": "yes" if len(heard) == 1 else "no",
        "natural": None,
    }[asked["kind"]]
    return {"trial": asked["id"], "answer": answer or asked["prefer"]}


def with_preference(key: dict[str, Any], name: str) -> dict[str, Any]:
    """The same key, with the answer that prefers a condition, or else our own."""
    for form in key["forms"]:
        for asked in form:
            names = {
                key["sounds"][asked["sounds"][at]]["condition"]: at
                for at in ("a", "b")
                if at in asked["sounds"]
            }
            asked["prefer"] = names.get(name) or names.get(OURS)
    return key


def test_the_papers_questions_are_counted_by_pairs(tmp_path: Path) -> None:
    key = with_preference(paper_key(forms=4), "clean")
    sent = [session(key, f"P{n}", paper_listener, form=n % 4) for n in range(6)]
    found = scored(tmp_path, key, *sent)
    hits = {(r.question.kind, *r.question.conditions): r.rate.hits for r in found.results}
    assert hits == {
        ("noise", "clean"): 0,
        ("noise", BASELINE): 6,
        ("noise", OURS): 0,
        ("natural", "clean", BASELINE): 6,
        ("natural", "clean", OURS): 6,
        ("natural", BASELINE, OURS): 0,
        ("identical", "clean", "clean"): 6,
        ("identical", "clean", BASELINE): 0,
        ("identical", "clean", OURS): 0,
        ("identical", BASELINE, OURS): 0,
    }
    assert {result.rate.answers for result in found.results} == {6}
    assert {result.hearing for result in found.results} == {None}
    assert (found.results[1].rate.low, found.results[1].rate.high) == pytest.approx(
        (0.025 ** (1 / 6), 1.0)
    )


def test_the_papers_questions_give_no_bound(tmp_path: Path) -> None:
    key = with_preference(paper_key(), "clean")
    found = scored(tmp_path, key, session(key, "P0", paper_listener))
    claims = list(conclusions(found))
    assert [claim.about for claim in claims] == [
        "Do you hear background noise?",
        "Which sounds more natural?",
        "Are these identical?",
    ]
    assert not any("can tell" in note for note in notes(found))


# ---- plain data


def test_the_score_is_plain_data_without_nan(tmp_path: Path) -> None:
    key = abx_key(forms=1, each=3)
    sent = [session(key, "P0", hears_everything), session(key, "<b>", hears_nothing)]
    data = to_json(scored(tmp_path, key, *sent))
    again = json.loads(json.dumps(data, allow_nan=False))
    assert again == data
    assert again["results"][0]["d_prime"]["value"] is None  # no bound
    assert again["results"][0]["hearing"]["at_most"] == 1
    assert again["results"][0]["hits"] == 3
    assert again["results"][0]["telling"] == 0  # 3 of 3 may be a guess
    assert again["claims"][0]["may"].startswith(
        "Nothing: it is possible that all listeners can tell"
    )
    assert [who["listener"] for who in again["by_listener"]] == ["P0", "<b>"]
    assert [row["hits"] for row in again["by_clip"]] == [1] * 6
    assert {"rule", "notes", "everybody", "left_out", "repeated"} <= again.keys()


def test_nothing_can_be_claimed_about_a_question_that_nobody_was_asked(tmp_path: Path) -> None:
    key = with_preference(paper_key(), "clean")
    key["forms"][0] = [t for t in key["forms"][0] if t["role"] != "test" or t["kind"] != "natural"]
    found = scored(tmp_path, key, session(key, "P0", paper_listener))
    said = {claim.about: claim.may for claim in conclusions(found)}
    assert said["Which sounds more natural?"] == "Nothing: no listener who counts was asked."
    assert said["Are these identical?"].startswith("The shares in the table")


def test_a_single_listener_who_hears_everything_is_a_claim(tmp_path: Path) -> None:
    key = abx_key(forms=1, each=8, conditions=(OURS,))
    (claim,) = conclusions(scored(tmp_path, key, session(key, "anna", hears_everything)))
    assert claim.may.startswith("At least 1 of these 1 listeners can tell")
    assert "Nothing" not in claim.may


# ---- staircases


def test_thresholds_of_a_study_its_clips_and_its_listeners(tmp_path: Path) -> None:
    key = staircase_key(clips=4)
    sent = [session(key, f"P{n:02}", with_threshold(-6.0), form=n % 2) for n in range(12)]
    found = scored(tmp_path, key, *sent)
    (result,) = found.results
    assert result.threshold is not None
    assert result.threshold.db == pytest.approx(-6, abs=2)
    assert (result.threshold.listeners, result.threshold.answers) == (12, 12 * 40)
    assert result.hearing is result.d_prime is None
    (question,) = {question for question, _ in found.thresholds}
    assert {clip for _, clip in found.thresholds} == set(found.key.clips)
    for threshold in found.thresholds.values():
        assert threshold.db == pytest.approx(-6, abs=3.5)
    own = [listener.thresholds[question] for listener in found.listeners]
    assert result.threshold.db == pytest.approx(sum(one.db or 0 for one in own) / 12)
    (told,) = conclusions(found)
    assert told.apart == (result.threshold.high is not None and result.threshold.high < 0)
    assert "dB quieter" in told.may or "about as loud as that in the file" in told.may
    assert notes(found)[0].startswith("Levels are those of the change")


def test_a_clip_that_is_heard_sooner_has_a_lower_threshold(tmp_path: Path) -> None:
    key = staircase_key(clips=4)
    listeners = [with_threshold(2.0, {"clip 1": -5.0}) for _ in range(12)]
    sent = [session(key, f"P{n:02}", one, form=n % 2) for n, one in enumerate(listeners)]
    found = scored(tmp_path, key, *sent)
    own = [tracks_of(key, one) for one in sent]
    for (_, clip), threshold in found.thresholds.items():
        assert threshold.low is not None
        assert threshold.high is not None
        assert threshold.low <= (-5 if clip == "clip 1" else 2) <= threshold.high
        assert threshold.high < 0 if clip == "clip 1" else threshold.high > 0
        rest = [[track for other, track in by.items() if other != clip] for by in own]
        pairs = [(by[clip], others) for by, others in zip(own, rest, strict=True)]
        assert threshold == of_clip(pairs)


def tracks_of(key: dict[str, Any], sent: dict[str, Any]) -> dict[str, list[Answer]]:
    """The answers to the tests of a form, by clip."""
    tracks: dict[str, list[Answer]] = {}
    for asked, given in zip(key["forms"][sent["form"]], sent["answers"], strict=True):
        if asked["role"] == "test":
            right = given["answer"] == asked["correct"]
            tracks.setdefault(asked["clip"], []).append(Answer(given["level"], right))
    return tracks


def test_two_conditions_have_a_threshold_each(tmp_path: Path) -> None:
    key = staircase_key(clips=4, conditions=CONDITIONS)

    def listener(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        return (loud if BASELINE in asked["conditions"] else quiet)(asked, rng)

    sent = []
    for n in range(8):
        loud, quiet = with_threshold(-15.0), with_threshold(5.0)
        sent.append(session(key, f"P{n}", listener, form=n % len(key["forms"])))
    found = scored(tmp_path, key, *sent)
    for condition, at in ((BASELINE, -15), (OURS, 5)):
        threshold = only(found, condition).threshold
        assert threshold is not None
        assert threshold.db == pytest.approx(at, abs=4)


def test_a_listener_who_cannot_hear_it_has_no_threshold(tmp_path: Path) -> None:
    key = staircase_key(clips=4)
    deaf = scored(tmp_path, key, session(key, "P1", with_threshold(90.0)))
    (result,) = deaf.results
    assert result.threshold is not None
    assert (result.threshold.db, result.threshold.low, result.threshold.high) == (None,) * 3
    (told,) = conclusions(deaf)
    assert told.may.startswith("Nothing: may lie above +20 dB, the loudest level.")
    data = json.loads(json.dumps(to_json(deaf), allow_nan=False))
    assert data["results"][0]["threshold"]["db"] is None
    assert data["by_listener"][0]["rates"][0]["threshold"]["unknown"].startswith("may lie above")
    assert data["by_clip"][0].keys().isdisjoint({"threshold"})


def test_listeners_who_miss_the_obvious_do_not_count_in_a_staircase(tmp_path: Path) -> None:
    key = staircase_key(clips=4)

    def careless(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        answer = with_threshold(-6.0)(asked, rng)
        if asked["role"] == "catch obvious":
            answer["answer"] = {"a": "b", "b": "a"}[asked["correct"]]
        return answer

    sent = [session(key, "P1", with_threshold(-6.0)), session(key, "P2", careless)]
    found = scored(tmp_path, key, *sent)
    assert [listener.reasons for listener in found.excluded] == [
        ("right in 0 of 4 obvious trials",)
    ]
    (result,) = found.results
    assert result.threshold == found.listeners[0].thresholds[result.question]
