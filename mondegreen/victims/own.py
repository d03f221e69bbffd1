"""A recogniser of one's own: `module:function`, a function that returns it."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mondegreen.errors import MondegreenError, VictimError
from mondegreen.victims.base import Recogniser

SPEC = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_MEMBERS = ("name", "sample_rate", "transcribe")


def load_own(spec: str, device: torch.device, dtype: torch.dtype) -> Recogniser:
    """Call `function(device=device, dtype=dtype)` of a module on the path or in this folder.

    Args:
        spec: `module:function`.
        device: handed on.
        dtype: handed on.

    Raises:
        VictimError: no such module or function, one that lacks what it imports or does not take
            what it is called with or raises anything, or what it returns is no recogniser.
    """
    module_name, _, function_name = spec.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = _made(spec, partial(importlib.import_module, module_name))
    except ModuleNotFoundError as error:
        raise VictimError(f"{spec}: {_lacking(module_name, error)}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise VictimError(f"{spec}: {module_name} has no function {function_name!r}")
    try:
        inspect.signature(function).bind(device=device, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise VictimError(
            f"{spec} is called with device=... and dtype=..., which it does not take: {error};"
            f" write it as def {function_name}(device, dtype)"
        ) from error
    made = _made(spec, partial(function, device=device, dtype=dtype))
    if missing := [member for member in _MEMBERS if not hasattr(made, member)]:
        raise VictimError(
            f"{spec} returned {type(made).__name__}, which has no {', '.join(missing)};"
            " see docs/victims.md for what a victim is"
        )
    found: Recogniser = made
    return found


def _made(spec: str, make: Callable[[], Any]) -> Any:
    """What `make` makes; what it raises is told as one line, with its place."""
    try:
        return make()
    except (ModuleNotFoundError, MondegreenError):
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error}"
        raise VictimError(f"{spec}: {place.filename}:{place.lineno}: {said}") from error


def _lacking(module_name: str, error: ModuleNotFoundError) -> str:
    """Whether it is the module itself that is not found, or one that it imports."""
    if error.name and f"{module_name}.".startswith(f"{error.name}."):
        return f"{error.msg}; give a module in this folder or on PYTHONPATH"
    return f"importing {module_name} failed: {error.msg}; install what it imports"
