"""The report for people at a terminal: where, what, the source with the exact place underlined, and what to do about it."""

from collections.abc import Callable, Iterator
from typing import Final

from hardener.finding import FileError, Finding, Location, Report, Severity
from hardener.record import NamedTuple
from hardener.reports.change import Change, changes
from hardener.reports.excerpt import Line, cells, clip, first_line, one_line, span_lines, visible
from hardener.reports.summary import Summary, count, summarize, verdict

WIDTH: Final = 140  # characters of a source line that are shown
PROSE: Final = 100  # characters of a line of advice
MESSAGE: Final = 400  # characters of a message
TOP: Final = 5  # rules named in the summary
MOST_ADDED: Final = 12  # lines of a fix that are shown

INKS: Final = {
    Severity.CRITICAL: "1;35",
    Severity.HIGH: "1;31",
    Severity.MEDIUM: "1;33",
    Severity.LOW: "1;36",
    Severity.INFO: "1;34",
}
BOLD: Final = "1"
DIM: Final = "2"
BLUE: Final = "1;34"
GREEN: Final = "32"
RED: Final = "31"

Paint = Callable[[str, str], str]


class Mark(NamedTuple):
    """One underlined place of a snippet."""

    line: Line
    sign: str  # `^` for the finding itself, `-` for what it relates to
    label: str


def _colored(ink: str, text: str) -> str:
    return f"\x1b[{ink}m{text}\x1b[0m" if text else ""


def _plain(_ink: str, text: str) -> str:
    return text


def painter(*, color: bool) -> Paint:
    """Return the function that wraps text in an SGR sequence, or one that leaves it alone."""
    return _colored if color else _plain


def render(report: Report, *, color: bool = False) -> str:
    """Return the report as text; the escape sequences of `color` are its only control characters besides the line ends."""
    paint = painter(color=color)
    out: list[str] = []
    told: set[str] = set()
    for finding in report.findings:
        out.extend(_finding(finding, told, paint))
        out.append("")
    out.extend(error_line(error, paint) for error in report.errors)
    out.extend(f"{paint(BLUE, 'notice')}: {one_line(notice)}" for notice in report.notices)
    if report.errors or report.notices:
        out.append("")
    out.extend(_summary(report, paint))
    return "\n".join(out) + "\n"


def heading(finding: Finding, paint: Paint) -> str:
    """Return `path:line:column: severity HD101 message [name]`."""
    rule = finding.rule
    where = f"{one_line(finding.location.path)}:{finding.location.start.line}:{finding.location.start.column}"
    level = paint(INKS[finding.severity], f"{finding.severity.label} {rule.id}")
    return f"{paint(BOLD, where)}: {level} {clip(one_line(finding.message), MESSAGE)} {paint(DIM, f'[{rule.name}]')}"


def error_line(error: FileError, paint: Paint) -> str:
    """Return `path:line: error: message`."""
    where = one_line(error.path) + (f":{error.line}" if error.line else "")
    kind = "internal error" if error.kind == "internal" else "error"
    return f"{paint(BOLD, where)}: {paint(INKS[Severity.HIGH], kind)}: {one_line(error.message)}"


def headline(report: Report, summary: Summary, paint: Paint) -> str:
    """Return one line that sums up the run."""
    checked = count(len(report.files), report.noun)
    if not report.findings:
        if report.errors:
            return paint(BOLD, f"no findings in the {checked} that could be checked")
        if summary.failing:  # `--show` keeps them back
            return paint(BOLD, f"{checked} checked, and no finding severe enough to be shown")
        return f"{paint(GREEN, 'clean')}: {checked} checked, no findings"
    parts = ", ".join(paint(INKS[severity], f"{number:,} {severity.label}") for severity, number in summary.severities.items() if number)
    return f"{paint(BOLD, count(len(report.findings), 'finding'))} in {summary.files_hit:,} of {checked}: {parts}"


def _finding(finding: Finding, told: set[str], paint: Paint) -> Iterator[str]:
    yield heading(finding, paint)
    path = finding.location.path
    marks = [Mark(first_line(finding.location, WIDTH), "^", _more(finding.location))]
    elsewhere: list[tuple[Location, str]] = []
    for place, label in finding.related:
        if place.path == path:
            marks.append(Mark(first_line(place, WIDTH), "-", label))
        else:
            elsewhere.append((place, label))
    marks.sort(key=lambda mark: mark.line.number)
    fix = finding.fix
    diff = changes(finding.edits) if fix is not None else ()
    if sum(len(change.removed) + len(change.added) for change in diff) > MOST_ADDED:
        diff = ()
    last = max([marks[-1].line.number, *(change.line + len(change.removed) for change in diff)])
    pad = " " * (len(str(last)) + 1)
    bar = paint(BLUE, f"{pad} |")
    yield bar
    yield from _snippet(marks, INKS[finding.severity], pad, paint)
    notes = [*_notes(finding, elsewhere, told, pad, paint)]
    if notes:
        yield bar
        yield from notes
    for change in diff:
        yield bar
        yield from _diff(change, pad, paint)


