"""Folders of noise, and how loud it is behind a sound in a room."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from toy import toy_rooms

from mondegreen.air.noises import Recorded, read_noises, settled
from mondegreen.air.transformations import Draws, apply
from mondegreen.airs import Air, Background
from mondegreen.audio.pcm import save
from mondegreen.errors import OptionError

RATE = 16_000


def sound(seed: int, samples: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = 0.1 * torch.randn(samples, generator=generator, dtype=torch.float64)
    return (noise * 32768).round() / 32768


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    noises = tmp_path / "noises"
    noises.mkdir()
    save(noises / "b.wav", sound(1, 1800), RATE)
    save(noises / "a.wav", sound(2, 5000), RATE)
    (noises / "notes.txt").write_text("where they are from")
    return noises


def air(folder: Path) -> Air:
    return Air(noise=Background(snr_db=(20.0, 20.0), folder=str(folder)))


def test_recordings_are_read_in_the_order_of_their_names(folder: Path) -> None:
    sounds, _ = read_noises(str(folder), RATE)
    assert [len(one) for one in sounds] == [5000, 1800]
    torch.testing.assert_close(sounds[1].double(), sound(1, 1800), rtol=0, atol=1e-7)


def test_they_come_at_the_recognisers_rate(folder: Path) -> None:
    assert [len(one) for one in read_noises(str(folder), 8_000)[0]] == [2500, 900]


@pytest.mark.parametrize("wanted", [30.0, 3.0, -6.0])
def test_the_level_is_that_of_the_sound_in_its_room(folder: Path, wanted: float) -> None:
    audio, lengths = torch.stack([sound(3, 4000), sound(4, 4000)]), torch.tensor([4000, 2500])
    noise = Recorded(read_noises(str(folder), RATE)[0], (wanted, wanted))
    there = apply([toy_rooms()], audio, lengths, Draws.of((5,), 2, 3))
    heard = apply([toy_rooms(), noise], audio, lengths, Draws.of((5,), 2, 3))
    power, added = there.square().sum(-1), (heard - there).square().sum(-1)
    ratio = 10 * (power / added).log10()
    torch.testing.assert_close(ratio, torch.full_like(ratio, wanted), rtol=0, atol=1e-3)


def test_a_short_recording_is_begun_again_and_a_long_one_is_cut(folder: Path) -> None:
    (long, short) = read_noises(str(folder), RATE)[0]
    audio, lengths = torch.ones(1, 1, 3000, dtype=torch.float64), torch.tensor([3000])
    added = Recorded((short,), (0.0, 0.0))(audio, lengths, Draws.of((5,), 1, 1))[0, 0] - 1
    torch.testing.assert_close(added[:1200], added[1800:])
    part = Recorded((long,), (0.0, 0.0))(audio, lengths, Draws.of((5,), 1, 1))[0, 0] - 1
    twice = torch.cat([long, long]).double()
    fits = torch.nn.functional.conv1d(twice[None, None], part[None, None])[0, 0]
    norms = twice.square().unfold(0, 3000, 1).sum(-1).sqrt() * part.square().sum().sqrt()
    assert float((fits / norms).max()) == pytest.approx(1)


def test_a_folder_is_known_by_what_its_recordings_are(folder: Path, tmp_path: Path) -> None:
    known = settled(air(folder), RATE)
    assert settled(known, RATE) == known
    moved = folder.rename(tmp_path / "moved")
    (moved / "a.wav").rename(moved / "z.wav")
    assert settled(air(moved), RATE).noise.contents == known.noise.contents  # type: ignore[union-attr]
    kept = known.noise.contents  # type: ignore[union-attr]
    background = Background(snr_db=(20.0, 20.0), folder=str(moved), contents=kept)
    save(moved / "z.wav", sound(9, 5000), RATE)
    read_noises.cache_clear()  # as another process would read them
    with pytest.raises(OptionError, match=r"moved has other recordings than .* --air"):
        settled(Air(noise=background), RATE)


def test_a_folder_that_cannot_serve_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="gone is not there"):
        settled(air(tmp_path / "gone"), RATE)
    with pytest.raises(OptionError, match=r"has no recordings. Expected .wav"):
        settled(air(tmp_path), RATE)  # it holds only a folder
    save(folder / "quiet.wav", torch.zeros(2000), RATE)
    with pytest.raises(OptionError, match=r"quiet.wav is silent"):
        settled(air(folder), RATE)
    (folder / "quiet.wav").write_bytes(b"RIFF, and then nothing")
    with pytest.raises(OptionError, match=r"Noise cannot be read: .*quiet.wav"):
        settled(air(folder), RATE)
