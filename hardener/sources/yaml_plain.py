"""A reader for the YAML that most files are made of; whatever else there is it leaves to PyYAML, of which it needs nothing.

To import PyYAML takes as long as to judge five compose files, and most compose files hold block mappings and lists of one-line values
and no more. Those are read here, into the very tree that `yaml_nodes` builds. Everything less plain (anchors, aliases, tags, merge keys,
escapes, block and folded scalars, nested flow collections, several documents, tabs, each and every error) is a reason to give up, never
to guess: a text is read as PyYAML reads it, or not at all.
"""

from typing import Final

from hardener.sources.yaml_nodes import Entry, Mapping, Node, Scalar, Sequence, core_value
from hardener.text import Span

_MAX_DEPTH: Final = 50
_MAX_KEY: Final = 1000  # characters; PyYAML takes up to 1,024
_NOT_PLAIN: Final = frozenset("?:,[]{}#&*!|>%@`'\"")
"""What a plain scalar does not begin with, or not everywhere."""


class _GiveUp(Exception):
    """Something that is not plain."""


class _Block:
    """A block collection that is being read."""

    __slots__ = ("awaited", "column", "items", "key", "start", "stop", "written")

    def __init__(self, column: int, start: int, *, is_list: bool) -> None:
        self.column = column
        self.start = start
        self.stop = start
        self.items: list[Node] = []
        self.written: dict[str, Entry] | None = None if is_list else {}
        self.key: Scalar | None = None
        self.awaited = -1  # where a value stands that is written nowhere: behind the `:` or `-` that awaits one; -1 when none does

    def add(self, node: Node) -> None:
        """Put in the value that is awaited."""
        self.awaited = -1
        end = node.span.end
        self.stop = max(self.stop, end)
        if self.written is None:
            self.items.append(node)
        elif self.key is not None:
            start, key_end = self.key.span
            self.written[self.key.text] = Entry(self.key, node, Span(start, max(key_end, end)))

    def settle(self) -> None:
        """Put in null where a value is awaited and none will come."""
        if self.awaited >= 0:
            self.add(Scalar(None, "", Span(self.awaited, self.awaited), "", None))

    def node(self) -> Node:
        """Return the finished collection."""
        self.settle()
        span = Span(self.start, self.stop)
        if self.written is None:
            return Sequence(tuple(self.items), span, None)
        entries = tuple(self.written.values())
        return Mapping(entries, entries, span, None)


def read(text: str) -> Node | None:
    """Return the one document in a text, or None when it takes more than this to read it."""
    # Printable: no tabs, carriage returns, byte order marks, or characters that are line breaks to YAML alone.
    if not text.replace("\n", "").isprintable():
        return None
    reader = _Reader()
    start = 0
    try:
        for line in text.split("\n"):
            content = line.lstrip(" ")
            if content and content[0] != "#":
                column = len(line) - len(content)
                reader.line(content.rstrip(" "), column, start + column)
            start += len(line) + 1
    except _GiveUp:
        return None
    return reader.end()


class _Reader:
    """Reads line by line."""

    __slots__ = ("blocks", "is_started", "root")

    def __init__(self) -> None:
        self.blocks: list[_Block] = []
        self.root: Node | None = None
        self.is_started = False

    def end(self) -> Node | None:
        """Return what was read."""
        while self.blocks:
            self.close()
        return self.root

    def open(self, column: int, start: int, *, is_list: bool) -> _Block:
        """Begin a collection, as the value that is awaited or as the root."""
        if len(self.blocks) >= _MAX_DEPTH or self.root is not None:
            raise _GiveUp
        block = _Block(column, start, is_list=is_list)
        self.blocks.append(block)
        return block

    def close(self) -> None:
        """End the innermost collection."""
        node = self.blocks.pop().node()
        if self.blocks:
            self.blocks[-1].add(node)
        else:
            self.root = node

    def line(self, content: str, column: int, offset: int) -> None:
        """Read a line with something in it: `content` without blanks around it, where it starts in its line and in the text."""
        if not self.is_started:
            self.is_started = True
            if content == "---" and not column:
                return
        is_item = content[0] == "-" and (len(content) == 1 or content[1] == " ")
        block = self.at(column, offset, is_item=is_item)
        while is_item:
            block.settle()
            block.awaited = offset + 1
            rest = content[1:].lstrip(" ")
            if not rest or rest[0] == "#":
                return
            column += len(content) - len(rest)
            offset += len(content) - len(rest)
            content = rest
            is_item = content[0] == "-" and (len(content) == 1 or content[1] == " ")
            if is_item:
                block = self.open(column, offset, is_list=True)
            elif _key(content, offset) is None:
                block.add(_value(content, offset))
                return
            else:
                block = self.open(column, offset, is_list=False)
        self.entry(block, content, offset)

    def entry(self, block: _Block, content: str, offset: int) -> None:
        """Read a key and what follows it in its line."""
        found = _key(content, offset)
        if found is None or block.written is None:
            raise _GiveUp
        block.settle()
        key, end = found
        if key.text in block.written:
            raise _GiveUp
        block.key = key
        block.awaited = offset + end
        rest = content[end:].lstrip(" ")
        if rest and rest[0] != "#":
            block.add(_value(rest, offset + len(content) - len(rest)))

    def at(self, column: int, offset: int, *, is_item: bool) -> _Block:
        """Return the collection that a line at a column belongs to, opened if it is its first."""
        blocks = self.blocks
        while blocks and blocks[-1].column > column:
            self.close()
        if not blocks:
            return self.open(column, offset, is_list=is_item)
        block = blocks[-1]
        if block.column < column:
            if block.awaited < 0:  # a second line of a value, or a mistake
                raise _GiveUp
            return self.open(column, offset, is_list=is_item)
        if is_item and block.written is not None:  # a list may stand in the column of its key
            if block.awaited < 0:
                raise _GiveUp
            return self.open(column, offset, is_list=True)
        if not is_item and block.written is None:  # such a list ends with the next key
            if len(blocks) < 2 or blocks[-2].column != column:
                raise _GiveUp
            self.close()
            return blocks[-1]
        return block


