"""The commands of a Dockerfile: which shell reads an instruction, and what that shell is told.

RUN in shell form is handed to the SHELL in force, together with its heredocs; a RUN that is only a heredoc is a script of its own,
whose shebang decides; the exec form has no shell unless it names one.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hardener.sources import shell
from hardener.sources.instructions import Instruction
from hardener.sources.options import Options, options
from hardener.sources.shell import Command, Script, Shell
from hardener.text import Pattern, Span, View, ViewBuilder

if TYPE_CHECKING:
    from hardener.sources.dockerfile import Dockerfile

WITH_COMMAND: Final = frozenset({"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"})
_WINDOWS_BASE = Pattern(r"(?:^|/)(?:windows|nanoserver|servercore|windowsservercore)\b|windowsservercore|nanoserver", re.IGNORECASE)
_PRAGMA = Pattern(r"hadolint\b.*\bshell\s*=\s*(\S+)")


class Invocation:
    """One command of one instruction: the subject of the rules on commands."""

    __slots__ = ("command", "instruction")

    def __init__(self, command: Command, instruction: Instruction) -> None:
        self.command = command
        self.instruction = instruction

    @property
    def name(self) -> str:
        """The program, without its folder and without `sudo`, `env` and the like before it."""
        return self.command.name

    @property
    def options(self) -> Options:
        """Flags and operands of the command."""
        return options(self.command)

    @property
    def span(self) -> Span:
        """The whole command."""
        return self.command.span

    def __repr__(self) -> str:
        return f"Invocation({self.name!r} in {self.instruction.name})"


def invocations(instruction: Instruction) -> Iterator[Invocation]:
    """Yield every command of an instruction in source order, nested ones included."""
    script = instruction.script
    if script is not None:
        for command in script.commands:
            yield Invocation(command, instruction)


def shell_words(instruction: Instruction) -> tuple[str, ...]:
    """Return the shell in force at an instruction as an argument vector; Docker's default for the platform when none is set."""
    if instruction.shell is not None and instruction.shell.json:
        return tuple(word.text for word in instruction.shell.json)
    return ("cmd", "/S", "/C") if is_windows(instruction) else ("/bin/sh", "-c")


def is_windows(instruction: Instruction) -> bool:
    """Whether the stage of an instruction is built for Windows, as far as the file tells: its escape character or its base image."""
    if instruction.document.escape == "`":
        return True
    stage = instruction.stage
    if stage is None:
        return False
    return _WINDOWS_BASE.search(stage.root.image.reference.name) is not None


def script_of(instruction: Instruction) -> Script | None:
    """Return the commands of a RUN, CMD, ENTRYPOINT or HEALTHCHECK CMD; None for other instructions and for empty ones."""
    if instruction.name not in WITH_COMMAND:
        return None
    view = instruction.command_view
    if not view.text:
        return None
    words = instruction.json
    if words is not None:
        return shell.from_argv([(word.text, word.view) for word in words]) if words else None
    reader = shell_in_force(instruction)
    heredocs = instruction.heredocs
    if not heredocs:
        return _parse(view, reader)
    if len(heredocs) == 1 and heredocs[0].marker == view.span(0, len(view.text)):
        body = heredocs[0].body
        own = shell.shebang(body.text.partition("\n")[0])
        return _parse(_without_tabs(body) if heredocs[0].chomp else body, reader if own is None else own)
    return _parse(_with_bodies(instruction, view), reader)


def _parse(view: View, reader: Shell) -> Script:
    return shell.parse(view, dialect=reader.dialect, pipefail=reader.pipefail, errexit=reader.errexit)


def shell_in_force(instruction: Instruction) -> Shell:
    """Return the shell that reads a shell form at an instruction, with the options that SHELL gives it.

    What stands before the shell in SHELL (`/usr/bin/env`, `conda run -n x`) only starts it.
    """
    pragma = _pragma(instruction.document, instruction)
    if pragma:
        return Shell(shell.dialect_of(pragma), pipefail=False, errexit=False)
    words = shell_words(instruction)
    for index, word in enumerate(words):
        if shell.dialect_of(word) != "other":
            return shell.shell_of(words[index:])
    return shell.shell_of(words)


def _pragma(document: "Dockerfile", instruction: Instruction) -> str:
    """Return the shell that a `# hadolint shell=` comment of the same stage names; it counts until the next one."""
    stage = instruction.stage
    first = stage.origin.line if stage is not None else 0
    found = ""
    for line, name in document.shell_pragmas:
        if line > instruction.line:
            break
        if line >= first - 1:
            found = name
    return found


def find_pragmas(document: "Dockerfile") -> tuple[tuple[int, str], ...]:
    """Return (line, shell) of each `# hadolint shell=` comment."""
    return tuple(
        (comment.line, match.group(1))
        for comment in document.comments
        if "shell" in comment.text and (match := _PRAGMA.match(comment.text)) is not None
    )


def _without_tabs(body: View) -> View:
    """Return the body of a `<<-` heredoc as the shell gets it: without leading tabs."""
    builder = ViewBuilder()
    at = 0
    origin = body.origins[0]
    for line in body.text.splitlines(keepends=True):
        bare = line.lstrip("\t")
        builder.add(bare, origin + at + len(line) - len(bare))
        at += len(line)
    return builder.build()


def _with_bodies(instruction: Instruction, view: View) -> View:
    """Return a command line followed by its heredoc bodies, which is what the shell is given."""
    builder = ViewBuilder()
    bounds = [*view.starts, len(view.text)]
    for index, origin in enumerate(view.origins):
        builder.add(view.text[bounds[index] : bounds[index + 1]], origin)
    text = instruction.document.file.text
    first = instruction.heredocs[0].body.origins[0]
    last = instruction.heredocs[-1].terminator.end
    if first > 0:
        builder.add("\n", first - 1)
    builder.add(text[first:last], first)
    return builder.build()
