"""Answers to a study: read from files, checked against its key, and which listeners count.

The exclusion rule was written before there were any answers. It uses only trials whose answer is
known, never those that are scored.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from mondegreen.errors import MondegreenError, reason
from mondegreen.listening.key import KEY, KINDS, Choice, StudyKey, Trial, problem
from mondegreen.listening.staircase import LOUDEST, LOWEST
from mondegreen.reading import in_full, is_folder, read_bytes
from mondegreen.report.numbers.summary_text import one_line
from mondegreen.wording import number_of

LARGEST: Final = 2**24  # bytes of a file
ANSWERS: Final = "answers"  # the folder of a study with its answers
COLUMNS: Final = ("study", "protocol", "listener", "form", "headphones")  # of a CSV's sessions
GUARDED: Final = re.compile(r"^'(?=\s*[-=+@\uff1d\uff0b\uff0d\uff20])")  # against formulas


@dataclass(frozen=True)
class TrialAnswer:
    """The answer to a trial; `seconds` is how long it took.

    Only ABX has `heard_difference`, and only trials of a track a `level`, in dB.
    """

    trial: str
    answer: Choice
    heard_difference: bool | None = None
    level: Annotated[float, Field(ge=LOWEST, le=LOUDEST, allow_inf_nan=False)] | None = None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    at: str | None = None


@dataclass(frozen=True)
class HeadphoneCheck:
    """The result of the headphone check."""

    passed: bool


@dataclass(frozen=True)
class Session:
    """One sitting of one listener, as its file describes it; see `mondegreen.listening`."""

    study: str
    protocol: str
    listener: str
    form: int
    answers: tuple[TrialAnswer, ...]
    started: str | None = None  # by the browser's clock; in a CSV, when the first answer was given
    headphones: HeadphoneCheck | None = None  # None: there was no check

    @cached_property
    def by_trial(self) -> Mapping[str, TrialAnswer]:
        """The answers by the ids of their trials."""
        return {answer.trial: answer for answer in self.answers}

    @property
    def name(self) -> str:
        """The listener's name, on one line."""
        return one_line(self.listener) or "(no name)"

    @property
    def wears_headphones(self) -> bool | None:
        """Whether the headphone check was passed; None: there was none."""
        return self.headphones.passed if self.headphones else None


_SESSION: Final = TypeAdapter(Session)


class _FileError(MondegreenError):
    """A file that does not contain answers to the study: what is wrong, and what to do."""

    def __init__(self, wrong: str, advice: str) -> None:
        super().__init__(f"{wrong} {advice}")
        self.wrong, self.advice = wrong, advice


def read_answers(paths: Sequence[Path], key: StudyKey) -> list[Session]:
    """Read answers to a study from files, and from folders of files or of studies.

    Raises:
        MondegreenError: files are missing, damaged or do not fit the study; it names all of them.
    """
    files, sessions, errors = _files(paths), list[Session](), list[_FileError]()
    for path in files:
        try:
            sessions += _read(path, key)
        except _FileError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        lines = [f"{len(errors)} of {number_of(len(files), 'file')} cannot be scored:"]
        advice = dict.fromkeys(error.advice for error in errors)  # each once
        raise MondegreenError("\n".join([*lines, *(error.wrong for error in errors), *advice]))
    if not sessions:
        raise MondegreenError(
            f"there are no answers in {', '.join(map(str, paths))}. Expected listeners' .json or"
            f" .csv files, or a study's folder with such files in its {ANSWERS}/."
        )
    return sessions


def _files(paths: Iterable[Path]) -> list[Path]:
    """The files that paths stand for, each once."""
    files: dict[Path, Path] = {}
    for path in paths:
        inside = [path]
        if is_folder(path):
            home = path / ANSWERS if is_folder(path / ANSWERS) else path
            inside = [
                file
                for file in sorted(home.glob("[!.]*"))
                if file.suffix.lower() in (".json", ".csv") and file.name != KEY
            ]
        files |= {in_full(file): file for file in inside}
    return list(files.values())


def _read(path: Path, key: StudyKey) -> list[Session]:
    """The sessions in a file.

    Raises:
        _FileError: it cannot be read, or a session does not fit the study.
    """
    try:
        content = read_bytes(path, LARGEST)
        if path.suffix.lower() == ".csv":
            sessions = list(_from_csv(content))
        else:
            sessions = [_SESSION.validate_json(content, strict=True)]
    except OSError as error:
        raise _FileError(
            f"{path} cannot be read ({reason(error)}).", "Expected a file or a folder of answers."
        ) from error
    except (ValueError, csv.Error) as error:
        raise _FileError(
            f"{path} does not contain readable answers ({problem(error)}).",
            "Expected what the listening page sends or saves; ask for the file again, or move it"
            " away to score the others.",
        ) from error
    for session in sessions:
        if wrong := _misfit(session, key):
            raise _FileError(
                f"{path}: {session.name}, form {session.form}: {wrong}.",
                "Score answers with the key of the page that collected them (was the study made"
                " again in the same folder?), or move the file away.",
            )
    return sessions


