"""What Whisper and Speech2Text share: a decoder scored by teacher forcing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mondegreen.victims.batching import Remembered
from mondegreen.victims.families.pretrained import Pretrained
from mondegreen.victims.spelling import PretrainedVocabulary
from mondegreen.victims.teacher_forcing import TeacherForcing
from mondegreen.victims.tokens.generation import GREEDY, Generation, check_room


class Seq2Seq(Pretrained):
    """A sequence-to-sequence checkpoint; a family calls `_generates` when it is loaded.

    Attributes:
        generation: its prompt, end and suppressed symbols.
        room: the most symbols of one output, end included.
    """

    def _generates(self, prompt: Sequence[int], longest: int, prefix: str = "", **by: Any) -> None:
        """Set up generation; `prefix` starts the first word, `by` are arguments of `generate`."""
        self.beams = 1  # of `transcribe`; `score` is always about the greedy decode
        config, symbols = self.model.generation_config, self.model.config.vocab_size
        self.generation = Generation.of(config, symbols, prompt)
        self.room = longest - len(self.generation.prompt)
        self._vocabulary, self._by = PretrainedVocabulary(self.processor.tokenizer, prefix), by
        self.generation.check_silent(self._vocabulary)
        self._barred = self.generation.barred().to(self.device, self.dtype)
        self._forced = Remembered(partial(TeacherForcing.of, self.generation.prompt))

    def _tokens(self, target: str) -> Tensor:
        """Tokens of `target` and the end, with case and punctuation unless they are suppressed."""
        tokens = self.generation.encode(target, self._vocabulary)
        check_room(tokens, self.room)
        return tokens.to(self.device)

    @torch.no_grad()
    def transcribe(self, audio: Tensor) -> str:
        """Generation, greedy unless `beams` is over one; audio [T] in [-1, 1]."""
        ids = self.model.generate(
            **self.features(audio), **self._by, **GREEDY, num_beams=self.beams
        )
        return self._vocabulary.decode(ids[0].tolist())
