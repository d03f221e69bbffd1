"""Rooms: impulse responses simulated or measured, kept in banks whose splits share no room."""

from __future__ import annotations

from mondegreen.air.rooms.bank import Room, RoomBank, Split
from mondegreen.air.rooms.make import make_bank
from mondegreen.air.rooms.settings import PRESETS, RoomSettings, SplitSizes

__all__ = ["PRESETS", "Room", "RoomBank", "RoomSettings", "Split", "SplitSizes", "make_bank"]
