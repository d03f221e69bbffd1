"""Recognisers that only transcribe: PocketSphinx for real, a server of our own, and two stand-ins.

faster-whisper and Vosk need models that cannot be had here: what is tested of them is how they are
called, on modules in their place that say in their names that they are fakes.
"""

from __future__ import annotations

import email
import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.policy import HTTP
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from mondegreen.audio.pcm import load, to_pcm16
from mondegreen.errors import VictimError
from mondegreen.text import word_errors
from mondegreen.victims import Victim, load_recogniser, load_victim
from mondegreen.victims.ears import endpoint as post
from mondegreen.victims.ears import load_ear
from mondegreen.victims.ears.endpoint import Endpoint
from mondegreen.victims.ears.local import PocketSphinx
from mondegreen.victims.guard import bare

KEY = "sk-a/secret+key=="
CLIP = torch.tensor([0.0, 0.5, -1.0, 1.0, 0.25 + 1e-6]).repeat(400)


# ---- names


def test_names_of_other_recognisers_are_no_ears() -> None:
    for name in ("moonshine-tiny", "openai/whisper-tiny", "vosk", "faster-whisper:", "C:/model"):
        assert load_ear(name) is None


def test_an_ear_without_its_model_is_refused_with_its_form() -> None:
    with pytest.raises(VictimError, match="did you mean vosk:FOLDER"):
        load_recogniser("vosk")


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("pocketsphinx", "pocketsphinx", "pocketsphinx"),
        ("faster-whisper:tiny.en", "faster_whisper", "faster-whisper"),
        ("vosk:folder", "vosk", "vosk"),
    ],
)
def test_a_missing_package_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]  # as if not installed
    with pytest.raises(VictimError, match=f"pip install '{package}>="):
        load_recogniser(name)


# ---- PocketSphinx, with the model in its wheel


@pytest.fixture(scope="module")
def sphinx() -> PocketSphinx:
    pytest.importorskip("pocketsphinx")
    ear = bare(load_recogniser("pocketsphinx"))
    assert isinstance(ear, PocketSphinx)
    return ear


def speech(path: Path, first: float, last: float) -> Tensor:
    return torch.from_numpy(load(path, 16_000)[int(first * 16_000) : int(last * 16_000)])


def test_pocketsphinx_understands_plain_speech(sphinx: PocketSphinx, two_cities: Path) -> None:
    # the recording is of a known sentence (Dickens, A Tale of Two Cities)
    said = "it was the best of times it was the worst of times"
    assert word_errors(said, sphinx.transcribe(speech(two_cities, 0, 4.2))).rate <= 0.2


def test_pocketsphinx_hears_a_clip_the_same_whatever_it_heard_before(
    sphinx: PocketSphinx, beckett: Path
) -> None:
    # one decoder for all three would hear other words the second time
    noise = 0.1 * torch.randn(16_000, generator=torch.Generator().manual_seed(0))
    clip = speech(beckett, 2, 4)
    first, _, again = (sphinx.transcribe(sound) for sound in (clip, noise, clip))
    assert first != ""
    assert again == first


