"""Who hears? `base` says what a recogniser is, `load` finds one by name, `contract` checks it."""

from mondegreen.victims.base import Recogniser, Score, Victim
from mondegreen.victims.load import load_recogniser, load_victim

__all__ = ["Recogniser", "Score", "Victim", "load_recogniser", "load_victim"]
