"""Workflow commands for GitHub Actions: each finding becomes an annotation on its line.

GitHub shows ten errors, ten warnings and ten notices of a step, so the worst findings come first.
Source: github.com/actions/toolkit, packages/core/src/command.ts (escaping) and the workflow commands reference.
"""

import re
from collections.abc import Mapping
from typing import Final

from hardener.finding import Finding, Report, Severity
from hardener.reports.excerpt import scrub, visible

COMMANDS: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
    Severity.INFO: "notice",
}


def render(report: Report, *, color: bool = False) -> str:
    """Return one workflow command a line; nothing for a clean report."""
    out = [_finding(finding) for finding in sorted(report.findings, key=lambda finding: -finding.severity)]
    for error in report.errors:
        where: dict[str, str | int] = {"file": error.path}
        if error.line:
            where["line"] = error.line
        title = "hardener: internal error" if error.kind == "internal" else "hardener: not checked"
        out.append(_command("error", {**where, "title": title}, error.message))
    out.extend(_command("notice", {"title": "hardener"}, notice) for notice in report.notices)
    return "".join(f"{line}\n" for line in out)


def _finding(finding: Finding) -> str:
    place = finding.location
    properties: dict[str, str | int] = {"file": place.path, "line": place.start.line, "endLine": place.end.line}
    if place.end.line == place.start.line:  # columns of an annotation over several lines are refused
        properties["col"] = place.start.column
        properties["endColumn"] = place.end.column
    elif place.end.column == 1:
        properties["endLine"] = place.end.line - 1
    properties["title"] = f"{finding.severity.label} {finding.rule.id} {finding.rule.name}"
    how = finding.rule.how.strip()
    return _command(COMMANDS[finding.severity], properties, f"{finding.message}\n\n{how}" if how else finding.message)


def _command(name: str, properties: Mapping[str, str | int], message: str) -> str:
    listed = ",".join(f"{key}={_escape_property(str(value))}" for key, value in properties.items())
    return f"::{name} {listed}::{_escape(message)}"


def _escape(text: str) -> str:
    # The log of a job is shown on terminals, too.
    text = "".join(piece if piece in ("\r", "\n") else visible(piece) for piece in re.split(r"([\r\n])", scrub(text)))
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
