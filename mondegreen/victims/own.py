"""Your own recogniser: `module:function`, a function that returns it."""

from __future__ import annotations

import inspect

import torch

from mondegreen.errors import VictimError
from mondegreen.foreign import find_function, theirs
from mondegreen.victims.base import Recogniser


def load_own(spec: str, device: torch.device, dtype: torch.dtype) -> Recogniser:
    """Call `function(device=device, dtype=dtype)` of a module on the path or in this folder.

    Raises:
        VictimError: there is no such module or function, an import in it fails, it takes other
            arguments or raises anything.
    """
    function = find_function(spec)
    try:
        inspect.signature(function).bind(device=device, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise VictimError(
            f"{spec} must accept device=... and dtype=...: {error}; define it as"
            f" def {spec.partition(':')[2]}(device, dtype)"
        ) from error
    with theirs(spec):
        made: Recogniser = function(device=device, dtype=dtype)
    return made
