"""A stranger's checkpoint, looked at before anything of it is built.

Its JSON files name sizes, which are believed only as far as its weights bear them out: a model may
have no more layers than there are tensors, and no more numbers than are stored, but for tables that
are computed. They also name code: kernels, adapters, quantisers. None of it is fetched or run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open

from mondegreen.audio.pcm import MAX_SAMPLES
from mondegreen.audio.recording import SAMPLE_RATES
from mondegreen.reading import read_json

Fetch = Callable[[str], Path | None]  # a file of the checkpoint by its name, if there is one

_BUILT_IN: Final = (None, "eager", "sdpa")  # ways to compute attention that fetch nothing
_OTHER_CODE: Final = ("quantization_config", "transformers_weights")
_LAYERS: Final = 1_000  # or as many as there are tensors
_SIZE: Final = 2**17  # of anything, or as much as all weights together
_COMPUTED: Final = 2**24  # numbers of tables that are not stored
_MOST: Final = {  # by setting, where weights do not bear them out; far beyond any recogniser's
    "chunk_length": 3_600,  # seconds
    "feature_size": 1_024,
    "hop_length": 2**16,
    "max_length": 10_000,
    "max_new_tokens": 10_000,
    "max_symbols_per_step": 100,
    "n_fft": 2**16,
    "num_mel_bins": 1_024,
    "sampling_rate": SAMPLE_RATES[1],
    "win_length": 2**16,
}


@dataclass(frozen=True)
class Weights:
    """What a checkpoint stores."""

    tensors: int
    numbers: int

    @classmethod
    def of(cls, fetch: Fetch) -> Weights | None:
        """From the headers of its safetensors files; None: it has none."""
        files = [fetch("model.safetensors")]
        if files == [None] and (index := fetch("model.safetensors.index.json")):
            files = [fetch(name) for name in sorted(set(read_json(index)["weight_map"].values()))]
        sizes = [size for path in files if path for size in _sizes(path)]
        return cls(len(sizes), sum(sizes)) if sizes else None

    def check_size(self, model: torch.nn.Module) -> None:
        """Refuse a model, built without memory (on `meta`), that takes more than is stored.

        Raises:
            ValueError: it is more than twice as large.
        """
        needed = sum(tensor.numel() for tensor in (*model.parameters(), *model.buffers()))
        if needed > 2 * self.numbers + _COMPUTED:
            raise ValueError(
                f"config.json describes a model of {needed:,} numbers, but the weights have"
                f" {self.numbers:,}: they do not belong together"
            )


def _sizes(path: Path) -> list[int]:
    with safe_open(path, framework="pt") as tensors:
        names = tensors.keys()
        return [prod(tensors.get_slice(name).get_shape()) for name in names]


def check_settings(fetch: Fetch, weights: Weights) -> None:
    """Refuse settings that would take memory or time without end, or fetch code.

    Raises:
        ValueError: names the file and the setting.
    """
    if fetch("adapter_config.json"):
        raise ValueError(
            "it is an adapter of another model (adapter_config.json); merge it into that model and"
            " save the whole"
        )
    for file in ("config.json", "generation_config.json"):
        for key, value in _settings(fetch, file):
            _check_code(file, key, value)
            _check_number(file, key, value, weights)
    for file in ("preprocessor_config.json", "processor_config.json"):
        found = list(_settings(fetch, file))
        for key, value in found:
            _check_at_most(file, key, value, MAX_SAMPLES)
        _check_window(file, found)


def _settings(fetch: Fetch, file: str) -> Iterator[tuple[str, Any]]:
    """Every setting of a file, also of objects in it, with its name."""
    path = fetch(file)
    found = read_json(path) if path else {}
    if not isinstance(found, Mapping):
        raise ValueError(f"{file} holds no object; use an undamaged copy")
    held: list[tuple[str, Any]] = [("", found)]
    while held:
        key, value = held.pop()
        if isinstance(value, Mapping):
            held += value.items()
            yield from ((name, inner) for name, inner in value.items() if inner is not None)
        elif isinstance(value, list):
            held += [(key, inner) for inner in value]
        elif isinstance(value, int):
            yield key, value


def _check_code(file: str, key: str, value: Any) -> None:
    if key in _OTHER_CODE:
        raise ValueError(
            f"{file} sets {key}, which is not supported: weights are loaded as they are, in float;"
            " use a copy without it"
        )
    if "attn_implementation" in key or "experts_implementation" in key:
        chosen = value.values() if isinstance(value, Mapping) else [value]
        if strange := [choice for choice in chosen if choice not in _BUILT_IN]:
            raise ValueError(
                f"{file} sets {key} to {strange[0]!r:.100}, code that may be fetched from"
                " elsewhere; expected eager or sdpa, or nothing; correct it in a copy"
            )


def _check_number(file: str, key: str, value: Any, weights: Weights) -> None:
    if "layer" in key or "label" in key:
        _check_at_most(file, key, value, max(_LAYERS, weights.tensors))
    else:
        _check_at_most(file, key, value, max(_SIZE, weights.numbers))


def _check_at_most(file: str, key: str, value: Any, most: int) -> None:
    most = min(most, _MOST.get(key, most))
    if isinstance(value, int | float) and abs(value) > most:
        raise ValueError(
            f"{file} sets {key} to {value:.9g}, which no recogniser of this size has; expected at"
            f" most {most:,}; correct it, or use an undamaged copy"
        )


def _check_window(file: str, found: Sequence[tuple[str, Any]]) -> None:
    """Refuse a sample rate, or a window of audio, that no recording has."""
    low, high = SAMPLE_RATES
    rates = [value for key, value in found if key == "sampling_rate"]
    if strange := [rate for rate in rates if not isinstance(rate, int) or rate < low]:
        raise ValueError(f"{file} sets sampling_rate to {strange[0]}; expected {low:,} to {high:,}")
    seconds = [v for key, v in found if key == "chunk_length" and isinstance(v, int | float)]
    if seconds and max(seconds) * max(rates, default=low) > MAX_SAMPLES:
        raise ValueError(
            f"{file} sets a window of {max(seconds)} s at {max(rates, default=low)} Hz; expected at"
            f" most {MAX_SAMPLES:,} samples"
        )
