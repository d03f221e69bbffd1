"""The hash of a recogniser's weights: what a name alone does not say of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from operator import itemgetter

import torch
from torch import Tensor

from mondegreen.victims.base import Recogniser


def fingerprint(recogniser: Recogniser) -> str:
    """SHA-256 over every tensor that a recogniser holds: its own, its modules' and its parts'.

    Looks at attributes, into lists and mappings, and, where one is an object of this package's or
    of the recogniser's own, at its attributes in turn. Of one that holds no tensors (an ONNX
    session, say) it is the hash of nothing, the same for all.
    """
    digest = hashlib.sha256()
    home = _package(recogniser)
    for name, tensor in sorted(_tensors(recogniser, "", home, set()), key=itemgetter(0)):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        values = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(values.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _tensors(held: object, name: str, home: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    if id(held) in seen:  # a part that two others share, or that holds its owner
        return
    seen.add(id(held))
    if isinstance(held, Tensor):
        yield name, held
    elif isinstance(held, torch.nn.Module):
        for key, tensor in (*held.named_parameters(), *held.named_buffers()):
            yield f"{name}.{key}", tensor
    elif isinstance(held, (list, tuple, Mapping)):
        parts = held.values() if isinstance(held, Mapping) else held
        for place, part in enumerate(parts):
            yield from _tensors(part, f"{name}.{place}", home, seen)
    elif hasattr(held, "__dict__") and _package(held) in (home, __package__.partition(".")[0]):
        for key, part in vars(held).items():
            yield from _tensors(part, f"{name}.{key}", home, seen)


def _package(held: object) -> str:
    """The top-level package that an object's class comes from."""
    return type(held).__module__.partition(".")[0]
