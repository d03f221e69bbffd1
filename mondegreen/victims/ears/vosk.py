"""Vosk: Kaldi's hybrid of a neural network and a decoding graph (Povey et al. 2011)."""

from __future__ import annotations

import json
from pathlib import Path

from torch import Tensor

from mondegreen.audio.pcm import to_pcm16
from mondegreen.errors import VictimError
from mondegreen.victims.ears.optional import optional

REQUIREMENT = "vosk>=0.3.45"


class Vosk:
    """A model in a folder as a recogniser.

    Args:
        name: what `load_recogniser` calls it.
        folder: the unpacked model. Nothing is downloaded.

    Raises:
        VictimError: the package is missing, or the folder holds no model.
    """

    sample_rate = 16_000

    def __init__(self, name: str, folder: str) -> None:
        self.name = name
        self._library = optional("vosk", REQUIREMENT)
        self._library.SetLogLevel(-1)  # else Kaldi narrates on stderr
        if not Path(folder).is_dir():
            raise VictimError(f"vosk needs a model's folder, and {folder!r} is none; unpack one")
        try:
            self._model = self._library.Model(model_path=folder)
        except Exception as error:  # it raises nothing more specific
            raise VictimError(
                f"vosk cannot load {folder!r} ({error}); name the folder of an unpacked model, the"
                " one in which its conf and am lie"
            ) from error

    def transcribe(self, audio: Tensor) -> str:
        """Decode one clip, [T] in [-1, 1], as one whole utterance of 16-bit samples."""
        recogniser = self._library.KaldiRecognizer(self._model, float(self.sample_rate))
        recogniser.AcceptWaveform(to_pcm16(audio.numpy()).tobytes())
        return str(json.loads(recogniser.FinalResult())["text"])
