"""Studies with a key, and simulated listeners who answer them, as files."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from literal_staircase import Staircases, hears

from mondegreen.listening.design import Condition, Names, make_forms, staircase

STUDY: Final = "0123456789abcdef"
CONDITIONS: Final = ("imperceptible fast", "carlini-wagner paper")

Listener = Callable[[dict[str, Any], random.Random], dict[str, Any]]


def trial(
    number: int,
    kind: str,
    role: str,
    clip: str,
    heard: Sequence[str],
    *,
    correct: str | None = None,
    sounds: dict[str, Any],
) -> dict[str, Any]:
    """A trial of a key; each of its sounds gets its own name."""
    names = dict(zip("ab", heard, strict=False))
    if kind == "abx":
        names["x"] = heard["ab".index(correct or "a")]
    blind = {}
    for called, condition in names.items():
        blind[called] = f"{len(sounds):04x}"
        sounds[blind[called]] = {"clip": clip, "condition": condition}
    conditions = sorted(set(heard), key=lambda name: name != "clean")
    return {
        **{"id": f"t{number:03}", "kind": kind, "role": role, "clip": clip},
        **{"conditions": conditions, "sounds": blind, "correct": correct},
    }


def abx_key(
    *, forms: int = 8, each: int = 6, conditions: Sequence[str] = CONDITIONS, catches: int = 2
) -> dict[str, Any]:
    """Forms of one training trial, `each` trials a condition, and catch trials of both kinds."""
    rng, sounds = random.Random(0), {}
    clips = [f"clip {at}" for at in range(each * len(conditions))]
    made = []
    for _ in range(forms):
        free = rng.sample(clips, len(clips))
        asked = [
            ("training", "training"),
            *[("test", condition) for condition in conditions for _ in range(each)],
            *[("catch same", "clean"), ("catch obvious", "obvious")] * catches,
        ]
        made.append(
            [
                trial(
                    number,
                    "abx",
                    role,
                    free[number % len(free)],
                    rng.sample(["clean", condition], 2),
                    correct=None if condition == "clean" else rng.choice("ab"),
                    sounds=sounds,
                )
                for number, (role, condition) in enumerate(asked)
            ]
        )
    return key_of("abx", conditions, clips, sounds, made)


def paper_key(*, forms: int = 4) -> dict[str, Any]:
    """Forms that ask each question of each condition or pair once, with a catch trial of each."""
    sounds: dict[str, Any] = {}
    ours, baseline = CONDITIONS
    pairs = [("clean", baseline), ("clean", ours), (baseline, ours)]
    asked = [
        *[("noise", "test", (name,)) for name in ("clean", baseline, ours)],
        *[(kind, "test", pair) for kind in ("natural", "identical") for pair in pairs],
        ("identical", "test", ("clean", "clean")),
        ("identical", "catch same", ("clean", "clean")),
        ("identical", "catch obvious", ("clean", "obvious")),
        ("noise", "catch obvious", ("obvious",)),
    ]
    rng = random.Random(0)
    made = [
        [
            trial(
                number,
                kind,
                role,
                f"clip {number}",
                rng.sample(heard, len(heard)),
                correct=_correct(kind, role, heard),
                sounds=sounds,
            )
            for number, (kind, role, heard) in enumerate(asked)
        ]
        for _ in range(forms)
    ]
    clips = [f"clip {number}" for number in range(len(asked))]
    return key_of("paper", (baseline, ours), clips, sounds, made)


def staircase_key(
    *, clips: int = 5, conditions: Sequence[str] = CONDITIONS[:1], seed: int = 0
) -> dict[str, Any]:
    """Forms of forty trials on four clips."""
    names = Names(random.Random(seed))
    protocol = staircase([Condition(label, label.split()[0]) for label in conditions])
    ids = [f"clip {at}" for at in range(clips)]
    forms = make_forms(protocol, ids, protocol.most, random.Random(seed), names)
    sounds = {name: asdict(stimulus) for (stimulus, _), name in names.of.items()}
    made = json.loads(json.dumps([[asdict(trial) for trial in form] for form in forms]))
    return key_of("staircase", conditions, ids, sounds, made)


def _correct(kind: str, role: str, heard: Sequence[str]) -> str | None:
    if kind == "identical":
        return "yes" if len(set(heard)) < len(heard) else "no"
    return "yes" if role == "catch obvious" else None


def key_of(
    protocol: str,
    conditions: Sequence[str],
    clips: Sequence[str],
    sounds: dict[str, Any],
    forms: list[list[dict[str, Any]]],
) -> dict[str, Any]:
    return {
        **{"study": STUDY, "protocol": protocol, "seed": 0, "versions": {"mondegreen": "0.1.0"}},
        **{"conditions": list(conditions), "clips": list(clips), "sounds": sounds, "forms": forms},
    }


# ---- listeners


def guesser(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Hears the obvious, and guesses otherwise."""
    if asked["role"] == "catch obvious":
        return all_right(asked, rng)
    return _answer(asked, rng.choice("ab"), heard=False)


