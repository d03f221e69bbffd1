"""Qwen2-Audio (Chu et al. 2024): Whisper's features in, a language model that answers.

It is asked `QUESTION` about the clip, in the words of its own chat template, and its transcript is
the first sentence of its greedy answer. So a target is a sentence, and how the answer goes on does
not matter: the loss has no end symbol, and `matched` is about the beginning.

The prompt holds a place for every state that the encoder makes of the clip, so its length follows
from the clip's. Rows are padded at their right, where a causal model sees nothing of it; the
encoder, which reads a window of 30 s, is kept from looking past the clip by its own mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers.masking_utils import create_bidirectional_mask

from mondegreen.errors import AudioError, TargetError, VictimError
from mondegreen.text import ENDS, STOPS, kind, units
from mondegreen.victims.base import Score
from mondegreen.victims.batching import Remembered
from mondegreen.victims.families.pretrained import Pretrained
from mondegreen.victims.frontends.base import first
from mondegreen.victims.spelling import PretrainedVocabulary
from mondegreen.victims.teacher_forcing import TeacherForcing
from mondegreen.victims.tokens.generation import (
    GREEDY,
    Generation,
    check_room,
    refuse_other_settings,
)

QUESTION: Final = "What does the speaker say?"
ROOM: Final = 64  # symbols of a first sentence, at most


@dataclass(frozen=True)
class Layout:
    """Clips and targets of a batch, as the model needs them."""

    attention: Any  # the encoder layers' mask over what comes after a clip
    heard: Tensor  # [B, P, 1] bool: the places of the clip's states in the language model's input
    embedded: Tensor  # [B, P, D]: everything else of that input
    # [1, 1, P, P], over later places; without, the model reads its positions to see whether several
    # texts share a row, and waits for the device
    causal: Tensor
    forced: TeacherForcing  # the targets


class Qwen2Audio(Pretrained):
    """A Qwen2-Audio checkpoint as a victim; arguments as `Pretrained`.

    Attributes:
        window: the longest clip, in samples.

    Raises:
        VictimError: as `Pretrained`; its generation config is not reproduced; or its chat template
            has no place for a clip.
    """

    auto_classes = MappingProxyType({"qwen2_audio": "AutoModelForMultimodalLM"})

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        super().__init__(name, model, processor)
        self.beams = 1  # of `transcribe`; `score` is always about the greedy decode
        self.window = int(processor.feature_extractor.n_samples)
        config = model.generation_config
        refuse_other_settings(config)
        self.generation = Generation(
            prompt=(),  # differs with the clip
            end=-1,  # no part of a first sentence
            suppressed=frozenset(config.suppress_tokens or ()),
            suppressed_first=frozenset(config.begin_suppress_tokens or ()),
            symbols=model.config.get_text_config().vocab_size,
        )
        self._barred = self.generation.barred().to(self.device, self.dtype)
        self._vocabulary = PretrainedVocabulary(processor.tokenizer)
        self._asked = _asked(processor)
        self._before, self._after = self._around()
        self._layout = Remembered(self._lay_out)

    def encode(self, target: str, length: int) -> Tensor:
        """Tokens of a sentence, with the stop that it ends in; see `Victim.encode`."""
        if refusal := self._refusal(length):
            raise TargetError(refusal)
        tokens = self.generation.encode(_stopped(target), self._vocabulary)[:-1]
        written = self._vocabulary.decode(tokens.tolist())
        if not _ended(written) or written != _first_sentence(written):
            raise TargetError(
                f"the first sentence of an answer is compared, and {written!r} is not one sentence;"
                " choose a target with one full stop, at its end"
            )
        check_room(tokens, ROOM)
        return tokens.to(self.device)

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """Teacher-forced loss; and whether the answer begins so; see `Victim.score`."""
        features, counts = self.frontend(audio.to(self.dtype), lengths)
        layout: Layout = self._layout(counts, *targets)
        states = self.model.model.audio_tower(features, attention_mask=layout.attention)
        heard = self.model.model.multi_modal_projector(states.last_hidden_state)
        places = layout.embedded.shape[1] - len(self._before)
        heard = pad(heard, (0, 0, len(self._before), places - heard.shape[1]))
        hidden = self.model.model.language_model(
            inputs_embeds=torch.where(layout.heard, heard, layout.embedded),
            attention_mask=layout.causal,
            use_cache=False,
        ).last_hidden_state
        head = self.model.get_output_embeddings()
        return layout.forced.score(head(layout.forced.predicting(hidden)), self._barred)

    @torch.no_grad()
    def transcribe(self, audio: Tensor) -> str:
        """The first sentence of the answer, greedy unless `beams` is over one; audio [T].

        Raises:
            AudioError: the clip is longer than the window, or too short.
        """
        if refusal := self._refusal(audio.shape[-1]):
            raise AudioError(refusal)
        inputs = self.processor(
            text=self._asked,
            audio=audio.detach().cpu().float().numpy(),
            sampling_rate=self.sample_rate,
            return_tensors="pt",
        ).to(self.device, self.dtype)
        given = inputs["input_ids"].shape[1]

        def answered(ids: Tensor, _: Tensor) -> Tensor:
            said = (self._vocabulary.decode(row[given:].tolist()) for row in ids)
            return torch.tensor([_ended(_first_sentence(text)) for text in said], device=ids.device)

        ids = self.model.generate(
            **inputs,
            **GREEDY,
            num_beams=self.beams,
            max_new_tokens=ROOM,
            stopping_criteria=[answered],
        )
        return _first_sentence(self._vocabulary.decode(ids[0, given:].tolist()))

    def _around(self) -> tuple[list[int], list[int]]:
        """The symbols of the prompt before and after those of a clip."""
        place = self.model.config.audio_token_index
        ids: list[int] = self.processor.tokenizer(self._asked).input_ids
        if ids.count(place) != 1:
            raise VictimError(
                f"the checkpoint's chat template has {ids.count(place)} places for one clip,"
                " expected 1; use the chat template that its makers publish"
            )
        return ids[: ids.index(place)], ids[ids.index(place) + 1 :]

    def _lay_out(self, counts: Tensor, *targets: Tensor) -> Layout:
        """Of clips with `counts` [B] frames of features."""
        states = (counts + 1) // 2  # a convolution of stride 2
        config, place = self.model.config, self.model.config.audio_token_index
        window = config.audio_config.max_source_positions
        like = self._barred.new_empty(len(counts), window, config.audio_config.d_model)
        attention = create_bidirectional_mask(config.audio_config, like, first(states, window))
        prompts = [[*self._before, *[place] * n, *self._after] for n in _places(counts).tolist()]
        forced = TeacherForcing(prompts, targets)
        embedded = self.model.get_input_embeddings()(forced.inputs)
        size = embedded.shape[1]
        causal = embedded.new_full((1, 1, size, size), -torch.inf).triu(1)
        return Layout(attention, (forced.inputs == place)[..., None], embedded, causal, forced)

    def _refusal(self, length: int) -> str | None:
        """Why a clip of `length` samples is not heard; None: it is."""
        if length > self.window:
            seconds, window = length / self.sample_rate, self.window / self.sample_rate
            return (
                f"the clip lasts {seconds:.2f} s, but this recogniser takes {window:g} s at a time;"
                " split the clip"
            )
        # with one, the model takes the prompt for one whose places it is to make itself
        if _places(self.frontend.counts(torch.tensor([length]))) < 2:
            return f"the clip has {length} samples, too few for this recogniser; use a longer one"
        return None


def _places(counts: Tensor) -> Tensor:
    """Of clips in the prompt, [B]: one for two states, of which each is of two of its `counts`."""
    return (counts + 1) // 4


def _asked(processor: Any) -> str:
    """The question about a clip, in the words of the checkpoint's chat template."""
    content = [{"type": "audio"}, {"type": "text", "text": QUESTION}]
    talk = [{"role": "user", "content": content}]
    asked: str = processor.apply_chat_template(talk, add_generation_prompt=True, tokenize=False)
    return asked


def _first_sentence(text: str) -> str:
    """A text up to its first full stop, or other end of a sentence; all of it, if it has none."""
    return text[: min((text.index(end) + 1 for end in ENDS if end in text), default=len(text))]


def _ended(sentence: str) -> bool:
    return sentence.endswith(ENDS)


def _stopped(target: str) -> str:
    """A target as a sentence: with the full stop of its writing, unless it has an end."""
    last = units(target)[-1:]
    return target if _ended(target) or not last else target + STOPS[kind(last[0])]
