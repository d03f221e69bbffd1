"""Keys of studies: found, read, and refused if they contradict themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from listening_studies import abx_key, paper_key, staircase_key, write_study

from mondegreen import MondegreenError
from mondegreen.listening.key import find_key, read_key


def written(folder: Path, key: Any) -> Path:
    path = folder / "key.json"
    path.write_text(key if isinstance(key, str) else json.dumps(key))
    return path


def test_a_key_says_what_its_trials_compare(tmp_path: Path) -> None:
    study = read_key(written(tmp_path, abx_key(conditions=("ours",), each=4)))
    assert (study.study, study.protocol, study.conditions) == ("0123456789abcdef", "abx", ("ours",))
    tests = [trial for trial in study.forms[0] if trial.role == "test"]
    assert len(tests) == 4
    assert {frozenset(study.compared(trial)) for trial in tests} == {frozenset({"clean", "ours"})}


def test_conditions_come_from_the_sounds(tmp_path: Path) -> None:
    """Whichever of them is A."""
    key = abx_key(forms=1, each=1, conditions=("ours",))
    asked = key["forms"][0][1]
    blind = asked["sounds"]["a"], asked["sounds"]["b"]
    for name, condition in zip(blind, ("ours", "clean"), strict=True):
        key["sounds"][name]["condition"] = condition
    study = read_key(written(tmp_path, key))
    assert study.compared(study.forms[0][1]) == ("ours", "clean")


def test_a_noise_question_is_about_one_condition(tmp_path: Path) -> None:
    study = read_key(written(tmp_path, paper_key()))
    assert [study.compared(t) for t in study.forms[0] if t.kind == "noise"] == [
        *(("clean",), ("carlini-wagner paper",), ("imperceptible fast",), ("obvious",))
    ]


# ---- finding it


def test_the_key_lies_beside_or_above_the_answers(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", abx_key(), [])
    (folder / "answers" / "one.json").write_text("{}")
    (folder / "loose.csv").write_text("")
    key = (folder / "key.json").resolve()
    for answers in (folder, folder / "answers", folder / "answers" / "one.json"):
        assert find_key([answers]) == key
    assert find_key([folder / "loose.csv", folder / "answers"]) == key


def test_the_nearest_key_wins(tmp_path: Path) -> None:
    outer = write_study(tmp_path / "study", abx_key(), [])
    inner = write_study(outer / "again", abx_key(), [])
    assert find_key([inner / "answers"]) == (inner / "key.json").resolve()
    assert find_key([inner]) == (inner / "key.json").resolve()


def test_without_a_key_the_error_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="--key"):
        find_key([tmp_path])


def test_answers_to_two_studies_are_refused(tmp_path: Path) -> None:
    folders = [write_study(tmp_path / name, abx_key(), []) for name in ("one", "two")]
    with pytest.raises(MondegreenError, match="2 keys"):
        find_key(folders)


# ---- damage


def changed(path: list[Any], value: Any) -> dict[str, Any]:
    key = abx_key(forms=1, each=1)
    at: Any = key
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return key


@pytest.mark.parametrize(
    ("key", "about"),
    [
        ("", "JSON"),
        ('{"study": "0123456789abcdef"', "JSON"),
        ("[]", "object"),
        ("[" * 100_000, "JSON"),
        (changed(["study"], "../../etc"), "study"),
        (changed(["protocol"], "mushra"), "protocol"),
        (changed(["forms"], []), "forms"),
        (changed(["forms", 0, 0, "kind"], "taste"), "kind"),
        (changed(["forms", 0, 0, "role"], None), "role"),
        (changed(["forms", 0, 1, "correct"], "yes"), "yes"),
        (changed(["forms", 0, 1, "correct"], None), "no correct answer"),
        (changed(["forms", 0, 1, "sounds"], {"a": "0000"}), "no sound b"),
        (changed(["forms", 0, 1, "sounds", "a"], "elsewhere"), "elsewhere"),
        (changed(["forms", 0, 1, "clip"], "another"), "no clip another"),
        (changed(["schema"], 2), "schema"),
        (changed(["sounds", "0000"], {"clip": 1, "condition": "clean"}), "clip"),
    ],
)
def test_a_damaged_key_is_refused_with_the_reason(tmp_path: Path, key: Any, about: str) -> None:
    path = written(tmp_path, key)
    with pytest.raises(MondegreenError, match="not a key") as refused:
        read_key(path)
    assert about in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_trial_of_a_staircase_without_a_track_is_damage(tmp_path: Path) -> None:
    key = staircase_key()
    next(trial for trial in key["forms"][0] if trial["role"] == "test")["track"] = None
    with pytest.raises(MondegreenError, match="it has no track"):
        read_key(written(tmp_path, key))


def test_a_missing_key_has_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match="cannot be read"):
        read_key(tmp_path / "key.json")


def test_a_key_that_is_not_text_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MondegreenError, match="not a key"):
        read_key(tmp_path / "key.json")


def test_missing_answers_are_named(tmp_path: Path) -> None:
    with pytest.raises(MondegreenError, match=r"nowhere does not exist\. Expected answers"):
        find_key([tmp_path / "nowhere"])
