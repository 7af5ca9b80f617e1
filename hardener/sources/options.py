"""Read the arguments of a command as its program does: flags, their values, operands, the sub-command.

`curl -fsSLko /dev/null URL` has a `-k` and one operand; `python3 -m pip install x` is pip. Rules ask for flags by name and get exact
places back.
"""

import re
from typing import Final

from hardener.sources.shell import Command, Word
from hardener.sources.tools import CMDLET, PROGRAMS, RUNNING, SUBCOMMAND_VALUES, SUBCOMMANDS, TOOLS, UNKNOWN, Tool, names
from hardener.text import Span

_VERSIONED = re.compile(r"(pip|python|pypy|gem|gpg)[0-9.]+\Z")
_PYTHON: Final = frozenset({"python", "pypy", "py"})
_MODULES: Final = frozenset({"pip", "pipx", "poetry", "uv", "conda"})
_CHMOD_FLAGS: Final = frozenset("cfvRhHLP")
_ECHO_FLAGS = re.compile(r"-[neE]+\Z")
_BOOLEANS: Final = frozenset({"true", "false"})


class Flag:
    """One option of a command: `name` is `-k` or `--insecure`; `value` is None when it has none."""

    __slots__ = ("end", "name", "start", "value_word", "word")

    def __init__(self, name: str, word: Word, start: int, end: int, value_word: Word | None) -> None:
        self.name = name
        self.word = word
        self.start = start  # the range in word.text
        self.end = end
        self.value_word = value_word

    def __repr__(self) -> str:
        return f"Flag({self.name!r}, {self.value!r})"

    @property
    def value(self) -> str | None:
        """Its value: the next word, or what follows `=` or the letter."""
        return None if self.value_word is None else self.value_word.text

    @property
    def span(self) -> Span:
        """The word that holds it, through its value."""
        span = self.word.span
        return span if self.value_word is None else Span(span.start, max(span.end, self.value_word.span.end))

    @property
    def exact(self) -> Span:
        """Its own characters: the `k` in `-fsSLk`, `--insecure` in `--insecure`."""
        return self.word.part(self.start, self.end)


class Options:
    """The arguments of a command, sorted.

    `program` is the canonical name (`pip` for pip3.12 and for `python3 -m pip`), `subcommand` the canonical sub-command (`install` for
    `npm i`; `config set` for two levels; empty when the tool has none), `operands` everything else that is no flag.
    """

    __slots__ = ("flags", "operands", "program", "subcommand", "subcommand_words")

    def __init__(
        self, program: str, subcommand: str, subcommand_words: tuple[Word, ...], flags: tuple[Flag, ...], operands: tuple[Word, ...]
    ) -> None:
        self.program = program
        self.subcommand = subcommand
        self.subcommand_words = subcommand_words
        self.flags = flags
        self.operands = operands

    def has(self, *wanted: str) -> bool:
        """Whether a flag of one of these names is there."""
        return any(flag.name in wanted for flag in self.flags)

    def count(self, *wanted: str) -> int:
        """Return how often flags of these names are there: 2 for `-qq`."""
        return sum(flag.name in wanted for flag in self.flags)

    def flag(self, *wanted: str) -> Flag | None:
        """Return the last flag of these names, which is the one that counts."""
        for flag in reversed(self.flags):
            if flag.name in wanted:
                return flag
        return None

    def value(self, *wanted: str) -> str | None:
        """Return the value of the last flag of these names; None when it is absent or has no value."""
        flag = self.flag(*wanted)
        return None if flag is None else flag.value

    def values(self, *wanted: str) -> tuple[str, ...]:
        """Return every value of the flags of these names, in order."""
        return tuple(flag.value_word.text for flag in self.flags if flag.name in wanted and flag.value_word is not None)


def options(command: Command) -> Options:
    """Return the options of a command, read once and kept."""
    found = command.option_cache
    if found is None:
        found = command.option_cache = _read(command)
    return found


def program(command: Command) -> str:
    """Return the canonical name of the program: `pip` for `pip3.12`, `python3 -m pip` and `/usr/bin/pip`."""
    return _program(command)[0]


def _program(command: Command) -> tuple[str, tuple[Word, ...]]:
    """Return the canonical name and the arguments that belong to it."""
    name = command.name
    args = command.args
    if name in TOOLS and name != "python":
        return name, args
    name = PROGRAMS.get(name, name)
    match = _VERSIONED.match(name)
    if match is not None:
        name = match[1]
    if name in _PYTHON:
        name = "python"
        for index, word in enumerate(args):
            text = word.text
            if text == "-m" and index + 1 < len(args) and args[index + 1].text in _MODULES:
                return args[index + 1].text, args[index + 2 :]
            if text[:1] != "-" or text == "-c":
                break
    return name, args


def _read(command: Command) -> Options:
    name, args = _program(command)
    tool = TOOLS.get(name)
    if tool is None:
        tool = CMDLET if command.script.dialect == "powershell" else UNKNOWN
    return _Reader(name, tool, args).read()


