"""One request to a server that transcribes: a form with a WAV file in it, and what comes back."""

from __future__ import annotations

import io
import os
import secrets
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult

from torch import Tensor

from mondegreen.audio import to_pcm16
from mondegreen.errors import VictimError

KEY_VARIABLE = "MONDEGREEN_API_KEY"
TIMEOUT_SECONDS = 60.0  # of silence on the line
LONGEST_ANSWER = 1_000_000  # bytes
LONGEST_QUOTE = 200  # characters


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP.
        retry_after: the header of that name.
        body: at most `LONGEST_ANSWER` bytes.
    """

    status: int
    retry_after: str | None
    body: bytes

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status == 429 or self.status >= 500

    @property
    def quoted(self) -> str:
        """The beginning of the body, on one line, without the key."""
        text = _without_key(self.body.decode(errors="replace"))
        return repr(text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "...")


def post(url: SplitResult, content_type: str, body: bytes) -> Answer:
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
        return Answer(response.status, retry_after, response.read(LONGEST_ANSWER))
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
        file.writeframes(to_pcm16(audio).tobytes())
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
