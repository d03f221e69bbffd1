"""What is stored as transformers' Whisper model and processor, and those as a victim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import torch
import transformers
from torch import Tensor
from transformers.models.whisper.configuration_whisper import (
    NON_SPEECH_TOKENS,
    NON_SPEECH_TOKENS_MULTI,
)

from mondegreen.victims.families.whisper import Whisper
from mondegreen.victims.formats import tokens as vocabulary
from mondegreen.victims.formats.filled import ZerosFollow
from mondegreen.victims.formats.stored import Stored

_HF: Final[Any] = transformers  # typed in places only
_PLACES: Final = 50  # of the encoder, per second
_LONGEST: Final = 30  # s that Whisper hears at a time
_MOST_MELS: Final = 256  # twice as many as the largest has
_TENSORS: Final = 10  # of a layer, at least


def whisper(name: str, stored: Stored, device: torch.device, dtype: torch.dtype) -> Whisper:
    """What is stored as a victim on a device.

    Raises:
        KeyError: a tensor is missing.
        ValueError: tensors, vocabulary and what is said of them do not belong together.
        VictimError: as the family's.
    """
    ids = vocabulary.numbers(stored.tokens)
    config = _config(stored, ids)
    model = _model(config, stored.tensors)
    model.generation_config = _generation(ids, stored.suppressed, config.max_target_positions)
    extractor = _extractor(config, stored)
    processor = _HF.WhisperProcessor(extractor, vocabulary.tokenizer(ids))
    return Whisper(name, model.to(device, dtype), processor)


def _config(stored: Stored, ids: Mapping[str, int]) -> Any:
    """The sizes of the tensors, and heads as they are said to be."""
    size = partial(_size, stored.tensors)
    found = {
        "vocab_size": size("decoder.embed_tokens.weight", 2, 0),
        "d_model": size("decoder.embed_tokens.weight", 2, 1),
        "num_mel_bins": size("encoder.conv1.weight", 3, 1),
        "max_source_positions": size("encoder.embed_positions.weight", 2, 0),
        "max_target_positions": size("decoder.embed_positions.weight", 2, 0),
        "decoder_start_token_id": ids[vocabulary.START],
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), ids[vocabulary.END]),
    }
    for half in ("encoder", "decoder"):
        found[f"{half}_layers"] = _layers(stored.tensors, half)
        found[f"{half}_ffn_dim"] = size(f"{half}.layers.0.fc1.weight", 2, 0)
    for setting, value in stored.said:
        if found.setdefault(setting, value) != value:
            raise ValueError(
                f"it says {value:,} for {setting}, but its tensors have {found[setting]:,}"
            )
    _check(found, len(ids))
    return _HF.WhisperConfig(**found)


def _size(tensors: Mapping[str, Tensor], name: str, sizes: int, place: int) -> int:
    """One of the sizes of a tensor that should have so many."""
    shape = tensors[name].shape
    if len(shape) != sizes:
        raise ValueError(f"its {name} is {[*shape]}, expected {sizes} sizes")
    return shape[place]


def _layers(tensors: Mapping[str, Tensor], half: str) -> int:
    """How many layers have tensors."""
    layers = {name.split(".")[2] for name in tensors if name.startswith(f"{half}.layers.")}
    if _TENSORS * len(layers) > len(tensors):
        raise ValueError(f"its {len(tensors)} tensors are too few for {len(layers)} layers")
    return len(layers)


def _check(sizes: Mapping[str, int], symbols: int) -> None:
    """Refuse sizes for which there is no Whisper, or not of this vocabulary."""
    if symbols != sizes["vocab_size"]:
        raise ValueError(
            f"its vocabulary has {symbols:,} symbols, but its weights have"
            f" {sizes['vocab_size']:,}: they belong to different models"
        )
    for half in ("encoder", "decoder"):
        heads = sizes[f"{half}_attention_heads"]
        if heads < 1 or sizes["d_model"] % heads:
            raise ValueError(f"it says {heads:,} heads, which cannot share {sizes['d_model']:,}")
    seconds, rest = divmod(sizes["max_source_positions"], _PLACES)
    if rest or not 1 <= seconds <= _LONGEST:
        raise ValueError(
            f"its encoder has {sizes['max_source_positions']:,} places, expected {_PLACES} for"
            f" every second, and {_LONGEST} s at most"
        )
    if not 1 <= sizes["num_mel_bins"] <= _MOST_MELS:
        raise ValueError(f"it takes {sizes['num_mel_bins']:,} mels, expected 1 to {_MOST_MELS}")


def _model(config: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Transformers' model with these tensors; no memory is taken before they fit."""
    with torch.device("meta"):
        model = _HF.WhisperForConditionalGeneration(config)
    wanted = {name: tensor.shape for name, tensor in model.model.state_dict().items()}
    if missing := sorted(wanted.keys() - tensors.keys()):
        raise ValueError(f"it has no weights for {', '.join(missing[:3])}")
    if strange := sorted(tensors.keys() - wanted.keys()):
        raise ValueError(f"it has weights that Whisper has no use for: {', '.join(strange[:3])}")
    for name, shape in wanted.items():
        if tensors[name].shape != shape:
            raise ValueError(f"its {name} is {[*tensors[name].shape]}, expected {[*shape]}")
    model.model.load_state_dict(tensors, assign=True)
    model.tie_weights()
    return model


def _generation(
    ids: Mapping[str, int], suppressed: tuple[Sequence[int], Sequence[int]] | None, longest: int
) -> Any:
    """As transformers' own checkpoints generate."""
    never, first = suppressed or _suppressed(ids)
    multilingual = len(ids) >= vocabulary.MULTILINGUAL
    settings: dict[str, Any] = {
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), ids[vocabulary.END]),
        "decoder_start_token_id": ids[vocabulary.START],
        "no_timestamps_token_id": ids[vocabulary.PLAIN],
        "max_length": longest,
        "is_multilingual": multilingual,
        "suppress_tokens": list(never),
        "begin_suppress_tokens": list(first),
    }
    if multilingual:
        settings["lang_to_id"] = vocabulary.languages(ids)
        settings["task_to_id"] = {task: ids[f"<|{task}|>"] for task in vocabulary.TASKS}
    return _HF.GenerationConfig(**settings)


def _suppressed(ids: Mapping[str, int]) -> tuple[list[int], list[int]]:
    """What no Whisper says (what is not speech, and markers), and what none begins with."""
    end = ids[vocabulary.END]
    multilingual = len(ids) >= vocabulary.MULTILINGUAL
    marks = NON_SPEECH_TOKENS_MULTI if multilingual else NON_SPEECH_TOKENS
    names = ("startoftranscript", *vocabulary.TASKS, "startoflm", "startofprev", "nospeech")
    never = [mark for mark in marks if mark < end] + [ids[f"<|{name}|>"] for name in names]
    return never, [ids["Ġ"], end]


def _extractor(config: Any, stored: Stored) -> Any:
    seconds, filters = config.max_source_positions // _PLACES, stored.filters
    kind = ZerosFollow if stored.zeros_follow else _HF.WhisperFeatureExtractor
    made = kind(feature_size=config.num_mel_bins, chunk_length=seconds)
    if filters is not None:
        if filters.T.shape != made.mel_filters.shape:
            bins, mels = made.mel_filters.shape
            raise ValueError(f"its mel filters are {[*filters.shape]}, expected [{mels}, {bins}]")
        made.mel_filters = filters.T.double().numpy()
    return made
