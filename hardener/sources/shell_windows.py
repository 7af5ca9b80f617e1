"""Read PowerShell and cmd, roughly: commands, pipelines, names and arguments, by the quoting rules of each.

Enough to see what is downloaded, run and configured, and to misread none of it as POSIX. Blocks, groups and subexpressions of
PowerShell are scripts of their own inside the word that holds them. Source: about_Parsing, about_Quoting_Rules,
about_Operators; `cmd /?`.
"""

import re
from typing import Final

from hardener.sources.shell import MAX_DEPTH, Problem, QuotedWord, Redirect, Script, Word
from hardener.sources.shell_lists import ListBuilder
from hardener.text import View

_POWERSHELL_TOKEN = re.compile(
    r"""(?:[ \t\r]|`\r?\n)*(?:
     (\n)                                        # 1
    |(&&|\|\||[;|])                              # 2
    |(<\#(?:[^#]++|\#(?!>))*(?:\#>)?|\#[^\n]*)    # 3 a comment
    |([)}])                                      # 4
    |((?:[0-9]|\*)?>>?(?:&[0-9])?)               # 5 a redirection
    |(?=(.))                                     # 6 a word
    )?""",
    re.VERBOSE | re.DOTALL,
)
_POWERSHELL_PIECE = re.compile(
    r"""
     ([^ \t\r\n'"`$(){};|,@]++)                  # 1
    |'((?:[^']++|'')*)'(?!')                         # 2
    |(")                                         # 3
    |(@'\r?\n(?:[^\n]++|\n(?!'@))*(?:\n'@)?)      # 4 here-strings
    |(@"\r?\n(?:[^\n]++|\n(?!"@))*(?:\n"@)?)      # 5
    |`\r?\n                                      # a continuation
    |`(.)                                        # 6
    |([$@]?[({])                                 # 7
    |(\$[A-Za-z0-9_:?^$]+)                       # 8
    |([$`'@,])                                   # 9 as it stands
    """,
    re.VERBOSE | re.DOTALL,
)
_POWERSHELL_IN_DOUBLE = re.compile(r'([^"`$]++)|""|`(.)|(")|(\$\()|(\$[A-Za-z0-9_:?^$]+|\$\{[^}"]*\})|([`$])', re.DOTALL)
_POWERSHELL_ASSIGNMENT = re.compile(r"(\$[A-Za-z_][A-Za-z0-9_:.]*)[ \t]*(\+?=)(?!=)")
_GROUPS: Final = {
    "(": ("group", ")"),
    "{": ("block", "}"),
    "$(": ("substitution", ")"),
    "@(": ("group", ")"),
    "@{": ("", "}"),
    "${": ("", "}"),
}
_BRACKETS = re.compile(r"[(){}]|'[^']*+'|\"[^\"]*+\"|`.", re.DOTALL)

_CMD_TOKEN = re.compile(
    r"""(?:[ \t\r]|\^\r?\n)*(?:
     (\n)                                        # 1
    |(&&|\|\||[&|])                              # 2
    |([()])                                      # 3
    |([0-9]?(?:>>|>&|[<>]))                      # 4
    |(?=(.))                                     # 5
    )?""",
    re.VERBOSE | re.DOTALL,
)
_CMD_PIECE = re.compile(r"""([^ \t\r\n"^&|<>()%]++)|"([^"\n]*+)("?)|\^\r?\n|\^(.)|(%[^%\s]*%|%%?~?[A-Za-z0-9*])|([%()^])""", re.DOTALL)
_CMD_CONDITION = re.compile(
    r"""(?:[ \t]*/i\b)?(?:[ \t]+not\b)?[ \t]+
    (?:(?:exist|defined|errorlevel|cmdextversion)[ \t]+(?:"[^"\n]*"|[^ \t\r\n()]+)
      |(?:"[^"\n]*"|[^ \t\r\n="]+)[ \t]*(?:==|[ \t](?:equ|neq|lss|leq|gtr|geq)[ \t])[ \t]*(?:"[^"\n]*"|[^ \t\r\n()]+))""",
    re.VERBOSE | re.IGNORECASE,
)
_CMD_FOR = re.compile(r"[^\n()&|]{0,200}\([^\n()]{0,1000}\)[ \t]*do\b[ \t]*", re.IGNORECASE)


def read(script: Script) -> None:
    """Fill `script` with the commands of its text. Linear in the text; never raises."""
    problems: list[Problem] = []
    if script.dialect == "powershell":
        _PowerShell(script, script.view, problems, script.level).read(0, len(script.view.text), "")
    else:
        _Cmd(script, problems).read()
    script.problems = tuple(problems)


