"""Transducers (Graves 2012; with durations, Xu et al. 2023): Parakeet RNN-T and TDT.

The encoder runs on the padded batch: it masks padding wherever frames are mixed, in subsampling,
attention and convolutions. The joint network is large, [B, T, U + 1, V], but loss and greedy decode
need only a few numbers per node, so it is evaluated some frames at a time, and again for the
gradient.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint

from mondegreen.errors import TargetError, VictimError
from mondegreen.victims.base import Score
from mondegreen.victims.batching import Remembered
from mondegreen.victims.families.pretrained import Pretrained
from mondegreen.victims.frontends.base import first
from mondegreen.victims.printed import Printed
from mondegreen.victims.spelling import spell
from mondegreen.victims.tokens.generation import refuse_other_settings
from mondegreen.victims.transducer_loss import Choices, rnnt_loss, says, tdt_loss

_UNUSED = ("begin_suppress_tokens", "eos_token_id", "forced_bos_token_id", "forced_eos_token_id")
_AT_ONCE = 2**22  # logits of the joint network per evaluation


class Transducer(Pretrained):
    """A checkpoint of ParakeetForRNNT or ParakeetForTDT as a victim; arguments as `Pretrained`.

    Raises:
        VictimError: as `Pretrained`, or its generation config changes greedy decoding.
    """

    auto_classes = MappingProxyType(
        {"parakeet_rnnt": "AutoModelForRNNT", "parakeet_tdt": "AutoModelForTDT"}
    )

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        super().__init__(name, model, processor)
        config = model.config
        self.blank: int = config.blank_token_id
        self.durations: tuple[int, ...] = tuple(getattr(config, "durations", ()))
        self._vocabulary: int = config.vocab_size
        self._per_frame: int = model.max_symbols_per_step
        self._printed = Printed(self._read, self._vocabulary)
        self._labelled = Remembered(self._label)
        self._check_generation()

    def encode(self, target: str, length: int) -> Tensor:
        """Symbols of `target`, without the blank; see `Victim.encode`."""
        symbols = spell(self.processor.tokenizer, self._printed, target)
        if self.blank in symbols:
            raise TargetError(f"{target!r} contains the recogniser's blank; leave it out")
        if len(symbols) > (most := self._most_symbols(length)):
            raise TargetError(
                f"the target takes {len(symbols)} symbols, but in {length / self.sample_rate:.1f} s"
                f" the recogniser writes at most {most}; choose a shorter target or a longer clip"
            )
        return torch.tensor(symbols, device=self.device)

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """Loss over all alignments, and whether greedy decoding gives it; see `Victim.score`."""
        labels, symbols = self._labelled(*targets)
        states, frames, steps = self._encode(audio, lengths)
        blank, emit, duration, likeliest, moves = self._lattice(states, labels)
        if self.durations:
            loss = tdt_loss(blank, emit, duration, self.durations, frames, symbols)
            choices = Choices(likeliest, moves, self.blank, None)
        else:
            loss = rnnt_loss(blank, emit, frames, symbols)
            choices = Choices(likeliest, moves, self.blank, self._per_frame)
        return Score(loss, says(choices, labels, frames, symbols, steps))

    @torch.no_grad()
    def transcribe(self, audio: Tensor) -> str:
        """The model's own greedy generation; audio [T] in [-1, 1]."""
        with warnings.catch_warnings():
            # generation bounds itself by the clip's length, and warns of no bound all the same
            warnings.filterwarnings("ignore", "Using the model-agnostic default `max_length`")
            found = self.model.generate(**self.features(audio), do_sample=False, num_beams=1)
        return self._read(found.sequences[0].tolist()).strip()

    def _read(self, symbols: list[int]) -> str:
        """The text of an output."""
        return str(self.processor.decode(symbols, skip_special_tokens=True))

    def _label(self, *targets: Tensor) -> tuple[Tensor, Tensor]:
        """Targets [B, U], padded with the blank, and the symbols of each, [B]."""
        symbols = torch.tensor([len(target) for target in targets], device=self.device)
        return pad_sequence([*targets], batch_first=True, padding_value=self.blank), symbols

    def _encode(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """States for the joint network [B, T, H]; real frames [B]; `_most_steps` [B]."""
        features, counts = self.frontend(audio, lengths)
        real = first(counts, features.shape[1])
        states = self.model.get_audio_features(input_features=features, attention_mask=real)
        return states.pooler_output, states.attention_mask.sum(-1), self._most_steps(counts)

    def _lattice(self, states: Tensor, labels: Tensor) -> list[Tensor]:
        """All nodes of the lattices of targets [B, U], some frames at a time; see `_nodes`."""
        start = self.model.generation_config.decoder_start_token_id
        history = self.model.decoder(F.pad(labels, (1, 0), value=start))
        width = self._vocabulary + len(self.durations)
        at_once = max(1, _AT_ONCE // (history.shape[0] * history.shape[1] * width))
        parts = [
            checkpoint(
                self._nodes, piece, history, labels, use_reentrant=False, preserve_rng_state=False
            )
            for piece in torch.split(states, at_once, dim=1)
        ]
        return [torch.cat(part, dim=1) for part in zip(*parts, strict=True)]

    def _nodes(self, states: Tensor, history: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        """The joint network at every pair of a frame and a history.

        Args:
            states: [B, T, H] from the encoder.
            history: [B, U + 1, H] from the prediction network.
            labels: [B, U].

        Returns:
            Log-probabilities of the blank [B, T, U + 1], of the label [B, T, U] and of each
            duration [B, T, U + 1, D]; the likeliest symbol, and the frames that greedy decoding
            moves on by, both [B, T, U + 1].
        """
        logits = self.model.joint(
            encoder_hidden_states=states[:, :, None], decoder_hidden_states=history[:, None]
        )
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        words, times = logits.tensor_split([self._vocabulary], dim=-1)
        whole = words.logsumexp(-1)
        wanted = labels[:, None, :, None].expand(-1, states.shape[1], -1, -1)
        emit = words[:, :, :-1].gather(-1, wanted)[..., 0] - whole[..., :-1]
        likeliest = words.argmax(-1)
        moves = (likeliest == self.blank).long()
        if self.durations:  # generation moves by the number of the duration, not by its value
            moves = torch.maximum(moves, times.argmax(-1))
        return words[..., self.blank] - whole, emit, times.log_softmax(-1), likeliest, moves

    def _most_symbols(self, length: int) -> int:
        """The most symbols of a clip of `length` samples, both to generate and to score."""
        silence = torch.zeros(1, length, device=self.device, dtype=self.dtype)
        _, counts = self.frontend(silence, torch.tensor([length], device=self.device))
        frames, steps = int(self._frames(counts)), int(self._most_steps(counts))
        if not self.durations:
            return min(steps, frames * self._per_frame)
        shortest = min(self.durations)
        left = frames - min(d for d in self.durations if d > 0)  # a blank ends the path
        return min(steps, left // shortest) if shortest else steps

    def _most_steps(self, counts: Tensor) -> Tensor:
        """Blanks and symbols that generation stops after, [B], given the feature frames [B]."""
        config = self.model.generation_config
        if config.max_new_tokens is not None:
            return torch.full_like(counts, config.max_new_tokens)
        if config.max_length is not None:
            return torch.full_like(counts, config.max_length - 1)  # the start counts
        # the extractor returns one frame more than are real, and generation counts it
        return self._frames(counts + 1) * self._per_frame - 1

    def _frames(self, counts: Tensor) -> Tensor:
        """Encoder frames [B] of feature frames [B]."""
        frames: Tensor = self.model.encoder._get_subsampling_output_length(counts)
        return frames.long()

    def _check_generation(self) -> None:
        """Refuse settings by which generation would not choose the likeliest symbol."""
        letter = next(s for s in range(self._vocabulary) if self._printed.writes(s))
        if self._read([letter] * 2) == self._read([letter]):
            raise VictimError(
                "the checkpoint's processor merges repeated symbols, as of a CTC model, but a"
                " transducer repeats what it says twice; correct decoder_type in its"
                " processor_config.json"
            )
        config = self.model.generation_config
        refuse_other_settings(config)
        times = range(self._vocabulary, self._vocabulary + len(self.durations))
        needed = dict.fromkeys(_UNUSED) | {"suppress_tokens": [*times] or None}
        for setting, value in needed.items():
            if (found := getattr(config, setting)) != value:
                raise VictimError(
                    f"the checkpoint generates with {setting}={found}, but a transducer needs"
                    f" {value}. Load a copy with that in its generation_config.json"
                )
