"""The `match:` language: facts, ten operators, three truth values.

    match: {image.tag: absent, image.name: {not-in: [scratch]}}      # every condition must hold
    match: [{flag.chmod: "777"}, {flag.chmod: a+rwx}]                # one of the alternatives must hold

A condition on a fact is `absent`, `present`, a plain value (equal), a list (one of), or a mapping of operators:

    in, not-in            the value is, or is not, one of a list
    matches, not-matches  a regular expression is found in the value
    starts-with, ends-with
    contains, lacks       a tuple has, or has not, one of the items; a text has, or has not, one of the substrings
    above, below          numbers

What a fact cannot know makes a condition unknown; unknown is neither true nor false, and the rule is silent.
"""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from hardener.rules import vocabulary
from hardener.rules.vocabulary import Atom, FactValue, Getter, SpanGetter, Subject
from hardener.sources.unknown import UNKNOWN

Truth = bool | None
"""True, False, or None for unknown."""

Predicate = Callable[[Subject], Truth]
Test = Callable[[FactValue], Truth]
_Asked = TypeVar("_Asked")

OPERATORS: Final = ("in", "not-in", "matches", "not-matches", "starts-with", "ends-with", "contains", "lacks", "above", "below")


class MatchError(ValueError):
    """A `match:` that cannot be compiled; `path` leads to the place: keys and list indices."""

    def __init__(self, message: str, path: tuple[str | int, ...], known: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.known = known


def fact(kind: str, name: str) -> Getter | None:
    """Return the getter of a fact for a kind of subject, or None when there is no such fact."""
    facts = vocabulary.kind(kind).facts
    if name in facts:
        return facts[name]
    if name.startswith("flag.") and "instruction.name" in facts:
        from hardener.rules.facts import flag_fact

        return flag_fact(name[5:])
    if name.startswith("option.") and "command.name" in facts:
        from hardener.rules.facts import option_fact

        return option_fact(name[7:])
    return None


def place(kind: str, name: str) -> SpanGetter | None:
    """Return the getter of a place that `at:` may name."""
    places = vocabulary.kind(kind).places
    if name in places:
        return places[name]
    if name.startswith("flag.") and "instruction" in places:
        from hardener.rules.facts import flag_place

        return flag_place(name[5:])
    if name.startswith("option.") and "command" in places:
        from hardener.rules.facts import option_place

        return option_place(name[7:])
    return None


def compile_match(kind: str, source: object, path: tuple[str | int, ...] = ("match",)) -> Predicate:
    """Return the predicate that a `match:` describes. Raises `MatchError`."""
    if isinstance(source, list):
        if not source:
            raise MatchError("a list of alternatives must not be empty", path)
        return _join([compile_match(kind, item, (*path, index)) for index, item in enumerate(source)], decisive=True)
    if not isinstance(source, dict) or not source:
        raise MatchError("match takes a mapping of facts to conditions, or a list of such mappings", path)
    return _join([_condition(kind, str(name), condition, (*path, str(name))) for name, condition in source.items()], decisive=False)


def _condition(kind: str, name: str, condition: object, path: tuple[str | int, ...]) -> Predicate:
    if name == "any":
        return compile_match(kind, condition if isinstance(condition, list) else [condition], path)
    if name == "none":
        inner = compile_match(kind, condition if isinstance(condition, list) else [condition], path)
        return lambda subject: None if (truth := inner(subject)) is None else not truth
    getter = fact(kind, name)
    if getter is None:
        raise MatchError(f"{kind} has no fact {name!r}", path, tuple(vocabulary.kind(kind).facts))
    test = _test(condition, path)
    return lambda subject: test(getter(subject))


def _test(condition: object, path: tuple[str | int, ...]) -> Test:
    if condition == "absent":
        return lambda value: None if value is UNKNOWN else value is None
    if condition == "present":
        return lambda value: None if value is UNKNOWN else value is not None
    if isinstance(condition, dict):
        if not condition:
            raise MatchError("no operator given", path, OPERATORS)
        tests = [_operator(str(name), argument, (*path, str(name))) for name, argument in condition.items()]
        return _join(tests, decisive=False)
    if isinstance(condition, list):
        return _operator("in", condition, path)
    if condition is None:
        raise MatchError("the condition is empty", path)
    return _operator("in", [condition], path)


def _operator(name: str, argument: object, path: tuple[str | int, ...]) -> Test:
    match name:
        case "in":
            return _membership(_items(argument, path))
        case "not-in":
            return _negate(_membership(_items(argument, path)))
        case "matches" | "not-matches":
            try:
                search = re.compile(str(argument)).search
            except re.error as error:
                raise MatchError(f"bad regular expression: {error}", path) from None
            test = _each(lambda text: search(text) is not None)
            return test if name == "matches" else _negate(test)
        case "starts-with":
            starts = tuple(_texts(argument, path))
            return _each(lambda text: text.startswith(starts))
        case "ends-with":
            ends = tuple(_texts(argument, path))
            return _each(lambda text: text.endswith(ends))
        case "contains" | "lacks":
            test = _containment(tuple(_texts(argument, path)))
            return test if name == "contains" else _negate(test)
        case "above" | "below":
            if not isinstance(argument, int | float):
                raise MatchError(f"{name} takes a number", path)
            limit = argument
            sign = 1 if name == "above" else -1
            return lambda value: (
                None if value is UNKNOWN else isinstance(value, int) and not isinstance(value, bool) and (value - limit) * sign > 0
            )
    raise MatchError(f"unknown operator {name!r}", path, OPERATORS)


def _items(argument: object, path: tuple[str | int, ...]) -> frozenset[str | bool | int]:
    items = argument if isinstance(argument, list) else [argument]
    if not items or not all(isinstance(item, str | bool | int) for item in items):
        raise MatchError("takes a value or a list of values", path)
    return frozenset(items)


def _texts(argument: object, path: tuple[str | int, ...]) -> list[str]:
    items = argument if isinstance(argument, list) else [argument]
    if not items or not all(isinstance(item, str) for item in items):
        raise MatchError("takes a text or a list of texts", path)
    return [str(item) for item in items]


def _membership(items: frozenset[str | bool | int]) -> Test:
    def test(value: FactValue) -> Truth:
        if value is UNKNOWN:
            return None
        if isinstance(value, tuple):
            return _any_atom(value, lambda text: text in items)
        return value in items

    return test


def _each(hits: Callable[[str], bool]) -> Test:
    """Return a test that a text, or one item of a tuple, passes."""

    def test(value: FactValue) -> Truth:
        if value is UNKNOWN:
            return None
        if isinstance(value, str):
            return hits(value)
        if isinstance(value, tuple):
            return _any_atom(value, hits)
        return False

    return test


def _containment(parts: tuple[str, ...]) -> Test:
    def test(value: FactValue) -> Truth:
        if value is UNKNOWN:
            return None
        if isinstance(value, tuple):
            return _any_atom(value, lambda text: text in parts)
        return isinstance(value, str) and any(part in value for part in parts)

    return test


def _any_atom(atoms: tuple[Atom, ...], hits: Callable[[str], bool]) -> Truth:
    unknown = False
    for atom in atoms:
        if isinstance(atom, str):
            if hits(atom):
                return True
        else:
            unknown = True
    return None if unknown else False


def _negate(test: Test) -> Test:
    return lambda value: None if (truth := test(value)) is None else not truth


def _join(parts: list[Callable[[_Asked], Truth]], *, decisive: bool) -> Callable[[_Asked], Truth]:
    """Return the conjunction of the parts (False is decisive) or their disjunction (True is); what none decides may be unknown."""
    if len(parts) == 1:
        return parts[0]

    def joined(asked: _Asked) -> Truth:
        truth: Truth = not decisive
        for part in parts:
            result = part(asked)
            if result is decisive:
                return decisive
            if result is None:
                truth = None
        return truth

    return joined
