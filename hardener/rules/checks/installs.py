"""Package managers at work: a command becomes a `Use`, whoever is called and however it is spelt.

`sudo -E /usr/bin/apt-get -yqq install foo=1 "$bar"` is a use of apt that installs foo and something unknown, with -y, -q and -q. Rules
ask a `Use`; what the managers differ in stands in `managers`.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from hardener.rules.checks.managers import INSTALL, PIP, PROGRAMS, PROJECT, Manager
from hardener.sources.commands import Invocation
from hardener.sources.expansion import HOLE
from hardener.sources.instructions import Instruction
from hardener.sources.shell import Command, Word
from hardener.sources.stages import StageScope
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Pattern, Span

_PYTHON: Final = Pattern(r"(?:python|pypy)[\d.]*")
_VERSIONED: Final = Pattern(r"(pip|gem)[\d.]+")
_WHOLE_VARIABLE: Final = Pattern(r"\"?\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:\[[@*]\])?\})\"?")
_PACKAGE_LIKE: Final = Pattern(r"pack|pkg|dep|lib|module|require|ext|tool", re.IGNORECASE)
_NESTS: Final = frozenset({"npm", "pnpm", "bun", "pipenv"})  # `install` alone is the project, with names it is those


class Option(NamedTuple):
    """One option. `name` is `-y` or `--yes`; `value` is None when it has none; `word` is what was written, `value_word` the next word
    when that is the value."""

    name: str
    value: str | None
    word: Word
    value_word: Word | None = None

    @property
    def value_span(self) -> Span:
        """Where the value stands; the option itself when it has none."""
        if self.value_word is not None:
            return self.value_word.span
        if not self.value:
            return self.word.span
        length = len(self.word.text)
        return self.word.part(length - len(self.value), length)


class Package(NamedTuple):
    """One package that is asked for. `static` is false when a variable takes part in the text."""

    text: str
    word: Word
    static: bool


class Use:
    """One call of a package manager."""

    __slots__ = ("action", "command", "instruction", "is_opaque", "manager", "operands", "options", "packages", "verb", "verb_word")

    def __init__(self, manager: Manager, invocation: Invocation, args: tuple[Word, ...]) -> None:
        self.manager = manager
        self.command: Command = invocation.command
        self.instruction: Instruction = invocation.instruction
        operands, self.options = _parse(manager, args)
        self.verb, self.action, count = _verb(manager, operands)
        self.verb_word: Word | None = operands[count - 1] if count else None
        self.operands = tuple(operands[count:])
        self.is_opaque = False  # a variable that may bring options stands among the words
        self.packages: tuple[Package, ...] = ()
        if self.action in (INSTALL, PROJECT) or self.operands:
            self.packages = tuple(self._packages())
        if manager.name in _NESTS and self.verb in ("install", "i", "add"):
            self.action = INSTALL if self.packages or self.is_opaque or self.is_global else PROJECT

    def _packages(self) -> Iterator[Package]:
        for word in self.operands:
            if word.static:
                yield Package(word.text, word, static=True)
                continue
            texts = resolve(word, self.instruction)
            if texts is None:
                if word.scripts or _PACKAGE_LIKE.search(word.text) is None:
                    self.is_opaque = self.is_opaque or (not word.quoted and word.raw[:1] in "$`")
                yield Package(word.text, word, static=False)
                continue
            for text in texts:
                if text.startswith("-"):
                    self.is_opaque = True
                else:
                    yield Package(text, word, static=True)

    def has(self, *names: str) -> bool:
        """Whether one of these options is given."""
        return any(option.name in names for option in self.options)

    def option(self, *names: str) -> Option | None:
        """Return the last option of one of these names."""
        return next((option for option in reversed(self.options) if option.name in names), None)

    def given(self, *names: str) -> Iterator[Option]:
        """Yield every option of one of these names."""
        return (option for option in self.options if option.name in names)

    @property
    def is_global(self) -> bool:
        """Whether npm and its kin install for the whole system."""
        return self.has("-g", "--global") or self.verb.startswith("global") or any(option.name == "--location" for option in self.options)

    def environment(self, name: str) -> str | UnknownType | None:
        """Return the value of a variable as this command sees it; None when the file does not set it."""
        for assignment in reversed(self.command.assignments):
            if assignment.name == name:
                return assignment.value.text if assignment.value.static else UNKNOWN
        local = locals_of(self.instruction).get(name)
        if local is not None:
            return local
        return variable(self.instruction, name)

    @property
    def head(self) -> Span:
        """From the program's name to the verb: what a finding about the whole call points at."""
        name = self.command.name_word
        start = self.command.span.start if name is None else name.span.start
        if self.verb_word is not None and self.verb_word.span.start >= start:
            return Span(start, self.verb_word.span.end)
        return self.command.span if name is None else name.span

    def __repr__(self) -> str:
        return f"Use({self.manager.name} {self.verb} {[package.text for package in self.packages]})"


def program(name: str) -> str:
    """Return the name under which `PROGRAMS` lists a program: `pip3.12` is `pip`."""
    match = _VERSIONED.fullmatch(name)
    return name if match is None else match[1]


