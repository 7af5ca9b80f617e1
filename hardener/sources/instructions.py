"""The inside of one Dockerfile instruction: keyword, flags, words, key=value pairs, exec form, mounts.

Each reading follows BuildKit's line parsers (frontend/dockerfile/parser/line_parsers.go) and keeps what they throw away: where every
part stands in the file. Everything below the keyword is read on demand, since most rules look at few instructions.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hardener.record import NamedTuple
from hardener.text import Pattern, Span, View

if TYPE_CHECKING:
    from hardener.sources.dockerfile import Dockerfile
    from hardener.sources.shell import Command, Script
    from hardener.sources.stages import Stage

# What Go's unicode.IsSpace accepts; Python's str.isspace also takes U+001C..U+001F.
SPACES: Final = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_SPACE_SET: Final = frozenset(SPACES)

KEYWORDS: Final = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL",
    "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip
_KEYWORD_SET: Final = frozenset(KEYWORDS)

# Flags by instruction. Source: docs.docker.com/reference/dockerfile and BuildKit's instructions/parse.go.
FLAGS: Final[dict[str, tuple[str, ...]]] = {
    "ADD": ("chown", "chmod", "link", "keep-git-dir", "checksum", "unpack", "exclude"),
    "COPY": ("chown", "chmod", "link", "from", "parents", "exclude"),
    "FROM": ("platform",),
    "HEALTHCHECK": ("interval", "timeout", "start-period", "start-interval", "retries"),
    "RUN": ("mount", "network", "security", "device"),
}
BOOLEAN_FLAGS: Final = frozenset({"link", "keep-git-dir", "unpack", "parents"})

HEREDOC_WORD: Final = Pattern(r"(\d*)<<(-?)\s*([^<]*)$")
"""A word that announces a heredoc: file descriptor, dash, name."""

_PLAIN_WORDS = re.compile(r"[^\t\v\f\r ]+")
_NEEDS_CARE = Pattern(r"""["'\\`]""")
_JSON_STRING = Pattern(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_JSON_ESCAPE = Pattern(r"\\(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)")
_JSON_SPACES: Final = " \t\r\n"


class Word:
    """One word of an instruction as it is written, and as Docker reads it once quotes and escapes are gone."""

    __slots__ = ("_text", "_whole", "end", "escape", "raw", "span", "start")

    def __init__(self, whole: View, start: int, end: int, escape: str, text: str | None = None) -> None:
        self.raw = whole.text[start:end]
        self.span = whole.span(start, end)
        self.escape = escape
        self._text = text
        self._whole = whole
        self.start = start  # its range in the text it was cut from
        self.end = end

    @property
    def view(self) -> View:
        """The word as written, with its map to the file."""
        return self._whole.sub(self.start, self.end)

    @property
    def text(self) -> str:
        """The word without quotes and escapes; variables stay as written."""
        text = self._text
        if text is None:
            text = self.raw
            if _NEEDS_CARE.search(text):
                text = unquote(text, self.escape)
            self._text = text
        return text

    def __repr__(self) -> str:
        return f"Word({self.raw!r})"


class Flag(NamedTuple):
    """`--name=value` after the keyword. `value` has quotes and escapes removed; it is None when there is no `=`."""

    name: str
    value: str | None
    span: Span
    name_span: Span
    value_span: Span


class Pair(NamedTuple):
    """One `key=value` of ENV, LABEL or ARG. `value` is None for an ARG without default; `legacy` marks `ENV key value`."""

    key: Word
    value: Word | None
    span: Span
    legacy: bool


class MountOption(NamedTuple):
    """One `key=value` inside `--mount=`; a bare `key` has the value None."""

    key: str
    value: str | None
    span: Span
    value_span: Span


class Mount(NamedTuple):
    """One `RUN --mount=…`, split at its commas as BuildKit's CSV reader does. `kind` defaults to `bind`."""

    kind: str
    options: tuple[MountOption, ...]
    span: Span

    def get(self, *names: str) -> MountOption | None:
        """Return the last option that has one of these names."""
        for option in reversed(self.options):
            if option.key in names:
                return option
        return None


class Heredoc(NamedTuple):
    """One `<<NAME` and its body. `body` still has the tabs that `<<-` removes; `lines` covers body and terminator."""

    name: str
    marker: Span
    fd: int
    chomp: bool
    expand: bool  # false when any part of the name is quoted
    body: View
    terminator: Span  # empty when the heredoc is not terminated
    terminated: bool


class Problem(NamedTuple):
    """Something Docker would refuse or misread. `code` is what the syntax rules match on."""

    code: str
    span: Span
    message: str


class Instruction:
    """One instruction: keyword, flags, the rest, and its heredocs."""

    __slots__ = (
        "_by_program", "_json", "_mounts", "_pairs", "_script", "_words", "document", "end_line", "flags", "heredocs", "index",
        "is_trigger", "json_error", "keyword", "line", "name", "rest", "shell", "span", "stage", "trigger", "view",
    )  # fmt: skip

    def __init__(self, document: "Dockerfile", view: View, name: str, keyword: Span, flags: tuple[Flag, ...], rest: View) -> None:
        self.document = document
        self.view = view  # the whole logical line
        self.name = name  # upper-case; what is written may hold a continuation mark
        self.keyword = keyword
        self.flags = flags
        self.rest = rest  # what follows the flags
        self.line = 0  # set by the reader, as are the next two
        self.end_line = 0
        self.index = 0  # place among all instructions of the file
        self.span = Span(keyword.start, max(keyword.end, rest.end if rest.text else flags[-1].span.end if flags else keyword.end))
        self.heredocs: tuple[Heredoc, ...] = ()
        self.stage: Stage | None = None
        self.shell: Instruction | None = None  # the SHELL in force, for instructions that run commands
        self.trigger: Instruction | None = None  # what an ONBUILD will run
        self.is_trigger = False
        self.json_error: str = ""  # why a rest that starts like an exec form is none
        self._words: tuple[Word, ...] | None = None
        self._pairs: tuple[Pair, ...] | None = None
        self._json: tuple[Word, ...] | bool | None = False  # False: not read yet
        self._mounts: tuple[Mount, ...] | None = None
        self._script: Script | bool | None = False
        self._by_program: dict[str, list[Command]] | None = None

    @property
    def text(self) -> str:
        """The rest after the flags, as Docker sees it: continuation marks and comments are gone."""
        return self.rest.text

    @property
    def is_known(self) -> bool:
        """Whether the keyword is one of the Dockerfile reference."""
        return self.name in _KEYWORD_SET

    def flag(self, name: str) -> Flag | None:
        """Return the last flag of that name."""
        for flag in reversed(self.flags):
            if flag.name == name:
                return flag
        return None

    @property
    def command_view(self) -> View:
        """The part that holds a command: for HEALTHCHECK what follows CMD, otherwise the rest."""
        if self.name != "HEALTHCHECK":
            return self.rest
        text = self.rest.text
        match = _PLAIN_WORDS.match(text)
        if match is None or match.group().upper() != "CMD":
            return self.rest.sub(len(text), len(text))
        start = match.end() + len(text[match.end() :]) - len(text[match.end() :].lstrip(SPACES))
        return self.rest.sub(start, len(text))

    @property
    def json(self) -> tuple[Word, ...] | None:
        """The words of the exec form, or None when this is shell form (also when it only looks like an exec form)."""
        found = self._json
        if isinstance(found, bool):
            found = None
            view = self.command_view
            if view.text.startswith("["):
                words, self.json_error = _read_json(view, self.document.escape)
                found = words
            self._json = found
        return found

    @property
    def words(self) -> tuple[Word, ...]:
        """The arguments: exec-form strings, quote-aware words for ENV, LABEL and ARG, the whole rest for USER, WORKDIR, STOPSIGNAL and
        MAINTAINER, blank-separated words otherwise."""
        words = self._words
        if words is None:
            words = self._words = tuple(self._read_words())
        return words

    def _read_words(self) -> Iterator[Word]:
        rest = self.rest
        escape = self.document.escape
        text = rest.text
        if not text:
            return
        if self.name in ("USER", "WORKDIR", "STOPSIGNAL", "MAINTAINER"):
            yield Word(rest, 0, len(text), escape)
        elif self.name in ("ENV", "LABEL", "ARG"):
            for start, end in quoted_words(text, escape):
                yield Word(rest, start, end, escape)
        elif self.json is not None:
            yield from self.json
        else:
            for match in _PLAIN_WORDS.finditer(text):
                yield Word(rest, match.start(), match.end(), escape)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The key=value pairs of ENV, LABEL and ARG; empty for other instructions."""
        pairs = self._pairs
        if pairs is None:
            pairs = self._pairs = tuple(self._read_pairs()) if self.name in ("ENV", "LABEL", "ARG") else ()
        return pairs

    def _read_pairs(self) -> Iterator[Pair]:
        rest = self.rest
        text = rest.text
        escape = self.document.escape
        ranges = list(quoted_words(text, escape))
        if not ranges:
            return
        start, end = ranges[0]
        if self.name != "ARG" and "=" not in text[start:end]:
            match = _PLAIN_WORDS.match(text)
            if match is None:
                return
            blanks = _BLANKS.match(text, match.end())
            key = Word(rest, 0, match.end(), escape)
            if blanks is None or blanks.end() == len(text):
                return  # ENV with a name alone: a problem, not a pair
            yield Pair(key, Word(rest, blanks.end(), len(text), escape), rest.span(0, len(text)), legacy=True)
            return
        for start, end in ranges:
            equals = text.find("=", start, end)
            if equals < 0:
                if self.name == "ARG":
                    yield Pair(Word(rest, start, end, escape), None, rest.span(start, end), legacy=False)
                continue
            yield Pair(Word(rest, start, equals, escape), Word(rest, equals + 1, end, escape), rest.span(start, end), legacy=False)

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """The `--mount` flags of a RUN."""
        mounts = self._mounts
        if mounts is None:
            mounts = self._mounts = tuple(self._read_mount(flag) for flag in self.flags if flag.name == "mount")
        return mounts

    def _read_mount(self, flag: Flag) -> Mount:
        # Quotes are gone from flag.value; without any, the value's offsets are the file's.
        raw = self.document.file.text[flag.value_span.start : flag.value_span.end]
        exact = raw == flag.value
        at = flag.value_span.start
        options = []
        for field in (flag.value or "").split(","):
            key, equals, value = field.partition("=")
            start, end = (at, at + len(field)) if exact else flag.value_span
            value_span = Span(start + len(key) + len(equals), end) if exact else flag.value_span
            options.append(MountOption(key.strip().lower(), value if equals else None, Span(start, end), value_span))
            at += len(field) + 1
        kind = next((option.value for option in reversed(options) if option.key == "type" and option.value), "bind")
        return Mount(kind.lower(), tuple(options), flag.span)

    @property
    def script(self) -> "Script | None":
        """The commands of a RUN, CMD, ENTRYPOINT or HEALTHCHECK CMD, read by the shell that is in force there."""
        script = self._script
        if isinstance(script, bool):
            from hardener.sources.commands import script_of

            script = self._script = script_of(self)
        return script

    @property
    def by_program(self) -> "dict[str, list[Command]]":
        """Its commands by the program they run (`pip` for pip3 and `python3 -m pip`, too), each list in source order."""
        by_program = self._by_program
        if by_program is None:
            from hardener.sources.options import program

            by_program = self._by_program = {}
            script = self.script
            if script is not None:
                for command in script.commands:
                    by_program.setdefault(program(command), []).append(command)
        return by_program

    def __repr__(self) -> str:
        return f"Instruction({self.name} {self.rest.text!r}, line {self.line})"


_BLANKS = re.compile(r"[\t\v\f\r ]+")


def _word_pattern(escape: str, spaces: str) -> Pattern:
    spaces = "".join(f"\\u{ord(space):04x}" for space in spaces)
    escaped = re.escape(escape)
    return Pattern(
        rf"""(?: [^{spaces}"'{escaped}]++                                # ordinary characters
               | {escaped}(?:.|\Z)                                       # an escaped one
               | "(?:[^"{escaped}]++|{escaped}.)*(?:"|{escaped}?\Z)     # an unterminated quote runs to the end
               | '[^']*+(?:'|\Z)                                         # no escapes in here
             )+""",
        re.VERBOSE | re.DOTALL,
    )


_QUOTED_WORDS: Final = {escape: _word_pattern(escape, SPACES) for escape in ("\\", "`")}
_ASCII_QUOTED_WORDS: Final = {escape: _word_pattern(escape, "\t\n\v\f\r ") for escape in ("\\", "`")}  # quicker to compile


def quoted_words(text: str, escape: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of words that are separated by blanks outside quotes.

    Source: BuildKit's parseWords. A quote opens anywhere in a word; the escape character protects the next one, except inside single
    quotes; an unterminated quote runs to the end.
    """
    for match in (_ASCII_QUOTED_WORDS if text.isascii() else _QUOTED_WORDS)[escape].finditer(text):
        yield match.span()


def unquote(text: str, escape: str) -> str:
    """Return `text` without its quotes and escapes, variables left as written (BuildKit's shell lexer, expansion off)."""
    out: list[str] = []
    at, length = 0, len(text)
    while at < length:
        char = text[at]
        at += 1
        if char == "'":
            end = text.find("'", at)
            end = length if end < 0 else end
            out.append(text[at:end])
            at = end + 1
        elif char == '"':
            while at < length and text[at] != '"':
                if text[at] == escape and at + 1 < length and text[at + 1] in ('"', "$", escape):
                    at += 1
                out.append(text[at])
                at += 1
            at += 1
        elif char == escape:
            if at < length:
                out.append(text[at])
                at += 1
        else:
            out.append(char)
    return "".join(out)


def read_flags(view: View, length: int, start: int, escape: str) -> tuple[tuple[Flag, ...], int]:
    """Return the flags that stand at `start` of a logical line of `length` characters, and where the rest begins.

    Source: BuildKit's extractBuilderFlags: words that start with `--`; a lone `--` ends them.
    """
    text = view.text
    flags: list[Flag] = []
    at = start
    while True:
        while at < length and text[at] in _SPACE_SET:
            at += 1
        if not text.startswith("--", at):
            return tuple(flags), at
        begin = at
        plain = True
        while at < length and text[at] not in _SPACE_SET:
            char = text[at]
            if char == escape:
                plain = False
                at += 2
            elif char in "\"'":
                plain = False
                at += 1
                while at < length and text[at] != char:
                    at += 2 if text[at] == escape else 1
                at += 1
            else:
                at += 1
        at = min(at, length)
        raw = text[begin:at]
        if raw == "--":
            while at < length and text[at] in _SPACE_SET:
                at += 1
            return tuple(flags), at
        word = raw if plain else _strip_flag_quotes(raw, escape)
        name, equals, value = word[2:].partition("=")
        cut = text.find("=", begin, at) if equals else at
        flags.append(
            Flag(
                name,
                value if equals else None,
                view.span(begin, at),
                view.span(begin, cut),
                view.span(min(cut + 1, at), at),
            )
        )


def _strip_flag_quotes(raw: str, escape: str) -> str:
    out: list[str] = []
    quote = ""
    at, length = 0, len(raw)
    while at < length:
        char = raw[at]
        at += 1
        if char == escape:
            if at < length:
                out.append(raw[at])
            at += 1
        elif quote:
            if char == quote:
                quote = ""
            else:
                out.append(char)
        elif char in "\"'":
            quote = char
        else:
            out.append(char)
    return "".join(out)


def _read_json(view: View, escape: str) -> tuple[tuple[Word, ...] | None, str]:
    """Return the strings of a JSON array and "", or None and the reason why it is none."""
    words, reason = _read_json_strings(view, escape)
    if words is None and _is_json(view.text):
        return None, NOT_STRINGS
    return words, reason


def _is_json(text: str) -> bool:
    from json import loads  # only for what is not an array of strings

    try:
        loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _read_json_strings(view: View, escape: str) -> tuple[tuple[Word, ...] | None, str]:
    text = view.text
    length = len(text)
    words: list[Word] = []

    def skip(at: int) -> int:
        while at < length and text[at] in _JSON_SPACES:
            at += 1
        return at

    at = skip(1)
    if at < length and text[at] == "]":
        at = skip(at + 1)
        return ((), "") if at == length else (None, "text follows the closing bracket")
    while True:
        at = skip(at)
        match = _JSON_STRING.match(text, at)
        if match is None:
            if at >= length:
                return None, "the closing bracket is missing"
            if text[at] == "]":
                return None, "a comma stands before the closing bracket"
            return None, "a string is not closed or holds a bad escape" if text[at] == '"' else "JSON strings need double quotes"
        words.append(Word(view, at + 1, match.end() - 1, escape, _json_text(match.group()[1:-1])))
        at = skip(match.end())
        if at >= length:
            return None, "the closing bracket is missing"
        if text[at] == "]":
            at = skip(at + 1)
            return (tuple(words), "") if at == length else (None, "text follows the closing bracket")
        if text[at] != ",":
            return None, "a comma is missing between two strings"
        at += 1


NOT_STRINGS: Final = "an exec form may hold strings only"
_JSON_SIMPLE: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _json_text(raw: str) -> str:
    return raw if "\\" not in raw else _JSON_ESCAPE.sub(_unescape, raw)


def _unescape(match: re.Match[str]) -> str:
    body = match.group(1)
    if body[0] != "u":
        return _JSON_SIMPLE.get(body, body)
    if len(body) > 5:  # a surrogate pair
        return chr(0x10000 + ((int(body[1:5], 16) & 0x3FF) << 10) + (int(body[7:11], 16) & 0x3FF))
    code = int(body[1:], 16)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)  # as Go's encoding/json replaces lone surrogates
