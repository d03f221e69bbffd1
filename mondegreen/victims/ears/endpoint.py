"""A transcription server with OpenAI's protocol, which many other servers use too.

It transcribes finished files and cannot be attacked: there is no `score`, and no search calls it.
It is called only with its owner's permission, one clip at a time and slowly, and only at the
address given.
"""

from __future__ import annotations

import io
import os
import secrets
import time
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from torch import Tensor

from mondegreen.audio.pcm import to_pcm16
from mondegreen.errors import VictimError
from mondegreen.reading import parse_json

KEY_VARIABLE = "MONDEGREEN_API_KEY"
TIMEOUT_SECONDS = 60.0  # of silence on the line
LONGEST_REPLY = 1_000_000  # bytes
LONGEST_QUOTE = 200  # characters


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int  # of HTTP
    retry_after: str | None  # the header of that name
    body: bytes  # at most `LONGEST_REPLY` bytes

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status == 429 or self.status >= 500

    @property
    def quoted(self) -> str:
        """The beginning of the body, on one line, without the key."""
        text = _without_key(self.body.decode(errors="replace"))
        return repr(text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "...")


def post(url: SplitResult, content_type: str, body: bytes) -> Reply:
    """Send a body to an address, once; redirects are not followed.

    The key is read from the environment here, and never stored.

    Raises:
        VictimError: the server does not reply, or the key is not a valid header.
    """
    headers = {"Content-Type": content_type, "User-Agent": "mondegreen"}
    if key := _key():
        headers["Authorization"] = f"Bearer {key}"
    connect = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = connect(url.hostname or "", url.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", url.path, body, headers)
        response = connection.getresponse()
        retry_after = response.getheader("Retry-After")
        return Reply(response.status, retry_after, response.read(LONGEST_REPLY))
    except (OSError, HTTPException, UnicodeError) as error:  # the last: "host..org"
        reason = _without_key(str(error) or type(error).__name__)
        raise VictimError(
            f"{url.scheme}://{url.netloc} does not reply ({reason}); check the address, and that"
            " the server is up"
        ) from None  # the error may contain the key
    finally:
        connection.close()


def form(fields: Mapping[str, str], wav: bytes) -> tuple[str, bytes]:
    """The content type and body of a form (RFC 7578) with text fields and the file."""
    boundary = secrets.token_hex(16)
    disposition = f"--{boundary}\r\nContent-Disposition: form-data; name="
    texts = [f'{disposition}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    file = f'{disposition}"file"; filename="clip.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    body = "".join([*texts, file]).encode() + wav + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def wav_bytes(audio: Tensor, sample_rate: int) -> bytes:
    """A clip, [T] in [-1, 1], as a 16-bit WAV file."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(to_pcm16(audio.detach().cpu().numpy()).tobytes())
    return content.getvalue()


def _key() -> str:
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not all("!" <= character <= "~" for character in key):
        raise VictimError(
            f"{KEY_VARIABLE} contains a space or another invalid character; set it again"
        )
    return key


def _without_key(text: str) -> str:
    key = _key()
    return text.replace(key, "***") if key else text


REQUEST_SECONDS = 1.0  # least time between requests
ATTEMPTS = 4
BACKOFF_SECONDS = 2.0  # before the second attempt; doubled before each further one
LONGEST_PAUSE = 120.0  # seconds; if the server asks for more, give up
_ADVICE = {
    401: f"set {KEY_VARIABLE} to a key that it accepts",
    403: f"set {KEY_VARIABLE} to a key that may use it",
    404: "check the address and the model's name",
}


class Endpoint:
    """A server's model as a recogniser.

    Every server gets the key in the environment variable `MONDEGREEN_API_KEY`, if it is set; over
    http, only a server on this machine.

    Args:
        name: http(s)://HOST/v1#MODEL; requests go to http(s)://HOST/v1/audio/transcriptions.
        authorised: the owner of the server has allowed this.
        clock: the time in seconds, from any zero.
        sleep: waits for a number of seconds.

    Raises:
        VictimError: another form of name, not authorised, or a key would be sent unencrypted.
    """

    sample_rate = 16_000

    def __init__(
        self,
        name: str,
        *,
        authorised: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        url = _parse(name)
        if not authorised:
            raise VictimError(
                f"{name} is a server; clips are sent to it only with its owner's permission (see"
                " RESPONSIBLE_USE.md). If you have it, use: mondegreen evaluate ... --with"
                f" {name} --i-am-authorised, or authorised=True in Python"
            )
        if url.scheme == "http" and not _is_here(url) and os.environ.get(KEY_VARIABLE):
            raise VictimError(
                f"{name} is not encrypted, and the key in {KEY_VARIABLE} would be readable on the"
                " way; use https, or unset the key"
            )
        self.name = name
        self._model = url.fragment
        self._url = url._replace(path=f"{url.path.rstrip('/')}/audio/transcriptions")
        self._clock, self._sleep = clock, sleep
        self._not_before = clock()

    def transcribe(self, audio: Tensor) -> str:
        """Send one clip, [T] in [-1, 1], as a 16-bit WAV file, and ask for temperature 0.

        Raises:
            VictimError: no reply, a refusal, or a reply without a transcript.
        """
        fields = {"model": self._model, "response_format": "json", "temperature": "0"}
        content_type, body = form(fields, wav_bytes(audio, self.sample_rate))
        for attempt in range(ATTEMPTS):
            self._wait_for_turn()
            reply = post(self._url, content_type, body)
            if reply.status == 200:
                return self._text(reply)
            if not reply.passing:
                break
            self._not_before = self._clock() + self._pause(reply, attempt)
        raise self._refusal(reply)

    def _wait_for_turn(self) -> None:
        if (early := self._not_before - self._clock()) > 0:
            self._sleep(early)
        self._not_before = self._clock() + REQUEST_SECONDS

    def _pause(self, reply: Reply, attempt: int) -> float:
        """Seconds before the next attempt: what the server asks for, or twice the last pause."""
        asked = _seconds(reply.retry_after)
        if asked is None:
            asked = BACKOFF_SECONDS * 2**attempt
        elif asked > LONGEST_PAUSE:
            raise VictimError(
                f"{self.name} replies HTTP {reply.status} and asks for a pause of {asked:.0f} s;"
                " try again after that"
            )
        return max(asked, REQUEST_SECONDS)

    def _text(self, reply: Reply) -> str:
        try:
            text = parse_json(reply.body)["text"]
        except (ValueError, KeyError, TypeError):
            text = None
        if not isinstance(text, str):
            raise VictimError(
                f"{self.name} replies {reply.quoted}, expected JSON with a text; check that the"
                " server offers OpenAI's transcription protocol at that address"
            )
        return text.strip()

    def _refusal(self, reply: Reply) -> VictimError:
        status = reply.status
        if status in (401, 403):  # such replies often quote a part of the key
            return VictimError(f"{self.name} replies HTTP {status}; {_ADVICE[status]}")
        tried = f" {ATTEMPTS} times" if reply.passing else ""
        advice = _ADVICE.get(status, "try again later" if reply.passing else "check the address")
        if 300 <= status < 400:
            advice = "redirects are not followed: use the address it leads to"
        return VictimError(f"{self.name} replies HTTP {status}{tried}: {reply.quoted}; {advice}")


def _parse(name: str) -> SplitResult:
    try:
        url = urlsplit(name)
        parts_found = url.scheme in ("http", "https") and url.hostname and url.fragment
        usable = parts_found and not (url.username or url.password or url.query or url.port == 0)
    except ValueError:  # invalid brackets or port
        usable = False
    if not usable or not name.isascii() or not name.isprintable() or " " in name:
        # the name is not repeated: it may contain a password
        raise VictimError(
            "not a server's name: expected https://HOST/v1#MODEL or http://HOST:PORT/v1#MODEL,"
            f" without user, password or query; put a key into {KEY_VARIABLE}"
        )
    return url


def _is_here(url: SplitResult) -> bool:
    """Whether the host is this machine, by name or address."""
    try:
        return ip_address(url.hostname or "").is_loopback
    except ValueError:
        return url.hostname == "localhost"


def _seconds(retry_after: str | None) -> float | None:
    """A Retry-After header in seconds; it holds seconds or a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    return (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
