"""Code that is not this package's: found by name, and run behind a border.

Behind it, whatever that code does is one error in one line, `RecogniserError`: where it was raised
and what it said. Even `sys.exit(0)`, which would otherwise end the program with the status of
success. Ctrl-C passes, and so do the errors of this package, which a recogniser raises to refuse a
target or a clip.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from mondegreen.errors import MondegreenError, RecogniserError, VictimError

SPEC: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
LONGEST_TEXT: Final = 300  # characters of an error's text that are shown
DOCS: Final = "see docs/victims.md for what a recogniser needs"

_PACKAGE: Final = str(Path(__file__).parent)
_LIBRARIES: Final = ("site-packages", "dist-packages", "<frozen")
_STANDARD: Final = (sysconfig.get_path("stdlib"), _PACKAGE)


class theirs:  # noqa: N801 - used as a phrase; a generator would mistake a StopIteration
    """Run a recogniser's own code: what it raises becomes a `RecogniserError`.

    Args:
        who: the recogniser, as its user knows it.
        advice: what to do about a fault.
    """

    def __init__(self, who: str, advice: str = DOCS) -> None:
        self.who, self.advice = who, advice

    def __enter__(self) -> None:
        """Nothing is needed before."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and not isinstance(error, KeyboardInterrupt | MondegreenError):
            raise RecogniserError(self.who, _diagnosis(error), self.advice) from error


def is_module(name: str) -> bool:
    """Whether there is a module on the path or in this folder; of a package, only its own name."""
    top = name.partition(".")[0]
    _see_this_folder()
    return top in sys.modules or importlib.util.find_spec(top) is not None


def find_function(spec: str) -> Callable[..., Any]:
    """The function of `module:function`, a module on the path or in this folder.

    Raises:
        VictimError: there is no such module or function, or an import in it fails.
    """
    module_name, _, function_name = spec.partition(":")
    _see_this_folder()
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
    found: Callable[..., Any] = function
    return found


def _see_this_folder() -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _lacking(module_name: str, error: ModuleNotFoundError) -> str:
    """Whether the module itself is missing, or one that it imports."""
    if error.name and f"{module_name}.".startswith(f"{error.name}."):
        return f"{error.msg}; name a module in this folder or on PYTHONPATH"
    return f"importing {module_name} failed: {error.msg}; install what it imports"


def _diagnosis(error: BaseException) -> str:
    """An error of a stranger's code in one line, with the place in that code."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {in_a_line(error)}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _of_a_library(frame.filename)]
    place = (own or frames)[-1]
    return f"{place.filename}:{place.lineno}: {in_a_line(error)}"


def _of_a_library(file: str) -> bool:
    return file.startswith(_STANDARD) or any(name in file for name in _LIBRARIES)


def in_a_line(error: BaseException) -> str:
    """The type of an error, and the first line of what it says."""
    try:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    except Exception:  # a stranger's `__str__`
        lines = ["(its text cannot be read)"]
    text = UNPRINTABLE.sub("?", lines[0])[:LONGEST_TEXT].rstrip(".") if lines else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
