"""Ignore comments in files made of lines: which lines each of them covers. `ignores.py` says it in words."""

import re
from typing import TYPE_CHECKING, Final

from hardener.engine.ignore_comments import parse
from hardener.engine.ignores import Ignore, Notice
from hardener.text import SourceFile, Span

if TYPE_CHECKING:
    from hardener.engine.ignores import Ignores

_COMMENT: Final = re.compile(
    r"(?:(?:^|(?<=[ \t@]))(?:[#;]|//)|<!--)(?=[^\n]*(?:harden[ \t]*:|hadolint|tally|check|kics-scan|:skip=|trivy:ignore|dclint))[^\n]*",
    re.IGNORECASE | re.MULTILINE,
)


def file_under(ignores: "Ignores", file: SourceFile) -> None:
    """Read every ignore comment of a file and note the lines that it covers."""
    found: list[Ignore] = []
    count = len(file.line_starts)
    for line in range(1, count + 1):
        start, end = file.line_span(line)
        match = _COMMENT.search(file.text, start, end)
        if match is None:
            continue
        span = Span(match.start(), end)
        text = "#" + match[0][len("<!--") :].partition("-->")[0].rstrip() if match[0].startswith("<!--") else match[0]
        text = f"#{text[2:]}" if text.startswith("//") else text
        alone = not file.text[start : match.start()].strip(" \t@")  # `@` before a comment is a quiet line of a Makefile
        for result in parse(text, span, ignores._selector, is_directive=False):
            if isinstance(result, Notice):
                ignores.notices.append(result)
            elif result.scope == "stage":
                ignores.notices.append(Notice("malformed", span, "there are no stages here: put the comment above what it is about"))
            else:
                found.append(result)
                if result.scope == "file":
                    ignores.add(result, [("file", 0)])
                else:
                    ignores.add(result, [("line", covered) for covered in _covered(file, _next(file, line) if alone else line)])
    ignores.all = tuple(found)


def _next(file: SourceFile, line: int) -> int:
    """Return the first line behind `line` that is neither blank nor a comment nor the fence of a Markdown code block."""
    count = len(file.line_starts)
    while line < count:
        line += 1
        text = file.slice(file.line_span(line)).strip()
        if text and not text.startswith(("#", "<!--", "```", "~~~")):
            break
    return line


def _covered(file: SourceFile, first: int) -> range:
    """Return a line with those that continue it (a `\\` at its end) or are indented below it."""
    count = len(file.line_starts)
    text = file.slice(file.line_span(first))
    last = first
    while last < count and text.rstrip().endswith("\\"):
        last += 1
        text = file.slice(file.line_span(last))
    if last > first:
        return range(first, last + 1)
    depth = _depth(text)
    is_key = text.split(" #")[0].rstrip().endswith(":")
    while last < count:
        text = file.slice(file.line_span(last + 1))
        # The items of a list may stand at the depth of their key.
        if text.strip() and _depth(text) <= depth and not (is_key and _depth(text) == depth and text.lstrip().startswith("- ")):
            break
        last += 1
    return range(first, last + 1)


def _depth(text: str) -> int:
    return len(text) - len(text.lstrip(" \t"))
