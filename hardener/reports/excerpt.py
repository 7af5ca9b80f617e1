"""Source text as a reader may safely see it: cropped to a sensible length, aligned, and unable to deceive.

What is shown comes from files that nobody vouches for. Control characters could drive the terminal, bidirectional overrides
could show other code than runs (CVE-2021-42574), and one line may be megabytes long; all three are dealt with here, once,
for every format that shows source. Work is bounded by the length shown, not by the length of the line.
"""

import re
from typing import Final

from hardener.finding import Location
from hardener.record import NamedTuple

TAB: Final = 4  # cells between tab stops in terminal excerpts
BEFORE: Final = 32  # characters kept in front of the marked ones when a long line is cropped

# Everything that acts instead of showing: C0 and C1 controls but the tab, soft hyphen, zero-width and bidirectional controls,
# line separators, byte order marks, lone surrogates, noncharacters. Joiners (U+200C, U+200D) are part of real words and emoji.
# Patterns stay text until a line needs them: most never do, and compiling is paid at every start.
_ACTING: Final = (
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
_BREAKS: Final = r"[\t\r\n]+ *"


class Line(NamedTuple):
    """One line as an excerpt shows it: `text[start:end]` is what is marked; `start == end` marks a place between characters."""

    number: int
    text: str
    start: int
    end: int
    cut_before: bool  # the line goes on to the left of `text`
    cut_after: bool


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def visible(text: str) -> str:
    """Return `text` with every acting character replaced by one that shows (␛ for escape); the length stays, tabs stay."""
    return text if text.isprintable() else re.sub(_ACTING, _picture, text)


def one_line(text: str) -> str:
    """Return `text` as one visible line: line breaks and tabs become a space."""
    return text if text.isprintable() else visible(re.sub(_BREAKS, " ", text))


def scrub(text: str) -> str:
    """Return `text` without lone surrogates, which a path that is not UTF-8 carries and which no output encoding accepts."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", "\ufffd", text)
    return text


def clip(text: str, limit: int) -> str:
    """Return `text`, cut with an ellipsis when it is longer than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _crop(number: int, line: str, start: int, end: int, limit: int) -> Line:
    start = min(start, len(line))
    end = min(max(start, end), len(line))
    left = 0
    if len(line) > limit and end > limit:
        left = max(0, min(start - BEFORE, len(line) - limit))
    right = min(len(line), left + limit)
    return Line(number, visible(line[left:right]), start - left, min(end, right) - left, left > 0, right < len(line))


def span_lines(location: Location) -> int:
    """Return how many source lines the location touches (at least 1)."""
    lines = location.end.line - location.start.line
    if lines == 0 or location.end.column > 1:  # a span that ends at column 1 ended with the terminator of the line before
        lines += 1
    return lines


def first_line(location: Location, limit: int) -> Line:
    """Return the first line of the location, cropped to `limit` characters around what is marked."""
    start = location.start.column - 1
    number = location.start.line
    if location.start.line == location.end.line:
        return _crop(number, location.lines, start, location.end.column - 1, limit)
    stop = location.lines.find("\n")
    line = location.lines if stop < 0 else location.lines[:stop]
    return _crop(number, line, start, max(start, len(line.rstrip())), limit)


def lines(location: Location, limit: int, most: int) -> tuple[Line, ...]:
    """Return up to `most` lines of the location, each cropped to `limit` characters."""
    if location.start.line == location.end.line:
        return (first_line(location, limit),)
    shown = [first_line(location, limit)]
    rest = location.lines.split("\n", most)[1:most]
    for number, line in enumerate(rest, location.start.line + 1):
        start = len(line) - len(line.lstrip())
        end = location.end.column - 1 if number == location.end.line else len(line.rstrip())
        shown.append(_crop(number, line, min(start, end), end, limit))
    return tuple(shown)


def cells(text: str, start: int, end: int) -> tuple[str, int, int]:
    """Return `text` with its tabs expanded, and `start` and `end` as terminal cells: wide characters take two, combining ones none."""
    if text.isascii() and "\t" not in text:
        return text, start, end
    from unicodedata import category, east_asian_width  # a shared library that plain text needs not load

    parts: list[str] = []
    columns: list[int] = []
    column = 0
    for character in text:
        columns.append(column)
        if character == "\t":
            width = TAB - column % TAB
            parts.append(" " * width)
        else:
            parts.append(character)
            if character < "\u0300":
                width = 1
            elif category(character) in ("Mn", "Me", "Cf"):
                width = 0
            else:
                width = 2 if east_asian_width(character) in "WF" else 1
        column += width
    columns.append(column)
    return "".join(parts), columns[start], columns[end]