def read(invocation: Invocation) -> Use | None:
    """Return what a command does as a package manager, or None when it is none."""
    name = invocation.name
    manager = PROGRAMS.get(name) or PROGRAMS.get(program(name))
    if manager is not None:
        return Use(manager, invocation, invocation.command.args)
    if _PYTHON.fullmatch(name):
        args = invocation.command.args
        for index, word in enumerate(args):
            if word.text == "-m" and index + 1 < len(args):
                module, rest = args[index + 1].text, args[index + 2 :]
            elif word.text.startswith("-m") and len(word.text) > 2:
                module, rest = word.text[2:], args[index + 1 :]
            elif word.text.startswith("-"):
                continue
            else:
                return None
            manager = PIP if module == "pip" else PROGRAMS.get(module)
            return None if manager is None else Use(manager, invocation, rest)
    return None


def _parse(manager: Manager, words: tuple[Word, ...]) -> tuple[list[Word], tuple[Option, ...]]:
    """Split arguments into operands and options; an option's value never counts as an operand."""
    operands: list[Word] = []
    options: list[Option] = []
    values = manager.values
    index = 0
    count = len(words)
    while index < count:
        word = words[index]
        index += 1
        text = word.text
        if text[:1] != "-" or len(text) == 1:
            operands.append(word)
        elif text == "--":
            operands += words[index:]
            break
        elif text[1] == "-" or manager.single_dash:
            name, equals, value = text.partition("=")
            if equals:
                options.append(Option(name, value, word))
            elif name in values and index < count:
                options.append(Option(name, words[index].text, word, words[index]))
                index += 1
            else:
                options.append(Option(name, None, word))
        else:
            for at in range(1, len(text)):
                name = f"-{text[at]}"
                rest = text[at + 1 :]
                if name in values:
                    if not rest and index < count:
                        options.append(Option(name, words[index].text, word, words[index]))
                        index += 1
                    else:
                        options.append(Option(name, rest.removeprefix("="), word))
                    break
                if rest.startswith("="):
                    options.append(Option(name, rest[1:], word))
                    break
                options.append(Option(name, None, word))
    return operands, tuple(options)


def _verb(manager: Manager, operands: list[Word]) -> tuple[str, str, int]:
    """Return the verb, what it does, and how many operands it takes up."""
    at = 0
    if operands and operands[0].text.startswith("+") and manager.name == "cargo":
        at = 1  # a toolchain: cargo +nightly install
    if len(operands) <= at:
        return "", manager.bare, at
    first = operands[at].text
    verbs = manager.verbs
    if len(operands) > at + 1:
        double = f"{first} {operands[at + 1].text}"
        action = verbs.get(double)
        if action is not None:
            return double, action, at + 2
    action = verbs.get(first)
    if action is not None:
        return first, action, at + 1
    if not verbs:
        return "", manager.otherwise, at
    return first, manager.otherwise, at + 1


def variable(instruction: Instruction, name: str) -> str | UnknownType | None:
    """Return what ENV or ARG make of a variable at an instruction; None when the file does not set it."""
    stage = instruction.stage
    if stage is None:
        return None
    binding = StageScope(stage.variables, instruction.index).lookup(name)
    if binding is None or binding.span is None:
        return None
    return UNKNOWN if HOLE in binding.text else binding.text


@lru_cache(maxsize=1)  # the commands of one instruction are asked about in a row
def locals_of(instruction: Instruction) -> dict[str, str | UnknownType]:
    """Return the variables that the script of an instruction sets for itself; UNKNOWN when it sets one twice or computes it."""
    found: dict[str, str | UnknownType] = {}
    script = instruction.script
    if script is not None and "=" in script.view.text:
        for command in script.commands:
            if command.name and command.name not in ("export", "readonly", "local", "declare", "typeset"):
                continue
            for assignment in command.assignments:
                value = assignment.value.text if assignment.value.static else UNKNOWN
                found[assignment.name] = value if found.get(assignment.name, value) == value else UNKNOWN
    return found


def resolve(word: Word, instruction: Instruction) -> list[str] | None:
    """Return the words that a word which is one variable stands for; None when the file does not decide that."""
    match = _WHOLE_VARIABLE.fullmatch(word.raw)
    if match is None:
        return None
    name = match[1] or match[2]
    value = locals_of(instruction).get(name)
    if value is None:
        value = variable(instruction, name)
    return value.split() if isinstance(value, str) else None


def named(uses: Iterable[Use], *names: str) -> Iterator[Use]:
    """Yield the uses of some managers."""
    return (use for use in uses if use.manager.name in names)


def is_local(text: str) -> bool:
    """Whether a package is a file or a folder of this machine, or an address: nothing an index decides."""
    return text.startswith((".", "/", "~", "file:", "http:", "https:")) or text.endswith(
        (".deb", ".rpm", ".apk", ".whl", ".tar.gz", ".tgz", ".zip", ".gem", ".tar.bz2", ".tar")
    )
