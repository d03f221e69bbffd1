"""Mixed precision: what a search need not know exactly is computed in half precision.

A recogniser's products are rounded: those of its linear layers, convolutions and attention, which
take most of a pass, and which hardware for half precision computes several times as fast. Weights
stay in float32, and so do features, links and losses: a rounded spectrum is another sound's.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Final

import torch
from torch import Tensor

from mondegreen.options import HALF

HALF_TYPES: Final = frozenset(getattr(torch, name) for name in HALF)


def rounded(device: torch.device, half: torch.dtype | None) -> AbstractContextManager[object]:
    """Within it, a recogniser on `device` computes its products in `half`; None: as it does."""
    return nullcontext() if half is None else torch.autocast(device.type, half)


def exactly(like: Tensor) -> AbstractContextManager[object]:
    """Within it, nothing on a tensor's device is rounded, whatever is around it."""
    kind = like.device.type
    available = torch.amp.is_autocast_available(kind)
    return torch.autocast(kind, enabled=False) if available else nullcontext()
