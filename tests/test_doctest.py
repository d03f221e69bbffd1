"""Every public function of the signal processing has an example, and every example holds."""

from __future__ import annotations

import doctest
import importlib
import importlib.resources
import inspect
from types import ModuleType

import pytest

OF_FILES = {"blocks", "load", "opened", "save"}  # there is none to show them with
MODULES = [
    importlib.import_module(f"mondegreen.{name}")
    for name in (
        "air.loop.alignment",
        "air.loop.clock",
        "air.loop.deconvolve",
        "air.devices",
        "air.noises",
        "air.rooms.acoustics",
        "air.rooms.reverb",
        "air.through",
        "air.transformations",
        "audio.batch",
        "audio.pcm",
        "measures.curve",
        "measures.quality",
        "measures.ratings",
        "psychoacoustics.excess",
        "psychoacoustics.maskers",
        "psychoacoustics.profiles",
        "psychoacoustics.spectrum",
        "psychoacoustics.spreading",
        "psychoacoustics.surroundings",
        "psychoacoustics.temporal",
        "psychoacoustics.threshold",
    )
]


def without_example(module: ModuleType) -> list[str]:
    """Its public functions, and classes whose objects are called, that show no use."""
    own = {name: value for name, value in vars(module).items() if _is_public(module, name, value)}
    return [name for name, value in own.items() if ">>> " not in (value.__doc__ or "")]


def _is_public(module: ModuleType, name: str, value: object) -> bool:
    called = inspect.isfunction(value) or (inspect.isclass(value) and "__call__" in vars(value))
    own = called and value.__module__ == module.__name__ and not getattr(value, "_is_protocol", 0)
    return own and not name.startswith("_") and name not in OF_FILES


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_function_has_an_example(module: ModuleType) -> None:
    assert without_example(module) == []


def test_every_module_of_psychoacoustics_is_looked_at() -> None:
    package = importlib.import_module("mondegreen.psychoacoustics")
    of_it = {m.__name__ for m in MODULES if m.__package__ == package.__name__}
    files = importlib.resources.files(package).iterdir()
    names = {file.name.removesuffix(".py") for file in files if file.name.endswith(".py")}
    assert of_it == {f"{package.__name__}.{name}" for name in names - {"__init__"}}
