"""JSON objects as slotted classes: a table of fields per class parses, checks and writes it back.

What a class does not know is kept in `extra` and written back, as the OCI specifications ask of every reader. `present` remembers the
fields that were written out although they say no more than their absence does, so that a document comes back equal.
"""

from __future__ import annotations

from hardener.errors import HardenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, ClassVar, Self, TypeAlias

    Parse: TypeAlias = "Callable[[object, str], Any]"


class Kind:
    """How a field is read (`parse(value, where)`), what it is when absent, and how it is written."""

    __slots__ = ("default", "dump", "parse")

    def __init__(self, parse: Parse, default: object = None, dump: Callable[[Any], object] = lambda value: value) -> None:
        self.parse = parse
        self.default = default
        self.dump = dump


def wrong(where: str, expected: str, value: object) -> HardenError:
    """Return the error for a field that holds the wrong kind of value."""
    return HardenError(f"{where} must be {expected}, not {value!r:.60}", how="see the OCI runtime specification, config.md")


def _string(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise wrong(where, "a string", value)
    if "\0" in value:
        raise wrong(where, "a string without NUL", value)
    return value


def _integer(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(where, "an integer", value)
    return value


def _boolean(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise wrong(where, "true or false", value)
    return value


def _anything(value: object, where: str) -> object:
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise wrong(where, "a list", value)
    return value


def _mapping(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    return value


STRING = Kind(_string)
INTEGER = Kind(_integer)
BOOLEAN = Kind(_boolean)
ANYTHING = Kind(_anything)
STRINGS = Kind(lambda value, where: tuple([_string(one, f"{where}[{at}]") for at, one in enumerate(_list(value, where))]), (), list)
INTEGERS = Kind(lambda value, where: tuple([_integer(one, f"{where}[{at}]") for at, one in enumerate(_list(value, where))]), (), list)
WORDS = Kind(lambda value, where: {key: _string(one, f"{where}.{key}") for key, one in _mapping(value, where).items()}, None)


def one(cls: type[Fields]) -> Kind:
    """Return the kind of a field that holds an object of a class."""
    return Kind(cls.parse, None, lambda value: value.dump())


def many(cls: type[Fields]) -> Kind:
    """Return the kind of a field that holds a list of objects of a class."""

    def parse(value: object, where: str) -> tuple[Fields, ...]:
        return tuple([cls.parse(each, f"{where}[{at}]") for at, each in enumerate(_list(value, where))])

    return Kind(parse, (), lambda value: [each.dump() for each in value])


class Fields:
    """An object with the fields of its class's table: attribute -> (JSON name, kind); a name that ends in `!` is required."""

    __slots__ = ("extra", "present")
    TABLE: ClassVar[Mapping[str, tuple[str, Kind]]] = {}
    extra: dict[str, object]
    present: tuple[str, ...]

    def __init__(self, **values: object) -> None:
        for attribute, (_, kind) in self.TABLE.items():
            setattr(self, attribute, values.pop(attribute, kind.default))
        self.extra = {}
        self.present = ()
        if values:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(values)}")

    @classmethod
    def parse(cls, value: object, where: str = "") -> Self:
        """Read an object; a field of the wrong type or a required one that is missing is an error naming its path."""
        rest = dict(_mapping(value, where or "the document"))
        prefix = f"{where}." if where else ""
        made = cls()
        present = []
        for attribute, (name, kind) in cls.TABLE.items():
            key = name.removesuffix("!")
            given = rest.pop(key, None)
            if given is None:
                if name.endswith("!"):
                    raise HardenError(f"{prefix}{key} is missing", how="it is required by the OCI runtime specification, config.md")
                continue
            setattr(made, attribute, kind.parse(given, prefix + key))
            present.append(attribute)
        made.extra = rest
        made.present = tuple(present)
        return made

    def dump(self) -> dict[str, object]:
        """Return the object as JSON values."""
        out: dict[str, object] = {}
        for attribute, (name, kind) in self.TABLE.items():
            value = getattr(self, attribute)
            if value is None and kind.default is None:  # absent, or taken away since
                continue
            if value != kind.default or attribute in self.present:
                out[name.removesuffix("!")] = kind.dump(value) if value is not None else None
        return out | self.extra

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Fields) and self.dump() == other.dump()

    def __hash__(self) -> int:
        raise TypeError(f"{type(self).__name__} can change, so it has no hash")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dump()})"
