"""The texts of a card: what is said, asked for and transcribed, with their differences.

Transcripts are compared word by word (`mondegreen.text.units`), under the record's normaliser, and
shown as they were written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, Literal, NamedTuple, TypeAlias

import jiwer

from mondegreen.airs import air_name
from mondegreen.report.numbers.measures import error_rate
from mondegreen.report.numbers.sources import Attempt
from mondegreen.report.numbers.summary_text import one_line
from mondegreen.results.heard import Claim
from mondegreen.results.record import Record
from mondegreen.text import kind, matches, normalise, units, word_errors

Tone = Literal["good", "bad", "doubt", "faint"]

MOST_WORDS: Final = 2_000  # more are not worth reading, and aligning takes quadratic time
ENOUGH: Final = 1 / 3  # of a phrase's words; below it, marked differences only confuse


class Piece(NamedTuple):
    """Some words in a row: of the transcript ("same", "extra"), or of the phrase ("missing")."""

    kind: Literal["same", "missing", "extra"]
    text: str
    before: str = " "  # what parts it from the piece before it; empty in scripts without spaces


class _Words(NamedTuple):
    """A text as written, and the words that are compared, each with the place that it is from."""

    written: list[str]
    before: list[str]  # a space where there is one before the word, or would be if one came before
    compared: list[str]
    places: list[int]


def differences(phrase: str, transcript: str, normaliser: str = "default") -> list[Piece]:
    """A transcript in pieces, with the missing words of a phrase where they belong.

    The pieces that are not missing, joined, are the transcript with single spaces. A word
    of several parts ("supper-room") is the same if all of its parts are. More than `MOST_WORDS`
    words are not compared: the transcript is one piece that is "extra".

    Raises:
        OptionError: there is no normaliser of that name.
    """
    asked, found = _words(phrase, normaliser), _words(transcript, normaliser)
    if max(len(asked.compared), len(found.compared)) > MOST_WORDS:
        return [Piece("extra", " ".join(transcript.split()))]
    runs = groupby(_pieces(asked, found), key=lambda piece: piece.kind)
    return [_joined(list(run)) for _, run in runs]


def _joined(run: Sequence[Piece]) -> Piece:
    first, *others = run
    text = "".join([first.text, *(piece.before + piece.text for piece in others)])
    return first._replace(text=text)


def share_found(pieces: Sequence[Piece]) -> float:
    """How much of the phrase is in the transcript, 0 to 1, by words as written; of no words, 1."""
    same, missing = (
        sum(len(units(p.text)) for p in pieces if p.kind == of) for of in ("same", "missing")
    )
    return same / (same + missing) if same + missing else 1.0


def _words(text: str, normaliser: str) -> _Words:
    apart = [units(word) for word in text.split()]
    written = [unit for some in apart for unit in some]
    before = [" " if at == 0 else "" for some in apart for at in range(len(some))]
    if written and kind(written[0]) != "word":
        before[0] = ""
    parts = [units(normalise(word, normaliser)) for word in written]
    compared = [part for some in parts for part in some]
    places = [place for place, some in enumerate(parts) for _ in some]
    return _Words(written, before, compared, places)


def _pieces(asked: _Words, found: _Words) -> Iterator[Piece]:
    """One piece for each word, in the order of the transcript."""
    extra: set[int] = set()  # places in the transcript
    missing: dict[int, int] = {}  # places in the phrase -> the place before which they belong
    aligned = jiwer.process_words(" ".join(asked.compared), " ".join(found.compared))
    for chunk in aligned.alignments[0]:
        if chunk.type == "equal":
            continue
        extra.update(found.places[chunk.hyp_start_idx : chunk.hyp_end_idx])
        next_place = found.places[chunk.hyp_start_idx : chunk.hyp_start_idx + 1]
        for place in asked.places[chunk.ref_start_idx : chunk.ref_end_idx]:
            missing.setdefault(place, *(next_place or [len(found.written)]))
    lacking = sorted(missing, key=lambda place: (missing[place], place))
    for place, word in enumerate([*found.written, ""]):
        while lacking and missing[lacking[0]] <= place:
            lost = lacking.pop(0)
            yield Piece("missing", asked.written[lost], asked.before[lost])
        if place < len(found.written):
            yield Piece("extra" if place in extra else "same", word, found.before[place])


# ---- texts

Named: TypeAlias = tuple[str, Attempt]


class Transcript(NamedTuple):
    """A text of a card."""

    label: str
    of: str  # which attempt it belongs to; empty where that need not be said
    pieces: list[Piece]  # the text, its differences marked; unmarked, one piece that is the same
    note: str = ""
    tone: Tone = "faint"  # of the note
    again: bool = False  # it was heard later, by `mondegreen verify`


def transcripts(named: Sequence[Named]) -> list[Transcript]:
    """The texts of a clip, given its named attempts; what is the same in all comes once."""
    done = [(of, one.entry.record, one.claims) for of, one in named if one.entry.record]
    return [
        *_known("Said", "text", named),
        *_once([_original(of, record) for of, record, _ in done]),
        *_known("Target", "target", named),
        *_known("Not to be heard", "forbid", named),
        *(_adversarial(of, record) for of, record, _ in done),
        *(
            _again(f"Transcript by {listener}", of, claim, record)._replace(again=True)
            for of, record, claims in done
            for listener, claim in claims.items()
        ),
    ]


def never_transcribed(record: Record) -> bool:
    """Whether the proof was interrupted before the file was transcribed."""
    return not record.transcribed


def _known(label: str, column: str, named: Sequence[Named]) -> list[Transcript]:
    """The first that is known."""
    cells = [attempt.entry.cells.get(column) for _, attempt in named]
    return [Transcript(label, "", _plain(text)) for text in cells if text][:1]


def _once(texts: list[Transcript]) -> list[Transcript]:
    """One instead of several that differ in nothing but the attempt that they belong to."""
    same = len({(tuple(text.pieces), text.note) for text in texts}) == 1
    return [texts[0]._replace(of="")] if same else texts


def _original(of: str, record: Record) -> Transcript:
    label, found, said = "Transcript of the original", record.heard_clean, record.text
    if not found.strip():
        return Transcript(label, of, [], "empty", "doubt")
    pieces = _marked(found, said, "default") if said else _plain(found)
    note = "the recogniser does not understand it" if record.understood is False else ""
    return Transcript(label, of, pieces, note, "doubt" if note else "faint")


def _adversarial(of: str, record: Record) -> Transcript:
    label = "Transcript of the adversarial file"
    if never_transcribed(record):
        return Transcript(label, of, [], "not transcribed: the proof was interrupted", "doubt")
    return compared(label, of, record.heard, record)


def _again(label: str, of: str, claim: Claim, record: Record) -> Transcript:
    """What `mondegreen verify` found later."""
    what = _what(record)
    note = what if claim.verified else f"not {what}"
    tone: Tone = "good" if claim.verified else "bad"
    if claim.problem is not None:
        return Transcript(label, of, [], f"could not be transcribed: {claim.problem}", "bad")
    if claim.transcript is None:
        return Transcript(label, of, [], f"{note}; its words were not kept", tone)
    text = compared(label, of, claim.transcript, record)
    if record.bank is None:
        return text
    where = one_line(air_name(record.air))
    return text._replace(note=f"{text.note}; in the test rooms in {where}, {note}", tone=tone)


def compared(label: str, of: str, transcript: str, record: Record) -> Transcript:
    """A transcript, with its differences from the target marked unless it is another phrase.

    Untargeted, those from what is said in the clip.
    """
    target, normaliser = record.target, record.options.normaliser
    if target is None:
        return _lost(label, of, transcript, record)
    if not transcript.strip():
        return Transcript(label, of, [], "empty", "bad")
    if matches(transcript, target, normaliser):
        return Transcript(label, of, _plain(transcript), "the target", "good")
    rate = error_rate(word_errors(target, transcript, normaliser).rate)
    marked = _marked(transcript, target, normaliser)
    return Transcript(label, of, marked, f"not the target, WER {rate}", "bad")


def _lost(label: str, of: str, transcript: str, record: Record) -> Transcript:
    """What an untargeted attack has left of what is said."""
    met = record.aim.met(transcript)
    rate = error_rate(word_errors(record.said, transcript).rate)
    note = f"{_what(record) if met else f'not {_what(record)}'}, WER to what is said {rate}"
    pieces = _marked(transcript, record.said, "default") if transcript.strip() else []
    return Transcript(label, of, pieces, note, "good" if met else "bad")


def _what(record: Record) -> str:
    """What a transcript should be, in a word or two."""
    return "the target" if record.target is not None else "what was aimed for"


def _plain(text: str) -> list[Piece]:
    return [Piece("same", text)]


def _marked(transcript: str, phrase: str, normaliser: str) -> list[Piece]:
    pieces = differences(phrase, transcript, normaliser)
    return pieces if share_found(pieces) >= ENOUGH else _plain(transcript)
