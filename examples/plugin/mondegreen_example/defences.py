"""Links: a class, which has parameters and a place in tables; and a function of a sound."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from mondegreen.chain.link import Computed


class Softer(Computed):
    """The sound, softer."""

    name: ClassVar[str] = "example-softer"  # as in pyproject.toml
    kind: ClassVar[Literal["channel", "defence"]] = "channel"
    source: ClassVar[str] = "this example"

    db: float = Field(default=6.0, ge=0, le=60, description="By how many dB.")

    def twin(self, audio, lengths, draws):
        return audio * 10 ** (-self.db / 20)


def coarse(audio, sample_rate):
    return np.round(audio * 128) / 128
