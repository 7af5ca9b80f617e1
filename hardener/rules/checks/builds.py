"""What the rules on packages and layers know of a whole build: which stages end up in an image, what each RUN installs and removes.

Computed once a document and shared by all of these rules, so that each of them costs one pass.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from posixpath import join, normpath
from typing import Final

from hardener.record import NamedTuple
from hardener.rules.checks.installs import Use, read
from hardener.sources.commands import Invocation, invocations
from hardener.sources.dockerfile import Dockerfile
from hardener.sources.expansion import Known
from hardener.sources.instructions import Instruction, Word
from hardener.sources.shell import Command
from hardener.sources.shell import Word as ShellWord
from hardener.sources.stages import Stage, expand, images
from hardener.sources.tools import names
from hardener.text import Pattern

_DEVELOPMENT: Final = names(
    "dev devel develop development devcontainer test tests testing tester unittest unit integration e2e "
    "lint linter linting check checks debug debugger "
    "ci qa coverage cov docs doc format fmt vet validate validation watch local sandbox bench benchmark fuzz storybook playground shell"
)
_NAME_PARTS: Final = Pattern(r"[^a-z0-9]+")
# Settings that change what every later command means; each is looked for once in the whole text.
_APT_FILE: Final = r"^[ \t]*(?:COPY|ADD)\b[^\n]*\bapt(?:\.conf|/)"
SETTINGS: Final = {
    "apt-recommends-off": rf"Install-Recommends[\"'\s=:]*(?:0|false|no)\b|{_APT_FILE}",
    "apt-assumes-yes": rf"Assume-Yes[\"'\s=:]*(?:1|true|yes)\b|{_APT_FILE}",
    "apt-snapshot": r"\bsnapshot(?:-cloudflare)?\.(?:debian|ubuntu)\.",
    "dnf-assumes-yes": r"\bassumeyes\s*=\s*(?:1|true|yes)\b",
    "conda-always-yes": r"\balways_yes\b",
    "pip-no-cache": r"(?:global|install)\.no-cache-dir|^\s*no-cache-dir\s*=",
    "gem-no-document": r"\b(?:gem|install)\s*:\s*--no-(?:document|doc|rdoc|ri)\b",
}


class Step(NamedTuple):
    """One instruction and the directory in which it works, None when that is not known."""

    instruction: Instruction
    workdir: str | None


class Build:
    """The facts of one document, each computed when it is first asked for."""

    __slots__ = ("_by_command", "_copies", "_end_workdirs", "_last_removals", "_referenced", "_settings", "_shipped", "_uses", "document")

    def __init__(self, document: Dockerfile) -> None:
        self.document = document
        self._uses: dict[int, tuple[Use, ...]] = {}
        self._by_command: dict[int, Use] = {}
        self._shipped: frozenset[int] | None = None
        self._referenced: tuple[frozenset[int], bool] | None = None
        self._end_workdirs: dict[int, str | None] = {}
        self._settings: dict[str, bool] = {}
        self._copies: dict[int, bool] = {}
        self._last_removals: dict[tuple[int, str], int] = {}

    # -- package managers --

    def uses(self, instruction: Instruction) -> tuple[Use, ...]:
        """Return what an instruction does with package managers, in source order."""
        found = self._uses.get(id(instruction))
        if found is None:
            uses = []
            for invocation in invocations(instruction):
                use = read(invocation)
                if use is not None:
                    uses.append(use)
                    self._by_command[id(invocation.command)] = use
            found = self._uses[id(instruction)] = tuple(uses)
        return found

    def use(self, invocation: Invocation) -> Use | None:
        """Return what one command does as a package manager."""
        self.uses(invocation.instruction)
        return self._by_command.get(id(invocation.command))

    def last_removal(self, instruction: Instruction, folders: Pattern, *, unknown: bool = True) -> int:
        """Return the offset at which an instruction last empties some folders, -1 when it does not. With `unknown`, whatever is named
        by a variable, and a program that is called something with `clean`, may be it."""
        key = (id(instruction), folders.pattern)
        found = self._last_removals.get(key)
        if found is None:
            found = -1
            for invocation in invocations(instruction):
                command = invocation.command
                if unknown and "clean" in command.name:
                    found = len(self.document.file.text)
                for word in removed_by(command):
                    if folders.search(word.text) is not None or (unknown and not word.static):
                        found = max(found, word.span.start)
            self._last_removals[key] = found
        return found

    def sets(self, name: str) -> bool:
        """Whether the file holds one of the `SETTINGS`, or copies in a configuration that may."""
        found = self._settings.get(name)
        if found is None:
            pattern = Pattern(SETTINGS[name], re.IGNORECASE | re.MULTILINE)
            found = self._settings[name] = pattern.search(self.document.file.text) is not None
        return found

    # -- stages --

    @property
    def references(self) -> tuple[frozenset[int], bool]:
        """Indexes of the stages that another one is built on or copies from, and whether the file decides all of these references."""
        if self._referenced is None:
            found = {stage.index for stage in self.document.stages if stage.children}
            decided = True
            for image in images(self.document):
                if image.stage is not None:
                    found.add(image.stage.index)
                elif not isinstance(image.value, Known) and image.role != "syntax":
                    # `base-$ARCH` may be one of our stages; a name with a slash is an image.
                    decided = decided and "/" in image.value.partial
            self._referenced = (frozenset(found), decided)
        return self._referenced

    @property
    def shipped(self) -> frozenset[int]:
        """Indexes of the stages whose layers end up in an image that somebody runs.

        That is the final stage and what it is built on; and likewise a stage that nothing else uses, which can only be a target of its
        own. Stages whose name says that they are for developers do not count.
        """
        if self._shipped is None:
            found: set[int] = set()
            used, decided = self.references
            for stage in self.document.stages:
                if stage.is_final or (decided and stage.name and stage.index not in used):
                    found.update(ancestor.index for ancestor in stage.lineage() if not is_development(ancestor))
            self._shipped = frozenset(found)
        return self._shipped

    def ships(self, instruction: Instruction) -> bool:
        """Whether the layer of an instruction ends up in an image."""
        stage = instruction.stage
        return stage is not None and stage.index in self.shipped

    def copies(self, stage: Stage) -> bool:
        """Whether a stage copies or adds anything."""
        found = self._copies.get(stage.index)
        if found is None:
            found = any(instruction.name in ("COPY", "ADD") for instruction in stage.instructions)
            self._copies[stage.index] = found
        return found

    def walk(self, stage: Stage) -> Iterator[Step]:
        """Yield the instructions of a stage with the directory each works in."""
        workdir = self._start(stage)
        for instruction in stage.instructions:
            yield Step(instruction, workdir)
            if instruction.name == "WORKDIR":
                workdir = _moved(workdir, instruction)

    def _start(self, stage: Stage) -> str | None:
        chain: list[Stage] = []
        at: Stage | None = stage.base
        while at is not None and at.index not in self._end_workdirs:
            chain.append(at)
            at = at.base
        for ancestor in reversed(chain):
            workdir = self._before(ancestor)
            for instruction in ancestor.instructions:
                if instruction.name == "WORKDIR":
                    workdir = _moved(workdir, instruction)
            self._end_workdirs[ancestor.index] = workdir
        return self._before(stage)

    def _before(self, stage: Stage) -> str | None:
        if stage.base is not None:
            return self._end_workdirs.get(stage.base.index)
        return "/" if stage.image.is_scratch else None


@lru_cache(maxsize=1)
def build_of(document: Dockerfile) -> Build:
    """Return the facts of a document; those of the last one asked about are kept."""
    return Build(document)


def use_of(invocation: Invocation) -> Use | None:
    """Return what one command does as a package manager."""
    return build_of(invocation.instruction.document).use(invocation)


def is_development(stage: Stage) -> bool:
    """Whether the name of a stage says that it is for developers or for checks, not for production."""
    return stage.name is not None and not _DEVELOPMENT.isdisjoint(_NAME_PARTS.split(stage.name))


def _moved(workdir: str | None, instruction: Instruction) -> str | None:
    words = instruction.words
    if not words:
        return workdir
    value = expand(words[0], instruction)
    return absolute(value.text, workdir) if isinstance(value, Known) else None


def absolute(path: str, workdir: str | None) -> str | None:
    """Return a path as seen from the root, without `.` and `..`; None when the directory it starts from is not known."""
    if path.startswith("/"):
        return normpath(path).replace("//", "/", 1)
    return None if workdir is None else normpath(join(workdir, path))


def sources(instruction: Instruction) -> tuple[Word, ...]:
    """Return the words of a COPY or ADD that name files of the build context; none for `--from` and for heredocs."""
    if instruction.name not in ("COPY", "ADD") or instruction.flag("from") is not None or instruction.heredocs:
        return ()
    return instruction.words[:-1]


def destination(step: Step) -> str | None:
    """Return where a COPY or ADD puts its files, from the root; a folder ends with a slash. None when that is not known."""
    words = step.instruction.words
    if len(words) < 2:
        return None
    value = expand(words[-1], step.instruction)
    if not isinstance(value, Known):
        return None
    path = absolute(value.text, step.workdir)
    if path is None:
        return None
    is_folder = value.text.endswith("/") or value.text in (".", "..") or value.text.endswith(("/.", "/..")) or len(words) > 2
    return path if path == "/" or not is_folder else f"{path}/"


def has_cache(instruction: Instruction, *paths: str) -> bool:
    """Whether a cache or tmpfs mount of a RUN holds one of these folders; without folders, whether it has a cache mount at all."""
    for mount in instruction.mounts:
        if mount.kind not in ("cache", "tmpfs"):
            continue
        if not paths:
            if mount.kind == "cache":
                return True
            continue
        option = mount.get("target", "dst", "destination")
        target = option.value if option is not None else None
        if target is None:
            continue
        if "$" in target:
            return True  # cannot tell
        target = target.rstrip("/") or "/"
        if any(path == target or path.startswith(target if target == "/" else target + "/") for path in paths):
            return True
    return False


def removals(instruction: Instruction) -> Iterator[ShellWord]:
    """Yield what the script of an instruction deletes: the operands of rm, and the folders that find or shred empties."""
    for invocation in invocations(instruction):
        yield from removed_by(invocation.command)


def removed_by(command: Command) -> Iterator[ShellWord]:
    """Yield what one command deletes."""
    name = command.name
    if name in ("rm", "unlink", "rmdir", "shred"):
        yield from (word for word in command.args if not word.text.startswith("-"))
    elif name == "find" and any(word.text in ("-delete", "rm", "-exec") for word in command.args):
        for word in command.args:
            if word.text.startswith(("-", "(", "!")):
                break
            yield word
