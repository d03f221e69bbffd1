"""An attack through the public door reaches a short target on a tiny model of every family."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny
import tiny_transducer

import mondegreen as mg
from mondegreen.audio.pcm import load

# A random transducer that may stay on a frame stutters, whatever it hears: one symbol a frame.
BUILDERS = tiny.BUILDERS | {"parakeet_rnnt": partial(tiny_transducer.rnnt, max_symbols=1)}
# What each is driven to within some 75 passes, however its sums are rounded.
TARGETS = dict.fromkeys(
    (
        "sew",
        "sew-d",
        "whisper",
        "whisper, multilingual",
        "speech_to_text",
        "parakeet_tdt",
        "qwen2_audio",
    ),
    "a",
) | {"speech_to_text, multilingual": "the", "parakeet_rnnt": "no"}


@pytest.fixture(scope="module")
def clip(beckett: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second and a half of speech."""
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    speech: np.ndarray = load(beckett, 16_000)
    soundfile.write(path, speech[16_000:40_000], 16_000)
    return path


@pytest.mark.parametrize("family", BUILDERS)
def test_a_tiny_model_is_driven_to_a_short_target(family: str, clip: Path, tmp_path: Path) -> None:
    victim = mg.load_victim(str(BUILDERS[family](tmp_path / "checkpoint")), device="cpu")
    target = TARGETS.get(family, "yes")
    result = mg.attack(victim, clip, target, method="carlini-wagner", max_passes=80)
    assert result.verified
    folder = tmp_path / "result"
    result.save(folder)
    again = mg.load_recogniser(str(tmp_path / "checkpoint"), device="cpu")
    assert mg.verify(folder / "adversarial.wav", again, target).matched
