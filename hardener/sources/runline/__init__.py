"""`docker run` lines, wherever they are written: shell scripts, Makefiles, CI files, systemd units, Markdown."""

from collections.abc import Sequence

from hardener.sources.service import Project
from hardener.text import SourceFile


def kind_of(name: str) -> str | None:
    """Return what a file of this name (without folders) may hold run lines as: shell, makefile, yaml, systemd, markdown; None for others."""
    raise NotImplementedError


def find(file: SourceFile, kind: str, folder: str) -> Project:
    """Return every run line of a file as a project of kind `commands`. Never raises for what the file holds."""
    raise NotImplementedError


def from_argv(words: Sequence[str], folder: str) -> Project:
    """Return the project of one command as a shell hands it over; its file is the line itself, quoted."""
    raise NotImplementedError
