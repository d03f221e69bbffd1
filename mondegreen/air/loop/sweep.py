"""An exponential sine sweep to measure a room with, between two markers that show the clocks.

x(t) = A sin(2π f₁ L (exp(t / L) - 1)), with L = T / ln(f₂ / f₁), rises from f₁ to f₂ in T seconds
(Farina, *Simultaneous measurement of impulse response and distortion with a swept-sine technique*,
AES 108, 2000; *Advancements in impulse response measurements by sine sweeps*, AES 122, 2007). By
stationary phase its spectrum has the size A/2 √(L / f), so all that is needed to undo it follows
from its parameters; they are kept as JSON in the comment of the WAV file.

A sweep by itself cannot tell a clock from a filter. One that is stretched by 1 + ε comes to each
frequency f later by ε L (ln(f / f₁) + 1): it is the same sweep behind an all-pass filter. Hence the
markers, one before it and one after: the same short sweep twice, of all frequencies at once, which
go through the same room, so that nothing but the clocks changes the time between them.

The file: silence (LEAD), marker, silence (tail), sweep, silence (tail), marker, silence (tail).
"""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mondegreen.audio.pcm import save
from mondegreen.audio.recording import SAMPLE_RATES, open_recording, printable
from mondegreen.errors import AudioError, OptionError

LEAD: Final = 0.5  # s, in which devices that sleep wake up
MARKER: Final = 0.25  # s
FADE: Final = 0.25  # octaves at each end of a sweep
MARK: Final = "mondegreen sweep "  # what the comment begins with
LONGEST: Final = 1_000  # characters of a comment that may be one of ours


class Sweep(BaseModel):
    """The parameters of a sweep, from which all else follows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(10.0, ge=1, le=60, description="Duration of the sweep, s.")
    low: float = Field(50.0, ge=10, description="Where it begins, Hz.")
    high: float = Field(20_000.0, description="Where it ends, Hz.")
    sample_rate: int = Field(
        48_000, ge=SAMPLE_RATES[0], le=SAMPLE_RATES[1], description="Of the file, Hz."
    )
    level: float = Field(-6.0, ge=-60, le=0, description="Its peak, dB of full scale.")
    tail: float = Field(
        2.0, ge=0.2, le=10, description="Silence after it, s: the longest response."
    )

    @model_validator(mode="after")
    def _rises(self) -> Sweep:
        if not 4 * self.low <= self.high <= self.sample_rate / 2:
            raise ValueError(
                f"it would go from {self.low:g} to {self.high:g} Hz at a rate of"
                f" {self.sample_rate:,} Hz; expected two octaves at least, and no more than half"
                " the rate"
            )
        return self

    @property
    def rate(self) -> float:
        """L, the seconds in which the frequency rises by a factor of e."""
        return self.seconds / log(self.high / self.low)

    @property
    def first(self) -> int:
        """The sample at which the first marker begins."""
        return round(LEAD * self.sample_rate)

    @property
    def begin(self) -> int:
        """The sample at which the sweep begins."""
        return self.first + len(self.marker()) + round(self.tail * self.sample_rate)

    @property
    def end(self) -> int:
        """The sample after its last."""
        return self.begin + round(self.seconds * self.sample_rate)

    @property
    def last(self) -> int:
        """The sample at which the second marker begins."""
        return self.end + round(self.tail * self.sample_rate)

    def marker(self) -> NDArray[np.float64]:
        """The short sweep before and after it."""
        return self._chirp(MARKER)

    def sweep(self) -> NDArray[np.float64]:
        """The sweep alone."""
        return self._chirp(self.seconds)

    def signal(self) -> NDArray[np.float64]:
        """All of the file, [T] of full scale 1."""
        marker, sweep, tail = self.marker(), self.sweep(), round(self.tail * self.sample_rate)
        whole = np.zeros(self.last + len(marker) + tail)
        for at, sound in ((self.first, marker), (self.begin, sweep), (self.last, marker)):
            whole[at : at + len(sound)] = sound
        return whole

    def _chirp(self, seconds: float) -> NDArray[np.float64]:
        """x(t) of so many seconds, faded in and out over `FADE` octaves of its own."""
        t = np.arange(round(seconds * self.sample_rate)) / self.sample_rate
        rate = seconds / log(self.high / self.low)
        sound = np.sin(2 * np.pi * self.low * rate * np.expm1(t / rate))
        fade = round(FADE * log(2) * rate * self.sample_rate)
        rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)
        sound[:fade] *= rise
        sound[-fade:] *= rise[::-1]
        return 10 ** (self.level / 20) * sound

    def save(self, path: Path) -> None:
        """Write it as a WAV file with its parameters; raises StorageError."""
        save(path, self.signal(), self.sample_rate, comment=MARK + self.model_dump_json())


def make_sweep(**parameters: float) -> Sweep:
    """A sweep of these parameters.

    Raises:
        OptionError: they make none.
    """
    try:
        return Sweep.model_validate(parameters)
    except ValidationError as error:
        raise OptionError(f"Got a sweep that cannot be made: {_why(error)}.") from None


def read_sweep(path: Path) -> Sweep:
    """The parameters of a sweep's WAV file.

    Raises:
        AudioError: the file cannot be read, or is none that `Sweep.save` wrote.
    """
    name = printable(path)
    with open_recording(path) as file:
        comment, found = file.comment, (int(file.samplerate), int(file.frames))
    why = "its comment has no parameters"
    if comment.startswith(MARK) and len(comment) <= LONGEST:
        try:
            sweep = Sweep.model_validate_json(comment.removeprefix(MARK))
            if found == (sweep.sample_rate, len(sweep.signal())):
                return sweep
            why = "it was changed since"
        except ValidationError:
            why = "the parameters in its comment are damaged"
    raise AudioError(
        f"{name} is not a sweep that can be undone ({why}). Expected the file that `mondegreen air"
        " sweep` wrote, not a recording of it."
    )


def _why(error: ValidationError) -> str:
    """The first thing that is wrong, as a clause."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["ctx"]["error"])
