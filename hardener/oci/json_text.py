"""JSON for who is on the clock: the interpreter's own scanner without the package around it, which imports `re` and takes 8 ms."""

from __future__ import annotations

import _json
from _json import encode_basestring_ascii as quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


TWICE = "it names a key twice"


class _Context:
    """What the scanner asks of a decoder."""

    __slots__ = ("memo", "object_hook", "object_pairs_hook", "parse_constant", "parse_float", "parse_int", "strict")

    def __init__(self, *, unique: bool) -> None:
        self.strict = True
        self.object_hook = None
        self.object_pairs_hook = _unique if unique else None
        self.parse_float = float
        self.parse_int = int
        self.parse_constant = float
        self.memo: dict[str, str] = {}


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError(TWICE)
    return made


def scan(text: str, *, unique: bool = False) -> object:
    """Return the value of a JSON text that has nothing around it. Raises ValueError for anything else.

    With `unique`, an object with the same key twice is an error, too: whoever made it wants two readers to see two things.
    """
    scanner: Callable[[str, int], tuple[object, int]] = vars(_json)["make_scanner"](_Context(unique=unique))
    try:
        value, end = scanner(text, 0)
    except StopIteration as stop:
        raise ValueError(f"no JSON at character {stop.value}") from None
    except SystemError:  # the scanner would raise an error of the package, and does not find it
        raise ValueError("no whole JSON") from None
    if end != len(text):
        raise ValueError(f"something behind the JSON, at character {end}")
    return value


def write(value: object) -> str:
    """Return a value as JSON on one line; the package of that name takes longer to import than what is left of a launch."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "{" + ", ".join([f"{quoted(key)}: {write(each)}" for key, each in value.items()]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join([write(each) for each in value]) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float) and value - value == 0:  # neither infinite nor no number
        return float.__repr__(value)
    raise TypeError(f"{value!r} has no place in JSON")
