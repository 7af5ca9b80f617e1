"""SARIF: valid by the schema, right by its regions, and whole."""

from functools import cache
from json import loads
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from report_factory import CACHE, CASING, ROOT_USER, UNPINNED, finding, report, showcase, source

from hardener.finding import FileError, Finding, Report, Severity, Suppressed, locate
from hardener.reports.sarif import render
from hardener.text import SourceFile, Span

SCHEMA = Path(__file__).parent.parent / "fixtures" / "sarif" / "sarif-schema-2.1.0.json"


@cache
def validator() -> Draft4Validator:
    schema = loads(SCHEMA.read_text(encoding="utf-8"))
    Draft4Validator.check_schema(schema)
    return Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER)


def run_of(shown: Report) -> Any:
    """Return the one run of the report, once it is known to be valid."""
    log = loads(render(shown))
    assert [error.message for error in validator().iter_errors(log)] == []
    (run,) = log["runs"]
    return run


def selected(text: str, region: Any) -> str:
    """Return what a consumer selects: lines end at LF or CRLF, columns count UTF-16 code units, `endColumn` is exclusive."""
    lines = text.removeprefix("\ufeff").split("\n")
    units = [(line + "\n").encode("utf-16-le") for line in lines]
    start = sum(map(len, units[: region["startLine"] - 1])) + 2 * (region.get("startColumn", 1) - 1)
    whole = len(lines[region["endLine"] - 1].removesuffix("\r").encode("utf-16-le")) // 2 + 1
    end = sum(map(len, units[: region["endLine"] - 1])) + 2 * (region.get("endColumn", whole) - 1)
    return b"".join(units)[start:end].decode("utf-16-le")


SHAPES = [
    "FROM «debian»\n",
    "LABEL 名=«犬»\n",
    "LABEL 🐳=«🐳x🐳» y🐳\n",
    "\ufeffLABEL 🐳=«x»\n",
    "RUN «a \\\n  🐳 b» c\n",
    "🐳\r\nRUN «a \\\r\n  🐳 b» c\r\n",
    "RUN 🐳«\n»x\n",
    "«RUN x\n»",
    "RUN x«»\n",
    "RUN x\n«»",
    "\t«x»\x0cy\r z",
]


@pytest.mark.parametrize("marked", SHAPES)
def test_the_text_of_a_region_is_the_span(marked: str) -> None:
    file, (span,) = source(marked)
    (result,) = run_of(report(finding(marked)))["results"]
    physical = result["locations"][0]["physicalLocation"]
    assert selected(file.text, physical["region"]) == file.slice(span)
    assert physical["region"]["snippet"]["text"] == file.slice(span)
    context = physical.get("contextRegion")
    if context is not None:
        assert file.slice(span) in context["snippet"]["text"]
        assert selected(file.text, context) == context["snippet"]["text"]


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("aé名🐳\t\n\r \u0301"), max_size=30), st.data())
def test_the_text_of_any_region_is_its_span(text: str, data: st.DataObject) -> None:
    file = SourceFile("Dockerfile", text)
    start, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    found = finding("FROM «x»\n")._replace(location=locate(file, Span(start, end)))
    (result,) = loads(render(report(found)))["runs"][0]["results"]
    assert selected(text, result["locations"][0]["physicalLocation"]["region"]) == text[start:end]


def test_a_clean_run_is_valid_and_describes_every_rule() -> None:
    run = run_of(report(files=["Dockerfile"]))
    assert run["results"] == []
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["HD101", "HD201", "HD301", "HD402", "HD801"]
    assert run["invocations"] == [{"executionSuccessful": True, "exitCode": 0}]
    assert run["artifacts"] == [{"location": {"uri": "Dockerfile", "uriBaseId": "SRCROOT"}}]


def test_a_run_without_rules_is_valid() -> None:
    run = run_of(report(rules=()))
    assert run["tool"]["driver"]["rules"] == []
    assert "taxonomies" not in run


def test_a_run_of_everything_is_valid() -> None:
    run = run_of(showcase())
    assert run["automationDetails"]["id"] == "hardener/lint/"
    assert run["columnKind"] == "utf16CodeUnits"
    assert list(run["originalUriBaseIds"]) == ["SRCROOT"]


