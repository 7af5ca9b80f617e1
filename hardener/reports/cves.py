"""The vulnerabilities of an image as a table for people and as JSON for programs.

What was not known is said as loudly as what was found: ecosystems without data, advisories that cannot be decided, the age of the mirror.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener import __version__
from hardener.finding import Severity
from hardener.images.advisories.match import MATCHED, NO_DATA
from hardener.record import NamedTuple
from hardener.reports.encode import Json, encode
from hardener.reports.excerpt import clip, one_line, scrub

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hardener.images.advisories.match import Installed, Scope, Undecided, Vulnerability
    from hardener.images.advisories.verdict import Verdict

SCHEMA_VERSION: Final = 1
_COLOURS: Final = {Severity.CRITICAL: "1;31", Severity.HIGH: "31", Severity.MEDIUM: "33", Severity.LOW: "36", Severity.INFO: "2"}
_HEADS: Final = ("SEVERITY", "PACKAGE", "INSTALLED", "FIXED IN", "ID", "LAYER")
_WIDEST: Final = (8, 34, 30, 30, 20, 60)
_NO_FIX: Final = "-"


class Origin(NamedTuple):
    """The layer that put a package into the image."""

    layer: int  # 1 is the lowest; 0 when it is not known
    instruction: str


class Place(NamedTuple):
    """A file of the mirror."""

    path: str
    records: int
    withdrawn: int
    unreadable: int
    examples: tuple[str, ...]  # of unreadable records, with the reason


class Cves(NamedTuple):
    """All that is reported of one image."""

    image: str
    digest: str
    distribution: str  # "" when it says none
    packages: Sequence[Installed]
    origins: Sequence[Origin]  # of the packages, one each
    unread: tuple[str, ...]  # what of the image could not be read, and so not be judged
    mirror: str
    places: tuple[Place, ...]
    verdict: Verdict


def text(report: Cves, *, color: bool = False) -> str:
    """Return the report as a table, what is not known, and a summary."""
    verdict = report.verdict
    parts = [_table(report, color=color)] if verdict.vulnerabilities else []
    if verdict.undecided:
        parts.append("Cannot be decided:\n" + "".join(f"  {line}\n" for line in _undecided(verdict.undecided)))
    if verdict.ignored:
        rows = (
            f"  {each.vulnerability.id} {each.vulnerability.name}: {each.rule.reason or 'no reason given'} ({each.rule.where})\n"
            for each in verdict.ignored
        )
        parts.append("Accepted:\n" + "".join(one_line(row[:-1]) + "\n" for row in rows))
    parts.append(
        "Known of:\n" + "".join(f"  {one_line(_scope(scope))}\n" for scope in verdict.scopes)
        if verdict.scopes
        else "No packages are found.\n"
    )
    notices = (*report.unread, *verdict.notices, *(_bad(place) for place in report.places if place.unreadable))
    if notices:
        parts.append("".join(f"note: {one_line(clip(notice, 300))}\n" for notice in notices))
    parts.append(_summary(report) + "\n")
    return "\n".join(parts)


def json(report: Cves) -> str:
    """Return the report as JSON."""
    verdict = report.verdict
    value: dict[str, Json] = {
        "version": SCHEMA_VERSION,
        "tool": {"name": "hardener", "version": __version__},
        "image": {
            "name": scrub(report.image),
            "digest": report.digest,
            "distribution": report.distribution,
            "packages": len(report.packages),
        },
        "database": {
            "path": scrub(report.mirror),
            "files": [
                {"path": scrub(place.path), "records": place.records, "withdrawn": place.withdrawn, "unreadable": place.unreadable}
                for place in report.places
            ],
        },
        "ecosystems": [
            {
                "name": scope.label,
                "packages": scope.packages,
                "state": scope.state,
                "records": scope.records,
                "newest": scope.newest,
                "note": scope.note,
            }
            for scope in verdict.scopes
        ],
        "vulnerabilities": [_vulnerability(report, each) for each in verdict.vulnerabilities],
        "undecided": [
            {
                "id": each.id,
                "aliases": list(each.aliases),
                "ecosystem": each.ecosystem,
                "package": each.name,
                "installed": each.installed,
                "reason": each.reason,
                "packages": _packages(report, each.packages),
            }
            for each in verdict.undecided
        ],
        "ignored": [
            {**_vulnerability(report, each.vulnerability), "reason": scrub(each.rule.reason), "where": scrub(each.rule.where)}
            for each in verdict.ignored
        ],
        "summary": {
            "vulnerabilities": len(verdict.vulnerabilities),
            "by_severity": dict(_counts(verdict.vulnerabilities)),
            "undecided": len(verdict.undecided),
            "ignored": len(verdict.ignored),
            "unfixed_left_out": verdict.unfixed,
            "failing": verdict.failing,
        },
        "unread": [scrub(each) for each in report.unread],
        "notices": [scrub(each) for each in verdict.notices],
    }
    return encode(value, depth=3) + "\n"


def _vulnerability(report: Cves, each: Vulnerability) -> dict[str, Json]:
    return {
        "id": each.id,
        "aliases": list(each.aliases),
        "severity": label(each.severity),
        "score": None if each.score is None else f"{each.score:.1f}",
        "summary": each.summary,
        "ecosystem": each.ecosystem,
        "package": each.name,
        "installed": each.installed,
        "fixed": each.fixed or None,
        "remark": each.remark,
        "packages": _packages(report, each.packages),
    }


def _packages(report: Cves, indices: Iterable[int]) -> list[Json]:
    found: list[Json] = []
    for index in indices:
        package, origin = report.packages[index], report.origins[index]
        found.append(
            {
                "name": scrub(package.name),
                "version": scrub(package.version),
                "purl": scrub(package.purl),
                "path": scrub(package.path),
                "layer": origin.layer,
                "instruction": scrub(origin.instruction),
            }
        )
    return found


def label(severity: Severity | None) -> str:
    """Return what a severity is called; `unknown` when nobody has graded it."""
    return "unknown" if severity is None else severity.label


def _table(report: Cves, *, color: bool) -> str:
    rows = [_HEADS, *(_row(report, each) for each in report.verdict.vulnerabilities)]
    rows = [tuple(clip(one_line(cell), limit) for cell, limit in zip(row, _WIDEST, strict=True)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = []
    for number, row in enumerate(rows):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        if color and number:
            severity = report.verdict.vulnerabilities[number - 1].severity
            line = f"\033[{_COLOURS.get(severity, '35') if severity is not None else '35'}m{line[: widths[0]]}\033[0m{line[widths[0] :]}"
        lines.append(line)
        if number:
            lines += [f"{'':<{widths[0]}}  {one_line(more)}" for more in _more(report.verdict.vulnerabilities[number - 1])]
    return "\n".join(lines) + "\n"


def _row(report: Cves, each: Vulnerability) -> tuple[str, ...]:
    names = sorted(name for name in {report.packages[index].name for index in each.packages} if name.lower() != each.name.lower())
    origin = report.origins[each.packages[0]]
    place = f"{origin.layer} {origin.instruction}".rstrip() if origin.layer else ""
    package = f"{each.name} ({', '.join(names)})" if names else each.name
    return label(each.severity), package, each.installed, each.fixed or _NO_FIX, each.id, place


def _more(each: Vulnerability) -> list[str]:
    """Return the further lines of a row: what it is, under which other names it is known, what the distribution says."""
    score = f"{each.score:.1f}" if each.score is not None else ""
    parts = [
        part
        for part in (score, clip(each.summary, 90), ", ".join(each.aliases[:4]) + (" …" if len(each.aliases) > 4 else ""), each.remark)
        if part
    ]
    return [" · ".join(parts)] if parts else []


def _undecided(rows: Iterable[Undecided]) -> list[str]:
    """Return a line for each package and reason: hundreds of advisories may be undecided for the same one."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for each in rows:
        groups.setdefault((each.name, each.installed, each.reason), []).append(each.id)
    return [
        one_line(f"{name} {installed}: {', '.join(ids[:3])}{f' and {len(ids) - 3} more' if len(ids) > 3 else ''}: {clip(reason, 160)}")
        for (name, installed, reason), ids in groups.items()
    ]


