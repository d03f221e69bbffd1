"""The sounds that a page plays: saved samples to the bit, and what is worse than them on purpose.

A page that is opened from a disk may not read files, but it may run scripts that lie beside it; so
each sound is one: it hands its samples, as FLAC in base64, to the page. FLAC files tell their
sounds apart by their length, hence the scripts of a clip are filled up to the longest.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from mondegreen.listening.conditions import Clip, Material
from mondegreen.listening.study import CLEAN
from mondegreen.listening.trials import OBVIOUS, TRAINING, Version
from mondegreen.report.sounds import Pcm

SNR_DB: Final = {OBVIOUS: 0.0, TRAINING: 10.0}  # clip to change, where it is made louder


def scripts(material: Material, clip: Clip, named: Mapping[Version, str]) -> dict[str, str]:
    """The scripts of a clip's sounds, all of one length.

    Args:
        material: where they come from.
        clip: which clip.
        named: its versions that are wanted, and their blind names.

    Raises:
        MondegreenError: a sound can no longer be read.
    """
    conditions = {version.condition for version in named}
    sounds = {condition: pcm(material, clip, condition) for condition in conditions}
    texts = {
        name: script(name, sounds[version.condition], material.rate)
        for version, name in named.items()
    }
    longest = max(map(len, texts.values()))
    return {name: f"{text:<{longest}}\n" for name, text in texts.items()}


def script(name: str, samples: Pcm, rate: int) -> str:
    """A sound as a script; it calls the one function that the page has for that."""
    return f'receive("{name}", "{base64.b64encode(_flac(samples, rate)).decode()}");'


def _flac(samples: Pcm, rate: int) -> bytes:
    """A FLAC file of 24 bits, the last eight of them empty, which cost nothing.

    Chromium divides positive samples by the largest number of their width and negative ones by one
    more. With 16 bits that bends a sound at -96 dB; with 24, nothing of it is left in a float32.
    """
    file = io.BytesIO()
    soundfile.write(file, samples.astype(np.int32) << 16, rate, format="FLAC", subtype="PCM_24")
    return file.getvalue()


def pcm(material: Material, clip: Clip, condition: str) -> Pcm:
    """[T] int16: a clip in a condition, which may be "clean", "obvious" or "training"."""
    first = material.conditions[0].label
    sounds = material.read(clip, first if condition in (CLEAN, *SNR_DB) else condition)
    if condition in SNR_DB:
        return louder(sounds.original, sounds.adversarial, SNR_DB[condition])
    return sounds.original if condition == CLEAN else sounds.adversarial


def loudness(material: Material) -> float:
    """The root mean square of all clean clips together, of full scale."""
    clips = (pcm(material, clip, CLEAN).astype(np.float64) / 32768 for clip in material.clips)
    sums, lengths = zip(*((float(clip @ clip), len(clip)) for clip in clips), strict=True)
    return round(float(np.sqrt(sum(sums) / sum(lengths))), 6)


def louder(clean: Pcm, adversarial: Pcm, snr_db: float) -> Pcm:
    """[T] int16: the clip with its change, or white noise, at a ratio of signal to noise.

    The noise is for a clip that nothing was changed in. What exceeds full scale is clipped.
    """
    clip = clean.astype(np.float64)
    change: NDArray[np.float64] = adversarial - clip
    if not change.any():
        change = np.random.default_rng(0).standard_normal(len(clip))
    gain = np.sqrt(np.mean(clip**2) / np.mean(change**2)) * 10 ** (-snr_db / 20)
    limits = np.iinfo(np.int16)
    scaled: Pcm = np.clip(np.rint(clip + gain * change), limits.min, limits.max).astype(np.int16)
    return scaled
