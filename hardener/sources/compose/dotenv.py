"""Env files: the `.env` of a project and what `env_file:` names, each name and value at its place.

Source: compose-go's dotenv package for the ordinary format, docker's kvfile package for `format: raw`.
"""

import re
from typing import Final

from hardener.record import NamedTuple
from hardener.sources.compose.interpolate import InvalidTemplate, substitute
from hardener.sources.expansion import HOLE
from hardener.sources.service import Binding, Lookup, Problem
from hardener.text import BOM, Pattern, Place, SourceFile, Span, View

_BLANK: Final = " \t\v\f\r\x85\xa0"  # blanks that are no line end
_NAME_END: Final = Pattern(r"[=:\n]")
_NAME: Final = Pattern(r"[\w.\-\[\] \t\v\f\r\x85\xa0]*")
_EXPORT: Final = Pattern(r"export\s+")
_ESCAPE: Final = Pattern(r"\\(?:[abcfnrtv$\"\\]|0\d{0,3})")
_ESCAPES: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "$": "$$"}


class Assignment(NamedTuple):
    """One name of an env file. `text` is None for a name alone that nothing sets: whoever starts the container may pass it."""

    name: str
    key: Place
    text: str | None  # with a `HOLE` for each open piece
    place: Place  # the value, without its quotes
    is_unknown: bool
    view: View | None  # `text` mapped to the file, where the file holds it letter by letter
    history: tuple[tuple[Place, str], ...] = ()


def read(file: SourceFile, lookup: Lookup, problems: list[Problem] | None = None, *, raw: bool = False) -> list[Assignment]:
    """Return what an env file assigns, in order; of two lines with one name the later one wins.

    What compose would refuse to read ends the list, and becomes a problem `invalid-env-file`.
    """
    reader = _Reader(file, lookup, [] if problems is None else problems)
    if raw:
        reader.raw()
    else:
        reader.dotenv()
    return reader.found


