"""The verdict as a JUnit file: a case for each clip, and one for each rule.

The file is red where the gate is: an attackable clip is a failure where the gate does not pass, and
skipped, with its price, where so many are allowed. A rule that cannot be judged is an error.
What was not checked is a case that was skipped.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as Xml

from mondegreen.gating.gate import Verdict
from mondegreen.gating.rule import Outcome

# what XML cannot hold: controls, surrogates and two that are no characters
FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
RED: Final[dict[Outcome, str]] = {"fail": "failure", "unclear": "error"}


def junit(verdict: Verdict) -> bytes:
    """The file."""
    suite = Xml.Element("testsuite", name=_text(f"mondegreen gate {verdict.clips.label}"))
    attackable = "skipped" if verdict.outcome == "pass" else "failure"
    counted = set(verdict.attackable)
    for one in verdict.rulings:
        _case(suite, "gate", one.rule, RED.get(one.outcome), one.why)
    if verdict.not_checked is not None:
        _case(suite, "gate", "not checked", "skipped", verdict.not_checked)
    for clip in verdict.clips.clips:
        what = attackable if clip in counted else None
        _case(suite, verdict.clips.label, clip.id, what, verdict.sentence(clip))
    for name in verdict.clips.unknown:
        _case(suite, verdict.clips.label, name, "skipped", "its price is not known")
    for count, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(len(suite.findall(f"testcase/{kind}"))))
    suite.set("tests", str(len(suite)))
    suites = Xml.Element("testsuites")
    suites.append(suite)
    Xml.indent(suites)
    whole: bytes = Xml.tostring(suites, encoding="utf-8", xml_declaration=True)
    return whole + b"\n"


def _case(suite: Xml.Element, group: str, name: str, what: str | None, why: str) -> None:
    case = Xml.SubElement(suite, "testcase", classname=_text(group), name=_text(name))
    if what is not None:
        Xml.SubElement(case, what, message=_text(why))


def _text(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)
