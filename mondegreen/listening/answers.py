"""Answers to a study: read from files, checked against its key, and whose of them count.

The rule of exclusion was written before there were any answers. It looks only at trials with a
known answer, never at those that are scored.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from mondegreen.errors import MondegreenError, reason
from mondegreen.listening.study import CHOICES, KEY, Choice, FromFile, Study, Trial, first_problem
from mondegreen.report.numbers.summary_text import one_line

ANSWERS: Final = "answers"  # the folder of a study that they lie in
COLUMNS: Final = (
    *("study", "protocol", "listener", "form", "headphones"),
    *("trial", "answer", "heard_difference", "seconds", "at"),
)
GUARDED: Final = re.compile(r"^'(?=\s*[-=+@\uff1d\uff0b\uff0d\uff20])")
PASSED: Final[Mapping[str, bool | None]] = MappingProxyType(
    {"passed": True, "failed": False, "": None}
)


class Answer(FromFile):
    """One answer; `heard_difference` is asked in ABX only, `seconds` is how long it took."""

    trial: str
    answer: Choice
    heard_difference: bool | None = None
    seconds: float | None = Field(None, ge=0)
    at: str | None = None


class Headphones(FromFile):
    """What came of the check whether the listener wears headphones."""

    passed: bool


class _Saved(FromFile):
    """A session as its JSON file has it."""

    study: str
    protocol: Literal["abx", "paper"]
    listener: str
    form: int
    started: str | None = None
    headphones: Headphones | None = None
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Session:
    """One sitting of one listener, seen to be of the study.

    Attributes:
        listener: whatever he calls himself.
        form: its number.
        started: as his browser's clock had it; of a CSV, when the first answer was given.
        headphones: whether the check was passed; None: it was not made.
        answers: by trial, in the order given.
        source: the file.
    """

    listener: str
    form: int
    started: str | None
    headphones: bool | None
    answers: Mapping[str, Answer]
    source: Path


def read_answers(paths: Sequence[Path], study: Study) -> list[Session]:
    """Read answers to a study.

    Args:
        paths: files, and folders of files; of the folder of a study, its `answers/`.
        study: what they answer.

    Raises:
        MondegreenError: files are not there, are damaged, or answer something else: all of them
            are named.
    """
    files, sessions, refused = _files(paths), list[Session](), list[_RefusedError]()
    for path in files:
        try:
            sessions += _sessions(path, study)
        except _RefusedError as error:
            refused.append(error)
    if refused:
        raise _told(refused, len(files))
    if not sessions:
        raise MondegreenError(
            f"there are no answers in {', '.join(map(str, paths))}. Expected .json or .csv files of"
            f" listeners, or a study's folder with such files in its {ANSWERS}/."
        )
    return sessions


class _RefusedError(MondegreenError):
    """A file is none of answers to the study: what is wrong with it, and what to do."""

    def __init__(self, wrong: str, advice: str) -> None:
        super().__init__(f"{wrong} {advice}")
        self.wrong, self.advice = wrong, advice


def _told(refused: Sequence[_RefusedError], files: int) -> MondegreenError:
    """All files that are refused in one error, a line each; what to do is said once."""
    if len(refused) == 1:
        return refused[0]
    lines = [f"{len(refused)} of {files} files cannot be scored:", *(e.wrong for e in refused)]
    return MondegreenError("\n".join([*lines, *dict.fromkeys(e.advice for e in refused)]))


def _files(paths: Iterable[Path]) -> list[Path]:
    """The files meant, once each."""
    files: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            home = path / ANSWERS if (path / ANSWERS).is_dir() else path
            inside = (
                p for p in sorted(home.glob("[!.]*")) if p.suffix.lower() in (".json", ".csv")
            )
            files |= {p.resolve(): p for p in inside if p.is_file() and p.name != KEY}
        else:
            files[path.resolve()] = path
    return list(files.values())


def _sessions(path: Path, study: Study) -> Iterator[Session]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _RefusedError(
            f"{path} cannot be read ({error.strerror or error}).",
            "Expected a file of answers, or a folder of them.",
        ) from error
    read = _from_csv if path.suffix.lower() == ".csv" else _from_json
    try:
        for saved in read(content):
            yield _session(path, saved, study)
    except (ValueError, csv.Error) as error:  # pydantic's errors are such, and those of UTF-8
        problem = first_problem(error) if isinstance(error, ValidationError) else reason(error)
        raise _RefusedError(
            f"{path} holds no answers that can be read ({one_line(problem)}).",
            "Expected what the listening page sends or saves; ask for the file again, or move it"
            " away to score the others.",
        ) from error


def _from_json(content: bytes) -> Iterator[_Saved]:
    yield _Saved.model_validate_json(content)


def _from_csv(content: bytes) -> Iterator[_Saved]:
    """The sessions of a table; rows of one listener and one form are one."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
        raise ValueError(f"there is no column {missing[0]}; columns are separated by commas")
    grouped: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if None in row or None in row.values():
            raise ValueError(f"line {rows.line_num} has not as many cells as there are columns")
        grouped[tuple(row[name] for name in COLUMNS[:5])].append(row)
    for (*names, headphones), answers in grouped.items():
        yield _saved(dict(zip(COLUMNS, names, strict=False)), headphones, answers)


