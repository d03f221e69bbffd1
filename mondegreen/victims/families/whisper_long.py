"""Whisper's long form, of which one window is to be heard otherwise.

More than a window is written with timestamps, window by window, each of which begins where the last
whole segment of the one before it ended. So if one window is heard otherwise, but with the same
timestamps around what is other, all windows after it are heard where they were. A target is all
that is generated in that window, timestamps and what is generated again in the next one included;
the windows before it, which may reach into it, are left to the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, WhisperTimeStampLogitsProcessor

from mondegreen.errors import TargetError, VictimError
from mondegreen.text import places, units
from mondegreen.victims.base import Score
from mondegreen.victims.batching import Remembered
from mondegreen.victims.frontends.base import Frontend
from mondegreen.victims.frontends.whisper import WhisperMel
from mondegreen.victims.spelling import Vocabulary
from mondegreen.victims.teacher_forcing import TeacherForcing
from mondegreen.victims.tokens.generation import Generation, check_room


@dataclass(frozen=True)
class Segment:
    """A segment that was heard in a window of a recording."""

    window: int  # the window's first frame
    written: tuple[int, ...]  # all that was generated in the window, after the prompt
    begin: int  # in that, the first symbol of the segment's text
    end: int  # and the one after its last
    text: str


@dataclass(frozen=True)
class Layout:
    """Targets as they are scored."""

    windows: tuple[int, ...]  # the first frame of each
    forced: TeacherForcing
    barred: Tensor  # [S, V]: -inf for what is never chosen at these places


class LongForm:
    """Scores one window of the long form of a Whisper model.

    Args:
        model: transformers' WhisperForConditionalGeneration.
        frontend: its features.
        vocabulary: its symbols.
        generation: how it generates without timestamps.
        room: the most symbols of one output, end included.
        generate: the segments that it hears in a sound [T], and the windows' first frames.
        unused: an empty cache, as the decoder wants it.
    """

    def __init__(
        self,
        model: Any,
        frontend: Frontend,
        vocabulary: Vocabulary,
        generation: Generation,
        room: int,
        generate: Callable[[Tensor], tuple[list[dict[str, Any]], list[int]]],
        unused: Cache,
    ) -> None:
        assert isinstance(frontend, WhisperMel)
        self._model, self._frontend, self._vocabulary = model, frontend, vocabulary
        self._generation, self._room, self._generate = generation, room, generate
        self._unused = unused
        untimed = getattr(model.generation_config, "no_timestamps_token_id", -1)
        self._timed = untimed + 1  # the first timestamp
        self._prompt = [symbol for symbol in generation.prompt if symbol != untimed]
        self._laid_out = Remembered(self._lay_out)

    def encode(self, target: str, audio: Tensor) -> Tensor:
        """The first frame of a window, and all that is to be generated in it, [1 + N] int64.

        Args:
            target: what all of the recording is to be heard as; it differs from what it is heard as
                in one place, which lies in one window.
            audio: the recording [T].

        Raises:
            TargetError: there is no such window; or the target cannot be written.
        """
        segments = self._segments(audio)
        counts = [len(units(segment.text)) for segment in segments]
        begins = [sum(counts[:n]) for n in range(len(counts) + 1)]
        heard = [unit for segment in segments for unit in units(segment.text)]
        asked = units(target)
        begin = _common(heard, asked)
        end = len(heard) - _common(heard[begin:][::-1], asked[begin:][::-1])
        first = max(n for n, at in enumerate(begins[:-1]) if at <= begin)
        last = max(n for n, at in enumerate(begins[:-1]) if at < end or n == first)
        one, other = segments[first], segments[last]
        if one.window != other.window:
            raise TargetError(
                f"the passage is heard in two windows of this recogniser, the second of which"
                f" begins at {self._seconds(other.window):.2f} s; attack a passage before or after"
                " that"
            )
        where = places(target)
        stop = len(asked) - (begins[-1] - begins[last + 1])
        text = target[where[begins[first]][0] : where[stop - 1][1]]
        tokens = self._generation.encode(text, self._vocabulary)[:-1].tolist()
        written = [*one.written[: one.begin], *tokens, *other.written[other.end :]]
        symbols = torch.tensor([one.window, *written, self._generation.end])
        check_room(symbols[1:], self._room)
        return symbols.to(self._model.device)

    def score(self, audio: Tensor, lengths: Sequence[int], targets: Sequence[Tensor]) -> Score:
        """Score recordings [B, T] by one pass over a window of each; see `Victim.score`."""
        laid_out = self._laid_out(*targets)
        features = torch.stack(
            [
                self._window(sound[:length], begin)
                for sound, length, begin in zip(audio, lengths, laid_out.windows, strict=True)
            ]
        )
        hidden = self._model.model(
            input_features=features,
            decoder_input_ids=laid_out.forced.inputs,
            past_key_values=self._unused,
            use_cache=False,
        ).last_hidden_state
        logits = self._model.proj_out(laid_out.forced.predicting(hidden)) + laid_out.barred
        return laid_out.forced.judged(logits, self._chosen(logits))

    def _chosen(self, logits: Tensor) -> Tensor:
        """What generation chooses, [S], of logits [S, V].

        That is a timestamp where all of them together are likelier than any word.
        """
        timed = logits[:, self._timed :].logsumexp(-1) > logits[:, : self._timed].amax(-1)
        after = self._timed + logits[:, self._timed :].argmax(-1)
        return torch.where(timed, after, logits.argmax(-1))

    def _window(self, sound: Tensor, begin: int) -> Tensor:
        """Features of the window of a recording [T] that begins at a frame, [mels, frames]."""
        frames = self._frontend.samples // self._frontend.hop
        features = self._frontend.whole(sound)[:, begin : begin + frames]
        return torch.nn.functional.pad(features, (0, frames - features.shape[-1]))

    def _seconds(self, frame: int) -> float:
        return frame * self._frontend.hop / self._frontend.sample_rate

    def _segments(self, audio: Tensor) -> list[Segment]:
        """What is heard in a recording [T], without segments that have no words.

        Raises:
            TargetError: there are none with words.
            VictimError: windows depend on what was said before.
        """
        heard, windows = self._generate(audio)
        # what is generated in a window is one object, common to its segments
        each = [list(group) for _, group in groupby(heard, key=lambda one: id(one["result"]))]
        found = [
            segment
            for window, group in zip(windows, each, strict=True)
            for segment in self._of_window(window, group)
            if units(segment.text)
        ]
        if not found:
            raise TargetError("no words are heard in the recording; choose one with speech")
        return found

    def _of_window(self, window: int, heard: list[dict[str, Any]]) -> list[Segment]:
        result = heard[0]["result"].tolist()
        prompt, given = len(self._prompt), heard[0]["idxs"][0]
        if result[:given] != self._prompt:
            raise VictimError(
                "the checkpoint hears each window after what was said before, so that one cannot be"
                " changed alone; load a copy whose generation_config.json leaves out"
                " condition_on_prev_tokens"
            )
        written = tuple(takewhile(lambda symbol: symbol != self._generation.end, result[prompt:]))
        segments = []
        for one in heard:
            begin, end = (at - prompt for at in one["idxs"])
            words = [at for at in range(begin, min(end, len(written))) if written[at] < self._timed]
            if words:
                first, last = words[0], words[-1] + 1
                text = self._vocabulary.decode(list(written[first:last]))
                segments.append(Segment(window, written, first, last, text))
        return segments

    def _lay_out(self, *targets: Tensor) -> Layout:
        written = [target[1:] for target in targets]
        forced = TeacherForcing.of(self._prompt, *written)
        rules = WhisperTimeStampLogitsProcessor(
            self._model.generation_config, begin_index=len(self._prompt)
        )
        # words are so much likelier that a timestamp is chosen only where no word may be
        scores = torch.zeros(1, self._generation.symbols)
        scores[:, : self._timed] = 1e4
        prompt = torch.tensor(self._prompt)
        allowed = torch.cat(
            [
                rules(torch.cat([prompt, symbols[:at]])[None], scores)
                for symbols in (target.cpu() for target in written)
                for at in range(len(symbols))
            ]
        )
        never = torch.where(allowed.isneginf(), -torch.inf, 0.0)
        like = next(self._model.parameters())
        barred = never.to(like) + forced.barred(self._generation.barred().to(like))
        return Layout(tuple(int(target[0]) for target in targets), forced, barred)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many of the first units are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
