"""Dockerfiles: bytes to directives, comments, instructions and stages, every byte accounted for.

BuildKit's parser is the standard (frontend/dockerfile/parser/parser.go): what it joins, we join; what it calls a comment, we call a
comment. But nothing here refuses a file: whatever Docker would reject becomes a `Problem` at its place, and reading goes on.

How a file is cut:

    # syntax=…            directive      only before anything else; an ordinary comment or a blank line ends the block
    # words               comment        also between continued lines
    RUN a \\              instruction    a logical line: physical lines joined at the escape character, comments and blank lines skipped
        b <<EOF
    text                  heredoc body   belongs to the instruction; only after ADD, COPY, RUN (or ONBUILD of these)
    EOF
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from hardener.record import NamedTuple
from hardener.sources.instructions import HEREDOC_WORD, KEYWORDS, SPACES, Flag, Heredoc, Instruction, Problem, read_flags, unquote
from hardener.sources.problems import validate
from hardener.sources.stages import Stage, build_stages
from hardener.text import BOM, Pattern, SourceFile, Span, View, ViewBuilder

_INSTRUCTION_LINE = Pattern(rf"(?:{'|'.join(KEYWORDS)})[ \t]+\S")
_HEAD = Pattern(rf"[{SPACES}]*([^\t\v\f\r ]+)[{SPACES}]*")
_ASCII_HEAD = Pattern(r"[\t\n\v\f\r ]*([^\t\v\f\r ]+)[\t\n\v\f\r ]*")  # the same for ASCII, compiled in a fifth of the time
_DIRECTIVE = Pattern(r"([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
_DIRECTIVES: Final = frozenset({"syntax", "escape", "check"})
MAX_TRIGGERS: Final = 4
"""Levels of ONBUILD that are followed."""

_WITH_HEREDOC: Final = frozenset({"ADD", "COPY", "RUN"})


class Directive(NamedTuple):
    """A parser directive such as `# syntax=docker/dockerfile:1`; `name` is lower-case."""

    name: str
    value: str
    span: Span
    value_span: Span
    line: int


class Comment(NamedTuple):
    """A comment line. `text` is what follows the `#`, stripped; `inside` tells whether an instruction is being continued around it."""

    text: str
    span: Span
    line: int
    inside: bool


class Token(NamedTuple):
    """A piece of the file; all tokens together are the file. Kinds: bom, directive, comment, keyword, flag, word, key, equals, value,
    text, heredoc-marker, heredoc-line, heredoc-end, continuation, space, newline."""

    kind: str
    span: Span


class Dockerfile:
    """A whole Dockerfile; satisfies the `Document` protocol."""

    __slots__ = (
        "_pragmas", "_problems", "_syntax", "build_args", "comments", "directives", "escape", "file", "global_args", "instructions",
        "stages", "stages_by_name",
    )  # fmt: skip

    kind: Final = "dockerfile"

    def __init__(self, file: SourceFile, build_args: dict[str, str]) -> None:
        self.file = file
        self.build_args = build_args
        self.escape = "\\"
        self.directives: tuple[Directive, ...] = ()
        self.comments: tuple[Comment, ...] = ()
        self.instructions: tuple[Instruction, ...] = ()
        self.global_args: tuple[Instruction, ...] = ()
        self.stages: tuple[Stage, ...] = ()
        self.stages_by_name: dict[str, list[int]] = {}  # lower-case name -> indexes, ascending
        self._syntax: list[Problem] = []
        self._problems: tuple[Problem, ...] | None = None
        self._pragmas: tuple[tuple[int, str], ...] | None = None

    @property
    def shell_pragmas(self) -> tuple[tuple[int, str], ...]:
        """Line and shell of each `# hadolint shell=` comment."""
        pragmas = self._pragmas
        if pragmas is None:
            from hardener.sources.commands import find_pragmas

            pragmas = self._pragmas = find_pragmas(self)
        return pragmas

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything Docker would refuse, in file order."""
        problems = self._problems
        if problems is None:
            found = list(self._syntax)
            for instruction in self.all_instructions():
                found.extend(validate(instruction))
            if not self.stages:
                span = self.instructions[0].keyword if self.instructions else Span(0, 0)
                if not any(problem.code == "unknown-instruction" for problem in found):
                    found.append(Problem("no-stages", span, "the file has no FROM, so there is nothing to build"))
            else:
                first = self.stages[0].origin.index
                found += [
                    Problem("before-from", early.keyword, f"{early.name} stands before the first FROM, where only ARG may")
                    for early in self.instructions[:first]
                    if early.name != "ARG" and early.is_known
                ]
            found.sort(key=lambda problem: problem.span)
            problems = self._problems = tuple(found)
        return problems

    def all_instructions(self) -> Iterator[Instruction]:
        """Yield every instruction, each ONBUILD followed by the one it triggers."""
        for instruction in self.instructions:
            yield instruction
            trigger = instruction.trigger
            while trigger is not None:
                yield trigger
                trigger = trigger.trigger

    def tokens(self) -> Iterator[Token]:
        """Yield tokens that tile the file from its first to its last character."""
        from hardener.sources.tokens import tokens

        return tokens(self)


