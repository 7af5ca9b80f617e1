"""Read POSIX shell and bash: simple and compound commands, operators, redirections.

What a shell would refuse is noted as a problem and reading goes on, so that one stray parenthesis hides nothing else.
Source: POSIX.1-2024 XCU 2.9 and 2.10, the bash manual's "Shell Commands".
"""

import re
from typing import Final

from hardener.sources.shell import Command, QuotedWord, Redirect, Script, Word
from hardener.sources.shell_lists import ListBuilder, own
from hardener.sources.shell_words import SPACE, WordReader

# Carriage returns count as blanks: those of CRLF files would otherwise stick to the last word of each line.
_TOKEN = re.compile(
    r"""(?:[ \t\r]++|\\\r?\n)*(?:
     ([^ \t\r\n'"\\`$()<>|&;\#][^ \t\r\n'"\\`$()<>|&;]*+)(?![\\'"`$(<>])    # 1 a plain word
    |(\n)                                                                   # 2
    |(&&|\|\||;;&|;;|;&|\|&|[;|()]|&(?!>))                                  # 3 an operator
    |([0-9]++(?=[<>])|\{[A-Za-z_][A-Za-z_0-9]*+\}(?=[<>]))?                 # 4 a descriptor
     (<<<|<<-|<<|<>|<&|<(?!\()|>>|>\||>&|>(?!\()|&>>|&>)                    # 5 a redirection
    |(\#)                                                                   # 6 a comment
    |(?=(.))                                                                # 7 any other word
    )?""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN, _NEWLINE, _OPERATOR, _DESCRIPTOR, _REDIRECT, _COMMENT, _WORD = range(1, 8)
_WORDS: Final = (_PLAIN, _WORD)

_DUPLICATE = re.compile(r"[ \t]*([0-9]+-?|-)(?![^ \t\r\n()<>|&;])")
_IN = re.compile(r"in(?![^ \t\r\n;(])")
_TEST_END = re.compile(r"\]\](?![^ \t\r\n;&|()<>])")
_TEST_BLANKS = re.compile(r"(?:[ \t\r]++|\\\r?\n)*")
_CLOSING = re.compile(r"[ \t]*\)")
_PARENTHESES = re.compile(r"[ \t]*\([ \t]*\)")

_KEYWORDS: Final = frozenset({
    "if", "then", "elif", "else", "fi", "while", "until", "for", "select", "do", "done", "case", "esac", "{", "}", "function", "!",
    "time", "[[", "coproc",
})  # fmt: skip
_OPENS: Final = {"if": "if", "while": "loop", "until": "loop", "{": "group"}
_CLOSES: Final = {"fi": "if", "done": "loop", "esac": "case", "}": "group"}
_LEADING: Final = frozenset({"!", "time", "coproc"})


def read(script: Script) -> None:
    """Fill `script` with the commands of its text. Linear in the text; never raises."""
    view = script.view
    reader = WordReader(view, script.dialect, script.level, _read_list)
    _read_list(reader, script, 0, len(view.text), "")
    script.problems = tuple(reader.problems)


def _read_list(reader: WordReader, script: Script, pos: int, end: int, closer: str) -> tuple[int, bool]:
    return _List(reader, script).read(pos, end, closer)


class _List(ListBuilder):
    """Reads one list of commands: a whole script or the inside of a substitution."""

    __slots__ = ("pending", "reader", "text")

    def __init__(self, reader: WordReader, script: Script) -> None:
        super().__init__(script, reader.view, reader.problems)
        self.reader = reader
        self.text = reader.text
        self.pending: list[tuple[Redirect, Command]] = []  # here-documents whose bodies start on the next line
        reader.list = self

    def read(self, pos: int, end: int, closer: str) -> tuple[int, bool]:
        """Read from `pos` to the closer or the end; return the offset behind it, and whether the closer was there."""
        text, view, words = self.text, self.view, self.words
        scan = _TOKEN.match
        while True:
            match = scan(text, pos, end)
            kind = match.lastindex if match is not None else None
            if match is None or kind is None:
                self.end_all(end)
                return end, False
            if kind == _PLAIN:
                start, pos = match.span(1)
                value = match[1]
                if self.command is None:
                    if value in _KEYWORDS:
                        pos = self._keyword(value, start, pos, end)
                        continue
                    self.begin(start)
                words.append(Word(view, start, pos, value))
                self.last = pos
            elif kind == _WORD:
                start = match.start(_WORD)
                word = self.reader.word(start, end)
                pos = word.end
                if self.command is None:
                    if word.text in _KEYWORDS and not isinstance(word, QuotedWord):
                        pos = self._keyword(word.text, start, pos, end)
                        continue
                    self.begin(start)
                words.append(word)
                self.has_scripts = True
                self.last = pos
            elif kind == _OPERATOR:
                start, pos = match.span(_OPERATOR)
                operator = match[_OPERATOR]
                if operator == ")":
                    if self.close("subshell", pos):
                        continue
                    if closer == ")":
                        self.end_all(start)
                        return pos, True
                    self.end_pipeline("")
                    self.problem("this ) was never opened", start, pos)
                else:
                    pos = self._operator(operator, start, pos, end)
            elif kind == _NEWLINE:
                pos = match.end()
                self.end_pipeline("\n")
                if self.pending:
                    pos = self._heredocs(pos, end)
            elif kind == _REDIRECT:
                pos = self._redirect(match, end)
            else:
                newline = text.find("\n", match.end(), end)
                pos = end if newline < 0 else newline

    def _operator(self, operator: str, start: int, pos: int, end: int) -> int:
        if operator == "(":
            return self._open_parenthesis(start, pos, end)
        if operator in {"|", "|&"}:
            self.pipe(start, pos)
        elif operator[0] == ";" and len(operator) > 1:
            return self._next_case(start, pos, end)
        else:
            self.end_pipeline(operator)
        return pos

    def _keyword(self, value: str, start: int, pos: int, end: int) -> int:
        """Act on a reserved word; return where reading goes on."""
        if value in _LEADING:
            if self.closed is not None:
                self.end_pipeline("")
            self.leading.append(Word(self.view, start, pos, value))
        elif value in _CLOSES:
            if not self.close(_CLOSES[value], pos):
                self.end_pipeline("")
                self.problem(f"this {value} closes nothing", start, pos)
        elif value in _OPENS:
            self.open(_OPENS[value], start)
        elif value == "[[":
            self.begin(start)
            self.words.append(Word(self.view, start, pos, value))
            return self._test(pos, end)
        elif value == "function":
            return self._function(pos, end)
        elif value in {"for", "select"}:
            return self._for(self.open("loop", start), pos, end)
        elif value == "case":
            return self._case(self.open("case", start), pos, end)
        else:  # then elif else do
            self.end_pipeline("")
            self.operator = ""
        return pos

    def _open_parenthesis(self, start: int, pos: int, end: int) -> int:
        """Act on `(`: a subshell, arithmetic, or the parentheses behind a function's name."""
        if self.command is not None:
            closing = _CLOSING.match(self.text, pos, end)
            if closing is not None and len(self.words) == 1 and not self.command.redirects:
                self.forget()
                self.is_function = True
                return closing.end()
            self.end_pipeline("")
            self.problem("a ( cannot stand here", start, pos)
        elif self.text.startswith("(", pos, end):
            word = QuotedWord(self.view, start)
            stop = self.reader.double_parenthesis(word, start, end)
            if stop is not None:
                self.begin(start)
                self.words.append(self._as_written(word, stop))
                self.has_scripts = True
                self.last = stop
                return stop
        self.open("subshell", start)
        return pos

    def _as_written(self, word: QuotedWord, stop: int) -> Word:
        word.parts.append((self.text[word.start : stop], word.start))
        word.static = False
        return word.finish(stop)

    def _space(self, pos: int, end: int) -> int:
        """Return the offset behind blanks, line ends and comments."""
        match = SPACE.match(self.text, pos, end)
        return match.end() if match else pos

    def _word_at(self, pos: int, end: int) -> Word | None:
        """Return the word that follows on the same line, None when something else does."""
        match = _TOKEN.match(self.text, pos, end)
        if match is None or match.lastindex not in _WORDS:
            return None
        return self.reader.word(match.start(match.lastindex), end)

    def _function(self, pos: int, end: int) -> int:
        """Act on `function name [()]`."""
        name = self._word_at(pos, end)
        if name is not None:
            self.is_function = True
            parentheses = _PARENTHESES.match(self.text, name.end, end)
            pos = parentheses.end() if parentheses else name.end
        return pos

    def _for(self, compound: Command, pos: int, end: int) -> int:
        """Read the head of a `for` or `select`: its name and words belong to the compound command."""
        pos = self._space(pos, end)
        words = list(compound.words)
        head = QuotedWord(self.view, pos)
        stop = self.reader.double_parenthesis(head, pos, end) if self.text.startswith("((", pos, end) else None
        if stop is not None:
            words.append(self._as_written(head, stop))
            pos = stop
        else:
            word = self._word_at(pos, end)
            if word is not None:
                words.append(word)
                pos = word.end
                match = _IN.match(self.text, self._space(pos, end), end)
                pos = match.end() if match is not None else pos
                while match is not None and (word := self._word_at(pos, end)) is not None:
                    words.append(word)
                    pos = word.end
        compound.words = tuple(words)
        own(words, compound)
        return pos

    def _case(self, compound: Command, pos: int, end: int) -> int:
        """Read the head of a `case` and its first pattern."""
        subject = self._word_at(self._space(pos, end), end)
        if subject is None:
            return pos
        compound.words = (*compound.words, subject)
        own((subject,), compound)
        match = _IN.match(self.text, self._space(subject.end, end), end)
        if match is None:
            self.problem("this case has no `in`", compound.start, subject.end)
            return subject.end
        return self._pattern(match.end(), end)

    def _pattern(self, pos: int, end: int) -> int:
        """Read one `pattern | pattern)` of a case, or its `esac`."""
        start = pos = self._space(pos, end)
        if self.text.startswith("(", pos, end):
            pos += 1
        compound = self.frames[-1].compound
        found: list[Word] = []
        while True:
            word = self._word_at(pos, end)
            if word is not None:
                if not found and word.text == "esac" and not isinstance(word, QuotedWord):
                    self.close("case", word.end)
                    return word.end
                found.append(word)
                pos = word.end
                continue
            match = _TOKEN.match(self.text, pos, end)
            operator = match[_OPERATOR] if match is not None else None
            if match is not None and operator in {"|", ")"}:
                pos = match.end()
                if operator == "|":
                    continue
            elif found:
                self.problem("a case pattern ends with )", start, pos)
            break
        self.operator = ""
        scripts = [word for word in found if word.scripts]
        if scripts:
            compound.words += tuple(scripts)
            own(scripts, compound)
        return pos

    def _next_case(self, start: int, pos: int, end: int) -> int:
        """Act on `;;`: the end of a case's list."""
        self.end_pipeline("")
        at = self.innermost("case")
        if at < 0:
            self.problem("this ;; is not inside a case", start, pos)
            return pos
        self.close_above(at, start)
        return self._pattern(pos, end)

    def _test(self, pos: int, end: int) -> int:
        """Read the words of `[[ … ]]` behind its opening."""
        text, words = self.text, self.words
        opening = words[-1]
        self.last = pos
        self.has_scripts = True
        while True:
            match = _TEST_BLANKS.match(text, pos, end)
            pos = match.end() if match else pos
            if text.startswith("\n", pos, end) and words[-1].text in {"&&", "||", "(", "!", "[["}:
                pos += 1
                continue
            if pos >= end or text[pos] in "\n;":
                self.problem("this [[ is never closed", opening.start, opening.end)
                return pos
            closing = _TEST_END.match(text, pos, end)
            word = Word(self.view, pos, pos + 2, "]]") if closing else self.reader.word(pos, end, is_test=True)
            words.append(word)
            pos = self.last = word.end
            if closing:
                return pos

    def _redirect(self, match: re.Match[str], end: int) -> int:
        """Read a redirection and attach it to its command."""
        operator, descriptor = match[_REDIRECT], match[_DESCRIPTOR] or ""
        start = match.start(_DESCRIPTOR) if descriptor else match.start(_REDIRECT)
        pos = match.end()
        target: Word | None
        duplicate = _DUPLICATE.match(self.text, pos, end) if operator in {">&", "<&"} else None
        if duplicate is not None:
            target = Word(self.view, *duplicate.span(1), duplicate[1])
        else:
            target = self._word_at(pos, end)
        if target is None:
            self.problem(f"{operator} has no target", start, pos)
        else:
            pos = target.end
        redirect = Redirect(self.view, start, pos, operator, descriptor, target)
        command = self.redirect(redirect)
        if operator in {"<<", "<<-"} and target is not None:
            self.pending.append((redirect, command))
        return pos

    def _heredocs(self, pos: int, end: int) -> int:
        """Read the bodies of the here-documents that the finished line announced."""
        for redirect, command in self.pending:
            pos = self.reader.heredoc(redirect, command, pos, end)
        self.pending.clear()
        return pos
