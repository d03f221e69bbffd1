"""Packages that mondegreen does without until somebody asks for the ear that needs one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mondegreen.errors import VictimError


def optional(module: str, requirement: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: its name in Python.
        requirement: what pip is to install for it.

    Raises:
        VictimError: it is missing or broken.
    """
    try:
        return import_module(module)
    except (ImportError, OSError) as error:  # OSError: a shared library that it brings or needs
        raise VictimError(
            f"{module} cannot be imported ({error}); run: pip install '{requirement}'"
        ) from error
