"""What a page says first: what was attacked, whether it worked, how audible it is, and doubts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

from mondegreen.errors import MondegreenError
from mondegreen.findings import Finding
from mondegreen.reading import in_full
from mondegreen.report.numbers.measures import MEASURES
from mondegreen.report.numbers.sources import Part
from mondegreen.report.numbers.summary import Summary
from mondegreen.report.numbers.summary_text import (
    NOT_RUN,
    airs_of,
    bound_of,
    clips,
    interval,
    one_line,
    rate_of,
    verdicts,
)
from mondegreen.results.folder import MANIFEST, read_object
from mondegreen.results.verdict import WORDS, verdict_sentences

METHODS: Final[Mapping[str, str]] = {
    "imperceptible": "a perturbation that is transcribed as the target, pushed below the"
    " masking threshold (what the recording itself hides from the ear) as far as possible",
    "carlini-wagner": "the smallest perturbation that is transcribed as the target; nothing is"
    " done to hide it from the ear",
    "robust": "a perturbation that is still transcribed as the target when it is played in"
    " simulated rooms that the search has not met",
    "combined": "a perturbation that survives simulated rooms, and is then pushed below the"
    " masking threshold as far as possible",
    "untargeted": "a perturbation that pushes away what is said, whatever is heard instead",
}
PRESETS: Final[Mapping[str, str]] = {
    "fast": "in a fraction of the paper's gradient passes",
    "paper": "with the constants of the paper",
}
MEDIANS: Final = ("zimtohrli_mos", "pesq_c2", "snr_db", "masking_share_above", "passes")
WORST: Final = {
    **dict.fromkeys(("zimtohrli_mos", "pesq_c2", "snr_db"), "least"),
    "masking_share_above": "greatest",
}


class Bar(NamedTuple):
    """How many of the verified clips have each verdict, by where they are heard."""

    where: str
    parts: list[tuple[float, float]]  # for each of `WORDS`, where it begins and how long it is, %


class Head(NamedTuple):
    """What is said of one part of a page."""

    label: str
    headline: str  # whether it worked, in a few words
    lead: str  # how that is known, in a sentence; may be empty
    audible: str  # how audible the verified ones are, in a sentence; empty: not known
    bars: list[Bar]  # the same of many, in pictures
    figures: list[tuple[str, str, str]]  # the numbers that are read first: name, value, meaning
    facts: dict[str, str]  # what was attacked, how, and at what cost
    verdict: str  # what `mondegreen sanity` found, in a sentence; see docs/checks.md
    fired: list[Finding]
    skipped: list[Finding]
    left: list[str]  # unfinished and doubtful clips, a phrase for each kind


def head(part: Part, broken: int) -> Head:
    """What is said of a part, of whose items `broken` have sounds that their records do not fit."""
    summary, checked = part.summary, part.summary.checked or []
    fired, skipped = ([c for c in checked if c.state == s] for s in ("fires", "skipped"))
    return Head(
        part.label,
        *_lead(summary),
        _audible(part),
        list(_bars(summary)),
        list(_figures(summary)),
        dict(_facts(part)),
        _verdict(summary, fired, len(skipped)),
        fired,
        skipped,
        list(_left(summary, broken)),
    )


def _victim(summary: Summary) -> str:
    return one_line(summary.victim or "the recogniser")


def _lead(summary: Summary) -> tuple[str, str]:
    """Whether it worked, and how that is known."""
    counts, victim = summary.counts, _victim(summary)
    if not counts.clips:
        return "The run has no clips", ""
    if not counts.finished:
        return f"No clip is finished yet, of {clips(counts.clips)}", ""
    where = f" in at least half of the test rooms, {airs_of(summary)}" if summary.rooms else ""
    heard = "mishear what is said" if summary.untargeted else "transcribe the target"
    what = f"made to {heard}{where}"
    if counts.finished == 1:
        if not counts.verified:
            return f"{victim} was not {what}", ""
        return f"{victim} was {what}", "Proved from the saved 16-bit file."
    share = f"{summary.verified.share:.0%}{interval(summary.verified)}"
    return (
        f"In {counts.verified:,} of {clips(counts.finished)}, {victim} was {what}",
        f"Proved from the saved 16-bit files: {share}.",
    )


def _audible(part: Part) -> str:
    """The verdicts on the one verified clip, or how many have which; in rooms first."""
    summary = part.summary
    records = [e.record for e in part.entries if e.record and e.record.verified]
    if len(records) == 1:
        return verdict_sentences(records[0])
    counted = {"in rooms": summary.verdicts_in_rooms, "as files": summary.verdicts}
    found = {w: verdicts(summary, how) for w, how in counted.items() if sum(how.values())}
    several = len(found) > 1
    lines = "; ".join(f"{where}, {words}" if several else words for where, words in found.items())
    return f"Of the verified clips, by these yardsticks: {lines}." if found else ""


def _bars(summary: Summary) -> Iterator[Bar]:
    several = bool(sum(summary.verdicts_in_rooms.values()))
    for where, found in {
        "in rooms": summary.verdicts_in_rooms,
        "as files" if several else "": summary.verdicts,
    }.items():
        if all_of_them := sum(found.values()):
            lengths = [100 * found[word] / all_of_them for word in WORDS]
            begins = accumulate(lengths, initial=0.0)
            yield Bar(
                where, [(round(b, 2), round(n, 2)) for b, n in zip(begins, lengths, strict=False)]
            )


def _figures(summary: Summary) -> Iterator[tuple[str, str, str]]:
    rooms, clean = summary.rooms, summary.clean_rooms
    if rooms is not None:
        control = f"; in the original, in {clean.mean:.0%}" if clean else ""
        meaning = f"in which the target is heard, on average{control}"
        yield f"Test rooms {airs_of(summary)}", f"{rooms.mean:.0%}", meaning
    for name in MEDIANS:
        spread, measure = summary.spreads[name], MEASURES[name]
        if spread is not None:
            several, meaning = spread.count > 1, measure.meaning
            if name in WORST and several:
                meaning += f"; {measure.write(getattr(spread, WORST[name]))} in the worst clip"
            of = f", median of {spread.count:,} verified" if several else ""
            yield measure.label + of, measure.write(spread.median), meaning


# ---- facts


def _facts(part: Part) -> Iterator[tuple[str, str]]:
    """All that is known of a part, in plain words."""
    summary = part.summary
    yield "Recogniser", _victim(summary)
    yield "Recordings", _recordings(part)
    if summary.untargeted:
        yield "Aim", _aims(part)
    else:
        yield "Target", _targets(part)
    yield "Method", _method(summary)
    rules = {entry.record.options.exact for entry in part.entries if entry.record}
    if rules:
        to = "what is said" if summary.untargeted else "the target"
        yield "Proof", _proof(rules, to, bound_of(summary))
    costs = {"first_match": ("First match", "at pass {}"), "seconds": ("Time", "{} s per clip")}
    for name, (label, words) in costs.items():
        if (spread := summary.spreads[name]) is not None:
            many = f", the median of {spread.count:,} verified clips" if spread.count > 1 else ""
            yield label, words.format(MEASURES[name].write(spread.median)) + many
    if again := _again(part):
        yield "Verified again", again
    if summary.to_target.rate is not None and summary.counts.unverified:
        yield "Word errors", f"to the targets, failures included: {rate_of(summary.to_target)}"


def _recordings(part: Part) -> str:
    count = clips(part.summary.counts.clips)
    if len(part.source) > 1:
        return count
    clip_list = _clip_list(part.source[0])
    name = f"of {clip_list}" if clip_list else f"in the folder {in_full(part.source[0]).name}"
    return one_line(f"{count} {name}")


def _clip_list(folder: Path) -> str:
    """The name of what a run took its clips from; empty: it is no run, or does not say."""
    try:
        clip_list = read_object(folder / MANIFEST)["configuration"]["clips"]
        return str(clip_list) if clip_list.startswith("hf:") else Path(clip_list).name
    except (MondegreenError, KeyError, TypeError, AttributeError):
        return ""


def _targets(part: Part) -> str:
    targets = {entry.cells["target"] for entry in part.entries if "target" in entry.cells}
    if len(targets) == 1:
        return f"“{one_line(targets.pop())}”"
    return f"{len(targets):,} phrases, listed below" if targets else "not known"


def _aims(part: Part) -> str:
    """What the transcripts of untargeted attacks should be, and how many words they lost."""
    aims = dict.fromkeys(e.record.aim.words for e in part.entries if e.record)
    lost = rate_of(part.summary.to_original)
    return one_line(f"heard {' or '.join(aims)}; wrong are {lost}") if aims else "not known"


def _method(summary: Summary) -> str:
    method, preset = summary.method, summary.preset or ""
    if method is None:
        return "not known"
    name = one_line(f"{method}, preset {preset}" if preset else method)
    words = ", ".join(filter(None, (METHODS.get(method), PRESETS.get(preset))))
    return f"{name}: {words}" if words else name


def _proof(rules: set[bool], to: str, bound: str) -> str:
    names = {False: "ignoring case and punctuation", True: "including case and punctuation"}
    how = " or ".join(names[exact] for exact in sorted(rules))
    return (
        "the file is saved, read back, transcribed with the recogniser's own decoding, and compared"
        f" with {to}, {how}" + (f"; then measured: {bound}" if bound else "")
    )


def _again(part: Part) -> str:
    """How many claims were confirmed when `mondegreen verify` transcribed the files again."""
    claims, confirmed = Counter[str](), Counter[str]()
    for attempt in part.attempts:
        for listener, claim in attempt.claims.items():
            claims[listener] += claim.claimed
            confirmed[listener] += claim.confirmed
    return one_line(
        "; ".join(f"{confirmed[who]} of {n} confirmed by {who}" for who, n in claims.items())
    )


# ---- what to doubt


def _verdict(summary: Summary, fired: Sequence[Finding], skipped: int) -> str:
    if summary.checked is None:
        return "Not run. Run `mondegreen sanity RUN`."
    if not fired:
        line = "None of the checks fired"
    elif any(finding.severity == "error" for finding in fired):
        line = "Do not trust these numbers until you know the cause"
    else:
        line = "These numbers mean less than they seem to"
    parts = [f"{skipped} skipped"] if skipped else []
    if summary.unchecked:
        parts.append(f"{NOT_RUN} in {', '.join(map(one_line, summary.unchecked))}")
    return f"{line} ({', '.join(parts)})." if parts else f"{line}."


def _left(summary: Summary, broken: int) -> Iterator[str]:
    counts, understood = summary.counts, summary.verified_understood
    kinds = {
        "not attacked yet": counts.pending,
        "could not be attacked": counts.errors,
        "damaged on disk: counted neither as successes nor as failures": counts.damaged,
        "with sounds that do not match their records: run `mondegreen verify` before you trust"
        " these": broken,
        "interrupted": counts.interrupted,
        "not understood by the recogniser even before the attack: success on these says little": (
            counts.not_understood
        ),
    }
    yield from (f"{count:,} {what}" for what, count in kinds.items() if count)
    if counts.not_understood and understood.share is not None:
        hits = f"{understood.hits:,} of {understood.clips:,}"
        yield f"{hits} verified among clips transcribed well before the attack"
