"""What an adversarial example costs the ear: a panel of yardsticks, on the samples of two files.

None of these establishes that a change cannot be heard. Signal-to-noise ratio knows nothing of
hearing; the masking threshold is a model of it with its own errors; PESQ and STOI were made for
telephone lines and noise reduction, Zimtohrli for codecs. Read them together, and listen.

Conventions: `clean` and `adversarial` are floats `[T]`, full scale 1, of equal length, as read back
from 16-bit files; delta = adversarial - clean. A value without a definition is None, never NaN or
infinity, so that every result can be written as JSON.

What is computed here takes no time and cannot fail; the yardsticks that are other people's code are
in `mondegreen.measures.ratings`.

References: masking threshold, the supplement of Qin et al. 2019, equations (1)-(14).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from mondegreen.audio.pcm import FULL_SCALE
from mondegreen.errors import AudioError
from mondegreen.measures.ratings import rated
from mondegreen.psychoacoustics.excess import FARTHEST, excess_db, level_of_loss, masking_loss
from mondegreen.psychoacoustics.surroundings import Surroundings, thresholds_around
from mondegreen.psychoacoustics.threshold import MaskingThreshold
from mondegreen.results.record import MaskingExcess, Quality
from mondegreen.results.verdict import MASKING

Audio: TypeAlias = NDArray[np.floating]
TEMPORAL: Final = "temporal"  # the profile that also masks before and after


def measure(
    clean: Audio,
    adversarial: Audio,
    sample_rate: int,
    profile: str = "paper",
    around: Surroundings | None = None,
) -> Quality:
    """Take every measurement of an example against its clean clip.

    Args:
        clean: floats `[T]`, full scale 1.
        adversarial: likewise.
        sample_rate: of both, in Hz.
        profile: masking threshold profile, see `mondegreen.psychoacoustics.threshold`.
        around: what of a recording is around the clean clip; None: nothing.

    Raises:
        AudioError: the two are not single clips of equal length.
        OptionError: there is no profile of that name.

    >>> clean = np.sin(np.arange(16_000) * np.pi / 8)
    >>> round(measure(clean, clean + 1e-3, 16_000).snr_db, 2)
    56.99
    """
    own = computed(clean, adversarial, sample_rate, profile, around)
    return rated(own, clean, adversarial, sample_rate)


def computed(
    clean: Audio,
    adversarial: Audio,
    sample_rate: int,
    profile: str = "paper",
    around: Surroundings | None = None,
) -> Quality:
    """The measurements that are computed here; see `measure`; `rated` adds the others.

    >>> clean = np.sin(np.arange(4_096) * np.pi / 8)
    >>> computed(clean, clean, 16_000).pesq is None
    True
    """
    check_pair(clean, adversarial)
    return Quality(
        max_abs=max_abs(clean, adversarial),
        snr_db=snr_db(clean, adversarial),
        masking=masking_excess(clean, adversarial, sample_rate, profile, around),
        temporal=masking_excess(clean, adversarial, sample_rate, TEMPORAL, around),
        pesq=None,
        stoi=None,
    )


def check_pair(clean: Audio, adversarial: Audio) -> None:
    """Refuse what is not two single clips of equal length; raises `AudioError`.

    >>> check_pair(np.zeros(3), np.ones(3))
    """
    if clean.ndim != 1 or clean.shape != adversarial.shape or clean.size == 0:
        raise AudioError(
            f"Got clips of shapes {clean.shape} and {adversarial.shape}, expected two of the same "
            "length [T]. Compare an example with the recording that it was made from."
        )


def max_abs(clean: Audio, adversarial: Audio) -> float:
    """Largest |delta| of clips `[T]`, in 16-bit units (full scale is 32768).

    >>> max_abs(np.zeros(3), np.array([0.0, 0.5, -0.25]))
    16384.0
    """
    return float(np.abs(_delta(clean, adversarial)).max() * FULL_SCALE)


def snr_db(clean: Audio, adversarial: Audio) -> float | None:
    """Signal-to-noise ratio 10 log10(sum clean^2 / sum delta^2) of clips `[T]`, in dB.

    None if delta or the clean clip is zero throughout.

    >>> round(snr_db(np.ones(4), np.full(4, 1.1)), 6)
    20.0
    """
    signal = float(np.square(clean, dtype=np.float64).sum())
    noise = float(np.square(_delta(clean, adversarial)).sum())
    return 10 * float(np.log10(signal / noise)) if signal and noise else None


def masking_excess(
    clean: Audio,
    adversarial: Audio,
    sample_rate: int,
    profile: str = "paper",
    around: Surroundings | None = None,
) -> MaskingExcess:
    """Compare delta with the masking threshold of the clean clip; clips `[T]`.

    Of a passage, with that of the recording `around` it, in all frames that see the passage.

    Raises:
        OptionError: there is no profile of that name.

    >>> clean = np.sin(np.arange(4_096) * np.pi / 8)
    >>> masking_excess(clean, clean, 16_000).loss
    0.0
    """
    around = around or Surroundings(torch.as_tensor(clean), 0, len(clean))
    change = torch.as_tensor(_delta(clean, adversarial))
    delta = around.placed(change)[None]
    threshold = thresholds_around([around], sample_rate, delta, profile)
    excess = excess_db(delta, threshold)[0]
    return MaskingExcess(
        profile=profile,
        loss=float(masking_loss(delta, threshold)[0]),
        share_above=float((excess > 0).double().mean()),
        mean_excess_db=_or_zero(excess[excess > 0], torch.mean),
        max_excess_db=_or_zero(excess[excess > 0], torch.amax),
        edges_db=_at_edges(around.with_earlier(), change, threshold),
        margin_db=_margin(delta, threshold),
    )


def _margin(delta: Tensor, threshold: MaskingThreshold) -> float | None:
    """The level of δ [1, T], in dB, at which its masking loss is at the mark of the verdict."""
    level = float(level_of_loss(delta, threshold, MASKING.inaudible))
    return level if abs(level) < FARTHEST - 1 else None


def _at_edges(around: Surroundings, change: Tensor, threshold: MaskingThreshold) -> float:
    """The largest excess of δ [T], in dB, in frames that do not lie within the clip."""
    before, after = threshold.silence
    sounds = around.audio.to(change), around.placed(change)
    audio, delta = (pad(sound, (before, after))[None] for sound in sounds)
    seen = threshold.of(audio, torch.tensor(audio.shape[1:]))
    end = max(around.end, around.begin + seen.window)  # a shorter clip is padded to one frame
    begins = torch.arange(seen.theta.shape[1]) * seen.hop - before
    within = (begins >= around.begin) & (begins + seen.window <= end)
    excess = excess_db(delta, seen)[0, ~within]
    return _or_zero(excess[excess > 0], torch.amax)


def over_db(
    clean: Audio,
    adversarial: Audio,
    sample_rate: int,
    bound_db: float,
    around: Surroundings | None = None,
) -> float:
    """By how much delta exceeds theta + `bound_db` in its worst bin, in dB; 0: nowhere.

    Clips are `[T]`; the bound is 0 or more; `around` as in `measure`.

    >>> clean = np.sin(np.arange(4_096) * np.pi / 8)
    >>> over_db(clean, clean, 16_000, bound_db=0.0)
    0.0
    """
    excess = masking_excess(clean, adversarial, sample_rate, around=around)
    return max(0.0, excess.max_excess_db - bound_db)


def _or_zero(values: Tensor, statistic: Callable[[Tensor], Tensor]) -> float:
    return float(statistic(values)) if len(values) else 0.0


def _delta(clean: Audio, adversarial: Audio) -> NDArray[np.float64]:
    return adversarial.astype(np.float64) - clean.astype(np.float64)
