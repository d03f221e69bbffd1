"""What a page of one result says first: as what it is heard, before and after, and how audibly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from mondegreen.report.numbers.measures import error_rate
from mondegreen.report.numbers.summary_text import one_line
from mondegreen.report.page.transcripts import Tone, Transcript
from mondegreen.results.record import Record
from mondegreen.results.verdict import verdict, verdict_in_rooms
from mondegreen.text import words_only

LONGEST: Final = 160  # characters of a transcript


class Headline(NamedTuple):
    """The head of a page of one result."""

    how: str  # the recogniser, the method and the preset
    before: str  # the transcript of the original; empty: nothing is heard
    after: str | None  # the same of the adversarial file; None: it was never transcribed
    marks: list[tuple[Tone, str]]  # in a few words each, whether it worked and how audible it is

    @classmethod
    def of(cls, record: Record, files_whole: bool) -> Headline:
        """The head for a record, whose sounds may not be those that it was written with."""
        options = record.options
        return cls(
            one_line(f"{record.victim}, {options.method}, preset {options.preset}"),
            one_line(record.heard_clean, LONGEST),
            one_line(record.heard, LONGEST) if record.transcribed else None,
            list(_marks(record, files_whole)),
        )

    def leaves(self, texts: Sequence[Transcript], record: Record) -> list[Transcript]:
        """Those of a card's texts that tell more than this head."""
        told = {words_only(text) for text in (self.before, self.after) if text}
        told |= {words_only(record.target)} if record.target and record.reached else set()
        return [text for text in texts if not _is_told(text, told)]


def _is_told(text: Transcript, told: set[str]) -> bool:
    plain = len(text.pieces) == 1 and words_only(text.pieces[0].text) in told
    return plain and not text.again and text.note in ("", "the target")


def _marks(record: Record, files_whole: bool) -> Iterator[tuple[Tone, str]]:
    if not files_whole:
        yield "bad", "files damaged"
    if record.verified:
        rooms = record.survival and record.survival.rooms
        heard = rooms and f"in {round(rooms.heard * rooms.count):,} of {rooms.count:,} test rooms"
        yield "good", f"verified {heard or 'from the saved file'}"
    else:
        yield "bad", "not verified"
    if record.target is None and record.transcribed:
        yield "faint", f"word error rate {error_rate(record.wer_original)}"
    there, dry = verdict_in_rooms(record.quality_in_rooms), verdict(record.quality)
    if there:
        yield "faint", f"{there.word} in the median room"
    if dry:
        yield "faint", f"{dry.word} as a file" if there else dry.word
    if record.understood is False:
        yield "doubt", "not understood before the attack"
    if record.interrupted:
        yield "doubt", "interrupted"
