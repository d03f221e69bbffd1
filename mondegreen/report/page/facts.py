"""What was attacked, how, at what cost, and whether to believe it: a page's first lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from mondegreen.errors import MondegreenError
from mondegreen.report.numbers.sources import Part
from mondegreen.report.numbers.statistics import Spread
from mondegreen.report.numbers.summary import Finding
from mondegreen.report.numbers.summary_text import SPREADS, bound_of, one_line
from mondegreen.results.folder import MANIFEST, SANITY, is_run, read_object

METHODS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "imperceptible": "a change that is heard as the phrase, pressed below the masking"
        " threshold (what the recording itself hides from the ear) as far as it goes",
        "carlini-wagner": "the smallest change that is heard as the phrase; nothing is done to"
        " hide it from the ear",
        "robust": "a change that is still heard as the phrase when it is played in simulated rooms"
        " that the search has not met",
        "combined": "a change that survives simulated rooms, and is then pressed below the masking"
        " threshold as far as it goes",
    }
)
PRESETS: Final[Mapping[str, str]] = MappingProxyType(
    {"fast": "in a fraction of the paper's gradient passes", "paper": "with the paper's numbers"}
)
NORMALISERS: Final[Mapping[str, str]] = MappingProxyType(
    {"default": "case and punctuation set aside", "exact": "to the letter"}
)


class Fact(NamedTuple):
    """A line of the head: what it is of, and the text."""

    name: str
    text: str


def facts(part: Part) -> Iterator[Fact]:
    """All that is known of a part, in plain words."""
    summary = part.summary
    yield Fact("Recogniser", recogniser(part))
    yield Fact("Recordings", _recordings(part))
    yield Fact("Target", _targets(part))
    yield Fact("Method", _method(part))
    yield from _proof(part)
    yield from _cost("First heard", "after {} passes", "first_match", summary.spreads)
    yield from _cost("Time", "{} s for a clip", "seconds", summary.spreads)
    yield from _again(part)
    if summary.to_target.rate is not None and summary.counts.unverified:
        yield Fact("Word errors", f"{summary.to_target.rate:.1%} to the targets, failures included")


def clips(count: int) -> str:
    """So many clips."""
    return "one clip" if count == 1 else f"{count:,} clips"


def recogniser(part: Part) -> str:
    """What was attacked, in a line."""
    return one_line(part.summary.victim or "the recogniser")


def _cost(label: str, told: str, name: str, spreads: Mapping[str, Spread | None]) -> Iterator[Fact]:
    spread = spreads[name]
    if spread is not None:
        value = told.format(SPREADS[name][1](spread.median))
        of = "" if spread.count == 1 else f", the median of {spread.count:,} verified clips"
        yield Fact(label, value + of)


def _recordings(part: Part) -> str:
    count = clips(part.summary.counts.clips)
    source = _configuration(part.source).get("clips")
    if isinstance(source, str) and source:
        name = source if source.startswith("hf:") else Path(source).name
        return one_line(f"{count} of {name}")
    if len(part.source) > 1:
        return count
    return one_line(f"{count}, in the folder {part.source[0].resolve().name}")


def _configuration(source: Sequence[Path]) -> Mapping[str, Any]:
    """The options of a run; of another source, or where they cannot be read, nothing."""
    if len(source) != 1 or not is_run(source[0]):
        return {}
    try:
        told = read_object(source[0] / MANIFEST).get("configuration")
    except MondegreenError:
        return {}
    return told if isinstance(told, dict) else {}


def _targets(part: Part) -> str:
    targets = {entry.cells["target"] for entry in part.entries if "target" in entry.cells}
    if len(targets) == 1:
        return f"“{one_line(targets.pop())}”"
    return f"{len(targets):,} phrases, see below" if targets else "not known"


def _method(part: Part) -> str:
    method, preset = part.summary.method, part.summary.preset
    if method is None:
        return "not known"
    what, how = METHODS.get(method), PRESETS.get(preset or "")
    name = one_line(f"{method}, preset {preset}" if preset else method)
    told = ", ".join(text for text in (what, how) if text)
    return f"{name}: {told}" if told else name


def _proof(part: Part) -> Iterator[Fact]:
    names = {e.cells["normaliser"] for e in part.entries if e.status == "done"}
    how = " or ".join(NORMALISERS.get(name, name) for name in sorted(names))
    bound = bound_of(part.summary)
    if how:
        yield Fact(
            "Proof",
            "the file is written, read back, transcribed by the recogniser's own decoding, and"
            f" compared with the target, {how}" + (f"; then measured: {bound}" if bound else ""),
        )


def _again(part: Part) -> Iterator[Fact]:
    """How many claims stood whenever the files were heard again."""
    claims: dict[str, list[bool]] = {}
    for version in part.versions:
        for listener, heard in version.heard:
            claims.setdefault(listener, []).extend([heard.verified] if heard.claimed else [])
    told = [f"by {who}, {sum(stand)} of {len(stand)} stand" for who, stand in claims.items()]
    if told:
        yield Fact("Heard again", one_line(f"of the claims heard {'; '.join(told)}"))


class Checks(NamedTuple):
    """What `mondegreen sanity` found; see docs/checks.md.

    Attributes:
        line: in a sentence.
        fired: the checks that fired: id, severity, detail.
        skipped: those that were skipped: id, reason.
    """

    line: str
    fired: list[tuple[str, str, str]]
    skipped: list[tuple[str, str]]


def checks(part: Part) -> Checks:
    """What is known of a part."""
    found, unchecked = part.summary.findings, part.summary.unchecked
    if found is None:
        return Checks(
            "It was not checked whether these numbers can be believed (mondegreen sanity).", [], []
        )
    skipped = [one for path in part.source if str(path) not in unchecked for one in _skipped(path)]
    return Checks(_checked(found, unchecked, skipped), [_told(f) for f in found], skipped)


def _checked(
    found: Sequence[Finding], unchecked: Sequence[str], skipped: Sequence[tuple[str, str]]
) -> str:
    if not found:
        line = "None of the checks that were made speaks against these numbers"
    elif any(finding.severity == "error" for finding in found):
        line = "Do not believe these numbers before the cause of this is known"
    else:
        line = "These numbers mean less than they seem to"
    parts = [f"{len(skipped)} skipped"] if skipped else []
    parts += [f"not made in {', '.join(map(one_line, unchecked))}"] if unchecked else []
    return f"{line} ({', '.join(parts)})." if parts else f"{line}."


def _told(finding: Finding) -> tuple[str, str, str]:
    return one_line(finding.id), one_line(finding.severity), one_line(finding.detail)


def _skipped(path: Path) -> list[tuple[str, str]]:
    """The checks of a folder that had nothing to judge."""
    return [
        (one_line(str(found.get("id"))), one_line(str(found.get("detail"))))
        for found in read_object(path / SANITY)["findings"]
        if found.get("state") == "skipped"
    ]