def test_a_rule_says_all_that_a_consumer_shows() -> None:
    rule = run_of(report())["tool"]["driver"]["rules"][0]
    assert rule["name"] == "UntaggedBaseImage"
    assert rule["shortDescription"]["text"] == UNPINNED.title
    assert rule["fullDescription"]["text"] == UNPINNED.why
    assert rule["defaultConfiguration"] == {"level": "warning"}
    assert rule["helpUri"] == "https://docs.docker.com/build/building/best-practices/"
    assert rule["properties"] == {
        "tags": ["security", "supply-chain", "reproducibility", "external/cwe/cwe-1357"],
        "precision": "high",
        "security-severity": "5.5",
        "problem.severity": "warning",
        "severity": "medium",
        "confidence": "high",
        "aliases": ["hadolint:DL3006", "trivy:DS-0001"],
    }
    assert rule["help"]["text"].startswith("A tagless image means `latest` today")
    assert "- CWE-1357: Reliance on Insufficiently Trustworthy Component" in rule["help"]["text"]
    assert rule["help"]["markdown"].startswith("**Base image without tag or digest**\n\nA tagless image")
    assert "### How to fix\n\nName a version" in rule["help"]["markdown"]
    assert "[CIS Docker Benchmark 1.6.0 4.2: Use trusted base images only](https://" in rule["help"]["markdown"]
    assert rule["help"]["markdown"].endswith("Same check elsewhere: `hadolint:DL3006`, `trivy:DS-0001`")


def test_a_rule_that_says_little_is_still_described() -> None:
    rule = run_of(report(rules=(CASING,)))["tool"]["driver"]["rules"][0]
    assert rule["fullDescription"]["text"] == rule["help"]["text"] == CASING.title
    assert rule["properties"]["tags"] == []
    assert not {"helpUri", "relationships"} & set(rule)


@pytest.mark.parametrize(
    ("severity", "level", "score", "problem"),
    [
        (Severity.CRITICAL, "error", "9.5", "error"),
        (Severity.HIGH, "error", "8.0", "error"),
        (Severity.MEDIUM, "warning", "5.5", "warning"),
        (Severity.LOW, "note", "2.5", "recommendation"),
        (Severity.INFO, "note", "0.0", "recommendation"),
    ],
)
def test_severities(severity: Severity, level: str, score: str, problem: str) -> None:
    run = run_of(report(finding("FROM «x»\n", rule=UNPINNED._replace(severity=severity)), rules=()))
    rule, result = run["tool"]["driver"]["rules"][0], run["results"][0]
    assert (rule["defaultConfiguration"]["level"], result["level"]) == (level, level)
    assert rule["properties"]["security-severity"] == result["properties"]["security-severity"] == score
    assert rule["properties"]["problem.severity"] == problem


def test_an_override_changes_the_result_and_not_the_rule() -> None:
    run = run_of(report(finding("FROM «x»\n", severity=Severity.CRITICAL)))
    assert run["results"][0]["level"] == "error"
    assert run["tool"]["driver"]["rules"][0]["defaultConfiguration"]["level"] == "warning"


def test_references_become_taxonomies() -> None:
    run = run_of(report())
    assert [(taxonomy["name"], taxonomy.get("version")) for taxonomy in run["taxonomies"]] == [
        ("CIS Docker Benchmark", "1.6.0"),
        ("CIS Docker Benchmark", "1.7.0"),
        ("CWE", None),
        ("OWASP Docker Top 10", None),
    ]
    assert run["tool"]["driver"]["supportedTaxonomies"] == [
        {"name": taxonomy["name"], "index": index} for index, taxonomy in enumerate(run["taxonomies"])
    ]
    for rule in (UNPINNED, ROOT_USER):
        (described,) = (entry for entry in run["tool"]["driver"]["rules"] if entry["id"] == rule.id)
        targets = [relationship["target"] for relationship in described["relationships"]]
        for target in targets:
            assert run["taxonomies"][target["toolComponent"]["index"]]["taxa"][target["index"]]["id"] == target["id"]
        assert len(targets) == 3


def test_a_result_refers_to_its_rule_and_file() -> None:
    run = run_of(showcase())
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert run["artifacts"][artifact["index"]]["location"]["uri"] == artifact["uri"]


def test_a_rule_that_only_a_finding_names_is_described() -> None:
    run = run_of(report(finding("FROM «x»\n"), suppressed=[Suppressed(finding("RUN «y»\n", rule=CACHE), "config", "")], rules=()))
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["HD101", "HD402"]


def test_a_fingerprint_survives_moved_lines() -> None:
    def fingerprints(marked: str) -> Any:
        return run_of(report(finding(marked)))["results"][0]["partialFingerprints"]

    assert fingerprints("FROM «x»\n") == fingerprints("\n\nFROM «x»\n") == {"hardener/v1": finding("FROM «x»\n").fingerprint}


