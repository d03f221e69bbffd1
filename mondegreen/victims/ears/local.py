"""Recognisers in optional packages: PocketSphinx, faster-whisper and Vosk. They only transcribe.

Packages and models are loaded only when asked for. Audio is ``[T]`` in [-1, 1] at 16 kHz.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import numpy as np
from torch import Tensor

from mondegreen.audio.pcm import to_pcm16
from mondegreen.errors import VictimError
from mondegreen.reading import is_folder


class PocketSphinx:
    """PocketSphinx (Huggins-Daines et al. 2006): Gaussian mixtures, a trigram model, no network.

    Its American English model comes in its wheel, so it is the one ear that needs no download.
    Raises `VictimError` if the package is missing.
    """

    sample_rate = 16_000

    def __init__(self, name: str) -> None:
        self.name = name
        self._library = _optional("pocketsphinx", "pocketsphinx>=5.1")

    def transcribe(self, audio: Tensor) -> str:
        """Decode one clip as one whole utterance of 16-bit samples."""
        # a new decoder each time: what it learns of a clip's noise changes its next transcript
        decoder = self._library.Decoder(samprate=self.sample_rate, loglevel="FATAL")
        decoder.start_utt()
        decoder.process_raw(_pcm(audio), full_utt=True)
        decoder.end_utt()
        best = decoder.hyp()
        return "" if best is None else str(best.hypstr)


class FasterWhisper:
    """Whisper (Radford et al. 2023) in the CTranslate2 engine, as many products run it.

    Its settings are its own, with one exception: it may not fall back to random sampling when it is
    unsure, because the same file would then get varying transcripts.

    Args:
        name: what `load_recogniser` calls it.
        model: a converted model's folder, or a size such as "base.en", which is downloaded.

    Raises:
        VictimError: the package or the model is missing, or the model cannot be read.
    """

    sample_rate = 16_000

    def __init__(self, name: str, model: str) -> None:
        self.name = name
        library = _optional("faster_whisper", "faster-whisper>=1.0")
        try:
            self._model = library.WhisperModel(model)
        except (OSError, RuntimeError, ValueError) as error:
            raise VictimError(
                f"faster-whisper cannot load {model!r} ({error}); name a size that it knows, or"
                " the folder of a converted model"
            ) from error

    def transcribe(self, audio: Tensor) -> str:
        """Beam search at temperature 0; the language is detected."""
        samples = audio.detach().cpu().numpy().astype(np.float32)
        segments, _ = self._model.transcribe(samples, temperature=0.0)
        return "".join(segment.text for segment in segments).strip()


class Vosk:
    """Vosk: Kaldi's hybrid of a neural network and a decoding graph (Povey et al. 2011).

    Args:
        name: what `load_recogniser` calls it.
        folder: the unpacked model. Nothing is downloaded.

    Raises:
        VictimError: the package is missing, or the folder holds no model.
    """

    sample_rate = 16_000

    def __init__(self, name: str, folder: str) -> None:
        self.name = name
        self._library = _optional("vosk", "vosk>=0.3.45")
        self._library.SetLogLevel(-1)  # otherwise Kaldi logs to stderr
        if not is_folder(folder):
            raise VictimError(
                f"vosk needs a model's folder, and {folder!r} is not a folder; unpack one"
            )
        try:
            self._model = self._library.Model(model_path=folder)
        except Exception as error:  # it raises nothing more specific
            raise VictimError(
                f"vosk cannot load {folder!r} ({error}); name the folder of an unpacked model, the"
                " one that contains conf and am"
            ) from error

    def transcribe(self, audio: Tensor) -> str:
        """Decode one clip as one whole utterance of 16-bit samples."""
        recogniser = self._library.KaldiRecognizer(self._model, float(self.sample_rate))
        recogniser.AcceptWaveform(_pcm(audio))
        return str(json.loads(recogniser.FinalResult())["text"])


def _pcm(audio: Tensor) -> bytes:
    return to_pcm16(audio.detach().cpu().numpy()).tobytes()


def _optional(module: str, requirement: str) -> Any:
    """Import a module of an optional package; `VictimError` if it is missing or broken."""
    try:
        return import_module(module)
    except (ImportError, OSError) as error:  # OSError: a shared library that it brings or needs
        raise VictimError(
            f"{module} cannot be imported ({error}); run: pip install '{requirement}'"
        ) from error
