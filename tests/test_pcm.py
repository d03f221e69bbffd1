"""16-bit files: what is written, what is read back, and what is refused."""

from __future__ import annotations

import errno
import os
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mondegreen.audio import pcm
from mondegreen.audio.batch import quantise
from mondegreen.audio.passage import read_whole
from mondegreen.errors import AudioError, StorageError

RATE = 16_000
ALL_STEPS = np.arange(-32768, 32768, dtype=np.int16)


def tone(hz: float, seconds: float = 1.0, rate: int = RATE, peak: float = 0.5) -> np.ndarray:
    return peak * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


def loudest_hz(samples: np.ndarray, rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


# ---- 16 bits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_full_scale_never_wraps_around(dtype: type[np.floating]) -> None:
    assert pcm.to_pcm16(np.ones(1, dtype)).tolist() == [32767]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_not_written(tmp_path: Path, bad: float) -> None:
    with pytest.raises(AudioError, match="NaN"):
        pcm.save(tmp_path / "a.wav", np.array([0.1, bad]), RATE)
    assert list(tmp_path.iterdir()) == []


def test_integers_are_refused_because_their_scale_is_unknown() -> None:
    with pytest.raises(AudioError, match=r"int16.*Divide 16-bit integers by 32768"):
        pcm.to_pcm16(np.ones(3, np.int16))


# ---- saving ----------------------------------------------------------------------------------


@pytest.mark.parametrize("comment", [None, pcm.ADVERSARIAL_MARK, "aé" * 101])
def test_saved_samples_are_the_rounded_ones_to_the_bit(tmp_path: Path, comment: str | None) -> None:
    # Nudged by less than half a step, where soundfile alone would round everything down.
    nudged = (ALL_STEPS + np.linspace(-0.49, 0.49, len(ALL_STEPS))) / 32768
    pcm.save(tmp_path / "a.wav", nudged, RATE, comment=comment)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        stored = np.frombuffer(file.readframes(-1), dtype="<i2")
    assert np.array_equal(stored, ALL_STEPS)
    with soundfile.SoundFile(tmp_path / "a.wav") as file:
        assert file.comment == (comment or "")


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 0.4, RATE).astype(np.float32)
    pcm.save(tmp_path / "a.wav", samples, RATE, comment=pcm.ADVERSARIAL_MARK)
    loaded = pcm.load(tmp_path / "a.wav", RATE)
    assert loaded.dtype == np.float32
    assert np.array_equal(loaded, quantise(torch.from_numpy(samples)).numpy())


@pytest.mark.parametrize("shape", [(0,), (2, RATE), ()])
def test_only_one_clip_is_saved(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioError, match="expected one clip"):
        pcm.save(tmp_path / "a.wav", np.zeros(shape), RATE)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, step, full)
    with pytest.raises(StorageError, match=r"a\.wav could not be written: No space left"):
        pcm.save(path, tone(440), RATE)
    assert [file.name for file in tmp_path.iterdir()] == ["a.wav"]
    assert path.read_bytes() == b"old"


def test_an_interrupted_save_cleans_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pcm.save(tmp_path / "a.wav", tone(440), RATE)
    assert list(tmp_path.iterdir()) == []


def test_saving_into_no_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be written: No such file or directory"):
        pcm.save(tmp_path / "missing" / "a.wav", tone(440), RATE)


