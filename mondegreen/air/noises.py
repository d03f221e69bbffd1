"""Recordings of background noise: a folder of them, and the noise behind a sound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from mondegreen.air.transformations import Draws, at_ratio
from mondegreen.airs import Air, Background
from mondegreen.audio.batch import unpadded
from mondegreen.audio.pcm import load
from mondegreen.errors import AudioError, OptionError
from mondegreen.files import key_of
from mondegreen.reading import here, is_file, is_folder, sha256

SUFFIXES: Final = (".wav", ".flac", ".ogg", ".mp3")
LONGEST: Final = 120.0  # s of a recording


@dataclass(frozen=True)
class Recorded:
    """Noise from recordings, at a level relative to the clip's own mean power, as `Noise`.

    Each draw takes a recording and a place to begin in it; one that ends is begun again.

    >>> hum = (torch.tensor([1.0, -1.0]),)
    >>> audio, lengths = torch.full((1, 4), 0.1), torch.tensor([4])
    >>> noise = Recorded(hum, (20.0, 20.0))(audio[None], lengths, Draws.of((0,), 1, 1)) - audio
    >>> [round(size, 3) for size in noise.abs().flatten().tolist()]
    [0.01, 0.01, 0.01, 0.01]
    """

    recordings: tuple[Tensor, ...]  # each [n], at the rate of the audio; none is silent
    snr_db: tuple[float, float]  # range in dB, drawn uniformly

    def __call__(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Transformation`."""
        ratio_db = draws.uniform(*self.snr_db)
        which = draws.integers(len(self.recordings)).tolist()
        begins = draws.uniform(0.0, 1.0).tolist()
        samples = audio.shape[-1]
        rows = [
            torch.stack([self._part(*one, length) for one in zip(numbers, places, strict=True)])
            for numbers, places, length in zip(which, begins, lengths.tolist(), strict=True)
        ]
        padded = torch.stack([pad(row, (0, samples - row.shape[-1])) for row in rows])
        noise = padded.to(audio, non_blocking=True)
        return at_ratio(unpadded(audio, lengths), noise, ratio_db, lengths)

    def _part(self, which: int, begin: float, length: int) -> Tensor:
        """So many samples of a recording, of a mean power of 1; a silent part stays silent."""
        whole = self.recordings[which]
        places = (int(begin * len(whole)) + torch.arange(length)) % len(whole)
        part = whole[places]
        power = part.square().mean().sqrt()
        return part / power if power > 0 else part


@cache
def read_noises(folder: str, sample_rate: int) -> tuple[tuple[Tensor, ...], str]:
    """The recordings of a folder at a rate, and the hash of what they are.

    Raises:
        OptionError: there is no such folder, none in it, or one that cannot be read or is silent.
    """
    if not is_folder(folder):
        raise OptionError(f"The noise's folder {folder} is not there. Name one with recordings.")
    paths = sorted(
        path for path in here(folder).iterdir() if path.suffix.lower() in SUFFIXES and is_file(path)
    )
    if not paths:
        raise OptionError(
            f"The noise's folder {folder} has no recordings. Expected {', '.join(SUFFIXES)} files."
        )
    try:
        sounds = tuple(
            torch.from_numpy(load(path, sample_rate, max_seconds=LONGEST)) for path in paths
        )
    except AudioError as error:
        raise OptionError(f"Noise cannot be read: {error}") from None
    for path, sound in zip(paths, sounds, strict=True):
        if not sound.any():
            raise OptionError(f"{path} is silent, expected noise. Take it out of the folder.")
    return sounds, key_of({"noises": sorted(map(sha256, paths))})


def settled(air: Air, sample_rate: int) -> Air:
    """The air with the hash of its recordings, which are those that it was kept with.

    >>> settled(Air(), 16_000) == Air()  # without recordings there is nothing to add
    True

    Raises:
        OptionError: as `read_noises`, or they are other recordings.
    """
    noise = air.noise
    if noise is None or noise.folder is None:
        return air
    _, contents = read_noises(noise.folder, sample_rate)
    if noise.contents not in (None, contents):
        raise OptionError(
            f"{noise.folder} has other recordings than the noise that was used. Put those back, or"
            " name another air: --air"
        )
    known: Background = noise.model_copy(update={"contents": contents})
    return air.model_copy(update={"noise": known})
