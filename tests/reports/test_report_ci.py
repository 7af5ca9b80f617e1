"""The formats of CI systems: GitHub's commands, GitLab's Code Quality, JUnit."""

import re
from json import loads
from xml.etree import ElementTree

import pytest
from report_factory import CACHE, CASING, ROOT_USER, SECRET, UNPINNED, finding, report, showcase

from hardener.finding import FileError, Finding, Report, Rule, Suppressed
from hardener.reports import github, gitlab, junit

QUIET = UNPINNED._replace(how="")


def command(found: Finding) -> str:
    return github.render(report(found)).rstrip("\n")


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            finding("FROM «debian»\n", rule=QUIET),
            "::warning file=Dockerfile,line=1,endLine=1,col=6,endColumn=12,title=medium HD101 untagged-base-image::debian has no tag",
        ),
        (
            finding("RUN «a \\\n  b»\n", rule=QUIET),
            "::warning file=Dockerfile,line=1,endLine=2,title=medium HD101 untagged-base-image::debian has no tag",
        ),
        (
            finding("«RUN a\n»", rule=QUIET),
            "::warning file=Dockerfile,line=1,endLine=1,title=medium HD101 untagged-base-image::debian has no tag",
        ),
        (
            finding("FROM «x»\n", rule=QUIET, path="a,b:c%/Dockerfile", message="50% of: a, b\r\n::error::no"),
            "::warning file=a%2Cb%3Ac%25/Dockerfile,line=1,endLine=1,col=6,endColumn=7,title=medium HD101 untagged-base-image"
            "::50%25 of: a, b%0D%0A::error::no",
        ),
        (
            finding("FROM «x»\n", rule=QUIET._replace(how="Name\na tag.\n")),
            "::warning file=Dockerfile,line=1,endLine=1,col=6,endColumn=7,title=medium HD101 untagged-base-image"
            "::debian has no tag%0A%0AName%0Aa tag.",
        ),
    ],
)
def test_github_commands(found: Finding, line: str) -> None:
    assert command(found) == line


@pytest.mark.parametrize(
    ("rule", "name"), [(SECRET, "error"), (ROOT_USER, "error"), (UNPINNED, "warning"), (CACHE, "notice"), (CASING, "notice")]
)
def test_github_levels(rule: Rule, name: str) -> None:
    assert command(finding("RUN «x»\n", rule=rule)).startswith(f"::{name} ")


def test_github_shows_the_worst_first() -> None:
    lines = github.render(showcase()).split("\n")
    titles = [match[1] for line in lines if (match := re.search(r"title=(\w+) HD", line))]
    assert titles == ["critical", "high", "high", "medium", "low", "info", "info"]


def test_github_has_errors_and_notices() -> None:
    errors = [FileError("a", 3, "not UTF-8"), FileError("b", 0, "HD101 failed", "internal")]
    assert github.render(report(errors=errors, notices=["stale: 1%"])) == (
        "::error file=a,line=3,title=hardener%3A not checked::not UTF-8\n"
        "::error file=b,title=hardener%3A internal error::HD101 failed\n"
        "::notice title=hardener::stale: 1%25\n"
    )


def test_github_says_nothing_about_a_clean_run() -> None:
    assert github.render(report(files=["Dockerfile"])) == ""


def test_gitlab_entries_have_exactly_what_is_read() -> None:
    found = finding("\nFROM «debian»\n", path="./api/Dockerfile")
    assert loads(gitlab.render(report(found))) == [
        {
            "description": "debian has no tag (untagged-base-image)",
            "check_name": "HD101",
            "fingerprint": found.fingerprint,
            "severity": "major",
            "location": {"path": "api/Dockerfile", "lines": {"begin": 2}},
        }
    ]


@pytest.mark.parametrize(
    ("rule", "severity"), [(SECRET, "blocker"), (ROOT_USER, "critical"), (UNPINNED, "major"), (CACHE, "minor"), (CASING, "info")]
)
def test_gitlab_severities(rule: Rule, severity: str) -> None:
    assert loads(gitlab.render(report(finding("RUN «x»\n", rule=rule))))[0]["severity"] == severity