@pytest.mark.parametrize("length", [160, 3_200])
def test_pocketsphinx_hears_nothing_where_there_is_next_to_nothing(
    sphinx: PocketSphinx, length: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    assert sphinx.transcribe(0.1 * torch.randn(length, generator=generator)) == ""


def test_pocketsphinx_cannot_be_attacked(sphinx: PocketSphinx) -> None:
    assert not isinstance(sphinx, Victim)
    with pytest.raises(VictimError, match="only transcribe"):
        load_victim("pocketsphinx")


# ---- faster-whisper, a fake


class FakeWhisperModel:
    """Says the number of samples it got, in two segments, and remembers how it was called."""

    def __init__(self, model: str) -> None:
        if model == "damaged":
            raise RuntimeError("Unable to open file 'model.bin'")
        self.model = model

    def transcribe(
        self, audio: np.ndarray, **settings: object
    ) -> tuple[Iterator[SimpleNamespace], None]:
        assert audio.dtype == np.float32
        said = [f" {self.model} got", f" {len(audio)}.", f" {settings}"]
        return (SimpleNamespace(text=text) for text in said), None


@pytest.fixture
def fake_faster_whisper(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("fake_faster_whisper")
    module.WhisperModel = FakeWhisperModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)


def test_faster_whisper_is_called_without_chance(fake_faster_whisper: None) -> None:
    ear = load_recogniser("faster-whisper:C:/models/tiny")
    assert (ear.name, ear.sample_rate) == ("faster-whisper:C:/models/tiny", 16_000)
    heard = ear.transcribe(CLIP.double().requires_grad_())
    assert heard == "C:/models/tiny got 2000. {'temperature': 0.0}"


def test_a_model_that_faster_whisper_cannot_load_is_refused(fake_faster_whisper: None) -> None:
    with pytest.raises(VictimError, match=r"'damaged' \(Unable to open"):
        load_recogniser("faster-whisper:damaged")


# ---- Vosk, a fake


@pytest.fixture
def fake_vosk(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("fake_vosk")
    module.log_level = 0  # type: ignore[attr-defined]

    def set_log_level(level: int) -> None:
        module.log_level = level  # type: ignore[attr-defined]

    def model(model_path: str) -> str:
        if not (Path(model_path) / "am").exists():
            raise Exception("Failed to create a model")
        return model_path

    class FakeKaldiRecognizer:
        def __init__(self, model: str, rate: float) -> None:
            assert isinstance(rate, float)
            self.rate, self.heard = rate, b""

        def AcceptWaveform(self, data: bytes) -> int:  # noqa: N802
            self.heard += data
            return 0

        def FinalResult(self) -> str:  # noqa: N802
            samples = np.frombuffer(self.heard, np.int16)
            return json.dumps({"text": f"{samples[:5].tolist()} of {len(samples)}"})

    module.SetLogLevel = set_log_level  # type: ignore[attr-defined]
    module.Model = model  # type: ignore[attr-defined]
    module.KaldiRecognizer = FakeKaldiRecognizer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vosk", module)
    return module


def test_vosk_is_silenced_and_gets_16_bit_samples_anew(
    fake_vosk: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "am").mkdir()
    ear = load_recogniser(f"vosk:{tmp_path}")
    assert fake_vosk.log_level == -1
    expected = "[0, 16384, -32768, 32767, 8192] of 2000"
    assert [ear.transcribe(CLIP), ear.transcribe(CLIP)] == [expected] * 2


def test_a_folder_without_a_model_is_refused(fake_vosk: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(VictimError, match="Failed to create a model"):
        load_recogniser(f"vosk:{tmp_path}")
    with pytest.raises(VictimError, match="folder"):
        load_recogniser("vosk:no-such-folder")


# ---- a server: one of our own, on this machine


@dataclass
class Reply:
    """What the server answers; without a status, nothing."""

    status: int | None = 200
    body: str = '{"text": " Open the door.\\n"}'
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """Its address, what it will answer, and the requests it got: path, headers, body."""

    url: str
    replies: list[Reply]
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    """Starts servers that give the replies they are told, and then the last one for ever."""
    monkeypatch.delenv(post.KEY_VARIABLE, raising=False)
    running: list[ThreadingHTTPServer] = []
    over = threading.Event()

    def start(*replies: Reply) -> Server:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append((self.path, dict(self.headers), body))
                reply = server.replies[min(len(server.requests), len(server.replies)) - 1]
                if reply.status is None:
                    over.wait()
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body.encode())

            def log_message(self, *_: object) -> None:
                pass

        listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server = Server(f"http://127.0.0.1:{listening.server_port}/v1", list(replies))
        running.append(listening)
        threading.Thread(target=listening.serve_forever, args=[0.01], daemon=True).start()
        return server

    yield start
    over.set()
    for listening in running:
        listening.shutdown()
        listening.server_close()


class Clock:
    """Time that passes only in sleep, and remembers each."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def ear(self, server: Server) -> Endpoint:
        return Endpoint(
            f"{server.url}#whisper-1", authorised=True, clock=lambda: self.now, sleep=self.sleep
        )


def refusal(server: Server, clock: Clock | None = None) -> str:
    with pytest.raises(VictimError) as refused:
        (clock or Clock()).ear(server).transcribe(CLIP)
    return str(refused.value)


def test_a_server_gets_the_clip_as_a_16_bit_file_and_its_text_is_what_is_heard(
    serve: Callable[..., Server],
) -> None:
    server = serve(Reply())
    ear = load_recogniser(f"{server.url}/#org/model-1", authorised=True)
    assert ear.transcribe(CLIP.double().requires_grad_()) == "Open the door."
    ((path, headers, body),) = server.requests
    assert path == "/v1/audio/transcriptions"
    assert "Authorization" not in headers
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    parts = list(email.message_from_bytes(head + body, policy=HTTP).iter_parts())
    named = {part["Content-Disposition"].params["name"]: part for part in parts}
    texts = {name: named[name].get_content() for name in named if name != "file"}
    assert texts == {"model": "org/model-1", "response_format": "json", "temperature": "0"}
    samples, rate = soundfile.read(io.BytesIO(named["file"].get_content()), dtype="int16")
    assert named["file"].get_content_type() == "audio/wav"
    assert rate == 16_000
    np.testing.assert_array_equal(samples, to_pcm16(CLIP))


def test_the_key_goes_into_the_header_and_nowhere_else(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(Reply())
    monkeypatch.setenv(post.KEY_VARIABLE, f"{KEY}\n")
    ear = Clock().ear(server)
    ear.transcribe(CLIP)
    assert server.requests[0][1]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(vars(ear))
    assert KEY.encode() not in server.requests[0][2]


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
def test_no_error_shows_the_key_though_the_server_repeats_it(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv(post.KEY_VARIABLE, KEY)
    said = refusal(serve(Reply(status, f"{'x' * 185} the key {KEY} is wrong")))
    assert "sk-a" not in said


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv(post.KEY_VARIABLE, key)
    server = serve(Reply())
    said = refusal(server)
    assert post.KEY_VARIABLE in said
    assert key not in said
    assert server.requests == []


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(401), f"HTTP 401; set {post.KEY_VARIABLE}"),
        (Reply(404, "no model whisper-1"), "HTTP 404: 'no model whisper-1'; check the address and"),
        (Reply(400, "\x1b[2J" + 300 * "x"), r"HTTP 400: '\\x1b\[2Jx{196}\.\.\.'; check"),
        (Reply(307, "", {"Location": "/elsewhere"}), "HTTP 307.* redirects are not followed"),
    ],
)
def test_what_will_not_pass_is_asked_once(
    serve: Callable[..., Server], reply: Reply, message: str
) -> None:
    server = serve(reply)
    with pytest.raises(VictimError, match=message):
        Clock().ear(server).transcribe(CLIP)
    assert len(server.requests) == 1


@pytest.mark.parametrize("after", ["7", "date"])
def test_a_busy_server_is_asked_again_when_it_wants_to_be(
    serve: Callable[..., Server], after: str
) -> None:
    if after == "date":
        after = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    clock = Clock()
    server = serve(Reply(429, headers={"Retry-After": after}), Reply())
    assert clock.ear(server).transcribe(CLIP) == "Open the door."
    (pause,) = clock.slept
    assert pause == 7 if after == "7" else 30 < pause <= 60
    assert server.requests[0][2] == server.requests[1][2]


@pytest.mark.parametrize(
    "after", ["0", "-5", "soon", "1e3", "Mon, 01 Jan 2001 00:00:00 GMT", "Mon, 99 Foo 20010 1:1"]
)
def test_no_answer_makes_it_ask_faster_than_once_a_second(
    serve: Callable[..., Server], after: str
) -> None:
    clock = Clock()
    server = serve(Reply(503, headers={"Retry-After": after}), Reply())
    assert clock.ear(server).transcribe(CLIP) == "Open the door."
    assert clock.slept[0] >= 1.0


def test_a_server_that_stays_broken_is_asked_four_times_ever_more_slowly(
    serve: Callable[..., Server],
) -> None:
    clock, server = Clock(), serve(Reply(500, "out of memory"))
    assert "HTTP 500 4 times: 'out of memory'; try again later" in refusal(server, clock)
    assert len(server.requests) == 4
    assert clock.slept == [2.0, 4.0, 8.0]


def test_a_server_that_wants_an_hour_is_left_alone(serve: Callable[..., Server]) -> None:
    clock, server = Clock(), serve(Reply(429, headers={"Retry-After": "3600"}))
    assert "3600 s" in refusal(server, clock)
    assert (len(server.requests), clock.slept) == (1, [])


def test_at_most_one_request_a_second(serve: Callable[..., Server]) -> None:
    clock = Clock()
    ear = clock.ear(serve(Reply()))
    for idle in (0.0, 0.0, 0.4, 5.0):
        clock.now += idle
        ear.transcribe(CLIP)
    assert clock.slept == pytest.approx([1.0, 0.6])


@pytest.mark.parametrize(
    "body", ["", "not json", "[]", '"text"', "{}", '{"text": null}', '{"text": 1}', "[" * 100_000]
)
def test_an_answer_without_a_text_is_no_transcript(serve: Callable[..., Server], body: str) -> None:
    assert "expected JSON with a text" in refusal(serve(Reply(body=body)))


def test_a_transcript_may_be_empty(serve: Callable[..., Server]) -> None:
    assert Clock().ear(serve(Reply(body='{"text": ""}'))).transcribe(CLIP) == ""


def test_a_server_that_says_nothing_is_given_up(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "TIMEOUT_SECONDS", 0.2)
    assert "timed out" in refusal(serve(Reply(None)))


def test_a_server_that_is_not_there_or_speaks_no_tls_is_named(
    serve: Callable[..., Server],
) -> None:
    for nobody in ("http://127.0.0.1:1", "https://host..invalid"):
        assert f"{nobody} does not reply" in refusal(Server(f"{nobody}/v1", []))
    plain = serve(Reply())
    plain.url = plain.url.replace("http:", "https:")
    assert "does not reply" in refusal(plain)


def test_nothing_is_sent_without_authorisation(serve: Callable[..., Server]) -> None:
    server = serve(Reply())
    with pytest.raises(VictimError, match=r"permission.*--i-am-authorised"):
        load_recogniser(f"{server.url}#whisper-1")
    with pytest.raises(VictimError, match="permission"):
        load_victim(f"{server.url}#whisper-1")
    assert server.requests == []


def test_a_server_cannot_be_attacked(serve: Callable[..., Server]) -> None:
    assert not isinstance(Clock().ear(serve(Reply())), Victim)


@pytest.mark.parametrize(
    "name",
    [
        "ftp://host/v1#model",
        "https://host/v1",
        "https:///v1#model",
        "https://user:hunter2@host/v1#model",
        "https://host/v1?key=hunter2#model",
        "https://host:port/v1#model",
        "https://[host/v1#model",
        "https://host/v1#model two",
        "https://höst/v1#model",
    ],
)
def test_a_name_that_is_no_servers_or_holds_a_secret_is_refused(name: str) -> None:
    with pytest.raises(VictimError, match="https://HOST/v1#MODEL") as refused:
        load_recogniser(name, authorised=True)
    assert "hunter2" not in str(refused.value)


def test_a_key_does_not_travel_in_the_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONDEGREEN_API_KEY", "secret-key")
    with pytest.raises(VictimError, match="readable on the way") as caught:
        load_recogniser("http://asr.example/v1#tiny", authorised=True)
    assert "secret-key" not in str(caught.value)
    for here in ("http://127.0.0.1:9/v1#tiny", "http://[::1]:9/v1#tiny", "http://localhost/v1#t"):
        assert load_recogniser(here, authorised=True).name == here
    assert load_recogniser("https://asr.example/v1#tiny", authorised=True)
    monkeypatch.delenv("MONDEGREEN_API_KEY")
    assert load_recogniser("http://asr.example/v1#tiny", authorised=True)
