"""What checks ask of an instruction again and again: its commands by program, its text, a path in normal form."""

import posixpath
from collections.abc import Iterator
from typing import Final

from hardener.sources.expansion import HOLE, Known
from hardener.sources.instructions import Instruction, Word
from hardener.sources.options import program
from hardener.sources.shell import Command
from hardener.sources.stages import expand
from hardener.sources.tools import PROGRAMS
from hardener.text import View

_NEEDLES: Final[dict[frozenset[str], tuple[str, ...]]] = {}


def shell_view(instruction: Instruction) -> View | None:
    """Return what the shell of a RUN, CMD, ENTRYPOINT or HEALTHCHECK reads, heredoc bodies included."""
    script = instruction.script
    return None if script is None else script.view


def commands_of(instruction: Instruction, programs: frozenset[str]) -> Iterator[Command]:
    """Yield the commands of an instruction that run one of these programs (`pip` stands for pip3 and `python3 -m pip`, too).

    One look at the text tells most instructions apart, so that a check costs next to nothing where its programs are not used.
    """
    script = instruction.script
    if script is None:
        return
    text = script.view.text
    if script.dialect in ("powershell", "cmd"):
        text = text.lower()
    needles = _NEEDLES.get(programs)
    if needles is None:
        aliases = (alias for alias, name in PROGRAMS.items() if name in programs)
        needles = _NEEDLES[programs] = (*programs, *aliases)
    if any(needle in text for needle in needles):
        for command in script.commands:
            if program(command) in programs:
                yield command


def partial(word: Word, instruction: Instruction) -> str:
    """Return the value of a word, with a `HOLE` for each piece that the file does not decide."""
    value = expand(word, instruction)
    return value.text if isinstance(value, Known) else value.partial


def known(word: Word, instruction: Instruction) -> str | None:
    """Return the value of a word, or None when the file does not decide it."""
    text = partial(word, instruction)
    return None if HOLE in text else text


def normal_path(path: str) -> str:
    """Return an absolute Unix path without `.`, `..` and doubled slashes; other texts as they are."""
    if not path.startswith("/"):
        return path
    return "/" + posixpath.normpath(path).lstrip("/")