def _key(content: str, offset: int) -> tuple[Scalar, int] | None:
    """Return the key that a text starts with, and where the text behind its `:` starts; None when it starts with none."""
    quote = content[0]
    if quote in "'\"":
        end = _closed(content, 0)
        if content[end : end + 1] != ":":
            return None
        if content[end + 1 : end + 2] not in ("", " ") or end > _MAX_KEY:
            raise _GiveUp
        text = content[1 : end - 1]
        return Scalar(text, text, Span(offset, offset + end), quote, None), end + 1
    end = content.find(": ")
    if end < 0:
        if content[-1] != ":":
            return None
        end = len(content) - 1
    text = content[:end]
    if not _is_word(text) or end > _MAX_KEY:
        return None
    return Scalar(core_value(text), text, Span(offset, offset + end), "", None), end + 1


def _is_word(text: str) -> bool:
    """Whether a text is letters and digits with `_`, `-`, `.` and `/` between them: plain wherever it stands."""
    return text.isidentifier() or (
        text[:1].isalnum() and text.replace("_", "").replace("-", "").replace(".", "").replace("/", "").isalnum()
    )


def _closed(content: str, start: int) -> int:
    """Return where a quoted scalar ends, behind its second quote."""
    quote = content[start]
    end = content.find(quote, start + 1) + 1
    # Two quotes in a row are one quote that does not end the text.
    if not end or (quote == '"' and "\\" in content[start:end]) or content[end : end + 1] == quote:
        raise _GiveUp
    return end


def _value(content: str, offset: int) -> Node:
    """Return the value that is the rest of a line."""
    first = content[0]
    node: Node
    if first == "-" and content[1:2] in ("", " "):
        raise _GiveUp
    if first not in _NOT_PLAIN:
        comment = content.find(" #")
        text = content if comment < 0 else content[:comment].rstrip(" ")
        if ": " in text or text[-1] == ":":
            raise _GiveUp
        return Scalar(core_value(text), text, Span(offset, offset + len(text)), "", None)
    if first in "'\"":
        end = _closed(content, 0)
        text = content[1 : end - 1]
        node = Scalar(text, text, Span(offset, offset + end), first, None)
    elif content.startswith("{}"):
        end = 2
        node = Mapping((), (), Span(offset, offset + 2), None)
    elif first == "[":
        items, end = _items(content, offset)
        node = Sequence(items, Span(offset, offset + end), None)
    else:
        raise _GiveUp
    rest = content[end:]
    if rest and not (rest[0] == " " and rest.lstrip(" ")[0] == "#"):
        raise _GiveUp
    return node


def _items(content: str, offset: int) -> tuple[tuple[Node, ...], int]:
    """Return the items of a list in brackets, all of them words or in quotes, and where it ends."""
    items: list[Node] = []
    at = 1
    while True:
        at = _past_blanks(content, at)
        first = content[at : at + 1]
        if not first:
            raise _GiveUp  # it goes on in the next line
        if first == "]" and not items:
            return (), at + 1
        if first in "'\"":
            end = _closed(content, at)
            text = content[at + 1 : end - 1]
            items.append(Scalar(text, text, Span(offset + at, offset + end), first, None))
        else:
            end = at
            while content[end : end + 1] not in ("", ",", "]", " "):
                end += 1
            text = content[at:end]
            if not _is_word(text):
                raise _GiveUp
            items.append(Scalar(core_value(text), text, Span(offset + at, offset + end), "", None))
        end = _past_blanks(content, end)
        after = content[end : end + 1]
        at = end + 1
        if after == "]":
            return tuple(items), at
        if after != ",":
            raise _GiveUp


def _past_blanks(content: str, at: int) -> int:
    while content[at : at + 1] == " ":
        at += 1
    return at
