"""The recogniser that needs no model hub: *Moonshine tiny*, English, inside a PyPI wheel.

`moonshine-voice` (MIT, by the model's makers) ships the int8 model for ONNX Runtime, its tokenizer
and two recordings. `moonshine-tiny` is that model with its weights dequantised, once, into a
safetensors file in the user's cache; `moonshine-tiny-int8` is the model exactly as shipped.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from mondegreen.errors import VictimError
from mondegreen.files import cache_folder, discard, locked, write_whole
from mondegreen.victims.embedded.ort_weights import read_ort_weights
from mondegreen.victims.embedded.tokenizer import Tokenizer

PACKAGE, VERSION = "moonshine-voice", "0.0.49"  # later releases lack the model
_MODEL = "moonshine_voice/assets/tiny-en"
ENCODER, DECODER = f"{_MODEL}/encoder_model.ort", f"{_MODEL}/decoder_model_merged.ort"
TOKENIZER = f"{_MODEL}/tokenizer.bin"
RECORDING = "moonshine_voice/assets/beckett.wav"


def asset(name: str) -> Path:
    """The path of a file in the wheel, without importing the package, which opens audio devices.

    Raises:
        VictimError: the wheel, or the model in it, is missing.
    """
    remedy = f"run: pip install {PACKAGE}=={VERSION}"
    try:
        found = distribution(PACKAGE)
    except PackageNotFoundError:
        raise VictimError(f"the embedded recogniser is not installed; {remedy}") from None
    path = Path(str(found.locate_file(name)))
    if not path.is_file():
        raise VictimError(f"{PACKAGE} {found.version} does not contain {name}; {remedy}")
    return path


@cache
def tokenizer() -> Tokenizer:
    """The embedded model's tokenizer."""
    return Tokenizer.from_file(asset(TOKENIZER))


def float_weights() -> dict[str, Tensor]:
    """The dequantised weights under transformers' names, converted once and cached.

    The cached file is named by the hash of the original model, and has its own hash beside it: a
    damaged one is made again. Two processes at once convert only once.

    Raises:
        VictimError: the wheel is missing, or the cache cannot be written.
    """
    sources = (asset(ENCODER), asset(DECODER))
    origin = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    path = cache_folder() / f"moonshine-tiny-{origin}.safetensors"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock")):
            return _read_checked(path) or _convert(path)
    except OSError as error:
        raise VictimError(
            f"cannot save the converted model in {path.parent}: {error.strerror or error};"
            " free space there, or set MONDEGREEN_CACHE to another folder"
        ) from error


def _read_checked(path: Path) -> dict[str, Tensor] | None:
    """The cached weights, or None if they are missing or damaged."""
    try:
        content, checksum = path.read_bytes(), path.with_suffix(".sha256").read_bytes()
        whole = hashlib.sha256(content).hexdigest().encode() == checksum
        return load(content) if whole else None
    except (OSError, SafetensorError):
        return None


def _convert(path: Path) -> dict[str, Tensor]:
    encoder, decoder = read_ort_weights(asset(ENCODER)), read_ort_weights(asset(DECODER))
    arrays = {f"model.encoder.{name}": value for name, value in encoder.items()} | decoder
    content = save({name: torch.tensor(value) for name, value in arrays.items()})
    for there in (path, path.with_suffix(".sha256")):
        if there.is_dir():  # a file does not replace it
            discard(there)
    write_whole(path, content)
    write_whole(path.with_suffix(".sha256"), hashlib.sha256(content).hexdigest().encode())
    return load(content)
