"""Playing a sound and recording it at the same time, on this machine's devices (PortAudio)."""

from __future__ import annotations

from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mondegreen.errors import AudioError, reason

BY_HAND: Final = "Or play the file with any player, and record it with any recorder."
Device = str | int | None  # a part of its name, or its number; None: the usual one


def play(
    audio: NDArray[np.float32], sample_rate: int, speaker: Device = None, microphone: Device = None
) -> NDArray[np.float32]:
    """Play a sound [T] and return what was recorded meanwhile, [T], by one microphone.

    Raises:
        AudioError: sounddevice or PortAudio is not installed, there is no such device, it does not
            take this rate, or it fails.
    """
    devices = _sounddevice()
    _check(devices, sample_rate, speaker, microphone)
    try:
        heard = devices.playrec(
            audio[:, None],
            samplerate=sample_rate,
            channels=1,
            dtype="float32",
            device=(microphone, speaker),
            blocking=True,
        )
    except devices.PortAudioError as error:
        raise AudioError(
            f"The devices failed ({reason(error)}). Check that no other program holds them."
            f" {BY_HAND}"
        ) from error
    return np.asarray(heard[:, 0])


def _sounddevice() -> ModuleType:
    try:
        import sounddevice
    except ImportError as error:
        raise AudioError(
            f"Playing and recording need a package; run: pip install 'mondegreen[audio]'. {BY_HAND}"
        ) from error
    except OSError as error:
        raise AudioError(
            f"The package sounddevice cannot be used ({reason(error)}). Install PortAudio, on"
            f" Debian and Ubuntu the package libportaudio2. {BY_HAND}"
        ) from error
    return sounddevice  # type: ignore[no-any-return]


def _check(devices: ModuleType, rate: int, speaker: Device, microphone: Device) -> None:
    """Refuse devices that are not there, or not of this rate, before anything sounds."""
    known = [str(one["name"]) for one in devices.query_devices()]
    if not known:
        raise AudioError(f"This machine has no audio devices. Connect one. {BY_HAND}")
    for check, device, what in (
        (devices.check_output_settings, speaker, "loudspeaker"),
        (devices.check_input_settings, microphone, "microphone"),
    ):
        try:
            check(device=device, channels=1, samplerate=rate)
        except (devices.PortAudioError, ValueError) as error:
            which = "The usual" if device is None else f"The device {device!r} as"
            raise AudioError(
                f"{which} {what} cannot be used at {rate:,} Hz ({reason(error)}). Choose another"
                f" --sample-rate or one of the devices: {', '.join(known)}."
            ) from error