class _PowerShell(ListBuilder):
    """Reads one list of statements: a script, or the inside of braces or parentheses."""

    __slots__ = ("depth", "text")

    def __init__(self, script: Script, view: View, problems: list[Problem], depth: int) -> None:
        super().__init__(script, view, problems)
        self.text = view.text
        self.depth = depth

    def read(self, pos: int, end: int, closer: str) -> tuple[int, bool]:
        """Read from `pos` to the closer or the end; return the offset behind it, and whether the closer was there."""
        text = self.text
        while True:
            match = _POWERSHELL_TOKEN.match(text, pos, end)
            kind = match.lastindex if match is not None else None
            if match is None or kind is None:
                self.end_all(end)
                return end, False
            start, pos = match.span(kind)
            if kind == 1:
                self.end_pipeline("\n")
            elif kind == 2:
                if match[2] == "|":
                    self.pipe(start, pos)
                else:
                    self.end_pipeline(match[2])
            elif kind == 4:
                if match[4] == closer:
                    self.end_all(start)
                    return pos, True
                self.end_pipeline("")
                self.problem(f"this {match[4]} was never opened", start, pos)
            elif kind == 5:
                pos = self._redirect(match[5], start, pos, end)
            elif kind == 6:
                pos = self._take(start, end)

    def _take(self, start: int, end: int) -> int:
        """Take a word, or at the beginning of a statement the `$x =` of an assignment."""
        if self.command is None:
            self.begin(start)
            match = _POWERSHELL_ASSIGNMENT.match(self.text, start, end)
            if match is not None:
                self.words.extend(Word(self.view, *match.span(group), match[group]) for group in (1, 2))
                self.last = match.end()
                return match.end()
        if self.text[start] == "&":
            word = Word(self.view, start, start + 1, "&")
        else:
            word = self._word(start, end)
        self.words.append(word)
        self.has_scripts = True
        self.last = word.end
        return word.end

    def _word(self, start: int, end: int) -> Word:
        text = self.text
        word = QuotedWord(self.view, start)
        pos = start
        while pos < end:
            match = _POWERSHELL_PIECE.match(text, pos, end)
            if match is None:
                break
            kind = match.lastindex
            at, pos = pos, match.end()
            if kind == 1:
                word.add(match[1], at)
            elif kind == 2:
                word.quoted = True
                _undouble(word, match[2], at + 1, "'")
            elif kind == 3:
                word.quoted = True
                pos = self._double(word, at, end)
            elif kind in {4, 5}:
                word.quoted = True
                word.static = word.static and (kind == 4 or "$" not in match[0])
                inner = text.index("\n", at) + 1
                stop = pos - 3 if text.endswith(("\n'@", '\n"@'), at, pos) else pos
                if stop == pos:
                    self.problem("this here-string is never closed", at, inner)
                word.parts.append((text[inner : max(inner, stop)], inner))
            elif kind == 6:
                word.quoted = True
                word.parts.append((match[6], at + 1))
            elif kind == 7:
                pos = self._group(word, match[7], at, end)
            elif kind == 8:
                word.static = False
                word.parts.append((match[8], at))
            elif kind == 9:
                if match[9] == "'":
                    self.problem("this quote is never closed", at, pos)
                word.add(match[9], at)
        if pos == start:
            pos += 1
            word.add(text[start:pos], start)
        return word.finish(pos)

    def _double(self, word: QuotedWord, opened: int, end: int) -> int:
        pos = opened + 1
        while True:
            match = _POWERSHELL_IN_DOUBLE.match(self.text, pos, end)
            if match is None:
                self.problem("this quote is never closed", opened, opened + 1)
                return pos
            at, pos = pos, match.end()
            kind = match.lastindex
            if kind == 3:
                return pos
            if kind == 4:
                pos = self._group(word, "$(", at, end)
            elif kind is None:
                word.parts.append(('"', at))
            else:
                word.static = word.static and kind != 5
                word.parts.append((match[kind], at + (kind == 2)))

    def _group(self, word: QuotedWord, opening: str, start: int, end: int) -> int:
        """Take braces or parentheses, the script inside included."""
        scope, closer = _GROUPS[opening]
        pos = start + len(opening)
        word.static = False
        if not scope or self.depth >= MAX_DEPTH:
            stop = self._skip(pos, end)
        else:
            script = Script(self.view, pos, end, "powershell", errexit=self.errexit, scope=(*self.scope, scope))
            script.level = self.depth + 1
            script.rereads = self.script.rereads
            stop, closed = _PowerShell(script, self.view, self.problems, self.depth + 1).read(pos, end, closer)
            script.end = stop - 1 if closed else stop
            if not closed:
                self.problem(f"this {opening} is never closed", start, pos)
            word.found.append(script)
        word.parts.append((self.text[start:stop], start))
        return stop

    def _skip(self, pos: int, end: int) -> int:
        depth = 1
        for match in _BRACKETS.finditer(self.text, pos, end):
            if match[0] in "({":
                depth += 1
            elif match[0] in ")}":
                depth -= 1
                if depth == 0:
                    return match.end()
        return end

    def _redirect(self, operator: str, start: int, pos: int, end: int) -> int:
        target = None
        if "&" not in operator:
            match = _POWERSHELL_TOKEN.match(self.text, pos, end)
            if match is not None and match.lastindex == 6:
                target = self._word(match.start(6), end)
                pos = target.end
        bare = operator.lstrip("0123456789*")
        self.redirect(Redirect(self.view, start, pos, bare, operator[: len(operator) - len(bare)], target))
        return pos