def parse(file: SourceFile, build_args: dict[str, str] | None = None) -> Dockerfile:
    """Read a Dockerfile. Never raises: trouble is in `problems`. `build_args` are values as given by `--build-arg`."""
    document = Dockerfile(file, build_args or {})
    _Reader(document).read()
    build_stages(document)
    return document


class _Reader:
    """Cuts a file into directives, comments and instructions, one physical line at a time."""

    __slots__ = (
        "comments",
        "directives",
        "document",
        "in_directives",
        "instructions",
        "line_count",
        "lines",
        "lines_by_text",
        "starts",
        "text",
    )

    def __init__(self, document: Dockerfile) -> None:
        self.document = document
        self.text = document.file.text
        self.lines = self.text.split("\n")
        self.starts = document.file.line_starts
        self.line_count = len(self.lines)
        self.in_directives = True
        self.lines_by_text: list[dict[str, list[int]] | None] = [None, None]  # without and with leading tabs removed
        self.directives: list[Directive] = []
        self.comments: list[Comment] = []
        self.instructions: list[Instruction] = []

    def line(self, index: int) -> tuple[int, str]:
        """Return the offset of a 0-based line and its text without CR and LF."""
        line = self.lines[index]
        if line.endswith("\r"):
            line = line.rstrip("\r")
        if index == 0 and line.startswith(BOM):
            return 1, line[1:]
        return self.starts[index], line

    def read(self) -> None:
        index = 0
        count = self.line_count
        document = self.document
        while index < count:
            start, line = self.line(index)
            stripped = line.lstrip(SPACES)
            if not stripped:
                self.in_directives = False
                index += 1
            elif stripped[0] == "#":
                self.comment(index, start + len(line) - len(stripped), stripped, inside=False)
                index += 1
            else:
                self.in_directives = False
                index = self.instruction(index, start + len(line) - len(stripped), stripped)
        document.directives = tuple(self.directives)
        document.comments = tuple(self.comments)
        document.instructions = tuple(self.instructions)

    def comment(self, index: int, start: int, line: str, *, inside: bool) -> None:
        span = Span(start, start + len(line))
        if self.in_directives and not self.directive(index, start, line):
            self.in_directives = False
        self.comments.append(Comment(line[1:].strip(), span, index + 1, inside))

    def directive(self, index: int, start: int, line: str) -> bool:
        match = _DIRECTIVE.match(line, len(line) - len(line[1:].lstrip(SPACES)))
        if match is None or match.group(1).lower() not in _DIRECTIVES:
            return False
        name, value = match.group(1).lower(), match.group(2)
        span = Span(start, start + len(line))
        value_span = Span(start + match.start(2), start + match.end(2))
        document = self.document
        if any(directive.name == name for directive in self.directives):
            document._syntax.append(Problem("bad-directive", span, f"the directive {name} is given twice"))
        elif name == "escape" and value not in ("\\", "`"):
            document._syntax.append(Problem("bad-directive", value_span, f"the escape character must be \\ or `, not {value!r}"))
        else:
            self.directives.append(Directive(name, value, span, value_span, index + 1))
            if name == "escape":
                document.escape = value
        return True

    def continued(self, line: str) -> int:
        """Return where the continuation mark of `line` stands, or -1 when the line ends the instruction."""
        escape = self.document.escape
        bare = line.rstrip(" \t")
        if not bare.endswith(escape) or (len(bare) > 1 and bare[-2] == escape):
            return -1
        return len(bare) - 1

    def instruction(self, index: int, start: int, line: str) -> int:
        """Read the instruction that begins at `line`; return the index of the first line after it."""
        first = index
        index += 1
        cut = self.continued(line)
        if cut < 0:
            view = View(line, [0], [start], start + len(line))
        else:
            builder = ViewBuilder()
            builder.add(line[:cut], start)
            while cut >= 0 and index < self.line_count:
                start, line = self.line(index)
                stripped = line.lstrip(SPACES)
                if not stripped:
                    if index + 1 < self.line_count or line:  # not the empty rest after a final newline
                        span = Span(start, start + len(line))
                        self.document._syntax.append(Problem("empty-continuation", span, "an empty line inside a continued instruction"))
                elif stripped[0] == "#":
                    self.comment(index, start + len(line) - len(stripped), stripped, inside=True)
                else:
                    cut = self.continued(line)
                    builder.add(line if cut < 0 else line[:cut], start)
                index += 1
            view = builder.build()
        instruction = self.split(view, first + 1)
        if instruction is None:
            return index
        self.instructions.append(instruction)
        if "<<" in view.text:
            index = self.heredocs(instruction, index)
        # Lines consumed, blank lines and comments after the last continuation mark included: as BuildKit counts.
        instruction.end_line = self.end_line(index)
        return index

    def end_line(self, index: int) -> int:
        """Return the 1-based number of the line before `index`, not counting the empty rest after a final newline."""
        if index == self.line_count and self.starts[-1] == len(self.text) and index > 1:
            return index - 1
        return index

    def split(self, view: View, line: int, parent: Instruction | None = None, depth: int = 0) -> Instruction | None:
        """Split a logical line into keyword, flags and rest, and an ONBUILD into its trigger."""
        text = view.text.rstrip(SPACES)
        match = (_ASCII_HEAD if text.isascii() else _HEAD).match(text)
        if match is None:
            return None
        document = self.document
        at = match.end()
        flags: tuple[Flag, ...] = ()
        if text.startswith("--", at):
            flags, at = read_flags(view, len(text), at, document.escape)
        if len(view.origins) == 1:  # an instruction on one line: no need to ask the map
            origin = view.origins[0]
            keyword = Span(origin + match.start(1), origin + match.end(1))
            rest = View(text[at:], [0], [origin + at], origin + len(text))
        else:
            keyword = view.span(*match.span(1))
            rest = view.sub(at, len(text))
        instruction = Instruction(document, view, match.group(1).upper(), keyword, flags, rest)
        instruction.line = line
        instruction.index = len(self.instructions) if parent is None else parent.index
        instruction.is_trigger = parent is not None
        # BuildKit reads ONBUILD ONBUILD too, and refuses it later; deeper than that is noise.
        if instruction.name == "ONBUILD" and instruction.text and depth < MAX_TRIGGERS:
            instruction.trigger = self.split(instruction.rest, line, instruction, depth + 1)
        return instruction

    def heredocs(self, instruction: Instruction, index: int) -> int:
        """Read the bodies that the markers of an instruction announce; return the index of the first line after them."""
        owner = instruction
        if owner.name == "ONBUILD" and owner.trigger is not None:
            owner = owner.trigger
        if owner.name not in _WITH_HEREDOC:
            return index
        found: list[Heredoc] = []
        for start, end, fd, chomp, name, expand in heredoc_markers(instruction.view.text):
            marker = instruction.view.span(start, end)
            closing = self.closing_line(index, name, chomp=chomp)
            body_from = self.starts[index] if index < self.line_count else len(self.text)
            if closing < 0:
                self.document._syntax.append(Problem("unterminated-heredoc", marker, f"the heredoc {name!r} is never closed"))
                index = self.next_instruction(index)
                body_to = self.starts[index] if index < self.line_count else len(self.text)
                terminator = Span(body_to, body_to)
            else:
                body_to, line = self.line(closing)
                index = closing + 1
                terminator = Span(body_to + len(line) - len(name), body_to + len(line))
            body = View(self.text[body_from:body_to], [0], [body_from], body_to)
            found.append(Heredoc(name, marker, fd, chomp, expand, body, terminator, closing >= 0))
            if closing < 0:
                break  # the ones after it can only be guessed at: one thing wrong, one finding
        if found:
            owner.heredocs = tuple(found)
            last = found[-1].terminator.end
            instruction.span = Span(instruction.span.start, last)
            owner.span = Span(owner.span.start, last)
        return index

    def closing_line(self, index: int, name: str, *, chomp: bool) -> int:
        """Return the first line from `index` on that is `name` alone (behind tabs, with `chomp`), or -1.

        The first search that fails builds an index of all lines, so that a file of unclosed heredocs is not read once for each.
        """
        table = self.lines_by_text[chomp]
        if table is None:
            for at in range(index, self.line_count):
                line = self.line(at)[1]
                if (line.lstrip("\t") if chomp else line) == name and self.starts[at] < len(self.text):
                    return at
            table = {}
            for at in range(self.line_count):
                line = self.line(at)[1]
                table.setdefault(line.lstrip("\t") if chomp else line, []).append(at)
            self.lines_by_text[chomp] = table
            return -1
        lines = table.get(name, [])
        at = bisect_left(lines, index)
        return lines[at] if at < len(lines) and self.starts[lines[at]] < len(self.text) else -1

    def next_instruction(self, index: int) -> int:
        """Return the first line from `index` on that looks like an instruction: where reading goes on after an unclosed heredoc."""
        while index < self.line_count and _INSTRUCTION_LINE.match(self.line(index)[1]) is None:
            index += 1
        return index


