"""The server: the page, its sounds, answers that fit, and nothing else."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from listening_runs import listened

from mondegreen.errors import MondegreenError
from mondegreen.listening.answers import read_answers
from mondegreen.listening.key import read_key
from mondegreen.listening.make import StudyOptions, make
from mondegreen.listening.serve import LARGEST, Site, make_server

JSON = {"Content-Type": "application/json"}


@dataclass
class Client:
    """A client of the server."""

    port: int
    log: list[str] = field(default_factory=list)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer; header names are in the form content_type."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host="Host" in named)
        if body is not None and "Content-Length" not in named:
            named["Content-Length"] = str(len(body))
        for name, value in named.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        found = response.status, dict(response.getheaders()), response.read()
        connection.close()
        return found

    def post(self, answers: object, **headers: str) -> int:
        body = answers if isinstance(answers, bytes) else json.dumps(answers).encode()
        return self.ask(
            "POST", "/answers", body, **{"Content_Type": "application/json", **headers}
        )[0]


@contextmanager
def served(study: Path) -> Iterator[Client]:
    client = Client(0)
    server = make_server(study, 0, client.log.append)
    client.port = server.server_port
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield client
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    runs = [listened(folder / "run", 2)]
    make(runs, folder / "study", StudyOptions(), lambda what, done, total: None)
    return folder / "study"


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Path:
    """A study of its own for each test: forms 0 to 3."""
    return Path(shutil.copytree(made, tmp_path / "study"))


@pytest.fixture
def client(study: Path) -> Iterator[Client]:
    with served(study) as client:
        yield client


def answers(study: Path, count: int = 100, listener: str = "me", **changes: Any) -> dict[str, Any]:
    """What the page sends."""
    read = read_key(study / "key.json")
    form = changes.get("form", 0)
    return {
        **{"study": read.study, "protocol": "abx", "listener": listener, "form": form},
        **{"started": "2026-01-01T00:00:00Z", "finished": None, "complete": False, "code": None},
        "headphones": {"right": 5, "of": 6, "passed": True},
        "answers": [
            {
                **{"trial": trial.id, "answer": "a", "heard_difference": True, "seconds": 1.5},
                **{"plays": {"a": 1, "b": 1, "x": 2}, "at": "2026-01-01T00:01:00Z"},
            }
            for trial in read.forms[0][:count]
        ],
        **changes,
    }


def kept(study: Path) -> list[Path]:
    return sorted((study / "answers").iterdir())


# ---- the page


def test_the_served_page_sends_answers_to_its_server(study: Path, client: Client) -> None:
    status, headers, body = client.ask("GET", "/?form=0")
    there = (study / "page" / "index.html").read_bytes()
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    sending = there.replace(b"connect-src &#39;none&#39;", b"connect-src &#39;self&#39;", 1)
    sending = sending.replace(b'data-answers=""', b'data-answers="answers"', 1)
    assert len(sending) == len(there) + len("answers")
    assert body == sending


def test_sounds_are_served(study: Path, client: Client) -> None:
    for file in (study / "page" / "audio").iterdir():
        status, headers, body = client.ask("GET", f"/audio/{file.name}")
        assert (status, body) == (200, file.read_bytes())
        assert headers["Content-Type"].startswith("text/javascript")
    status, headers, body = client.ask("HEAD", f"/audio/{file.name}")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == file.stat().st_size


@pytest.mark.parametrize(
    "path",
    [
        *("/key.json", "/../key.json", "/page/../../key.json", "/audio/../../key.json"),
        *("/audio/..%2f..%2fkey.json", "/%2e%2e/key.json", "/audio/", "/audio", "/answers"),
        *("//etc/passwd", "/audio/0123456789abcdef.js", "/audio/0123456789abcdef.js%00"),
        *("/audio/0123456789abcdef", "/audio/0123456789ABCDEF.js", "/page/index.html", "/.."),
    ],
)
def test_nothing_else_is_served(client: Client, path: str) -> None:
    status, headers, body = client.ask("GET", path)
    assert (status, body) == (404, b"Not Found. \n")
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_no_other_methods(study: Path, client: Client, method: str) -> None:
    assert client.ask(method, "/answers", b"{}")[0] == 501
    assert kept(study) == []


# ---- forms


def sent_to(client: Client, query: str = "") -> dict[str, list[str]]:
    """The query of the address that the server redirects to."""
    status, headers, _ = client.ask("GET", f"/{query}")
    assert status == 303
    asked = urlsplit(headers["Location"])
    assert asked.path == "/"
    return parse_qs(asked.query, keep_blank_values=True)


def form_of(client: Client, query: str = "") -> int:
    return int(sent_to(client, query)["form"][0])


def test_listeners_get_the_least_used_form(client: Client) -> None:
    assert [form_of(client) for _ in range(9)] == [0, 1, 2, 3, 0, 1, 2, 3, 0]


def test_a_returning_listener_gets_the_same_form(client: Client) -> None:
    assert form_of(client, "?listener=one") == 0
    assert form_of(client, "?PROLIFIC_PID=two") == 1
    assert form_of(client, "?listener=one") == 0


def test_a_listener_without_a_name_gets_one(client: Client) -> None:
    names = {sent_to(client, query)["listener"][0] for query in ("", "?listener=", "?x=y")}
    assert len(names) == 3
    assert all(re.fullmatch("[0-9a-f]{8}", name) for name in names)
    assert "listener" not in sent_to(client, "?PROLIFIC_PID=p")


def test_earlier_answers_count_and_other_files_do_not(study: Path) -> None:
    with served(study) as client:
        assert client.post(answers(study, listener="early")) == 204
    (study / "answers" / "notes.json").write_text("no answers")
    with served(study) as client:
        assert form_of(client) == 1
        assert form_of(client, "?listener=early") == 0


def test_the_query_is_kept_and_cannot_inject_a_header(client: Client) -> None:
    query = "?listener=a%20b&PROLIFIC_PID=x%0d%0aSet-Cookie:%20evil=1&empty="
    _, headers, _ = client.ask("GET", f"/{query}")
    assert "Set-Cookie" not in headers
    assert parse_qs(urlsplit(headers["Location"]).query, keep_blank_values=True) == {
        "listener": ["a b"],
        "PROLIFIC_PID": ["x\r\nSet-Cookie: evil=1"],
        "empty": [""],
        "form": ["0"],
    }


# ---- answers


def test_answers_are_stored_whole_under_a_hash(study: Path, client: Client) -> None:
    sent = answers(study, listener="../../\u202e<script>=1+1")
    assert client.post(sent) == 204
    (file,) = kept(study)
    assert re.fullmatch(r"[0-9a-f]{32}\.json", file.name)
    assert json.loads(file.read_text()) == sent
    (session,) = read_answers([study], read_key(study / "key.json"))
    assert session.listener == sent["listener"]
    count = len(sent["answers"])
    assert client.log == [f"../../ <script>=1+1: {count} of {count} answers"]


def test_a_longer_session_replaces_a_shorter_one_but_never_the_reverse(
    study: Path, client: Client
) -> None:
    for count, there in ((2, 2), (5, 5), (3, 5), (5, 5)):
        assert client.post(answers(study, count)) == 204
        (file,) = kept(study)
        assert len(json.loads(file.read_text())["answers"]) == there
    assert client.post(answers(study, 5, complete=True)) == 204
    assert json.loads(kept(study)[0].read_text())["complete"] is True


def test_each_listener_form_and_sitting_has_its_own_file(study: Path, client: Client) -> None:
    client.post(answers(study))
    client.post(answers(study, listener="you"))
    client.post(answers(study, started="2026-01-02T00:00:00Z"))
    client.post(answers(study, 1, form=1))
    assert len(kept(study)) == 4


HOSTILE: list[Any] = [
    *(b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"study": NaN}', b"1" * 10_000),
    {},
    {"study": "0" * 16},
    {"protocol": "paper"},
    {"form": 99},
    {"form": -1},
    {"form": "0"},
    {"form": 1e400},
    {"listener": 7},
    {"listener": None},
    {"answers": "none"},
    {"answers": [{"trial": "../../key", "answer": "a"}]},
    {"answers": [{"trial": "t001", "answer": "c"}]},
    {"answers": [{"trial": "t001", "answer": "a"}] * 2},
    {"answers": [{"trial": "t001", "answer": "a", "seconds": -1}]},
    {"headphones": True},
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_invalid_answers_are_refused_and_not_stored(
    study: Path, client: Client, hostile: Any
) -> None:
    body = hostile
    if isinstance(hostile, dict):
        body = {**answers(study), **hostile} if hostile else {}
    assert client.post(body) == 400
    assert kept(study) == client.log == []


def test_an_oversized_body_is_refused_unread(study: Path, client: Client) -> None:
    assert client.post(b"{}", Content_Length=str(LARGEST + 1)) == 413
    assert client.post(b"{}", Content_Length="9" * 30) == 411
    assert client.post(b"{}", Content_Length="-1") == 411
    status, _, _ = client.ask("POST", "/answers", None, **{"Content_Type": "application/json"})
    assert status == 411
    assert kept(study) == []


def test_a_truncated_body_is_refused(study: Path, client: Client) -> None:
    body = json.dumps(answers(study)).encode()
    head = f"POST /answers HTTP/1.1\r\nHost: localhost:{client.port}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as line:
        line.sendall(head.encode() + body[:-1])
        line.shutdown(socket.SHUT_WR)
        assert line.recv(100).startswith(b"HTTP/1.0 400 ")
    assert kept(study) == []


def test_a_closed_connection_is_not_reported(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        line.sendall(b"GET / HT")
    assert client.ask("GET", "/?form=0")[0] == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_content_types_are_refused(study: Path, client: Client, kind: str) -> None:
    assert client.post(answers(study), Content_Type=kind) == 415
    assert kept(study) == []


@pytest.mark.parametrize("path", ["/", "/answers/", "/answers?x", "/../answers", "/key.json"])
def test_answers_go_to_one_address(study: Path, client: Client, path: str) -> None:
    body = json.dumps(answers(study)).encode()
    assert client.ask("POST", path, body, Content_Type="application/json")[0] == 404
    assert kept(study) == []


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1"]
)
def test_another_host_name_is_refused(study: Path, client: Client, host: str) -> None:
    named = host.format(port=client.port)
    assert client.ask("GET", "/?form=0", Host=named)[0] == 403
    assert client.post(answers(study), Host=named) == 403
    assert kept(study) == []


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", ""])
def test_another_origin_is_refused(study: Path, client: Client, origin: str) -> None:
    assert client.post(answers(study), Origin=origin.format(port=client.port)) == 403
    assert kept(study) == []
    own = f"http://127.0.0.1:{client.port}"
    assert client.post(answers(study), Origin=own) == 204


def test_a_full_disk_keeps_earlier_answers(
    study: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post(answers(study, 2))
    before = {file: file.read_bytes() for file in kept(study)}

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    assert client.post(answers(study, 5)) == 500
    assert "No space left" in client.log[-1]
    assert {file: file.read_bytes() for file in kept(study)} == before


# ---- the folder


@pytest.mark.parametrize("missing", ["key.json", "page/index.html"])
def test_a_folder_without_a_study_is_refused(study: Path, missing: str) -> None:
    (study / missing).unlink()
    with pytest.raises(MondegreenError, match=missing.replace(".", r"\.")):
        Site(study, lambda line: None)


def test_a_page_of_another_study_is_refused(study: Path) -> None:
    index = study / "page" / "index.html"
    index.write_text(index.read_text().replace(read_key(study / "key.json").study, "0" * 16))
    with pytest.raises(MondegreenError, match="it is not the page of the study"):
        Site(study, lambda line: None)


def test_a_port_in_use_is_reported(study: Path, client: Client) -> None:
    with pytest.raises(MondegreenError, match=rf"port {client.port} .* --port"):
        make_server(study, client.port, lambda line: None)


def test_only_this_machine_can_connect(study: Path) -> None:
    with make_server(study, 0, lambda line: None) as server:
        assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("content", ["{", "[" * 50_000, "pipe"])
def test_a_damaged_kept_answer_is_set_aside_and_blocks_no_other(
    study: Path, client: Client, content: str
) -> None:
    assert client.post(answers(study, 3)) == 204
    (stored,) = kept(study)
    stored.unlink()
    if content == "pipe":
        os.mkfifo(stored)
    else:
        stored.write_text(content)
    assert client.post(answers(study, 2)) == 204
    assert len(json.loads(stored.read_text())["answers"]) == 2
    (aside,) = stored.parent.glob(f"{stored.name}.damaged-*")
    assert content == "pipe" or aside.read_text() == content
    assert f"Moved to {aside.name}" in client.log[1]
    assert len(read_answers([study], read_key(study / "key.json"))) == 1


@pytest.mark.slow
def test_the_command_says_what_to_open_and_ends_by_ctrl_c(study: Path) -> None:
    command = [sys.executable, "-m", "mondegreen", "listen", "serve", str(study), "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        stdout=pipe,
        stderr=pipe,
        encoding="utf-8",
        # a shell that started the tests in the background has Ctrl-C ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        log = process.stdout.readline()
        address = re.fullmatch(r"open http://127\.0\.0\.1:(\d+)/\n", log)
        assert address is not None
        assert Client(int(address[1])).post(answers(study, 3, listener="[red]\u202e\x1b[2J")) == 204
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "3 of" in said
    assert "\nstopped" in said
    assert "\x1b" not in said
    assert len(kept(study)) == 1