# ---- loading ---------------------------------------------------------------------------------


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = np.full(RATE, 1000, np.int16), np.full(RATE, -400, np.int16)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), RATE)
    assert np.array_equal(pcm.load(tmp_path / "a.wav", RATE), np.full(RATE, 300 / 32768))


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_a_tone_survives_a_change_of_rate(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1000, rate=rate), rate, subtype="FLOAT")
    loaded = pcm.load(tmp_path / "a.wav", RATE)
    inside = slice(1000, -1000)  # away from the edges, which ring
    np.testing.assert_allclose(loaded[inside], tone(1000)[inside], atol=1e-4)


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("suffix", ["mp3", "ogg", "flac", "wav"])
def test_every_format_is_read(tmp_path: Path, suffix: str, rate: int) -> None:
    stereo = np.stack([tone(440, rate=rate), tone(440, rate=rate)], axis=1)
    soundfile.write(tmp_path / f"a.{suffix}", stereo, rate)
    loaded = pcm.load(tmp_path / f"a.{suffix}", RATE)
    assert loaded.shape == (RATE,)
    assert loaded.dtype == np.float32
    assert loudest_hz(loaded, RATE) == 440
    assert np.abs(loaded[1000:-1000]).max() == pytest.approx(0.5, rel=0.05)


def test_overshoots_are_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, peak=1.5), RATE, subtype="FLOAT")
    loaded = pcm.load(tmp_path / "a.wav", RATE)
    assert (loaded.min(), loaded.max()) == (-1, 1)


def test_the_recordings_of_the_wheel(beckett: Path, two_cities: Path) -> None:
    assert len(pcm.load(beckett, RATE)) == soundfile.info(beckett).frames
    expected = soundfile.info(two_cities).frames * RATE / 48_000
    assert len(pcm.load(two_cities, RATE)) == pytest.approx(expected, abs=1)


def test_librispeech_is_read_to_the_bit(clips: list[tuple[str, Path, str, str]]) -> None:
    for _, path, _, _ in clips:
        integers, _ = soundfile.read(path, dtype="int16")
        assert np.array_equal(pcm.load(path, RATE) * 32768, integers)


# ---- files that are refused ------------------------------------------------------------------


def refused(path: Path, match: str, rate: int = RATE) -> None:
    """The file is refused, by a message that names it."""
    with pytest.raises(AudioError, match=match) as caught:
        pcm.load(path, rate)
    assert str(path) in str(caught.value)


def test_missing(tmp_path: Path) -> None:
    refused(tmp_path / "a.wav", "No such file")


def test_a_folder(tmp_path: Path) -> None:
    refused(tmp_path, "it is a folder")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    refused(tmp_path / "a.wav", "it is a pipe")


def test_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    refused(tmp_path / "a.wav", "is empty")


def test_no_frames(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE)
    refused(tmp_path / "a.wav", "no samples")


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "raw", "txt"])
def test_text_under_another_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text("Once upon a midnight dreary, while I pondered, weak and weary\n" * 50)
    refused(path, "cannot be read as audio")


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, int(seconds * RATE))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_a_broken_download(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(2), RATE)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "cut short|cannot be read as audio")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_floats_that_are_no_numbers(tmp_path: Path, bad: float) -> None:
    samples = tone(440)
    samples[5000] = bad
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    refused(tmp_path / "a.wav", "NaN or infinite")


def test_floats_in_other_units(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440) * 32768, RATE, subtype="FLOAT")
    refused(tmp_path / "a.wav", r"up to 16384.*divide by 32768")


@pytest.mark.parametrize("peak", [0.0, 0.4 / 32768, 0.5 / 32768])
def test_silence(tmp_path: Path, peak: float) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(RATE, peak), RATE, subtype="FLOAT")
    refused(tmp_path / "a.wav", "silent")


def test_one_step_is_not_silence(tmp_path: Path) -> None:
    samples = np.zeros(RATE, np.int16)
    samples[100] = -1
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    assert pcm.load(tmp_path / "a.wav", RATE)[100] == -1 / 32768


@pytest.mark.parametrize("gain", [1.0, 1.1, 0.9])
def test_channels_that_cancel_are_refused(tmp_path: Path, gain: float) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([tone(440), -gain * tone(440)], axis=1), RATE)
    refused(tmp_path / "a.wav", r"The channels of .*a\.wav cancel each other")
    with pytest.raises(AudioError, match="cancel each other"):
        read_whole(tmp_path / "a.wav", RATE)