class _Reader:
    __slots__ = ("args", "flags", "index", "name", "operands", "style", "subcommand", "subcommand_words", "tool", "values")

    def __init__(self, name: str, tool: Tool, args: tuple[Word, ...]) -> None:
        self.name = name
        self.tool = tool
        self.style = tool.style
        self.args = args
        self.index = 0
        self.values = names(tool.values)
        self.flags: list[Flag] = []
        self.operands: list[Word] = []
        self.subcommand = ""
        self.subcommand_words: list[Word] = []

    def read(self) -> Options:
        args = self.args
        count = len(args)
        wants_subcommand = self.tool.subcommands
        stops = self.tool.stops
        if self.style == "tar" and count and args[0].text[:1] not in {"-", ""}:
            self.index = 1
            self._cluster(args[0], 0)
        while self.index < count:
            word = args[self.index]
            text = word.text
            self.index += 1
            if text[:1] != "-" or len(text) == 1 or not self._is_option(text):
                if wants_subcommand:
                    if text[:1] != "+":  # cargo +nightly
                        wants_subcommand = self._take_subcommand(word)
                        stops = stops or (not wants_subcommand and f"{self._family()} {self.subcommand}" in RUNNING)
                    continue
                self.operands.append(word)
                if stops or self.style in {"plain", "echo"}:
                    self.operands.extend(args[self.index :])
                    break
            elif text == "--":
                self.operands.extend(args[self.index :])
                break
            elif self.style == "single":
                self._long(word, 2 if text.startswith("--") else 1, "-")
            elif text[1] == "-":
                self._long(word, 2, "--")
            else:
                self._cluster(word, 1)
        if wants_subcommand and not self.subcommand:
            self.subcommand = self.tool.default
        return Options(self.name, self.subcommand, tuple(self.subcommand_words), tuple(self.flags), tuple(self.operands))

    def _family(self) -> str:
        return "docker" if self.name == "podman" else self.name

    def _is_option(self, text: str) -> bool:
        """Whether a word with a leading dash is an option to this tool."""
        if self.style == "chmod":
            return text[1] == "-" or set(text[1:]) <= _CHMOD_FLAGS
        if self.style == "echo":
            return _ECHO_FLAGS.match(text) is not None
        return self.style != "plain"

    def _take_subcommand(self, word: Word) -> bool:
        """Take a word of the sub-command; return whether one more may follow."""
        self.subcommand_words.append(word)
        aliases = SUBCOMMANDS.get("dnf" if self.tool is TOOLS["dnf"] else self.name)
        text = word.text
        if aliases is not None and not self.subcommand:
            text = aliases.get(text, text)
        self.subcommand = f"{self.subcommand} {text}" if self.subcommand else text
        further = SUBCOMMAND_VALUES.get(f"{self._family()} {self.subcommand}")
        if further is not None:
            self.values = self.values | names(further)
        return len(self.subcommand_words) == 1 and self.subcommand in names(self.tool.groups)

    def _next(self) -> Word | None:
        """Take the next word as a value."""
        if self.index >= len(self.args):
            return None
        self.index += 1
        return self.args[self.index - 1]

    def _long(self, word: Word, start: int, dashes: str) -> None:
        text = word.text
        name, equals, _ = text[start:].partition("=")
        if self.tool.ignores_case and not equals:
            name, equals, _ = text[start:].partition(":")
        end = start + len(name)
        name = dashes + (name.lower() if self.tool.ignores_case else name)
        value: Word | None = None
        if equals:
            value = word.tail(end + 1)
        elif name in self.values or (
            self.tool.booleans and self.index < len(self.args) and self.args[self.index].text in _BOOLEANS and self.index > 0
        ):
            value = self._next()
        self.flags.append(Flag(name, word, 0, end, value))

    def _cluster(self, word: Word, start: int) -> None:
        """Take `-abc`, the value of the last letter included; `start` is 0 for tar's `xzf`."""
        text = word.text
        values = self.values
        is_bundle = start == 0
        at = start
        while at < len(text):
            letter = text[at]
            if letter == "=" and self.flags and at > start:
                self.flags[-1].value_word = word.tail(at + 1)  # apt-get -q=2
                return
            if not (letter.isalnum() or letter in "?#@%^:"):
                return
            end = at + 1
            if self.style == "wget" and letter == "n" and end < len(text):
                end += 1
            name = f"-{text[at:end]}"
            value: Word | None = None
            takes = name in values
            if takes:
                if is_bundle:
                    value = self._next()
                elif end < len(text):
                    value = word.tail(end + 1 if self.tool.equals and text[end] == "=" else end)
                else:
                    value = self._next()
            whole = at == start and end == len(text) and not is_bundle
            self.flags.append(Flag(name, word, 0 if whole or (at == start and takes and not is_bundle) else at, end, value))
            if takes and not is_bundle:
                return
            at = end
