"""`.dockerignore`: whether a path of the build context is left out.

Patterns with `!` make the answer depend on what lies in a folder, which a Dockerfile does not show; such a file is not judged at all.

Source: github.com/moby/patternmatcher and its `ignorefile` reader.
"""

import posixpath
from typing import Final

from hardener.text import BOM

_MAX_WILD: Final = 500  # patterns with wildcards that are compared
_WHOLE: Final = frozenset({"*", "**", "**/*"})


class Ignored:
    """The patterns of one ignore file."""

    __slots__ = ("_plain", "_wild", "whole")

    def __init__(self, text: str) -> None:
        self._plain: dict[str, str] = {}
        self._wild: list[tuple[str, list[str]]] = []
        self.whole = ""  # the pattern that leaves everything out, if there is one
        for line in text.removeprefix(BOM).split("\n"):
            pattern = line.strip()
            if not pattern or line.startswith("#"):
                continue
            written = pattern
            pattern = posixpath.normpath(pattern.replace("\\", "/") if "*" not in pattern else pattern).lstrip("/")
            if pattern in _WHOLE:
                self.whole = written
            if "*" not in pattern and "?" not in pattern and "[" not in pattern:
                self._plain.setdefault(pattern, written)
            elif "[" not in pattern and "\\" not in pattern and len(self._wild) < _MAX_WILD:
                self._wild.append((written, pattern.split("/")))

    def pattern(self, path: str) -> str:
        """Return the pattern that leaves out a path, or one of the folders above it; an empty string when none does.

        `path` may hold wildcards: then the pattern covers whatever they stand for.
        """
        parts = path.split("/")
        glob = any(mark in path for mark in "*?[")
        for end in range(len(parts), 0, -1):
            found = self._plain.get("/".join(parts[:end]))
            if found is not None:
                return found
        for written, pattern in self._wild:
            if glob and "?" in written:
                continue
            for end in range(len(parts), 0, -1):
                if _matches(pattern, parts[:end]):
                    return written
        return ""


def read(text: str) -> Ignored | None:
    """Return the patterns of an ignore file, or None when it has exceptions (`!`)."""
    if any(line.strip().startswith("!") for line in text.split("\n")):
        return None
    return Ignored(text)


def _matches(pattern: list[str], parts: list[str]) -> bool:
    """Whether path segments match pattern segments, `**` standing for any number of them."""
    reachable = {0}
    for index, segment in enumerate(pattern):
        if segment == "**":
            first = min(reachable) + (index == len(pattern) - 1 and index > 0)
            reachable = set(range(first, len(parts) + 1))
        else:
            reachable = {at + 1 for at in reachable if at < len(parts) and _segment(segment, parts[at])}
        if not reachable:
            return False
    return len(parts) in reachable


def _segment(pattern: str, text: str) -> bool:
    """Whether one segment matches a pattern of `*` and `?`, without backtracking over more than the last star."""
    at = to = 0
    star = mark = -1
    while to < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, mark = at, to
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[to]):
            at += 1
            to += 1
        elif star >= 0:
            mark += 1
            at, to = star + 1, mark
        else:
            return False
    while at < len(pattern) and pattern[at] == "*":
        at += 1
    return at == len(pattern)
