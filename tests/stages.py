"""The stages of a preset, for tests that name them."""

from __future__ import annotations

from typing import Any

from mondegreen.options import Options
from mondegreen.search.presets import Stages, stages_for


def preset(
    method: Any, name: Any, over: Any = (), started: bool = False, under: float | None = None
) -> Stages:
    """All stages of a method's preset."""
    options = Options(method=method, preset=name, under_threshold=under)
    return stages_for(options, over, started)
