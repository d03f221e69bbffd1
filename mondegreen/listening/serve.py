"""A server for a study on this machine, at the loopback address alone.

It reads nothing but the page and its sounds, and writes nothing but answers that fit the study.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from mondegreen.errors import MondegreenError, OptionError, StorageError, reason
from mondegreen.files import write_whole
from mondegreen.listening.answers import ANSWERS, Session, read_answers
from mondegreen.listening.make import AUDIO, INDEX, PAGE
from mondegreen.listening.study import KEY, Study, read_study
from mondegreen.report.numbers.summary_text import one_line

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


HOST: Final = "127.0.0.1"
LARGEST: Final = 1_000_000  # bytes of a session's answers; a hundred of them take some ten thousand
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Told = Callable[[str], None]  # a line of what has happened


class _RefusedError(Exception):
    """A request that is not answered as it wished."""

    def __init__(self, status: HTTPStatus, why: str = "") -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: ThreadingHTTPServer
    site: ClassVar[Site]
    told: ClassVar[Told]
    timeout = 30  # seconds for which a connection may keep quiet
    server_version, sys_version = "mondegreen", ""

    def do_GET(self) -> None:
        """Hand out the page or a sound."""
        self._answer(self._get)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """Take answers."""
        self._answer(self._post)

    def _answer(self, act: Callable[[], None]) -> None:
        try:
            self._check_names()
            act()
        except _RefusedError as refused:
            text = f"{refused.status.phrase}. {refused}\n"
            self._send(refused.status, "text/plain", text.encode())

    def _check_names(self) -> None:
        """Refuse who came by another name, as a stranger's page does that was pointed here."""
        port = self.server.server_port
        names = (f"{HOST}:{port}", f"localhost:{port}")
        host, origin = self.headers.get("Host"), self.headers.get("Origin")
        if host not in names or (origin is not None and origin != f"http://{host}"):
            raise _RefusedError(HTTPStatus.FORBIDDEN, f"This server is http://{names[0]}/ alone.")

    def _get(self) -> None:
        asked = urlsplit(self.path)
        if asked.path in ("/", f"/{INDEX}"):
            self._get_page(dict(parse_qsl(asked.query, keep_blank_values=True)))
            return
        if asked.path == "/favicon.ico":  # which browsers ask for, whatever a page says
            self._send(HTTPStatus.NO_CONTENT, "text/plain", b"")
            return
        sound = self.site.sound(asked.path)
        if sound is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND)
        self._send(HTTPStatus.OK, "text/javascript; charset=utf-8", sound)

    def _get_page(self, query: dict[str, str]) -> None:
        if "form" in query:
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.site.page)
            return
        listener = query.get("listener") or query.get("PROLIFIC_PID")
        if not listener:  # another each time, so that many can take it in one browser
            query["listener"] = listener = secrets.token_hex(4)
        where = urlencode({**query, "form": self.site.form(listener)})
        self._send(HTTPStatus.SEE_OTHER, "text/plain", b"", Location=f"/?{where}")

    def _post(self) -> None:
        if self.path != f"/{POST_TO}":
            raise _RefusedError(HTTPStatus.NOT_FOUND)
        if self.headers.get_content_type() != "application/json":
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Answers are application/json.")
        try:
            session = self.site.keep(self._body())
        except MondegreenError as error:
            ours = isinstance(error, StorageError)
            if ours:
                type(self).told(one_line(str(error)))
            status = HTTPStatus.INTERNAL_SERVER_ERROR if ours else HTTPStatus.BAD_REQUEST
            raise _RefusedError(status, "The answers were not kept.") from error
        trials = len(self.site.study.forms[session.form])
        who = one_line(session.listener) or "(no name)"
        type(self).told(f"{who}: {len(session.answers)} of {trials} answers")
        self._send(HTTPStatus.NO_CONTENT, "text/plain", b"")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,12}", length):
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED)
        if int(length) > LARGEST:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "The answers are cut short.")
        return body

    def _send(self, status: HTTPStatus, kind: str, content: bytes, **more: str) -> None:
        self.send_response(status)
        length = str(len(content))
        for name, value in {
            **HEADERS,
            "Content-Type": kind,
            "Content-Length": length,
            **more,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: addresses hold listeners' names."""


class _Server(ThreadingHTTPServer):
    """A thread for each connection; who hangs up is no news."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of what went wrong here, on stderr."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def make_server(folder: Path, port: int, told: Told) -> ThreadingHTTPServer:
    """A server for a study; `serve_forever` starts it.

    Args:
        folder: of the study.
        port: on the loopback interface; 0: any that is free.
        told: is called when answers have been kept, or could not be.

    Raises:
        MondegreenError: the folder holds no study, or the port is in use.
    """
    handler = type("Handler", (_Handler,), {"site": Site(folder), "told": staticmethod(told)})
    try:
        return _Server((HOST, port), handler)
    except OSError as error:
        raise OptionError(
            f"port {port} cannot be listened at ({error.strerror or error}). Choose another by"
            " --port."
        ) from error
