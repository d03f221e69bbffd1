"""Whisper's pass over the beginning of its window, where the clip is; the rest is as it was nearby.

A clip of three seconds fills a tenth of the window of 30 s. The silence after it is the same for
every δ; what the encoder makes of it is not, but changes only through attention. So a whole pass
over a sound nearby leaves the keys and values that attention has for that rest. A near pass
computes the beginning alone, by the model's own layers, whose keys and values are those of both.

At the sound nearby itself the result is the whole pass's, to rounding; its gradient leaves out what
goes through the rest and back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import Cache

from mondegreen.victims.batching import Remembered
from mondegreen.victims.frontends.base import Frontend, first
from mondegreen.victims.frontends.whisper import WhisperMel
from mondegreen.victims.mixed import exactly

BEYOND: Final = 8  # places of the beginning after the clip's last frame: its window, and the stem's


@dataclass(frozen=True)
class Rest:
    """What is kept of a whole pass over sounds [B, T], whose beginnings have at most P places."""

    places: int  # P
    own: Tensor  # [B, P, 1] bool: places of a clip's own beginning
    entering: tuple[Tensor, ...]  # what enters each encoder layer at the P places, [B, P, D]
    leaving: Tensor  # [B, P, D], what leaves the encoder
    attended: tuple[Tensor, ...]  # keys and values at the places after them, [B, N - P, D] each


class Beginning:
    """The near pass of a Whisper model.

    Args:
        model: transformers' WhisperForConditionalGeneration.
        frontend: its features.
        unused: an empty cache, as the decoder wants it.
    """

    def __init__(self, model: Any, frontend: Frontend, unused: Cache) -> None:
        assert isinstance(frontend, WhisperMel)
        self._encoder, self._decoder = model.model.encoder, model.model.decoder
        self._frontend, self._unused = frontend, unused
        self._rest = Remembered(self._kept, latest=1)  # it is large
        self._laid_out = Remembered(self._places)
        own = [layer.self_attn for layer in self._encoder.layers]
        cross = [layer.encoder_attn for layer in self._decoder.layers]
        self._heard = [part for one in own for part in (one.k_proj, one.v_proj)]
        self._read = [part for one in cross for part in (one.k_proj, one.v_proj)]

    def decoded(self, audio: Tensor, lengths: Tensor, near: Tensor, inputs: Tensor) -> Tensor:
        """The decoder's states, [B, S, D].

        Args:
            audio: [B, T].
            lengths: [B], samples.
            near: [B, T], the sounds of which the rest is; their whole pass is remembered.
            inputs: [B, S], what the decoder reads.
        """
        rest = self._rest(near, lengths)
        with exactly(audio):
            features = self._frontend.beginning(audio, lengths, 2 * rest.places + 2)
        with _followed_by([*self._heard, *self._read], rest.attended):
            states: Tensor = self._decoder(
                input_ids=inputs,
                encoder_hidden_states=self._encoded(features, rest),
                past_key_values=self._unused,
                use_cache=False,
            ).last_hidden_state
        return states

    def _encoded(self, features: Tensor, rest: Rest) -> Tensor:
        """What leaves the encoder at the beginning, [B, P, D]; features [B, mels, 2 P + 2]."""
        encoder = self._encoder
        states = F.gelu(encoder.conv2(F.gelu(encoder.conv1(features))))[..., : rest.places].mT
        states = states + encoder.embed_positions.weight[: rest.places]
        for layer, entering in zip(encoder.layers, rest.entering, strict=True):
            states = layer(torch.where(rest.own, states, entering), None)
        return torch.where(rest.own, encoder.layer_norm(states), rest.leaving)

    def _kept(self, near: Tensor, lengths: Tensor) -> Rest:
        """A whole pass over the sounds nearby."""
        places, own = self._laid_out(lengths)
        features, _ = self._frontend(near, lengths)
        *entering, leaving = self._encoder(features, output_hidden_states=True).hidden_states
        layers = zip(self._encoder.layers, entering, strict=True)
        heard = [layer.self_attn_layer_norm(states[:, places:]) for layer, states in layers]
        read = [leaving[:, places:]] * len(self._decoder.layers)
        each = [states for states in (*heard, *read) for _ in "kv"]
        attended = zip([*self._heard, *self._read], each, strict=True)
        return Rest(
            places,
            own,
            tuple(states[:, :places].clone() for states in entering),
            leaving[:, :places].clone(),
            tuple(projection(states) for projection, states in attended),
        )

    def _places(self, lengths: Tensor) -> tuple[int, Tensor]:
        """Places of the longest beginning, and which are a clip's own, [B, P, 1]."""
        whole = self._encoder.config.max_source_positions
        counts = ((self._frontend.counts(lengths) + 1) // 2 + BEYOND).clamp(max=whole)
        longest = int(counts.max())
        return longest, first(counts, longest)[..., None]


@contextmanager
def _followed_by(projections: Sequence[Any], kept: Sequence[Tensor]) -> Iterator[None]:
    """Within it, what each projection gives for the beginning is followed by what is kept."""
    with ExitStack() as hooks:
        for projection, states in zip(projections, kept, strict=True):
            hook = partial(_joined, states)
            hooks.enter_context(projection.register_forward_hook(hook))
        yield


def _joined(kept: Tensor, _module: Any, _given: Any, begun: Tensor) -> Tensor:
    return torch.cat([begun, kept], dim=1)
