"""A sound card, a loudspeaker, a room and a microphone, simulated: what is played can be recorded.

It stands in for the package `sounddevice`. Its clock shares nothing with the one under test: it
takes a spline through eight times as many samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.signal import fftconvolve, resample

Sound = NDArray[np.float64]
FINER = 8  # times the samples, between which a cubic spline is as good as exact
AROUND = 64  # samples of silence on each side


def decaying(seconds: float, rate: int, seed: int = 0, rt60: float = 0.3) -> Sound:
    """A room: a direct sound, and noise that falls by 60 dB in `rt60`, darker with time."""
    rng = np.random.default_rng(seed)
    n = np.arange(round(seconds * rate))
    tail = rng.normal(size=len(n)) * 10 ** (-3 * n / rate / rt60) * 0.08
    tail[: round(0.003 * rate)] = 0  # the first reflection comes a metre later
    tail[0] = 1.0
    return tail


def device(rate: int) -> Sound:
    """A small loudspeaker: weak below 150 Hz, a bump of 4 dB at 2 kHz; of minimum phase."""
    size = 4_096
    f = np.fft.rfftfreq(size, 1 / rate)
    db = -12 * np.log2(np.maximum(150 / np.maximum(f, 20), 1)) + 4 * np.exp(
        -(np.log2(np.maximum(f, 20) / 2_000) ** 2) * 4
    )
    cepstrum = np.fft.irfft(db * np.log(10) / 20)
    cepstrum[1 : size // 2] *= 2
    cepstrum[size // 2 + 1 :] = 0
    return np.asarray(np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))[:1_024])


def through(seconds: float, rate: int, seed: int = 0, rt60: float = 0.3) -> Sound:
    """The loudspeaker in the room."""
    return np.asarray(fftconvolve(decaying(seconds, rate, seed, rt60), device(rate)))


def at_moments(sound: Sound, moments: Sound) -> Sound:
    """A sound at any moments, in samples, between its samples as well."""
    silence = np.pad(sound, AROUND)
    finer = resample(silence, FINER * len(silence))
    return np.asarray(map_coordinates(finer, [(moments + AROUND) * FINER], order=3))


@dataclass
class Card:
    """What is played goes through `path`, comes `latency` samples later by a clock of its own."""

    path: Sound = field(default_factory=lambda: np.ones(1))
    latency: float = 0.0  # samples of the recorder
    drift: float = 0.0  # by which the recorder's clock is faster
    snr_db: float | None = None
    gain: float = 1.0
    overdrive: float = 0.0  # of the loudspeaker: x + overdrive x²
    seed: int = 0

    def recorded(self, played: Sound, extra: int = 0) -> Sound:
        """What the microphone gives, in full scale 1: clipped there, with noise."""
        bent = played + self.overdrive * played**2
        arrived = self.gain * fftconvolve(bent, self.path)
        length = int(self.latency + len(arrived) * (1 + self.drift)) + 1 + extra
        moments = (np.arange(length) - self.latency) / (1 + self.drift)
        heard = at_moments(arrived, moments)
        if self.snr_db is not None:
            loud = np.sqrt(np.mean(arrived[np.abs(arrived) > 0] ** 2))
            noise = np.random.default_rng(self.seed).normal(size=length)
            heard = heard + noise * loud * 10 ** (-self.snr_db / 20)
        return np.clip(heard, -1, 1)

    def module(self, rates: tuple[int, ...] = (16_000,)) -> SimpleNamespace:
        """What stands in for the package sounddevice."""

        class PortAudioError(Exception):
            pass

        def check(device: str | None, channels: int, samplerate: int) -> None:
            if device not in (None, "simulated"):
                raise ValueError(f"No device matching {device!r}")
            if samplerate not in rates:
                raise PortAudioError("Invalid sample rate")

        def playrec(data: NDArray[np.float32], **how: Any) -> NDArray[np.float32]:
            heard = self.recorded(data[:, 0].astype(np.float64))
            return heard[: len(data), None].astype(np.float32)

        return SimpleNamespace(
            PortAudioError=PortAudioError,
            query_devices=lambda: [{"name": "simulated"}],
            check_output_settings=check,
            check_input_settings=check,
            playrec=playrec,
        )
