"""What all checkpoints of transformers share: frozen weights, a processor, a frontend.

A checkpoint's processor is what its users run, but it works in numpy, without gradients. So
`Pretrained` keeps it for transcribing, and puts the same features, re-expressed in torch, into the
graph, after checking on loading that they are the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from mondegreen.errors import VictimError
from mondegreen.victims.base import Score
from mondegreen.victims.frontends import Frontend, check_equal, frontend_of


class Pretrained(ABC):
    """A checkpoint and its processor, differentiable in the sound.

    A family is a subclass with `encode`, `score` and `transcribe`; see `Victim`.

    Args:
        name: what `load_victim` calls it.
        model: transformers' model, with its weights.
        processor: transformers' processor of that checkpoint: a feature extractor and a tokenizer.

    Raises:
        VictimError: the processor's features cannot be reproduced in torch, or its tokenizer
            belongs to another checkpoint.
    """

    auto_classes: ClassVar[Mapping[str, str]]  # transformers' auto class of each model type served

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        self.name = name
        self._hold(model)
        self.processor = processor
        _check_tokenizer(processor.tokenizer, model.config.get_text_config().vocab_size)
        frontend: Frontend = frontend_of(processor.feature_extractor)
        self.frontend_error = check_equal(frontend, processor.feature_extractor)
        self.frontend = frontend.to(self.device, self.dtype)
        self.sample_rate = int(processor.feature_extractor.sampling_rate)

    def _hold(self, model: Any) -> None:
        weight = next(model.parameters())
        self.model = model.requires_grad_(False).eval()
        self.device: torch.device = weight.device
        self.dtype: torch.dtype = weight.dtype

    @classmethod
    def processor_class(cls, model_type: str) -> str:  # noqa: ARG003 - a family may need it
        """Transformers' class of the processor of a model type served."""
        return "AutoProcessor"

    @abstractmethod
    def encode(self, target: str, length: int) -> Tensor:
        """The symbols of a target; see `Victim.encode`."""

    @abstractmethod
    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """Score a padded batch; see `Victim.score`."""

    @abstractmethod
    def transcribe(self, audio: Tensor) -> str:
        """Transcribe one clip with the checkpoint's own processor and generation."""

    def features(self, audio: Tensor) -> dict[str, Any]:
        """The original processor's features of one clip, [T] in [-1, 1], as the model's input."""
        samples = audio.detach().cpu().float().numpy()
        inputs = self.processor.feature_extractor(
            samples, sampling_rate=self.sample_rate, return_tensors="pt"
        )
        return dict(inputs.to(self.device, self.dtype))


def _check_tokenizer(tokenizer: Any, symbols: int) -> None:
    """Refuse the empty tokenizer that transformers makes if a folder lacks the tokenizer's files.

    Half the symbols, because a model may have spare symbols, or some that are never written.
    """
    if 2 * len(tokenizer) < symbols:
        raise VictimError(
            f"the tokenizer has {len(tokenizer)} symbols, but the model has {symbols}: it belongs"
            " to another checkpoint. Are its files (tokenizer.json or vocab.json) missing?"
        )
