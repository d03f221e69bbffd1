"""A processor that fills Whisper's window as faster-whisper does.

Its features are those of transformers, to rounding, for every hop that a clip fills; then come
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
    """WhisperFeatureExtractor, with zeros after the last hop that a clip fills."""

    zeros_follow = True

    def __call__(self, raw_speech: Any, **settings: Any) -> Any:
        """Features as tensors; arguments as those of WhisperFeatureExtractor."""
        found = super().__call__(raw_speech, **(settings | {"return_tensors": "pt"}))
        features = found["input_features"]
        whole_hops = torch.tensor([n // self.hop_length for n in _sizes(raw_speech)])
        own = first(whole_hops, features.shape[-1])
        found["input_features"] = features * own[:, None]
        if "attention_mask" in found:
            found["attention_mask"] = own.long()
        return found


def _sizes(speech: np.ndarray[Any, Any] | Sequence[Any]) -> list[int]:
    """Samples of each clip, of one or of several."""
    return [len(clip) for clip in speech] if np.ndim(speech[0]) else [len(speech)]
