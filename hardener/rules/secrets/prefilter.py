"""Where in bytes a credential of a known format may start: the one step that every byte goes through, so it has a fast and a faster form.

With the `fast` extra installed hyperscan looks for all anchors at once; without it an expression does that stops at rare characters. Both
say the same: every place at which an anchor of `formats.FORMATS` stands.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Final

from hardener.rules.secrets.formats import FORMATS, Format, anchors

Finder = Callable[[bytes], list[tuple[int, Format]]]
"""From data to where anchors stand, in order, with the formats that they are of."""

_WORTH_IT: Final = 2048  # bytes from which on a call of hyperscan costs less than the expression


def find(data: bytes) -> list[tuple[int, Format]]:
    """Return where anchors stand in data."""
    if len(data) >= _WORTH_IT:
        fast = hyperscan_finder()
        if fast is not None:
            return fast(data)
    return plain(data)


def private_keys(data: bytes) -> list[tuple[int, Format]]:
    """Return where PEM private keys may start; at the speed of memory, for data that is not worth more."""
    found = []
    at = data.find(b" PRIVATE KEY")
    while at >= 0:
        begin = data.rfind(b"-----BEGIN ", max(0, at - 40), at + 1)
        if begin >= 0:
            found.append((begin, _pem()))
        at = data.find(b" PRIVATE KEY", at + 1)
    return found


@cache
def _pem() -> Format:
    return next(form for form in FORMATS if form.anchors == ("-----BEGIN ",))


class _Table:
    """The anchors by three characters around their rarest one, as `formats.Anchors` has them, for bytes and without assignments."""

    __slots__ = ("after", "before", "signs")

    def __init__(self) -> None:
        _, _, before, after = anchors()
        self.before = {key.encode(): tuple((form, anchor.encode(), at) for form, anchor, at in rows) for key, rows in before.items()}
        self.after = {key.encode(): tuple((form, anchor.encode(), at) for form, anchor, at in rows) for key, rows in after.items()}
        alternatives = []
        for code in sorted({*(key[-1] for key in self.before), *(key[0] for key in self.after)}, key=_frequency):
            behind = [re.escape(key) for key in self.before if key[-1] == code]
            ahead = [re.escape(key[1:]) for key in self.after if key[0] == code]
            tests = ([b"(?<=" + b"|".join(behind) + b")"] if behind else []) + ([b"(?:" + b"|".join(ahead) + b")"] if ahead else [])
            alternatives.append(re.escape(bytes((code,))) + b"(?:" + b"|".join(tests) + b")")
        self.signs = re.compile(b"|".join(alternatives))


def _frequency(code: int) -> tuple[int, int]:
    return (b"_.-:=$~".find(code) % 99, code)  # the most frequent first


@cache
def _table() -> _Table:
    return _Table()


def plain(data: bytes) -> list[tuple[int, Format]]:
    """Return where anchors stand, with nothing but the standard library."""
    table = _table()
    before, after = table.before, table.after
    found: list[tuple[int, Format]] = []
    for hit in table.signs.finditer(data):
        at = hit.start()
        if at >= 2:
            for form, anchor, offset in before.get(data[at - 2 : at + 1], ()):
                if data.startswith(anchor, at - offset) and at >= offset:
                    found.append((at - offset, form))
        for form, anchor, offset in after.get(data[at : at + 3], ()):
            if at >= offset and data.startswith(anchor, at - offset):
                found.append((at - offset, form))
    return _ordered(found)


def _ordered(found: list[tuple[int, Format]]) -> list[tuple[int, Format]]:
    """Sort by place; where several formats share an anchor in the order of the table."""
    if len(found) > 1:
        ranks = _ranks()
        found.sort(key=lambda item: (item[0], ranks[id(item[1])]))
    return found


@cache
def _ranks() -> dict[int, int]:
    return {id(form): rank for rank, form in enumerate(FORMATS)}


@cache
def hyperscan_finder() -> Finder | None:
    """Return the finder of the `fast` extra; None when it is not installed, or refuses."""
    try:
        import hyperscan
    except ImportError:
        return None
    owners: dict[bytes, list[Format]] = {}
    for form in FORMATS:
        for anchor in form.anchors:
            owners.setdefault(anchor.encode(), []).append(form)
    literals = tuple(owners)
    try:
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        database.compile(
            expressions=[b"".join(b"\\x%02x" % code for code in literal) for literal in literals], ids=list(range(len(literals)))
        )
    except hyperscan.HyperscanError:
        return None  # a processor that it does not run on

    def finder(data: bytes) -> list[tuple[int, Format]]:
        ends: list[tuple[int, int]] = []

        def seen(number: int, start: int, end: int, flags: int, context: object) -> None:
            ends.append((number, end))

        database.scan(data, match_event_handler=seen)
        found = [(end - len(literals[number]), form) for number, end in ends for form in owners[literals[number]]]
        return _ordered(found)

    return finder
