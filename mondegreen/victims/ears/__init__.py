"""Other ears: recognisers that only transcribe, and so only judge what was made on another.

What a file does to the recogniser it was made on says little of others. These are as far from it as
they come: other features, other networks, other makers. None is installed with mondegreen.
"""

from __future__ import annotations

from mondegreen.victims.base import Recogniser
from mondegreen.victims.ears.endpoint import Endpoint
from mondegreen.victims.ears.faster_whisper import FasterWhisper
from mondegreen.victims.ears.pocketsphinx import PocketSphinx
from mondegreen.victims.ears.vosk import Vosk

EARS = ("pocketsphinx", "faster-whisper:SIZE_OR_FOLDER", "vosk:FOLDER", "https://HOST/v1#MODEL")


def load_ear(name: str, *, authorised: bool = False) -> Recogniser | None:
    """Load an ear by its name, of one of the forms in `EARS`; None: the name is not an ear's.

    Args:
        name: the name, which records carry.
        authorised: the owner of the server that `name` addresses has allowed this use of it.

    Raises:
        VictimError: its package or model is missing, or nobody has allowed its use.
    """
    kind, _, model = name.partition(":")
    if name == "pocketsphinx":
        return PocketSphinx(name)
    if kind == "faster-whisper" and model:
        return FasterWhisper(name, model)
    if kind == "vosk" and model:
        return Vosk(name, model)
    return Endpoint(name, authorised=authorised) if "://" in name else None
