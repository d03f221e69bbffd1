"""MP3 files: how long they are, whatever a header says, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mondegreen.audio import mp3, pcm
from mondegreen.errors import AudioError

RATE = 16_000
SAMPLES = 576  # of a frame of MPEG-2, layer III
KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


def quiet_and_loud() -> np.ndarray:
    quiet, loud = np.full(RATE, 1e-4), np.random.default_rng(0).normal(0, 0.2, RATE)
    return np.concatenate([quiet, loud, loud, quiet])


def coded(samples: np.ndarray, rate: int = RATE) -> bytes:
    """An MP3 of variable bit rate, which begins with a Xing frame."""
    file = io.BytesIO()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(
        file, "w", rate, channels, "MPEG_LAYER_III", format="MP3",
        compression_level=0.0, bitrate_mode="VARIABLE",
    ) as sound:  # fmt: skip
        sound.write(samples)
    return file.getvalue()


def frames_of(content: bytes) -> list[bytes]:
    """The frames of a mono file at 16 kHz; the first is the Xing frame."""
    found, at = [], 0
    while at < len(content):
        size = 72_000 * KBPS[content[at + 2] >> 4] // RATE + (content[at + 2] >> 1 & 1)
        found.append(content[at : at + size])
        at += size
    assert b"Xing" in found[0]
    return found


@pytest.fixture(scope="module")
def whole() -> bytes:
    return coded(quiet_and_loud())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.mp3"


def length(path: Path, content: bytes) -> int:
    path.write_bytes(content)
    return len(pcm.load(path, RATE))


def refused(path: Path, content: bytes, match: str) -> None:
    path.write_bytes(content)
    with pytest.raises(AudioError, match=match) as caught:
        pcm.load(path, RATE)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("first", [1, 40])  # begins quiet, or loud and ends quiet
def test_a_stream_is_as_long_as_its_frames(path: Path, whole: bytes, first: int) -> None:
    stream = frames_of(whole)[first:]
    assert length(path, b"".join(stream)) == len(stream) * SAMPLES
    with soundfile.SoundFile(path) as guess:
        assert abs(guess.frames / (len(stream) * SAMPLES) - 1) > 0.2


def test_a_header_that_tells_the_length_also_says_what_to_trim(path: Path, whole: bytes) -> None:
    assert length(path, whole) == 4 * RATE


def test_files_that_were_joined_are_heard_to_the_end(path: Path, whole: bytes) -> None:
    padded = (len(frames_of(whole)) - 1) * SAMPLES  # the second is heard with its padding
    assert 4 * RATE + padded - 2 * SAMPLES < length(path, whole + whole) <= 4 * RATE + padded
    stream = b"".join(frames_of(whole)[1:])
    assert length(path, stream + stream) == 2 * padded
    assert length(path, stream + whole) == 2 * padded


ID3V2 = b"ID3\x04\0\0\0\0\x08\0" + bytes(1024)
ID3V1 = b"TAG" + bytes(125)


@pytest.mark.parametrize("header", [True, False])
def test_tags_are_no_sound(path: Path, whole: bytes, header: bool) -> None:
    frames = frames_of(whole)[0 if header else 1 :]
    bare, middle = b"".join(frames), len(frames) // 2
    tagged = [ID3V2, ID3V2, *frames[:middle], ID3V2, *frames[middle:], ID3V1]
    assert length(path, b"".join(tagged)) == length(path, bare)


def test_a_header_that_promises_less_is_not_believed(path: Path, whole: bytes) -> None:
    at = whole.index(b"Xing") + 8
    assert length(path, whole[:at] + (10).to_bytes(4, "big") + whole[at + 4 :]) == 4 * RATE


@pytest.mark.parametrize("lost", [1, 500, 5_000])
def test_a_header_that_promises_more_is_a_cut(path: Path, whole: bytes, lost: int) -> None:
    refused(path, whole[:-lost], r"cut short: \d+ frames are there, its header promises 114")


def test_a_writer_may_count_the_frame_of_the_header(path: Path, whole: bytes) -> None:
    at = whole.index(b"Xing") + 8
    count = int.from_bytes(whole[at : at + 4], "big") + 1
    assert length(path, whole[:at] + count.to_bytes(4, "big") + whole[at + 4 :]) == 4 * RATE
    refused(path, whole[:at] + (count + 1).to_bytes(4, "big") + whole[at + 4 :], "cut short")


def test_without_a_header_an_end_within_a_frame_leaves_the_length_open(
    path: Path, whole: bytes
) -> None:
    stream = b"".join(frames_of(whole)[1:])
    refused(path, stream[:-10], "does not say how long it is, and ends in the middle of a frame")


def test_damage_between_frames(path: Path, whole: bytes) -> None:
    frames = frames_of(whole)
    frames[50] = b"\x17" * len(frames[50])
    before = len(b"".join(frames[:50]))
    refused(path, b"".join(frames), f"{len(frames[50])} bytes are not sound at byte {before}")


@pytest.mark.parametrize(("rate", "channels"), [(24_000, 1), (16_000, 2)])
def test_another_kind_of_sound_after_the_first(
    path: Path, whole: bytes, rate: int, channels: int
) -> None:
    other = coded(np.tile(quiet_and_loud()[:, None], channels), rate)
    refused(path, whole + other, f"changes its sample rate or its channels at byte {len(whole)}")


@pytest.mark.parametrize("start", [b"\xff\xfb\x90\x00", "ÿþ".encode("utf-16"), b"\xff" * 4])
def test_what_only_begins_like_one(path: Path, start: bytes) -> None:
    text = "Once upon a midnight dreary".encode("utf-16") * 100
    refused(path, start + text, "no MP3 frames|cannot be read as audio")


def test_files_without_end_are_not_searched_for_it(
    path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mp3, "MAX_FRAMES", 100)
    refused(path, whole, "more than 100 frames")
    monkeypatch.setattr(mp3, "MAX_BYTES", 2**10)
    refused(path, whole, "larger than")


def test_the_decoder_does_not_talk(
    path: Path, whole: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    damaged = bytearray(whole)
    for at in range(9_000, len(damaged), 97):
        damaged[at] ^= 0x55
    path.write_bytes(damaged)
    with soundfile.SoundFile(path) as sound:
        sound.read()
    assert "mpg123" in capfd.readouterr().err
    for content in (bytes(damaged), whole[:500], frames_of(whole)[1] + b"junk" * 600):
        path.write_bytes(content)
        with pytest.raises(AudioError):
            pcm.load(path, RATE)
    assert capfd.readouterr().err == ""
