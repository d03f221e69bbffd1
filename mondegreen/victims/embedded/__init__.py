"""The recognisers that come with the installation and need no model hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mondegreen.victims.base import Recogniser
from mondegreen.victims.embedded import bundled

if TYPE_CHECKING:
    from mondegreen.victims.families.moonshine import Moonshine


def load_embedded(name: str, device: torch.device, dtype: torch.dtype) -> Recogniser:
    """Load one of `mondegreen.names.EMBEDDED`; the int8 model always runs on the CPU.

    Raises:
        VictimError: the wheel with the model is missing, or the cache cannot be written.
    """
    if name == "moonshine-tiny-int8":
        from mondegreen.victims.embedded.int8 import MoonshineInt8

        files = bundled.asset(bundled.ENCODER), bundled.asset(bundled.DECODER)
        return MoonshineInt8(name, *files, bundled.tokenizer())
    moonshine = _moonshine(name, device, dtype)
    if name == "moonshine-tiny":
        return moonshine
    from mondegreen.victims.embedded.ctc import MoonshineCTC, load_head

    return MoonshineCTC(name, moonshine, load_head(device, dtype))


def _moonshine(name: str, device: torch.device, dtype: torch.dtype) -> Moonshine:
    # transformers takes seconds to import; commands without a model do without
    from transformers import MoonshineConfig, MoonshineForConditionalGeneration

    from mondegreen.victims.families.moonshine import Moonshine

    model = MoonshineForConditionalGeneration(MoonshineConfig(pad_token_id=2))
    model.load_state_dict(bundled.float_weights())
    torch.nn.Module.to(model, device=device, dtype=dtype)
    return Moonshine(name, model, bundled.tokenizer())
