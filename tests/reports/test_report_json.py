"""The JSON contract, member by member."""

from json import loads
from typing import Any

from report_factory import CASING, UNPINNED, finding, report, showcase

from hardener.finding import Edit, FileError, Fix, Severity, Suppressed
from hardener.reports.json import render
from hardener.text import Span


def rendered(shown: Any) -> Any:
    return loads(render(shown))


def test_a_finding_has_exactly_these_members() -> None:
    found = finding("ARG «V»\nFROM «debian»\n", related=["declared here"], at=1)
    assert rendered(report(found))["findings"] == [
        {
            "rule": "HD101",
            "name": "untagged-base-image",
            "aliases": ["hadolint:DL3006", "trivy:DS-0001"],
            "severity": "medium",
            "confidence": "high",
            "message": "debian has no tag",
            "path": "Dockerfile",
            "line": 2,
            "column": 6,
            "end_line": 2,
            "end_column": 12,
            "start": 11,
            "end": 17,
            "fingerprint": found.fingerprint,
            "fix": None,
            "title": "Base image without tag or digest",
            "tags": ["supply-chain", "reproducibility"],
            "references": list(UNPINNED.references),
            "related": [
                {
                    "path": "Dockerfile",
                    "line": 1,
                    "column": 5,
                    "end_line": 1,
                    "end_column": 6,
                    "start": 4,
                    "end": 5,
                    "message": "declared here",
                }
            ],
        }
    ]


def test_a_fix_has_its_edits_as_offsets_and_positions() -> None:
    found = finding("FROM «x»\n«»CMD y\n", fix=("safe", "Add a user"), inserted=["USER u\n"])
    (shown,) = rendered(report(found))["findings"]
    assert shown["fix"] == {
        "safety": "safe",
        "description": "Add a user",
        "edits": [
            {"path": "Dockerfile", "line": 2, "column": 1, "end_line": 2, "end_column": 1, "start": 7, "end": 7, "text": "USER u\n"},
        ],
    }


def test_a_fix_that_was_not_located_has_offsets() -> None:
    found = finding("FROM «x»\n")._replace(fix=Fix((Edit(Span(5, 6), "y"),), "display", "Use y"))
    (shown,) = rendered(report(found))["findings"]
    assert shown["fix"] == {"safety": "display", "description": "Use y", "edits": [{"start": 5, "end": 6, "text": "y"}]}


def test_an_error_has_a_line_only_when_it_is_known() -> None:
    shown = rendered(report(errors=[FileError("a", 0, "binary"), FileError("b", 7, "HD101 failed", "internal")]))
    assert shown["errors"] == [
        {"path": "a", "message": "binary", "kind": "unreadable"},
        {"path": "b", "line": 7, "message": "HD101 failed", "kind": "internal"},
    ]


def test_a_suppressed_finding_says_how_and_why() -> None:
    found = finding("FROM «x»\n")
    shown = rendered(report(suppressed=[Suppressed(found, "inline", "wanted", "2027-01-31"), Suppressed(found, "baseline", "")]))
    assert shown["findings"] == []
    assert [entry.pop("suppression") for entry in shown["suppressed"]] == [
        {"kind": "inline", "reason": "wanted", "expires": "2027-01-31"},
        {"kind": "baseline", "reason": "", "expires": None},
    ]
    assert shown["suppressed"] == rendered(report(found, found))["findings"]


def test_the_summary_has_the_numbers() -> None:
    assert rendered(showcase())["summary"] == {
        "files": 4,
        "files_with_findings": 2,
        "findings": 7,
        "severities": {"critical": 1, "high": 2, "medium": 1, "low": 1, "info": 2},
        "rules": {"HD201": 2, "HD801": 2, "HD101": 1, "HD301": 1, "HD402": 1},
        "fixable": {"safe": 1, "unsafe": 1},
        "suppressed": {"baseline": 1, "inline": 1},
        "errors": 2,
        "fail_on": "medium",
        "failing": 4,
        "exit_code": 2,
    }


def test_the_exit_code_is_that_of_the_report() -> None:
    shown = report(finding("FROM «x»\n", rule=CASING), fail_on=Severity.INFO)
    assert rendered(shown)["summary"]["exit_code"] == shown.exit_code == 1
    assert rendered(report(fail_on=None))["summary"]["fail_on"] is None


def test_a_run_without_findings_has_every_member() -> None:
    assert list(rendered(report())) == ["version", "tool", "findings", "errors", "suppressed", "notices", "summary"]
    assert rendered(report())["version"] == 1


def test_a_finding_takes_one_line() -> None:
    lines = render(showcase()).split("\n")
    assert [line.startswith('  {"rule": "HD') for line in lines].count(True) == 9
