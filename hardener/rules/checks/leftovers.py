"""Checks on what a layer keeps although nobody needs it any more: archives, history, files that a later layer hides or copies again."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from posixpath import basename
from typing import Final

from hardener.finding import Match
from hardener.rules.checks import Check
from hardener.rules.checks.builds import Step, absolute, build_of, destination, has_cache, removed_by
from hardener.rules.checks.managers import INSTALL, REMOVE
from hardener.rules.context import Context
from hardener.rules.fetches import is_fetcher, read_fetch
from hardener.rules.reading import known
from hardener.sources.instructions import Instruction
from hardener.sources.options import options
from hardener.sources.shell import Command, Word
from hardener.sources.stages import Stage
from hardener.sources.tools import names
from hardener.text import Pattern, Span

_MANY: Final = 50  # downloads in one RUN that are followed to its end
_LONG: Final = 4096  # characters of a path, as in Linux
_ARCHIVE: Final = Pattern(r"\.(?:tar|tgz|tbz2?|txz|zip|7z|deb|rpm|tar\.\w+)$")
_UNPACKERS: Final = names("tar bsdtar unzip 7z 7za 7zr dpkg dpkg-deb rpm gunzip cpio jar ar apt-get apt dnf yum zypper gdebi rpm2cpio unar")
# Stands for the directory in which the base image leaves us: unknown, but none of those that scripts name.
_START: Final = "/\0"
_SYSTEM: Final = frozenset({"apt", "apk", "dnf", "yum", "microdnf", "tdnf", "zypper"})


def _moves(command: Command, folder: str | None) -> str | None:
    """Return the directory after a command."""
    if command.name not in ("cd", "pushd"):
        return folder
    operands = options(command).operands
    return absolute(operands[0].text, folder) if operands and operands[0].static else None


class _Cleanup:
    """What the rest of a script deletes, to ask whether a file is among it. Whatever cannot be told counts as deleted."""

    def __init__(self, commands: tuple[Command, ...], folder: str | None) -> None:
        self.words: list[tuple[str, str | None]] = []
        self.unknown = False
        for command in commands:
            folder = _moves(command, folder)
            for word in removed_by(command):
                if not word.static:
                    self.unknown = True
                self.words.append((word.text.rstrip("/") or "/", folder))

    def covers(self, path: str, folder: str | None) -> bool:
        """Whether a file is deleted that a command in `folder` called `path`."""
        full = absolute(path, folder)
        if self.unknown or full is None:
            return True
        name = basename(full)
        for text, where in self.words:
            pattern = absolute(text, where)
            if pattern is None or fnmatchcase(full, pattern):
                return True
            if full.startswith(_START) and basename(text) != "*" and fnmatchcase(name, basename(text)):
                return True  # the base image's directory may be the one that is named here
            removed = pattern.removesuffix("/*")
            if full.startswith("/" if removed == "/" else f"{removed}/"):
                return True
        return False


def archive_kept(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield archives that a RUN downloads and unpacks and does not delete."""
    build = build_of(context.document)
    if stage.index not in build.shipped:
        return
    for step in build.walk(stage):
        instruction = step.instruction
        script = instruction.script if instruction.name == "RUN" else None
        if script is None:
            continue
        commands = script.commands
        followed = 0
        folder: str | None = step.workdir or _START
        for index, command in enumerate(commands):
            folder = _moves(command, folder)
            if followed == _MANY or not is_fetcher(command):
                continue
            followed += 1
            for path in read_fetch(command).files:
                if _ARCHIVE.search(path) is None or _is_mounted(instruction, path, folder):
                    continue
                rest = commands[index + 1 :]
                if _unpacks(rest, path) and not _Cleanup(rest, folder).covers(path, folder):
                    yield Match(_place(command, path), {"file": basename(path)})


def _is_mounted(instruction: Instruction, path: str, folder: str | None) -> bool:
    full = absolute(path, folder)
    return bool(instruction.mounts) and (full is None or has_cache(instruction, full))


def _unpacks(commands: tuple[Command, ...], path: str) -> bool:
    """Whether one of the commands takes an archive apart."""
    name = basename(path)
    for command in commands:
        if command.name in _UNPACKERS and any(
            fnmatchcase(name, basename(word.text)) or name in word.text for word in command.args if word.text
        ):
            return True
    return False


def _place(command: Command, path: str) -> Span:
    """Return the word that names a downloaded file: an option's value, or the URL it is named after."""
    targets = [redirect.target for redirect in command.redirects if redirect.target is not None]
    for word in (*targets, *command.args):
        if word.text.endswith(path):
            return word.span
    for word in command.args:
        if basename(word.text.partition("?")[0]) == basename(path):
            return word.span
    return command.span