def _from_csv(content: bytes) -> Iterator[Session]:
    """The sessions in a table: the rows of one listener and form are one session."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    expected = (*COLUMNS, *(field.name for field in fields(TrialAnswer)))
    if missing := [name for name in expected if name not in (rows.fieldnames or ())]:
        raise ValueError(f"there is no column {missing[0]}; commas separate columns")
    sessions: defaultdict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        if None in row or None in row.values():
            raise ValueError(
                f"line {rows.line_num} does not have as many cells as there are columns"
            )
        answer = {name: cell for name, cell in row.items() if cell}
        sessions[tuple(row[name] for name in COLUMNS)].append(answer)
    for (study, protocol, listener, form, check), answers in sessions.items():
        passed = {"passed": True, "failed": False}.get(check, check)
        session = {
            "study": study,
            "protocol": protocol,
            "listener": GUARDED.sub("", listener),
            "form": form,
            "answers": answers,
            "started": min((answer["at"] for answer in answers if "at" in answer), default=None),
            "headphones": {"passed": passed} if check else None,
        }
        yield _SESSION.validate_python(session)


def _misfit(session: Session, key: StudyKey) -> str | None:
    """Why the answers of a session do not fit the study; None if they do."""
    if (session.study, session.protocol) != (key.study, key.protocol):
        answered = f"{one_line(session.protocol)} study {one_line(session.study)}"
        return f"it answers the {answered}, but the key is of the {key.protocol} study {key.study}"
    if not 0 <= session.form < len(key.forms):
        return f"the study has forms 0 to {len(key.forms) - 1}"
    form = {trial.id: trial for trial in key.forms[session.form]}
    counts = Counter(answer.trial for answer in session.answers)
    for answer in session.answers:
        name = one_line(answer.trial)
        if answer.trial not in form:
            elsewhere = any(trial.id == answer.trial for other in key.forms for trial in other)
            return f"trial {name} belongs to {'another form' if elsewhere else 'no form'}"
        if counts[answer.trial] > 1:
            return f"trial {name} is answered twice"
        kind = form[answer.trial].kind
        choices = KINDS[kind].choices
        if answer.answer not in choices:
            return f"trial {name} ({kind}) takes {' or '.join(choices)}, not {answer.answer}"
        if answer.heard_difference is not None and kind != "abx":
            return f"trial {name} ({kind}) does not ask whether a difference is heard"
        if (answer.level is None) != (form[answer.trial].track is None):
            wrong = "takes no level" if answer.level is not None else "lacks its level"
            return f"trial {name} ({kind}) {wrong}"
    return None


# ---- who counts

OBVIOUS_RIGHT: Final = 3 / 4  # of the obvious trials, at least
SAME_HEARD: Final = 1 / 2  # of the identical pairs, at most
RULE: Final = (
    "One session per listener counts: the first complete one, by starting time. A session is"
    " excluded if a trial of its form has no answer (training aside), if fewer than three of four"
    " trials with an obvious difference are right, if a difference is claimed in more than half of"
    " the identical pairs, or if the headphone check was made and not passed."
)


@dataclass(frozen=True)
class CatchResult:
    """How many of the catch trials that a listener answered are right."""

    obvious_right: int
    obvious_of: int
    same_right: int
    same_of: int


@dataclass(frozen=True)
class Judged:
    """A session, its catch trials, and why it is excluded: it counts if there are no reasons."""

    session: Session
    caught: CatchResult
    reasons: tuple[str, ...]


def one_each(sessions: Iterable[Session], key: StudyKey) -> tuple[list[Session], list[Session]]:
    """One session for each listener, and the repeated ones.

    Listeners with the same name are the same; every session without a name is another listener.
    """
    by_listener: defaultdict[object, list[Session]] = defaultdict(list)
    for number, session in enumerate(sessions):
        by_listener[session.listener or number].append(session)
    ordered = [
        sorted(theirs, key=lambda s: (bool(_unanswered(s, key)), s.started is None, s.started))
        for theirs in by_listener.values()
    ]
    return [first for first, *_ in ordered], [one for _, *others in ordered for one in others]


def judge(session: Session, key: StudyKey) -> Judged:
    """Whether a session counts."""
    caught, reasons = _caught(session, key), []
    if missing := len(_unanswered(session, key)):
        trials = sum(trial.role != "training" for trial in key.forms[session.form])
        reasons.append(f"incomplete: {trials - missing} of {trials} trials answered")
    if caught.obvious_right < OBVIOUS_RIGHT * caught.obvious_of:
        reasons.append(f"right in {caught.obvious_right} of {caught.obvious_of} obvious trials")
    heard = caught.same_of - caught.same_right
    if heard > SAME_HEARD * caught.same_of:
        reasons.append(f"claimed a difference in {heard} of {caught.same_of} identical pairs")
    if session.wears_headphones is False:
        reasons.append("did not pass the headphone check")
    return Judged(session, caught, tuple(reasons))


def _unanswered(session: Session, key: StudyKey) -> list[Trial]:
    form = key.forms[session.form]
    return [t for t in form if t.role != "training" and t.id not in session.by_trial]


def _caught(session: Session, key: StudyKey) -> CatchResult:
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for trial in key.forms[session.form]:
        if answer := session.by_trial.get(trial.id):
            if trial.correct is not None:
                right[trial.role].append(answer.answer == trial.correct)
            elif trial.kind == "abx":  # A, B and X are the same
                right[trial.role].append(not answer.heard_difference)
    obvious, same = right["catch obvious"], right["catch same"]
    return CatchResult(sum(obvious), len(obvious), sum(same), len(same))
