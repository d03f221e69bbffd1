"""Detectors: what looks at a finished sound and says how suspicious it is; and how well it tells.

A detector changes nothing that the recogniser hears, so an attack that does not know of it says
little. Its `opponent`, put before the recogniser as a link, is the attack that does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import jiwer
import numpy as np
from scipy.stats import mannwhitneyu
from torch import Tensor

from mondegreen.chain.link import Link
from mondegreen.chain.names import link
from mondegreen.errors import OptionError
from mondegreen.names import ALSO, DISAGREE, HALVES, TEMPORAL
from mondegreen.text import normalise
from mondegreen.victims.base import Recogniser
from mondegreen.victims.through import through

RATES: Final = (0.001, 0.01, 0.05)  # of false alarms, at which detectors are compared


class Detector(Protocol):
    """What tells sounds that were tampered with from those that were not."""

    @property
    def spec(self) -> str:
        """Its name, with its parameters."""

    @property
    def source(self) -> str:
        """The paper that it follows."""

    @property
    def opponent(self) -> str:
        """The link before a recogniser that makes an attack know of it."""

    def score(self, recogniser: Recogniser, sound: Tensor) -> float:
        """How suspicious a sound [T] is to it, 0 to 1.

        Raises:
            MondegreenError: the recogniser or a link fails on it.
        """


@dataclass(frozen=True)
class Disagree:
    """How much the transcript changes when the sound goes through a link (WaveGuard).

    The character error rate between both transcripts without case and punctuation: their edit
    distance over the length of the longer one. The paper's own transformations are the links
    `resample`, `pcm`, `mel`, `lpc` and a filter.
    """

    link: Link
    source: str = "Hussain et al., WaveGuard, USENIX Security 2021"

    @property
    def spec(self) -> str:
        """`disagree:LINK`."""
        return f"{DISAGREE}:{self.link.spec}"

    @property
    def opponent(self) -> str:
        """`also:LINK`."""
        return f"{ALSO}:{self.link.spec}"

    def score(self, recogniser: Recogniser, sound: Tensor) -> float:
        """See `Detector.score`."""
        changed = through(recogniser, self.link)
        return apart(recogniser.transcribe(sound), changed.transcribe(sound))


@dataclass(frozen=True)
class Temporal:
    """Whether the first half of a sound says what the whole begins with (temporal dependency).

    The paper's S_k and S_{whole,k} for k = 1/2: the transcript of the first half of the samples,
    and as many characters of the transcript of the whole. Their character error rate; 0 where the
    half says nothing.
    """

    source: str = "Yang et al., Temporal Dependency, ICLR 2019"
    spec: str = TEMPORAL
    opponent: str = HALVES

    def score(self, recogniser: Recogniser, sound: Tensor) -> float:
        """See `Detector.score`."""
        half = normalise(recogniser.transcribe(sound[: len(sound) // 2]))
        whole = normalise(recogniser.transcribe(sound))
        return apart(half, whole[: len(half)])


def is_detector(spec: str) -> bool:
    """Whether a name is that of a detector."""
    return spec.partition(":")[0] in (DISAGREE, TEMPORAL)


def detector(spec: str, sample_rate: int) -> Detector:
    """The detector of a name: "temporal", or "disagree:LINK" such as "disagree:pcm:6".

    Raises:
        OptionError, VictimError: there is no such detector, or as `mondegreen.chain.names.link`.
    """
    name, _, rest = spec.partition(":")
    if name == DISAGREE and rest:
        return Disagree(link(rest, sample_rate))
    if spec == TEMPORAL:
        return Temporal()
    raise OptionError(
        f"There is no detector {spec!r:.60}; expected {TEMPORAL}, or {DISAGREE}:LINK such as"
        f" {DISAGREE}:pcm:6"
    )


def apart(one: str, other: str) -> float:
    """Character errors between two transcripts, over the length of the longer one; 0 to 1.

    >>> apart("Open the door.", "open the floor")
    0.14285714285714285
    """
    one, other = normalise(one), normalise(other)
    longer = max(len(one), len(other))
    if not one or not other:
        return float(longer > 0)
    counts = jiwer.process_characters(one, other)
    return (counts.substitutions + counts.deletions + counts.insertions) / longer


@dataclass(frozen=True)
class Roc:
    """How well scores tell adversarial files from clean clips."""

    clean: int  # how many clean clips
    files: int  # how many files
    # the probability that a file scores above a clean clip, a tie being half of it
    auc: float
    # of the files, the share that is found when at most so many of the clean clips give an alarm;
    # None: there are too few clean clips to see so small a share of them
    found: Mapping[float, float | None]
    found_without_alarm: float  # the share that scores above every clean clip
    # with 95 % confidence, the rate of false alarms is below this where no clean clip gives one
    alarms_below: float
    points: tuple[tuple[float, float], ...]  # of the curve: alarms of clean clips, files found

    @property
    def unmeasured(self) -> str | None:
        """Why some of `found` are None."""
        lost = [f"{100 * rate:g} %" for rate, share in self.found.items() if share is None]
        if not lost:
            return None
        return f"{self.clean} clean clips cannot show a false-positive rate of {', '.join(lost)}"


def roc(clean: Sequence[float], files: Sequence[float]) -> Roc:
    """The curve of scores of clean clips and of files; higher is more suspicious.

    Raises:
        OptionError: there are none.

    >>> roc([0.0, 0.1, 0.1, 0.2], [0.1, 0.3]).auc
    0.75
    """
    if not clean or not files:
        raise OptionError("Got no clean clips or no files, expected some of each.")
    ordered = np.sort(np.asarray(clean, float))[::-1]

    def found(alarms: int) -> float:
        """The share of files above all clean clips but so many, or as many as tie with them."""
        limit = ordered[alarms] if alarms < len(ordered) else -np.inf
        return float((np.asarray(files, float) > limit).mean())

    allowed = {rate: int(round(rate * len(clean), 9)) for rate in RATES}
    edges = np.unique([*clean, *files])[::-1]
    curve = [(float((ordered >= edge).mean()), float((files >= edge).mean())) for edge in edges]
    u = mannwhitneyu(files, clean, method="asymptotic").statistic
    return Roc(
        clean=len(clean),
        files=len(files),
        auc=float(u) / (len(clean) * len(files)),
        found={rate: found(alarms) if alarms else None for rate, alarms in allowed.items()},
        found_without_alarm=found(0),
        alarms_below=1 - 0.05 ** (1 / len(clean)),
        points=((0.0, 0.0), *curve),
    )
