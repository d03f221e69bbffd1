"""Whisper in the formats that others keep it in, one file each; all end as the same victim.

Each reader makes a `Stored` of a file: tensors under transformers' names, as floats, and the
vocabulary. From there on it is the family Whisper, with its loss, its gate and its own `generate`.
Data may come from outside, code may not: nothing in a file is run, and no size in it is believed
that the file does not bear out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from mondegreen.errors import MondegreenError, VictimError, reason
from mondegreen.foreign import in_a_line
from mondegreen.reading import here, in_place, is_file, is_folder, is_there, open_file

if TYPE_CHECKING:
    from mondegreen.victims.families.whisper import Whisper
    from mondegreen.victims.formats.stored import Stored

_MODEL: Final = "model.bin"  # of a CTranslate2 folder
_TAKEN: Final = "expected OpenAI's .pt, or a ggml file of whisper.cpp"


def is_stored(name: str) -> bool:
    """Whether this is a file, or a folder of CTranslate2, rather than one of transformers."""
    path = here(name)
    if is_folder(path):
        return is_there(path / _MODEL) and not is_there(path / "model.safetensors")
    return is_there(path)


def load_stored(name: str, device: torch.device, dtype: torch.dtype) -> Whisper:
    """A Whisper in a file or a folder of CTranslate2 as a victim, named by its whole path.

    Raises:
        VictimError: it is damaged, of another format or model, or holds code; or its vocabulary is
            not to be had.
    """
    from mondegreen.victims.families.checkpoint import by_itself
    from mondegreen.victims.formats.whisper import whisper

    if is_there(name):  # a copy goes by the name of its original
        name = str(in_place(name))  # a record may be read elsewhere
    path = here(name)
    try:
        with by_itself():
            return whisper(name, _reader(path)(path), device, dtype)
    except MondegreenError:
        raise
    except Exception as error:  # unknown files may raise anything
        said = _reason(error)
        advice = "" if ";" in said else "; use an undamaged copy of a Whisper model"
        raise VictimError(f"cannot load {name}: {said}{advice}") from error


def _reason(error: Exception) -> str:
    """What is wrong, and with which file; other errors say little without their names."""
    if isinstance(error, OSError) and error.filename:
        return f"{reason(error)} ({Path(error.filename).name})"
    return reason(error) if isinstance(error, ValueError | KeyError) else in_a_line(error)


def _reader(path: Path) -> Callable[[Path], Stored]:
    """How a file is read, by the bytes that it begins with."""
    from mondegreen.victims.formats import ctranslate2, ggml, openai

    if is_folder(path):
        return ctranslate2.read
    with open_file(path) as file:
        start = file.read(4)
    readers = {ggml.MAGIC: ggml.read, openai.MAGIC: openai.read}
    if start in readers:
        return readers[start]
    if start == b"GGUF":
        raise VictimError(
            f"cannot load {path}: it is a GGUF file, whose layout is not settled for Whisper;"
            f" {_TAKEN}"
        )
    if path.name == _MODEL and is_file(path.with_name("config.json")):
        raise VictimError(f"cannot load {path} alone: it belongs to its folder; give {path.parent}")
    raise VictimError(
        f"cannot load {path}: it begins with {start!r}, which none of the formats does that are"
        f" read; {_TAKEN}, or the folder of a checkpoint"
    )
