"""One self-contained page to read in a browser, to attach to a ticket or to keep as a build artefact.

Nothing is loaded from anywhere. Everything that comes from a file, a path or a rule is escaped, and a content security policy
that names the digest of the one script stands behind that. Without scripts the page is complete and filters by severity.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from hashlib import sha256
from html import escape
from typing import Final

from hardener import __version__
from hardener.finding import Finding, Location, Report, Rule
from hardener.reports.change import changes
from hardener.reports.excerpt import Line, clip, lines, one_line, span_lines, visible
from hardener.reports.page import SCRIPT, STYLE
from hardener.reports.references import reference
from hardener.reports.summary import Summary, count, summarize, verdict

WIDTH: Final = 240  # characters of a source line that are shown
LINES: Final = 12  # lines of a finding that are shown
MESSAGE: Final = 1_000  # characters of a message
TOP: Final = 6  # rules in the panel of the most frequent ones

_CODE: Final = re.compile(r"`([^`\n]+)`")


def render(report: Report, *, color: bool = False) -> str:
    """Return the report as one HTML page, light or dark as the reader's system has it."""
    summary = summarize(report)
    return "\n".join([*_head(), *_top(report, summary), "<main>", *_main(report, summary), "</main>", *_foot()]) + "\n"


def _head() -> Iterator[str]:
    digest = b64encode(sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta name="generator" content="hardener {__version__}">'
    yield "<title>Hardener report</title>"
    yield f"<style>{STYLE}</style>"
    yield "</head>"
    yield "<body>"


def _foot() -> Iterator[str]:
    yield f"<script>{SCRIPT}</script>"
    yield "</body>"
    yield "</html>"


def _top(report: Report, summary: Summary) -> Iterator[str]:
    reason = verdict(report, summary)
    found = f"{count(len(report.findings), 'finding')} in {summary.files_hit:,} of {count(len(report.files), report.noun)}"
    yield '<div class="top"><div>'
    yield f"<h1>Hardener report</h1><p>{found}, {count(len(report.rules), 'rule')} checked</p>"
    yield f'<span class="verdict {"fail" if reason else "pass"}">{_text(reason or "passed")}</span>'
    yield "</div></div>"


def _main(report: Report, summary: Summary) -> Iterator[str]:
    if report.findings:
        yield from _controls(report, summary)
    if report.errors:
        yield '<section class="panel errors"><h2>Not checked</h2><ul>'
        for error in report.errors:
            where = error.path + (f":{error.line}" if error.line else "")
            prefix = "internal error: " if error.kind == "internal" else ""
            yield f"<li><code>{_text(where)}</code> {_text(prefix + error.message)}</li>"
        yield "</ul></section>"
    if report.notices:
        yield '<section class="panel notices"><h2>Notices</h2><ul>'
        yield from (f"<li>{_text(notice)}</li>" for notice in report.notices)
        yield "</ul></section>"
    if len(report.findings) > len(summary.rules) > 1:
        yield from _frequent(summary)
    if not report.findings:
        checked = count(len(report.files), report.noun)
        title = "No findings" if not report.errors else "No findings in what could be checked"
        yield f'<section class="panel empty"><b>{title}</b><span>{checked}, {count(len(report.rules), "rule")}</span></section>'
    groups: dict[str, list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault(finding.location.path, []).append(finding)
    used: dict[str, int] = {}
    for path, findings in groups.items():
        yield '<section class="file">'
        yield f"<h2><code>{_text(path)}</code><span>{count(len(findings), 'finding')}</span></h2>"
        for finding in findings:
            yield from _finding(finding, used)
        yield "</section>"
    if report.suppressed:
        yield from _suppressed(report)
    yield f"<footer>hardener {__version__}</footer>"


def _controls(report: Report, summary: Summary) -> Iterator[str]:
    yield '<section class="tiles" aria-label="Severities">'
    for severity, number in summary.severities.items():
        label = severity.label
        tile = f"tile {label}" if number else f"tile {label} none"
        box = f'<input type="checkbox" id="show-{label}" value="{label}" checked aria-label="show {label}">'
        yield f'<label class="{tile}"><b>{number:,}</b><span>{label}</span>{box}</label>'
    yield "</section>"
    yield '<form class="filters" hidden autocomplete="off">'
    yield '<input name="text" type="search" placeholder="Filter by text  ( / )" aria-label="Filter by text">'
    yield '<select name="rule" aria-label="Filter by rule"><option value="">All rules</option>'
    for rule in sorted((rule for rule, _ in summary.rules), key=lambda rule: rule.id):
        yield f'<option value="{_text(rule.id)}">{_text(f"{rule.id} {rule.name}")}</option>'
    yield "</select>"
    yield f'<select name="path" aria-label="Filter by {report.noun}"><option value="">All {report.noun}s</option>'
    for path in dict.fromkeys(finding.location.path for finding in report.findings):
        yield f'<option value="{_text(path)}">{_text(path)}</option>'
    yield "</select>"
    yield '<button type="reset">Reset</button><output name="shown" aria-live="polite"></output>'
    yield "</form>"


def _frequent(summary: Summary) -> Iterator[str]:
    most = summary.rules[0][1]
    yield '<section class="panel frequent"><h2>Most frequent</h2><ul>'
    for rule, number in summary.rules[:TOP]:
        link = f'<a class="rule" href="#" data-rule="{_text(rule.id)}">{_text(rule.id)}</a>'
        bar = f'<span class="bar"><i style="width:{number * 100 // most}%"></i></span>'
        yield f'<li class="{rule.severity.label}"><b>{number:,}</b>{link}<span class="title">{_text(rule.title)}</span>{bar}</li>'
    yield "</ul></section>"


def _finding(finding: Finding, used: dict[str, int]) -> Iterator[str]:
    rule, place, severity = finding.rule, finding.location, finding.severity.label
    anchor = f"f-{_text(finding.fingerprint[:16])}"
    seen = used[anchor] = used.get(anchor, 0) + 1
    if seen > 1:
        anchor = f"{anchor}-{seen}"
    data = f'data-severity="{severity}" data-rule="{_text(rule.id)}" data-path="{_text(place.path)}"'
    yield f'<article class="finding {severity}" id="{anchor}" {data}>'
    yield f'<header><span class="badge">{severity}</span><span class="rule">{_text(rule.id)}</span>'
    yield f'<span class="message">{_inline(clip(finding.message, MESSAGE))} <span class="name">{_text(rule.name)}</span></span>'
    yield f'<a class="place" href="#{anchor}" title="{_text(place.path)}">{place.start.line}:{place.start.column}</a></header>'
    yield from _code(place)
    for other, label in finding.related:
        where = f"line {other.start.line}" if other.path == place.path else f"{other.path}:{other.start.line}"
        yield f'<p class="label"><b>{_text(where)}</b> {_inline(label)}</p>'
        yield from _code(other)
    if finding.fix is not None:
        safety = {"safe": "safe fix, applied by --fix", "unsafe": "unsafe fix, review it", "display": "suggestion"}[finding.fix.safety]
        yield f'<p class="label"><b>{_inline(finding.fix.description)}</b> ({safety})</p>'
        yield from _diff(finding.edits)
    yield from _advice(rule)
    yield "</article>"


def _code(place: Location) -> Iterator[str]:
    shown = lines(place, WIDTH, LINES)
    rows = [_row(str(line.number), _marked(line)) for line in shown]
    rest = span_lines(place) - len(shown)
    if rest > 0:
        rows.append(_row("", f"<em>… {count(rest, 'more line')}</em>"))
    yield f'<pre class="code">{"".join(rows)}</pre>'


def _row(number: str, content: str, kind: str = "") -> str:
    return f'<code class="row{kind}"><span>{number}</span>{content}</code>'


def _marked(line: Line) -> str:
    before, middle, after = line.text[: line.start], line.text[line.start : line.end], line.text[line.end :]
    mark = f"<mark>{escape(middle)}</mark>" if middle else '<mark class="point"></mark>' if line.start == line.end else ""
    return f"{_cut(line.cut_before)}{escape(before)}{mark}{escape(after)}{_cut(line.cut_after)}"


def _cut(cut: bool) -> str:
    return "<em>…</em>" if cut else ""


def _diff(edits: tuple[tuple[Location, str], ...]) -> Iterator[str]:
    rows: list[str] = []
    for change in changes(edits):
        rows.extend(
            _row(f"{number} -", escape(visible(clip(line, WIDTH))), " removed") for number, line in enumerate(change.removed, change.line)
        )
        rows.extend(
            _row(f"{number} +", escape(visible(clip(line, WIDTH))), " added") for number, line in enumerate(change.added, change.line)
        )
    if rows:
        yield f'<pre class="code">{"".join(rows)}</pre>'


def _advice(rule: Rule) -> Iterator[str]:
    yield '<details><summary>Why, and how to fix it</summary><dl class="advice">'
    yield f"<dt>Rule</dt><dd>{_inline(rule.title)}</dd>"
    if rule.why.strip():
        yield f"<dt>Why</dt><dd>{_prose(rule.why)}</dd>"
    if rule.how.strip():
        yield f"<dt>How to fix</dt><dd>{_prose(rule.how)}</dd>"
    if rule.references:
        yield f"<dt>References</dt><dd>{'<br>'.join(_links(rule.references))}</dd>"
    if rule.aliases:
        yield f"<dt>Same as</dt><dd>{_text(', '.join(rule.aliases))}</dd>"
    yield "</dl></details>"


def _links(references: Iterable[str]) -> Iterator[str]:
    for item in map(reference, references):
        label = _text(item.label)
        yield f'<a href="{_text(item.url)}" rel="noreferrer">{label}</a>' if item.url else label


def _suppressed(report: Report) -> Iterator[str]:
    yield f'<details class="panel"><summary>{count(len(report.suppressed), "suppressed finding")}</summary><ul>'
    for entry in report.suppressed:
        finding = entry.finding
        where = f"{finding.location.path}:{finding.location.start.line}:{finding.location.start.column}"
        until = f", until {entry.expires}" if entry.expires else ""
        reason = f"{entry.kind}{until}" + (f": {entry.reason}" if entry.reason else "")
        yield f'<li class="{finding.severity.label}"><span class="badge">{finding.severity.label}</span> <code>{_text(where)}</code>'
        yield f'<span class="rule">{_text(finding.rule.id)}</span> {_inline(clip(finding.message, MESSAGE))} ({_text(reason)})</li>'
    yield "</ul></details>"


def _text(text: str) -> str:
    """Return text for an element or a quoted attribute."""
    return escape(one_line(text))


def _inline(text: str) -> str:
    """Return text whose `code` is set as such."""
    return _CODE.sub(r"<code>\1</code>", _text(text))


def _prose(text: str) -> str:
    """Return the little Markdown that rules use as HTML: paragraphs, lists, code, fenced blocks."""
    out: list[str] = []
    for number, part in enumerate(re.split(r"^```.*$\n?", text.strip(), flags=re.MULTILINE)):
        if number % 2:
            out.append(f"<pre>{escape(chr(10).join(map(visible, part.rstrip().split(chr(10)))))}</pre>")
            continue
        for block in part.split("\n\n"):
            rows = block.strip("\n").split("\n")
            if not block.strip():
                continue
            if all(row.startswith(("- ", "* ", "  ")) for row in rows) and rows[0][:2] != "  ":
                items: list[str] = []
                for row in rows:
                    if row[:2] == "  ":
                        items[-1] += " " + row.strip()
                    else:
                        items.append(row[2:])
                out.append("<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>")
            elif all(row.startswith("    ") for row in rows):
                out.append(f"<pre>{escape(chr(10).join(visible(row[4:]) for row in rows))}</pre>")
            else:
                out.append(f"<p>{_inline(' '.join(row.strip() for row in rows))}</p>")
    return "".join(out)
