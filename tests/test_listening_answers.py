"""Answers of listeners: JSON and CSV that fit the study; everything else is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listening_studies import (
    abx_key,
    guesser,
    paper_key,
    session,
    staircase_key,
    with_threshold,
    write_csv,
    write_study,
)

from mondegreen import MondegreenError
from mondegreen.listening.answers import Session, read_answers
from mondegreen.listening.key import StudyKey, read_key

KEY = abx_key(forms=2, each=2)
LAST = len(KEY["forms"][0]) - 1
HOSTILE = [
    "<script>alert(1)</script>",
    '=HYPERLINK("http://x","y")',
    "@SUM(A1)",
    "-1+1",
    'a,b"c\nd',
    "\u202egnirts",
    "x" * 10_000,
    "'quoted'",
    "../../key.json",
    "[bold]markup[/bold]",
    "{{ 7 * 7 }}",
]


def study_of(folder: Path, key: dict[str, Any] = KEY) -> StudyKey:
    return read_key(write_study(folder, key, []) / "key.json")


def read(folder: Path, *sent: dict[str, Any], key: dict[str, Any] = KEY) -> list[Session]:
    study = study_of(folder, key)
    return read_answers([write_study(folder, key, sent)], study)


def saved(folder: Path, content: str | bytes, name: str = "answers.json") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# ---- what is read


def test_a_session_is_read_as_it_was_sent(tmp_path: Path) -> None:
    headphones = {"right": 5, "of": 6, "passed": True}
    sent = session(KEY, "P1", form=1, headphones=headphones)
    (found,) = read(tmp_path, sent)
    assert (found.listener, found.form, found.wears_headphones) == ("P1", 1, True)
    assert found.started == "2026-01-02T09:59:00.000Z"
    answers = [(a.trial, a.answer, a.heard_difference, a.seconds) for a in found.answers]
    names = ("trial", "answer", "heard_difference", "seconds")
    assert answers == [tuple(answer[name] for name in names) for answer in sent["answers"]]


@pytest.mark.parametrize("headphones", [None, True, False])
def test_csv_and_json_of_a_session_are_equal(tmp_path: Path, headphones: bool | None) -> None:
    check = None if headphones is None else {"right": 6, "of": 6, "passed": headphones}
    sent = [session(KEY, f"P{at}", form=at, headphones=check) for at in (0, 1)]
    study = study_of(tmp_path)
    from_json = read(tmp_path, *sent)
    from_csv = read_answers([write_csv(tmp_path / "table.csv", sent)], study)
    assert [s.listener for s in from_csv] == ["P0", "P1"]
    assert [s.answers for s in from_csv] == [s.answers for s in from_json]
    assert [s.wears_headphones for s in from_csv] == [headphones, headphones]
    assert from_csv[0].started == "2026-01-02T10:00:00.000Z"  # the first answer


def test_a_byte_order_mark_and_the_order_of_columns_do_not_matter(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    header = "at,seconds,level,heard_difference,answer,trial,headphones,form,listener,protocol"
    row = f",1.5,,true,a,t001,,0,P1,abx,{study.study},seen"
    path = saved(tmp_path, f"\ufeff{header},study,note\r\n{row}\r\n", "table.csv")
    (found,) = read_answers([path], study)
    assert found.by_trial["t001"].heard_difference is True
    assert found.started is None


def test_an_apostrophe_that_guards_a_formula_is_removed(tmp_path: Path) -> None:
    sent = [session(KEY, name) for name in ("'=1+1", "'@x", "'tis", "'")]
    found = read_answers([write_csv(tmp_path / "table.csv", sent)], study_of(tmp_path))
    assert [s.listener for s in found] == ["=1+1", "@x", "'tis", "'"]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_of_a_listener_is_plain_text(tmp_path: Path, name: str) -> None:
    (found,) = read(tmp_path, session(KEY, name))
    assert found.listener == name


def test_files_named_twice_are_read_once(tmp_path: Path) -> None:
    folder = write_study(tmp_path, KEY, [session(KEY, "P1"), session(KEY, "P2")])
    study = read_key(folder / "key.json")
    paths = [folder, folder / "answers", folder / "answers" / "0000.json"]
    assert [s.listener for s in read_answers(paths, study)] == ["P1", "P2"]


def test_a_folder_of_downloads_needs_no_answers_folder(tmp_path: Path) -> None:
    write_csv(tmp_path / "P1.CSV", [session(KEY, "P1")])
    (tmp_path / "P2.json").write_text(json.dumps(session(KEY, "P2")))
    (tmp_path / "key.json").write_text(json.dumps(KEY))
    (tmp_path / ".half.json").write_text("{")
    (tmp_path / "notes.txt").write_text("not answers")
    found = read_answers([tmp_path], read_key(tmp_path / "key.json"))
    assert sorted(s.listener for s in found) == ["P1", "P2"]


# ---- what is refused


def with_answer(number: int, **changes: Any) -> dict[str, Any]:
    sent = session(KEY, "P1")
    sent["answers"][number] |= changes
    return sent


def test_answers_of_another_study_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="study fedcba9876543210") as refused:
        read(tmp_path, session(KEY, "P1", study="fedcba9876543210"))
    assert "0123456789abcdef" in str(refused.value)


@pytest.mark.parametrize(
    ("sent", "about"),
    [
        (session(KEY, "P1", protocol="paper"), "paper study"),
        ({**session(KEY, "P1"), "form": 2}, "forms 0 to 1"),
        ({**session(KEY, "P1"), "form": -1}, "forms 0 to 1"),
        (with_answer(0, trial="t999"), "belongs to no form"),
        (with_answer(1, trial="t000"), "answered twice"),
        (with_answer(0, answer="yes"), "takes a or b, not yes"),
        (with_answer(0, level=-3.0), r"t000 \(abx\) takes no level"),
    ],
)
def test_answers_that_do_not_fit_the_form_are_refused(
    tmp_path: Path, sent: dict[str, Any], about: str
) -> None:
    with pytest.raises(MondegreenError, match=about) as refused:
        read(tmp_path, sent)
    assert "0000.json" in str(refused.value)


def test_the_error_says_whether_a_trial_belongs_to_another_form(tmp_path: Path) -> None:
    key = abx_key(forms=2, each=2)
    key["forms"][1].append({**key["forms"][1][-1], "id": "t900"})
    sent = session(key, "P1", form=0)
    sent["answers"][0]["trial"] = "t900"
    with pytest.raises(MondegreenError, match="belongs to another form"):
        read(tmp_path, sent, key=key)


STAIRCASE = staircase_key()
TRACKED = next(at for at, trial in enumerate(STAIRCASE["forms"][0]) if trial["track"])


@pytest.mark.parametrize(
    ("level", "about"),
    [
        (None, r"\(changed\) lacks its level"),
        (-40.5, "level.*greater than or equal to -40"),
        (21, "level.*less than or equal to 20"),
        (float("nan"), "level"),
        ("-3", "level"),
    ],
)
def test_a_level_that_was_not_played_is_refused(tmp_path: Path, level: Any, about: str) -> None:
    sent = session(STAIRCASE, "P1", with_threshold(-5))
    sent["answers"][TRACKED]["level"] = level
    with pytest.raises(MondegreenError, match=about):
        read(tmp_path, sent, key=STAIRCASE)


def test_levels_are_read_from_both_kinds_of_files(tmp_path: Path) -> None:
    sent = session(STAIRCASE, "P1", with_threshold(-5))
    (found,) = read(tmp_path, sent, key=STAIRCASE)
    known = read_key(tmp_path / "key.json")
    (from_csv,) = read_answers([write_csv(tmp_path / "table.csv", [sent])], known)
    assert [answer.level for answer in found.answers] == [a.get("level") for a in sent["answers"]]
    assert from_csv.answers == found.answers


def test_the_papers_questions_have_their_own_answers(tmp_path: Path) -> None:
    key = paper_key()

    def unsure(asked: dict[str, Any], rng: Any) -> dict[str, Any]:
        return {"trial": asked["id"], "answer": "a"}

    with pytest.raises(MondegreenError, match=r"t000 \(noise\) takes yes or no, not a"):
        read(tmp_path, session(key, "P1", unsure), key=key)


def test_only_abx_asks_whether_a_difference_is_heard(tmp_path: Path) -> None:
    key = paper_key()

    def listener(asked: dict[str, Any], rng: Any) -> dict[str, Any]:
        return {"trial": asked["id"], "answer": "yes", "heard_difference": False}

    with pytest.raises(MondegreenError, match="does not ask whether a difference is heard"):
        read(tmp_path, session(key, "P1", listener), key=key)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '"text"',
        b"\xff\xfe",
        json.dumps({"study": KEY["study"]}),
        json.dumps({**session(KEY, "P1"), "answers": {}}),
        json.dumps({**session(KEY, "P1"), "form": "0"}),
        json.dumps({**session(KEY, "P1"), "form": 0.5}),
        json.dumps({**session(KEY, "P1"), "form": True}),
        json.dumps({**session(KEY, "P1"), "listener": None}),
        json.dumps({**session(KEY, "P1"), "listener": "\ud800"}),
        json.dumps({**session(KEY, "P1"), "headphones": {"passed": "yes"}}),
        json.dumps(with_answer(0, seconds=float("nan"))),
        json.dumps(with_answer(0, seconds=float("inf"))),
        json.dumps(with_answer(0, seconds=-1)),
        json.dumps(with_answer(0, answer="c")),
        json.dumps(with_answer(0, heard_difference="true")),
        "[" * 100_000,
    ],
)
def test_damaged_json_is_refused_with_its_name(tmp_path: Path, content: str | bytes) -> None:
    study, path = study_of(tmp_path), saved(tmp_path, content)
    with pytest.raises(MondegreenError, match="does not contain readable answers") as refused:
        read_answers([path], study)
    assert str(path) in str(refused.value)


def cells(change: Callable[[list[str]], list[str]]) -> str:
    header = "study,protocol,listener,form,headphones,trial,answer,heard_difference,level,seconds"
    row = [KEY["study"], "abx", "P1", "0", "passed", "t001", "a", "true", "", "1.5", ""]
    return f"{header},at\n{','.join(change(row))}\n"


@pytest.mark.parametrize(
    ("content", "about"),
    [
        ("", "no column study"),
        (cells(list).replace(",", ";"), "commas separate columns"),
        (cells(list).replace(",seconds", ""), "no column seconds"),
        (cells(lambda row: row[:-1]), "as many cells"),
        (cells(lambda row: [*row, "more"]), "as many cells"),
        (cells(lambda row: [*row[:3], "first", *row[4:]]), "form: Input should be a valid integer"),
        (
            cells(lambda row: [*row[:4], "maybe", *row[5:]]),
            "headphones.passed: Input should be a valid boolean",
        ),
        (cells(lambda row: [*row[:6], "A", *row[7:]]), "answer"),
        (cells(lambda row: [*row[:7], "perhaps", *row[8:]]), "heard_difference"),
        (cells(lambda row: [*row[:8], "quiet", *row[9:]]), "level"),
        (cells(lambda row: [*row[:9], "soon", *row[10:]]), "seconds"),
        (cells(lambda row: [*row[:9], "nan", *row[10:]]), "seconds"),
        (cells(lambda row: [*row[:10], '"2026']), "unexpected end"),
        (cells(lambda row: [*row[:2], "x" * 200_000, *row[3:]]), "field"),
    ],
)
def test_a_damaged_table_is_refused_with_the_reason(
    tmp_path: Path, content: str, about: str
) -> None:
    study, path = study_of(tmp_path), saved(tmp_path, content, "table.csv")
    with pytest.raises(MondegreenError, match="does not contain readable answers") as refused:
        read_answers([path], study)
    assert about in str(refused.value)


def test_all_refused_files_are_named_and_advice_is_given_once(
    tmp_path: Path,
) -> None:
    study = study_of(tmp_path)
    sent = [session(KEY, "P1"), session(KEY, "P2", study="fedcba9876543210"), with_answer(0)]
    write_study(tmp_path, KEY, sent)
    for name, content in (("cut.json", "{"), ("latin.csv", b"\xff")):
        saved(tmp_path / "answers", content, name)
    with pytest.raises(MondegreenError) as refused:
        read_answers([tmp_path, tmp_path / "nowhere.json"], study)
    first, *lines = str(refused.value).splitlines()
    assert first == "4 of 6 files cannot be scored:"
    for name, why in {
        "cut.json": "EOF",
        "latin.csv": "it is not UTF-8 text",
        "nowhere.json": "No such file",
    }.items():
        (line,) = [line for line in lines if name in line]
        assert why in line
    assert sum("answers the abx study fedcba9876543210" in line for line in lines) == 1
    assert str(refused.value).count("move it away to score the others") == 1


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    study = study_of(folder)
    for name in ("a.json", "a.csv"):
        with pytest.raises(MondegreenError):
            read_answers([saved(folder, content, name)], study)


def test_a_folder_without_answers_says_so(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    with pytest.raises(MondegreenError, match="no answers in"):
        read_answers([tmp_path], study)
    with pytest.raises(MondegreenError, match="cannot be read"):
        read_answers([tmp_path / "nowhere.json"], study)


def test_an_unfinished_session_is_read(tmp_path: Path) -> None:
    sent = session(KEY, "P1", guesser, complete=False, finished=None)
    sent["answers"] = sent["answers"][:3]
    (found,) = read(tmp_path, sent)
    assert list(found.by_trial) == ["t000", "t001", "t002"]
