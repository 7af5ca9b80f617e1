"""What is odd about an image and does no harm: counted, so that no image can make the list long."""

from __future__ import annotations

Counts = dict[tuple[str, str], tuple[int, str]]  # of each kind, and what it was first about


class Notes:
    """Kinds of oddities, each with how often and where first."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: Counts = {}

    def add(self, what: str, where: str, example: str) -> None:
        """Take one down: `what` in the plural, `where` it is, and the name it is about."""
        count, first = self._found.get((what, where), (0, example))
        self._found[what, where] = (count + 1, first)

    def take(self) -> Counts:
        """Return what was taken down, and forget it."""
        found, self._found = self._found, {}
        return found

    def give(self, counts: Counts) -> None:
        """Take down what others have."""
        for key, (more, example) in counts.items():
            count, first = self._found.get(key, (0, example))
            self._found[key] = (count + more, first)

    def lines(self) -> tuple[str, ...]:
        """Return one line for each kind, in the order in which they were met; names in them are as they were written."""
        return tuple([f"{where}: {count} × {what}, first {example!r:.100}" for (what, where), (count, example) in self._found.items()])
