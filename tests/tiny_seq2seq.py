"""Tiny random checkpoints of the sequence-to-sequence families, complete in their folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers.convert_slow_tokenizer import bytes_to_unicode

MERGES = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("o", "p"), ("Ġ", "op"), ("e", "n")]
LANGUAGES = ["<|en|>", "<|fr|>", "<|de|>"]
SENTENCES = [
    "open the door and let the other people come in",
    "the quick brown fox jumps over the lazy dog",
    "never trust a machine that hears what nobody said",
    "pack my box with five dozen jugs of liquid",
]


def sounds(count: int, length: int = 24_000) -> list[torch.Tensor]:
    """Clips [T] that differ: bursts of noise, and tones that jump."""
    draw = torch.Generator().manual_seed(1)
    loud = torch.rand(count, length // 800 + 1, generator=draw).repeat_interleave(800, 1)
    pitch = 200 + 3000 * torch.rand(count, length // 2400 + 1, generator=draw)
    phase = torch.cumsum(pitch.repeat_interleave(2400, 1), 1) * (2 * torch.pi / 16_000)
    noise = 0.2 * loud[:, :length] * torch.randn(count, length, generator=draw)
    tones = 0.3 * torch.sin(phase[:, :length])
    return [noise[i] if i % 2 else tones[i] for i in range(count)]


def enliven(model: Any) -> None:
    """Larger weights: as initialised, a random model says the same of every sound, without end."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".conv" in name or "encoder_attn." in name:
                parameter.mul_(50.0)  # what carries the sound from the features to the decoder
            elif parameter.dim() > 1 and "positions" not in name:
                parameter.mul_(6.0)
        rows = model.get_output_embeddings().weight  # the end's may be zero, as a padding
        rows[model.config.eos_token_id] = 4.0 * rows.std() * torch.randn(rows.shape[1])


def _generate_with(model: Any, settings: dict[str, Any]) -> None:
    hf.utils.logging.disable_progress_bar()
    config = model.generation_config
    config._from_model_config = False  # else only what a model config knows is loaded again
    for name, value in settings.items():
        setattr(config, name, value)


# ---- Whisper


def whisper(
    folder: Path, *, multilingual: bool = True, seconds: int = 2, **generation: Any
) -> Path:
    """A Whisper with a window of `seconds`; `generation` goes into its generation config."""
    torch.manual_seed(0)
    markers = ["<|startoftranscript|>", *(LANGUAGES if multilingual else [])]
    markers += ["<|translate|>", "<|transcribe|>", "<|startofprev|>", "<|notimestamps|>"]
    tokenizer = _byte_pairs(markers, seconds)
    ids = {marker: tokenizer.convert_tokens_to_ids(marker) for marker in markers}
    config = hf.WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=16,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_source_positions=50 * seconds,
        max_target_positions=20,
        decoder_start_token_id=ids["<|startoftranscript|>"],
        **dict.fromkeys(["bos_token_id", "eos_token_id", "pad_token_id"], tokenizer.eos_token_id),
    )
    model = hf.WhisperForConditionalGeneration(config)
    enliven(model)
    said = [*'abcdefghijklmnopqrstuvwxyz.,"Ġ', *("".join(pair) for pair in MERGES)]
    heard = {tokenizer.convert_tokens_to_ids(piece) for piece in [*said, "<|endoftext|>"]}
    never = {*range(len(tokenizer))} - heard | {tokenizer.convert_tokens_to_ids('"')}
    settings = {
        "max_length": 20,
        "is_multilingual": multilingual,
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "suppress_tokens": sorted(never),
        "begin_suppress_tokens": [tokenizer.convert_tokens_to_ids("Ġ"), tokenizer.eos_token_id],
    }
    if multilingual:
        settings["lang_to_id"] = {name: ids[name] for name in LANGUAGES}
        settings["task_to_id"] = {name: ids[f"<|{name}|>"] for name in ("translate", "transcribe")}
    _generate_with(model, settings | generation)
    model.save_pretrained(folder)
    extractor = hf.WhisperFeatureExtractor(feature_size=16, chunk_length=seconds)
    hf.WhisperProcessor(extractor, tokenizer).save_pretrained(folder)
    return folder


