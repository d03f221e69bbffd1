"""A server that transcribes, by OpenAI's protocol, which many other servers speak too.

It hears finished files, and no attack can be aimed at it: there is no `score`, and no search asks
it anything. It is asked only when its owner has allowed that, one clip at a time and slowly, at the
address that was named and at no other.
"""

from __future__ import annotations

import io
import json
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
    """Send a body to an address, once; redirects are answers like any other.

    The key is read from the environment here, and kept nowhere.

    Raises:
        VictimError: there is no answer, or the key can be no header.
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
            f"{url.scheme}://{url.netloc} gives no answer ({reason}); check the address, and that"
            " the server is up"
        ) from None  # what the error carries may hold the key
    finally:
        connection.close()


def form(fields: Mapping[str, str], wav: bytes) -> tuple[str, bytes]:
    """A form (RFC 7578) of text fields and the file: its content type, and itself."""
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
        file.writeframes(to_pcm16(audio.numpy()).tobytes())
    return content.getvalue()


def _key() -> str:
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not all("!" <= character <= "~" for character in key):
        raise VictimError(
            f"{KEY_VARIABLE} holds a space or another character that no key has; set it again"
        )
    return key


def _without_key(text: str) -> str:
    key = _key()
    return text.replace(key, "***") if key else text


REQUEST_SECONDS = 1.0  # at least, from one request to the next
ATTEMPTS = 4
BACKOFF_SECONDS = 2.0  # before the second attempt; doubled before each further one
LONGEST_PAUSE = 120.0  # seconds; a server that wants more is left alone
_ADVICE = {
    401: f"set {KEY_VARIABLE} to a key that it accepts",
    403: f"set {KEY_VARIABLE} to a key that may use it",
    404: "check the address and the model's name",
}


class Endpoint:
    """A server's model as a recogniser.

    A server that wants a key gets the one in the environment variable `MONDEGREEN_API_KEY`; so
    does every other that is named beside it. Over http it goes to this machine only.

    Args:
        name: http(s)://HOST/v1#MODEL; what is asked is http(s)://HOST/v1/audio/transcriptions.
        authorised: the owner of the server has allowed this.
        clock: the time in seconds, from any zero.
        sleep: wait for so many seconds.

    Raises:
        VictimError: not such a name, not authorised, or a key would travel in the open.
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
                f"{name} is a server, which is sent a sound only with its owner's permission (see"
                " RESPONSIBLE_USE.md); if you have it, say so: mondegreen evaluate ... --with"
                f" {name} --i-am-authorised, or authorised=True in Python"
            )
        if url.scheme == "http" and not _is_here(url) and os.environ.get(KEY_VARIABLE):
            raise VictimError(
                f"{name} is not encrypted, and would be sent the key in {KEY_VARIABLE} in the open;"
                " use https, or unset the key"
            )
        self.name = name
        self._model = url.fragment
        self._url = url._replace(path=f"{url.path.rstrip('/')}/audio/transcriptions")
        self._clock, self._sleep = clock, sleep
        self._not_before = clock()

    def transcribe(self, audio: Tensor) -> str:
        """Send one clip, [T] in [-1, 1], as a 16-bit WAV file, and ask for temperature 0.

        Raises:
            VictimError: no answer, a refusal, or an answer without a transcript.
        """
        fields = {"model": self._model, "response_format": "json", "temperature": "0"}
        content_type, body = form(fields, wav_bytes(audio, self.sample_rate))
        for attempt in range(ATTEMPTS):
            self._wait_for_turn()
            answer = post(self._url, content_type, body)
            if answer.status == 200:
                return self._text(answer)
            if not answer.passing:
                break
            self._not_before = self._clock() + self._pause(answer, attempt)
        raise self._refusal(answer)

    def _wait_for_turn(self) -> None:
        if (early := self._not_before - self._clock()) > 0:
            self._sleep(early)
        self._not_before = self._clock() + REQUEST_SECONDS

    def _pause(self, answer: Reply, attempt: int) -> float:
        """Seconds before the next attempt: as many as the server asks for, else twice the last."""
        asked = _seconds(answer.retry_after)
        if asked is None:
            asked = BACKOFF_SECONDS * 2**attempt
        elif asked > LONGEST_PAUSE:
            raise VictimError(
                f"{self.name} answers HTTP {answer.status}, and asks for a pause of {asked:.0f} s;"
                " try again after that"
            )
        return max(asked, REQUEST_SECONDS)

    def _text(self, answer: Reply) -> str:
        try:
            text = json.loads(answer.body)["text"]
        except (ValueError, RecursionError, KeyError, TypeError):
            text = None
        if not isinstance(text, str):
            raise VictimError(
                f"{self.name} answers {answer.quoted}, expected JSON with a text; check that the"
                " server transcribes by OpenAI's protocol at that address"
            )
        return text.strip()

    def _refusal(self, answer: Reply) -> VictimError:
        status = answer.status
        if status in (401, 403):  # where servers like to quote a part of the key
            return VictimError(f"{self.name} answers HTTP {status}; {_ADVICE[status]}")
        tried = f" {ATTEMPTS} times" if answer.passing else ""
        advice = _ADVICE.get(status, "try again later" if answer.passing else "check the address")
        if 300 <= status < 400:
            advice = "redirects are not followed: name the address that it leads to"
        return VictimError(f"{self.name} answers HTTP {status}{tried}: {answer.quoted}; {advice}")


def _parse(name: str) -> SplitResult:
    try:
        url = urlsplit(name)
        parts_found = url.scheme in ("http", "https") and url.hostname and url.fragment
        usable = parts_found and not (url.username or url.password or url.query or url.port == 0)
    except ValueError:  # brackets or a port that are none
        usable = False
    if not usable or not name.isascii() or not name.isprintable() or " " in name:
        # what came is not repeated: it may hold a password
        raise VictimError(
            "that is no server's name, expected https://HOST/v1#MODEL or http://HOST:PORT/v1#MODEL,"
            f" without user, password or query; put a key into {KEY_VARIABLE}"
        )
    return url


def _is_here(url: SplitResult) -> bool:
    """Whether the host is this machine, by its name or its address."""
    try:
        return ip_address(url.hostname or "").is_loopback
    except ValueError:
        return url.hostname == "localhost"


def _seconds(retry_after: str | None) -> float | None:
    """A pause that a server asks for, as a number of seconds or as a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    return (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
