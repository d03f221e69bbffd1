"""Speech2Text (Wang et al. 2020, fairseq S2T): filter bank energies in, sequence to sequence.

The encoder starts with strided convolutions that see a few frames past a clip's end. Alone, those
are zeros at every layer; in a padded batch, the second layer sees what the first made of the
padding. So only clips of equal length are encoded together. The decoder, which attends to a clip's
own states, takes the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from torch import Tensor
from transformers.masking_utils import create_bidirectional_mask

from mondegreen.errors import TargetError
from mondegreen.victims.base import Score
from mondegreen.victims.batching import Remembered, Unpadded
from mondegreen.victims.families.seq2seq import Seq2Seq
from mondegreen.victims.frontends.base import first
from mondegreen.victims.tokens.generation import longest, start


class Speech2Text(Seq2Seq):
    """A Speech2Text checkpoint as a victim; arguments as `Pretrained`.

    The output of a multilingual one starts with a language symbol: `forced_bos_token_id` of the
    generation config, or else the one its tokenizer is set to.

    Raises:
        VictimError: as `Pretrained`, or its generation config is not reproduced.
    """

    auto_classes = MappingProxyType({"speech_to_text": "AutoModelForSpeechSeq2Seq"})

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        super().__init__(name, model, processor)
        config = model.generation_config
        language = config.forced_bos_token_id
        if language is None:
            language = _language(processor.tokenizer)
        prompt = [s for s in (start(config), language) if s is not None]
        bound = longest(config, given=1)
        self._generates(prompt, bound, forced_bos_token_id=language)
        self.generation.check_silent(self._vocabulary, prompt)
        self._alone, self._mask = Unpadded(self._states), Remembered(self._attention)

    def encode(self, target: str, length: int) -> Tensor:
        """Tokens of `target` and the end; see `Victim.encode`."""
        if length < self.frontend.shortest:
            raise TargetError(
                f"the clip has {length} samples, but this recogniser needs"
                f" {self.frontend.shortest}; choose a longer clip"
            )
        return self._tokens(target)

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
