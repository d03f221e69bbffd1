"""mondegreen measures how easily a speech recogniser can be made to mishear.

It makes the adversarial examples of Qin, Carlini, Cottrell, Goodfellow and Raffel (ICML 2019), and
proves each from its saved file. Use it on recognisers that you own or may test.

>>> import mondegreen as mg  # doctest: +SKIP
>>> victim = mg.load_victim("moonshine-tiny")  # doctest: +SKIP
>>> result = mg.attack(victim, "clip.wav", "open the door", preset="fast")  # doctest: +SKIP
>>> result.verified, result.save("out")  # doctest: +SKIP
"""

from mondegreen.errors import MondegreenError
from mondegreen.evaluation.verify import Proof, verify
from mondegreen.psychoacoustics import MaskingThreshold, masking_loss, masking_threshold
from mondegreen.runs.attack import Options, attack, attack_batch
from mondegreen.runs.item import Record, Result
from mondegreen.victims import Recogniser, Victim, load_recogniser, load_victim

__all__ = [
    "MaskingThreshold",
    "MondegreenError",
    "Options",
    "Proof",
    "Recogniser",
    "Record",
    "Result",
    "Victim",
    "attack",
    "attack_batch",
    "load_recogniser",
    "load_victim",
    "masking_loss",
    "masking_threshold",
    "verify",
]
