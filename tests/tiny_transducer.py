"""Tiny random checkpoints of both transducers, complete enough to be loaded from their folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

PIECES = ["<unk>", "<pad>", "\u2581", *"abcdefghijklmnopqrstuvwxyz'"]
BLANK = len(PIECES)  # the last symbol, as in converted checkpoints
DURATIONS = (0, 1, 2, 3)


def rnnt(folder: Path, *, max_symbols: int = 3) -> Path:
    """Write a ParakeetForRNNT checkpoint."""
    torch.manual_seed(1)
    config = hf.ParakeetRNNTConfig(**_settings(0), max_symbols_per_step=max_symbols)
    return _write(folder, hf.ParakeetForRNNT(config), "rnnt")


def tdt(folder: Path, *, durations: tuple[int, ...] = DURATIONS, max_symbols: int = 3) -> Path:
    """Write a ParakeetForTDT checkpoint."""
    torch.manual_seed(1)
    config = hf.ParakeetTDTConfig(
        **_settings(len(durations)), durations=durations, max_symbols_per_step=max_symbols
    )
    model = hf.ParakeetForTDT(config)
    # the durations are logits too, and generation would say them as symbols
    times = range(BLANK + 1, BLANK + 1 + len(durations))
    model.generation_config.suppress_tokens = list(times)
    return _write(folder, model, "tdt")


def _settings(durations: int) -> dict[str, Any]:
    encoder = hf.ParakeetEncoderConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        subsampling_conv_channels=8,
        num_mel_bins=16,
        conv_kernel_size=5,
    )
    return {
        "vocab_size": len(PIECES) + 1,
        "blank_token_id": BLANK,
        "pad_token_id": PIECES.index("<pad>"),
        "decoder_hidden_size": BLANK + 1 + durations,
        "num_decoder_layers": 2,
        "encoder_config": encoder,
    }


def sound(length: int, seed: int = 0) -> torch.Tensor:
    """Tones of random pitch and loudness, a tenth of a second each, in faint noise, [length]."""
    made = torch.Generator().manual_seed(seed)
    pieces = length // 1600 + 1
    pitch = (100 + 3000 * torch.rand(pieces, generator=made)).repeat_interleave(1600)[:length]
    loud = (0.2 * torch.rand(pieces, generator=made)).repeat_interleave(1600)[:length]
    tone = loud * torch.sin(2 * torch.pi * pitch / 16_000 * torch.arange(length))
    return tone + 0.003 * torch.randn(length, generator=made)


def _write(folder: Path, model: Any, kind: str) -> Path:
    extractor = hf.ParakeetFeatureExtractor(feature_size=16)
    _enliven(model, extractor(sound(64_000).numpy(), sampling_rate=16_000).input_features)
    model.generation_config.decoder_start_token_id = BLANK
    model.save_pretrained(folder)
    hf.ParakeetProcessor(extractor, _tokenizer(), decoder_type=kind).save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    """Characters, with sentencepiece's mark of a word's beginning; `<blank>` comes last."""
    vocabulary = {piece: number for number, piece in enumerate(PIECES)}
    made = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    tokenizer = hf.ParakeetTokenizer(tokenizer_object=made, pad_token="<pad>", unk_token="<unk>")
    tokenizer.add_tokens([AddedToken("<blank>", normalized=False, special=True)])
    return tokenizer


@torch.no_grad()
def _enliven(model: Any, features: torch.Tensor) -> None:
    """Make the output depend on sound and history: as initialised, one symbol wins everywhere.

    Each logit has a unit of the joint network to itself, so that any symbol can be reached.
    """
    enliven_encoder(model.encoder, features)
    model.encoder_projector.weight.mul_(10.0)
    model.decoder.embedding.weight.mul_(50.0)
    model.decoder.decoder_projector.weight.mul_(200.0)
    model.joint.head.weight.copy_(3.0 * torch.eye(len(model.joint.head.weight)))
    model.joint.head.bias[BLANK] += 3.0


@torch.no_grad()
def enliven_encoder(encoder: Any, features: torch.Tensor) -> None:
    """Standardise Parakeet's frames, on some sound's features, where they enter the layers."""
    frames = encoder.subsampling(features)
    mean, std = frames.mean((0, 1)), frames.std((0, 1))
    encoder.subsampling.linear.weight.div_(std[:, None])
    encoder.subsampling.linear.bias.copy_(-mean / std)
