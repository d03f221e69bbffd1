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
    from mondegreen.air.rooms import RoomBank
    from mondegreen.attacks.attack import attack, attack_batch
    from mondegreen.attacks.proof import verify
    from mondegreen.attacks.result import Result
    from mondegreen.judging.evaluate import evaluate
    from mondegreen.options import Options
    from mondegreen.psychoacoustics.excess import masking_loss
    from mondegreen.psychoacoustics.threshold import masking_threshold
    from mondegreen.results.record import Record
    from mondegreen.victims import Recogniser, Victim, load_recogniser, load_victim
    from mondegreen.victims.through import through

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
    "through",
    "verify",
]

# Imported when they are asked for: torch takes seconds, and the report and --help do without it.
_HOMES = {
    "Options": "mondegreen.options",
    "Recogniser": "mondegreen.victims",
    "Record": "mondegreen.results.record",
    "Result": "mondegreen.attacks.result",
    "RoomBank": "mondegreen.air.rooms",
    "Victim": "mondegreen.victims",
    "attack": "mondegreen.attacks.attack",
    "attack_batch": "mondegreen.attacks.attack",
    "evaluate": "mondegreen.judging.evaluate",
    "load_recogniser": "mondegreen.victims",
    "load_victim": "mondegreen.victims",
    "masking_loss": "mondegreen.psychoacoustics.excess",
    "masking_threshold": "mondegreen.psychoacoustics.threshold",
    "through": "mondegreen.victims.through",
    "verify": "mondegreen.attacks.proof",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("mondegreen")
    if name not in _HOMES:
        raise AttributeError(f"module 'mondegreen' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


def _in_notebook() -> None:
    """Have a notebook show results as a player; see `mondegreen.notebook.shown`."""
    import sys

    notebook = sys.modules.get("IPython")
    shell = notebook.get_ipython() if notebook else None
    if shell is not None:
        html = shell.display_formatter.formatters["text/html"]
        html.for_type_by_name("mondegreen.attacks.result", "Result", _shown)


def _shown(result: Any) -> str:
    from mondegreen.notebook import shown

    return shown(result)


_in_notebook()