def test_related_places_are_numbered_and_labelled() -> None:
    (result,) = run_of(report(finding("ARG «A=1»\nFROM «x»\n", related=["set here"], at=1)))["results"]
    (related,) = result["relatedLocations"]
    assert (related["id"], related["message"]["text"]) == (1, "set here")
    assert related["physicalLocation"]["region"]["snippet"]["text"] == "A=1"


def test_suppressions_say_where_and_why() -> None:
    found = finding("FROM «x»\n")
    entries = [
        Suppressed(found, "inline", "wanted", "2027-01-31"),
        Suppressed(found, "config", "not ours"),
        Suppressed(found, "baseline", ""),
    ]
    results = run_of(report(found, suppressed=entries))["results"]
    assert [result["suppressions"] for result in results] == [
        [],
        [
            {
                "kind": "inSource",
                "status": "accepted",
                "justification": "wanted",
                "properties": {"source": "inline", "expires": "2027-01-31"},
            }
        ],
        [{"kind": "external", "status": "accepted", "justification": "not ours", "properties": {"source": "config"}}],
        [{"kind": "external", "status": "accepted", "justification": "no reason given (baseline)", "properties": {"source": "baseline"}}],
    ]


def fixed(found: Finding) -> Any:
    (result,) = run_of(report(found))["results"]
    return result.get("fixes")


def test_a_safe_fix_is_exported() -> None:
    marked = "LABEL 🐳=«x» y\n«z\n»"
    assert fixed(finding("«»" + marked, fix=("safe", "Tidy"), inserted=["q", ""])) == [
        {
            "description": {"text": "Tidy"},
            "artifactChanges": [
                {
                    "artifactLocation": {"uri": "Dockerfile", "uriBaseId": "SRCROOT"},
                    "replacements": [
                        {
                            "deletedRegion": {"startLine": 1, "startColumn": 10, "endLine": 1, "endColumn": 11},
                            "insertedContent": {"text": "q"},
                        },
                        {"deletedRegion": {"startLine": 2, "startColumn": 1, "endLine": 3, "endColumn": 1}},
                    ],
                }
            ],
        }
    ]


@pytest.mark.parametrize("safety", ["unsafe", "display"])
def test_other_fixes_are_not_exported(safety: str) -> None:
    assert fixed(finding("FROM x«»«»\n", fix=(safety, "Pin"), inserted=[":1"])) is None


def test_errors_are_notifications_and_the_run_was_no_success() -> None:
    run = run_of(report(errors=[FileError("a b", 3, "not UTF-8"), FileError("c", 0, "HD101 failed", "internal")], notices=["stale"]))
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    first, second, third = invocation["toolExecutionNotifications"]
    assert first["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "a%20b", "uriBaseId": "SRCROOT"}, "region": {"startLine": 3}}}
    ]
    assert second["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "c", "uriBaseId": "SRCROOT"}}}]
    assert [run["tool"]["driver"]["notifications"][entry["descriptor"]["index"]]["id"] for entry in (first, second)] == [
        "unreadable",
        "internal",
    ]
    assert (third["level"], third["message"]["text"]) == ("note", "stale")


def test_an_absolute_path_has_no_base() -> None:
    (result,) = run_of(report(finding("FROM «x»\n", path="/srv/my app/Dockerfile")))["results"]
    artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "file:///srv/my%20app/Dockerfile", "index": 0}


def test_a_place_in_a_file_that_was_not_judged_has_no_index() -> None:
    (result,) = run_of(report(finding("FROM «x»\n", path="base/Dockerfile"), files=["Dockerfile"]))["results"]
    artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "base/Dockerfile", "uriBaseId": "SRCROOT"}


def test_a_long_line_has_a_context_cut_out_of_it() -> None:
    marked = "RUN " + "🐳" * 5_000 + "«boom»" + "y" * 5_000
    file, _ = source(marked)
    (result,) = run_of(report(finding(marked)))["results"]
    physical = result["locations"][0]["physicalLocation"]
    assert selected(file.text, physical["region"]) == "boom"
    assert physical["contextRegion"]["snippet"]["text"] == "🐳" * 120 + "boom" + "y" * 120
    assert selected(file.text, physical["contextRegion"]) == physical["contextRegion"]["snippet"]["text"]


@pytest.mark.parametrize("marked", ["RUN «" + "x" * 3_000 + "»", "RUN «" + "x \\\n" * 3_000 + "»y", "RUN «a\nb\r\nc»"])
def test_a_snippet_that_would_be_long_or_wrong_is_left_out(marked: str) -> None:
    (result,) = run_of(report(finding(marked)))["results"]
    physical = result["locations"][0]["physicalLocation"]
    assert "snippet" not in physical["region"]
    assert "contextRegion" not in physical
