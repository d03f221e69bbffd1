"""Levels beside an item: what is written is read, to half a decibel; damaged files are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from safetensors.numpy import save_file
from toy import TARGET, linear_victim, speech

from mondegreen import MondegreenError, attack
from mondegreen.audio.pcm import save
from mondegreen.measures.spectra import Spectra, levels
from mondegreen.measures.spectra import spectra as measured
from mondegreen.results.levels import Levels, levels_beside, read_levels

AXES = {"frame_seconds": "0.032", "band_hertz": "31.25"}


def spectra(
    clip: NDArray[np.float64],
    theta: NDArray[np.float64],
    delta: NDArray[np.float64],
    heard: NDArray[np.bool_] | None = None,
) -> Spectra:
    """Spectra with frames every 32 ms and bins every 10 Hz."""
    frames, bins = clip.shape
    return Spectra(
        seconds=np.arange(frames) * 0.032,
        hertz=np.arange(bins) * 10.0,
        heard=np.ones(bins, bool) if heard is None else heard,
        clip=clip,
        theta=theta,
        maskers=np.zeros((frames, bins), bool),
        delta=delta,
    )


def constant(value: float, bins: int = 9, frames: int = 2) -> NDArray[np.float64]:
    return np.full((frames, bins), value)


# ---- from spectra to bands


def test_a_band_has_the_loudest_of_its_four_bins_in_half_decibels() -> None:
    clip = constant(10.0)
    clip[0, :9] = [1, 2, 40.2, 3, 7.3, 96, 5, 6, 12.75]  # the last band has one bin alone
    found = levels(spectra(clip, constant(0.0), constant(0.0)))
    assert found.clip.dtype == np.uint8
    assert found.clip.tolist() == [[80, 192, 26], [20, 20, 20]]  # 40.0, 96.0, 13.0 dB
    assert found.decibels("clip")[0].tolist() == [40.0, 96.0, 13.0]


def test_what_lies_outside_of_the_scale_is_at_its_ends() -> None:
    found = levels(spectra(constant(-20.0), constant(127.5), constant(300.0)))
    assert set(found.decibels("clip").ravel()) == {0.0}
    assert set(found.decibels("theta").ravel()) == {127.5}
    assert set(found.decibels("delta").ravel()) == {127.5}


def test_the_excess_is_that_of_the_worst_bin_and_not_of_the_bands() -> None:
    theta, delta = constant(30.0, 4, 1), constant(10.0, 4, 1)
    theta[0] = [60, 30, 30, 30]  # the band's θ is 60, its δ 45: bin by bin, δ is 15 dB above
    delta[0] = [20, 45, 20, 20]
    found = levels(spectra(constant(0.0, 4, 1), theta, delta))
    assert found.decibels("theta").tolist() == [[60.0]]
    assert found.decibels("delta").tolist() == [[45.0]]
    assert found.decibels("excess").tolist() == [[15.0]]


def test_bins_without_a_threshold_in_quiet_have_no_excess() -> None:
    heard = np.array([False] * 4 + [True] * 4)
    found = levels(spectra(constant(0, 8), constant(10, 8), constant(22, 8), heard))
    assert found.decibels("excess").tolist() == [[0.0, 12.0]] * 2


def test_axes_are_the_middles_of_frames_and_bands() -> None:
    found = levels(spectra(constant(1.0, 8), constant(1.0, 8), constant(1.0, 8)))
    assert (found.frame_seconds, found.band_hertz) == (0.032, 40.0)
    assert found.seconds.tolist() == [0.05, 0.082]  # a window is 1 / 10 Hz long
    assert found.hertz.tolist() == [20.0, 60.0]


def test_a_single_frame_has_levels_too() -> None:
    found = levels(spectra(*[constant(5.0, 4, 1)] * 3))
    assert (found.frame_seconds, found.clip.tolist()) == (0.0, [[10]])


bands = arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 7)))


@settings(deadline=None)
@given(clip=bands, frame=st.floats(0, 10), band=st.floats(1e-3, 1e5))
def test_what_is_written_is_read(tmp_path_factory, clip, frame: float, band: float) -> None:
    path = tmp_path_factory.mktemp("levels") / "levels.safetensors"
    written = Levels(frame, band, clip, clip // 2, clip // 3, clip // 4)
    path.write_bytes(written.to_bytes())
    read = read_levels(path)
    assert (read.frame_seconds, read.band_hertz) == (frame, band)
    for name in ("clip", "theta", "delta", "excess"):
        assert np.array_equal(getattr(read, name), getattr(written, name))


# ---- what is no such file


def write(path: Path, axes: dict[str, str] | None = None, **changes: object) -> Path:
    good = dict.fromkeys(("clip", "theta", "delta", "excess"), np.zeros((3, 2), np.uint8))
    kept = {name: array for name, array in (good | changes).items() if array is not None}
    told = json.dumps(AXES if axes is None else axes)
    save_file(kept, path, metadata={"axes": told})
    return path


def test_the_same_levels_are_the_same_bytes() -> None:
    small = np.zeros((1, 1), np.uint8)
    assert len({Levels(0.1, 31.25, small, small, small, small).to_bytes() for _ in range(40)}) == 1


def test_the_file_that_damaged_ones_are_made_from_is_good(tmp_path: Path) -> None:
    assert read_levels(write(tmp_path / "x")).clip.shape == (3, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"excess": None},
        {"delta": np.zeros((3, 3), np.uint8)},
        {"clip": np.zeros((3, 2), np.float32)},
        dict.fromkeys(("clip", "theta", "delta", "excess"), np.zeros((3, 2), np.float32)),
        dict.fromkeys(("clip", "theta", "delta", "excess"), np.zeros(6, np.uint8)),
        dict.fromkeys(("clip", "theta", "delta", "excess"), np.zeros((0, 2), np.uint8)),
        {"axes": {}},
        {"axes": {"frame_seconds": "0.032"}},
        {"axes": AXES | {"frame_seconds": "soon"}},
        {"axes": AXES | {"frame_seconds": "nan"}},
        {"axes": AXES | {"frame_seconds": "-1"}},
        {"axes": AXES | {"band_hertz": "inf"}},
        {"axes": AXES | {"band_hertz": "0"}},
    ],
    ids=repr,
)
def test_other_arrays_and_axes_are_refused(tmp_path: Path, changes) -> None:
    path = write(tmp_path / "levels.safetensors", **changes)
    with pytest.raises(MondegreenError, match="no levels to draw"):
        read_levels(path)


def test_a_file_that_is_missing_empty_or_cut_says_what_to_do(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole").read_bytes()
    for content in (None, b"", b"{}", whole[:20], whole[:-1], b"\xff" * 100):
        path = tmp_path / "levels.safetensors"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(MondegreenError, match=r"levels\.safetensors .* Attack the clip again"):
            read_levels(path)


# ---- of an attack


def test_the_levels_of_an_attack_say_what_its_record_says(tmp_path: Path) -> None:
    save(tmp_path / "clip.wav", speech(length=20_000), 16_000)
    result = attack(linear_victim(length=20_000), tmp_path / "clip.wav", TARGET, max_passes=60)
    folder = result.save(tmp_path / "item")
    record = json.loads((folder / "record.json").read_text())
    read = read_levels(folder / "levels.safetensors")
    assert 0 < record["masking"]["max_excess_db"] < 127
    assert read.decibels("excess").max() == pytest.approx(
        record["masking"]["max_excess_db"], abs=0.5
    )
    assert read.decibels("clip").max() == 96.0  # the scale of eq. (13)
    assert (read.frame_seconds, read.band_hertz) == (512 / 16_000, 4 * 16_000 / 2048)
    assert read.seconds[-1] < 20_000 / 16_000 < read.seconds[-1] + 0.128


# ---- of another sound, beside the original


def a_sound(seconds: float, rate: int, seed: int = 0) -> NDArray[np.int16]:
    """Noise that grows, so that every frame has its own level."""
    random, count = np.random.default_rng(seed), round(seconds * rate)
    return np.rint(random.normal(size=count) * np.linspace(10, 3000, count)).astype(np.int16)


def its_levels(sound: NDArray[np.int16], rate: int, loudest: float = 0.0) -> Levels:
    """As they are measured when an item is made."""
    full_scale = (sound / 32768).astype(np.float32)
    return levels(measured(full_scale, rate, full_scale, loudest=loudest))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("seconds", [0.1, 1.0])
def test_the_original_beside_itself_has_its_own_levels(rate: int, seconds: float) -> None:
    sound = a_sound(seconds, rate)
    kept = its_levels(sound, rate)
    found = levels_beside(kept, sound, sound, rate)
    assert np.abs(found.astype(int) - kept.clip).max() <= 1  # half a decibel, by rounding


def test_another_sound_is_on_the_scale_of_the_original() -> None:
    sound = a_sound(1.0, 16_000)
    kept = its_levels(sound, 16_000)
    quieter = levels_beside(kept, sound, (sound / 10).astype(np.int16), 16_000)
    lower = kept.clip.astype(int) - quieter
    assert np.median(lower) == 40  # 20 dB


def test_in_a_passage_the_loudest_bin_of_the_recording_may_be_elsewhere() -> None:
    sound = a_sound(1.0, 16_000)
    kept = its_levels(sound, 16_000, loudest=1.0)
    assert kept.clip.max() < 2 * 96
    found = levels_beside(kept, sound, sound, 16_000)
    assert np.abs(found.astype(int) - kept.clip).max() <= 1


def test_of_silence_the_scale_is_that_of_the_change() -> None:
    silence, sound = np.zeros(16_000, np.int16), a_sound(1.0, 16_000)
    change = (sound / 32768).astype(np.float32)
    kept = levels(measured(silence.astype(np.float32), 16_000, change))
    assert 0 < kept.delta.max() < 2 * 96
    found = levels_beside(kept, silence, sound, 16_000)
    assert np.abs(found.astype(int) - kept.delta).max() <= 1
    unchanged = levels(measured(silence.astype(np.float32), 16_000, 0 * change))
    assert not levels_beside(unchanged, silence, silence, 16_000).any()


@pytest.mark.parametrize(
    ("frame_seconds", "band_hertz"),
    [(0.032, 1e-3), (1e3, 31.25), (0.0, 9.0), (0.0, 1e9), (1e-9, 1e9), (1e-4, 31.25)],
)
def test_levels_of_another_sound_are_refused(frame_seconds: float, band_hertz: float) -> None:
    sound = a_sound(1.0, 16_000)
    array = its_levels(sound, 16_000).clip
    other = Levels(frame_seconds, band_hertz, array, array, array, array)
    with pytest.raises(ValueError, match="not of its sounds"):
        levels_beside(other, sound, sound, 16_000)
