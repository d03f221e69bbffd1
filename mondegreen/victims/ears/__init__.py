"""Ears: recognisers that only transcribe, to judge examples made on another recogniser.

They differ from the victims in features, networks and makers. None is installed with mondegreen.
"""

from __future__ import annotations

from mondegreen.victims.base import Recogniser
from mondegreen.victims.ears.endpoint import Endpoint
from mondegreen.victims.ears.local import FasterWhisper, PocketSphinx, Vosk


def load_ear(name: str, *, authorised: bool = False) -> Recogniser | None:
    """Load an ear by its name, of a form in `mondegreen.names.EARS`; None: it is no ear's.

    Args:
        name: the name, as in records.
        authorised: the owner of the server that `name` addresses has allowed this use of it.

    Raises:
        VictimError: its package or model is missing, or its use is not authorised.
    """
    kind, _, model = name.partition(":")
    if name == "pocketsphinx":
        return PocketSphinx(name)
    if kind == "faster-whisper" and model:
        return FasterWhisper(name, model)
    if kind == "vosk" and model:
        return Vosk(name, model)
    return Endpoint(name, authorised=authorised) if "://" in name else None
