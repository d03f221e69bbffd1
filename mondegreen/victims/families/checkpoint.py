"""Checkpoints of transformers, from the model hub or a local folder.

All loading goes through here, under one rule: data may come from outside, code may not. So weights
must be safetensors (a pickle can run code), and `trust_remote_code` is never set.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

from mondegreen.errors import MondegreenError, VictimError, reason
from mondegreen.reading import here, in_full, is_folder, is_there, read_json
from mondegreen.victims.families.hub import NEEDED, check_found
from mondegreen.victims.families.inspection import Fetch, Weights, check_settings
from mondegreen.victims.families.pretrained import Pretrained

_NO_CONVERSION: Final = "DISABLE_SAFETENSORS_CONVERSION"  # of transformers
_TRAINING_ONLY: Final = "masked_spec_embed"  # SpecAugment's mask
_PICKLED: Final = (
    "its weights are not safetensors; pickled ones are refused, since reading them can run code."
    " If you trust them, convert them: load the model with transformers and call save_pretrained"
)


def load_checkpoint(name: str, device: torch.device, dtype: torch.dtype) -> Pretrained:
    """A checkpoint as a victim of its family, on a device, in float32 or float64.

    `name` is a folder, or ID or ID@REVISION: an id of the model hub, and a branch, tag or commit.

    Raises:
        VictimError: it is not available, not of a supported family, needs its own code, has pickled
            weights, lacks weights, or has features that cannot be reproduced.
    """
    if is_there(name) and is_folder(name):  # a copy goes by the name of its original
        name = str(in_full(name))  # a record may be read elsewhere
    source, revision = _parts(name)
    if not is_folder(name) and (name.startswith((".", "/", "~")) or source.count("/") > 1):
        raise VictimError(
            f"there is no folder or file {name}; name the folder of a checkpoint, or a file of"
            " Whisper"
        )
    try:
        with by_itself(), without_progress_bars():
            return _load(name, source, revision, device, dtype)
    except MondegreenError:
        raise
    except Exception as error:  # unknown files may raise anything
        raise VictimError(f"cannot load {name}: {_reason(error, source)}") from error


def pinned(name: str, commit: str | None) -> str:
    """The name that finds the same again: ID@COMMIT; a folder, or without a commit, the name."""
    if commit is None or is_folder(name):
        return name
    return f"{_parts(name)[0]}@{commit}"


def _load(
    name: str, source: str, revision: str | None, device: torch.device, dtype: torch.dtype
) -> Pretrained:
    import transformers

    where = {"revision": revision, "trust_remote_code": False}
    if not is_folder(name):
        check_found(name, source, revision)
    fetch = partial(_fetched, source, revision)
    family = _family(name, fetch)
    if (weights := Weights.of(fetch)) is None:
        raise VictimError(f"cannot load {name}: {_unweighted(source)}")
    check_settings(fetch, weights)
    config = transformers.AutoConfig.from_pretrained(source, **where)
    commit = None if is_folder(name) else _commit(source, revision)
    if commit:
        where["revision"] = commit  # a branch may move on between two files
    auto = getattr(transformers, family.auto_classes[config.model_type])
    with torch.device("meta"):
        weights.check_size(auto.from_config(config))
    model, report = auto.from_pretrained(
        source,
        dtype=dtype,
        use_safetensors=True,
        ignore_mismatched_sizes=True,  # named below
        output_loading_info=True,
        **where,
    )
    _check_complete(name, report["missing_keys"], report["mismatched_keys"])
    processors: Any = getattr(transformers, family.processor_class(config.model_type))
    processor = processors.from_pretrained(source, **where)
    return family(pinned(name, commit), model.to(device), processor)


def _fetched(source: str, revision: str | None, file: str) -> Path | None:
    """A file of a folder, or of the hub by way of its cache; None: it is not there."""
    from transformers.utils.hub import cached_file

    found = cached_file(
        source, file, revision=revision, _raise_exceptions_for_missing_entries=False
    )
    return None if found is None else Path(found)


def _commit(source: str, revision: str | None) -> str | None:
    """The commit of the config that was just read: the hub's cache has one folder per commit."""
    found = try_to_load_from_cache(source, "config.json", revision=revision)
    return Path(found).parent.name if isinstance(found, str) else None