class _Reader:
    """One file being read."""

    __slots__ = ("file", "found", "known", "lookup", "problems", "text")

    def __init__(self, file: SourceFile, lookup: Lookup, problems: list[Problem]) -> None:
        self.file = file
        self.text = file.text
        self.lookup = lookup
        self.problems = problems
        self.found: list[Assignment] = []
        self.known: dict[str, Binding] = {}

    def variable(self, name: str) -> Binding | None:
        """Return what a variable means inside the file: what is known outside wins over earlier lines."""
        return self.lookup(name) or self.known.get(name)

    def fail(self, start: int, end: int, message: str) -> None:
        place = Place(self.file, Span(start, max(start, end)))
        self.problems.append(Problem("invalid-env-file", place, message, (), {"reason": message}))

    def add(self, name: str, key: Span, text: str | None, value: Span, used: tuple[Place, ...] = ()) -> None:
        file = self.file
        place = Place(file, value)
        unknown = text is None or HOLE in text
        view = View.of(file, value) if text is not None and file.text[value.start : value.end] == text else None
        history = tuple([(where, "the variable is set here") for where in used])
        self.found.append(Assignment(name, Place(file, key), text, place, unknown, view, history))
        if text is not None:
            self.known[name] = Binding(text, place)

    def dotenv(self) -> None:
        text = self.text
        length = len(text)
        at = 1 if text.startswith(BOM) else 0
        while True:
            while at < length and text[at].isspace():
                at += 1
            if at >= length:
                return
            if text[at] == "#":
                at = self._line_end(at)
                continue
            next_at = self._statement(at)
            if next_at < 0:
                return
            at = next_at

    def _line_end(self, at: int) -> int:
        stop = self.text.find("\n", at)
        return len(self.text) if stop < 0 else stop

    def _statement(self, at: int) -> int:
        """Read one assignment; return where it ends, -1 when it cannot be read."""
        text = self.text
        if text.startswith("export", at) and (exported := _EXPORT.match(text, at)):
            at = exported.end()
        separator = _NAME_END.search(text, at)
        stop = len(text) if separator is None else separator.start()
        name_span = _NAME.match(text, at, stop)
        written = text[at:stop].rstrip()
        if name_span is not None and name_span.end() < stop:
            wrong = name_span.end()
            self.fail(at, self._line_end(at), f"unexpected character {text[wrong]!r} in the name of a variable")
            return -1
        if " " in written:
            self.fail(at, at + len(written), "the name of a variable cannot hold a blank")
            return -1
        key = Span(at, at + len(written))
        if separator is None or separator[0] == "\n":
            if written:
                binding = self.variable(written) if written in self.known else self.lookup(written)
                used = () if binding is None or binding.place is None else (binding.place,)
                self.add(written, key, None if binding is None else binding.text, key, used)
            return stop
        at = stop + 1
        while at < len(text) and text[at] in _BLANK:
            at += 1
        if text[at : at + 1] in ("'", '"'):
            return self._quoted(written, key, at)
        end = self._line_end(at)
        comment = text.find(" #", at, end)
        stop = end if comment < 0 else comment
        value = text[at:stop].rstrip()
        return self._expanded(written, key, value, Span(at, at + len(value)), end)

    def _expanded(self, name: str, key: Span, value: str, span: Span, end: int) -> int:
        if "$" not in value:
            self.add(name, key, value, span)
            return end
        used: list[Place] = []
        try:
            expanded = substitute(value, self.variable, used)
        except InvalidTemplate as error:
            self.fail(*span, f"{value[error.start : error.end]} is no valid variable")
            return -1
        self.add(name, key, expanded, span, tuple(used))
        return end

    def _quoted(self, name: str, key: Span, at: int) -> int:
        text = self.text
        quote = text[at]
        parts: list[str] = []
        start = at + 1
        end = start
        close = -1
        while True:
            if close < end:
                close = text.find(quote, end)
            if close < 0:
                self.fail(at, self._line_end(at), "the quote is not closed")
                return -1
            escape = text.find("\\", end, close)
            if escape < 0:
                parts.append(text[end:close])
                break
            parts.append(text[end:escape])
            following = text[escape + 1]
            parts.append(following if following == quote else "\\" + following)
            end = escape + 2
        span = Span(start, close)
        value = "".join(parts)
        if quote == "'":
            self.add(name, key, value, span)
            return close + 1
        return self._expanded(name, key, _ESCAPE.sub(_unescaped, value) if "\\" in value else value, span, close + 1)

    def raw(self) -> None:
        """Read lines of `NAME=value` that stand for exactly what is written."""
        text = self.text
        start = 1 if text.startswith(BOM) else 0
        while start < len(text):
            end = self._line_end(start)
            stop = end - 1 if end > start and text[end - 1] == "\r" else end
            at = start
            while at < stop and text[at].isspace():
                at += 1
            start = end + 1
            if at >= stop or text[at] == "#":
                continue
            equals = text.find("=", at, stop)
            key = Span(at, stop if equals < 0 else equals)
            name = text[key.start : key.end]
            if not name or any(char.isspace() for char in name):
                self.fail(*key, "the name of a variable is empty" if not name else "the name of a variable cannot hold a blank")
                return
            if equals >= 0:
                self.add(name, key, text[equals + 1 : stop], Span(equals + 1, stop))
                continue
            binding = self.lookup(name)
            self.add(name, key, None if binding is None else binding.text, key)


def _unescaped(found: re.Match[str]) -> str:
    """Return what an escape in double quotes stands for; one that Go would not read stays as written."""
    written = found[0]
    if written[1] != "0":
        return _ESCAPES.get(written[1], written)
    digits = written[2:]
    if len(digits) != 3 or any(digit > "7" for digit in digits) or int(digits, 8) > 255:
        return written
    return chr(int(digits, 8))
