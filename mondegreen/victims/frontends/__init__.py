"""Feature extractors re-expressed in torch, one file each, and the check that compares them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mondegreen.errors import VictimError
from mondegreen.victims.frontends.base import Frontend
from mondegreen.victims.frontends.gate import check_equal
from mondegreen.victims.frontends.kaldi import KaldiFbank
from mondegreen.victims.frontends.parakeet import ParakeetMel
from mondegreen.victims.frontends.waveform import Waveform
from mondegreen.victims.frontends.whisper import MelThenZeros, WhisperMel

__all__ = ["Frontend", "check_equal", "frontend_of"]


def frontend_of(extractor: Any) -> Frontend:
    """The frontend for a feature extractor of transformers, by its class and settings.

    A subclass of an extractor is accepted; `check_equal` finds out whether it fits.

    Raises:
        VictimError: an extractor of another kind, or one that adds noise.
    """
    import transformers  # takes seconds to import, but an extractor has done so already

    if getattr(extractor, "zeros_follow", False):
        return MelThenZeros(extractor)
    kinds: dict[type, Callable[[Any], Frontend]] = {
        transformers.Wav2Vec2FeatureExtractor: Waveform,
        transformers.WhisperFeatureExtractor: WhisperMel,
        transformers.ParakeetFeatureExtractor: ParakeetMel,
        transformers.Speech2TextFeatureExtractor: KaldiFbank.of,
    }
    for kind, frontend in kinds.items():
        if isinstance(extractor, kind):
            _refuse_dither(extractor)
            return frontend(extractor)
    raise VictimError(
        f"the feature extractor {type(extractor).__name__} is not supported; supported are:"
        f" {', '.join(kind.__name__ for kind in kinds)}. For another recogniser, write your own"
        " victim: a class with the members of mondegreen.victims.Victim"
    )


def _refuse_dither(extractor: Any) -> None:
    dither = getattr(extractor, "dither", 0)
    if dither:
        raise VictimError(
            f"the feature extractor adds random noise (dither={dither}), so no two passes are"
            ' alike; set "dither" to 0 in the checkpoint\'s preprocessor_config.json'
        )
