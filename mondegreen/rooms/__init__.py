"""Rooms: impulse responses simulated or measured, kept in banks whose splits share no room."""

from __future__ import annotations

from mondegreen.rooms.bank import Room, RoomBank, Split
from mondegreen.rooms.make import make_bank
from mondegreen.rooms.settings import PRESETS, Counts, RoomSettings

__all__ = ["PRESETS", "Counts", "Room", "RoomBank", "RoomSettings", "Split", "make_bank"]
