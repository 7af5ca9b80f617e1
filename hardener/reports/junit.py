"""JUnit XML: the format that every CI system shows as tests.

A file is a suite. Each finding is a failed test, each suppressed one a skipped test, a file without findings one passed test;
a file that could not be checked is a test with an error. No times and no host names: equal runs give equal reports.
"""

from collections.abc import Iterator
from html import escape

from hardener.finding import FileError, Finding, Report, Suppressed
from hardener.reports.excerpt import visible


def render(report: Report, *, color: bool = False) -> str:
    """Return the report as one JUnit XML document."""
    findings: dict[str, list[Finding]] = {}
    suppressed: dict[str, list[Suppressed]] = {}
    errors: dict[str, list[FileError]] = {}
    for finding in report.findings:
        findings.setdefault(finding.location.path, []).append(finding)
    for entry in report.suppressed:
        suppressed.setdefault(entry.finding.location.path, []).append(entry)
    for error in report.errors:
        errors.setdefault(error.path, []).append(error)
    suites: list[str] = []
    tests = 0
    for path in sorted({*report.files, *findings, *suppressed, *errors}):
        failed, skipped, broken = findings.get(path, []), suppressed.get(path, []), errors.get(path, [])
        cases = [*_failures(failed), *_skips(skipped), *_errors(broken)]
        if not cases:
            cases = [f'    <testcase name="harden lint" classname={_quoted(path)} file={_quoted(path)} time="0"/>']
        tests += len(failed) + len(skipped) + len(broken) or 1
        numbers = f'tests="{len(failed) + len(skipped) + len(broken) or 1}" failures="{len(failed)}" errors="{len(broken)}"'
        suites.append(f'  <testsuite name={_quoted(path)} {numbers} skipped="{len(skipped)}" time="0">')
        suites.extend(cases)
        suites.append("  </testsuite>")
    numbers = f'tests="{tests}" failures="{len(report.findings)}" errors="{len(report.errors)}" skipped="{len(report.suppressed)}"'
    head = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="harden lint" {numbers} time="0">']
    return "\n".join([*head, *suites, "</testsuites>"]) + "\n"


def _case(finding: Finding) -> str:
    rule, place = finding.rule, finding.location
    name = _quoted(f"{rule.id} {rule.name} at {place.start.line}:{place.start.column}")
    path = _quoted(place.path)
    return f'    <testcase name={name} classname={path} file={path} line="{place.start.line}" time="0">'


def _failures(findings: list[Finding]) -> Iterator[str]:
    for finding in findings:
        rule, place = finding.rule, finding.location
        where = f"{place.path}:{place.start.line}:{place.start.column}"
        parts = [f"{where}: {finding.severity.label} {rule.id} {finding.message} [{rule.name}]", rule.why.strip(), rule.how.strip()]
        yield _case(finding)
        yield f"      <failure message={_quoted(finding.message)} type={_quoted(finding.severity.label)}>"
        yield _text("\n\n".join(part for part in parts if part))
        yield "      </failure>"
        yield "    </testcase>"


def _skips(suppressed: list[Suppressed]) -> Iterator[str]:
    for entry in suppressed:
        until = f" (until {entry.expires})" if entry.expires else ""
        yield _case(entry.finding)
        yield f"      <skipped message={_quoted(f'{entry.kind}: {entry.reason}{until}' if entry.reason else entry.kind + until)}/>"
        yield "    </testcase>"


def _errors(errors: list[FileError]) -> Iterator[str]:
    for number, error in enumerate(errors, 1):
        path = _quoted(error.path)
        name = _quoted(f"could not be checked ({number})" if len(errors) > 1 else "could not be checked")
        line = f' line="{error.line}"' if error.line else ""
        yield f'    <testcase name={name} classname={path} file={path}{line} time="0">'
        yield f"      <error message={_quoted(error.message)} type={_quoted(error.kind)}/>"
        yield "    </testcase>"


def _text(text: str) -> str:
    return escape("\n".join(visible(line) for line in text.split("\n")), quote=False)


def _quoted(text: str) -> str:
    # `visible` leaves no character that XML 1.0 forbids; the rest of the white space would be normalised away unescaped.
    safe = escape("\n".join(visible(line) for line in text.split("\n")))
    return '"' + safe.replace("\n", "&#10;").replace("\t", "&#9;") + '"'
