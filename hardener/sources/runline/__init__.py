"""`docker run` lines, wherever they are written: shell scripts, Makefiles, CI files, systemd units, Markdown.

Each kind of text has a module that finds shell text in it (`shells` itself, …); `line` reads one line.
"""

from collections.abc import Sequence

from hardener.sources.service import Project
from hardener.text import SourceFile

_SUFFIXES = {
    "sh": "shell", "bash": "shell", "ksh": "shell", "zsh": "shell", "mk": "makefile", "service": "systemd", "md": "markdown",
    "markdown": "markdown",
}  # fmt: skip
_NAMES = {
    "Makefile": "makefile", "makefile": "makefile", "GNUmakefile": "makefile", ".gitlab-ci.yml": "yaml", ".gitlab-ci.yaml": "yaml",
    "azure-pipelines.yml": "yaml", "azure-pipelines.yaml": "yaml", ".travis.yml": "yaml", "bitbucket-pipelines.yml": "yaml",
}  # fmt: skip


def kind_of(path: str) -> str | None:
    """Return what a file may hold run lines as: shell, makefile, yaml, systemd, markdown; None for others.

    `path` is relative, with slashes: a YAML file counts only where a CI system reads it.
    """
    folder, _, name = path.rpartition("/")
    stem, _, suffix = name.rpartition(".")
    if suffix in ("yml", "yaml"):
        found = _NAMES.get(name)
        if found is None and (folder.endswith(".github/workflows") or (folder.endswith(".circleci") and stem == "config")):
            return "yaml"
        return found
    return (_SUFFIXES.get(suffix) if stem else None) or _NAMES.get(name)


def find(file: SourceFile, kind: str, folder: str) -> Project:
    """Return every run line of a file as a project of kind `commands`. Never raises for what the file holds."""
    project = Project("commands", file, folder)
    text = file.text
    if "docker" not in text and "podman" not in text and "nerdctl" not in text:
        return project
    from importlib import import_module

    import_module(f"hardener.sources.runline.{_MODULES[kind]}").read_file(file, project)
    return project


_MODULES = {"shell": "shells", "makefile": "makefiles", "yaml": "ci_files", "systemd": "units", "markdown": "markdown"}


def from_argv(words: Sequence[str], folder: str) -> Project:
    """Return the project of one command as a shell hands it over; its file is the line itself, quoted."""
    from shlex import join

    return find(SourceFile("<command line>", join(words)), "shell", folder)
