"""Your own recogniser: `module:function`, a function that returns it."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path

import torch

from mondegreen.errors import RecogniserError, VictimError
from mondegreen.victims.base import Recogniser
from mondegreen.victims.guard import theirs

SPEC = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def load_own(spec: str, device: torch.device, dtype: torch.dtype) -> Recogniser:
    """Call `function(device=device, dtype=dtype)` of a module on the path or in this folder.

    Raises:
        VictimError: there is no such module or function, an import in it fails, it takes other
            arguments or raises anything.
    """
    module_name, _, function_name = spec.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with theirs(spec):
            module = importlib.import_module(module_name)
            function = getattr(module, function_name, None)
    except RecogniserError as fault:
        if isinstance(fault.__cause__, ModuleNotFoundError):
            raise VictimError(f"{spec}: {_lacking(module_name, fault.__cause__)}") from fault
        raise
    if not callable(function):
        raise VictimError(f"{spec}: {module_name} has no function {function_name!r}")
    try:
        inspect.signature(function).bind(device=device, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise VictimError(
            f"{spec} must accept device=... and dtype=...: {error}; define it as"
            f" def {function_name}(device, dtype)"
        ) from error
    with theirs(spec):
        made: Recogniser = function(device=device, dtype=dtype)
    return made


def _lacking(module_name: str, error: ModuleNotFoundError) -> str:
    """Whether the module itself is missing, or one that it imports."""
    if error.name and f"{module_name}.".startswith(f"{error.name}."):
        return f"{error.msg}; name a module in this folder or on PYTHONPATH"
    return f"importing {module_name} failed: {error.msg}; install what it imports"
