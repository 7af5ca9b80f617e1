"""Patterns as `.gitignore` writes them, compiled to one regular expression per file.

Used for `.gitignore` itself and for the globs of the configuration (`exclude`, `overrides.paths`), so people need to know one
pattern language only. Source of truth: gitignore(5) and git's wildmatch.c; the tests compare with `git check-ignore`.

The expression never backtracks more than linearly in the path: what stands between two stars has a fixed length, so its first
occurrence is as good as any later one, and an atomic group may hold on to it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from hardener.record import NamedTuple

_CLASSES: Final = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t-\r",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
_NOTHING: Final = "(?!)"


class Patterns:
    """The patterns of one file or list, matched against paths relative to its folder."""

    __slots__ = ("_expression",)

    def __init__(self, lines: Iterable[str]) -> None:
        groups: list[tuple[bool, list[str]]] = []
        for line in lines:
            rule = _translate(line)
            if rule is None:
                continue
            if not groups or groups[-1][0] is not rule.ignores:
                groups.append((rule.ignores, []))
            groups[-1][1].append(rule.expression)
        # The last pattern that matches decides, so the last one is tried first. Odd groups ignore, even ones bring back.
        if groups and not groups[-1][0]:
            groups.append((True, [_NOTHING]))
        parts = [f"({'|'.join(expressions)})" for _, expressions in reversed(groups)]
        self._expression = re.compile("|".join(parts), re.DOTALL) if parts else None

    def match(self, path: str, *, is_folder: bool = False) -> bool | None:
        """Tell what the patterns say about a path with `/` between its parts: ignored, brought back by `!`, or nothing (None).

        A pattern that names a folder says nothing about what is in it: ask for the folders on the way first.
        """
        if self._expression is None:
            return None
        found = self._expression.fullmatch(f"{path}/" if is_folder else path)
        return None if found is None or found.lastindex is None else found.lastindex % 2 == 1

    def covers(self, path: str) -> bool:
        """Tell whether a file is ignored, by its own path or because a folder on the way is; `!` brings nothing back from there."""
        at = path.find("/")
        while at >= 0:
            if self.match(path[:at], is_folder=True):
                return True
            at = path.find("/", at + 1)
        return self.match(path) is True


class _Rule(NamedTuple):
    """One line, translated."""

    ignores: bool
    expression: str


def _translate(line: str) -> _Rule | None:
    """Return the expression of one line, which must match the whole path (folders with a trailing slash); None for no pattern."""
    line = line.removesuffix("\r")
    if line.startswith("#"):
        return None
    line = _strip_blanks(line)
    ignores = not line.startswith("!")
    line = line if ignores else line[1:]
    folders_only = line.endswith("/")
    line = line[:-1] if folders_only else line
    if not line:
        return None
    anchored = "/" in line
    sections = _sections(line.removeprefix("/"))
    if sections is None:
        return _Rule(ignores, _NOTHING)
    if not anchored:
        # Without a slash it is a name in any folder, and `**` is no more than `*`.
        sections = [[], [_component(_items(line) or [])]]
    return _Rule(ignores, _join(sections) + ("/" if folders_only else "/?"))


def _strip_blanks(line: str) -> str:
    """Return the line without trailing spaces, up to one that a backslash protects."""
    end = len(line)
    while end and line[end - 1] == " ":
        end -= 1
    backslashes = end - len(line[:end].rstrip("\\"))
    return line[: end + 1] if backslashes % 2 and end < len(line) else line[:end]


def _sections(pattern: str) -> list[list[str]] | None:
    """Return the expressions of the path components, in sections that `**` separates; None for a pattern that can never match."""
    items = _items(pattern)
    if items is None:
        return None
    sections: list[list[str]] = [[]]
    component: list[str] = []
    for item in [*items, "/"]:
        if item != "/":
            component.append(item)
            continue
        if component and len(component) > 1 and all(part == "*" for part in component):
            if sections[-1] or len(sections) == 1:  # `**/**` is one gap
                sections.append([])
        else:
            sections[-1].append(_component(component))
        component = []
    return sections


def _items(pattern: str) -> list[str] | None:
    """Return the pattern in pieces: `*`, `/`, or the expression of exactly one character; None when it is malformed."""
    items: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char in "*/":
            items.append(char)
        elif char == "?":
            items.append("[^/]")
        elif char == "[":
            found = _bracket(pattern, at + 1)
            if found is None:
                return None
            expression, at = found
            items.append(expression)
            continue
        elif char == "\\":
            at += 1
            if at == len(pattern):
                return None  # git: a trailing backslash makes the pattern invalid
            items.append("/" if pattern[at] == "/" else re.escape(pattern[at]))
        else:
            items.append(re.escape(char))
        at += 1
    return items


def _bracket(pattern: str, at: int) -> tuple[str, int] | None:
    """Return the expression of a bracket whose content starts at `at`, and where the pattern goes on; None when it is malformed."""
    length = len(pattern)
    negated = at < length and pattern[at] in "!^"
    at += negated
    members: list[str] = []
    previous = ""
    first = True
    while True:
        if at >= length:
            return None
        char = pattern[at]
        if char == "]" and not first:
            break
        first = False
        if char == "-" and previous and at + 1 < length and pattern[at + 1] != "]":
            at += 1
            at += pattern[at] == "\\"
            if at >= length:
                return None
            if previous <= pattern[at]:  # a range that runs backwards holds nothing
                members.append(f"{re.escape(previous)}-{re.escape(pattern[at])}")
            previous = ""
        elif char == "[" and (end := _class_end(pattern, at)):
            name = pattern[at + 2 : end - 1]
            if name not in _CLASSES:
                return None
            members.append(_CLASSES[name])
            at, previous = end, ""
        else:
            if char == "\\":
                at += 1
                if at >= length:
                    return None
            previous = pattern[at]
            members.append(re.escape(previous))
        at += 1
    return f"(?!/)[{'^' if negated else ''}{''.join(members)}]", at + 1


def _class_end(pattern: str, at: int) -> int:
    """Return where the `]` of a `[:class:]` that starts at `at` stands, or 0 when none starts there."""
    end = pattern.find("]", at + 2) if pattern.startswith(":", at + 1) else 0
    return end if end > at + 2 and pattern[end - 1] == ":" else 0


def _component(items: list[str]) -> str:
    """Return the expression of one path component."""
    runs = list(_runs(items))
    if len(runs) == 1:
        return runs[0]
    head, *middle, tail = runs
    # A component is never empty, and a star alone must not match the nothing behind a folder's slash.
    first = "(?=[^/])" if not head else ""
    held = "".join(f"(?>[^/]*?{run})" for run in middle if run)
    return f"{first}{head}{held}[^/]*{tail}(?=/|\\Z)"


def _runs(items: list[str]) -> Iterator[str]:
    """Yield the expressions of what stands before, between and after the stars."""
    run: list[str] = []
    for item in items:
        if item == "*":
            yield "".join(run)
            run = []
        else:
            run.append(item)
    yield "".join(run)


def _join(sections: list[list[str]]) -> str:
    """Return the expression of sections with any number of folders between them."""
    if len(sections) == 1:
        return "/".join(sections[0])
    head, *middle, tail = sections
    parts = ["/".join(head) + "/" if head else ""]
    parts.extend(f"(?>(?:[^/]+/)*?{'/'.join(section)}/)" for section in middle)
    parts.append(f"(?:[^/]+/)*{'/'.join(tail)}" if tail else r"[^/](?:.*[^/])?")
    return "".join(parts)
