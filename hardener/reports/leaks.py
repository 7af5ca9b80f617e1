"""The text of `harden image secrets`: what was found, layer by layer, each under the instruction that made it."""

from collections.abc import Mapping
from typing import Final

from hardener.finding import Finding, Report
from hardener.reports.excerpt import clip, one_line
from hardener.reports.summary import count, summarize, verdict
from hardener.reports.text import BOLD, DIM, INKS, MESSAGE, RED, error_line, painter

Layers = Mapping[str, Mapping[int, str]]
"""Path of an image -> line of its text -> which layer that line made (`layer 2 of 4, sha256:…`)."""

_WIDE: Final = 110  # characters of an instruction


def by_layer(report: Report, layers: Layers, *, color: bool = False) -> str:
    """Return the report as text."""
    paint = painter(color=color)
    out: list[str] = []
    groups: dict[tuple[str, int], list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault((finding.location.path, finding.location.start.line), []).append(finding)
    shown = ""
    told: dict[str, str] = {}
    for (path, line), findings in groups.items():
        if path != shown:
            out += [*([""] if out else []), paint(BOLD, one_line(path))]
            shown = path
        layer = layers.get(path, {}).get(line, "no layer: configuration and history")
        instruction = clip(one_line(findings[0].location.lines.partition("\n")[0]), _WIDE)
        out += ["", f"  {paint(BOLD, layer)}  {paint(DIM, instruction)}"]
        for finding in sorted(findings, key=lambda each: -each.severity):
            level = paint(INKS[finding.severity], f"{finding.severity.label:<8} {finding.rule.id}")
            out.append(f"    {level} {clip(one_line(finding.message), MESSAGE)}")
            told.setdefault(finding.rule.id, finding.rule.how)
    if told:
        out += ["", *(f"  {paint(BOLD, rule)}: {one_line(' '.join(how.split()))}" for rule, how in sorted(told.items()))]
    out += [
        *([""] if out else []),
        *(error_line(error, paint) for error in report.errors),
        *(one_line(notice) for notice in report.notices),
    ]
    summary = summarize(report)
    if report.findings:
        counts = ", ".join(f"{number} {severity.label}" for severity, number in summary.severities.items() if number)
        out.append(f"{count(len(report.findings), 'credential')}: {counts}; rotate them, and build again without them")
    elif not report.errors:
        out.append(f"clean: {count(len(report.files), 'image')}, all layers searched, no credentials")
    if report.suppressed:
        out.append(f"{count(len(report.suppressed), 'finding')} suppressed")
    if why := verdict(report, summary):
        out.append(paint(RED, why))
    return "\n".join(out) + "\n"
