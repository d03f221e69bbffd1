"""Recognisers. `base` says what one is; each family has a file; `load_victim` finds one by name."""

from __future__ import annotations

import torch

from mondegreen.errors import VictimError
from mondegreen.victims import bundled
from mondegreen.victims.base import Recogniser, Score, Victim

__all__ = ["NAMES", "Recogniser", "Score", "Victim", "load_recogniser", "load_victim"]

NAMES = ("moonshine-tiny", "moonshine-tiny-int8")


def load_victim(
    name: str = "moonshine-tiny", *, device: str = "auto", dtype: torch.dtype = torch.float32
) -> Victim:
    """Load a recogniser that can be attacked.

    Args:
        name: one of `NAMES`.
        device: "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1", "mps".
        dtype: floating type of weights and audio.

    Raises:
        VictimError: no such recogniser or device, or one that can only transcribe.
    """
    recogniser = load_recogniser(name, device=device, dtype=dtype)
    if not isinstance(recogniser, Victim):
        raise VictimError(
            f"{name} can only transcribe: it has no gradient to attack by; attack moonshine-tiny"
            f" and let {name} judge the result"
        )
    return recogniser


def load_recogniser(
    name: str = "moonshine-tiny", *, device: str = "auto", dtype: torch.dtype = torch.float32
) -> Recogniser:
    """Load a recogniser to transcribe with; arguments and errors as `load_victim`."""
    if name == "moonshine-tiny":
        return _moonshine(name, resolve_device(device), dtype)
    if name == "moonshine-tiny-int8":
        return _moonshine_int8(name)
    raise VictimError(f"no recogniser is called {name!r}; there are: {', '.join(NAMES)}")


def resolve_device(device: str) -> torch.device:
    """The torch device of a name, "auto" included.

    Raises:
        VictimError: not a device, or not one of this machine.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise VictimError(
            f"device {device!r} is not to be had: {reason}; try --device cpu"
        ) from None
    return torch.device(device)


def _moonshine(name: str, device: torch.device, dtype: torch.dtype) -> Victim:
    # transformers takes seconds to import; commands that need no model should not pay for it
    from transformers import MoonshineConfig, MoonshineForConditionalGeneration

    from mondegreen.victims.moonshine import Moonshine

    model = MoonshineForConditionalGeneration(MoonshineConfig(pad_token_id=2))
    model.load_state_dict(bundled.float_weights())
    torch.nn.Module.to(model, device=device, dtype=dtype)
    return Moonshine(name, model, bundled.tokenizer())


def _moonshine_int8(name: str) -> Recogniser:
    from mondegreen.victims.moonshine_int8 import MoonshineInt8

    files = bundled.asset(bundled.ENCODER), bundled.asset(bundled.DECODER)
    return MoonshineInt8(name, *files, bundled.tokenizer())
