"""A tiny random Qwen2-Audio, complete in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tiny_seq2seq import MERGES, _generate_with
from transformers.convert_slow_tokenizer import bytes_to_unicode

MARKERS = ["<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]

TEMPLATE = """{% for message in messages %}<|im_start|>{{ message['role'] }}
{% for part in message['content'] %}{% if part['type'] == 'audio' %}\
<|audio_bos|><|AUDIO|><|audio_eos|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}<|im_start|>"""


def build(folder: Path, *, seconds: int = 2, **generation: Any) -> Path:
    """With a window of `seconds`; `generation` goes into its generation config."""
    torch.manual_seed(0)
    pieces = [*bytes_to_unicode().values(), *("".join(pair) for pair in MERGES), "<|endoftext|>"]
    tokenizer = hf.Qwen2Tokenizer({piece: i for i, piece in enumerate(pieces)}, MERGES)
    tokenizer.add_special_tokens({"additional_special_tokens": MARKERS})
    ids = {marker: tokenizer.convert_tokens_to_ids(marker) for marker in MARKERS}
    config = hf.Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder",
            "num_mel_bins": 16,
            "d_model": 16,
            "encoder_layers": 2,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
            "max_source_positions": 50 * seconds,
        },
        text_config={
            "model_type": "qwen2",
            "vocab_size": len(tokenizer),
            "hidden_size": 24,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
        },
        audio_token_index=ids["<|AUDIO|>"],
    )
    model = hf.Qwen2AudioForConditionalGeneration(config)
    _enliven(model, stop=tokenizer.convert_tokens_to_ids("."))
    said = [*"abcdefghijklmnopqrstuvwxyz.Ġ", *("".join(pair) for pair in MERGES)]
    heard = {tokenizer.convert_tokens_to_ids(piece) for piece in said}
    ends = [tokenizer.convert_tokens_to_ids("<|endoftext|>"), ids["<|im_end|>"]]
    settings = {
        "eos_token_id": ends,
        "pad_token_id": ends[0],
        "suppress_tokens": sorted({*range(len(tokenizer))} - heard - set(ends)),
    }
    _generate_with(model, settings | generation)
    model.save_pretrained(folder)
    extractor = hf.WhisperFeatureExtractor(feature_size=16, chunk_length=seconds)
    processor = hf.Qwen2AudioProcessor(extractor, tokenizer, chat_template=TEMPLATE)
    processor.save_pretrained(folder)
    return folder


def _enliven(model: Any, stop: int) -> None:
    """Larger weights, so that it says different things of different sounds, and ends sentences."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(part in name for part in (".conv", "projector", "lm_head")):
                parameter.mul_(50.0)
            elif any(part in name for part in ("o_proj", "embed_tokens")):
                parameter.mul_(20.0)  # what the last place hears of the others; and what was said
            elif parameter.dim() > 1 and "positions" not in name:
                parameter.mul_(5.0)
        rows = model.get_output_embeddings().weight
        draw = torch.Generator().manual_seed(6)  # some answers soon have a stop, and some never
        rows[stop] = 2.0 * rows.std() * torch.randn(rows.shape[1], generator=draw)
