"""Your own recogniser: `module:function`, a function that returns it."""

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

    Raises:
        VictimError: there is no such module or function, an import in it fails, it takes other
            arguments or raises anything, or what it returns is not a recogniser.
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
            f"{spec} must accept device=... and dtype=...: {error}; define it as"
            f" def {function_name}(device, dtype)"
        ) from error
    made = _made(spec, partial(function, device=device, dtype=dtype))
    if missing := [member for member in _MEMBERS if not hasattr(made, member)]:
        raise VictimError(
            f"{spec} returned {type(made).__name__}, which has no {', '.join(missing)};"
            " see docs/victims.md for what a victim needs"
        )
    found: Recogniser = made
    return found


def _made(spec: str, make: Callable[[], Any]) -> Any:
    """The result of `make`; anything it raises becomes one line with its file and line."""
    try:
        return make()
    except (ModuleNotFoundError, MondegreenError):
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error}"
        raise VictimError(f"{spec}: {place.filename}:{place.lineno}: {said}") from error


def _lacking(module_name: str, error: ModuleNotFoundError) -> str:
    """Whether the module itself is missing, or one that it imports."""
    if error.name and f"{module_name}.".startswith(f"{error.name}."):
        return f"{error.msg}; name a module in this folder or on PYTHONPATH"
    return f"importing {module_name} failed: {error.msg}; install what it imports"
