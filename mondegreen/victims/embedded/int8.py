"""Moonshine exactly as shipped: int8, in ONNX Runtime, greedy with a cache. It only transcribes.

An independent production decoder of the same network: an adversarial example made on the float
model counts for more if this one mishears it too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from torch import Tensor

from mondegreen.victims.embedded.tokenizer import END, START, Tokenizer
from mondegreen.victims.families.moonshine import SAMPLE_RATE, max_tokens

Array = npt.NDArray[Any]


class MoonshineInt8:
    """The shipped `.ort` models, encoder and merged decoder, as a recogniser."""

    sample_rate = SAMPLE_RATE

    def __init__(self, name: str, encoder: Path, decoder: Path, tokenizer: Tokenizer) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self._encoder = ort.InferenceSession(str(encoder), providers=["CPUExecutionProvider"])
        self._decoder = ort.InferenceSession(str(decoder), providers=["CPUExecutionProvider"])
        self._past = {
            node.name: np.zeros((1, node.shape[1], 0, node.shape[3]), np.float32)
            for node in self._decoder.get_inputs()
            if node.name.startswith("past_key_values")
        }

    def transcribe(self, audio: Tensor) -> str:
        """Greedy decoding under the makers' bound on length; audio [T] in [-1, 1]."""
        encoded = self._encode(audio)
        ids, cache = [START], self._past
        while len(ids) < max_tokens(audio.shape[-1]) and ids[-1] != END:
            logits, cache = self._step(encoded, ids[-1:], cache)
            ids.append(int(logits[0, -1].argmax()))
        return self.tokenizer.decode(ids)

    def logits(self, audio: Tensor, ids: list[int]) -> Array:
        """Logits [N, V] after each prefix of the N tokens `ids`, in one step; audio [T]."""
        logits, _ = self._step(self._encode(audio), ids, self._past)
        after: Array = logits[0]
        return after

    def _encode(self, audio: Tensor) -> dict[str, Array]:
        """The decoder's inputs from the encoder: its states, and the mask of the *samples*."""
        samples = audio.detach().cpu().numpy().astype(np.float32)[None]
        mask = np.ones(samples.shape, np.int64)
        states = self._encoder.run(None, {"input_values": samples, "attention_mask": mask})[0]
        return {"encoder_hidden_states": states, "encoder_attention_mask": mask}

    def _step(
        self, encoded: dict[str, Array], ids: list[int], cache: dict[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        """Run the decoder on `ids`; the empty cache selects the branch that starts one."""
        started = cache is not self._past
        flags = {"input_ids": np.array([ids]), "use_cache_branch": np.array([started])}
        logits, *present = self._decoder.run(None, {**encoded, **flags, **cache})
        renewed = dict(zip(cache, present, strict=True))
        if started:  # that branch returns the encoder's keys and values empty
            renewed |= {name: cache[name] for name in cache if ".encoder." in name}
        return logits, renewed
