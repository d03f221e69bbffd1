"""Every tiny checkpoint, by the family that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import tiny_ctc
import tiny_qwen2audio
import tiny_seq2seq
import tiny_transducer

BUILDERS: dict[str, Callable[[Path], Path]] = {
    **{
        model_type: partial(tiny_ctc.build, model_type)
        for model_type in (*tiny_ctc.WAVEFORM, "parakeet_ctc")
    },
    "whisper": partial(tiny_seq2seq.whisper, multilingual=False),
    "whisper, multilingual": tiny_seq2seq.whisper,
    "moonshine": tiny_seq2seq.moonshine,
    "speech_to_text": tiny_seq2seq.speech2text,
    "speech_to_text, multilingual": partial(tiny_seq2seq.speech2text, multilingual=True),
    "parakeet_rnnt": tiny_transducer.rnnt,
    "parakeet_tdt": tiny_transducer.tdt,
    "qwen2_audio": tiny_qwen2audio.build,
}
