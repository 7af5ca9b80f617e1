"""The tree of a compose project: every node knows the file and the place that caused it.

One YAML file becomes a tree (`interpolate.py` builds it, variables replaced); trees are merged (`merge.py`), and what comes out has
nodes from several files. A node keeps the places that it overrides in `history`.
"""

from hardener.text import Place, View


class Leaf:
    """One scalar. `text` is what it means as text, variables replaced, with a `HOLE` for each piece that nothing decides."""

    __slots__ = ("history", "is_unknown", "kind", "place", "tag", "text", "view")

    def __init__(self, text: str, kind: str, place: Place, *, is_unknown: bool = False, tag: str | None = None) -> None:
        self.text = text
        self.kind = kind  # null, bool, int, float, str: its YAML type as written; an interpolated one is str
        self.place = place
        self.is_unknown = is_unknown  # there is a HOLE in `text`
        self.tag = tag  # !reset, !override
        self.view: View | None = None  # `text` mapped to the file, where nothing was replaced and the file holds it letter by letter
        self.history: tuple[tuple[Place, str], ...] = ()

    @property
    def is_null(self) -> bool:
        """Whether nothing (or `null`) is written."""
        return self.kind == "null"


class Items:
    """A sequence."""

    __slots__ = ("history", "items", "place", "tag")

    def __init__(self, items: "list[Node]", place: Place, *, tag: str | None = None) -> None:
        self.items = items
        self.place = place
        self.tag = tag
        self.history: tuple[tuple[Place, str], ...] = ()


class Entry:
    """A key (its place, and its text with variables as written: compose replaces none in keys) and the value."""

    __slots__ = ("key", "value")

    def __init__(self, key: Place, value: "Node") -> None:
        self.key = key
        self.value = value


class Keys:
    """A mapping, in the order of the file; merged-in keys (`<<`) are ordinary entries."""

    __slots__ = ("entries", "history", "place", "tag")

    def __init__(self, entries: dict[str, Entry], place: Place, *, tag: str | None = None) -> None:
        self.entries = entries
        self.place = place
        self.tag = tag
        self.history: tuple[tuple[Place, str], ...] = ()

    def get(self, key: str) -> "Node | None":
        """Return the value of a key."""
        entry = self.entries.get(key)
        return None if entry is None else entry.value


Node = Leaf | Items | Keys
