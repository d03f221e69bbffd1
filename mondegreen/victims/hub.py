"""Checkpoints of transformers, by the hub's id or from a local folder.

Everything that is fetched or read goes through here, on one rule: data may come from outside, code
may not. So weights are safetensors (a pickle can run code), and `trust_remote_code` is never given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from mondegreen.errors import VictimError
from mondegreen.victims.pretrained import Pretrained

_ERRORS = (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError)
NEEDED = "config.json, model.safetensors, preprocessor_config.json and the tokenizer's files"


def load_checkpoint(name: str, device: torch.device, dtype: torch.dtype) -> Pretrained:
    """A checkpoint as a victim of its family.

    Args:
        name: a folder, or ID or ID@REVISION: an id of the model hub, and a branch, tag or commit.
        device: where its weights go.
        dtype: their floating type.

    Raises:
        VictimError: it cannot be had, is no recogniser of a known family, wants code of its own or
            pickled weights, leaves weights out, or has features that cannot be reproduced.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    source, revision = _parts(name)
    where = {"revision": revision, "trust_remote_code": False}
    config = _get(name, transformers.AutoConfig, source, **where)
    family = _family(name, config)
    auto = getattr(transformers, family.auto_classes[config.model_type])
    model, report = _get(
        name, auto, source, dtype=dtype, use_safetensors=True, output_loading_info=True, **where
    )
    if missing := sorted(report["missing_keys"]):
        raise VictimError(
            f"{name} has no weights for {', '.join(missing[:3])}: it is not a finished recogniser"
            " (a pretrained encoder, maybe); give a checkpoint that was taught to transcribe"
        )
    processor = _get(name, transformers.AutoProcessor, source, **where)
    return family(name, model.to(device), processor)


def _parts(name: str) -> tuple[str, str | None]:
    """The folder or id, and the revision."""
    if Path(name).is_dir():
        return name, None
    source, _, revision = name.partition("@")
    return source, revision or None


def families() -> dict[str, type[Pretrained]]:
    """The class that serves each of transformers' model types."""
    from mondegreen.victims.ctc import CTC
    from mondegreen.victims.moonshine import HubMoonshine
    from mondegreen.victims.speech2text import Speech2Text
    from mondegreen.victims.transducer import Transducer
    from mondegreen.victims.whisper import Whisper

    known: tuple[type[Pretrained], ...] = (CTC, Whisper, HubMoonshine, Speech2Text, Transducer)
    return {model_type: family for family in known for model_type in family.auto_classes}


def _family(name: str, config: Any) -> type[Pretrained]:
    served = families()
    if config.model_type not in served:
        raise VictimError(
            f"{name} is a {config.model_type!r} model, which is no recogniser that is known here;"
            f" known: {', '.join(sorted(served))}. Wrap it as a victim of your own: module:function"
        )
    return served[config.model_type]


def _get(name: str, what: Any, source: str, **options: Any) -> Any:
    """`what.from_pretrained`, its many errors told as one."""
    try:
        return what.from_pretrained(source, **options)
    except _ERRORS as error:
        raise VictimError(f"cannot load {name}: {_reason(error, source)}") from error


def _reason(error: Exception, source: str) -> str:
    """What went wrong, and what to do about it."""
    said = str(error)
    if "trust_remote_code" in said:
        return "it brings code of its own, which is never run; wrap it as module:function instead"
    folder = Path(source)
    if _pickled(folder) or "safetensors" in said:
        return (
            "its weights are not safetensors; pickled ones are refused, since reading them can run"
            " code. Convert them where you trust them: load the model with transformers and"
            " save_pretrained it again"
        )
    first = next((line for line in said.splitlines() if line.strip()), type(error).__name__)
    if folder.is_dir():
        return f"{first} (a folder must hold {NEEDED})"
    return (
        f"{first} If there is no network here, fetch it where there is one (hf download {source}"
        f" --local-dir FOLDER), and give the folder: it must hold {NEEDED}"
    )


def _pickled(folder: Path) -> bool:
    return any(folder.glob("*.bin")) and not any(folder.glob("*.safetensors"))
