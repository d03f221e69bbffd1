"""What of Moonshine's work depends on a batch's lengths and targets alone, to be done once for it.

transformers' own `forward` makes masks and positions anew at every call, and reads a mask's values
to choose among attention kernels, for which a GPU would have to be waited for. Here the same
functions are asked once; what they give is handed to the layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.masking_utils import create_bidirectional_mask, create_causal_mask

from mondegreen.victims.frontends.base import first
from mondegreen.victims.teacher_forcing import TeacherForcing


@dataclass(frozen=True)
class EncoderLayout:
    """Clips of certain lengths in a batch of a certain width, as the encoder sees them.

    Attributes:
        weight: [B, 1, F'], 1 at the real frames of the first convolution, else 0.
        mask: [B, F] bool: which encoder states are real; None: all.
        attention: what keeps attention from the others, as the layers want it.
        rotation: cosines and sines of the places, each [1, F, D'].
    """

    weight: Tensor
    mask: Tensor | None
    attention: Any
    rotation: tuple[Tensor, Tensor]

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
    """Targets of a batch, as the decoder sees them.

    Attributes:
        forced: the targets.
        embedded: [B, N, D], the decoder's input.
        causal: what keeps a place from those after it, as the layers want it.
        across: what keeps attention from the memory's padding, as the layers want it.
        rotation: cosines and sines of the places, each [1, N, D'].
    """

    forced: TeacherForcing
    embedded: Tensor
    causal: Any
    across: Any
    rotation: tuple[Tensor, Tensor]

    @classmethod
    def of(
        cls, decoder: Any, prompt: Sequence[int], targets: Sequence[Tensor], mask: Tensor | None
    ) -> DecoderLayout:
        """Lay out B targets, to be said of states whose real ones `mask` [B, F] tells."""
        forced = TeacherForcing(prompt, targets)
        embedded = decoder.embed_tokens(forced.inputs)
        causal = create_causal_mask(decoder.config, embedded, None, None)
        across = None
        if mask is not None:
            memory = _like_states(decoder, *mask.shape)
            across = create_bidirectional_mask(decoder.config, embedded, mask, memory)
        return cls(forced, embedded, causal, across, _rotation(decoder, embedded))


def conv_length(length: Any, convolution: torch.nn.Conv1d) -> Any:
    """Frames that a convolution without padding makes of `length` inputs, an int or a tensor."""
    (kernel,), (stride,) = convolution.kernel_size, convolution.stride
    return (length - kernel) // stride + 1


def _like_states(half: Any, clips: int, size: int) -> Tensor:
    """[clips, size, D] of no certain values: transformers asks a tensor for shape and type."""
    weight: Tensor = next(half.parameters())
    return weight.new_empty(clips, size, half.config.hidden_size)


def _rotation(half: Any, states: Tensor) -> tuple[Tensor, Tensor]:
    places = torch.arange(states.shape[1], device=states.device)[None]
    cosines, sines = half.rotary_emb(states, position_ids=places)
    return cosines, sines
