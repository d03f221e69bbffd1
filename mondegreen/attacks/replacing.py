"""What a recording is to be heard as once the words of a passage are others.

A transcript does not say when its words were spoken. So what is before the passage, the passage and
what is after it are heard alone, and the three are compared with the transcript of the whole,
letter by letter. What corresponds to the passage is replaced; the rest is kept as it stands there.
"""

from __future__ import annotations

from typing import NamedTuple

import jiwer
from torch import Tensor

from mondegreen.audio.context import Context
from mondegreen.audio.passage import Excerpt
from mondegreen.audio.pcm import MAX_SECONDS, MIN_SECONDS
from mondegreen.errors import AudioError
from mondegreen.text import ENDS, STOPS, as_sentence
from mondegreen.victims.base import Recogniser


class Replacing(NamedTuple):
    """A transcript in three parts, of which the second is to be another."""

    before: str
    replaced: str  # what is heard of the passage
    after: str

    @classmethod
    def of(
        cls, recogniser: Recogniser, context: Context, passage: Tensor, transcript: str
    ) -> Replacing:
        """The parts of what is heard of a whole recording: around a passage [T], and of it."""
        sounds = context.before, passage, context.after
        before, here, after = (_heard(recogniser, sound) for sound in sounds)
        begin = kept(transcript, before, here + after)
        last = kept(transcript[::-1], after[::-1], (before + here)[::-1])
        end = max(begin, len(transcript) - last)
        parts = transcript[:begin], transcript[begin:end], transcript[end:]
        return cls(*(part.strip() for part in parts))

    def by(self, phrase: str, exact: bool = False) -> str:
        """The transcript with a phrase in place of the second part.

        Unless it is to be `exact`, it is a sentence where sentences begin and end.

        >>> Replacing("We met.", "Today it", "rained.").by("tomorrow it")
        'We met. Tomorrow it rained.'
        """
        written = phrase if exact else self._fitted(phrase)
        return " ".join(part for part in (self.before, written, self.after) if part)

    def _fitted(self, phrase: str) -> str:
        written = as_sentence(phrase)
        if self.after and not self.after[0].isupper():
            written = written.removesuffix(STOPS["word"])
        if self.before and not self.before.endswith(ENDS) and phrase[:1].islower():
            written = written[:1].lower() + written[1:]
        return written


def context_of(excerpt: Excerpt, sample_rate: int) -> Context:
    """All of a recording; raises `AudioError` if that is too long to be heard at every step."""
    seconds = len(excerpt.whole) / sample_rate
    if seconds > MAX_SECONDS:
        raise AudioError(
            f"The recording lasts {seconds:.7g} s, and a passage in its context is attacked in up"
            f" to {MAX_SECONDS:g} s. Cut the recording, or attack the passage alone."
        )
    return Context.of(excerpt)


def kept(whole: str, beginning: str, rest: str) -> int:
    """How many characters of a text are what its beginning was heard as; the rest was heard alone.

    Letters are compared. A word of which a part is left goes as a whole, unless that part was heard
    as a word: some recognisers run words together.

    >>> kept("We met. Today it rained.", "we mat", "to day, it reigned")
    7
    """
    letters, asked = _letters(whole), _read(beginning)
    if not asked or not letters:
        return 0
    found = jiwer.process_characters(asked + _read(rest), "".join(c for _, c in letters))
    last = next(part for part in found.alignments[0] if part.ref_end_idx >= len(asked))
    inside = min(len(asked) - last.ref_start_idx, last.hyp_end_idx - last.hyp_start_idx)
    count = last.hyp_start_idx + inside
    return _whole_words(whole, letters[count - 1][0], beginning) if count else 0


def _whole_words(text: str, end: int, heard: str) -> int:
    """The end of a beginning of a text, moved to the end of a word; see `kept`."""
    rest = text[end:].split(" ", 1)[0]
    if not _read(rest):
        return end + len(rest)
    part = text[:end].rsplit(" ", 1)[-1]
    return end if _read(part) == _read(heard.split()[-1]) else end - len(part)


def _letters(text: str) -> list[tuple[int, str]]:
    """Letters and digits without case, each with the place after it."""
    return [(at, c) for at, one in enumerate(text, 1) for c in one.casefold() if c.isalnum()]


def _read(text: str) -> str:
    return "".join(letter for _, letter in _letters(text))


def _heard(recogniser: Recogniser, sound: Tensor) -> str:
    """What is heard of a sound; nothing of one that is too short to be heard."""
    long_enough = len(sound) >= MIN_SECONDS * recogniser.sample_rate and bool(sound.any())
    return recogniser.transcribe(sound) if long_enough else ""
