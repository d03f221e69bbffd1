"""Checkpoints of transformers, by the hub's id or from a local folder.

Everything that is fetched or read goes through here, on one rule: data may come from outside, code
may not. So weights are safetensors (a pickle can run code), and `trust_remote_code` is never given.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

from mondegreen.errors import MondegreenError, VictimError
from mondegreen.victims.families.pretrained import Pretrained

NEEDED: Final = "config.json, model.safetensors, preprocessor_config.json and the tokenizer's files"
_NO_CONVERSION: Final = "DISABLE_SAFETENSORS_CONVERSION"  # of transformers
_TRAINING_ONLY: Final = "masked_spec_embed"  # SpecAugment's mask: nothing is masked when hearing
_PICKLED: Final = (
    "its weights are not safetensors; pickled ones are refused, since reading them can run code."
    " Convert them where you trust them: load the model with transformers and save_pretrained it"
    " again"
)


def load_checkpoint(name: str, device: torch.device, dtype: torch.dtype) -> Pretrained:
    """A checkpoint as a victim of its family.

    Args:
        name: a folder, or ID or ID@REVISION: an id of the model hub, and a branch, tag or commit.
        device: where its weights go.
        dtype: their floating type, float32 or float64.

    Raises:
        VictimError: it cannot be had, is no recogniser of a known family, wants code of its own or
            pickled weights, leaves weights out, or has features that cannot be reproduced.
    """
    if Path(name).is_dir():
        name = str(Path(name).resolve())  # a record is read elsewhere, too
    source, revision = _parts(name)
    if not Path(name).is_dir() and (name.startswith((".", "/", "~")) or source.count("/") > 1):
        raise VictimError(f"there is no folder {name}; give the folder of a checkpoint")
    try:
        with _by_itself(), _without_progress_bars():
            return _load(name, source, revision, device, dtype)
    except MondegreenError:
        raise
    except Exception as error:  # a stranger's files may raise anything at all
        raise VictimError(f"cannot load {name}: {_reason(error, source)}") from error


def pinned(name: str, commit: str | None) -> str:
    """The name by which exactly what was loaded is found again: ID@COMMIT; a folder's is its own.

    Args:
        name: as of `load_checkpoint`.
        commit: of the hub; None: it gave none.
    """
    if commit is None or Path(name).is_dir():
        return name
    return f"{_parts(name)[0]}@{commit}"


def _load(
    name: str, source: str, revision: str | None, device: torch.device, dtype: torch.dtype
) -> Pretrained:
    import transformers

    where = {"revision": revision, "trust_remote_code": False}
    config = transformers.AutoConfig.from_pretrained(source, **where)
    family = _family(name, config)
    commit = None if Path(name).is_dir() else _commit(source, revision)
    if commit:
        where["revision"] = commit  # a branch may move on between two files
    auto = getattr(transformers, family.auto_classes[config.model_type])
    model, report = auto.from_pretrained(
        source, dtype=dtype, use_safetensors=True, output_loading_info=True, **where
    )
    _check_complete(name, report["missing_keys"])
    processors: Any = transformers.AutoProcessor  # whose methods have no types
    processor = processors.from_pretrained(source, **where)
    return family(pinned(name, commit), model.to(device), processor)


def _commit(source: str, revision: str | None) -> str | None:
    """The commit of the config that was just read: the hub's cache has a folder for each."""
    found = try_to_load_from_cache(source, "config.json", revision=revision)
    return Path(found).parent.name if isinstance(found, str) else None


def _check_complete(name: str, missing: set[str]) -> None:
    if needed := sorted(key for key in missing if not key.endswith(_TRAINING_ONLY)):
        raise VictimError(
            f"{name} has no weights for {', '.join(needed[:3])}: it is not a finished recogniser"
            " (a pretrained encoder, maybe); give a checkpoint that was taught to transcribe"
        )


@contextmanager
def _by_itself() -> Iterator[None]:
    """Loading asks nobody to convert pickled weights, and leaves what went wrong to the error."""
    logger = logging.getLogger("huggingface_hub")
    level, setting = logger.level, os.environ.get(_NO_CONVERSION)
    logger.setLevel(logging.CRITICAL)
    os.environ[_NO_CONVERSION] = "1"
    try:
        yield
    finally:
        logger.setLevel(level)
        if setting is None:
            del os.environ[_NO_CONVERSION]
        else:
            os.environ[_NO_CONVERSION] = setting


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Transformers switches its own bars and the hub's together, but they may be set apart."""
    from transformers.utils import logging as bars

    shown, hidden = bars.is_progress_bar_enabled(), are_progress_bars_disabled()
    bars.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()  # type: ignore[no-untyped-call]
        (disable_progress_bars if hidden else enable_progress_bars)()


def _parts(name: str) -> tuple[str, str | None]:
    """The folder or id, and the revision."""
    if Path(name).is_dir():
        return name, None
    source, _, revision = name.partition("@")
    return source, revision or None


def families() -> dict[str, type[Pretrained]]:
    """The class that serves each of transformers' model types."""
    from mondegreen.victims.families.ctc import CTC
    from mondegreen.victims.families.moonshine import HubMoonshine
    from mondegreen.victims.families.speech2text import Speech2Text
    from mondegreen.victims.families.transducer import Transducer
    from mondegreen.victims.families.whisper import Whisper

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


def _reason(error: Exception, source: str) -> str:
    """What went wrong, and what to do about it."""
    said, folder = str(error), Path(source)
    if "trust_remote_code" in said:
        return "it brings code of its own, which is never run; wrap it as module:function instead"
    first, *more = [line.strip() for line in said.splitlines() if line.strip()] or [""]
    if first.endswith(":"):
        first = " ".join([first, *more[:1]])
    if not isinstance(error, (OSError, ValueError)):  # their texts mean little by themselves
        first = f"{type(error).__name__}: {first}"
    if folder.is_dir():
        has_weights = any(folder.glob("*.safetensors"))
        if not has_weights and any(folder.glob("*.bin")):
            return _PICKLED
        if not has_weights and "safetensors" in said:
            first = "it holds no model.safetensors"
        return f"{first} (a folder must hold {NEEDED})"
    if "safetensors" in said:
        return _PICKLED
    return (
        f"{first} If there is no network here, fetch it where there is one (hf download {source}"
        f" --local-dir FOLDER), and give the folder: it must hold {NEEDED}"
    )