def test_gitlab_fingerprints_are_unique_and_stable() -> None:
    found = finding("FROM «x»\n")
    errors = [FileError("a", 0, "binary"), FileError("a", 0, "binary")]
    prints = [entry["fingerprint"] for entry in loads(gitlab.render(report(found, found, found, errors=errors)))]
    assert len(set(prints)) == 5
    assert prints[0] == found.fingerprint
    assert prints[:2] == [entry["fingerprint"] for entry in loads(gitlab.render(report(found, found)))]


def test_gitlab_has_files_that_could_not_be_checked() -> None:
    first, second = loads(gitlab.render(report(errors=[FileError("a", 3, "not UTF-8"), FileError("b", 0, "HD101 failed", "internal")])))
    assert (first["check_name"], first["severity"], first["location"]) == (
        "unreadable-error",
        "critical",
        {"path": "a", "lines": {"begin": 3}},
    )
    assert (second["check_name"], second["location"]) == ("internal-error", {"path": "b", "lines": {"begin": 1}})


def test_gitlab_is_an_empty_array_for_a_clean_run() -> None:
    assert gitlab.render(report(files=["Dockerfile"])) == "[]\n"


def suites(shown: Report) -> ElementTree.Element:
    return ElementTree.fromstring(junit.render(shown).encode())


def test_junit_has_a_suite_for_each_file() -> None:
    root = suites(showcase())
    assert [
        (suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) for suite in root
    ] == [
        ("Dockerfile", "6", "6", "0", "0"),
        ("broken/Dockerfile", "1", "0", "1", "0"),
        ("odd/Containerfile", "1", "0", "1", "0"),
        ("services/api/Dockerfile", "1", "1", "0", "0"),
        ("services/web/Dockerfile", "1", "0", "0", "0"),
        ("tools/Dockerfile", "2", "0", "0", "2"),
    ]
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "12",
        "failures": "7",
        "errors": "2",
        "skipped": "2",
    }


def test_junit_counts_are_those_of_its_elements() -> None:
    root = suites(showcase())
    for suite in [root, *root]:
        for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(attribute, "")) == len(list(suite.iter(tag)))


def test_a_junit_failure_says_all() -> None:
    (case,) = suites(report(finding("FROM «x»\n", message="<\"a\" & 'b'>\n\tc\x1b"))).iter("testcase")
    assert case.attrib == {
        "name": "HD101 untagged-base-image at 1:6",
        "classname": "Dockerfile",
        "file": "Dockerfile",
        "line": "1",
        "time": "0",
    }
    failure = case[0]
    assert failure.attrib == {"message": "<\"a\" & 'b'>\n\tc␛", "type": "medium"}
    assert failure.text is not None
    assert failure.text.strip().startswith("Dockerfile:1:6: medium HD101 <\"a\" & 'b'>\n\tc␛ [untagged-base-image]\n\nA tagless image")


def test_a_junit_skip_says_why() -> None:
    found = finding("FROM «x»\n")
    entries = [Suppressed(found, "inline", "wanted", "2027-01-31"), Suppressed(found, "config", "ours"), Suppressed(found, "baseline", "")]
    reasons = [case[0].get("message") for case in suites(report(suppressed=entries)).iter("testcase")]
    assert reasons == ["inline: wanted (until 2027-01-31)", "config: ours", "baseline"]


def test_junit_errors_are_told_apart() -> None:
    errors = [FileError("a", 3, "one"), FileError("a", 0, "two", "internal"), FileError("b", 0, "three")]
    cases = [(case.get("name"), case.get("line"), case[0].tag, case[0].attrib) for case in suites(report(errors=errors)).iter("testcase")]
    assert cases == [
        ("could not be checked (1)", "3", "error", {"message": "one", "type": "unreadable"}),
        ("could not be checked (2)", None, "error", {"message": "two", "type": "internal"}),
        ("could not be checked", None, "error", {"message": "three", "type": "unreadable"}),
    ]


def test_junit_has_a_passed_test_for_a_clean_file() -> None:
    (case,) = suites(report(files=["Dockerfile"])).iter("testcase")
    assert (case.get("name"), list(case)) == ("harden lint", [])
