"""Variables in Dockerfiles: `$X`, `${X:-d}` and their kin, with three-valued results.

A value is `Known`, or `Unknown` because something decides it that is not in the file: a build argument without default, a variable
of the base image, a predefined platform argument. Unknown is not empty and not false: rules stay silent on it.

Source: BuildKit's frontend/dockerfile/shell/lex.go.
"""

import re
from typing import Final, Protocol

from hardener.record import NamedTuple
from hardener.text import Pattern, Span

HOLE: Final = "\0"
"""Stands in an expanded text for a piece that cannot be known; no text file holds this character."""

LIMIT: Final = 64 * 1024
"""Longest value that is followed, in characters: `ENV A=$A$A` doubles at every line."""

PLATFORM_ARGS: Final = frozenset(
    {
        "BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT", "TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT",
        "TARGETOSVERSION", "TARGETSTAGE", "BUILDOSVERSION",
    }
)  # fmt: skip
"""Set by BuildKit; in FROM at once, inside a stage after `ARG NAME`."""

PROXY_ARGS: Final = frozenset(
    name for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY") for name in (upper, upper.lower())
)
"""Usable in every stage without ARG."""

_DOLLAR = Pattern(r"\$(?:([A-Za-z_]\w*|\d+|[@*#?\-$!])|\{([A-Za-z_]\w*|\d+|[@*#?\-$!]))?")
_PLAIN = Pattern(r"[^$\"'\\`]+")


class Known(NamedTuple):
    """A value that the file decides. `sources` are the ARG and ENV pairs that took part."""

    text: str
    span: Span
    sources: tuple[Span, ...] = ()


class Unknown(NamedTuple):
    """A value that something outside the file decides. `partial` is what is known of it, with a `HOLE` for each missing piece;
    `names` are the variables that are missing."""

    partial: str
    span: Span
    names: tuple[str, ...] = ()
    sources: tuple[Span, ...] = ()


Value = Known | Unknown


class Binding(NamedTuple):
    """What a scope knows of one variable; `text` holds `HOLE`s where pieces are unknown."""

    text: str
    span: Span | None


class Scope(Protocol):
    """Answers for variables at one place of a file."""

    def lookup(self, name: str) -> Binding | None:
        """Return the binding of `name`, or None when it is certainly unset there."""


