"""Sounds and pictures of a page: the saved samples to the bit, levels in place, on shelves."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile
from PIL import Image
from report_runs import RATE, sign, some_levels, sound_item, steps, write_sounds
from safetensors.numpy import save as safetensors_bytes
from test_tables import a_record

from mondegreen import MondegreenError
from mondegreen.audio.pcm import encode
from mondegreen.errors import StorageError
from mondegreen.report.page.exhibits import (
    COLOURS,
    HERTZ,
    SECONDS,
    Tick,
    legend,
    picture,
    scale_ticks,
    ticks,
)
from mondegreen.report.page.media import Shelf
from mondegreen.results.folder import DELTA, WAV
from mondegreen.results.item import read_record
from mondegreen.results.levels import Levels
from mondegreen.results.sounds import read_sounds

# ---- sounds


def test_the_recording_is_the_saved_file_without_its_perturbation(tmp_path: Path) -> None:
    clean, delta = steps(0.5, noise=3)
    folder = sound_item(tmp_path / "a", 0.5, noise=3, audio="/somewhere/else.wav")
    sounds = read_sounds(folder, read_record(folder))
    np.testing.assert_array_equal(sounds.original, clean)
    np.testing.assert_array_equal(sounds.adversarial, clean + delta)
    assert (sounds.rate, sounds.seconds) == (RATE, 0.5)


def test_flac_gives_the_samples_back_to_the_bit() -> None:
    every = np.arange(-32_768, 32_768).astype(np.int16)
    np.random.default_rng(0).shuffle(every)
    for rate in (8_000, 16_000, 44_100):
        decoded, found = soundfile.read(io.BytesIO(encode(every, rate, "FLAC")), dtype="int16")
        np.testing.assert_array_equal(decoded, every)
        assert found == rate


@pytest.mark.parametrize(("peak", "decibels"), [(16_384, 0.0), (1, 84.2884), (32_768, -6.0206)])
def test_the_perturbation_is_brought_to_half_of_full_scale(
    tmp_path: Path, peak: int, decibels: float
) -> None:
    delta = np.array([0, peak, -peak, peak // 2] * 100)
    folder = sound_item(tmp_path / "a")
    clean = np.where(delta > 0, -1, 0)  # so that the sum is 16-bit
    write_sounds(folder, clean, delta)
    sign(folder, a_record())
    sounds = read_sounds(folder, read_record(folder))
    assert sounds.perturbation is not None
    assert sounds.perturbation[:3].tolist() == [0, 16_384, -16_384]
    assert sounds.gain_db == pytest.approx(decibels, abs=1e-3)


def test_of_no_perturbation_there_is_nothing_to_hear(tmp_path: Path) -> None:
    folder = sound_item(tmp_path / "a")
    write_sounds(folder, np.ones(400, np.int16), np.zeros(400, int))
    sign(folder, a_record())
    assert read_sounds(folder, read_record(folder)).perturbation is None


def damage_audio(folder: Path) -> None:
    (folder / WAV).write_bytes((folder / WAV).read_bytes()[:-2] + b"xx")


def swap_perturbation(folder: Path) -> None:
    (folder / DELTA).write_bytes(safetensors_bytes({"delta": np.zeros(RATE, np.float32)}))


def lose_audio(folder: Path) -> None:
    (folder / WAV).unlink()


@pytest.mark.parametrize("harm", [damage_audio, swap_perturbation, lose_audio])
def test_other_files_than_those_that_were_saved_are_refused(tmp_path: Path, harm) -> None:
    folder = sound_item(tmp_path / "a")
    harm(folder)
    with pytest.raises(MondegreenError, match=r"is missing|is not the file that was saved"):
        read_sounds(folder, read_record(folder))


@pytest.mark.parametrize(
    ("delta", "why"),
    [
        (np.full(RATE, 0.3 / 32_768), "not a whole number of 16-bit steps"),
        (np.full(RATE, np.nan), "not a whole number of 16-bit steps"),
        (np.full(RATE, np.inf), "not a whole number of 16-bit steps"),
        (np.zeros(RATE - 1), "differ in length"),
        (np.full(RATE, -1.5), "would exceed 16 bits"),
    ],
)
def test_what_no_attack_writes_is_refused(tmp_path: Path, delta: np.ndarray, why: str) -> None:
    folder = sound_item(tmp_path / "a")
    (folder / DELTA).write_bytes(safetensors_bytes({"delta": delta.astype(np.float32)}))
    sign(folder, a_record())
    with pytest.raises(MondegreenError, match=why):
        read_sounds(folder, read_record(folder))


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", safetensors_bytes({"other": np.zeros(3, np.float32)})]
)
def test_files_that_cannot_be_read_are_an_error_that_says_so(
    tmp_path: Path, content: bytes
) -> None:
    for name in (WAV, DELTA):
        folder = sound_item(tmp_path / name)
        (folder / name).write_bytes(content)
        sign(folder, a_record())
        with pytest.raises(MondegreenError, match="cannot be read"):
            read_sounds(folder, read_record(folder))


# ---- pictures


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def one_band(*decibels: float, frame_seconds: float = 0.032) -> Levels:
    array = np.array([[2 * d for d in decibels]], np.uint8).T
    return Levels(frame_seconds, 31.25, array, array, array, array)


def test_low_frequencies_are_below_and_time_goes_to_the_right() -> None:
    array = np.array([[2, 4], [6, 8], [10, 12]], np.uint8)  # three frames of two bands
    levels = Levels(0.032, 31.25, array, array, array, array)
    assert pixels(picture(array, levels, 0.0)).tolist() == [[2, 4, 6], [1, 3, 5]]


def test_frames_stand_at_their_middles_and_the_ends_are_dark() -> None:
    # a window of 0.128 s: the first frame's middle is at 0.064 s, two columns of 0.032 s in
    levels = one_band(90, 90, 90)
    assert pixels(picture(levels.clip, levels, 0.192)).tolist() == [[0, 0, 90, 90, 90, 0]]


def test_levels_of_another_sound_ask_for_no_endless_picture() -> None:
    levels = one_band(90, 90, frame_seconds=1e-9)
    wide = pixels(picture(levels.clip, levels, 60.0))
    assert wide.shape[1] <= 6


def test_a_clip_of_one_frame_has_a_picture_of_one_column() -> None:
    levels = one_band(90, frame_seconds=0.0)
    assert pixels(picture(levels.clip, levels, 0.1)).shape == (1, 1)


def test_colours_are_in_proportion_to_decibels_and_end_where_their_scale_does() -> None:
    levels = one_band(0, 0.5, 20, 96, 127)
    assert pixels(picture(levels.delta, levels, 0.0)).tolist() == [[0, 0, 20, 96, 96]]


def test_the_legend_has_every_colour_once_from_dark_to_bright() -> None:
    image = Image.open(io.BytesIO(legend()))
    assert np.asarray(image).tolist() == [list(range(COLOURS))]
    luma = np.asarray(image.convert("L"), int)[0]
    assert luma[0] == 0
    assert (np.diff(luma) >= 0).all()
    assert luma[-1] > 230


def test_all_levels_have_one_palette() -> None:
    levels = some_levels()
    pngs = [picture(of, levels, 1.0) for of in (levels.clip, levels.theta, levels.delta)]
    palettes = {bytes(Image.open(io.BytesIO(png)).palette.palette) for png in [*pngs, legend()]}
    assert len(palettes) == 1


def test_ticks_are_where_they_say() -> None:
    found = ticks(2.5, SECONDS, 10)
    assert [tick.label for tick in found] == ["0", "0.5", "1", "1.5", "2", "2.5"]
    assert [tick.at for tick in found] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert [tick.label for tick in ticks(9.2, SECONDS, 10)] == [str(n) for n in range(10)]
    assert ticks(0.0, SECONDS, 10) == [Tick(0.0, "0")]
    assert len(ticks(1e6, SECONDS, 10)) <= 3
    marks = ticks(257 * 31.25, HERTZ, 5, 1000)
    assert [tick.label for tick in marks] == ["0", "2", "4", "6", "8"]
    assert marks[-1].at == pytest.approx(8_000 / (257 * 31.25))
    assert [tick.label for tick in scale_ticks()] == ["0", "24", "48", "72", "96"]
    assert [tick.at for tick in scale_ticks()] == [0.0, 0.25, 0.5, 0.75, 1.0]


# ---- shelves


def test_few_media_are_inside(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "page.html", inside=5)
    medium = shelf.put("legend", b"12345", "png")
    assert shelf.address(medium) == "data:image/png;base64," + base64.b64encode(b"12345").decode()
    assert not shelf.beside
    assert list(tmp_path.iterdir()) == []


def test_many_are_all_beside_the_page_which_knows_where(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "my page #1.html", inside=5)
    media = {content: shelf.put("sound", content, "flac") for content in (b"123", b"456", b"789")}
    assert shelf.beside
    for content, medium in media.items():
        assert shelf.address(medium).startswith("my%20page%20%231-files/sound-")
        assert (tmp_path / unquote(shelf.address(medium))).read_bytes() == content


def test_what_occurs_twice_is_kept_once(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "page.html", inside=5)
    first, second = (shelf.put("sound", b"1234", "flac") for _ in range(2))
    assert first == second
    assert shelf.size == 4
    assert not shelf.beside


def test_only_what_earlier_pages_left_is_cleared_away(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    earlier = Shelf(page, inside=0)
    old = earlier.address(earlier.put("sound", b"old", "flac"))
    (tmp_path / "page-files" / "mine.flac").write_bytes(b"not yours")
    shelf = Shelf(page, inside=0)
    new = shelf.address(shelf.put("sound", b"new", "flac"))
    shelf.clear_away()
    assert not (tmp_path / old).exists()
    assert (tmp_path / new).exists()
    small = Shelf(page)
    small.clear_away()
    assert [path.name for path in (tmp_path / "page-files").iterdir()] == ["mine.flac"]
    (tmp_path / "page-files" / "mine.flac").unlink()
    Shelf(page, inside=0).put("sound", b"old", "flac")
    small.clear_away()
    assert not (tmp_path / "page-files").exists()


def test_a_folder_that_cannot_be_made_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "page-files").write_text("a file")
    with pytest.raises(StorageError, match="could not be made"):
        Shelf(tmp_path / "page.html", inside=0).put("sound", b"1", "flac")
