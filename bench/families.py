"""How long a pass takes by family, for one clip: models of published sizes with random weights.

python -m bench.families

What a pass costs depends on a model's shape, not on what it has learned. Only the recogniser is
timed, from its features to the logits of a short target and back, in turns and in processor time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers as hf
from torch import Tensor

from bench.clock import in_turns, ratio

SECONDS, TURNS, SYMBOLS = 3.0, 3, 12
SAMPLES = int(16_000 * SECONDS)
FIRST = "Moonshine tiny"
MEL = 100  # frames a second


def ctc() -> Callable[[], Tensor]:
    """wav2vec 2.0 base."""
    model = _frozen(hf.Wav2Vec2ForCTC(hf.Wav2Vec2Config()))
    return lambda: model(_input(1, SAMPLES)).logits


def moonshine() -> Callable[[], Tensor]:
    model, ids = _frozen(hf.MoonshineForConditionalGeneration(hf.MoonshineConfig())), _ids()
    return lambda: model(_input(1, SAMPLES), decoder_input_ids=ids, use_cache=False).logits


def whisper(**sizes: int) -> Callable[[], Tensor]:
    """Whisper tiny, or of other `sizes`; it hears 30 s, whatever the clip."""
    model, ids = _frozen(hf.WhisperForConditionalGeneration(hf.WhisperConfig(**sizes))), _ids()
    return lambda: model(_input(1, 80, 3000), decoder_input_ids=ids, use_cache=False).logits


def speech2text() -> Callable[[], Tensor]:
    """Speech2Text small."""
    model = _frozen(hf.Speech2TextForConditionalGeneration(hf.Speech2TextConfig()))
    ids = _ids()
    frames = int(MEL * SECONDS)
    return lambda: model(_input(1, frames, 80), decoder_input_ids=ids, use_cache=False).logits


BASE = {"d_model": 512} | {
    f"{half}_{what}": number
    for half in ("encoder", "decoder")
    for what, number in (("layers", 6), ("attention_heads", 8), ("ffn_dim", 2048))
}
KINDS: dict[str, Callable[[], Callable[[], Tensor]]] = {
    FIRST: moonshine,
    "wav2vec 2.0 base (CTC)": ctc,
    "Whisper tiny": whisper,
    "Whisper base": lambda: whisper(**BASE),
    "Speech2Text small": speech2text,
}


def _input(*shape: int) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return (0.1 * torch.randn(shape, generator=draw)).requires_grad_()


def _ids() -> Tensor:
    return torch.arange(5, 5 + SYMBOLS)[None]


def _pass(make: Callable[[], Callable[[], Tensor]]) -> Callable[[], object]:
    run = make()
    return lambda: run().sum().backward()


def _frozen(model: torch.nn.Module) -> Any:
    return model.eval().requires_grad_(False)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    seconds = in_turns({name: _pass(make) for name, make in KINDS.items()}, TURNS)
    print(f"| recogniser | seconds of a pass, {SECONDS:g} s of sound | of {FIRST} |\n|---|---|---|")
    for name in KINDS:
        found = ratio(seconds, name, FIRST)
        print(f"| {name} | {found['seconds']:.2f} | {found['ratio']:.1f} |")


if __name__ == "__main__":
    main()
