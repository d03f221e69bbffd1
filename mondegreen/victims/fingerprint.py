"""The hash of a recogniser's weights, which its name alone does not identify."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from operator import itemgetter

import torch
from torch import Tensor

from mondegreen.chain.also import Also
from mondegreen.chain.own import Own
from mondegreen.victims.base import Recogniser
from mondegreen.victims.chunks import Chunked
from mondegreen.victims.guard import bare
from mondegreen.victims.halves import Halves
from mondegreen.victims.through import Through


def fingerprint(recogniser: Recogniser) -> str:
    """SHA-256 over every tensor of a recogniser, once, and the code of your own links before it.

    Follows attributes, lists and mappings, and the attributes of objects of this package or the
    recogniser's own; other links have no weights. A recogniser without tensors (an ONNX
    session, say) has the hash of nothing.
    """
    digest, before, recogniser = hashlib.sha256(), recogniser, _alone(recogniser)
    home = _package(recogniser)
    for name, tensor in sorted(_tensors(recogniser, "", home, set()), key=itemgetter(0)):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        values = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(values.view(torch.uint8).numpy().tobytes())
    for code in _own_code(before):
        digest.update(code)
    return digest.hexdigest()


def _own_code(recogniser: Recogniser) -> Iterator[bytes]:
    """The files that one's own links are defined in: edited, they are other links."""
    found = bare(recogniser)
    for one in found.links if isinstance(found, Through) else ():
        inner = one.inner if isinstance(one, Also) else one
        if isinstance(inner, Own):
            yield inner.code
    if isinstance(found, Chunked | Halves | Through):
        yield from _own_code(found.recogniser)


def _alone(recogniser: Recogniser) -> Recogniser:
    """A recogniser without its border and what stands before it."""
    found = bare(recogniser)
    return _alone(found.recogniser) if isinstance(found, Chunked | Halves | Through) else found


def _tensors(held: object, name: str, home: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    if id(held) in seen:  # shared by two parts, or a cycle
        return
    seen.add(id(held))
    if isinstance(held, Tensor):
        yield name, held
    elif isinstance(held, torch.nn.Module):
        for key, tensor in (*held.named_parameters(), *held.named_buffers()):
            yield from _tensors(tensor, f"{name}.{key}", home, seen)
    elif isinstance(held, (list, tuple, Mapping)):
        parts = held.values() if isinstance(held, Mapping) else held
        for place, part in enumerate(parts):
            yield from _tensors(part, f"{name}.{place}", home, seen)
    elif hasattr(held, "__dict__") and _package(held) in (home, __package__.partition(".")[0]):
        for key, part in vars(held).items():
            yield from _tensors(part, f"{name}.{key}", home, seen)


def _package(held: object) -> str:
    """The top-level package of an object's class."""
    return type(held).__module__.partition(".")[0]
