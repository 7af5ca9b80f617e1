"""The report for other programs: a stable, versioned contract.

`version` is raised when a member changes its meaning or goes away; new members may come at any time. Lines and columns are
1-based, columns and offsets count code points, `end_column` is exclusive.
"""

from typing import Final

from hardener import __version__
from hardener.finding import Finding, Fix, Location, Report
from hardener.reports.encode import Json, encode
from hardener.reports.excerpt import scrub
from hardener.reports.summary import summarize

VERSION: Final = 1


def render(report: Report, *, color: bool = False) -> str:
    """Return the report as one JSON object, a finding a line."""
    document: dict[str, Json] = {
        "version": VERSION,
        "tool": {"name": "hardener", "version": __version__},
        "findings": [finding_object(finding) for finding in report.findings],
        "errors": [
            {
                "path": scrub(error.path),
                **({"line": error.line} if error.line else {}),
                "message": scrub(error.message),
                "kind": error.kind,
            }
            for error in report.errors
        ],
        "suppressed": [
            {
                **finding_object(entry.finding),
                "suppression": {"kind": entry.kind, "reason": scrub(entry.reason), "expires": entry.expires or None},
            }
            for entry in report.suppressed
        ],
        "notices": [scrub(notice) for notice in report.notices],
        "summary": _summary(report),
    }
    return encode(document, depth=2) + "\n"


def finding_object(finding: Finding) -> dict[str, Json]:
    """Return a finding as every JSON report of ours has it."""
    rule = finding.rule
    place = finding.location
    return {
        "rule": rule.id,
        "name": rule.name,
        "aliases": list(rule.aliases),
        "severity": finding.severity.label,
        "confidence": rule.confidence.label,
        "message": scrub(finding.message),
        **_place(place),
        "fingerprint": finding.fingerprint,
        "fix": None if finding.fix is None else _fix(finding.fix, finding.edits),
        "title": rule.title,
        "tags": list(rule.tags),
        "references": list(rule.references),
        "related": [{**_place(location), "message": scrub(label)} for location, label in finding.related],
    }


def _place(place: Location) -> dict[str, Json]:
    return {
        "path": scrub(place.path),
        "line": place.start.line,
        "column": place.start.column,
        "end_line": place.end.line,
        "end_column": place.end.column,
        "start": place.span.start,
        "end": place.span.end,
    }


def _fix(fix: Fix, located: tuple[tuple[Location, str], ...]) -> Json:
    edits: list[Json] = []
    if located:
        edits.extend({**_place(place), "text": text} for place, text in located)
    else:
        edits.extend({"start": edit.span.start, "end": edit.span.end, "text": edit.text} for edit in fix.edits)
    return {"safety": fix.safety, "description": fix.description, "edits": edits}


def _summary(report: Report) -> Json:
    summary = summarize(report)
    return {
        "files": len(report.files),
        "files_with_findings": summary.files_hit,
        "findings": len(report.findings),
        "severities": {severity.label: number for severity, number in summary.severities.items()},
        "rules": {rule.id: number for rule, number in summary.rules},
        "fixable": {safety: number for safety, number in summary.fixes.items() if safety != "display"},
        "suppressed": dict(summary.suppressed),
        "errors": len(report.errors),
        "fail_on": None if report.fail_on is None else report.fail_on.label,
        "failing": summary.failing,
        "exit_code": report.exit_code,
    }