class Expansion:
    """One expansion in progress: the text so far, and what it drew on."""

    __slots__ = ("bad", "names", "scope", "sources", "unset")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.names: list[str] = []
        self.sources: list[Span] = []
        self.unset: list[str] = []  # names without a binding that were used without a default
        self.bad = False

    def value(self, text: str, span: Span, escape: str) -> Value:
        """Return the value of `text`, quotes and escapes removed."""
        out = self._text(text, 0, escape, "")[0]
        if len(out) > LIMIT:
            return Unknown(HOLE, span, tuple(self.names), tuple(self.sources))
        if HOLE in out or self.bad:
            return Unknown(out if HOLE in out else HOLE, span, tuple(self.names), tuple(self.sources))
        return Known(out, span, tuple(self.sources))

    def _text(self, text: str, at: int, escape: str, stop: str, depth: int = 0) -> tuple[str, int]:
        """Expand from `at` up to an unquoted `stop` character; return the result and where it ended."""
        out: list[str] = []
        length = len(text)
        size = 0
        while at < length:
            char = text[at]
            if stop and char == stop:
                return "".join(out), at + 1
            if char == "$":
                piece, at = self._dollar(text, at, escape, depth)
                size += len(piece)
                if size > LIMIT:
                    return HOLE, length
                out.append(piece)
            elif char == "'":
                end = text.find("'", at + 1)
                end = length if end < 0 else end
                out.append(text[at + 1 : end])
                at = end + 1
            elif char == '"':
                at += 1
                while at < length and text[at] != '"':
                    if text[at] == "$":
                        piece, at = self._dollar(text, at, escape, depth)
                        out.append(piece)
                        continue
                    if text[at] == escape and at + 1 < length and text[at + 1] in ('"', "$", escape):
                        at += 1
                    out.append(text[at])
                    at += 1
                at += 1
            elif char == escape:
                out.append(text[at + 1 : at + 2])
                at += 2
            elif stop:
                out.append(char)
                at += 1
            else:
                match = _PLAIN.match(text, at)
                if match is None:  # the escape character that is not in force here
                    out.append(char)
                    at += 1
                else:
                    out.append(match.group())
                    at = match.end()
        if stop:
            self.bad = True
        return "".join(out), at

    def _dollar(self, text: str, at: int, escape: str, depth: int) -> tuple[str, int]:
        match = _DOLLAR.match(text, at)
        if match is None:
            return "$", at + 1
        plain, braced = match.groups()
        at = match.end()
        if plain is not None:
            return self._use(plain), at
        if braced is None:
            if text.startswith("{", at):
                self.bad = True
                end = text.find("}", at)
                return HOLE, len(text) if end < 0 else end + 1
            return "$", at
        if depth > 50:
            self.bad = True
            return HOLE, len(text)
        operator = text[at : at + 1]
        if operator == "}":
            return self._use(braced), at + 1
        if operator == ":":
            operator = text[at : at + 2]
        at += len(operator)
        match operator:
            case "-" | ":-" | "+" | ":+" | "?" | ":?":
                word, at = self._text(text, at, escape, "}", depth + 1)
                return self._default(braced, operator, word), at
            case "#" | "%":
                doubled = text.startswith(operator, at)
                pattern, at = _raw_until(text, at + doubled, "}", escape)
                return self._trim(braced, operator, pattern, greedy=doubled), at
            case "/":
                everywhere = text.startswith("/", at)
                pattern, at = _raw_until(text, at + everywhere, "/", escape)
                replacement, at = _raw_until(text, at, "}", escape)
                return self._replace(braced, pattern, replacement, everywhere=everywhere), at
        self.bad = True
        end = text.find("}", at)
        return HOLE, len(text) if end < 0 else end + 1

    def _look(self, name: str) -> Binding | None:
        binding = self.scope.lookup(name)
        if binding is not None:
            if binding.span is not None:
                self.sources.append(binding.span)
            if HOLE in binding.text:
                self.names.append(name)
        return binding

    def _use(self, name: str) -> str:
        binding = self._look(name)
        if binding is None:
            self.unset.append(name)
            return ""
        return binding.text

    def _default(self, name: str, operator: str, word: str) -> str:
        binding = self._look(name)
        kind = operator[-1]
        if binding is None or binding.text == DECLARED:
            # An argument declared without default is unset unless somebody passes it: what the file says then is the default.
            return "" if kind == "+" else word if kind == "-" else HOLE
        if HOLE in binding.text:
            return HOLE
        empty = operator[0] == ":" and not binding.text
        match kind:
            case "-":
                return word if empty else binding.text
            case "+":
                return "" if empty else word
        return HOLE if empty else binding.text

    def _trim(self, name: str, operator: str, pattern: str, *, greedy: bool) -> str:
        value = self._use(name)
        if HOLE in value:
            return HOLE
        regex = _pattern(pattern)
        if regex is None:
            self.bad = True
            return HOLE
        return trim(value, pattern, prefix=operator == "#", greedy=greedy)

    def _replace(self, name: str, pattern: str, replacement: str, *, everywhere: bool) -> str:
        value = self._use(name)
        regex = _pattern(pattern)
        if HOLE in value or regex is None:
            return HOLE
        return re.sub(regex, lambda _: replacement, value, count=0 if everywhere else 1, flags=re.DOTALL)


DECLARED: Final = HOLE + HOLE
"""The text of an ARG that is declared without a default: unknown, and unset unless somebody passes it."""


def _raw_until(text: str, at: int, stop: str, escape: str) -> tuple[str, int]:
    out: list[str] = []
    length = len(text)
    while at < length and text[at] != stop:
        if text[at] == escape and at + 1 < length:
            out.append(text[at : at + 2])
            at += 2
        else:
            out.append(text[at])
            at += 1
    return "".join(out), at + 1


def _pattern(pattern: str) -> str | None:
    """Return the regular expression for a shell pattern of `*` and `?`, or None for a bad escape."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            out.append(".*")
        elif char == "?":
            out.append(".")
        elif char == "\\":
            following = pattern[at : at + 1]
            at += 1
            if following not in ("*", "?", "\\", "}", "/"):
                return None
            out.append(re.escape(following))
        else:
            out.append(re.escape(char))
    return "".join(out)


def trim(value: str, pattern: str, *, prefix: bool, greedy: bool) -> str:
    """Remove the shortest (or, greedy, the longest) prefix or suffix of `value` that matches a shell pattern.

    A `*` at the free end is decided by position alone, so the cost stays linear in the number of candidate cuts.
    """
    regex = _pattern(pattern)
    if regex is None:
        return value
    cuts = range(len(value) + 1)
    order = cuts if greedy != prefix else reversed(cuts)
    if len(value) > 4096 or pattern.count("*") > 8:
        return HOLE
    compiled = re.compile(regex, re.DOTALL)
    for cut in order:
        if prefix and compiled.fullmatch(value, 0, cut):
            return value[cut:]
        if not prefix and compiled.fullmatch(value, cut):
            return value[:cut]
    return value