def _byte_pairs(markers: list[str], seconds: int) -> Any:
    pieces = [*bytes_to_unicode().values(), *("".join(pair) for pair in MERGES), "<|endoftext|>"]
    tokenizer = hf.WhisperTokenizer({piece: i for i, piece in enumerate(pieces)}, MERGES)
    tokenizer.add_special_tokens({"additional_special_tokens": markers})
    tokenizer.add_tokens([f"<|{0.02 * i:.2f}|>" for i in range(50 * seconds + 1)])
    return tokenizer


# ---- Moonshine


def moonshine(folder: Path, *, do_normalize: bool = False, **generation: Any) -> Path:
    """A Moonshine in the layout of the hub; its start and end are not those of the embedded one."""
    torch.manual_seed(0)
    letters = "▁abcdefghijklmnopqrstuvwxyz.'"
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he"), ("o", "p")]
    pieces = ["<unk>", "<pad>", "</s>", "<s>", *letters, *("".join(pair) for pair in merges)]
    config = hf.MoonshineConfig(
        vocab_size=len(pieces),
        hidden_size=24,
        intermediate_size=32,
        encoder_num_hidden_layers=2,
        decoder_num_hidden_layers=2,
        encoder_num_attention_heads=2,
        decoder_num_attention_heads=2,
        decoder_start_token_id=3,
        bos_token_id=3,
        eos_token_id=2,
        pad_token_id=1,
    )
    model = hf.MoonshineForConditionalGeneration(config)
    enliven(model)
    _generate_with(model, generation)
    model.save_pretrained(folder)
    made = Tokenizer(
        models.BPE({piece: i for i, piece in enumerate(pieces)}, merges, unk_token="<unk>")
    )
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="<unk>",
        pad_token="<pad>",
        eos_token="</s>",
        bos_token="<s>",
    )
    extractor = hf.Wav2Vec2FeatureExtractor(do_normalize=do_normalize, return_attention_mask=True)
    hf.Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder)
    return folder


# ---- Speech2Text


def speech2text(folder: Path, *, multilingual: bool = False, **generation: Any) -> Path:
    """A Speech2Text that is set to search with five beams, as published ones are."""
    torch.manual_seed(0)
    tokenizer = _sentence_pieces(folder, multilingual)
    config = hf.Speech2TextConfig(
        vocab_size=len(tokenizer.encoder),
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        conv_channels=24,
        input_feat_per_channel=16,
        max_source_positions=600,
        max_target_positions=40,
    )
    model = hf.Speech2TextForConditionalGeneration(config)
    enliven(model)
    settings = {"max_length": 20, "num_beams": 5, "early_stopping": True} | generation
    _generate_with(model, settings)
    model.save_pretrained(folder)
    extractor = hf.Speech2TextFeatureExtractor(feature_size=16, num_mel_bins=16)
    hf.Speech2TextProcessor(extractor, tokenizer).save_pretrained(folder)
    return folder


def _sentence_pieces(folder: Path, multilingual: bool) -> Any:
    import sentencepiece  # optional, and nothing else here needs it

    folder.mkdir(parents=True, exist_ok=True)
    marks = [f"<lang:{code}>" for code in ("pt", "fr", "ru", "nl", "ro", "it", "es", "de")]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20),
        model_prefix=str(folder / "pieces"),
        vocab_size=60,
        model_type="bpe",
        user_defined_symbols=marks if multilingual else [],
        bos_id=0,
        pad_id=1,
        eos_id=2,
        unk_id=3,
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "pieces.model"))
    vocabulary = {pieces.id_to_piece(i): i for i in range(pieces.get_piece_size())}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    options = {"lang_codes": "mustc", "tgt_lang": "fr"} if multilingual else {}
    return hf.Speech2TextTokenizer(
        str(folder / "vocab.json"), str(folder / "pieces.model"), **options
    )
