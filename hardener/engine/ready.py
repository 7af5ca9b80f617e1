"""A rule made ready to be tried on subjects, and what comes of it: what the two dispatchers share."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hardener.finding import Match, Rule
from hardener.record import NamedTuple
from hardener.rules import vocabulary
from hardener.rules.match import compile_match, fact, place
from hardener.sources.unknown import UNKNOWN
from hardener.text import Pattern, Place, SourceFile

if TYPE_CHECKING:
    from hardener.rules.checks import Check
    from hardener.rules.load import RuleSource
    from hardener.rules.match import Predicate, Truth
    from hardener.rules.vocabulary import Getter, Subject
    from hardener.text import Span

_PLACEHOLDER = Pattern(r"\{([a-z][a-z0-9_.-]*)\}")


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


class Ready:
    """A rule with its check found; its `match:` and its message are compiled when they are first needed, which most never are."""

    __slots__ = ("_getters", "_parts", "_source", "check", "predicate", "rule")

    def __init__(self, source: "RuleSource", check: "Check | None") -> None:
        self._source = source
        self.rule = source.rule
        self.check = check
        self.predicate: Predicate | None = None if source.match is None else self._compile
        self._parts: list[str] = []
        self._getters: dict[str, Getter] = {}

    def _compile(self, subject: "Subject") -> "Truth":
        """Take the place of the predicate until it is asked for the first time."""
        self.predicate = predicate = compile_match(self.rule.on, self._source.match)
        return predicate(subject)

    def place(self, subject: "Subject") -> "Span | Place | None":
        """Return where a finding stands that the rule's check does not place itself."""
        kind = self.rule.on
        at = place(kind, self._source.at) if self._source.at else None
        return (at and at(subject)) or vocabulary.kind(kind).span(subject)

    def message(self, subject: "Subject", values: Mapping[str, str]) -> str:
        """Return the message with its placeholders filled from the match's values, else from facts."""
        parts = self._parts
        if not parts:
            # "a {x} b" -> ["a ", "x", " b"]: names at the odd places.
            parts = self._parts = _PLACEHOLDER.split(self.rule.message)
        if len(parts) == 1:
            return parts[0]
        return "".join(part if index % 2 == 0 else self._fill(part, subject, values) for index, part in enumerate(parts))

    def _fill(self, name: str, subject: "Subject", values: Mapping[str, str]) -> str:
        value = values.get(name)
        if value is not None:
            return value
        getter = self._getters.get(name) or fact(self.rule.on, name)
        if getter is None:
            return "?"
        self._getters[name] = getter
        found = getter(subject)
        if found is None or found is UNKNOWN:
            return "?"
        if isinstance(found, tuple):
            return " ".join(str(item) for item in found if item is not UNKNOWN)
        return str(found)


def apply(rules: Iterable[Ready], subject: "Subject", context: object, file: SourceFile, out: list[Judged | Crash]) -> None:
    """Try rules on a subject; `file` is what spans refer to that name no file themselves."""
    for ready in rules:
        try:
            if ready.predicate is not None and ready.predicate(subject) is not True:
                continue
            if ready.check is None:
                found = ready.place(subject) or file.line_span(1)
                match = Match(found.span, file=found.file) if isinstance(found, Place) else Match(found)
                out.append(Judged(ready.rule, match, ready.message(subject, match.values)))
            else:
                for match in ready.check(subject, context):  # one by one: what comes before a crash is kept
                    out.append(Judged(ready.rule, match, ready.message(subject, match.values)))  # noqa: PERF401
        except Exception as error:  # a crashing rule must never hide the findings of the others, nor pass as clean
            out.append(Crash(ready.rule, repr(subject)[:200], f"{type(error).__name__}: {error}"))