def _scope(scope: Scope) -> str:
    note = f" ({scope.note})" if scope.note else ""
    count = f"{scope.packages} package{'s' if scope.packages != 1 else ''}"
    if scope.state == MATCHED:
        records = f"{scope.records} advisor{'ies' if scope.records != 1 else 'y'}"
        return f"{scope.label}: {count}, {records}, the latest of {scope.newest[:10] or 'an unknown date'}{note}"
    if scope.state == NO_DATA:
        return f"{scope.label}: {count}, and NO DATA in the mirror{note}: whether they are vulnerable is not known"
    return f"{scope.label}: {count}, and nobody publishes OSV advisories for it: whether they are vulnerable is not known"


def _bad(place: Place) -> str:
    shown = "; ".join(place.examples)
    return f"{place.path}: {place.unreadable} records are unreadable and were not heeded: {shown}"


def _summary(report: Cves) -> str:
    verdict = report.verdict
    counts = [f"{count} {name}" for name, count in _counts(verdict.vulnerabilities) if count]
    total = len(verdict.vulnerabilities)
    parts = [f"{total} vulnerabilit{'y' if total == 1 else 'ies'}{': ' + ', '.join(counts) if counts else ''}"]
    for number, what in (
        (len(verdict.undecided), "cannot be decided"),
        (len(verdict.ignored), "accepted"),
        (verdict.unfixed, "without a fix left out"),
    ):
        if number:
            parts.append(f"{number} {what}")
    blind = f"; {len(verdict.blind)} of {len(verdict.scopes)} ecosystems WITHOUT DATA" if verdict.blind else ""
    return one_line(f"{report.image}: {'; '.join(parts)}{blind}")


def _counts(rows: Sequence[Vulnerability]) -> list[tuple[str, int]]:
    order: list[Severity | None] = [*sorted(Severity, reverse=True), None]
    return [(label(severity), sum(each.severity is severity for each in rows)) for severity in order]