def _undouble(word: QuotedWord, body: str, at: int, quote: str) -> None:
    """Append the inside of quotes in which a quote is written twice."""
    pieces = body.split(quote * 2)
    for index, piece in enumerate(pieces):
        text = piece + quote if index < len(pieces) - 1 else piece
        word.parts.append((text, at))
        at += len(piece) + 2


class _Cmd(ListBuilder):
    """Reads a batch script."""

    __slots__ = ("text",)

    def __init__(self, script: Script, problems: list[Problem]) -> None:
        super().__init__(script, script.view, problems)
        self.text = self.view.text

    def read(self) -> None:
        """Read the whole text."""
        text = self.text
        pos, end = 0, len(text)
        while True:
            match = _CMD_TOKEN.match(text, pos, end)
            kind = match.lastindex if match is not None else None
            if match is None or kind is None:
                self.end_all(end)
                return
            start, pos = match.span(kind)
            if kind == 1:
                self.end_pipeline("\n")
            elif kind == 2:
                if match[2] == "|":
                    self.pipe(start, pos)
                else:
                    self.end_pipeline(match[2])
            elif kind == 3:
                pos = self._parenthesis(match[3], start, pos)
            elif kind == 4:
                following = _CMD_TOKEN.match(text, pos, end)
                target = self._word(following.start(5)) if following is not None and following.lastindex == 5 else None
                pos = target.end if target is not None else pos
                operator = match[4].lstrip("0123456789")
                self.redirect(Redirect(self.view, start, pos, operator, match[4][: -len(operator)], target))
            else:
                pos = self._take(start)

    def _parenthesis(self, mark: str, start: int, pos: int) -> int:
        if self.command is not None and (mark == "(" or self.innermost("subshell") < 0):
            return self._take(start)  # an ordinary character inside a command
        if mark == "(":
            self.open("subshell", start)
        elif not self.close("subshell", pos):
            self.problem("this ) was never opened", start, pos)
        return pos

    def _take(self, start: int) -> int:
        text = self.text
        if self.command is None:
            while text.startswith("@", start):
                start += 1
            word = self._word(start)
            name = word.text.lower()
            if name in {"rem", "else"} or name.startswith(("::", ":")):
                if name == "else":
                    return word.end
                newline = text.find("\n", word.end)
                return len(text) if newline < 0 else newline
            pattern = {"if": _CMD_CONDITION, "for": _CMD_FOR}.get(name)
            if pattern is not None:
                match = pattern.match(text, word.end)
                return match.end() if match else word.end
            self.begin(start)
        else:
            word = self._word(start)
        self.words.append(word)
        self.last = word.end
        return word.end

    def _word(self, start: int) -> Word:
        text = self.text
        word = QuotedWord(self.view, start)
        in_parentheses = self.innermost("subshell") >= 0
        pos = start
        while True:
            if pos > start and in_parentheses and text[pos : pos + 1] in {"(", ")"}:
                break
            match = _CMD_PIECE.match(text, pos)
            if match is None:
                break
            at, pos = pos, match.end()
            kind = match.lastindex
            if kind == 1:
                word.add(match[1], at)
            elif kind == 3:
                word.quoted = True
                word.parts.append((match[2], at + 1))
                if not match[3]:
                    self.problem("this quote is never closed", at, at + 1)
            elif kind == 4:
                word.quoted = True
                word.parts.append((match[4], at + 1))
            elif kind == 5:
                word.static = False
                word.parts.append((match[5], at))
            elif kind == 6:
                word.add(match[6], at)
        if pos == start:
            pos += 1
            word.add(text[start:pos], start)
        return word.finish(pos)
