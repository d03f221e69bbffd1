"""Moonshine (Jeffries et al. 2024): raw waveform in, sequence to sequence.

The model's own `forward` normalises its first features over time, padding included, so that a clip
in a padded batch is heard differently from the same clip alone. `Moonshine.score` therefore runs
the modules of the encoder itself, with statistics and attention over each clip's own frames;
`Moonshine.transcribe` goes through the model's unchanged `generate`, one clip at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import MoonshineForConditionalGeneration
from transformers.masking_utils import create_bidirectional_mask

from mondegreen.errors import TargetError
from mondegreen.victims.base import Score
from mondegreen.victims.tokenizer import END, START, Tokenizer

SAMPLE_RATE = 16_000
TOKENS_PER_SECOND = 6.5  # the makers' bound on generation, which stops runaway repetition
_CONVOLUTIONS = ((127, 64), (7, 3), (3, 2))  # (kernel, stride)


class Moonshine:
    """A Moonshine model as a victim.

    Args:
        name: what `load_victim` calls it.
        model: transformers' model, weights in place.
        tokenizer: its tokenizer.
    """

    sample_rate = SAMPLE_RATE

    def __init__(
        self, name: str, model: MoonshineForConditionalGeneration, tokenizer: Tokenizer
    ) -> None:
        self.name = name
        self.model = model.requires_grad_(False)
        self.model.train(False)
        self.tokenizer = tokenizer
        self._weight: Tensor = model.proj_out.weight

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' floating type."""
        return self._weight.dtype

    def encode(self, target: str, length: int) -> Tensor:
        """Tokens of `target`, closed by the end token; see `Victim.encode`."""
        return encode_target(self.tokenizer, target, length).to(self.device)

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """Teacher-forced loss, and whether the greedy decode is the target; see `Victim.score`."""
        memory, mask = self._listen(audio, lengths)
        sizes = torch.tensor([len(target) for target in targets], device=audio.device)
        labels = pad_sequence(list(targets), batch_first=True, padding_value=END)
        hidden = self.model.model.decoder(
            input_ids=F.pad(labels[:, :-1], (1, 0), value=START),
            encoder_hidden_states=memory,
            encoder_attention_mask=mask,
            use_cache=False,
        ).last_hidden_state
        real = _first(sizes, labels.shape[1])
        logits = self.model.proj_out(hidden[real])
        nats = F.cross_entropy(logits, labels[real], reduction="none")
        wrong = logits.argmax(-1) != labels[real]
        clip = torch.arange(len(targets), device=audio.device).repeat_interleave(sizes)
        loss = nats.new_zeros(len(targets)).index_add(0, clip, nats)
        mistakes = sizes.new_zeros(len(targets)).index_add(0, clip, wrong.long())
        return Score(loss, mistakes == 0)

    @torch.no_grad()
    def transcribe(self, audio: Tensor) -> str:
        """Greedy generation under the makers' bound on length; audio [T] in [-1, 1]."""
        ids = self.model.generate(  # type: ignore[misc]  # its annotations contradict each other
            audio.to(self.device, self.dtype)[None],
            max_length=max_tokens(audio.shape[-1]),
            do_sample=False,
            num_beams=1,
        )
        return self.tokenizer.decode(ids[0].tolist())

    def _listen(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """Encode each clip's own frames: states [B, F, D], mask [B, F] (None: all real)."""
        encoder = self.model.model.encoder
        frames = conv_length(lengths, *_CONVOLUTIONS[0])
        # the first convolution as a product over frames: six times as fast on a CPU
        (kernel, stride), weight = _CONVOLUTIONS[0], encoder.conv1.weight[:, 0]
        hidden = torch.tanh(audio.unfold(-1, kernel, stride) @ weight.T).transpose(1, 2)
        hidden = _group_norm(hidden, _first(frames, hidden.shape[-1]), encoder.groupnorm)
        hidden = F.gelu(encoder.conv2(hidden))
        hidden = F.gelu(encoder.conv3(hidden)).transpose(1, 2)
        frames = conv_length(conv_length(frames, *_CONVOLUTIONS[1]), *_CONVOLUTIONS[2])
        real = _first(frames, hidden.shape[1])
        mask = None if real.all() else real
        return self._attend(hidden, mask), mask

    def _attend(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        encoder = self.model.model.encoder
        attention_mask = create_bidirectional_mask(
            config=encoder.config, inputs_embeds=hidden, attention_mask=mask
        )
        positions = torch.arange(hidden.shape[1], device=hidden.device)[None]
        rotation = encoder.rotary_emb(hidden, position_ids=positions)
        for layer in encoder.layers:
            hidden = layer(hidden, attention_mask=attention_mask, position_embeddings=rotation)
        normalised: Tensor = encoder.layer_norm(hidden)
        return normalised


def encode_target(tokenizer: Tokenizer, target: str, length: int) -> Tensor:
    """Tokens of a target and the end token, [N].

    Raises:
        TargetError: no token for a character, or too many tokens for `length` samples.
    """
    ids = tokenizer.encode(target)
    if len(ids) >= (limit := max_tokens(length)):
        raise TargetError(
            f"the target takes {len(ids)} tokens, but in {length / SAMPLE_RATE:.1f} s the"
            f" recogniser says at most {limit - 1}; choose a shorter target or a longer clip"
        )
    return torch.tensor([*ids, END])


def max_tokens(length: int) -> int:
    """The longest output, start token included, for a clip of `length` samples."""
    return max(2, int(length / SAMPLE_RATE * TOKENS_PER_SECOND))


def conv_length(length: Tensor, kernel: int, stride: int) -> Tensor:
    """Frames that a convolution without padding makes of `length` inputs."""
    return (length - kernel) // stride + 1


def _first(counts: Tensor, size: int) -> Tensor:
    """Mask [B, size]: True at the first `counts[b]` places."""
    return torch.arange(size, device=counts.device) < counts[:, None]


def _group_norm(hidden: Tensor, real: Tensor, norm: torch.nn.GroupNorm) -> Tensor:
    """Group norm with one group whose mean and variance see real frames only.

    Args:
        hidden: [B, C, F].
        real: [B, F] bool.
        norm: its weight and bias, one a channel.
    """
    weight = real[:, None].to(hidden.dtype)
    count = weight.sum((1, 2), keepdim=True) * hidden.shape[1]
    centred = (hidden - (hidden * weight).sum((1, 2), keepdim=True) / count) * weight
    variance = centred.square().sum((1, 2), keepdim=True) / count
    return centred * torch.rsqrt(variance + norm.eps) * norm.weight[:, None] + norm.bias[:, None]
