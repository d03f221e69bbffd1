"""A study's folder as its server sees it: the page, the sounds, and the answers that fit.

Nothing but the page and its sounds is read, nothing but answers to the study is written, and their
files are called by a hash: what a listener sends is never a name. The key is not handed out.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import Counter
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from mondegreen.errors import MondegreenError, reason
from mondegreen.files import write_whole
from mondegreen.listening.answers import ANSWERS, Session, read_answers
from mondegreen.listening.make import AUDIO, INDEX, PAGE
from mondegreen.listening.study import KEY, Study, read_study

POST_TO: Final = "answers"
SOUND: Final = re.compile(rf"/{AUDIO}/([0-9a-f]{{16}}\.js)")
CHANGES: Final = (  # the page as it lies there sends nothing; the one that is served may
    ("connect-src &#39;none&#39;", "connect-src &#39;self&#39;"),
    ('data-answers=""', f'data-answers="{POST_TO}"'),
)


class Site:
    """A study's folder, as the server sees it.

    Args:
        folder: that `mondegreen.listening.make.make` has filled.

    Raises:
        MondegreenError: it is no such folder, or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.study: Study = read_study(folder / KEY)
        self.page = _sending(folder / PAGE / INDEX, self.study)
        self._audio = folder / PAGE / AUDIO
        self._answers = folder / ANSWERS
        self._answers.mkdir(exist_ok=True)
        self._lock = Lock()
        self._used: Counter[int] = Counter()
        self._forms: dict[str, int] = {}  # by listener
        for path in sorted(self._answers.glob("[!.]*")):
            with suppress(MondegreenError):  # not for the server to judge
                for session in read_answers([path], self.study):
                    self._take(session.listener, session.form)

    def sound(self, path: str) -> bytes | None:
        """The script of a sound; None: there is none of that path."""
        named = SOUND.fullmatch(path)
        file = self._audio / named[1] if named else None
        return file.read_bytes() if file and file.is_file() else None

    def form(self, listener: str) -> int:
        """The form that fewest have had; a listener who comes back has the same."""
        with self._lock:
            if listener in self._forms:
                return self._forms[listener]
            number = min(range(len(self.study.forms)), key=lambda form: self._used[form])
            self._take(listener, number)
            return number

    def _take(self, listener: str, form: int) -> None:
        self._used[form] += 1
        self._forms[listener] = form

    def keep(self, content: bytes) -> Session:
        """Keep a session's answers in place of earlier ones, unless those are more.

        Raises:
            MondegreenError: they are no answers to the study, or cannot be written.
        """
        arrived = self._answers / f".{secrets.token_hex(8)}.json"
        write_whole(arrived, content)
        try:
            (session,) = read_answers([arrived], self.study)
            kept = self._answers / f"{_name(session)}.json"
            with self._lock:
                if not kept.exists() or len(session.answers) >= self._count(kept):
                    arrived.replace(kept)
        finally:
            arrived.unlink(missing_ok=True)
        return session

    def _count(self, kept: Path) -> int:
        (session,) = read_answers([kept], self.study)
        return len(session.answers)


def _name(session: Session) -> str:
    what = json.dumps([session.listener, session.form, session.started])
    return hashlib.sha256(what.encode()).hexdigest()[:32]


def _sending(index: Path, study: Study) -> bytes:
    """The page, changed so that it sends answers to where it came from."""
    try:
        page = index.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise MondegreenError(
            f"{index} cannot be read ({reason(error)}). Expected the folder of a study that"
            " `mondegreen listen make` made."
        ) from error
    if study.id not in page or not all(there in page for there, _ in CHANGES):
        raise MondegreenError(
            f"{index} is not the page of the study {study.id}. Expected page and {KEY} as"
            " `mondegreen listen make` made them; make the study again."
        )
    for there, instead in CHANGES:
        page = page.replace(there, instead, 1)
    return page.encode()
