"""Synthetic speakers from Debian packages, and the degradation of their speech.

    apt-get install espeak-ng flite

Formant voices (espeak-ng, its accents and variants) and voices made of recordings (flite), each
utterance with its own rate and pitch, then played at another speed, in a room, with noise.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from scipy.signal import fftconvolve

Sound = npt.NDArray[np.float32]

RATE = 16_000
ACCENTS = ("en-us", "en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-029")
VARIANTS = (
    "m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 klatt klatt2 klatt3 klatt4 Alex Alicia Andrea "
    "Andy Annie Denis Diogo Gene Henrique Hugo Jacky Lee Marco Mario Michael Mike Nguyen "
    "adam anika antonio belinda benjamin boris caleb david ed edward grandma grandpa "
    "gustave iven john linda max michel miguel norbert pablo paul pedro quincy rob robert "
    "sandro shelby steph travis victor zac"
).split()
FLITE = ("awb", "rms", "slt", "kal16")
FLITE_SHARE = 0.45


def speak(sentence: str, draw: np.random.Generator) -> Sound:
    """The sentence in a random voice: [T] in [-1, 1] at `RATE`."""
    voice = _flite if draw.random() < FLITE_SHARE else _espeak
    sound, rate = soundfile.read(io.BytesIO(voice(sentence, draw)), dtype="float32")
    return np.asarray(soxr.resample(sound, rate, RATE), dtype=np.float32)


def _espeak(sentence: str, draw: np.random.Generator) -> bytes:
    voice = f"{draw.choice(ACCENTS)}+{draw.choice(VARIANTS)}"
    rate, pitch = str(draw.integers(125, 200)), str(draw.integers(25, 75))
    command = ["espeak-ng", "-v", voice, "-s", rate, "-p", pitch, "--stdin", "--stdout"]
    wav = bytearray(_run(command, sentence))
    # written to a pipe, the header has no sizes: fill them in
    wav[4:8], wav[40:44] = _size(len(wav) - 8), _size(len(wav) - 44)
    return bytes(wav)


def _flite(sentence: str, draw: np.random.Generator) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        stretch = f"duration_stretch={draw.uniform(0.85, 1.25):.2f}"
        pitch = f"int_f0_target_mean={draw.uniform(80, 200):.0f}"
        command = ["flite", "-voice", str(draw.choice(FLITE)), "--setf", stretch, "--setf", pitch]
        _run([*command, "-t", sentence, "-o", str(path)])
        return path.read_bytes()


def _run(command: list[str], text: str = "") -> bytes:
    return subprocess.run(command, input=text.encode(), check=True, capture_output=True).stdout


def _size(count: int) -> bytes:
    return count.to_bytes(4, "little")


def degrade(sound: Sound, rooms: list[Sound], draw: np.random.Generator) -> Sound:
    """Change the speed and level, and often add a room and coloured noise."""
    sound = np.asarray(soxr.resample(sound, RATE, RATE * draw.uniform(0.87, 1.15)))
    sound = np.pad(sound, tuple(draw.integers(0, RATE // 2, 2)))
    if draw.random() < 0.4:
        sound = fftconvolve(sound, rooms[draw.integers(len(rooms))])[: len(sound) + RATE // 8]
    if draw.random() < 0.6:
        sound = sound + _noise(len(sound), draw) * sound.std() * 10 ** -draw.uniform(0.25, 1.75)
    level = draw.uniform(0.05, 0.9)
    return np.asarray(sound * (level / max(np.abs(sound).max(), 1e-6)), dtype=np.float32)


def _noise(length: int, draw: np.random.Generator) -> Sound:
    """Noise of unit power, its spectrum falling by 0 to 6 dB per octave."""
    spectrum = np.fft.rfft(draw.standard_normal(length))
    spectrum *= np.maximum(np.arange(len(spectrum)), length / 200) ** -draw.uniform(0.0, 1.0)
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / noise.std(), dtype=np.float32)