def git_history_kept(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield full clones of a repository that stay in a layer which is shipped."""
    build = build_of(context.document)
    if stage.index not in build.shipped:
        return
    for step in build.walk(stage):
        instruction = step.instruction
        script = instruction.script if instruction.name == "RUN" else None
        if script is None or "clone" not in script.view.text:
            continue
        followed = 0
        folder: str | None = step.workdir or _START
        for index, command in enumerate(script.commands):
            folder = _moves(command, folder)
            found = options(command) if command.name == "git" and followed < _MANY else None
            if (
                found is None
                or found.subcommand != "clone"
                or not found.operands
                or found.has("--depth", "--bare", "--mirror", "--shallow-since")
            ):
                continue
            path = found.operands[1].text if len(found.operands) > 1 else basename(found.operands[0].text.rstrip("/")).removesuffix(".git")
            if _is_mounted(instruction, path, folder):
                continue
            followed += 1
            cleanup = _Cleanup(script.commands[index + 1 :], folder)
            if not cleanup.covers(path, folder) and not any(".git" in text for text, _ in cleanup.words):
                yield Match(Span(command.span.start, found.operands[0].span.end), {"path": path})


def removed_later(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield what a RUN removes although an earlier layer of the same stage brought it."""
    build = build_of(context.document)
    if stage.index not in build.shipped:
        return
    brought: dict[str, Span] = {}  # a path, and each folder above it -> what brought it
    packages: dict[str, Span] = {}
    for step in build.walk(stage):
        instruction = step.instruction
        if instruction.name in ("COPY", "ADD"):
            _note_copy(step, brought)
            continue
        script = instruction.script if instruction.name == "RUN" else None
        if script is None:
            continue
        folder: str | None = step.workdir or _START
        new: dict[str, Span] = {}
        for command in script.commands:
            folder = _moves(command, folder)
            if brought:
                for word in removed_by(command):
                    found = _brought(word, folder, brought)
                    if found is not None and not word.text.startswith("-"):
                        yield Match(word.span, {"what": word.text}, related=((found, "brought here"),))
            for path in _downloads(command):
                _note(absolute(path, folder), command.span, new)
        for use in build.uses(instruction):
            if use.manager.name not in _SYSTEM:
                continue
            if use.action == REMOVE:
                for package in use.packages:
                    found = packages.pop(package.text, None) if package.static else None
                    if found is not None:
                        yield Match(package.word.span, {"what": package.text}, related=((found, "installed here"),))
                        break
        for use in build.uses(instruction):
            if use.manager.name in _SYSTEM and use.action == INSTALL:
                packages.update((package.text.partition("=")[0], package.word.span) for package in use.packages if package.static)
                virtual = use.option("-t", "--virtual") if use.manager.name == "apk" else None
                if virtual is not None and virtual.value:
                    packages[virtual.value] = virtual.exact
        brought.update(new)


def _note_copy(step: Step, brought: dict[str, Span]) -> None:
    """Note where a COPY or ADD puts something large: a folder, an archive, a download. A name without a dot may be a folder."""
    instruction = step.instruction
    target = destination(step)
    if target is None or len(instruction.words) < 2 or instruction.heredocs:
        return
    span = Span(instruction.words[0].span.start, instruction.words[-1].span.end)
    for word in instruction.words[:-1]:
        text = known(word, instruction)
        if text is None:
            continue
        name = basename(text.rstrip("/"))
        if _ARCHIVE.search(text) is not None or "://" in text:
            _note(absolute(name, target) if target.endswith("/") else target, span, brought)
        elif name.strip(".") == "" or "." not in name or text.endswith("/"):
            _note(target, span, brought)
            if target.endswith("/") and name.strip("."):
                _note(absolute(name, target), span, brought)


def _note(path: str | None, span: Span, brought: dict[str, Span]) -> None:
    if path is None or len(path) > _LONG:
        return
    while path and path != "/":
        path = path.rstrip("/")
        brought.setdefault(path, span)
        path = path.rpartition("/")[0]


def _brought(word: Word, folder: str | None, brought: dict[str, Span]) -> Span | None:
    if not word.static:
        return None
    path = absolute(word.text.removesuffix("/*"), folder)
    return None if path is None else brought.get(path.rstrip("/"))


def _downloads(command: Command) -> Iterator[str]:
    """Yield the files and folders that a command fetches."""
    if is_fetcher(command):
        yield from read_fetch(command).files
    elif command.name == "git":
        found = options(command)
        if found.subcommand == "clone" and found.operands and all(word.static for word in found.operands):
            yield found.operands[1].text if len(found.operands) > 1 else basename(found.operands[0].text.rstrip("/")).removesuffix(".git")


def ownership_changed_later(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield `chown -R` and `chmod -R` over files that an earlier layer of the same stage copied in."""
    build = build_of(context.document)
    if stage.index not in build.shipped:
        return
    brought: dict[str, Span] = {}
    for step in build.walk(stage):
        instruction = step.instruction
        if instruction.name in ("COPY", "ADD"):
            _note_copy(step, brought)
            continue
        script = instruction.script if instruction.name == "RUN" and brought else None
        if script is None:
            continue
        folder: str | None = step.workdir or _START
        for command in script.commands:
            folder = _moves(command, folder)
            if command.name not in ("chown", "chmod", "chgrp"):
                continue
            found = options(command)
            if not found.has("-R", "--recursive"):
                continue
            for word in found.operands if found.has("--reference") else found.operands[1:]:
                origin = _brought(word, folder, brought)
                if origin is not None:
                    flag = "--chmod" if command.name == "chmod" else "--chown"
                    values = {"program": command.name, "path": word.text, "flag": flag}
                    yield Match(command.span, values, related=((origin, "copied here"),))
                    break


CHECKS: Final[Mapping[str, Check]] = {
    "HD608": archive_kept,
    "HD609": removed_later,
    "HD610": ownership_changed_later,
    "HD612": git_history_kept,
}
