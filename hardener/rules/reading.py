"""What checks ask of an instruction again and again: its commands by program, its text, a path in normal form."""

import posixpath
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from hardener.sources.expansion import HOLE, Known
from hardener.sources.instructions import Instruction, Word
from hardener.sources.shell import Command
from hardener.sources.stages import Stage, expand
from hardener.text import View

if TYPE_CHECKING:
    from hardener.sources.dockerfile import Dockerfile


def shell_view(instruction: Instruction) -> View | None:
    """Return what the shell of a RUN, CMD, ENTRYPOINT or HEALTHCHECK reads, heredoc bodies included."""
    script = instruction.script
    return None if script is None else script.view


def commands_of(instruction: Instruction, programs: frozenset[str]) -> Iterator[Command]:
    """Iterate over the commands of an instruction that run one of these programs, in order (`pip` is also `python3 -m pip`)."""
    by_program = instruction.by_program
    if programs.isdisjoint(by_program):
        return iter(())
    lists = [commands for name, commands in by_program.items() if name in programs]
    if len(lists) == 1:
        return iter(lists[0])
    chosen = {id(command) for commands in lists for command in commands}
    script = instruction.script
    return (command for command in (script.commands if script is not None else ()) if id(command) in chosen)


def partial(word: Word, instruction: Instruction) -> str:
    """Return the value of a word, with a `HOLE` for each piece that the file does not decide."""
    value = expand(word, instruction)
    return value.text if isinstance(value, Known) else value.partial


def known(word: Word, instruction: Instruction) -> str | None:
    """Return the value of a word, or None when the file does not decide it."""
    text = partial(word, instruction)
    return None if HOLE in text else text


def ships(stage: Stage) -> bool:
    """Whether the layers of a stage are part of the final image."""
    return stage.index in _shipping(stage.document)


@lru_cache(maxsize=1)
def _shipping(document: "Dockerfile") -> frozenset[int]:
    return frozenset(stage.index for stage in document.stages[-1].lineage())


def normal_path(path: str) -> str:
    """Return an absolute Unix path without `.`, `..` and doubled slashes; other texts as they are."""
    if not path.startswith("/"):
        return path
    return "/" + posixpath.normpath(path).lstrip("/")
