"""Rooms: impulse responses simulated or measured, kept in banks whose splits share no room."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mondegreen.air.rooms.responses import Room
from mondegreen.air.rooms.settings import PRESETS, RoomSettings, SplitSizes

if TYPE_CHECKING:
    from mondegreen.air.rooms.bank import RoomBank, Split
    from mondegreen.air.rooms.make import make_bank

__all__ = ["PRESETS", "Room", "RoomBank", "RoomSettings", "Split", "SplitSizes", "make_bank"]

# Imported when they are asked for: the processes that make rooms do without torch.
_HOMES = {"RoomBank": "bank", "Split": "bank", "make_bank": "make"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
