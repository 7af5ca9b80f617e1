"""`[tool.hardener]` of a pyproject.toml as the same nodes that YAML gives, so that one reader serves both.

`tomllib` forgets where things stand. Their places are found again by looking for keys and values in the order of the file: exact for
how people write these tables, and never further off than the table itself.
"""

import re
from collections.abc import Mapping as AnyMapping
from typing import Final

from hardener.errors import HardenError
from hardener.sources.yaml_nodes import Entry, Mapping, Node, Scalar, Sequence
from hardener.text import SourceFile, Span

_PART: Final = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_HEADER: Final = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_PART}(?:[ \t]*\.[ \t]*{_PART})*)[ \t]*\]")
_KEY: Final = re.compile(rf"[ \t]*({_PART}(?:[ \t]*\.[ \t]*{_PART})*)[ \t]*=")
_PARTS: Final = re.compile(_PART)

_Path = tuple[str | int, ...]


def parse(file: SourceFile) -> Mapping | None:
    """Return the table `[tool.hardener]`, or None when the file has none.

    Raises `HardenError` when the file is not valid TOML.
    """
    import tomllib  # 8 ms: only for projects that configure us there

    try:
        document: dict[str, object] = tomllib.loads(file.text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        where = f"{file.path}:{found[1]}:{found[2]}" if found else file.path
        what = str(error)[: found.start()] if found else str(error)
        raise HardenError(f"not valid TOML: {what}", where=where, how="correct the syntax there") from None
    tool = document.get("tool")
    table = tool.get("hardener") if isinstance(tool, dict) else None
    if table is None:
        return None
    places = _places(file.text)
    start = places.get(("tool", "hardener"), Span(0, 0))
    node = _Converter(file.text, places, start.end).convert(table, ("tool", "hardener"))
    if isinstance(node, Mapping):
        return node
    raise HardenError("tool.hardener is not a table", where=file.at(start), how="write `[tool.hardener]`")


def mapping(values: AnyMapping[str, object]) -> Mapping:
    """Return plain values by key as a node without places, for settings that come from the command line."""
    return _Converter("", {}, 0).table(values, ())


def _places(text: str) -> dict[_Path, Span]:
    """Return where the keys and table headers of a file stand, by their full path; array tables count their items."""
    places: dict[_Path, Span] = {}
    table: _Path = ()
    counts: dict[_Path, int] = {}
    at = 0
    for line in text.split("\n"):
        if (header := _HEADER.match(line)) is not None:
            table = ()
            for part in _names(header[2]):
                table = (*table, part)
                if table in counts and table != tuple(_names(header[2])):
                    table = (*table, counts[table])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            places.setdefault(table, Span(at + header.start(1), at + header.end()))
        elif (key := _KEY.match(line)) is not None:
            places.setdefault((*table, *_names(key[1])), Span(at + key.start(1), at + key.end(1)))
        at += len(line) + 1
    return places


def _names(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PARTS.findall(dotted)]


class _Converter:
    """Turns plain values into nodes, with a cursor that moves through the text."""

    __slots__ = ("cursor", "places", "text")

    def __init__(self, text: str, places: dict[_Path, Span], cursor: int) -> None:
        self.text = text
        self.places = places
        self.cursor = cursor

    def convert(self, value: object, path: _Path) -> Node:
        start = self.cursor
        if isinstance(value, dict):
            return self.table(value, path)
        if isinstance(value, list | tuple):
            items: list[Node] = []
            for index, item in enumerate(value):
                if (header := self.places.get((*path, index))) is not None:
                    self.cursor = header.end
                items.append(self.convert(item, (*path, index)))
            return Sequence(tuple(items), Span(start, max(start, self.cursor)), None)
        if isinstance(value, bool | int | float | str):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            return Scalar(value, text, self.find(text), '"' if isinstance(value, str) else "", None)
        return Scalar(None, str(value), self.find(str(value)), "", None)  # a date: no key takes one

    def table(self, values: AnyMapping[str, object], path: _Path) -> Mapping:
        start = self.cursor
        entries: list[Entry] = []
        for name, item in values.items():
            span = self.places.get((*path, name))
            if span is not None:
                self.cursor = span.end
            else:
                span = self.find(name)
            key = Scalar(name, name, span, "", None)
            node = self.convert(item, (*path, name))
            entries.append(Entry(key, node, Span(span.start, max(span.end, self.cursor))))
        return Mapping(tuple(entries), tuple(entries), Span(start, max(start, self.cursor)), None)

    def find(self, text: str) -> Span:
        """Return where `text` stands next, quotes included as YAML has it, and move on; an empty span when it is written differently."""
        start = self.text.find(text, self.cursor) if text else -1
        if start < 0:
            return Span(self.cursor, self.cursor)
        self.cursor = start + len(text)
        if start and self.text[start - 1] in "\"'" and self.text[self.cursor : self.cursor + 1] == self.text[start - 1]:
            start -= 1
            self.cursor += 1
        return Span(start, self.cursor)
