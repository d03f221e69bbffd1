"""Tiny random checkpoints of the CTC family, complete enough to be loaded from their folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tiny_transducer import enliven_encoder, sound

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"]
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": (24, 24, 24),
    "conv_kernel": (10, 8, 4),
    "conv_stride": (5, 8, 4),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": len(LETTERS),
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
WAVEFORM = (
    "data2vec-audio",
    "hubert",
    "sew",
    "sew-d",
    "unispeech",
    "unispeech-sat",
    "wav2vec2",
    "wav2vec2-conformer",
    "wavlm",
)


def build(model_type: str, folder: Path, **settings: Any) -> Path:
    """Write a tiny checkpoint of a waveform model, or of Parakeet, into a folder."""
    torch.manual_seed(0)
    if model_type == "parakeet_ctc":
        _parakeet(folder)
    else:
        _waveform(model_type, folder, settings)
    return folder


def _waveform(model_type: str, folder: Path, settings: dict[str, Any]) -> None:
    extra: dict[str, Any] = {"num_feat_extract_layers": 3} | settings
    if model_type == "data2vec-audio":
        extra |= {"num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 5}
    if model_type == "sew-d":
        extra |= {"position_buckets": 16, "max_position_embeddings": 64}
    config = hf.AutoConfig.for_model(model_type, **(SMALL | extra))
    model = hf.AutoModelForCTC.from_config(config)
    _sharpen(model.lm_head)
    model.save_pretrained(folder)
    normalised = getattr(config, "feat_extract_norm", "layer") == "layer"
    extractor = hf.Wav2Vec2FeatureExtractor(return_attention_mask=normalised)
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    tokenizer = hf.Wav2Vec2CTCTokenizer(str(vocabulary))
    hf.Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder)


def _parakeet(folder: Path) -> None:
    pieces = ["<unk>", "\u2581", *"abcdefghijklmnopqrstuvwxyz'", "<pad>"]
    encoder = hf.ParakeetEncoderConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        subsampling_conv_channels=8,
        num_mel_bins=16,
        conv_kernel_size=5,
    )
    config = hf.ParakeetCTCConfig(
        vocab_size=len(pieces), encoder_config=encoder, pad_token_id=len(pieces) - 1
    )
    model = hf.ParakeetForCTC(config)
    _sharpen(model.ctc_head)
    extractor = hf.ParakeetFeatureExtractor(feature_size=16)
    heard = extractor(sound(64_000).numpy(), sampling_rate=16_000).input_features
    enliven_encoder(model.encoder, heard)
    model.save_pretrained(folder)
    hf.ParakeetProcessor(extractor, characters(pieces)).save_pretrained(folder)


def characters(pieces: list[str]) -> Any:
    """A tokenizer of single characters with sentencepiece's mark of a word's beginning."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    made = Tokenizer(
        models.BPE({piece: i for i, piece in enumerate(pieces)}, [], unk_token="<unk>")
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    made.decoder = decoders.Metaspace()
    return hf.ParakeetTokenizer(tokenizer_object=made, pad_token="<pad>", unk_token="<unk>")


def _sharpen(head: torch.nn.Module) -> None:
    """Larger weights: a random head as initialised says the same of everything."""
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(40.0)
