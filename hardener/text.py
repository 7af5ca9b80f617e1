"""Text with exact positions: offsets inside the program, line and column only where a person or a report reads them.

A `SourceFile` is read once; everything else points into it with half-open `Span`s of code points. A `View` is a text that was
assembled from pieces of a file (a Dockerfile instruction without its continuation marks, the script inside `sh -c "…"`) and
still knows where each of its characters came from.
"""

import re
from bisect import bisect_right
from itertools import accumulate
from sys import maxsize as MAXSIZE
from typing import TYPE_CHECKING

from hardener.errors import HardenError
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOM = "\ufeff"


class Pattern:
    """A regular expression that is compiled when it is first used.

    Compiling all patterns of all rules takes longer than judging a file, and a file needs few of them. The methods are those of
    `re.Pattern`; hot loops may take the compiled object from `compiled`.
    """

    __slots__ = ("_compiled", "flags", "pattern")

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern = pattern
        self.flags = flags
        self._compiled: re.Pattern[str] | None = None

    @property
    def compiled(self) -> re.Pattern[str]:
        """The compiled expression."""
        compiled = self._compiled
        if compiled is None:
            compiled = self._compiled = re.compile(self.pattern, self.flags)
        return compiled

    def match(self, text: str, start: int = 0, end: int = MAXSIZE) -> re.Match[str] | None:
        """Match at `start`."""
        return (self._compiled or self.compiled).match(text, start, end)

    def fullmatch(self, text: str, start: int = 0, end: int = MAXSIZE) -> re.Match[str] | None:
        """Match the whole text."""
        return (self._compiled or self.compiled).fullmatch(text, start, end)

    def search(self, text: str, start: int = 0, end: int = MAXSIZE) -> re.Match[str] | None:
        """Find the first match."""
        return (self._compiled or self.compiled).search(text, start, end)

    def finditer(self, text: str, start: int = 0, end: int = MAXSIZE) -> "Iterator[re.Match[str]]":
        """Yield every match."""
        return (self._compiled or self.compiled).finditer(text, start, end)

    def findall(self, text: str) -> list[str]:
        """Return every match (of a pattern with at most one group)."""
        return (self._compiled or self.compiled).findall(text)

    def split(self, text: str, maxsplit: int = 0) -> list[str]:
        """Split at every match (of a pattern without groups)."""
        return (self._compiled or self.compiled).split(text, maxsplit)

    def sub(self, replacement: "str | Callable[[re.Match[str]], str]", text: str, count: int = 0) -> str:
        """Replace every match."""
        return (self._compiled or self.compiled).sub(replacement, text, count)


class Span(NamedTuple):
    """A half-open range of code point offsets in one file."""

    start: int
    end: int


class Position(NamedTuple):
    """Where a person looks: 1-based line and 1-based column, counted in code points."""

    line: int
    column: int


class SourceFile:
    """One text, the path it is known by, and its line table.

    Lines end at LF only, as BuildKit's scanner has it (the CR of a CRLF belongs to the line before it; form feeds and lone CRs
    are ordinary characters). A byte order mark stays in the text, so that offsets are those of the file.
    """

    __slots__ = ("_excerpts", "_line_starts", "path", "text")

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._line_starts: list[int] | None = None
        self._excerpts: dict[int, str] = {}

    @classmethod
    def decode(cls, path: str, data: bytes) -> "SourceFile":
        """Return the file for UTF-8 bytes.

        Raises `HardenError` for a binary file (a NUL byte) or one that is not UTF-8.
        """
        if b"\0" in data:
            raise HardenError("looks like a binary file (it holds a NUL byte)", where=path, how="exclude it, or check the file's name")
        try:
            return cls(path, data.decode("utf-8"))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise HardenError(
                f"not valid UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start})",
                where=f"{path}:{line}",
                how="save the file as UTF-8",
            ) from None

    @property
    def line_starts(self) -> list[int]:
        """Offsets at which lines start; always at least one."""
        starts = self._line_starts
        if starts is None:
            starts = list(accumulate((len(line) + 1 for line in self.text.split("\n")), initial=0))
            starts.pop()  # where a line after the last one would start
            self._line_starts = starts
        return starts

    def line_of(self, offset: int) -> int:
        """Return the 1-based line that holds `offset`."""
        return bisect_right(self.line_starts, offset)

    def position(self, offset: int) -> Position:
        """Return the 1-based line and column of `offset` (a leading byte order mark takes no column)."""
        line = bisect_right(self.line_starts, offset)
        column = offset - self.line_starts[line - 1] + 1
        if line == 1 and column > 1 and self.text.startswith(BOM):
            column -= 1
        return Position(line, column)

    def line_span(self, line: int) -> Span:
        """Return the span of a 1-based line without its terminator (neither LF nor CRLF); a byte order mark is left out."""
        starts = self.line_starts
        start = starts[line - 1]
        if line < len(starts):
            end = starts[line] - 1
            if end > start and self.text[end - 1] == "\r":
                end -= 1
        else:
            end = len(self.text)
        if start == 0 and self.text.startswith(BOM):
            start = 1
        return Span(start, max(start, end))

    def excerpt(self, span: Span) -> str:
        """Return the full lines that `span` touches, joined by LF, without terminators."""
        first = self.line_of(span.start)
        last = self.line_of(max(span.start, span.end - 1))
        if first == last:
            # One string a line, however many places ask: a thousand findings on a 10 MB line must not hold it a thousand times.
            text = self._excerpts.get(first)
            if text is None:
                text = self._excerpts[first] = self.text[slice(*self.line_span(first))]
            return text
        return "\n".join(self.text[slice(*self.line_span(line))] for line in range(first, last + 1))

    def slice(self, span: Span) -> str:
        """Return the text that `span` covers."""
        return self.text[span.start : span.end]

    def at(self, span: Span) -> str:
        """Return `path:line:column`, the form in which messages name a place."""
        line, column = self.position(span.start)
        return f"{self.path}:{line}:{column}"


