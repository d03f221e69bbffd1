"""Whisper (Radford et al. 2022): the log-mel spectrogram of a 30 s window in, sequence to sequence.

The encoder has a place for every frame of the window and attends to all of them, silence included,
so a smaller window would be another input. Each clip costs the whole window, and none that is
scored may be longer.

The decoder's prompt (start, language, task, no timestamps) does not depend on the audio. It is read
once from the model's own `generate`, and language and task are those that it is set to; where it
would guess the language from the audio, it is English.
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

from mondegreen.errors import TargetError, VictimError, reason
from mondegreen.victims.base import Score
from mondegreen.victims.batching import Remembered
from mondegreen.victims.families.seq2seq import Seq2Seq
from mondegreen.victims.families.whisper_long import LongForm
from mondegreen.victims.families.whisper_near import Beginning
from mondegreen.victims.tokens.generation import GREEDY, longest, refuse_other_settings

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
        self.window = _window(model.config, processor.feature_extractor)
        settings = _settings(config, getattr(model.config, "forced_decoder_ids", None))
        prompt = self._prompt(settings)
        self._generates(prompt, _longest(model, len(prompt)), prefix=" ", **settings)
        # without a cache, the decoder reads its positions to see whether several texts share a row
        self._unused = EncoderDecoderCache(DynamicCache(), DynamicCache())
        self._beginning = Beginning(model, self.frontend, self._unused)
        self._long = LongForm(
            model,
            self.frontend,
            self._vocabulary,
            self.generation,
            self.room,
            self._heard_long,
            self._unused,
        )
        self._longer = Remembered(self._beyond)

    def encode(self, target: str, length: int) -> Tensor:
        """Tokens of `target` as the model writes it, and the end; see `Victim.encode`."""
        if length > self.window:
            raise TargetError(self._too_long(length))
        return self._tokens(target)

    def encode_long(self, target: str, audio: Tensor) -> Tensor:
        """See `mondegreen.victims.guard.GuardedVictim`, and `LongForm.encode`; audio [T]."""
        if len(audio) <= self.window:
            return self.encode(target, len(audio))
        return self._long.encode(target, audio)

    def score(self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Score:
        """Teacher-forced loss, and whether the greedy decode is the target; see `Victim.score`.

        Of more than a window, and with a target of `encode_long`: in a window of the long form.
        """
        longer = self._longer(lengths)
        if len(longer) == len(lengths):
            return self._long.score(audio.to(self.dtype), list(longer.values()), targets)
        if longer:
            return self._score_apart(audio, lengths, targets, list(longer))
        features, _ = self.frontend(audio.to(self.dtype), lengths)
        forced = self._forced(*targets)
        hidden = self.model.model(
            input_features=features,
            decoder_input_ids=forced.inputs,
            past_key_values=self._unused,
            use_cache=False,
        ).last_hidden_state
        return forced.score(self.model.proj_out(forced.predicting(hidden)), self._barred)

    def _score_apart(
        self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor], longer: list[int]
    ) -> Score:
        """Scores of a batch of which some rows are longer than a window."""
        others = [row for row in range(len(lengths)) if row not in longer]
        own = [
            self.score(audio[rows], lengths[rows], [targets[row] for row in rows])
            for rows in (longer, others)
        ]
        order = torch.tensor([*longer, *others], device=audio.device).argsort()
        loss, matched = (torch.cat([getattr(one, of) for one in own]) for of in ("loss", "matched"))
        return Score(loss[order], matched[order])

    def _beyond(self, lengths: Tensor) -> dict[int, int]:
        """The lengths of those rows that are longer than a window."""
        return {row: n for row, n in enumerate(lengths.tolist()) if n > self.window}

    def score_near(
        self, audio: Tensor, lengths: Tensor, targets: Sequence[Tensor], near: Tensor
    ) -> Score:
        """`score`, as far as the beginning of the window goes; see `mondegreen.victims.near`."""
        forced = self._forced(*targets)
        hidden = self._beginning.decoded(audio.to(self.dtype), lengths, near, forced.inputs)
        return forced.score(self.model.proj_out(forced.predicting(hidden)), self._barred)

    def transcribe(self, audio: Tensor) -> str:
        """Generation without timestamps; of more than a window, the checkpoint's long form.

        That generates with timestamps, window by window, each of which begins where the last whole
        segment ended; and after what was said before, if `condition_on_prev_tokens` is set in the
        generation config. Audio [T] in [-1, 1].
        """
        if audio.shape[-1] <= self.window:
            return super().transcribe(audio)
        return self._vocabulary.decode(self._long_form(audio)[0].tolist())

    def _heard_long(self, audio: Tensor) -> tuple[list[dict[str, Any]], list[int]]:
        """The segments of a recording [T], and the first frame of each of its windows."""
        begins: list[int] = []

        def note(progress: Tensor) -> None:
            begins.append(int(progress[0, 0]))

        found = self._long_form(audio, return_segments=True, monitor_progress=note)
        return found["segments"][0], begins

    @torch.no_grad()
    def _long_form(self, audio: Tensor, **asked: Any) -> Any:
        inputs = self.processor.feature_extractor(
            audio.numpy(),
            sampling_rate=self.sample_rate,
            truncation=False,
            padding="longest",
            return_attention_mask=True,
            return_tensors="pt",
        )
        settings = self._by | {"return_timestamps": True}
        inputs = inputs.to(self.device, self.dtype)
        return self.model.generate(**inputs, **settings, **GREEDY, num_beams=self.beams, **asked)

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
                **GREEDY,
                stopping_criteria=[_at_once],
                force_unique_generate_call=True,  # otherwise the prompt is cut off
            )
        except Exception as error:  # a generation config may hold anything
            said = f"{type(error).__name__}: {reason(error):.300}"
            raise VictimError(
                f"the checkpoint's own generate does not run with its generation config ({said});"
                " correct its generation_config.json"
            ) from error
        prompt: list[int] = ids[0, :-1].tolist()
        return prompt

    def _too_long(self, length: int) -> str:
        seconds, window = length / self.sample_rate, self.window / self.sample_rate
        return (
            f"the clip lasts {seconds:.2f} s, but this recogniser takes {window:g} s at a time;"
            " attack a passage of it (--from, --to)"
        )


def _window(config: Any, extractor: Any) -> int:
    """Samples of a window, of which the encoder has a place for every second frame."""
    frames, places = extractor.n_samples // extractor.hop_length, config.max_source_positions
    if frames != 2 * places:
        raise VictimError(
            f"the processor makes {frames} frames of a window, at {extractor.sampling_rate} Hz, and"
            f" the encoder takes {2 * places}; correct its preprocessor_config.json (Whisper hears"
            " 30 s at 16000 Hz)"
        )
    return int(extractor.n_samples)


def _at_once(ids: Tensor, _: Tensor) -> Tensor:
    """Stopping criterion of `generate`: stop at once, for outputs [B, N]."""
    return torch.ones(len(ids), dtype=torch.bool, device=ids.device)


def _refuse_fallbacks(config: Any) -> None:
    if found := [name for name in _FALLBACKS if getattr(config, name, None) is not None]:
        raise VictimError(
            f"the checkpoint's generation config sets {', '.join(found)}, which can discard an"
            " output; load a copy whose generation_config.json leaves them out"
        )


def _settings(config: Any, in_model_config: Any) -> dict[str, Any]:
    """Arguments of `generate` that make its prompt independent of the audio, and nothing else.

    Args:
        config: the generation config.
        in_model_config: `forced_decoder_ids` of config.json, which `generate` obeys as well.
    """
    if getattr(config, "no_timestamps_token_id", 0) is None:
        raise VictimError(
            "the checkpoint's generation config has no_timestamps_token_id=None; expected the"
            " number of <|notimestamps|>; correct its generation_config.json"
        )
    fixed: dict[str, Any] = {"return_timestamps": False}
    if getattr(config, "language", None) is not None or not hasattr(config, "lang_to_id"):
        return fixed
    task = getattr(config, "task", None)
    forced = [] if task else _forced(config, in_model_config)
    if forced and forced[0] is not None:
        return fixed
    known = config.lang_to_id or {}
    if _LANGUAGE not in known or not getattr(config, "is_multilingual", True):
        raise VictimError(
            "the checkpoint would guess the language from the audio: its generation config has no"
            f" language, and {_LANGUAGE} cannot be set, with lang_to_id={config.lang_to_id!r:.200}"
            f" and is_multilingual={getattr(config, 'is_multilingual', None)}; set language in its"
            " generation_config.json, or leave out lang_to_id if it has only one"
        )
    task = task or _task(config, forced)
    return fixed | {"language": _LANGUAGE} | ({"task": task} if task else {})


def _forced(config: Any, in_model_config: Any) -> list[int | None]:
    """The symbols that `forced_decoder_ids` of either config puts after the start."""
    own = getattr(config, "forced_decoder_ids", None)
    pairs = (own if own is not None else in_model_config) or []
    return [symbol for _, symbol in pairs] if pairs and pairs[0][0] == 1 else []


def _task(config: Any, forced: list[int | None]) -> str | None:
    """The task among forced symbols, else to transcribe; None: the checkpoint knows no tasks."""
    tasks = {symbol: task for task, symbol in (getattr(config, "task_to_id", None) or {}).items()}
    for symbol in forced:
        if symbol not in (None, getattr(config, "no_timestamps_token_id", None), *tasks):
            raise VictimError(
                f"the checkpoint forces the symbol {symbol} by forced_decoder_ids, but no language;"
                " set language and task in its generation_config.json instead"
            )
    return next((tasks[s] for s in forced if s in tasks), "transcribe" if tasks else None)


def _longest(model: Any, given: int) -> int:
    """`longest`, as Whisper counts: max_length bounds what follows the prompt."""
    config, places = model.generation_config, int(model.config.max_target_positions)
    bound = longest(config, given)
    if config.max_new_tokens is None and config.max_length is not None:
        bound += min(given, places // 2 - 1)
    return min(bound, places)
