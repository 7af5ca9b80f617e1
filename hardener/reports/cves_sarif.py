"""The vulnerabilities of an image as SARIF: a rule for each, a result for each package, at the line that brought the package."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from hardener.finding import Confidence, FileError, Finding, Report, Rule, Suppressed
from hardener.images.advisories import verdict as verdicts
from hardener.reports import sarif
from hardener.reports.excerpt import one_line, scrub

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.finding import Location
    from hardener.images.advisories.match import Vulnerability
    from hardener.reports.cves import Cves

CATEGORY: Final = "hardener/cves/"


def log(report: Cves, place: Callable[[int], Location], errors: tuple[str, ...]) -> str:
    """Return the report as one SARIF log with one run.

    `place` gives where a package stands, by its index; `errors` are what makes the run one that was not successful.
    """
    verdict = report.verdict
    rules = {each.id: _rule(each) for each in (*(entry.vulnerability for entry in verdict.ignored), *verdict.vulnerabilities)}
    findings = tuple(_finding(report, each, rules[each.id], place) for each in verdict.vulnerabilities)
    suppressed = tuple(
        Suppressed(_finding(report, each.vulnerability, rules[each.vulnerability.id], place), "config", each.rule.reason or each.rule.where)
        for each in verdict.ignored
    )
    undecided = tuple(f"cannot be decided: {each.id} of {each.name} {each.installed}: {each.reason}" for each in verdict.undecided)
    notices = (*report.unread, *verdict.notices, *undecided)
    problems = tuple(FileError(report.image, 0, text) for text in errors)
    files = tuple(dict.fromkeys(finding.location.path for finding in findings))
    whole = Report(
        findings, suppressed, files, problems, notices, tuple(rules[id_] for id_ in sorted(rules)), verdict.fail_on, verdict.failing
    )
    return sarif.render(whole, automation=CATEGORY)


def _rule(each: Vulnerability) -> Rule:
    severity = verdicts.grade(each)
    title = one_line(each.summary or f"{each.id} in {each.name}")
    return Rule(
        id=each.id,
        name=each.id.lower(),
        on="image.package",
        severity=severity,
        confidence=Confidence.HIGH,
        title=title,
        message="",
        why=f"{title}. Also known as: {', '.join(each.aliases)}." if each.aliases else title,
        how=f"Update {each.name} to {each.fixed}." if each.fixed else "There is no fixed version yet.",
        references=(f"https://osv.dev/vulnerability/{quote(each.id)}",),
        same_as=(),
        tags=("vulnerability", "security"),
        profiles=("default",),
    )


def _finding(report: Cves, each: Vulnerability, rule: Rule, place: Callable[[int], Location]) -> Finding:
    fixed = f"fixed in {each.fixed}" if each.fixed else "not fixed yet"
    remark = f"; {each.remark}" if each.remark else ""
    others = sorted({report.packages[index].name for index in each.packages} - {each.name})
    names = f" ({', '.join(others)})" if others else ""
    message = f"{each.name}{names} {each.installed} has {each.id}: {each.summary or 'no summary'}; {fixed}{remark}"
    # The version is no part of it: the same vulnerability in the next build is the same finding.
    fingerprint = sha256(f"{each.id}\0{each.ecosystem.partition(':')[0]}\0{each.name}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return Finding(rule, verdicts.grade(each), one_line(scrub(message)), place(each.packages[0]), fingerprint)
