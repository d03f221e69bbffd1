"""faster-whisper: Whisper (Radford et al. 2023) in the CTranslate2 engine, as many products run it.

Its settings are its own, with one exception: it may not fall back to sampling at random when it
doubts what it heard, because the same file would be heard in another way each time.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from mondegreen.errors import VictimError
from mondegreen.victims.ears.optional import optional

REQUIREMENT = "faster-whisper>=1.0"


class FasterWhisper:
    """A model in CTranslate2's format as a recogniser.

    Args:
        name: what `load_recogniser` calls it.
        model: a converted model's folder, which needs no network; or a size, such as "base.en",
            which faster-whisper downloads.

    Raises:
        VictimError: the package or the model is missing, or the model cannot be read.
    """

    sample_rate = 16_000

    def __init__(self, name: str, model: str) -> None:
        self.name = name
        library = optional("faster_whisper", REQUIREMENT)
        try:
            self._model = library.WhisperModel(model)
        except (OSError, RuntimeError, ValueError) as error:
            raise VictimError(
                f"faster-whisper cannot load {model!r} ({error}); name a size that it knows, or"
                " the folder of a converted model"
            ) from error

    def transcribe(self, audio: Tensor) -> str:
        """Beam search at temperature 0, the language as detected; audio [T] in [-1, 1]."""
        samples = audio.detach().cpu().numpy().astype(np.float32)
        segments, _ = self._model.transcribe(samples, temperature=0.0)
        return "".join(segment.text for segment in segments).strip()