def hears_everything(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Is always right, and claims every difference that exists."""
    return all_right(asked, rng)


def hears_nothing(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Guesses even obvious trials, and claims differences everywhere."""
    return _answer(asked, rng.choice("ab"), heard=True)


def all_right(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    return _answer(asked, asked["correct"] or rng.choice("ab"), heard=asked["correct"] is not None)


def with_threshold(db: float, of: Mapping[str, float] = MappingProxyType({})) -> Listener:
    """Hears half of the changes at a level, of some clips at another, and everything obvious."""
    tracks: dict[int, Staircases] = {}
    numbers: dict[tuple[int, int], int] = {}

    def listener(asked: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        if asked["track"] is None:
            return all_right(asked, rng) | {"heard_difference": None}
        staircase, clip = asked["track"]
        mine = tracks.setdefault(staircase, Staircases(1, 4))
        number = numbers.setdefault((staircase, clip), sum(one == staircase for one, _ in numbers))
        level = mine.level(number)
        right = asked["role"] != "test" or rng.random() < float(
            hears(level, np.float64(of.get(asked["clip"], db)), exponent=1.0, lapse=0.02)[0]
        )
        mine.answer(number, level, np.array([right]))
        given = asked["correct"] if right else {"a": "b", "b": "a"}[asked["correct"]]
        return _answer(asked, given, heard=None) | {"level": float(level[0])}

    return listener


def _answer(asked: dict[str, Any], given: str, *, heard: bool | None) -> dict[str, Any]:
    return {
        **{"trial": asked["id"], "answer": given, "heard_difference": heard, "seconds": 4.5},
        **{"plays": {"a": 1, "b": 1, "x": 2}, "at": "2026-01-02T10:00:00.000Z"},
    }


def session(
    key: dict[str, Any],
    name: str,
    listener: Listener = guesser,
    *,
    form: int = 0,
    seed: int = 0,
    **others: Any,
) -> dict[str, Any]:
    """What a listener sends after a form; keyword arguments replace fields."""
    rng = random.Random(f"{name} {seed}")
    sent = {
        **{"study": key["study"], "protocol": key["protocol"], "listener": name, "form": form},
        **{"started": "2026-01-02T09:59:00.000Z", "finished": "2026-01-02T10:20:00.000Z"},
        **{"complete": True, "code": "K4T9", "headphones": None},
        "answers": [listener(asked, rng) for asked in key["forms"][form]],
    }
    return sent | others


# ---- files


def write_study(folder: Path, key: dict[str, Any], sessions: Sequence[dict[str, Any]]) -> Path:
    """The folder of a study, with a file for each session."""
    (folder / "answers").mkdir(parents=True, exist_ok=True)
    (folder / "key.json").write_text(json.dumps(key))
    for number, sent in enumerate(sessions):
        (folder / "answers" / f"{number:04}.json").write_text(json.dumps(sent))
    return folder


def write_csv(path: Path, sessions: Sequence[dict[str, Any]]) -> Path:
    """The same sessions as a table."""
    columns = "study protocol listener form headphones"
    columns += " trial answer heard_difference level seconds at"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns.split())
        for sent in sessions:
            check = sent["headphones"] and sent["headphones"]["passed"]
            passed = {None: "", True: "passed", False: "failed"}[check]
            for given in sent["answers"]:
                heard = {None: "", True: "true", False: "false"}[given["heard_difference"]]
                whole = (sent["study"], sent["protocol"], sent["listener"], sent["form"], passed)
                level, seconds = given.get("level"), given["seconds"]
                answer = (given["trial"], given["answer"], heard, level, seconds, given["at"])
                writer.writerow([*whole, *answer])
    return path
