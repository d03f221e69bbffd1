"""Reading and writing recordings: the one place that knows 16-bit PCM.

Audio is mono, floating point, full scale 1; one 16-bit step (LSB) is 1 / 32768. At the same rate,
`load` returns to the bit what `save` wrote. Recordings are not trusted: their headers are checked
before anything is decoded, and what is decoded is checked again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from mondegreen.audio.recording import UNKNOWN_FRAMES, open_recording, printable
from mondegreen.errors import AudioError
from mondegreen.files import write_whole

Samples: TypeAlias = NDArray[np.float32]
Pcm: TypeAlias = NDArray[np.int16]

FULL_SCALE: Final = 32768  # 16-bit steps in an amplitude of 1
MAX_SECONDS: Final = 120.0
MIN_SECONDS: Final = 0.1
MAX_SAMPLES: Final = 2**26  # frames x channels held at once: 256 MB as float32
BLOCK: Final = 2**20  # frames x channels decoded at once of a recording that is read in blocks,
BLOCK_SECONDS: Final = 20  # and seconds: at a higher rate, they are more samples
CANCELLED: Final = 0.01  # of the power that a mix of unrelated channels has: their mix has less
MAX_PEAK: Final = 2.0  # lossy codecs overshoot full scale slightly; other units exceed this
ADVERSARIAL_MARK: Final = "adversarial=true; made with mondegreen"


def load(
    path: str | PathLike[str], sample_rate: int, *, max_seconds: float = MAX_SECONDS
) -> Samples:
    """Read a wav, flac, ogg or mp3 file as mono audio.

    Channels are averaged, the rate is converted (soxr, high quality), and overshoots are clipped to
    [-1, 1]. A mono file at `sample_rate` comes back unchanged.

    Args:
        path: file to read.
        sample_rate: of the result, in Hz.
        max_seconds: longest recording accepted, in seconds.

    Returns:
        float32 `[T]` in [-1, 1].

    Raises:
        AudioError: the file is missing, a folder, empty, damaged or not audio; is shorter than
            0.1 s or longer than `max_seconds`; holds NaN or infinity, or only silence; or its
            channels cancel each other.
    """
    name = printable(path)
    with opened(path, max_seconds) as file:
        rate, frames = file.samplerate, _read(name, file, max_seconds)
    return converted(name, frames, rate, sample_rate)


def converted(name: str, frames: Samples, rate: int, sample_rate: int) -> Samples:
    """Frames `[T, channels]` at `rate` as a clip `[T]` at `sample_rate`; see `load`.

    Raises:
        AudioError: what was called so holds NaN or infinity, or only silence, or channels that
            cancel each other.

    >>> converted("a", np.full((800, 2), [0.5, 0.0], np.float32), 8_000, 8_000)[:2].tolist()
    [0.25, 0.25]
    """
    mix = _Mix(name)
    mono = mix.of(frames)
    mix.check()
    audio = np.clip(resample(mono, rate, sample_rate), -1.0, 1.0)
    if np.abs(audio).max() * FULL_SCALE <= 0.5:  # half a step is rounded to zero
        raise AudioError(f"{name} is silent (no sample reaches one 16-bit step), expected speech.")
    return audio


def resample(audio: Samples, rate: int, sample_rate: int) -> Samples:
    """Convert a clip `[T]` from `rate` to `sample_rate` (Hz) with soxr at high quality.

    Returns:
        float32 `[T * sample_rate / rate]`, rounded; steep edges may exceed the old peak.

    >>> resample(np.zeros(800, np.float32), 8_000, 16_000).shape
    (1600,)
    """
    if rate == sample_rate:
        return audio
    return np.asarray(soxr.resample(audio, rate, sample_rate), dtype=np.float32)


def to_pcm16(audio: NDArray[np.floating]) -> Pcm:
    """Round audio to 16-bit integers: half steps to even, values beyond full scale clipped.

    Args:
        audio: floats of any shape, full scale 1.

    Raises:
        AudioError: a value is NaN or infinite, or the values are not floats.

    >>> to_pcm16(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 16384, 32767]
    """
    values = np.asarray(audio)
    if values.dtype.kind != "f":
        hint = f"Divide 16-bit integers by {FULL_SCALE}."
        raise AudioError(f"Got audio as {values.dtype}, expected floats in [-1, 1]. {hint}")
    if not np.isfinite(values).all():
        raise AudioError("Got audio with NaN or infinite samples, expected numbers in [-1, 1].")
    steps = np.rint(values.astype(np.float64) * FULL_SCALE)  # half precision cannot hold 32767
    return np.clip(steps, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def save(
    path: str | PathLike[str],
    audio: NDArray[np.floating],
    sample_rate: int,
    *,
    comment: str | None = None,
) -> None:
    """Write the samples `to_pcm16(audio)` as a WAV file, in one step.

    Args:
        path: file to write or replace; its folder must exist.
        audio: floats `[T]`, full scale 1.
        sample_rate: in Hz.
        comment: text for the file's comment field, such as `ADVERSARIAL_MARK`.

    Raises:
        AudioError: `audio` is not one clip of finite floats.
        StorageError: the file cannot be written (disk full, no such folder, no permission).
    """
    write_whole(Path(path), wav_bytes(audio, sample_rate, comment=comment))


def written(audio: NDArray[np.floating], sample_rate: int) -> Samples:
    """What a file of some audio `[T]` reads back as: encoded and decoded in memory.

    Raises:
        AudioError: `audio` is not one clip of finite floats.

    >>> written(np.array([0.1, 2.0]), 16_000).tolist() == [3277 / 32768, 32767 / 32768]
    True
    """
    samples, _ = soundfile.read(io.BytesIO(wav_bytes(audio, sample_rate)), dtype="float32")
    return np.asarray(samples, dtype=np.float32)


def wav_bytes(
    audio: NDArray[np.floating], sample_rate: int, *, comment: str | None = None
) -> bytes:
    """The samples `to_pcm16(audio)` of a clip `[T]` as a WAV file in memory; see `save`.

    >>> wav_bytes(np.zeros(160), 16_000)[:4]
    b'RIFF'
    """
    pcm = to_pcm16(audio)
    if pcm.ndim != 1 or pcm.size == 0:
        raise AudioError(f"Got audio of shape {pcm.shape}, expected one clip [T] with T > 0.")
    return encode(pcm, sample_rate, comment=comment)


def encode(
    pcm: NDArray[np.signedinteger],
    sample_rate: int,
    container: str = "WAV",
    subtype: str = "PCM_16",
    comment: str | None = None,
) -> bytes:
    """Encode integer samples `[T]` as a file in memory, losslessly.

    Args:
        pcm: int16, or int32 with the samples in its upper bits.
        sample_rate: in Hz.
        container: format by its libsndfile name, such as "WAV" or "FLAC".
        subtype: sample format by its libsndfile name.
        comment: text for the file's comment field.

    >>> encode(np.zeros(160, np.int16), 16_000, "FLAC")[:4]
    b'fLaC'
    """
    # Integers, because soundfile rounds floats down when it writes them to a 16-bit WAV.
    encoded = io.BytesIO()
    with soundfile.SoundFile(encoded, "w", sample_rate, 1, subtype, format=container) as file:
        if comment is not None:
            file.comment = comment
        file.write(pcm)
    return encoded.getvalue()


@contextmanager
def opened(path: str | PathLike[str], max_seconds: float) -> Iterator[soundfile.SoundFile]:
    """A recording, open to be decoded, that is within the limits by its header.

    Raises:
        AudioError: as `load`; also where decoding fails.
    """
    with open_recording(path) as file:
        _check_header(printable(path), file, max_seconds)
        yield file


def blocks(path: str | PathLike[str], file: soundfile.SoundFile) -> Iterator[Samples]:
    """An opened recording as mono audio [T] at its own rate, a block at a time.

    Raises:
        AudioError: it ends before its header says so, or holds what `load` refuses.
    """
    # Otherwise each read ends with a seek to where it is, after which an mp3 goes on inexactly.
    file.seekable = lambda: False
    name = printable(path)
    mix = _Mix(name)
    read, most = 0, min(BLOCK // file.channels, BLOCK_SECONDS * file.samplerate)
    while len(frames := file.read(min(most, file.frames - read), "float32", always_2d=True)):
        read += len(frames)
        yield mix.of(frames)
    _check_whole(name, file, read)
    mix.check()


class _Mix:
    """A recording's channels as one, and whether they cancel: where a wire is swapped, they do."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._before = self._after = 0.0  # power, added up over samples and channels

    def of(self, frames: Samples) -> Samples:
        """The mean [T] of some frames' channels [T, channels]."""
        _check_values(self._name, frames)
        mono: Samples = frames.mean(axis=1, dtype=np.float32)
        # were the channels unrelated, the power of their mean would be this
        self._before += float(np.square(frames, dtype=np.float64).sum()) / frames.shape[1] ** 2
        self._after += float(np.square(mono, dtype=np.float64).sum())
        return mono

    def check(self) -> None:
        """Refuse channels of whose mix hardly anything is left."""
        if self._after < CANCELLED * self._before:
            raise AudioError(
                f"The channels of {self._name} cancel each other: mixed to one, they are nearly"
                " silent. One of them may be of inverted polarity; make a file of one channel."
            )


