"""JSON for who is on the clock: the interpreter's own scanner without the package around it, which imports `re` and takes 8 ms."""

from __future__ import annotations

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class _Context:
    """What the scanner asks of a decoder."""

    __slots__ = ("memo", "object_hook", "object_pairs_hook", "parse_constant", "parse_float", "parse_int", "strict")

    def __init__(self) -> None:
        self.strict = True
        self.object_hook = None
        self.object_pairs_hook = None
        self.parse_float = float
        self.parse_int = int
        self.parse_constant = float
        self.memo: dict[str, str] = {}


def scan(text: str) -> object:
    """Return the value of a JSON text that has nothing around it. Raises ValueError for anything else."""
    scanner: Callable[[str, int], tuple[object, int]] = vars(_json)["make_scanner"](_Context())
    try:
        value, end = scanner(text, 0)
    except StopIteration as stop:
        raise ValueError(f"no JSON at character {stop.value}") from None
    if end != len(text):
        raise ValueError(f"something behind the JSON, at character {end}")
    return value
