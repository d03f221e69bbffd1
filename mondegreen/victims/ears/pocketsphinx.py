"""PocketSphinx (Huggins-Daines et al. 2006): Gaussian mixtures, a trigram model, no network at all.

Its American English model comes in its wheel, so that it is the one ear that needs no download.
"""

from __future__ import annotations

from torch import Tensor

from mondegreen.audio.pcm import to_pcm16
from mondegreen.victims.ears.optional import optional

REQUIREMENT = "pocketsphinx>=5.1"


class PocketSphinx:
    """The decoder with its own model as a recogniser.

    Args:
        name: what `load_recogniser` calls it.

    Raises:
        VictimError: the package is missing.
    """

    sample_rate = 16_000

    def __init__(self, name: str) -> None:
        self.name = name
        self._library = optional("pocketsphinx", REQUIREMENT)

    def transcribe(self, audio: Tensor) -> str:
        """Decode one clip, [T] in [-1, 1], as one whole utterance of 16-bit samples."""
        # a new one each time: what it learns of the noise in a clip changes how it hears the next
        decoder = self._library.Decoder(samprate=self.sample_rate, loglevel="FATAL")
        decoder.start_utt()
        decoder.process_raw(to_pcm16(audio.numpy()).tobytes(), full_utt=True)
        decoder.end_utt()
        best = decoder.hyp()
        return "" if best is None else str(best.hypstr)