class Place(NamedTuple):
    """A range of one file among several."""

    file: SourceFile
    span: Span

    @property
    def at(self) -> str:
        """`path:line:column`, the form in which messages name a place."""
        return self.file.at(self.span)

    @property
    def text(self) -> str:
        """What stands there."""
        return self.file.slice(self.span)


class View:
    """A text assembled from pieces of a file, with a map back.

    `starts[i]` is the offset in `text` at which the i-th piece begins, `origins[i]` the offset in the file it was copied from.
    Within a piece the map is one to one. The common case is a single piece.
    """

    __slots__ = ("end", "origins", "starts", "text")

    def __init__(self, text: str, starts: list[int], origins: list[int], end: int) -> None:
        self.text = text
        self.starts = starts
        self.origins = origins
        self.end = end  # file offset just after the last piece: where an empty span at the end of the text lies

    @classmethod
    def of(cls, file: SourceFile, span: Span) -> "View":
        """Return the view of one contiguous range of a file."""
        return cls(file.text[span.start : span.end], [0], [span.start], span.end)

    def offset(self, at: int) -> int:
        """Return the file offset of the character at `at`; at the end of the text, the offset just after the last character."""
        if at >= len(self.text):
            return self.end
        origins = self.origins
        if len(origins) == 1:
            return origins[0] + at
        piece = bisect_right(self.starts, at) - 1
        return origins[piece] + at - self.starts[piece]

    def span(self, start: int, end: int) -> Span:
        """Return the file span that covers `text[start:end]`, from its first to its last character."""
        origins = self.origins
        if len(origins) == 1:
            return Span(origins[0] + start, origins[0] + max(start, end))
        if end <= start:
            offset = self.offset(start)
            return Span(offset, offset)
        return Span(self.offset(start), self.offset(end - 1) + 1)

    def sub(self, start: int, end: int) -> "View":
        """Return the view of `text[start:end]`."""
        text = self.text[start:end]
        if len(self.origins) == 1:
            origin = self.origins[0] + start
            return View(text, [0], [origin], origin + len(text))
        if not text:
            offset = self.offset(start)
            return View("", [0], [offset], offset)
        first = bisect_right(self.starts, start) - 1
        last = bisect_right(self.starts, end - 1) - 1
        starts = [0] + [at - start for at in self.starts[first + 1 : last + 1]]
        origins = [self.origins[first] + start - self.starts[first], *self.origins[first + 1 : last + 1]]
        return View(text, starts, origins, self.offset(end - 1) + 1)


class ViewBuilder:
    """Assembles a `View` from pieces given in order."""

    __slots__ = ("_end", "_length", "_origins", "_parts", "_starts")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._starts: list[int] = []
        self._origins: list[int] = []
        self._length = 0
        self._end = 0

    def add(self, text: str, origin: int) -> None:
        """Append `text`, which was copied from the file offset `origin`."""
        if not text:
            if not self._parts:
                self._end = origin
            return
        if origin != self._end or not self._origins:
            self._starts.append(self._length)
            self._origins.append(origin)
        self._parts.append(text)
        self._length += len(text)
        self._end = origin + len(text)

    def build(self) -> View:
        """Return the view of everything that was added."""
        if not self._origins:
            return View("", [0], [self._end], self._end)
        return View("".join(self._parts), self._starts, self._origins, self._end)