def _saved(of: dict[str, str], headphones: str, rows: Sequence[Mapping[str, str | None]]) -> _Saved:
    if headphones not in PASSED:
        raise ValueError(f"headphones is {headphones!r}, not one of {', '.join(PASSED)}")
    if not of["form"].isdecimal():
        raise ValueError(f"form is {of['form']!r:.60}, not a number")
    passed = PASSED[headphones]
    known = ({name: cell for name, cell in row.items() if cell} for row in rows)
    answers = tuple(Answer.model_validate_strings(row) for row in known)
    return _Saved.model_validate(
        {
            **of,
            "listener": GUARDED.sub("", of["listener"]),
            "form": int(of["form"]),
            "started": min((answer.at for answer in answers if answer.at), default=None),
            "headphones": None if passed is None else Headphones(passed=passed),
            "answers": answers,
        }
    )


def _session(path: Path, saved: _Saved, study: Study) -> Session:
    """A session that is of the study.

    Raises:
        _RefusedError: it is of another study, or answers what it was not asked.
    """
    who = f"{path}: {one_line(saved.listener) or 'a listener without a name'}"
    if (saved.study, saved.protocol) != (study.id, study.protocol):
        raise _RefusedError(
            f"{path} answers the {saved.protocol} study {one_line(saved.study)}, and the key is of"
            f" the {study.protocol} study {study.id}.",
            f"Score each study with its own {KEY}.",
        )
    if not 0 <= saved.form < len(study.forms):
        raise _RefusedError(
            f"{who} answers form {saved.form}, and the study has forms 0 to"
            f" {len(study.forms) - 1}.",
            _ELSEWHERE,
        )
    answers: dict[str, Answer] = {}
    form = {trial.id: trial for trial in study.forms[saved.form]}
    known = {trial.id for trials in study.forms for trial in trials}
    for answer in saved.answers:
        if problem := _misfit(answer, form, known, answers):
            raise _RefusedError(f"{who}, form {saved.form}: {problem}", _ELSEWHERE)
        answers[answer.trial] = answer
    passed = saved.headphones.passed if saved.headphones else None
    return Session(saved.listener, saved.form, saved.started, passed, answers, path)


_ELSEWHERE: Final = (
    "Was the file edited, or was the study made again in the same folder? Score answers with the"
    " key that the listener's page was made with, or move the file away."
)


