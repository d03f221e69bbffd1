"""Which files are opened, and what is said of those that are not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mondegreen.audio import pcm
from mondegreen.errors import AudioError

RATE = 16_000
NOISE = np.random.default_rng(0).normal(0, 0.1, RATE)
NOT_UTF8 = os.fsdecode(b"caf\xe9")


def refused(path: str | Path, match: str) -> str:
    with pytest.raises(AudioError, match=match) as caught:
        pcm.load(path, RATE)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_name_that_is_not_utf8_is_a_name(tmp_path: Path, suffix: str) -> None:
    plain, named = tmp_path / f"a.{suffix}", tmp_path / f"{NOT_UTF8}.{suffix}"
    soundfile.write(plain, NOISE, RATE)
    plain.rename(named)
    assert len(pcm.load(named, RATE)) == RATE
    named.write_bytes(b"")
    assert refused(named, "is empty").startswith(f"{tmp_path}/caf\\udce9.{suffix} is empty")


def test_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to("b.wav")
    (tmp_path / "b.wav").symlink_to("a.wav")
    refused(tmp_path / "a.wav", "Too many levels of symbolic links")


@pytest.mark.parametrize("name", ["a\0b.wav", "\ud800.wav"])
def test_what_cannot_be_a_name(tmp_path: Path, name: str) -> None:
    refused(tmp_path / name, "cannot be opened.*check the path").encode()


def test_a_name_too_long(tmp_path: Path) -> None:
    refused(tmp_path / ("a" * 5_000), "File name too long")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/stdin", "/proc/self/fd"])
def test_devices(device: str) -> None:
    refused(device, "a pipe or a device|is a folder|No such")


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_recording_after_a_tag(tmp_path: Path, kind: str) -> None:
    soundfile.write(tmp_path / "a", NOISE, RATE, format=kind)
    tagged = b"ID3\x04\0\0\0\0\x08\0" + bytes(1024) + (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(tagged)
    assert len(pcm.load(tmp_path / "a", RATE)) == RATE
    (tmp_path / "a").write_bytes(tagged[:-2000])
    refused(tmp_path / "a", "cut short|cannot be read as audio")


def test_a_rate_of_zero(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, NOISE, RATE)
    content = bytearray(path.read_bytes())
    content[24:28] = bytes(4)
    path.write_bytes(content)
    refused(path, "a.wav")
