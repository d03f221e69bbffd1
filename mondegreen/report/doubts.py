"""Whether the numbers of a page can be believed: what `mondegreen sanity` found of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mondegreen.report.gathering import Part
from mondegreen.report.summary import Finding
from mondegreen.report.summary_text import one_line
from mondegreen.runs.folder import SANITY, read_object


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
