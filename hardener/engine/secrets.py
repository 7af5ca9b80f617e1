"""Files -> findings about the credentials in them: what `harden lint --secrets` does with each file that its walk has met.

Nothing that is reported shows a credential. A finding stands in a copy of the file in which they are masked, character by character, so
that its place and its lines are those of the file.
"""

import os
import re
from typing import TYPE_CHECKING, Final

from hardener.engine import ignores, targets
from hardener.engine.lint import Linter, Opened
from hardener.engine.outcome import Outcome
from hardener.engine.ready import Judged, Ready
from hardener.finding import FileError, Match
from hardener.rules.secrets import contents
from hardener.text import SourceFile, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.engine.targets import Target
    from hardener.rules.load import RuleSource
    from hardener.rules.secrets.contents import Content, Hit

SUBJECT: Final = "file.secret"
RULES: Final = {"token": "HF301", "key": "HF302", "stored": "HF303", "advice": "HF304"}
"""What a credential is about -> the rule that tells of it."""

WHOLE: Final = 16 << 20  # bytes of a file that are judged at once; larger ones in windows, and shown without their lines
WINDOW: Final = 4 << 20
_HEAD: Final = r"-----BEGIN [A-Z0-9 ]{1,40}-----"


def rules(sources: "Iterable[RuleSource]") -> dict[str, Ready]:
    """Return the rules on credentials in files among those that run, by id."""
    return {source.rule.id: Ready(source, None) for source in sources if source.rule.on == SUBJECT}


def judge(linter: Linter, target: "Target", outcome: Outcome) -> None:
    """Judge one file."""
    config = linter.config(target.file)
    plan = linter.plan(config)
    outcome.files[target.path] = target.file
    outcome.rules.update((ready.rule.id, ready.rule) for ready in plan.secrets.values())
    try:
        file, hits = _stdin(linter, target) if target.is_stdin else _search(target)
    except OSError as error:
        outcome.errors.append(FileError(target.path, 0, f"cannot be read: {(error.strerror or str(error)).lower()}"))
        return
    if not hits:
        return
    options = linter.options
    comments = None
    if options.honour_ignores:
        comments = ignores.read_lines(file, plan.selector, today=options.today, forbidden=config.forbidden_ignores)
    opened = Opened(file, target.file, config, plan, comments, options)
    opened.weigh_all(_matches(hits, file, plan.secrets), outcome)
    outcome.notices.extend(opened.notices(ready.rule for ready in plan.secrets.values()))


def _matches(hits: "list[Hit]", file: SourceFile, ready: dict[str, Ready]) -> "Iterator[Judged]":
    for hit in hits:
        rule = ready.get(RULES[hit.topic])
        if rule is None:
            continue
        secret = hit.secret
        # A key stands on many lines: the first tells enough. A binary file has none.
        end = min(hit.end, file.line_span(file.line_of(hit.start)).end) if file.text else 0
        span = Span(hit.start, max(hit.start, end)) if file.text else Span(0, 0)
        match = Match(span, {"title": secret.title, "shown": hit.shown, "reason": secret.why}, severity=secret.severity)
        yield Judged(rule.rule, match, rule.message(None, match.values))


def _stdin(linter: Linter, target: "Target") -> tuple[SourceFile, "list[Hit]"]:
    data = linter.options.stdin() if linter.options.stdin is not None else b""
    return _judge(target, contents.look(_path(target), data), data)


def _path(target: "Target") -> str:
    """Return the path by which detectors know a file: as it was given, for where the folder lies that was named says nothing."""
    shown = target.path.replace(os.sep, "/")
    while shown.startswith("../"):
        shown = shown[3:]
    return shown.lstrip("/")


def _search(target: "Target") -> tuple[SourceFile, "list[Hit]"]:
    """Read a file and return its masked text with what was found."""
    with targets.opened(target.file) as stream:
        data = stream.read(WHOLE + 1)
        content = contents.look(_path(target), data)
        if len(data) <= WHOLE:
            return _judge(target, content, data)
        hits: list[Hit] = []
        starts, line = True, 1
        while True:
            more = stream.read(WINDOW)
            piece = content._replace(line=line, starts=starts, ends=not more)
            hits += contents.inspect_piece(piece, data)
            if not more:
                return _outline(target.path, hits)
            kept = len(data) - contents.OVERLAP
            line += data.count(b"\n", 0, kept) if content.form == "text" else 0
            data, starts = data[kept:] + more, False


def _outline(path: str, hits: "list[Hit]") -> tuple[SourceFile, "list[Hit]"]:
    """Return a text with the lines of a large file, empty but for what messages show of a credential, and the hits moved there."""
    parts: list[str] = []
    moved = []
    line, length = 1, 0
    for hit in hits:
        if hit.line:
            shown = hit.shown or hit.secret.title
            lines = "\n" * (hit.line - line) or " " * bool(parts)
            parts += [lines, shown]
            start = length + len(lines)
            moved.append(hit._replace(start=start, end=start + len(shown)))
            line, length = hit.line, start + len(shown)
        else:
            moved.append(hit)
    return SourceFile(path, "".join(parts)), moved


def _judge(target: "Target", content: "Content", data: bytes) -> tuple[SourceFile, "list[Hit]"]:
    hits = contents.inspect_piece(content, data)
    if not hits or content.form in ("data", "program", "packed"):
        return SourceFile(target.path, ""), hits
    encoding = "utf-8" if content.form == "text" else content.form
    return SourceFile(target.path, masked(data.decode(encoding, "surrogateescape" if encoding == "utf-8" else "replace"), hits)), hits


def masked(text: str, hits: "Iterable[Hit]") -> str:
    """Return a text as long, in which each credential is masked but for the few characters that messages show; lines stay lines."""
    parts = []
    at = 0
    for hit in hits:
        start = hit.start
        if hit.topic == "key" and (head := re.compile(_HEAD).match(text, start)):
            start = head.end()
        elif "…" in hit.shown:
            start += hit.shown.index("…")
        parts += [text[at:start], re.sub(r"[^\r\n]", "*", text[start : hit.end])]
        at = max(at, hit.end)
    return "".join([*parts, text[at:]])
