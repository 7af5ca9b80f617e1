"""Rules x one document -> matches: each rule meets exactly the subjects it asked for.

Rules are sorted once into tables by kind of subject, by instruction and by program, so that a file costs what its own lines cost and
not the number of rules times the number of lines.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from hardener.finding import Match, Rule
from hardener.rules.checks import Check, checks
from hardener.rules.context import Context
from hardener.rules.facts import KINDS, Getter, PairSubject, SpanGetter, Subject
from hardener.rules.load import RuleSource
from hardener.rules.match import Predicate, compile_match, fact, place
from hardener.sources.commands import invocations
from hardener.sources.instructions import Instruction
from hardener.sources.stages import images
from hardener.sources.unknown import UNKNOWN

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_.-]*)\}")


class Judged(NamedTuple):
    """One match of one rule, its message filled in."""

    rule: Rule
    match: Match
    message: str


class Crash(NamedTuple):
    """A rule that raised: a bug of ours, reported and survived."""

    rule: Rule
    subject: str
    error: str


class _Ready:
    """A rule with its `match:` compiled and its check found."""

    __slots__ = ("check", "getters", "parts", "predicate", "rule", "span")

    def __init__(self, source: RuleSource, check: Check | None) -> None:
        rule = source.rule
        self.rule = rule
        self.predicate: Predicate | None = None if source.match is None else compile_match(rule.on, source.match)
        self.check = check
        self.span: SpanGetter = (place(rule.on, source.at) if source.at else None) or KINDS[rule.on].span
        # "a {x} b" -> ["a ", "x", " b"]: names at the odd places.
        self.parts = _PLACEHOLDER.split(rule.message)
        self.getters: dict[str, Getter] = {}
        for name in self.parts[1::2]:
            getter = fact(rule.on, name)
            if getter is not None:
                self.getters[name] = getter

    def message(self, subject: Subject, values: Mapping[str, str]) -> str:
        """Return the message with its placeholders filled from the match's values, else from facts."""
        parts = self.parts
        if len(parts) == 1:
            return parts[0]
        return "".join(part if index % 2 == 0 else self._fill(part, subject, values) for index, part in enumerate(parts))

    def _fill(self, name: str, subject: Subject, values: Mapping[str, str]) -> str:
        value = values.get(name)
        if value is not None:
            return value
        getter = self.getters.get(name)
        found = None if getter is None else getter(subject)
        if found is None or found is UNKNOWN:
            return "?"
        if isinstance(found, tuple):
            return " ".join(str(item) for item in found if item is not UNKNOWN)
        return str(found)


_Table = dict[str, list[_Ready]]


class Dispatch:
    """A set of rules, sorted for quick application."""

    __slots__ = ("_commands", "_documents", "_images", "_instructions", "_pairs", "_problems", "_stages", "rules")

    def __init__(self, sources: Iterable[RuleSource], known: Mapping[str, Check] | None = None) -> None:
        table = checks() if known is None else known
        self.rules: list[Rule] = []
        self._documents: list[_Ready] = []
        self._stages: list[_Ready] = []
        self._images: list[_Ready] = []
        self._problems: list[_Ready] = []
        self._instructions: _Table = {}
        self._pairs: _Table = {}
        self._commands: dict[str, _Table] = {}
        for source in sources:
            rule = source.rule
            if rule.on == "shell.script":
                continue  # ShellCheck decides these: shellcheck.py
            check = table.get(rule.id)
            if check is None and source.match is None:
                raise ValueError(f"{rule.id} has neither `match:` nor a check")
            self.rules.append(rule)
            ready = _Ready(source, check)
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
                    _file(self._instructions, source.instructions, ready)
                case "dockerfile.pair":
                    _file(self._pairs, source.instructions, ready)
                case "dockerfile.command":
                    for name in source.instructions or ("",):
                        _file(self._commands.setdefault(name, {}), source.commands, ready)

    def judge(self, context: Context) -> Iterator[Judged | Crash]:
        """Yield every match of every rule on a document, in no particular order."""
        document = context.document
        for ready in self._documents:
            yield from _apply(ready, document, context)
        if self._problems:
            for problem in document.problems:
                for ready in self._problems:
                    yield from _apply(ready, problem, context)
        for stage in document.stages:
            for ready in self._stages:
                yield from _apply(ready, stage, context)
        if self._images:
            for image in images(document):
                for ready in self._images:
                    yield from _apply(ready, image, context)
        for instruction in document.all_instructions():
            yield from self._instruction(instruction, context)

    def _instruction(self, instruction: Instruction, context: Context) -> Iterator[Judged | Crash]:
        name = instruction.name
        for ready in _both(self._instructions, name):
            yield from _apply(ready, instruction, context)
        by_pair = _both(self._pairs, name)
        if by_pair and instruction.pairs:
            for pair in instruction.pairs:
                subject = PairSubject(pair, instruction)
                for ready in by_pair:
                    yield from _apply(ready, subject, context)
        everywhere, here = self._commands.get(""), self._commands.get(name)
        if (everywhere or here) and name in ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"):
            for invocation in invocations(instruction):
                for table in (everywhere, here):
                    if table:
                        for ready in _both(table, invocation.name):
                            yield from _apply(ready, invocation, context)


def _file(table: _Table, names: tuple[str, ...], ready: _Ready) -> None:
    for name in names or ("",):
        table.setdefault(name, []).append(ready)


def _both(table: _Table, name: str) -> list[_Ready]:
    """Return the rules for one name and those for any."""
    some, always = table.get(name), table.get("")
    if some is None:
        return always or []
    return some + always if always and name else some


def _apply(ready: _Ready, subject: Subject, context: Context) -> Iterator[Judged | Crash]:
    try:
        if ready.predicate is not None and ready.predicate(subject) is not True:
            return
        if ready.check is None:
            span = ready.span(subject)
            match = Match(KINDS[ready.rule.on].span(subject) or context.document.file.line_span(1) if span is None else span)
            yield Judged(ready.rule, match, ready.message(subject, match.values))
        else:
            for match in ready.check(subject, context):
                yield Judged(ready.rule, match, ready.message(subject, match.values))
    except Exception as error:  # a crashing rule must never hide the findings of the others, nor pass as clean
        yield Crash(ready.rule, repr(subject)[:200], f"{type(error).__name__}: {error}")