def _check_complete(name: str, missing: set[str], mismatched: set[tuple[str, Any, Any]]) -> None:
    if mismatched:
        key, stored, described = min(mismatched, key=itemgetter(0))
        raise VictimError(
            f"{name} has weights of other shapes than its config.json describes: {key} is"
            f" {list(stored)} instead of {list(described)}; they belong to different checkpoints"
        )
    if needed := sorted(key for key in missing if not key.endswith(_TRAINING_ONLY)):
        raise VictimError(
            f"{name} has no weights for {', '.join(needed[:3])}: it is not a finished recogniser"
            " (a pretrained encoder, maybe); use a checkpoint that was trained to transcribe"
        )


@contextmanager
def by_itself() -> Iterator[None]:
    """Load without asking the hub to convert pickled weights, and without messages on the way."""
    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "transformers")]
    levels, setting = [logger.level for logger in loggers], os.environ.get(_NO_CONVERSION)
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    os.environ[_NO_CONVERSION] = "1"
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if setting is None:
            del os.environ[_NO_CONVERSION]
        else:
            os.environ[_NO_CONVERSION] = setting


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Hide progress bars, then restore them; transformers' and the hub's may be set apart."""
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
    """The folder where it is to be read, or the id; and the revision."""
    if is_folder(name):
        return str(here(name)), None
    source, _, revision = name.partition("@")
    return source, revision or None


def families() -> dict[str, type[Pretrained]]:
    """The class that serves each of transformers' model types."""
    from mondegreen.victims.families.ctc import CTC
    from mondegreen.victims.families.moonshine import HubMoonshine
    from mondegreen.victims.families.qwen2audio import Qwen2Audio
    from mondegreen.victims.families.speech2text import Speech2Text
    from mondegreen.victims.families.transducer import Transducer
    from mondegreen.victims.families.whisper import Whisper

    known: tuple[type[Pretrained], ...] = (
        *(CTC, Whisper, HubMoonshine, Speech2Text, Transducer),
        Qwen2Audio,
    )
    return {model_type: family for family in known for model_type in family.auto_classes}


def _family(name: str, fetch: Fetch) -> type[Pretrained]:
    served, file = families(), fetch("config.json")
    if file is None:
        raise VictimError(f"cannot load {name}: it has no config.json{_advice(name)}")
    settings = read_json(file)
    model_type = settings.get("model_type") if isinstance(settings, dict) else None
    if model_type in served:
        return served[model_type]
    if isinstance(settings, dict) and "auto_map" in settings:
        raise VictimError(
            f"cannot load {name}: it needs its own code, which is never run; wrap it as"
            " module:function instead"
        )
    if isinstance(settings, dict) and "suppress_ids" in settings:
        raise VictimError(
            f"cannot load {name}: it is a model of CTranslate2, which is read from a folder with"
            " all of its files, model.bin too; download them"
        )
    raise VictimError(
        f"{name} is a {model_type!r} model, which is not supported; supported are"
        f" {', '.join(sorted(served))}. Wrap it as your own victim: module:function"
    )


def _unweighted(source: str) -> str:
    """What to do about a checkpoint without safetensors."""
    if is_folder(source) and not any(Path(source).glob("*.bin")):
        return f"it has no model.safetensors{_advice(source)}"
    return _PICKLED


def _advice(source: str) -> str:
    """Which files are needed, and where to get them."""
    if is_folder(source):
        return f" (a folder must hold {NEEDED})"
    return (
        f". If there is no network here, download it elsewhere (hf download {_parts(source)[0]}"
        f" --local-dir FOLDER), and use the folder: it must hold {NEEDED}"
    )


def _reason(error: Exception, source: str) -> str:
    """What went wrong, and what to do about it; files are named only where one may be missing."""
    if "trust_remote_code" in str(error):
        return "it needs its own code, which is never run; wrap it as module:function instead"
    said = reason(error)
    if isinstance(error, OSError):
        return said + _advice(source)
    if isinstance(error, ValueError):
        return said
    return f"{type(error).__name__}: {said}"  # other errors' messages mean little alone
