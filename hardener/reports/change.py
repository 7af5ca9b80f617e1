"""What a fix would change, as removed and added lines, from nothing but the finding."""

from typing import Final

from hardener.finding import Location
from hardener.record import NamedTuple

LIMIT: Final = 4_000  # characters of source beyond which a change is described in words only


class Change(NamedTuple):
    """Lines that go and lines that come. `line` is the 1-based line of the first one removed, or before which lines are added."""

    line: int
    removed: tuple[str, ...]
    added: tuple[str, ...]


def changes(edits: tuple[tuple[Location, str], ...]) -> tuple[Change, ...]:
    """Return the changes that `edits` make, in file order; nothing when they are too long to show or join lines."""
    size = 0
    source: dict[int, str] = {}
    for place, text in edits:
        size += len(place.lines) + len(text)
        if size > LIMIT:
            return ()
        source.update(enumerate(place.lines.split("\n"), place.start.line))
    blocks: list[list[tuple[Location, str]]] = []
    last = -1
    for place, text in sorted(edits, key=lambda edit: edit[0].span):
        if place.start.line > last:
            blocks.append([])
        blocks[-1].append((place, text))
        last = max(last, place.start.line + place.lines.count("\n"))
    shown: list[Change] = []
    for block in blocks:
        change = _change(block, source)
        if change is None:
            return ()
        shown.append(change)
    return tuple(shown)


def _change(block: list[tuple[Location, str]], source: dict[int, str]) -> Change | None:
    first = block[0][0].start.line
    starts: dict[int, int] = {}  # where each line starts in the block
    before = ""
    number = first
    stop = max(place.start.line + place.lines.count("\n") for place, _ in block)
    while number <= stop:
        starts[number] = len(before)
        before += source[number] + "\n"
        number += 1
    starts[number] = len(before)
    after = before
    for place, text in reversed(block):
        start = starts[place.start.line] + place.start.column - 1
        end = starts[place.end.line] + place.end.column - 1
        after = after[:start] + text.replace("\r\n", "\n") + after[end:]
    if after and not after.endswith("\n"):
        return None
    removed = before.split("\n")[:-1]
    added = after.split("\n")[:-1]
    while removed and added and removed[0] == added[0]:
        del removed[0], added[0]
        first += 1
    while removed and added and removed[-1] == added[-1]:
        del removed[-1], added[-1]
    return Change(first, tuple(removed), tuple(added))