@pytest.mark.parametrize(
    "others",
    [[], [tone(440)], [np.zeros(RATE)], [np.zeros(RATE)] * 7, [tone(441)], [-0.7 * tone(440)]],
)
def test_channels_that_do_not_cancel_are_mixed(tmp_path: Path, others: list[np.ndarray]) -> None:
    channels = np.stack([tone(440), *others], axis=1)
    soundfile.write(tmp_path / "a.wav", channels, RATE, subtype="FLOAT")
    mixed = channels.mean(axis=1)
    np.testing.assert_allclose(pcm.load(tmp_path / "a.wav", RATE), mixed, atol=1e-6)


def test_shortest_and_longest(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(0.1), RATE)
    assert len(pcm.load(path, RATE, max_seconds=0.1)) == 1600
    soundfile.write(path, noise(0.1)[1:], RATE)
    refused(path, r"lasts 0\.0999375 s, expected at least 0\.1 s")
    soundfile.write(path, noise(0.2), RATE)
    with pytest.raises(AudioError, match=r"lasts 0\.2 s, expected at most 0\.1 s"):
        pcm.load(path, RATE, max_seconds=0.1)


@pytest.fixture
def undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding anything fails the test."""

    def read(*_: object, **__: object) -> None:
        pytest.fail("samples were decoded")

    monkeypatch.setattr(soundfile.SoundFile, "read", read)


def write_long_flac(path: Path, seconds: int, channels: int, rate: int) -> None:
    """A moment of noise, then zeros, which a codec stores in next to nothing."""
    second = np.zeros((rate, channels), np.int16)
    with soundfile.SoundFile(path, "w", rate, channels, "PCM_16") as file:
        file.write(np.random.default_rng(0).normal(0, 0.1, (100, channels)))
        for _ in range(seconds):
            file.write(second)


@pytest.mark.parametrize(
    ("seconds", "channels", "rate", "match"),
    [
        (3_600, 1, 8_000, "lasts 3600.012 s"),
        (119, 8, 96_000, "8 channels, expected at most 67108864 samples"),
    ],
)
def test_a_small_file_that_would_expand_is_not_decoded(
    tmp_path: Path, undecoded: None, seconds: int, channels: int, rate: int, match: str
) -> None:
    path = tmp_path / "a.flac"
    write_long_flac(path, seconds, channels, rate)
    assert path.stat().st_size * 50 < seconds * channels * rate * 4  # against decoded float32
    refused(path, match)


def rewrite_flac_length(path: Path, frames: int) -> None:
    """Make the header claim another number of frames: the low 36 bits of bytes 21 to 25."""
    content = bytearray(path.read_bytes())
    upper = int.from_bytes(content[21:26], "big") >> 36
    content[21:26] = (upper << 36 | frames).to_bytes(5, "big")
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("frames", "match"),
    [
        (2**36 - 1, "lasts 4294967 s"),
        (RATE + 1, "cut short|cannot be read as audio"),
        (0, "does not say how long it is"),
    ],
)
def test_a_header_that_lies(tmp_path: Path, frames: int, match: str) -> None:
    soundfile.write(tmp_path / "a.flac", noise(1), RATE)
    rewrite_flac_length(tmp_path / "a.flac", frames)
    refused(tmp_path / "a.flac", match)


def test_a_rate_that_is_nonsense(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1), RATE)
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", 2**31 - 1)
    path.write_bytes(content)
    refused(path, "sample rate of 2147483647 Hz")


def test_reading_stops_at_the_limit_whatever_the_header_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def endless(_: object, frames: int, **__: object) -> np.ndarray:
        asked.append(frames)
        return np.full((frames, 1), 0.1, np.float32)

    soundfile.write(tmp_path / "a.wav", noise(1), RATE)
    monkeypatch.setattr(soundfile.SoundFile, "read", endless)
    refused(tmp_path / "a.wav", "lasts 120.0001 s, expected at most 120 s")
    assert asked == [120 * RATE + 1]