def _notes(finding: Finding, elsewhere: list[tuple[Location, str]], told: set[str], pad: str, paint: Paint) -> Iterator[str]:
    for place, label in elsewhere:
        yield from _note("see", f"{place.path}:{place.start.line}:{place.start.column}: {label}", pad, paint)
    how = finding.rule.how.strip().partition("\n\n")[0].rstrip(":")
    if how:
        # The whole advice where a rule first shows, its first sentence where it shows again.
        yield from _note("help", _first_sentence(how) if finding.rule.id in told else how, pad, paint)
        told.add(finding.rule.id)
    if finding.fix is not None:
        advice = {"safe": "--fix applies it", "unsafe": "unsafe: review it first"}.get(finding.fix.safety, "to be done by hand")
        yield from _note("fix", f"{finding.fix.description} ({advice})", pad, paint)


def _more(location: Location) -> str:
    rest = span_lines(location) - 1
    return f"… and {count(rest, 'more line')}" if rest else ""


def _snippet(marks: list[Mark], ink: str, pad: str, paint: Paint) -> Iterator[str]:
    shown: Line | None = None
    for mark in marks:
        line = mark.line
        if shown is not None and line.number > shown.number + 1:
            yield paint(BLUE, "...")
        lead = 1 if line.cut_before else 0
        text, start, end = cells(line.text, line.start, line.end)
        if shown is None or shown[:2] != line[:2]:
            source = ("…" if line.cut_before else "") + text.rstrip() + ("…" if line.cut_after else "")
            number = paint(BLUE, f"{line.number:>{len(pad)}} |")
            yield f"{number} {source}".rstrip()
        shown = line
        under = mark.sign * max(1, end - start) + (f" {one_line(mark.label)}" if mark.label else "")
        yield f"{paint(BLUE, f'{pad} |')} {' ' * (lead + start)}{paint(ink if mark.sign == '^' else BLUE, under)}"


def _note(kind: str, text: str, pad: str, paint: Paint) -> Iterator[str]:
    first = f"{pad} = {kind}: "
    folded = _fold(one_line(text))
    yield f"{paint(BLUE, f'{pad} =')} {paint(BOLD, kind)}: {folded[0]}"
    for line in folded[1:]:
        yield " " * len(first) + line


def _first_sentence(text: str) -> str:
    sentence = ""
    for part in one_line(text).split(". "):
        sentence += part
        if sentence.count("`") % 2 == 0:  # a full stop inside of code ends nothing
            break
        sentence += ". "
    return sentence


def _fold(text: str) -> list[str]:
    folded: list[str] = []
    for word in text.split():
        if folded and len(folded[-1]) + 1 + len(word) <= PROSE:
            folded[-1] += f" {word}"
        else:
            folded.append(word)
    return folded or [""]


def _diff(change: Change, pad: str, paint: Paint) -> Iterator[str]:
    for sign, ink, lines in (("-", RED, change.removed), ("+", GREEN, change.added)):
        for number, line in enumerate(lines, change.line):
            text = cells(visible(clip(line, WIDTH)), 0, 0)[0].rstrip()
            yield f"{paint(BLUE, f'{number:>{len(pad)}}')} {paint(ink, f'{sign} {text}'.rstrip())}"


def _summary(report: Report, paint: Paint) -> Iterator[str]:
    summary = summarize(report)
    yield headline(report, summary, paint)
    if len(report.findings) > len(summary.rules) > 1:
        wide = len(f"{summary.rules[0][1]:,}")
        names = max(len(rule.name) for rule, _ in summary.rules[:TOP])
        for rule, number in summary.rules[:TOP]:
            yield f"  {number:>{wide},} × {rule.id} {rule.name:<{names}}  {paint(DIM, one_line(rule.title))}".rstrip()
        rest = summary.rules[TOP:]
        if rest:
            yield f"  {sum(number for _, number in rest):>{wide},} × {count(len(rest), 'other rule')}"
    if report.findings:
        worst = max(report.findings, key=lambda finding: finding.severity).rule.id
        yield paint(DIM, f"`harden explain {worst}` says more about a rule")
    if report.suppressed:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in summary.suppressed.items())
        yield f"{count(len(report.suppressed), 'finding')} suppressed ({kinds})"
    if summary.fixes["safe"] or summary.fixes["unsafe"]:
        yield f"{summary.fixes['safe']:,} fixable with --fix" + (
            f", {summary.fixes['unsafe']:,} more with an unsafe fix" if summary.fixes["unsafe"] else ""
        )
    reason = verdict(report, summary)
    if reason:
        yield paint(BOLD, reason)
