"""Read words of POSIX shell and bash: quotes, expansions, substitutions, here-documents.

Regular expressions jump over ordinary characters. Only substitutions recurse, to a bounded depth. Source: POSIX.1-2024 XCU 2.2 to
2.7, the bash manual's "Quoting" and "Shell Expansions".
"""

import re
from collections.abc import Callable
from typing import Final

from hardener.sources.shell import MAX_DEPTH, Command, Problem, QuotedWord, Redirect, Script, Word, append
from hardener.sources.shell_lists import ListBuilder
from hardener.text import View, ViewBuilder

_VARIABLE = r"\$(?:[A-Za-z_][A-Za-z_0-9]*+|[0-9@*#?$!\-])"
# Patterns that few scripts need are strings: `re` compiles them at their first use and keeps them, and start-up pays for none.
_PIECE_SOURCE = rf"""
    '([^']*+)'                  # 2
    |"([^"\\`$]*+)"              # 3
    |\\(\r?\n)                   # 4 a continuation
    |\\(.)                       # 5
    |({_VARIABLE})               # 6
    |(\$\(\()                    # 7
    |(\$\(|[<>]\()               # 8
    |(\$\{{)                     # 9
    |(`)                         # 10
    |(\$?")                      # 11
    |\$'((?:[^'\\]++|\\.)*)'      # 12
    |(['\\$])                    # 13 an unterminated quote, a last backslash, a lone dollar
"""
_PIECE = re.compile(rf"""([^ \t\r\n'"\\`$()<>|&;]++)|{_PIECE_SOURCE}""", re.VERBOSE | re.DOTALL)
# Inside [[ ]], where < && and parentheses are operators of the test and may touch a word.
_TEST_PIECE: Final = rf"""((?:[^ \t\r\n'"\\`$;<>]++|[<>](?!\())+)|{_PIECE_SOURCE}"""
_IN_DOUBLE = re.compile(
    rf"""
    ([^"\\`$]++)                # 1
    |\\([$`"\\])                 # 2
    |\\(\r?\n)                   # 3
    |(")                         # 4
    |({_VARIABLE})               # 5
    |(\$\(\(|\$\(|\$\{{|`)       # 6
    |([\\$])                     # 7
    """,
    re.VERBOSE,
)
_IN_BRACES = re.compile(
    r"""
    ((?:[^}'"\\`$]++|\\.|[\\$](?![({]))+)  # 1
    |(\})                        # 2
    |(')                         # 3
    |(")                         # 4
    |(\$\(\(|\$\(|\$\{|`)        # 5
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_BACKTICKS = re.compile(r"(?:[^`\\]++|\\.)*", re.DOTALL)
_BACKTICK_ESCAPE = re.compile(r"\\(?=[$`\\])")
_QUOTED_BACKTICK_ESCAPE = re.compile(r"\\(?=[$`\\\"])")
_PARENTHESES = re.compile(r"[()]|'[^']*+'|\"(?:[^\"\\]++|\\.)*\"|\\.", re.DOTALL)
_ANSI: Final = r"(?s)\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})|(.))"
_ANSI_CHARACTERS: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}
_ARRAY = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(?:\[[^\]]*\])?\+?=\Z")
_MARKERS = re.compile(r"\\.|[$`]", re.DOTALL)
SPACE: Final = re.compile(r"(?:[ \t\r\n]++|\\\r?\n|(?<![^ \t\r\n;(])#[^\n]*+)*")

_LOOKAHEAD: Final = 4096  # characters within which `((` must close to count as arithmetic
_LOOKAHEADS: Final = 64  # vain looks ahead, after which a text is hopeless
_REWINDS: Final = 16  # unterminated constructs behind whose opening a text is read a second time


class Expansion(str):
    """A piece of a word that the shell replaces, as written: what tells `$X` from `'$X'`."""

    __slots__ = ()


class WordReader:
    """Reads words of one text, and keeps what its lists share: problems, depth, the list being read.

    `read_list` reads a list of commands into a script, from an offset to a closer or an end: the grammar, which knows words, is
    handed to the words, which hold lists.
    """

    __slots__ = ("depth", "dialect", "list", "lookaheads", "problems", "read_list", "rewinds", "text", "view")

    def __init__(
        self, view: View, dialect: str, depth: int, read_list: "Callable[[WordReader, Script, int, int, str], tuple[int, bool]]"
    ) -> None:
        self.view = view
        self.text = view.text
        self.dialect = dialect
        self.depth = depth
        self.read_list = read_list
        self.problems: list[Problem] = []
        self.rewinds = _REWINDS
        self.lookaheads = _LOOKAHEADS
        self.list: ListBuilder | None = None

    def problem(self, message: str, start: int, end: int) -> None:
        """Note something that the shell would refuse."""
        self.problems.append(Problem(message, self.view.span(start, end)))

    def _line_end(self, start: int, end: int) -> int | None:
        """Return where the line of an unterminated quote ends, when reading may go on from there; None for no second try."""
        if self.rewinds > 0:
            line_end = self.text.find("\n", start, end)
            if line_end >= 0:
                self.rewinds -= 1
                return line_end
        return None

    def word(self, start: int, end: int, *, is_test: bool = False) -> Word:
        """Return the word at `start`; it takes at least one character."""
        text = self.text
        word = QuotedWord(self.view, start)
        piece = (re.compile(_TEST_PIECE, re.VERBOSE | re.DOTALL) if is_test else _PIECE).match
        pos = start
        while pos < end:
            match = piece(text, pos, end)
            if match is None:
                stop = self._parenthesis(word, pos, end) if text[pos] == "(" and pos > start else pos
                if stop == pos:
                    break
                pos = stop
                continue
            kind = match.lastindex or 0
            if kind == 1:
                word.add(match[1], pos)
                pos = match.end()
            elif kind in {2, 3, 5}:
                word.quoted = True
                word.parts.append((match[kind], pos + 1))
                pos = match.end()
            elif kind == 4:
                pos = match.end()
            elif kind == 11:
                word.quoted = True
                pos = self._double(word, pos, match.end(), end)
            elif kind == 12:
                word.quoted = True
                self._ansi(word, match.start(12), match[12])
                pos = match.end()
            elif kind == 13:
                pos = self._stray(word, pos, end)
            else:
                word.static = False
                pos = self._expand(word, match[0], pos, end, in_double=False)
        if pos == start:
            pos += 1
            word.add(text[start:pos], start)
        return word.finish(pos)

    def _stray(self, word: QuotedWord, pos: int, end: int) -> int:
        """Take an unterminated single quote, a backslash at the end, or a dollar that expands nothing."""
        text = self.text
        if text[pos] != "'":
            word.add(text[pos], pos)
            return pos + 1
        word.quoted = True
        self.problem("this single quote is never closed", pos, pos + 1)
        stop = self._line_end(pos, end) or end
        word.parts.append((text[pos + 1 : stop], pos + 1))
        return stop

    def _parenthesis(self, word: QuotedWord, pos: int, end: int) -> int:
        """Take the rest of `name=(…)` or of an extended glob; return `pos` when it is neither."""
        before = word.parts[-1][0] if word.parts else ""
        if before.endswith("=") and len(word.parts) == 1 and _ARRAY.match(before):
            return self._array(word, pos, end)
        if before and before[-1] in "?*+@!" and self.dialect == "bash":
            stop = self.balanced(pos, end)
            if stop is not None:
                self.scan(word, pos + 1, stop - 1)
                word.add("*", pos)  # an extended glob is a glob, whatever it holds
                word.parts[-1] = (self.text[pos:stop], pos)
                return stop
        return pos

    def _array(self, word: QuotedWord, opened: int, end: int) -> int:
        """Take the elements of an array as part of its word."""
        text = self.text
        pos = opened + 1
        if self.depth >= MAX_DEPTH:
            pos = self._skip(pos, end)
        else:
            self.depth += 1
            while True:
                space = SPACE.match(text, pos, end)
                pos = space.end() if space else pos
                if pos >= end:
                    self.problem("this ( is never closed", opened, opened + 1)
                    break
                if text[pos] == ")":
                    pos += 1
                    break
                element = self.word(pos, end)
                word.static = word.static and element.static
                word.found.extend(element.scripts)
                pos = element.end
            self.depth -= 1
        word.parts.append((text[opened:pos], opened))
        return pos

    def _double(self, word: QuotedWord, opened: int, pos: int, end: int) -> int:
        """Take the inside of double quotes from `pos`, and the closing one."""
        scripts, parts, problems = len(word.found), len(word.parts), len(self.problems)
        while True:
            match = _IN_DOUBLE.match(self.text, pos, end)
            if match is None:
                break
            kind = match.lastindex or 0
            if kind == 4:
                return match.end()
            if kind in {1, 7}:
                word.parts.append((match[0], pos))
                pos = match.end()
            elif kind == 2:
                word.parts.append((match[2], pos + 1))
                pos = match.end()
            elif kind == 3:
                pos = match.end()
            else:
                word.static = False
                pos = self._expand(word, match[0], pos, end, in_double=True)
        line_end = self._line_end(opened, end)
        if line_end is not None:
            del word.found[scripts:]
            del word.parts[parts:]
            del self.problems[problems:]
            return self._double(word, opened, opened + 1, line_end)
        self.problem("this double quote is never closed", opened, opened + 1)
        return pos

    def _ansi(self, word: QuotedWord, at: int, body: str) -> None:
        """Decode the inside of `$'…'`."""
        done = 0
        for match in re.finditer(_ANSI, body):
            if match.start() > done:
                word.parts.append((body[done : match.start()], at + done))
            done = match.end()
            hexadecimal = match[1] or match[2] or match[3]
            if hexadecimal:
                code = int(hexadecimal, 16)
                text = chr(code) if code < 0x110000 else "\ufffd"
            elif match[4]:
                text = chr(int(match[4], 8) & 0xFF)
            else:
                text = _ANSI_CHARACTERS.get(match[5], match[5])
            word.parts.append((text, at + match.start()))
        if done < len(body):
            word.parts.append((body[done:], at + done))

    # Expansions: each takes the offset of its first character, gives its scripts to `word`, and returns the offset behind its last.

    def _expand(self, word: QuotedWord, opening: str, pos: int, end: int, *, in_double: bool) -> int:
        """Take what `opening` begins, as written."""
        stop = self._expansion(word, opening, pos, end, in_double=in_double)
        word.parts.append((Expansion(self.text[pos:stop]), pos))
        return stop

    def _expansion(self, word: QuotedWord, opening: str, pos: int, end: int, *, in_double: bool) -> int:
        if opening[0] == "`":
            return self._backticks(word, pos, end, in_double=in_double)
        if opening == "${":
            return self._braces(word, pos, end, in_double=in_double)
        if opening == "$((":
            return self._arithmetic(word, pos, end)
        if opening[-1] == "(":
            return self._substitution(word, pos, end, "substitution" if opening[0] == "$" else "process-substitution")
        return pos + len(opening)

    def _substitution(self, word: QuotedWord, opened: int, end: int, scope: str) -> int:
        """Read `$(…)`, `<(…)` or `>(…)` as a script of its own."""
        pos = opened + 2
        if self.depth >= MAX_DEPTH:
            return self._skip(pos, end)
        script = self._nested(pos, end, scope)
        stop, closed = self._read(script, pos, end, ")")
        script.end = stop - 1 if closed else stop
        if not closed:
            self.problem("this ( is never closed", opened, pos)
        word.found.append(script)
        return stop

    def _read(self, script: Script, pos: int, end: int, closer: str) -> tuple[int, bool]:
        outer = self.list
        self.depth += 1
        result = self.read_list(self, script, pos, end, closer)
        self.depth -= 1
        self.list = outer
        return result

    def _nested(self, start: int, end: int, scope: str) -> Script:
        script = Script(self.view, start, end, self.dialect, scope=(scope,))
        script.level = self.depth + 1
        outer = self.list
        if outer is not None:
            script.scope = (*outer.scope, scope)
            script.pipefail, script.errexit = outer.pipefail, outer.errexit
            script.rereads = outer.script.rereads
        return script

    def _backticks(self, word: QuotedWord, opened: int, end: int, *, in_double: bool) -> int:
        text = self.text
        start = opened + 1
        match = _IN_BACKTICKS.match(text, start, end)
        stop = match.end() if match else start
        closed = stop < end and text[stop] == "`"
        if not closed:
            self.problem("this backtick is never closed", opened, start)
            stop = self._line_end(opened, end) or end
        if self.depth < MAX_DEPTH:
            script = self._nested(start, stop, "substitution")
            escape = _QUOTED_BACKTICK_ESCAPE if in_double else _BACKTICK_ESCAPE
            if escape.search(text, start, stop):
                self._unescaped(script, escape, start, stop)
            else:
                self._read(script, start, stop, "")
            word.found.append(script)
        return stop + 1 if closed else stop

    def _unescaped(self, script: Script, escape: re.Pattern[str], start: int, stop: int) -> None:
        """Read the inside of backticks after one level of backslashes is gone: a text of its own."""
        builder = ViewBuilder()
        at = start
        skipped = -1
        for found in escape.finditer(self.text, start, stop):
            if found.start() == skipped:  # the second of two backslashes
                continue
            append(builder, self.view, at, self.text[at : found.start()])
            at = skipped = found.end()
        append(builder, self.view, at, self.text[at:stop])
        view = builder.build()
        script.replace(view)
        inside = WordReader(view, self.dialect, self.depth, self.read_list)
        inside.problems, inside.rewinds, inside.lookaheads = self.problems, self.rewinds, self.lookaheads
        inside._read(script, 0, len(view.text), "")
        self.rewinds, self.lookaheads = inside.rewinds, inside.lookaheads

    def _braces(self, word: QuotedWord, opened: int, end: int, *, in_double: bool) -> int:
        """Take `${…}`."""
        text = self.text
        pos = opened + 2
        if self.depth >= MAX_DEPTH:
            stop = text.find("}", pos, end)
            return end if stop < 0 else stop + 1
        self.depth += 1
        problems = len(self.problems)
        scratch = QuotedWord(self.view, pos)
        while True:
            match = _IN_BRACES.match(text, pos, end)
            if match is None:
                break
            kind = match.lastindex
            pos = match.end()
            if kind == 2:
                self.depth -= 1
                word.found.extend(scratch.found)
                return pos
            if kind == 3 and not in_double:
                pos = max(pos, text.find("'", pos, end) + 1)
            elif kind == 4 and text.find('"', pos, end) >= 0:
                pos = self._double(scratch, pos - 1, pos, end)
            elif kind == 5:
                pos = self._expansion(scratch, match[0], match.start(), end, in_double=in_double)
        self.depth -= 1
        if self.rewinds > 0:
            # An unclosed ${ is taken as it stands, so that it hides nothing.
            self.rewinds -= 1
            del self.problems[problems:]
            pos = opened + 2
        else:
            word.found.extend(scratch.found)
            pos = end
        self.problem("this ${ is never closed", opened, opened + 2)
        return pos

    def _arithmetic(self, word: QuotedWord, pos: int, end: int) -> int:
        """Take `$((…))`; when the parentheses do not close as a pair, it is a substitution that begins with a subshell."""
        stop = self.double_parenthesis(word, pos + 1, end)
        return self._substitution(word, pos, end, "substitution") if stop is None else stop

    def double_parenthesis(self, word: QuotedWord, pos: int, end: int) -> int | None:
        """Return the offset behind the `((…))` at `pos`, with the scripts inside given to `word`; None when it is not one."""
        stop = self.balanced(pos, end)
        if stop is None or self.balanced(pos + 1, stop - 1) != stop - 1:
            return None
        self.scan(word, pos + 2, stop - 2)
        return stop

    def balanced(self, pos: int, end: int) -> int | None:
        """Return the offset behind the parenthesis that closes the one at `pos`; None when that is too far away."""
        if self.lookaheads <= 0:
            return None
        stop = self._closing(pos, min(end, pos + _LOOKAHEAD), 0)
        if stop is None:
            self.lookaheads -= 1
        return stop

    def _skip(self, pos: int, end: int) -> int:
        """Return the offset behind the closing parenthesis of a substitution that is nested too deep to be read."""
        return self._closing(pos, end, 1) or end

    def _closing(self, pos: int, end: int, depth: int) -> int | None:
        for match in _PARENTHESES.finditer(self.text, pos, end):
            if match[0] == "(":
                depth += 1
            elif match[0] == ")":
                depth -= 1
                if depth <= 0:
                    return match.end()
        return None

    def scan(self, word: QuotedWord, pos: int, end: int) -> None:
        """Read the substitutions in a range where quotes mean nothing: arithmetic, a here-document."""
        text = self.text
        while True:
            found = _MARKERS.search(text, pos, end)
            if found is None:
                return
            pos = found.end()
            if text[found.start()] != "\\":
                match = _IN_DOUBLE.match(text, found.start(), end)
                if match is not None:
                    pos = max(pos, self._expansion(word, match[0], found.start(), end, in_double=True))

    def heredoc(self, redirect: Redirect, owner: Command, pos: int, end: int) -> int:
        """Take the body of a here-document whose first line starts at `pos`; return where the line after its end marker starts."""
        marker = redirect.target.text if redirect.target is not None else ""
        tabs = redirect.operator == "<<-"
        stop, behind = self._marker(marker, pos, end, tabs=tabs)
        if stop < 0:
            self.problem(f"the here-document {marker!r} has no end marker", redirect.start, redirect.end)
            stop = behind = end
        redirect.body = self._without_tabs(pos, stop) if tabs else self.view.sub(pos, stop)
        if redirect.expand:
            scratch = QuotedWord(self.view, pos)
            self.scan(scratch, pos, stop)
            redirect.scripts += tuple(scratch.found)
            for script in scratch.found:
                script.parent = owner
        return behind

    def _marker(self, marker: str, pos: int, end: int, *, tabs: bool) -> tuple[int, int]:
        """Return where the line of the end marker starts and where the next line starts; (-1, -1) without one."""
        text = self.text
        if not marker:
            match = re.compile(r"^\r?$", re.MULTILINE).search(text, pos, end)
            return (match.start(), min(match.end() + 1, end)) if match else (-1, -1)
        at = pos
        while True:
            at = text.find(marker, at, end)
            if at < 0:
                return -1, -1
            line = at
            while tabs and line > pos and text[line - 1] == "\t":
                line -= 1
            stop = at + len(marker)
            ends = stop == end or text[stop] == "\n" or text.startswith("\r\n", stop, end) or (stop + 1 == end and text[stop] == "\r")
            if ends and (line == pos or text[line - 1] == "\n"):
                newline = text.find("\n", stop, end)
                return line, end if newline < 0 else newline + 1
            at = stop

    def _without_tabs(self, start: int, stop: int) -> View:
        text = self.text
        builder = ViewBuilder()
        builder.add("", self.view.offset(start))
        at = start
        for match in re.compile(r"^\t+", re.MULTILINE).finditer(text, start, stop):
            append(builder, self.view, at, text[at : match.start()])
            at = match.end()
        append(builder, self.view, at, text[at:stop])
        return builder.build()
