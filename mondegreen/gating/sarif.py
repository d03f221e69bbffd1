"""The verdict as a SARIF 2.1.0 file: a result for each rule that is not kept, and for each clip.

Results are errors where the gate does not pass, and notes where it does. Where it cannot be judged,
the invocation was not successful, and its notifications say why. What was not checked is a warning
among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from mondegreen.files import as_json
from mondegreen.gating.gate import Verdict
from mondegreen.report.numbers.prices import PricedClip
from mondegreen.results.folder import WAV

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
RULES: Final = (
    ("gate", "A rule of the gate is not kept."),
    ("attackable", "A clip is attackable at or below the price that was fixed beforehand."),
)


def sarif(verdict: Verdict) -> bytes:
    """The file."""
    rules = [{"id": name, "shortDescription": {"text": text}} for name, text in RULES]
    driver = {"name": "mondegreen", "version": version("mondegreen"), "rules": rules}
    run = {
        "tool": {"driver": driver},
        "invocations": [_invocation(verdict)],
        "results": list(_results(verdict)),
    }
    return as_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _invocation(verdict: Verdict) -> dict[str, Any]:
    return {
        "executionSuccessful": verdict.outcome != "unclear",
        "exitCode": verdict.status,
        "toolExecutionNotifications": [
            {"level": level, "message": {"text": text}} for level, text in _notified(verdict)
        ],
    }


def _notified(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """What is to be known of the judgement itself, and how grave it is."""
    for one in verdict.rulings:
        if one.outcome == "unclear":
            yield "error", f"{one.rule} cannot be judged: {one.why}"
    if verdict.not_checked is not None:
        yield "warning", f"not checked: {verdict.not_checked}"


def _results(verdict: Verdict) -> Iterator[dict[str, Any]]:
    for one in verdict.rulings:
        if one.outcome == "fail":
            yield _result("gate", "error", f"{one.rule}: {one.why}")
    level = "note" if verdict.outcome == "pass" else "error"
    for clip in verdict.attackable:
        yield _result("attackable", level, verdict.sentence(clip)) | _place(clip)


def _result(rule: str, level: str, text: str) -> dict[str, Any]:
    return {"ruleId": rule, "level": level, "message": {"text": text}}


def _place(clip: PricedClip) -> dict[str, Any]:
    """Where the proof is; and what is the same finding in the next run."""
    same = {"partialFingerprints": {"clipAndAim/v1": f"{clip.id}: {clip.aim}"}}
    if clip.path is None:
        return same
    path = (Path(clip.path) / WAV).as_posix()
    uri = ("file://" if path.startswith("/") else "") + quote(path, errors="surrogateescape")
    return same | {"locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}}}]}
