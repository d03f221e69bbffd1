"""Speech2Text (Wang et al. 2020, fairseq S2T): filter bank energies in, sequence to sequence.

The encoder starts with strided convolutions that see a few frames past a clip's end. Alone, those
are zeros at every layer; in a padded batch, the second layer sees what the first made of the
padding. So only clips of equal length are encoded together. The decoder, which attends to a clip's
own states, takes the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from transformers.masking_utils import create_bidirectional_mask

from mondegreen.errors import TargetError
from mondegreen.victims.base import Score
from mondegreen.victims.batching import Remembered, Unpadded
from mondegreen.victims.families.pretrained import Pretrained
from mondegreen.victims.frontends.base import first
from mondegreen.victims.losses.teacher_forcing import TeacherForcing
from mondegreen.victims.tokens.generation import Generation, check_room, longest
from mondegreen.victims.tokens.spelling import PretrainedVocabulary


class Speech2Text(Pretrained):
    """A Speech2Text checkpoint as a victim; arguments as `Pretrained`.

    The output of a multilingual one starts with a language symbol: `forced_bos_token_id` of the
    generation config, or else the one its tokenizer is set to.

    Attributes:
        generation: its prompt, end and suppressed symbols.
        room: the most symbols of one output, end included.

    Raises:
        VictimError: as `Pretrained`, or its generation config is not reproduced.
    """

    auto_classes = MappingProxyType({"speech_to_text": "AutoModelForSpeechSeq2Seq"})

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        super().__init__(name, model, processor)
        config = model.generation_config
        self._vocabulary = PretrainedVocabulary(processor.tokenizer)
        self._language = config.forced_bos_token_id
        if self._language is None:
            self._language = _language(processor.tokenizer)
        given = (config.decoder_start_token_id, self._language)
        prompt = [symbol for symbol in given if symbol is not None]
        self.generation = Generation.of(config, model.config.vocab_size, prompt)
        self.room = longest(config, given=1) - len(prompt)
        self._barred = self.generation.barred().to(self.device, self.dtype)
        self._forced = Remembered(partial(TeacherForcing.of, self.generation.prompt))
        self._alone, self._mask = Unpadded(self._states), Remembered(self._attention)

    def encode(self, target: str, length: int) -> Tensor:
        """Tokens of `target` and the end; see `Victim.encode`."""
        if length < self.frontend.shortest:
            raise TargetError(
                f"the clip has {length} samples, but this recogniser needs"
                f" {self.frontend.shortest}; choose a longer clip"
            )
        tokens = self.generation.encode(target, self._vocabulary)
        check_room(tokens, self.room)
        return tokens.to(self.device)

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """Teacher-forced loss, and whether the greedy decode is the target; see `Victim.score`."""
        features, counts = self.frontend(audio.to(self.dtype), lengths)
        memory, sizes = self._alone(features, counts)
        forced = self._forced(*targets)
        hidden = self.model.model.decoder(
            input_ids=forced.inputs,
            encoder_hidden_states=memory,
            encoder_attention_mask=self._mask(sizes, memory.shape[1], forced.inputs.shape[1]),
            use_cache=False,
        ).last_hidden_state
        return forced.score(self.model.lm_head(forced.predicting(hidden)), self._barred)

    @torch.no_grad()
    def transcribe(self, audio: Tensor) -> str:
        """Generation, greedy unless `beams` is over one; audio [T] in [-1, 1]."""
        ids = self.model.generate(
            **self.features(audio),
            forced_bos_token_id=self._language,
            do_sample=False,
            num_beams=self.beams,
        )
        return self._vocabulary.decode(ids[0].tolist())

    def _states(self, features: Tensor) -> Tensor:
        """Encoder states [B, F', D] of features [B, F, mels] without padding."""
        states: Tensor = self.model.model.encoder(features).last_hidden_state
        return states

    def _attention(self, sizes: Tensor, states: int, places: int) -> Any:
        """The decoder layers' mask over the memory's padding; None: there is no padding.

        From a plain mask, the decoder would make it at every call, and wait for the device.
        """
        config, like = self.model.config, self.model.lm_head.weight
        asking, memory = (
            like.new_empty(len(sizes), count, config.d_model) for count in (places, states)
        )
        real = first(sizes, states)
        return create_bidirectional_mask(self.model.model.decoder.config, asking, real, memory)


def _language(tokenizer: Any) -> int | None:
    """The language symbol that a multilingual tokenizer is set to."""
    known: dict[str, int] = getattr(tokenizer, "lang_code_to_id", {})
    return known.get(getattr(tokenizer, "tgt_lang", None) or "")
