"""What can be put to the test: a link before the recogniser, or a detector beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from mondegreen.chain.link import Link
from mondegreen.chain.names import link
from mondegreen.chain.text import chained
from mondegreen.files import key_of
from mondegreen.judging.detectors import Detector, detector, is_detector

ALL: Final = (  # channels, defences, detectors
    *("telephone", "opus:24", "mp3:64", "aac:32", "ogg:48", "noise:20"),
    *("resample:8000", "pcm:8", "pcm:6", "bandpass", "average:3", "median:3"),
    *("mel", "lpc", "gate", "smooth", "vad"),
    *("disagree:pcm:6", "disagree:resample:8000", "temporal"),
)
QUICK: Final = ("telephone", "opus:24", "resample:8000", "pcm:6", "average:3", "median:3")
Kind = Literal["channel", "defence", "detector"]
Gradient = Literal["its own", "straight-through"]


@dataclass(frozen=True)
class Defence:
    """A channel, a defence or a detector, by its name."""

    spec: str
    kind: Kind
    source: str
    random: bool  # it draws anew each time
    gradient: Gradient  # how the attack gets one
    passes: int  # of the recogniser, in each pass of an attack that knows of it
    detector: Detector | None = None

    @classmethod
    def of(cls, spec: str, sample_rate: int) -> Defence:
        """The defence of a name.

        Raises:
            OptionError: there is none of that name.
            VictimError: what it needs is not installed.
        """
        if is_detector(spec):
            found = detector(spec, sample_rate)
            inner = getattr(found, "link", None)  # which it listens through as well
            searched: tuple[Gradient, int] = ("its own", 2)
            if inner is not None:
                searched = _searched(inner, 2)
            return cls(found.spec, "detector", found.source, False, *searched, found)
        one = link(spec, sample_rate)
        return cls(one.spec, one.kind, one.source, one.random, *_searched(one, 1))

    def opponent(self, victim: str) -> str:
        """The name of the victim that an attack which knows of it is on."""
        return chained([self.detector.opponent if self.detector else self.spec], victim)

    def before(self, victim: str) -> str:
        """The name of what hears: the recogniser behind it, or of a detector the recogniser."""
        return victim if self.detector else chained([self.spec], victim)

    @property
    def slug(self) -> str:
        """The name of its folders."""
        plain = re.sub(r"[^A-Za-z0-9]+", "-", self.spec).strip("-")[:40]
        return f"{plain}-{key_of({'spec': self.spec})[:6]}"


def _searched(one: Link, sounds: int) -> tuple[Gradient, int]:
    """How a search sees a link: its gradient, and the passes of the recogniser in each of its own.

    Args:
        one: the link.
        sounds: that are scored for each draw.
    """
    return ("its own" if one.differentiable else "straight-through"), sounds * one.draws
