"""One line for each finding: for long lists, for `grep`, and for editors that read `path:line:column: message`."""

from hardener.finding import Report
from hardener.reports.excerpt import one_line
from hardener.reports.summary import summarize, verdict
from hardener.reports.text import BLUE, BOLD, error_line, heading, headline, painter


def render(report: Report, *, color: bool = False) -> str:
    """Return one line for each finding, error and notice, then one that sums up."""
    paint = painter(color=color)
    summary = summarize(report)
    out = [heading(finding, paint) for finding in report.findings]
    out.extend(error_line(error, paint) for error in report.errors)
    out.extend(f"{paint(BLUE, 'notice')}: {one_line(notice)}" for notice in report.notices)
    out.append(headline(report, summary, paint))
    reason = verdict(report, summary)
    if reason:
        out.append(paint(BOLD, reason))
    return "\n".join(out) + "\n"
