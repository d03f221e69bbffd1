"""Whisper (Radford et al. 2022): the log-mel spectrogram of a 30 s window in, sequence to sequence.

The encoder has a place for every frame of the window and attends to all of them, silence included,
so a smaller window would be another input. Each clip costs the whole window, and none may be
longer.

The decoder's prompt (start, language, task, no timestamps) does not depend on the audio. It is read
once from the model's own `generate`; the language is the generation config's, or else English.
`generate` removes the symbols that the generation config suppresses, always or at the first place;
loss and match are computed under what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from mondegreen.errors import AudioError, TargetError, VictimError
from mondegreen.victims.base import Score
from mondegreen.victims.families.seq2seq import Seq2Seq
from mondegreen.victims.tokens.generation import longest, refuse_other_settings

_LANGUAGE: Final = "<|en|>"  # where the checkpoint names none
_FALLBACKS: Final = ("compression_ratio_threshold", "logprob_threshold", "no_speech_threshold")


class Whisper(Seq2Seq):
    """A Whisper checkpoint, English-only or multilingual, as a victim; arguments as `Pretrained`.

    Attributes:
        window: the longest clip, in samples.

    Raises:
        VictimError: as `Pretrained`, or its generation config is not reproduced.
    """

    auto_classes = MappingProxyType({"whisper": "AutoModelForSpeechSeq2Seq"})

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        super().__init__(name, model, processor)
        config = model.generation_config
        refuse_other_settings(config)  # before `generate` is called for the prompt
        _refuse_fallbacks(config)
        self.window = int(processor.feature_extractor.n_samples)
        settings = _settings(config)
        prompt = self._prompt(settings)
        self._generates(prompt, _longest(model, len(prompt)), prefix=" ", **settings)
        # without a cache, the decoder reads its positions to see whether several texts share a row
        self._unused = EncoderDecoderCache(DynamicCache(), DynamicCache())

    def encode(self, target: str, length: int) -> Tensor:
        """Tokens of `target` as the model writes it, and the end; see `Victim.encode`."""
        if length > self.window:
            raise TargetError(self._too_long(length))
        return self._tokens(target)

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """Teacher-forced loss, and whether the greedy decode is the target; see `Victim.score`."""
        features, _ = self.frontend(audio.to(self.dtype), lengths)
        forced = self._forced(*targets)
        hidden = self.model.model(
            input_features=features,
            decoder_input_ids=forced.inputs,
            past_key_values=self._unused,
            use_cache=False,
        ).last_hidden_state
        return forced.score(self.model.proj_out(forced.predicting(hidden)), self._barred)

    def transcribe(self, audio: Tensor) -> str:
        """Short-form generation without timestamps; audio [T] in [-1, 1], at most one window.

        Raises:
            AudioError: the clip is longer than the window.
        """
        if audio.shape[-1] > self.window:
            raise AudioError(self._too_long(audio.shape[-1]))
        return super().transcribe(audio)

    @torch.no_grad()
    def _prompt(self, settings: dict[str, Any]) -> list[int]:
        """What `generate` starts with, read from an output of one symbol, without audio."""
        config = self.model.config
        states = torch.zeros(1, config.max_source_positions, config.d_model)
        try:
            ids = self.model.generate(
                encoder_outputs=BaseModelOutput(states.to(self.device, self.dtype)),
                **settings,
                num_beams=1,
                stopping_criteria=[_at_once],
                force_unique_generate_call=True,  # otherwise the prompt is cut off
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise VictimError(_unprompted(self.model.generation_config, error)) from error
        prompt: list[int] = ids[0, :-1].tolist()
        return prompt

    def _too_long(self, length: int) -> str:
        seconds, window = length / self.sample_rate, self.window / self.sample_rate
        return (
            f"the clip lasts {seconds:.2f} s, but this recogniser takes {window:g} s at a time;"
            " split the clip"
        )


def _at_once(ids: Tensor, _: Tensor) -> Tensor:
    """Stopping criterion of `generate`: stop at once, for outputs [B, N]."""
    return torch.ones(len(ids), dtype=torch.bool, device=ids.device)


def _refuse_fallbacks(config: Any) -> None:
    if found := [name for name in _FALLBACKS if getattr(config, name, None) is not None]:
        raise VictimError(
            f"the checkpoint's generation config sets {', '.join(found)}, which can discard an"
            " output; load a copy whose generation_config.json leaves them out"
        )


def _unprompted(config: Any, error: Exception) -> str:
    """An error message with the settings that the prompt is made of."""
    names = ("language", "lang_to_id", "task_to_id", "no_timestamps_token_id")
    found = ", ".join(f"{name}={getattr(config, name, None)!r:.60}" for name in names)
    return (
        f"the checkpoint's generation config does not define its prompt ({error!s:.100}); it has"
        f" {found}. Without a language, it needs {_LANGUAGE} in lang_to_id; correct its"
        " generation_config.json"
    )


def _settings(config: Any) -> dict[str, Any]:
    """Arguments of `generate` that make its prompt independent of the audio."""
    fixed: dict[str, Any] = {"return_timestamps": False}
    if not hasattr(config, "lang_to_id") or getattr(config, "is_multilingual", None) is False:
        return fixed  # it has one language, and refuses the argument
    language = getattr(config, "language", None) or _LANGUAGE
    return fixed | {"language": language, "task": "transcribe"}


def _longest(model: Any, given: int) -> int:
    """`longest`, as Whisper counts: max_length bounds what follows the prompt."""
    config, places = model.generation_config, int(model.config.max_target_positions)
    bound = longest(config, given)
    if config.max_new_tokens is None and config.max_length is not None:
        bound += min(given, places // 2 - 1)
    return min(bound, places)
