"""mondegreen measures how easily a speech recogniser can be made to mishear.

It makes the adversarial examples of Qin, Carlini, Cottrell, Goodfellow and Raffel (ICML 2019), and
proves each from its saved file. Use it on recognisers that you own or may test.

>>> import mondegreen as mg  # doctest: +SKIP
>>> victim = mg.load_victim("moonshine-tiny")  # doctest: +SKIP
>>> result = mg.attack(victim, "clip.wav", "open the door", preset="fast")  # doctest: +SKIP
>>> result.verified, result.save("out")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mondegreen.errors import MondegreenError

if TYPE_CHECKING:
    from mondegreen.evaluation.verify import verify
    from mondegreen.psychoacoustics import masking_loss, masking_threshold
    from mondegreen.rooms import RoomBank
    from mondegreen.runs.attack import attack, attack_batch
    from mondegreen.runs.evaluate import evaluate
    from mondegreen.runs.item import Record, Result
    from mondegreen.runs.options import Options
    from mondegreen.victims import Recogniser, Victim, load_recogniser, load_victim

__all__ = [
    "MondegreenError",
    "Options",
    "Recogniser",
    "Record",
    "Result",
    "RoomBank",
    "Victim",
    "attack",
    "attack_batch",
    "evaluate",
    "load_recogniser",
    "load_victim",
    "masking_loss",
    "masking_threshold",
    "verify",
]

# Imported when they are asked for: torch takes seconds, and the report and --help do without it.
_HOMES = {
    "Options": "mondegreen.runs.options",
    "Recogniser": "mondegreen.victims",
    "Record": "mondegreen.runs.item",
    "Result": "mondegreen.runs.item",
    "RoomBank": "mondegreen.rooms",
    "Victim": "mondegreen.victims",
    "attack": "mondegreen.runs.attack",
    "attack_batch": "mondegreen.runs.attack",
    "evaluate": "mondegreen.runs.evaluate",
    "load_recogniser": "mondegreen.victims",
    "load_victim": "mondegreen.victims",
    "masking_loss": "mondegreen.psychoacoustics",
    "masking_threshold": "mondegreen.psychoacoustics",
    "verify": "mondegreen.evaluation.verify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mondegreen' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
