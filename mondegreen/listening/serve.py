"""A server for a study on this machine, at the loopback address only.

It serves the page and its sounds and nothing else, and stores only answers that fit the study.
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
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from mondegreen.errors import MondegreenError, OptionError, StorageError, reason
from mondegreen.files import write_whole
from mondegreen.listening.answers import ANSWERS, Session, read_answers
from mondegreen.listening.key import KEY, StudyKey, read_key
from mondegreen.listening.make import AUDIO, INDEX, PAGE
from mondegreen.reading import is_file, is_there, read_bytes
from mondegreen.report.numbers.summary_text import one_line

HOST: Final = "127.0.0.1"
POST_TO: Final = "answers"
NOT_STORED: Final = "The answers were not stored."
LARGEST: Final = 1_000_000  # bytes of a session; a hundred answers take about ten thousand
SOUND: Final = re.compile(rf"/{AUDIO}/([0-9a-f]{{16}}\.js)")
CHANGES: Final = (  # the page in the folder sends nothing; the one that is served may
    ("connect-src &#39;none&#39;", "connect-src &#39;self&#39;"),
    ('data-answers=""', f'data-answers="{POST_TO}"'),
)
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Log = Callable[[str], None]  # takes a line about what happened


class Site:
    """The folder of a study, as the server uses it.

    Raises:
        MondegreenError: there is no study in the folder, or it is damaged.
    """

    def __init__(self, folder: Path, log: Log) -> None:
        self.log = log
        self.key = read_key(folder / KEY)
        self.page = _sending(folder / PAGE / INDEX, self.key)
        self._audio = folder / PAGE / AUDIO
        self._answers = folder / ANSWERS
        try:
            self._answers.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{self._answers} could not be made: {reason(error)}. Answers are stored there;"
                " allow it."
            ) from error
        self._lock = Lock()
        self._forms: dict[str, int] = {}  # by listener
        for path in sorted(self._answers.glob("[!.]*")):
            with suppress(MondegreenError):  # `listen score` reports damaged files
                sessions = read_answers([path], self.key)
                self._forms |= {session.listener: session.form for session in sessions}

    def sound(self, path: str) -> bytes | None:
        """The script of a sound; None if there is none at this path."""
        match = SOUND.fullmatch(path)
        file = self._audio / match[1] if match else None
        return read_bytes(file) if file and is_file(file) else None

    def form(self, listener: str) -> int:
        """The form that the fewest listeners have; one who comes back gets the same form."""
        with self._lock:
            used = Counter(self._forms.values())
            least = min(range(len(self.key.forms)), key=used.__getitem__)
            return self._forms.setdefault(listener, least)

    def store(self, content: bytes) -> Session:
        """Store the answers of a session; they replace earlier ones unless those are more.

        Raises:
            MondegreenError: they are not answers to the study, or cannot be written.
        """
        arrived = self._answers / f".{secrets.token_hex(8)}.json"
        write_whole(arrived, content)
        try:
            (session,) = read_answers([arrived], self.key)
            identity = json.dumps([session.listener, session.form, session.started])
            name = hashlib.sha256(identity.encode()).hexdigest()[:32]
            stored = self._answers / f"{name}.json"
            with self._lock:
                earlier = self._earlier(stored)
                if all(len(session.answers) >= len(one.answers) for one in earlier):
                    arrived.replace(stored)
        finally:
            arrived.unlink(missing_ok=True)
        return session

    def _earlier(self, stored: Path) -> list[Session]:
        """The answers that are stored already; damaged ones are set aside, and it is said where."""
        if not is_there(stored):
            return []
        try:
            return read_answers([stored], self.key)
        except MondegreenError as error:
            aside = stored.with_name(f"{stored.name}.damaged-{secrets.token_hex(4)}")
            try:
                stored.rename(aside)
            except OSError as refused:
                raise StorageError(
                    f"{stored} could not be moved aside: {reason(refused)}"
                ) from error
            self.log(f"{one_line(str(error))} Moved to {aside.name}, for the answers that came.")
            return []


def _sending(index: Path, key: StudyKey) -> bytes:
    """The page, changed so that it sends answers to the server that it came from."""
    try:
        page = read_bytes(index).decode()
        if not all(part in page for part in (key.study, *dict(CHANGES))):
            raise ValueError(f"it is not the page of the study {key.study}")
    except (OSError, ValueError) as error:
        raise MondegreenError(
            f"{index} cannot be served ({reason(error)}). Expected the page that `mondegreen listen"
            f" make` wrote with this {KEY}; make the study again."
        ) from error
    for old, new in CHANGES:
        page = page.replace(old, new, 1)
    return page.encode()


class _HttpError(Exception):
    """A request that is refused: the status, and why."""


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: _Server
    timeout = 30  # seconds that a connection may be idle
    server_version, sys_version = "mondegreen", ""

    def do_GET(self) -> None:
        """Serve the page or a sound."""
        self._respond(self._get)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """Store answers."""
        self._respond(self._post)

    def _respond(self, act: Callable[[], None]) -> None:
        try:
            self._check_origin()
            act()
        except _HttpError as error:
            status, why = error.args
            self._send(status, "text/plain", f"{status.phrase}. {why}\n".encode())

    def _check_origin(self) -> None:
        """Refuse other host names and origins: DNS rebinding, or another site's page."""
        port = self.server.server_port
        names = (f"{HOST}:{port}", f"localhost:{port}")
        host, origin = self.headers.get("Host"), self.headers.get("Origin")
        if host not in names or (origin is not None and origin != f"http://{host}"):
            raise _HttpError(HTTPStatus.FORBIDDEN, f"This server is http://{names[0]}/ only.")

    def _get(self) -> None:
        address = urlsplit(self.path)
        if address.path in ("/", f"/{INDEX}"):
            self._get_page(dict(parse_qsl(address.query, keep_blank_values=True)))
        elif address.path == "/favicon.ico":  # browsers request it, whatever the page says
            self._send(HTTPStatus.NO_CONTENT, "text/plain")
        elif sound := self.server.site.sound(address.path):
            self._send(HTTPStatus.OK, "text/javascript; charset=utf-8", sound)
        else:
            raise _HttpError(HTTPStatus.NOT_FOUND, "")

    def _get_page(self, query: dict[str, str]) -> None:
        if "form" in query:
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.server.site.page)
            return
        listener = query.get("listener") or query.get("PROLIFIC_PID")
        if not listener:  # a new name each time, so that many listeners can share one browser
            query["listener"] = listener = secrets.token_hex(4)
        where = urlencode({**query, "form": self.server.site.form(listener)})
        self._send(HTTPStatus.SEE_OTHER, "text/plain", Location=f"/?{where}")

    def _post(self) -> None:
        if self.path != f"/{POST_TO}":
            raise _HttpError(HTTPStatus.NOT_FOUND, "")
        if self.headers.get_content_type() != "application/json":
            raise _HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send answers as application/json.")
        body = self._body()
        try:
            session = self.server.site.store(body)
        except StorageError as error:
            self.server.log(one_line(str(error)))
            raise _HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, NOT_STORED) from error
        except MondegreenError as error:
            raise _HttpError(HTTPStatus.BAD_REQUEST, NOT_STORED) from error
        trials = len(self.server.site.key.forms[session.form])
        self.server.log(f"{session.name}: {len(session.answers)} of {trials} answers")
        self._send(HTTPStatus.NO_CONTENT, "text/plain")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,12}", length):
            raise _HttpError(HTTPStatus.LENGTH_REQUIRED, "")
        if int(length) > LARGEST:
            raise _HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "")
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise _HttpError(HTTPStatus.BAD_REQUEST, "The answers are cut short.")
        return body

    def _send(self, status: HTTPStatus, kind: str, content: bytes = b"", **more: str) -> None:
        self.send_response(status)
        about = {"Content-Type": kind, "Content-Length": str(len(content))}
        for name, value in (HEADERS | about | more).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing: addresses contain listeners' names."""


class _Server(ThreadingHTTPServer):
    """A server with a thread for each connection; a connection that is closed is not an error."""

    def __init__(self, port: int, site: Site, log: Log) -> None:
        self.site, self.log = site, log
        super().__init__((HOST, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report errors of the server itself on stderr."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def make_server(folder: Path, port: int, log: Log) -> ThreadingHTTPServer:
    """A server for a study at a port, 0 for any free one; `serve_forever` starts it.

    Raises:
        MondegreenError: the folder does not contain a study, or the port is in use.
    """
    site = Site(folder, log)
    try:
        return _Server(port, site, log)
    except OSError as error:
        raise OptionError(
            f"port {port} cannot be used ({reason(error)}). Choose another one with --port."
        ) from error
