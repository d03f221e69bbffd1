"""Lossy codecs, by the encoders and decoders that people use: libopus, LAME, Vorbis, FFmpeg's AAC.

A codec delays a sound by an amount that depends on its settings. It is measured once, by a sound
that is sent through, and taken back to the sample.

What a search hears is what the codec makes of it; the gradient is the identity's. So each pass
of a search encodes and decodes. On one core, as a share of moonshine-tiny's own pass over the same
four seconds, that is: opus:24 1.3, opus:64 0.6, mp3:64 0.3, aac:48 0.26, ogg:40 0.16.
"""

from __future__ import annotations

import io
from abc import abstractmethod
from functools import cached_property
from importlib.util import find_spec
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
import soundfile
from pydantic import Field, model_validator
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.audio import mp3
from mondegreen.audio.pcm import Samples
from mondegreen.chain.link import Link
from mondegreen.chain.rates import at_rate
from mondegreen.errors import VictimError

# samples of silence around a sound: a codec needs some to begin, and delays what it puts out
LEAD: Final = 1024
TAIL: Final = 2048
PROBE_SECONDS: Final = 2
SYLLABLES: Final = 4  # a second


class Codec(Link):
    """A sound that was encoded and decoded again, at the recogniser's rate or the next above it."""

    kind: ClassVar[Literal["channel", "defence"]] = "channel"
    rates: ClassVar[tuple[int, ...]]  # that it takes, in Hz

    kbps: int

    @abstractmethod
    def coded(self, sound: Samples) -> Samples:
        """Encode and decode samples [T] at `rate`; what comes out may be late, and longer."""

    @property
    def rate(self) -> int:
        """At which it works, in Hz."""
        return min((r for r in self.rates if r >= self.sample_rate), default=self.rates[-1])

    @cached_property
    def begins(self) -> int:
        """At which sample of what comes out the sound begins, by cross-correlation."""
        from scipy.signal import correlate  # takes a second to import

        sound = probe(self.rate)
        found = correlate(self._out(sound), sound, "valid", "fft")
        return int(found.argmax())

    def real(self, sound: Tensor, draws: Draws) -> Tensor:
        """See `Link.real`."""
        del draws
        return at_rate(sound, self.sample_rate, self.rate, self._on_time).clamp(-1, 1)

    def _on_time(self, sound: Samples) -> Samples:
        return self._out(sound)[self.begins :][: len(sound)]

    def _out(self, sound: Samples) -> Samples:
        """What comes out of a sound with silence around it, in the length that went in."""
        given = np.pad(sound, (LEAD, TAIL))
        out = self.coded(given)[: len(given)]
        return np.pad(out, (0, len(given) - len(out)))


class Filed(Codec):
    """A codec of libsndfile."""

    format: ClassVar[str]
    subtype: ClassVar[str]

    @property
    @abstractmethod
    def level(self) -> float:
        """How much is compressed, from 0 to 1, as libsndfile wants to know it."""

    def coded(self, sound: Samples) -> Samples:
        """See `Codec.coded`."""
        file = io.BytesIO(self._file(sound, self.level))
        return np.asarray(soundfile.read(file, dtype="float32")[0])

    def _file(self, sound: Samples, level: float) -> bytes:
        file = io.BytesIO()
        more: dict[str, Any] = {"compression_level": level}
        if self.format == "MP3":
            more["bitrate_mode"] = "CONSTANT"
        soundfile.write(file, sound, self.rate, self.subtype, format=self.format, **more)
        return file.getvalue()

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        if self.subtype not in soundfile.available_subtypes(self.format):
            raise VictimError(
                f"{self.name} needs a libsndfile with {self.subtype}, this one is"
                f" {soundfile.__libsndfile_version__}; run: pip install --upgrade soundfile"
            )
        return self


class Opus(Filed):
    """Opus, as for music (`OPUS_APPLICATION_AUDIO`), at a variable bit rate: calls and messengers.

    >>> Opus(sample_rate=16_000).spec
    'opus:24'
    """

    name: ClassVar[str] = "opus"
    source: ClassVar[str] = "libopus by libsndfile; RFC 6716"
    rates: ClassVar[tuple[int, ...]] = (8000, 12_000, 16_000, 24_000, 48_000)
    format: ClassVar[str] = "OGG"
    subtype: ClassVar[str] = "OPUS"

    kbps: int = Field(default=24, ge=6, le=256, description="Bit rate in kbit/s.")

    @property
    def level(self) -> float:
        """See `Filed.level`."""
        return (256 - self.kbps) / (256 - 6)


