"""Passages: which samples they are, and reading them out of long recordings."""

from __future__ import annotations

import tracemalloc
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mondegreen.audio import pcm
from mondegreen.audio.passage import Excerpt, Passage, read_excerpt, read_part, read_whole
from mondegreen.audio.pcm import FULL_SCALE, load, save, to_pcm16
from mondegreen.errors import AudioError

RATE = 16_000


def noise(seconds: float, rate: int = RATE, channels: int = 1, seed: int = 0) -> np.ndarray:
    shape = (int(seconds * rate), channels)
    return np.random.default_rng(seed).normal(size=shape).clip(-5, 5) * 0.1


# ---- which samples ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "end", "samples"),
    [
        (0.0, 1.0, (0, 16_000)),
        (1.5, None, (24_000, 64_000)),
        (0.0, None, (0, 64_000)),
        (3.0, 4.0, (48_000, 64_000)),
        (3.0, 4.05, (48_000, 64_000)),  # rounded up, in a manifest
        (0.00001, 0.10001, (0, 1_600)),
    ],
)
def test_a_passage_is_so_many_samples(
    begin: float, end: float | None, samples: tuple[int, int]
) -> None:
    assert Passage(begin, end).within(64_000, RATE) == samples


@pytest.mark.parametrize(
    ("begin", "end", "match"),
    [
        (nan, None, "from nan s to the end, expected seconds"),
        (0.0, nan, "to nan s, expected seconds"),
        (inf, None, "from inf s to the end, expected seconds"),
        (-1.0, 2.0, "from -1 s to 2 s, expected seconds"),
        (2.0, 1.0, "from 2 s to 1 s, expected one that ends at least 0.1 s after"),
        (1.0, 1.05, "from 1 s to 1.05 s, expected one that ends at least 0.1 s after"),
    ],
)
def test_what_is_no_passage(begin: float, end: float | None, match: str) -> None:
    with pytest.raises(AudioError, match=match):
        Passage(begin, end)


@pytest.mark.parametrize(
    ("begin", "end", "match"),
    [
        (3.0, 4.06, "from 3 s to 4.06 s, and the recording lasts 4 s. Name a passage within it"),
        (4.0, None, "from 4 s to the end, and the recording lasts 4 s"),
        (9.0, 10.0, "from 9 s to 10 s, and the recording lasts 4 s"),
        (3.95, None, "which lasts 0.05 s, expected 0.1 to 120 s"),
    ],
)
def test_what_the_recording_does_not_have(begin: float, end: float | None, match: str) -> None:
    with pytest.raises(AudioError, match=match):
        Passage(begin, end).within(64_000, RATE)


def test_a_passage_is_as_short_as_a_clip() -> None:
    hour = 3600 * RATE
    assert Passage(600.0, 720.0).within(hour, RATE) == (9_600_000, 11_520_000)
    with pytest.raises(AudioError, match=r"which lasts 121 s, expected 0\.1 to 120 s"):
        Passage(600.0, 721.0).within(hour, RATE)


# ---- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_passage_is_that_part_of_what_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, rate: int
) -> None:
    monkeypatch.setattr(pcm, "BLOCK", 20_000)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(3, rate, channels=2), rate)
    excerpt = read_excerpt(path, RATE, Passage(1.3, 2.4))
    loaded = to_pcm16(load(path, RATE))
    assert (excerpt.begin, excerpt.end) == (20_800, 38_400)
    assert np.array_equal(excerpt.whole, loaded)
    assert np.array_equal(excerpt.clean * FULL_SCALE, loaded[20_800:38_400])


def test_an_hour_is_not_held_in_memory(tmp_path: Path) -> None:
    path, rate = tmp_path / "hour.wav", 1_000
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        for minute in range(60):
            file.write(noise(60, rate, seed=minute))
    tracemalloc.start()
    excerpt = read_excerpt(path, RATE, Passage(3000.0, 3006.0))  # in the 51st minute
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(excerpt.whole) == 3600 * RATE  # 115 MB
    assert peak < 60e6
    minute = noise(60, rate, seed=50)[:, 0]
    clean = excerpt.clean[::16]  # these are samples of the file, nearly
    assert np.corrcoef(clean, minute[: 6 * rate])[0, 1] > 0.95


def test_more_than_an_hour(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(3601 * 1000, np.int16), 1000)
    with pytest.raises(AudioError, match="lasts 3601 s, expected at most 3600 s"):
        read_excerpt(tmp_path / "a.wav", RATE, Passage(0, 1))


@pytest.mark.parametrize(
    ("part", "match"),
    [
        (slice(1 << 20, None), r"a\.wav holds NaN"),  # in the last block
        (slice(0, 16_000), r"a\.wav: the passage from 0 s to 1 s is silent"),
    ],
)
def test_what_cannot_be_attacked(tmp_path: Path, part: slice, match: str) -> None:
    sound = noise(66)
    sound[part] = 0.0 if part.start == 0 else nan
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=match):
        read_excerpt(tmp_path / "a.wav", RATE, Passage(0, 1))


def test_half_a_recording_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", noise(4), RATE)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=r"a\.flac"):
        read_whole(tmp_path / "a.flac", RATE)


# ---- the recording with another passage ------------------------------------------------------


def test_all_else_stays_as_it_is() -> None:
    whole = np.arange(-5000, 5000).astype(np.int16)
    excerpt = Excerpt(whole, 2000, 6000)
    found = excerpt.replaced(np.full(4000, 0.5, np.float32))
    assert np.array_equal(found[:2000], whole[:2000])
    assert np.array_equal(found[6000:], whole[6000:])
    assert set(found[2000:6000]) == {16_384}
    assert whole[3000] == -2000  # a copy


def test_a_part_of_a_saved_file(tmp_path: Path) -> None:
    whole = noise(2)[:, 0]
    save(tmp_path / "a.wav", whole, RATE)
    assert np.array_equal(read_part(tmp_path / "a.wav", RATE, (700, 900)), to_pcm16(whole[700:900]))
    for begin, end in ((900, 700), (-1, 5), (0, 32_001)):
        with pytest.raises(AudioError, match=f"has 32000 samples.*samples {begin} to {end}"):
            read_part(tmp_path / "a.wav", RATE, (begin, end))
    with pytest.raises(AudioError, match="not what was saved: mono 16-bit at 8000 Hz"):
        read_part(tmp_path / "a.wav", 8_000)
