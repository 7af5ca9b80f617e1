"""GitLab's Code Quality report: the widget and the annotations of a merge request.

The format is GitLab's own reduced one, which is all that GitLab reads since 19.0 took the Code Climate engine out: a JSON
array, `fingerprint` required and unique, paths relative to the repository. Source: docs.gitlab.com/ci/testing/code_quality.
"""

from collections.abc import Mapping
from typing import Final

from hardener.finding import Report, Severity
from hardener.reports.encode import Json, encode
from hardener.reports.excerpt import scrub

SEVERITIES: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
    Severity.INFO: "info",
}


def render(report: Report, *, color: bool = False) -> str:
    """Return the report as a JSON array, an entry a line. A file that could not be checked is an entry too."""
    used: dict[str, int] = {}
    entries: list[Json] = [
        {
            "description": scrub(f"{finding.message} ({finding.rule.name})"),
            "check_name": finding.rule.id,
            "fingerprint": _unique(finding.fingerprint, used),
            "severity": SEVERITIES[finding.severity],
            "location": _location(finding.location.path, finding.location.start.line),
        }
        for finding in report.findings
    ]
    entries.extend(
        {
            "description": scrub(error.message),
            "check_name": f"{error.kind}-error",
            "fingerprint": _unique(_digest(f"{error.kind}\0{error.path}\0{error.message}"), used),
            "severity": "critical",
            "location": _location(error.path, error.line or 1),
        }
        for error in report.errors
    )
    return encode(entries, depth=1) + "\n"


def _location(path: str, line: int) -> Json:
    return {"path": scrub(path.removeprefix("./")), "lines": {"begin": line}}


def _unique(fingerprint: str, used: dict[str, int]) -> str:
    """Return the fingerprint, told apart from earlier ones that are equal: GitLab drops all but one of those."""
    seen = used[fingerprint] = used.get(fingerprint, 0) + 1
    return fingerprint if seen == 1 else _digest(f"{fingerprint}\0{seen}")


def _digest(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