def _misfit(
    answer: Answer, form: Mapping[str, Trial], known: Iterable[str], before: Iterable[str]
) -> str | None:
    """Why an answer is none to its form, in a sentence."""
    name = one_line(answer.trial)
    if answer.trial in before:
        return f"trial {name} is answered twice, and once is expected."
    if answer.trial not in form:
        if answer.trial in known:
            return f"trial {name} is one of another form."
        return f"trial {name} is not one of the study."
    kind = form[answer.trial].kind
    if answer.answer not in CHOICES[kind]:
        return f"trial {name} ({kind}) takes {' or '.join(CHOICES[kind])}, not {answer.answer}."
    if answer.heard_difference is not None and kind != "abx":
        return f"trial {name} ({kind}) does not ask whether a difference is heard."
    return None


OBVIOUS_RIGHT: Final = 3 / 4  # of the obvious trials, at least
SAME_HEARD: Final = 1 / 2  # of the identical pairs, at most
RULE: Final = (
    "One session of a listener counts: the first that is complete, in the order of their start.",
    "Left out is who did not answer every trial of the form (training aside),",
    "who was right in fewer than three of four trials with an obvious difference,",
    "who claimed a difference in more than half of the identical pairs,",
    "or who did not pass the headphone check, where it was made.",
)


@dataclass(frozen=True)
class Caught:
    """How a listener did in the catch trials that he answered: `right` of `of`."""

    obvious_right: int
    obvious_of: int
    same_right: int
    same_of: int


@dataclass(frozen=True)
class Judged:
    """A session, and why it is left out; it counts where there is no reason."""

    session: Session
    caught: Caught
    reasons: tuple[str, ...]


def one_each(sessions: Iterable[Session], study: Study) -> tuple[list[Session], list[Session]]:
    """The sessions that stand for their listeners, and those that repeat one.

    Listeners are the same who call themselves the same. Who gives no name is always another.
    """
    by_listener: defaultdict[object, list[Session]] = defaultdict(list)
    for session in sessions:
        by_listener[session.listener or (session.source, session.form)].append(session)
    chosen, repeated = [], []
    for theirs in by_listener.values():
        first, *others = sorted(theirs, key=lambda session: _order(session, study))
        chosen.append(first)
        repeated += others
    return chosen, repeated


def judge(session: Session, study: Study) -> Judged:
    """Whether a session counts."""
    caught = _caught(session, study)
    return Judged(session, caught, tuple(_reasons(session, study, caught)))


def _order(session: Session, study: Study) -> tuple[bool, bool, str]:
    return bool(_unanswered(session, study)), session.started is None, session.started or ""


def _unanswered(session: Session, study: Study) -> list[Trial]:
    form = study.forms[session.form]
    return [t for t in form if t.role != "training" and t.id not in session.answers]


def _reasons(session: Session, study: Study, caught: Caught) -> Iterator[str]:
    if missing := len(_unanswered(session, study)):
        asked = sum(trial.role != "training" for trial in study.forms[session.form])
        yield f"incomplete: {asked - missing} of {asked} trials answered"
    if caught.obvious_right < OBVIOUS_RIGHT * caught.obvious_of:
        yield f"right in {caught.obvious_right} of {caught.obvious_of} obvious trials"
    heard = caught.same_of - caught.same_right
    if heard > SAME_HEARD * caught.same_of:
        yield f"claimed a difference in {heard} of {caught.same_of} identical pairs"
    if session.headphones is False:
        yield "did not pass the headphone check"


def _caught(session: Session, study: Study) -> Caught:
    seen: dict[str, list[bool]] = {"catch obvious": [], "catch same": []}
    for trial in study.forms[session.form]:
        answer = session.answers.get(trial.id)
        if trial.role in seen and answer is not None:
            seen[trial.role] += _right(trial, answer)
    obvious, same = seen.values()
    return Caught(sum(obvious), len(obvious), sum(same), len(same))


def _right(trial: Trial, answer: Answer) -> Sequence[bool]:
    """Whether a catch trial was answered as it had to be; nothing where no answer is wrong."""
    if trial.role == "catch same" and trial.kind == "abx":
        return [not answer.heard_difference]  # which of the two it is cannot be told
    return [] if trial.correct is None else [answer.answer == trial.correct]
