"""Rules x one document -> matches: each rule meets exactly the subjects it asked for.

Rules are sorted once into tables by kind of subject, by instruction and by program, so that a file costs what its own lines cost and
not the number of rules times the number of lines.
"""

from collections.abc import Iterable, Mapping

from hardener.engine.ready import Crash, Judged, Ready, apply
from hardener.finding import Rule
from hardener.rules.checks import Check, checks
from hardener.rules.context import Context
from hardener.rules.facts import PairSubject
from hardener.rules.load import RuleSource
from hardener.sources.commands import WITH_COMMAND, invocations
from hardener.sources.instructions import Instruction
from hardener.sources.stages import images


class _Table:
    """Rules by a name that narrows them (an instruction, a program), with those that no name narrows."""

    __slots__ = ("_always", "_by_name", "_merged")

    def __init__(self) -> None:
        self._always: list[Ready] = []
        self._by_name: dict[str, list[Ready]] = {}
        self._merged: dict[str, list[Ready]] = {}

    def add(self, names: tuple[str, ...], ready: Ready) -> None:
        """File a rule under its names; under all of them when it has none."""
        if not names:
            self._always.append(ready)
        for name in names:
            self._by_name.setdefault(name, []).append(ready)

    def of(self, name: str) -> list[Ready]:
        """Return the rules for a name."""
        merged = self._merged.get(name)
        if merged is None:
            named = self._by_name.get(name)
            if named is None:
                return self._always
            merged = self._merged[name] = named + self._always
        return merged


class Dispatch:
    """A set of rules, sorted for quick application."""

    __slots__ = ("_commands", "_documents", "_images", "_instructions", "_pairs", "_problems", "_stages", "rules")

    def __init__(self, sources: Iterable[RuleSource], known: Mapping[str, Check] | None = None) -> None:
        table = checks() if known is None else known
        self.rules: list[Rule] = []
        self._documents: list[Ready] = []
        self._stages: list[Ready] = []
        self._images: list[Ready] = []
        self._problems: list[Ready] = []
        self._instructions = _Table()
        self._pairs = _Table()
        self._commands: dict[str, _Table] = {}  # by instruction, "" for any
        for source in sources:
            rule = source.rule
            if not rule.on.startswith("dockerfile."):
                continue  # ShellCheck decides some (shellcheck.py), others are about services (dispatch_services.py)
            check = table.get(rule.id)
            if check is None and source.match is None:
                raise ValueError(f"{rule.id} has neither `match:` nor a check")
            self.rules.append(rule)
            ready = Ready(source, check)
            match rule.on:
                case "dockerfile.file":
                    self._documents.append(ready)
                case "dockerfile.stage":
                    self._stages.append(ready)
                case "dockerfile.image":
                    self._images.append(ready)
                case "dockerfile.problem":
                    self._problems.append(ready)
                case "dockerfile.instruction":
                    self._instructions.add(source.instructions, ready)
                case "dockerfile.pair":
                    self._pairs.add(source.instructions, ready)
                case "dockerfile.command":
                    for name in source.instructions or ("",):
                        self._commands.setdefault(name, _Table()).add(source.commands, ready)

    def judge(self, context: Context) -> list[Judged | Crash]:
        """Return every match of every rule on a document, in no particular order."""
        document = context.document
        out: list[Judged | Crash] = []
        file = document.file
        apply(self._documents, document, context, file, out)
        if self._problems:
            for problem in document.problems:
                apply(self._problems, problem, context, file, out)
        for stage in document.stages:
            apply(self._stages, stage, context, file, out)
        if self._images:
            for image in images(document):
                apply(self._images, image, context, file, out)
        for instruction in document.all_instructions():
            self._instruction(instruction, context, out)
        return out

    def _instruction(self, instruction: Instruction, context: Context, out: list[Judged | Crash]) -> None:
        name = instruction.name
        file = context.document.file
        apply(self._instructions.of(name), instruction, context, file, out)
        by_pair = self._pairs.of(name)
        if by_pair and instruction.pairs:
            for pair in instruction.pairs:
                apply(by_pair, PairSubject(pair, instruction), context, file, out)
        if name not in WITH_COMMAND:
            return
        tables = [table for table in (self._commands.get(""), self._commands.get(name)) if table is not None]
        if tables:
            for invocation in invocations(instruction):
                for table in tables:
                    apply(table.of(invocation.name), invocation, context, file, out)