class Mp3(Filed):
    """MP3 at a constant bit rate."""

    name: ClassVar[str] = "mp3"
    source: ClassVar[str] = "LAME and mpg123 by libsndfile; ISO/IEC 11172-3 and 13818-3"
    rates: ClassVar[tuple[int, ...]] = (
        *(8000, 11_025, 12_000, 16_000, 22_050, 24_000),
        *(32_000, 44_100, 48_000),
    )
    format: ClassVar[str] = "MP3"
    subtype: ClassVar[str] = "MPEG_LAYER_III"

    kbps: int = Field(default=64, description="Bit rate in kbit/s.")

    @property
    def level(self) -> float:
        """See `Filed.level`."""
        most, least = max(self._offered), min(self._offered)
        return min((most - self.kbps) / (most - least), 0.99)  # 1 it refuses

    @property
    def _offered(self) -> tuple[int, ...]:
        kbps = mp3.KBPS[self.rate >= 32_000][1:]
        return kbps if self.rate >= 16_000 else tuple(k for k in kbps if k <= 64)

    @model_validator(mode="after")
    def _is_offered(self) -> Self:
        if self.kbps not in self._offered:
            raise ValueError(
                f"Got kbps = {self.kbps}, at {self.rate} Hz expected one of: "
                + ", ".join(map(str, self._offered))
            )
        return self


class Vorbis(Filed):
    """Ogg Vorbis, of the quality whose nominal bit rate is nearest."""

    name: ClassVar[str] = "ogg"
    source: ClassVar[str] = "libvorbis by libsndfile; Vorbis I"
    rates: ClassVar[tuple[int, ...]] = (8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000)
    format: ClassVar[str] = "OGG"
    subtype: ClassVar[str] = "VORBIS"

    kbps: int = Field(default=40, description="Bit rate in kbit/s.")

    @cached_property
    def level(self) -> float:
        """See `Filed.level`; libvorbis gives no formula, but the stream's header the bit rate."""
        low, high = 0.0, 1.0
        while high - low > 1e-3:
            middle = (low + high) / 2
            low, high = (middle, high) if self._nominal(middle) > self.kbps else (low, middle)
        return high

    def _nominal(self, level: float) -> float:
        """The nominal bit rate in kbit/s, of the identification header (Vorbis I, 4.2.2)."""
        content = self._file(np.zeros(1, np.float32), level)
        at = content.index(b"\x01vorbis") + 20
        return int.from_bytes(content[at : at + 4], "little") / 1000

    @model_validator(mode="after")
    def _is_offered(self) -> Self:
        most, least = round(self._nominal(0)), round(self._nominal(1))
        if not least <= self.kbps <= most:
            nearest = least if self.kbps < least else most
            raise ValueError(
                f"Got kbps = {self.kbps}, at {self.rate} Hz expected {least} to {most}, as"
                f" {self.name}:{nearest}"
            )
        return self


class Aac(Codec):
    """AAC-LC at an average bit rate."""

    name: ClassVar[str] = "aac"
    source: ClassVar[str] = "FFmpeg's encoder and decoder by PyAV; ISO/IEC 14496-3"
    rates: ClassVar[tuple[int, ...]] = (
        *(8000, 11_025, 12_000, 16_000, 22_050, 24_000),
        *(32_000, 44_100, 48_000),
    )

    kbps: int = Field(default=48, ge=8, description="Bit rate in kbit/s.")

    def coded(self, sound: Samples) -> Samples:
        """See `Codec.coded`."""
        import av

        file = io.BytesIO()
        with av.open(file, "w", format="adts") as writer:
            stream = writer.add_stream("aac", rate=self.rate, layout="mono")
            stream.bit_rate = 1000 * self.kbps
            frame = av.AudioFrame.from_ndarray(sound[None].copy(), format="fltp", layout="mono")
            frame.sample_rate = self.rate
            for packet in (*stream.encode(frame), *stream.encode()):
                writer.mux(packet)
        file.seek(0)
        with av.open(file, "r", format="aac") as reader:
            return np.concatenate([one.to_ndarray()[0] for one in reader.decode(audio=0)])

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        if find_spec("av") is None:
            raise VictimError("aac needs PyAV; run: pip install 'mondegreen[codecs]'")
        if (most := 6 * self.rate // 1000) < self.kbps:  # 6,144 bits a frame of 1,024 samples
            raise ValueError(f"Got kbps = {self.kbps}, at {self.rate} Hz expected at most {most}")
        return self


def probe(rate: int) -> Samples:
    """Noise [T] in the band and the rhythm of speech, which every codec keeps in place."""
    from scipy.signal import butter, sosfilt

    samples = PROBE_SECONDS * rate
    white = np.random.default_rng(0).normal(size=samples)
    band = butter(2, (200, 2000), "bandpass", fs=rate, output="sos")
    rhythm = np.sin(np.pi * SYLLABLES * np.arange(samples) / rate) ** 2
    voice = sosfilt(band, white) * rhythm
    return np.asarray(0.5 * voice / np.abs(voice).max(), np.float32)
