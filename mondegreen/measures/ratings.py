"""Yardsticks that are other people's code: PESQ in two versions, Zimtohrli, STOI.

What goes wrong in one of them costs that number and nothing else: it is None, and why is kept
beside it. Each is taken at the rate that it was made for, to which clips are converted.

References: PESQ, ITU-T P.862.2 (wide band, 2007), and the same with P.862 Corrigendum 2 (2018),
which corrects the level of the loudness model; Zimtohrli, github.com/google/zimtohrli, made for
differences near the just noticeable one; STOI, Taal et al. 2011.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import isfinite
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from mondegreen.audio.pcm import resample
from mondegreen.errors import MeasureError, reason
from mondegreen.foreign import find_function, theirs
from mondegreen.measures.apart import measured_apart
from mondegreen.plugins import METRICS, plugins
from mondegreen.results.record import Quality

Audio: TypeAlias = NDArray[np.floating]
T = TypeVar("T")

PESQ_RATE: Final = 16_000  # Hz, the only rate of wide-band PESQ
PESQ_SECONDS: Final = 30.0  # the longest speech that P.862 was validated on
WIDE_RATE: Final = 48_000  # Hz, the only rate of Zimtohrli and of ViSQOL for all sounds
# Under a tenth of a second it writes where it must not; its memory grows with the square of the
# length, and two minutes take a gigabyte.
ZIMTOHRLI_SECONDS: Final = (0.2, 120.0)


class Zimtohrli(NamedTuple):
    """How far apart two sounds are, and what listeners are expected to make of it."""

    distance: float  # 0: no difference
    mos: float  # mean opinion score, 1 to 5: no difference


def rated(quality: Quality, clean: Audio, adversarial: Audio, sample_rate: int) -> Quality:
    """The same with PESQ, Zimtohrli and STOI of clips `[T]`, and why those that lack do.

    >>> from mondegreen.measures.quality import computed
    >>> clean = np.random.default_rng(0).normal(0, 0.1, 16_000)
    >>> rating = rated(computed(clean, clean, 16_000), clean, clean, 16_000)
    >>> round(rating.stoi, 3), rating.zimtohrli
    (1.0, 0.0)
    """
    unmeasured: dict[str, str] = {}

    def tried(name: str, rating: Callable[[Audio, Audio, int], T]) -> T | None:
        try:
            return rating(clean, adversarial, sample_rate)
        except Exception as error:  # whatever that code does, it costs no more than this number
            unmeasured[name] = reason(error)
            return None

    near = tried("zimtohrli", zimtohrli)
    others = {name: tried(name, partial(_other, name)) for name in plugins(METRICS)}
    return replace(
        quality,
        pesq=tried("pesq", pesq),
        stoi=tried("stoi", stoi),
        pesq_c2=tried("pesq_c2", pesq_c2),
        zimtohrli=near and near.distance,
        zimtohrli_mos=near and near.mos,
        others={name: value for name, value in others.items() if value is not None},
        unmeasured=unmeasured,
    )


def _other(name: str, clean: Audio, adversarial: Audio, sample_rate: int) -> float:
    """What the yardstick of an installed package says: a function of both clips and their rate.

    Raises:
        MeasureError: it says nothing that is a finite number.
        RecogniserError: it fails.
        VictimError: it cannot be imported.
    """
    function = find_function(plugins(METRICS)[name].spec)
    with theirs(name, "ask its maker"):
        value = float(function(clean, adversarial, sample_rate))
    if not isfinite(value):
        raise MeasureError(f"it says {value}")
    return value


def pesq_c2(clean: Audio, adversarial: Audio, sample_rate: int) -> float:
    """Wide-band PESQ with Corrigendum 2 of clips `[T]`: about 1 (bad) to 4.64 (no difference).

    Taken at 16 kHz. Of the optional package `pesqc2`.

    Raises:
        MeasureError: the package is missing, or finds no speech to judge (clips under a quarter of
            a second, silence); the clip is longer than 30 s, which is beyond what it was made for;
            its code crashed, hung or failed.

    >>> pesq_c2(np.zeros(500_000), np.zeros(500_000), 16_000)
    Traceback (most recent call last):
    mondegreen.errors.MeasureError: it is longer than the 30 s that PESQ was validated on
    """
    return _pesq("pesqc2", clean, adversarial, sample_rate)


def pesq(clean: Audio, adversarial: Audio, sample_rate: int) -> float:
    """The same by P.862.2 as of 2007, of the optional package `pesq`: up to 0.8 lower.

    >>> pesq(np.zeros(500_000), np.zeros(500_000), 16_000)
    Traceback (most recent call last):
    mondegreen.errors.MeasureError: it is longer than the 30 s that PESQ was validated on
    """
    return _pesq("pesq", clean, adversarial, sample_rate)


def _pesq(
    package: Literal["pesq", "pesqc2"], clean: Audio, adversarial: Audio, sample_rate: int
) -> float:
    if len(clean) > PESQ_SECONDS * sample_rate:
        raise MeasureError(f"it is longer than the {PESQ_SECONDS:.0f} s that PESQ was validated on")
    (score,) = measured_apart(package, *_at(PESQ_RATE, clean, adversarial, sample_rate))
    return score


def zimtohrli(clean: Audio, adversarial: Audio, sample_rate: int) -> Zimtohrli:
    """Zimtohrli's distance of clips `[T]`, taken at 48 kHz, where full scale is 80 dB SPL.

    Raises:
        MeasureError: the clip is shorter than 0.2 s or longer than two minutes; its code crashed,
            hung or failed.

    >>> noise = np.random.default_rng(0).normal(0, 0.1, 16_000)
    >>> zimtohrli(noise, noise, 16_000)
    Zimtohrli(distance=0.0, mos=5.0)
    """
    least, most = ZIMTOHRLI_SECONDS
    if not least <= len(clean) / sample_rate <= most:
        raise MeasureError(
            f"it is {len(clean) / sample_rate:.2f} s long, and Zimtohrli takes {least:g} to"
            f" {most:g} s"
        )
    return Zimtohrli(*measured_apart("zimtohrli", *_at(WIDE_RATE, clean, adversarial, sample_rate)))


def visqol(clean: Audio, adversarial: Audio, sample_rate: int) -> float:
    """ViSQOL's score of clips `[T]` in its audio mode, at 48 kHz: 1 (bad) to 4.7 (no difference).

    Of the optional package `visqol-python`; some ten seconds for as much sound.

    Raises:
        MeasureError: the package is missing, the clip longer than two minutes, or it failed.

    >>> visqol(np.zeros(2_000_000), np.zeros(2_000_000), 16_000)
    Traceback (most recent call last):
    mondegreen.errors.MeasureError: it is longer than the 120 s that ViSQOL is given
    """
    if len(clean) > ZIMTOHRLI_SECONDS[1] * sample_rate:
        raise MeasureError(f"it is longer than the {ZIMTOHRLI_SECONDS[1]:g} s that ViSQOL is given")
    (score,) = measured_apart("visqol", *_at(WIDE_RATE, clean, adversarial, sample_rate))
    return score


def stoi(clean: Audio, adversarial: Audio, sample_rate: int) -> float:
    """Short-time objective intelligibility of clips `[T]`: 1 is as intelligible as the clean clip.

    Raises:
        MeasureError: the clean clip is silent, or less than about 0.4 s of it is louder than its
            silences.

    >>> speech = np.random.default_rng(0).normal(size=16_000)
    >>> round(stoi(speech, speech, 16_000), 3)
    1.0
    """
    from pystoi import stoi as pystoi  # takes a second to import

    if not clean.any():
        raise MeasureError("it is silent")
    with warnings.catch_warnings():
        # pystoi warns and returns a made-up 1e-5 where it has too little speech.
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(pystoi(clean, adversarial, sample_rate))
        except RuntimeWarning:
            raise MeasureError("less than about 0.4 s of it is louder than its silences") from None


def _at(
    rate: int, clean: Audio, adversarial: Audio, sample_rate: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both clips at a rate."""
    before, after = (
        resample(clip.astype(np.float32), sample_rate, rate) for clip in (clean, adversarial)
    )
    return before, after
