"""Compose files and swarm stacks: one or more files to a project of services, as the Compose Specification says."""

from collections.abc import Mapping, Sequence
from typing import Final

from hardener.record import NamedTuple
from hardener.sources.service import Files, Project
from hardener.text import SourceFile


class Options(NamedTuple):
    """What one is told beside the files."""

    profiles: tuple[str, ...] | None = None  # only services that run with these profiles; None: all services, whatever their profiles
    env_files: tuple[str, ...] | None = None  # absolute paths; None: the project's own `.env`
    environment: Mapping[str, str] | None = None  # variables that outrank those of env files; None: the environment is not looked at
    swarm: bool = False  # judge it as a stack, whatever it looks like


_PLAIN: Final = Options()


def load(files: Sequence[SourceFile], folder: str, read: Files, options: Options = _PLAIN) -> Project:
    """Return the project that files make together, merged in order. Never raises for what a file holds: trouble is in `problems`.

    `folder` is the absolute folder that relative paths start from; `read` opens further files.
    """
    from hardener.sources.compose import loader

    return loader.load(files, folder, read, options)
