"""Package managers at work: a command becomes a `Use`, whoever is called and however it is spelt.

`sudo -E /usr/bin/apt-get -yqq install foo=1 "$bar"` is a use of apt that installs foo and something unknown, with -y, -q and -q. Rules
ask a `Use`; what the managers differ in stands in `managers`.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from hardener.record import NamedTuple
from hardener.rules.checks.managers import INSTALL, MANAGERS, OTHER, PROJECT, Manager
from hardener.sources.commands import Invocation
from hardener.sources.expansion import HOLE
from hardener.sources.instructions import Instruction
from hardener.sources.options import Flag, Options
from hardener.sources.shell import Command, Word
from hardener.sources.stages import StageScope
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Pattern, Span

_WHOLE_VARIABLE: Final = Pattern(r"\"?\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:\[[@*]\])?\})\"?")
_PACKAGE_LIKE: Final = Pattern(r"pack|pkg|dep|lib|module|require|ext|tool", re.IGNORECASE)
_MANY: Final = 200  # packages that are read from one variable
_NESTS: Final = frozenset({"npm", "pnpm", "bun", "pipenv"})  # `install` alone is the project, with names it is those


class Package(NamedTuple):
    """One package that is asked for. `static` is false when a variable takes part in the text."""

    text: str
    word: Word
    static: bool


class Use:
    """One call of a package manager."""

    __slots__ = ("action", "command", "instruction", "is_opaque", "manager", "operands", "options", "packages", "verb", "verb_word")

    def __init__(self, manager: Manager, invocation: Invocation, options: Options) -> None:
        self.manager = manager
        self.command: Command = invocation.command
        self.instruction: Instruction = invocation.instruction
        self.options = options.flags
        self.verb = options.subcommand
        words = options.subcommand_words
        self.verb_word: Word | None = words[-1] if words else None
        self.operands = options.operands
        verbs = manager.verbs
        action = verbs.get(self.verb) or verbs.get(self.verb.partition(" ")[0])
        if action is None:
            action = manager.otherwise if self.verb or (not verbs and self.operands) else manager.bare
        if not words and action == PROJECT and self.has("-v", "--version", "-h", "--help"):
            action = OTHER  # `yarn --version`
        self.action = action
        self.is_opaque = False  # a variable that may bring options stands among the words
        self.packages: tuple[Package, ...] = ()
        if action in (INSTALL, PROJECT) or self.operands:
            self.packages = tuple(self._packages())
        if manager.name in _NESTS and self.verb in ("install", "add"):
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

    def option(self, *names: str) -> Flag | None:
        """Return the last option of one of these names."""
        return next((option for option in reversed(self.options) if option.name in names), None)

    def given(self, *names: str) -> Iterator[Flag]:
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


def read(invocation: Invocation) -> Use | None:
    """Return what a command does as a package manager, or None when it is none."""
    options = invocation.options
    manager = MANAGERS.get(options.program)
    return None if manager is None else Use(manager, invocation, options)


def value_span(option: Flag) -> Span:
    """Return where the value of an option stands; the option itself when it has none."""
    return option.exact if option.value_word is None else option.value_word.span


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
    return value.split(maxsplit=_MANY)[:_MANY] if isinstance(value, str) else None


def named(uses: Iterable[Use], *names: str) -> Iterator[Use]:
    """Yield the uses of some managers."""
    return (use for use in uses if use.manager.name in names)


def is_local(text: str) -> bool:
    """Whether a package is a file or a folder of this machine, or an address: nothing an index decides."""
    return text.startswith((".", "/", "~", "file:", "http:", "https:")) or text.endswith(
        (".deb", ".rpm", ".apk", ".whl", ".tar.gz", ".tgz", ".zip", ".gem", ".tar.bz2", ".tar")
    )
