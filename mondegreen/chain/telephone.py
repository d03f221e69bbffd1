"""The telephone: 8 kHz, 300 to 3400 Hz, and eight bits a sample by ITU-T G.711."""

from __future__ import annotations

import io
from functools import cached_property
from typing import ClassVar, Final, Literal

import numpy as np
import soundfile
from pydantic import Field
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.audio.batch import without_padding
from mondegreen.audio.pcm import Samples, to_pcm16
from mondegreen.chain.filtering import filtered, measured
from mondegreen.chain.link import Link, straight_through
from mondegreen.chain.rates import at_rate

Law = Literal["mulaw", "alaw"]

RATE: Final = 8000
BAND: Final = (300, 3400)  # Hz, where it has halved an amplitude
TAPS: Final = 255  # of the band-pass: 32 ms; its edges are 100 Hz wide
SUBTYPES: Final = {"mulaw": "ULAW", "alaw": "ALAW"}  # as libsndfile calls them


class Telephone(Link):
    """A call over the fixed network.

    Down to 8 kHz (soxr), a band-pass without phase, G.711 (libsndfile), and up again. The sound of
    the twin is that of the real thing, to the bit. Its gradient is that of all but G.711: of one
    filter, measured, which differs from the real ones by -120 dB of the sound. The noise of G.711,
    -37 dB in speech, is passed straight through.

    >>> Telephone(sample_rate=16_000).spec
    'telephone:mulaw'
    """

    name: ClassVar[str] = "telephone"
    kind: ClassVar[Literal["channel", "defence"]] = "channel"
    source: ClassVar[str] = "ITU-T G.711 (11/88); band as in G.712"

    law: Law = Field(default="mulaw", description="mulaw (America, Japan) or alaw (elsewhere).")

    def real(self, sound: Tensor, draws: Draws) -> Tensor:
        """See `Link.real`."""
        del draws
        return at_rate(
            sound, self.sample_rate, RATE, lambda narrow: companded(banded(narrow), self.law)
        )

    def twin(self, audio: Tensor, lengths: Tensor, draws: Draws) -> Tensor:
        """See `Link.twin`."""
        own = without_padding(audio, lengths)
        heard = self._each(own.detach(), lengths, draws)
        return straight_through(filtered(own, lengths, self._taps), heard)

    @cached_property
    def _taps(self) -> Tensor:
        return measured(lambda click: at_rate(click, self.sample_rate, RATE, banded))


def banded(audio: Samples) -> Samples:
    """Samples [T] at 8 kHz, within `BAND`; a linear filter without phase."""
    from scipy.signal import firwin, oaconvolve  # takes a second to import

    taps = firwin(TAPS, BAND, pass_zero=False, fs=RATE).astype(np.float32)
    return np.asarray(oaconvolve(audio, taps)[TAPS // 2 :][: len(audio)])


def companded(audio: Samples, law: Law) -> Samples:
    """Samples [T] in [-1, 1], encoded and decoded by G.711, 8 bits each.

    >>> companded(np.array([0.0, 0.5, 1.0], np.float32), "mulaw").tolist()
    [0.0, 0.488..., 0.9803...]
    """
    file = io.BytesIO()
    # From 16-bit integers libsndfile cuts bits off, as G.711 does; floats it rounds.
    soundfile.write(file, to_pcm16(audio), RATE, SUBTYPES[law], format="RAW")
    file.seek(0)
    return np.asarray(
        soundfile.read(
            file, dtype="float32", format="RAW", samplerate=RATE, channels=1, subtype=SUBTYPES[law]
        )[0]
    )
