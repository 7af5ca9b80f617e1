"""The numbers of a run, counted once for every format that shows them."""

from collections.abc import Mapping

from hardener.finding import Report, Rule, Severity
from hardener.record import NamedTuple

WORST_FIRST: tuple[Severity, ...] = tuple(sorted(Severity, reverse=True))


class Summary(NamedTuple):
    """Counts over one report."""

    severities: Mapping[Severity, int]  # all of them, the worst first
    failing: int  # findings at or above the threshold
    files_hit: int  # files with at least one finding
    rules: tuple[tuple[Rule, int], ...]  # rules with findings, the most frequent first
    suppressed: Mapping[str, int]  # by kind, sorted
    fixes: Mapping[str, int]  # by safety: safe, unsafe, display


def summarize(report: Report) -> Summary:
    """Return the counts of `report`."""
    severities = dict.fromkeys(WORST_FIRST, 0)
    fixes = {"safe": 0, "unsafe": 0, "display": 0}
    rules: dict[str, tuple[Rule, int]] = {}
    for finding in report.findings:
        severities[finding.severity] += 1
        if finding.fix is not None:
            fixes[finding.fix.safety] += 1
        rule, count = rules.get(finding.rule.id, (finding.rule, 0))
        rules[finding.rule.id] = (rule, count + 1)
    suppressed: dict[str, int] = {}
    for kind in sorted(entry.kind for entry in report.suppressed):
        suppressed[kind] = suppressed.get(kind, 0) + 1
    return Summary(
        severities,
        report.failing,
        len({finding.location.path for finding in report.findings}),
        tuple(sorted(rules.values(), key=lambda pair: (-pair[1], pair[0].id))),
        suppressed,
        fixes,
    )


def count(number: int, noun: str) -> str:
    """Return `1 finding`, `2 findings`, `1,234 findings`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def verdict(report: Report, summary: Summary) -> str:
    """Return why the run does not exit with 0, or an empty string."""
    internal = sum(error.kind == "internal" for error in report.errors)
    if internal:
        return f"exit 3: {count(internal, 'internal error')}, please report"
    if report.errors:
        return f"exit 2: {count(len(report.errors), 'error')} in the input"
    if summary.failing:
        threshold = report.fail_on.label if report.fail_on is not None else "the threshold of their files"
        return f"exit 1: {count(summary.failing, 'finding')} at or above {threshold}"
    return ""
