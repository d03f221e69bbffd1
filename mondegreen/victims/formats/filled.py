"""A processor that fills Whisper's window as faster-whisper does.

Its features are those of transformers, to rounding, in the frames that a clip reaches; then come
zeros, where transformers has the features of silence. The model hears the difference: an example
that was made for one filling is mostly not heard with the other (docs/whisper.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
import transformers

from mondegreen.victims.frontends.base import first

_EXTRACTOR: Final[Any] = transformers.WhisperFeatureExtractor  # untyped


class ZerosFollow(_EXTRACTOR):  # type: ignore[misc]
    """WhisperFeatureExtractor, with zeros after the last frame that a clip reaches."""

    zeros_follow = True

    def __call__(self, raw_speech: Any, **settings: Any) -> Any:
        """Features as tensors; arguments as those of WhisperFeatureExtractor."""
        found = super().__call__(raw_speech, **(settings | {"return_tensors": "pt"}))
        features = found["input_features"]
        own = first(
            torch.tensor([n // self.hop_length + 1 for n in _sizes(raw_speech)]), features.shape[-1]
        )
        found["input_features"] = features * own[:, None]
        if "attention_mask" in found:
            found["attention_mask"] = own.long()
        return found


def _sizes(speech: np.ndarray[Any, Any] | Sequence[Any]) -> list[int]:
    """Samples of each clip, of one or of several."""
    return [len(clip) for clip in speech] if np.ndim(speech[0]) else [len(speech)]
