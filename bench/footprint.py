"""The memory that a pass takes, from shapes alone: nothing is computed and no weights are needed.

python -m bench.footprint

A Whisper of each size is built on the `meta` device and run forwards on one clip; what autograd
keeps for the way back is added up. That and the weights are the least that a pass takes: kernels
need room of their own. Weights need no gradient, so inputs of linear layers are not kept. Attention
is counted with all its weights, which fused kernels do not keep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from transformers import DynamicCache, EncoderDecoderCache

SYMBOLS = 12  # of the prompt and a short target
FRAMES = 3000  # of the window, whatever the clip
# width, layers, heads, mel bands, symbols
SIZES = {
    "tiny": (384, 4, 6, 80, 51_865),
    "base": (512, 6, 8, 80, 51_865),
    "small": (768, 12, 12, 80, 51_865),
    "large-v3": (1280, 32, 20, 128, 51_866),
}


def kept(run: Callable[[], object], weights: set[int]) -> int:
    """Bytes that autograd keeps of a forward pass, each storage once, without the weights."""
    found: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        found[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        held = run()  # until it has been counted, or another tensor may get its storage's number
        sizes = [t.untyped_storage().nbytes() for key, t in found.items() if key not in weights]
    del held
    return sum(sizes)


def whisper(size: str, clips: int = 1) -> tuple[int, int]:
    """Bytes of the weights of a Whisper in float32, and of what it keeps of a pass."""
    width, layers, heads, bands, symbols = SIZES[size]
    halves = {
        f"{half}_{what}": value
        for half in ("encoder", "decoder")
        for what, value in (("layers", layers), ("attention_heads", heads), ("ffn_dim", 4 * width))
    }
    config = transformers.WhisperConfig(
        vocab_size=symbols, num_mel_bins=bands, d_model=width, **halves
    )
    with torch.device("meta"):
        model: Any = transformers.WhisperForConditionalGeneration(config)
        features = torch.empty(clips, bands, FRAMES, requires_grad=True)
        ids = torch.empty(clips, SYMBOLS, dtype=torch.int64)
    model.eval().requires_grad_(False)
    weights = {p.untyped_storage()._cdata: p.untyped_storage().nbytes() for p in model.parameters()}

    def run() -> object:
        # as the victim does: without a cache, it would read its positions
        unused = EncoderDecoderCache(DynamicCache(), DynamicCache())
        given = {"input_features": features, "decoder_input_ids": ids}
        return model(**given, past_key_values=unused, use_cache=False).logits

    return sum(weights.values()), kept(run, set(weights))


def main() -> None:
    print("| Whisper | weights | kept of a pass | together |\n|---|---|---|---|")
    for size in SIZES:
        sizes = [number / 2**30 for number in whisper(size)]
        print(f"| {size} | " + " | ".join(f"{n:.2f} GiB" for n in (*sizes, sum(sizes))) + " |")


if __name__ == "__main__":
    main()