def heredoc_markers(text: str) -> list[tuple[int, int, int, bool, str, bool]]:
    """Return (start, end, fd, chomp, name, expand) for each heredoc that a logical line announces.

    Source: BuildKit's heredocsFromLine. Words are split outside quotes; a word is a marker only when it *starts* with `<<` or
    digits and `<<`; an unbalanced quote or a bad `${` on the line means that there is none. The escape character here is always
    a backslash, whatever the directive says.
    """
    words: list[tuple[int, int]] = []
    at, length = 0, len(text)
    start = -1
    while at < length:
        char = text[at]
        if char in _MARKER_SPACES:
            if start >= 0:
                words.append((start, at))
                start = -1
            at += 1
            continue
        if start < 0:
            start = at
        if char == "\\":
            at += 2
        elif char == "'":
            at = text.find("'", at + 1) + 1
            if at == 0:
                return []
        elif char == '"':
            at += 1
            while at < length and text[at] != '"':
                at += 2 if text[at] == "\\" else 1
            if at >= length:
                return []
            at += 1
        elif char == "$" and text.startswith("{", at + 1):
            match = _SUBSTITUTION.match(text, at)
            if match is None:
                return []
            at = match.end()
        elif char == "<" and text.startswith("<", at + 1):
            at += 2
            while at < length and text[at] in "\t\r ":
                at += 1
        else:
            at += 1
    if start >= 0:
        words.append((start, min(at, length)))
    markers = []
    for start, end in words:
        match = HEREDOC_WORD.match(text[start:end])
        if match is None or not match.group(3):
            continue
        raw = match.group(3)
        name = unquote(raw, "\\")
        markers.append((start, end, int(match.group(1) or 0), bool(match.group(2)), name, not ("'" in raw or '"' in raw)))
    return markers


_MARKER_SPACES: Final = frozenset(SPACES)
_SUBSTITUTION = Pattern(r"\$\{[^{}:][^}]*\}")
