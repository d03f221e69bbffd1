"""Moonshine (Jeffries et al. 2024): raw waveform in, sequence to sequence.

The model's own `forward` normalises its first features over time, padding included, so a clip in a
padded batch would get other states than alone. `Moonshine.score` therefore runs the encoder's
modules itself, with statistics and attention over each clip's own frames, and the decoder's with
prepared masks and positions; `Moonshine.transcribe` uses the model's unchanged `generate`, one clip
at a time.

Masks and positions depend only on a batch's lengths and targets. transformers' `forward` makes them
at every call, and reads a mask's values to choose an attention kernel, which waits for a GPU. Here
the same functions are called once, and the layers get their results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.masking_utils import create_bidirectional_mask, create_causal_mask

from mondegreen.audio.batch import without_padding
from mondegreen.errors import TargetError, VictimError
from mondegreen.victims.base import Score
from mondegreen.victims.batching import Remembered
from mondegreen.victims.families.pretrained import Pretrained
from mondegreen.victims.frontends.base import first
from mondegreen.victims.spelling import PretrainedVocabulary, Vocabulary
from mondegreen.victims.teacher_forcing import TeacherForcing
from mondegreen.victims.tokens.generation import GREEDY, Generation, longest


@dataclass(frozen=True)
class EncoderLayout:
    """Clips of certain lengths in a batch of a certain width, as the encoder needs them."""

    weight: Tensor  # [B, 1, F'], 1 at the real frames of the first convolution, else 0
    mask: Tensor | None  # [B, F] bool: which encoder states are real; None: all
    attention: Any  # the layers' mask over padding
    rotation: tuple[Tensor, Tensor]  # cosines and sines of the places, each [1, F, D']

    @classmethod
    def of(cls, encoder: Any, lengths: Tensor, samples: int) -> EncoderLayout:
        """Lay out clips of `lengths` [B] in a batch [B, samples]."""
        counts, size = conv_length(lengths, encoder.conv1), conv_length(samples, encoder.conv1)
        real = first(counts, size)[:, None]
        for convolution in (encoder.conv2, encoder.conv3):
            counts, size = conv_length(counts, convolution), conv_length(size, convolution)
        own = first(counts, size)
        mask = None if own.all() else own
        states = _like_states(encoder, len(lengths), size)
        attention = create_bidirectional_mask(encoder.config, states, mask)
        return cls(real.to(states), mask, attention, _rotation(encoder, states))


@dataclass(frozen=True)
class DecoderLayout:
    """Targets of a batch, as the decoder needs them."""

    forced: TeacherForcing  # the targets
    embedded: Tensor  # [B, N, D], the decoder's input
    causal: Any  # the layers' mask over later places
    across: Any  # the layers' mask over the memory's padding
    rotation: tuple[Tensor, Tensor]  # cosines and sines of the places, each [1, N, D']

    @classmethod
    def of(
        cls, decoder: Any, prompt: Sequence[int], targets: Sequence[Tensor], mask: Tensor | None
    ) -> DecoderLayout:
        """Lay out B targets over encoder states whose real ones are `mask` [B, F]."""
        forced = TeacherForcing.of(prompt, *targets)
        embedded = decoder.embed_tokens(forced.inputs)
        causal = create_causal_mask(decoder.config, embedded, None, None)
        across = None
        if mask is not None:
            memory = _like_states(decoder, *mask.shape)
            across = create_bidirectional_mask(decoder.config, embedded, mask, memory)
        return cls(forced, embedded, causal, across, _rotation(decoder, embedded))


def conv_length(length: Any, convolution: torch.nn.Conv1d) -> Any:
    """Output frames of a convolution without padding over `length` inputs, int or tensor."""
    (kernel,), (stride,) = convolution.kernel_size, convolution.stride
    return (length - kernel) // stride + 1


def _like_states(half: Any, clips: int, size: int) -> Tensor:
    """[clips, size, D], uninitialised: transformers reads its shape and type."""
    weight: Tensor = next(half.parameters())
    return weight.new_empty(clips, size, half.config.hidden_size)


def _rotation(half: Any, states: Tensor) -> tuple[Tensor, Tensor]:
    places = torch.arange(states.shape[1], device=states.device)[None]
    cosines, sines = half.rotary_emb(states, position_ids=places)
    return cosines, sines


SAMPLE_RATE = 16_000
TOKENS_PER_SECOND = 6.5  # the makers' bound on generation, against runaway repetition


class Moonshine(Pretrained):
    """A Moonshine model as a victim, from transformers' model with its weights, and a tokenizer.

    Raises:
        VictimError: the model's generation config is not reproduced.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, name: str, model: Any, tokenizer: Vocabulary) -> None:
        self.name = name
        self._hold(model)
        self.tokenizer = tokenizer
        self.beams = 1
        self.generation = Generation.of(model.generation_config, model.config.vocab_size)
        self.generation.check_silent(tokenizer, self.generation.prompt)
        self._barred = self.generation.barred().to(self.device, self.dtype)
        self._encoder_layout = Remembered(partial(EncoderLayout.of, model.model.encoder))
        self._decoder_layout = Remembered(self._lay_out)

    def encode(self, target: str, length: int) -> Tensor:
        """Tokens of `target`, closed by the end token; see `Victim.encode`."""
        tokens = self.generation.encode(target, self.tokenizer)
        if len(tokens) > (room := self._room(length)):
            raise TargetError(
                f"the target takes {len(tokens) - 1} tokens, but in {length / SAMPLE_RATE:.1f} s"
                f" the recogniser writes at most {room - 1}; choose a shorter target or a longer"
                " clip"
            )
        return tokens.to(self.device)

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """Teacher-forced loss, and whether the greedy decode is the target; see `Victim.score`."""
        memory, _ = self.encode_audio(audio, lengths)
        layout = self._decoder_layout(lengths, audio.shape[1], *targets)
        logits = self.model.proj_out(layout.forced.predicting(self._decode(layout, memory)))
        return layout.forced.score(logits, self._barred)

    @torch.no_grad()
    def transcribe(self, audio: Tensor) -> str:
        """Generation under the makers' bound on length; audio [T] in [-1, 1]."""
        ids = self.model.generate(
            **self.features(audio),
            max_length=max_tokens(audio.shape[-1]),
            num_beams=self.beams,
            **GREEDY,
        )
        return self.tokenizer.decode(ids[0].tolist())

    def features(self, audio: Tensor) -> dict[str, Any]:
        """The model's own input of one clip, [T] in [-1, 1]: the waveform as it is."""
        return {"input_values": audio.to(self.device, self.dtype)[None]}

    def encode_audio(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """Encode each clip's own frames: states [B, F, D], mask [B, F] (None: all real)."""
        encoder, audio = self.model.model.encoder, without_padding(audio, lengths)
        # the first convolution as a product over frames: six times as fast on a CPU
        (kernel,), (stride,) = encoder.conv1.kernel_size, encoder.conv1.stride
        hidden = torch.tanh(audio.unfold(-1, kernel, stride) @ encoder.conv1.weight[:, 0].T)
        layout = self._encoder_layout(lengths, audio.shape[1])
        hidden = _group_norm(hidden.transpose(1, 2), layout.weight, encoder.groupnorm)
        hidden = F.gelu(encoder.conv3(F.gelu(encoder.conv2(hidden)))).transpose(1, 2)
        for layer in encoder.layers:
            hidden = layer(
                hidden, attention_mask=layout.attention, position_embeddings=layout.rotation
            )
        return encoder.layer_norm(hidden), layout.mask

    def frames(self, lengths: Tensor) -> Tensor:
        """Encoder states of clips of `lengths` samples; any shape."""
        encoder = self.model.model.encoder
        for convolution in (encoder.conv1, encoder.conv2, encoder.conv3):
            lengths = conv_length(lengths, convolution)
        return lengths

    def _room(self, length: int) -> int:
        """Places for a target and its end in the output for `length` samples."""
        config, bound = self.model.generation_config, max_tokens(length)
        if config.max_new_tokens is not None:  # overrides the length passed to `generate`
            bound = min(bound, longest(config, given=1))
        return max(1, bound - len(self.generation.prompt))

    def _lay_out(self, lengths: Tensor, samples: int, *targets: Tensor) -> DecoderLayout:
        mask = self._encoder_layout(lengths, samples).mask
        return DecoderLayout.of(self.model.model.decoder, self.generation.prompt, targets, mask)

    def _decode(self, layout: DecoderLayout, memory: Tensor) -> Tensor:
        """The decoder's states [B, N, D] over `memory` [B, F, D]."""
        decoder, hidden = self.model.model.decoder, layout.embedded
        for layer in decoder.layers:
            hidden = layer(
                hidden,
                layout.causal,
                memory,
                encoder_attention_mask=layout.across,
                position_embeddings=layout.rotation,
            )
        normalised: Tensor = decoder.norm(hidden)
        return normalised


class HubMoonshine(Moonshine):
    """A Moonshine checkpoint in the layout of the hub; arguments as `Pretrained`.

    Raises:
        VictimError: the processor has another sample rate; or as `Pretrained` and `Moonshine`.
    """

    auto_classes = MappingProxyType({"moonshine": "AutoModelForSpeechSeq2Seq"})

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        if (rate := processor.feature_extractor.sampling_rate) != SAMPLE_RATE:
            raise VictimError(
                f"{name} has a processor for {rate} Hz, but Moonshine needs {SAMPLE_RATE} Hz;"
                " correct its preprocessor_config.json"
            )
        Pretrained.__init__(self, name, model, processor)
        super().__init__(name, model, PretrainedVocabulary(processor.tokenizer))

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """As `Moonshine.score`, on the processor's version of the waveform."""
        audio, _ = self.frontend(audio.to(self.dtype), lengths)
        return super().score(audio, lengths, targets)

    def features(self, audio: Tensor) -> dict[str, Any]:
        """The original processor's features; see `Pretrained.features`."""
        return Pretrained.features(self, audio)


def max_tokens(length: int) -> int:
    """The longest output, start token included, for a clip of `length` samples."""
    return max(2, int(length / SAMPLE_RATE * TOKENS_PER_SECOND))


def _group_norm(hidden: Tensor, weight: Tensor, norm: torch.nn.GroupNorm) -> Tensor:
    """Group norm with one group, its mean and variance over real frames only.

    Shape: hidden ``[B, C, F]``, weight ``[B, 1, F]``, 1 at real frames, else 0 -> ``[B, C, F]``.
    """
    count = weight.sum((1, 2), keepdim=True) * hidden.shape[1]
    centred = (hidden - (hidden * weight).sum((1, 2), keepdim=True) / count) * weight
    variance = centred.square().sum((1, 2), keepdim=True) / count
    return centred * torch.rsqrt(variance + norm.eps) * norm.weight[:, None] + norm.bias[:, None]