def _check_header(name: str, file: soundfile.SoundFile, max_seconds: float) -> None:
    """Refuse a file by its header, before anything is decoded."""
    if file.frames == UNKNOWN_FRAMES:
        raise AudioError(f"{name} does not say how long it is. Convert it to wav.")
    _check_duration(name, file.frames, file.samplerate, max_seconds)


def _check_duration(name: str, frames: int, rate: int, max_seconds: float) -> None:
    lasts = f"{name} lasts {frames / rate:.7g} s, expected at"
    if frames == 0:
        raise AudioError(f"{name} has no samples. Expected a recording; record or copy it again.")
    if frames / rate < MIN_SECONDS:
        raise AudioError(f"{lasts} least {MIN_SECONDS} s. Use a longer recording.")
    if frames / rate > max_seconds:
        raise AudioError(f"{lasts} most {max_seconds:g} s. Cut it into shorter clips.")


def _read(name: str, file: soundfile.SoundFile, max_seconds: float) -> Samples:
    """Decode at most what the limits allow, and at least what the header promises."""
    if file.frames * file.channels > MAX_SAMPLES:
        raise AudioError(
            f"{name} holds {file.frames} frames of {file.channels} channels, expected at most"
            f" {MAX_SAMPLES} samples in all. Mix it to mono or cut it first."
        )
    most = min(int(max_seconds * file.samplerate), MAX_SAMPLES // file.channels)
    frames: Samples = file.read(most + 1, dtype="float32", always_2d=True)
    _check_whole(name, file, len(frames))
    _check_duration(name, len(frames), file.samplerate, max_seconds)
    return frames


def _check_whole(name: str, file: soundfile.SoundFile, read: int) -> None:
    if read < file.frames:
        raise AudioError(
            f"{name} is cut short: {read} frames could be read, its header promises"
            f" {file.frames}. Copy or download it again."
        )


def _check_values(name: str, frames: Samples) -> None:
    peak = float(np.abs(frames).max())
    if not np.isfinite(peak):
        raise AudioError(f"{name} holds NaN or infinite samples. Export the recording again.")
    if peak > MAX_PEAK:
        raise AudioError(
            f"{name} holds samples up to {peak:g}, expected [-1, 1]. Scale it first: divide by"
            f" {FULL_SCALE} if these are 16-bit units."
        )
