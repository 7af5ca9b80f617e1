"""A YAML tree in which every node knows its exact place in the file.

Built from PyYAML's events rather than its loaders: those forget where a value stood, read `on`, `22:22` and `010` as YAML 1.1 did,
and accept duplicate keys. The only module that imports yaml; our own rules and policies are read through it too. Files that are plain
enough are read without PyYAML, to the same tree: see `yaml_plain`.

Values follow the YAML 1.2 core schema (yaml.org/spec/1.2.2, chapter 10.3), which is also what compose and every other modern reader does.
"""

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from hardener.errors import HardenError, suggest
from hardener.text import BOM, Pattern, SourceFile, Span, View, ViewBuilder

if TYPE_CHECKING:
    from yaml.error import MarkedYAMLError
    from yaml.events import CollectionStartEvent, Event, NodeEvent, ScalarEvent, _Mark
    from yaml.reader import ReaderError

MAX_DEPTH: Final = 100
"""Levels of nesting, those reached through aliases included. Real files have fewer than 20."""

MAX_EXPANSION: Final = 200_000
"""Nodes that a file's aliases may add to those it writes. Aliases share their nodes, so they cost us nothing, but whoever walks the
tree walks each of them again ("billion laughs")."""

_INT: Final = Pattern(r"[-+]?[0-9]+")
_FLOAT: Final = Pattern(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_OCTAL: Final = Pattern(r"0o[0-7]+")
_HEX: Final = Pattern(r"0x[0-9a-fA-F]+")
_OF_NUMBERS: Final = frozenset("0123456789abcdefABCDEFoxinINFaN.+-")
_WORDS: Final[dict[str, str | int | float | bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_MAX_DIGITS: Final = 4000  # the interpreter refuses to convert more than 4,300: such a "number" stays text

_STANDARD: Final = "tag:yaml.org,2002:"
_BLANK: Final = Pattern(r"(?:[ \t\r\n]++|#[^\n]*+)*")
_PROPERTY: Final = Pattern(_BLANK.pattern + r"(?:&[\w-]+|!<[^>\s]*>|![^\s{}\[\],]*)")
_UNPRINTABLE: Final = "[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # 4 ms to compile: for the error only

_HINTS: Final = (
    ("tab", "indent with spaces: YAML forbids tabs there"),
    ("cannot start any token", "quote the value: it starts with a character that YAML reserves, or a tab indents it"),
    ("mapping values are not allowed", "quote a value that holds `: `, or correct the indentation"),
    ("could not find expected ':'", "add the missing `:` after the key, with a blank behind it"),
    ("did not find expected key", "correct the indentation: keys of one mapping start in the same column"),
    ("unexpected end of stream", "close the quote"),
    ("did not find expected ','", "close the bracket, or put a comma between the items"),
    ("undefined tag handle", "declare the handle with %TAG, or write the tag as `!name`"),
)


class Scalar:
    """One value. `text` is what is written, unquoted, unescaped and unfolded; `value` what it means."""

    __slots__ = ("alias_span", "span", "style", "tag", "text", "value")

    def __init__(self, value: str | int | float | bool | None, text: str, span: Span, style: str, tag: str | None) -> None:
        self.value = value
        self.text = text
        self.span = span  # the value with its quotes or its `|`; without anchor and tag; empty when nothing is written
        self.style = style  # "" plain, or the character that opens it: ' " | >
        self.tag = tag  # "!reset", "!!str", …; None when none is written
        self.alias_span: Span | None = None  # where `*name` stands, when the node was reached through an alias

    @property
    def quoted(self) -> bool:
        """Whether it is text whatever it looks like: in quotes, or a block."""
        return bool(self.style)

    @property
    def place(self) -> Span:
        """Where it stands in its parent: the alias, or the value itself."""
        return self.alias_span or self.span


class Sequence:
    """A list of nodes."""

    __slots__ = ("alias_span", "items", "span", "tag")

    def __init__(self, items: "tuple[Node, ...]", span: Span, tag: str | None) -> None:
        self.items = items
        self.span = span
        self.tag = tag
        self.alias_span: Span | None = None

    @property
    def place(self) -> Span:
        """Where it stands in its parent: the alias, or the list itself."""
        return self.alias_span or self.span


class Entry:
    """A key and its value. `span` goes from the start of the key to the end of the value (of its alias, when it is one).

    An entry that came through `<<` has the spans of where it is written, and `merge_span`: where the merged value (usually an alias)
    stands in the mapping that asked for it.
    """

    __slots__ = ("key", "merge_span", "span", "value")

    def __init__(self, key: Scalar, value: "Node", span: Span, merge_span: Span | None = None) -> None:
        self.key = key
        self.value = value
        self.span = span
        self.merge_span = merge_span


class Mapping:
    """Keys and values. `written` are the entries of the source, `<<` included; `entries` what they amount to after merging.

    Keys are compared as text, as compose and JSON do: `80` and `"80"` are the same key.
    """

    __slots__ = ("_by_key", "alias_span", "entries", "span", "tag", "written")

    def __init__(self, written: tuple[Entry, ...], entries: tuple[Entry, ...], span: Span, tag: str | None) -> None:
        self.written = written
        self.entries = entries
        self.span = span
        self.tag = tag
        self.alias_span: Span | None = None
        self._by_key: dict[str, Entry] | None = None

    @property
    def place(self) -> Span:
        """Where it stands in its parent: the alias, or the mapping itself."""
        return self.alias_span or self.span

    def entry(self, name: str) -> Entry | None:
        """Return the entry of a key, merged ones included."""
        by_key = self._by_key
        if by_key is None:
            by_key = self._by_key = {entry.key.text: entry for entry in self.entries}
        return by_key.get(name)

    def get(self, name: str) -> "Node | None":
        """Return the value of a key, merged ones included; None when there is no such key (a null value is a `Scalar`)."""
        entry = self.entry(name)
        return entry.value if entry else None

    def keys(self) -> tuple[str, ...]:
        """Return the keys in order, merged ones last."""
        return tuple(entry.key.text for entry in self.entries)


Node: TypeAlias = Scalar | Sequence | Mapping


def parse(file: SourceFile) -> Node:
    """Return the single document of a file; an empty file is a null `Scalar`.

    Raises `HardenError` with the exact place for a syntax error, a duplicate key, an unknown alias, too deep nesting, aliases that
    expand beyond all measure, or a second document.
    """
    documents = parse_all(file)
    if not documents:
        return Scalar(None, "", Span(0, 0), "", None)
    if len(documents) > 1:
        raise HardenError(
            "a second YAML document where one is expected", where=file.at(documents[1].span), how="remove the `---` that separates them"
        )
    return documents[0]


def parse_all(file: SourceFile) -> tuple[Node, ...]:
    """Return every document of a file; raises like `parse`."""
    from hardener.sources import yaml_plain

    plain = yaml_plain.read(file.text)
    return read_events(file) if plain is None else (plain,)


def read_events(file: SourceFile) -> tuple[Node, ...]:
    """Return every document of a file as PyYAML reads it, however plain they are; raises like `parse`."""
    return tuple(_Builder(file).build())


def plain(node: Node) -> object:
    """Return the node as Python values: dict (merged, keys as text), list, str, int, float, bool, None."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {entry.key.text: plain(entry.value) for entry in node.entries}


def view(file: SourceFile, node: Scalar) -> View | None:
    """Return the scalar's text with a map back to the file.

    None when the file does not hold the text letter by letter (escapes, folded lines): then only the whole `span` is known.
    """
    text, (start, end) = node.text, node.span
    if node.style in ("'", '"'):
        start, end = start + 1, end - 1
    if file.text[start:end] == text:
        return View.of(file, Span(start, end))
    return _block_view(file, text, start, end) if node.style == "|" else None


def _block_view(file: SourceFile, text: str, start: int, end: int) -> View | None:
    """Return the view of a literal block: each line of its text stands in the file behind an indentation."""
    builder = ViewBuilder()
    at = file.text.find("\n", start, end) + 1
    if not at:
        return None
    for line in text.splitlines(keepends=True):
        body = line.removesuffix("\n")
        stop = file.text.find("\n", at)
        stop = len(file.text) if stop < 0 else stop
        column = file.text.find(body, at, stop) if body.strip() else stop - len(file.text[at:stop].lstrip(" ")) if body else stop
        # The indentation must be all that precedes, or the text is not where we think it is.
        if column < 0 or file.text[at:column].strip(" \r"):
            return None
        builder.add(body, column)
        builder.add(line[len(body) :], stop)
        at = stop + 1
    return builder.build()


class _Frame:
    """A collection that is being read."""

    __slots__ = ("anchor", "height", "items", "key", "size", "start", "stop", "tag", "written")

    def __init__(self, start: int, tag: str | None, anchor: str | None, written: dict[str, Entry] | None) -> None:
        self.start = start
        self.stop = start  # where the last thing in it ends: the end marks of block collections lie behind trailing comments
        self.tag = tag
        self.anchor = anchor
        self.items: list[Node] = []
        self.written = written  # None for a sequence
        self.key: Scalar | None = None  # the key whose value is awaited
        self.size = 1  # nodes in it, aliases followed
        self.height = 1  # levels in it, aliases followed


class _Builder:
    """Turns the events of one file into documents."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        # The parsers take a byte order mark off the text and do not count it (libyaml: even a second one).
        self.base = len(file.text) - len(file.text.lstrip(BOM))
        self.frames: list[_Frame] = []
        self.anchors: dict[str, tuple[Node, int, int] | None] = {}  # node, size, height; None while the node is being read
        self.expansion = 0
        self.documents: list[Node] = []

    def build(self) -> list[Node]:
        import yaml

        try:
            # libyaml is 20 times faster than the Python parser and right about a tab after `:`. Its marks count code points as well.
            for event in yaml.parse(self.file.text[self.base :], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
                match event:
                    case yaml.ScalarEvent():
                        self._scalar(event)
                    case yaml.AliasEvent():
                        self._alias(event)
                    case yaml.MappingStartEvent():
                        self._open(event, {})
                    case yaml.SequenceStartEvent():
                        self._open(event, None)
                    case yaml.CollectionEndEvent():
                        self._close(event)
                    case yaml.DocumentStartEvent():
                        self.anchors.clear()
        except yaml.MarkedYAMLError as error:
            raise self._syntax_error(error) from None
        except yaml.reader.ReaderError as error:
            raise self._unprintable(error) from None
        except (ValueError, OverflowError):  # the Python parser, on an escape such as "\\UFFFFFFFF"
            raise HardenError(
                "not valid YAML: an escape that is no character", where=self.file.path, how="correct the `\\U` escape"
            ) from None
        return self.documents

    def _scalar(self, event: "ScalarEvent") -> None:
        start, end = self._content(event)
        if event.style in ("|", ">"):
            end = start + len(self.file.text[start:end].rstrip())
        tag, text, style = _short(event.tag), event.value, event.style or ""
        node = Scalar(_resolve(text, style, tag), text, Span(start, end), style, tag)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, 1, 0)
        self._add(node, 1, 0)

    def _alias(self, event: "NodeEvent") -> None:
        span = Span(self._offset(event.start_mark), self._offset(event.end_mark))
        name = event.anchor or ""
        if name not in self.anchors:
            raise HardenError(
                f"alias *{name} names no anchor",
                where=self.file.at(span),
                how=suggest(name, list(self.anchors)) or f"write &{name} before the value that it stands for, earlier in the same document",
            )
        target = self.anchors[name]
        if target is None:
            raise HardenError(
                f"alias *{name} stands inside its own anchor", where=self.file.at(span), how="take it out: the value would be endless"
            )
        node, size, height = target
        self.expansion += size
        if self.expansion > MAX_EXPANSION:
            raise HardenError(
                f"the aliases expand to more than {MAX_EXPANSION:,} values", where=self.file.at(span), how="use fewer nested aliases"
            )
        if len(self.frames) + height > MAX_DEPTH:
            raise self._too_deep(span.start)
        self._add(_aliased(node, span), size, height)

    def _open(self, event: "CollectionStartEvent", written: dict[str, Entry] | None) -> None:
        start, end = self._content(event)
        if len(self.frames) >= MAX_DEPTH:
            raise self._too_deep(start)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.frames.append(_Frame(start, _short(event.tag), event.anchor, written))
        self.frames[-1].stop = max(start, end)

    def _close(self, event: "Event") -> None:
        frame = self.frames.pop()
        end = self._offset(event.end_mark)
        # Only a flow collection has an end of its own.
        span = Span(frame.start, end if end > self._offset(event.start_mark) else frame.stop)
        node: Node
        if frame.written is None:
            node = Sequence(tuple(frame.items), span, frame.tag)
        else:
            written = tuple(frame.written.values())
            node = Mapping(written, self._merged(frame.written) or written, span, frame.tag)
        if frame.anchor is not None:
            self.anchors[frame.anchor] = (node, frame.size, frame.height)
        self._add(node, frame.size, frame.height)

    def _add(self, node: Node, size: int, height: int) -> None:
        """Put a finished node where it belongs: a document, a list, a key, or a value."""
        if not self.frames:
            self.documents.append(node)
            return
        frame = self.frames[-1]
        place = node.place
        frame.size += size
        frame.height = max(frame.height, height + 1)
        frame.stop = max(frame.stop, place.end)
        if frame.written is None:
            frame.items.append(node)
        elif frame.key is not None:
            frame.written[frame.key.text] = Entry(frame.key, node, Span(frame.key.place.start, max(frame.key.place.end, place.end)))
            frame.key = None
        elif not isinstance(node, Scalar):
            raise HardenError(
                "a key that is not text", where=self.file.at(place), how="quote it if it is meant as text: `{` and `[` open a collection"
            )
        elif (first := frame.written.get(node.text)) is not None:
            line, column = self.file.position(first.key.place.start)
            raise HardenError(
                f"duplicate key {node.text!r}: it is already set at {line}:{column}",
                where=self.file.at(place),
                how="remove one of the two: which one would win differs from reader to reader",
            )
        else:
            frame.key = node

    def _merged(self, written: dict[str, Entry]) -> tuple[Entry, ...] | None:
        """Return the entries with `<<` resolved; None when there is none (yaml.org/type/merge: keys of the mapping itself win, then the
        first of several merged mappings)."""
        merge = written.get("<<")
        if merge is None or merge.key.quoted:
            return None
        entries = {name: entry for name, entry in written.items() if entry is not merge}
        sources = merge.value.items if isinstance(merge.value, Sequence) else (merge.value,)
        for source in sources:
            if not isinstance(source, Mapping):
                raise HardenError(
                    "`<<` merges something that is not a mapping",
                    where=self.file.at(source.place),
                    how="give it a mapping, or a list of mappings",
                )
            # In a list that is itself an alias, the alias of the list is what stands in this mapping.
            place = merge.value.alias_span or source.place
            for entry in source.entries:
                entries.setdefault(entry.key.text, Entry(entry.key, entry.value, entry.span, place))
        return tuple(entries.values())

    def _content(self, event: "ScalarEvent | CollectionStartEvent") -> Span:
        """Return where the content starts and the event ends: the parsers count anchor and tag as part of both."""
        start, end = self._offset(event.start_mark), self._offset(event.end_mark)
        properties = (event.anchor is not None) + (event.tag is not None)
        if properties:
            text = self.file.text
            for _ in range(properties):
                if found := _PROPERTY.match(text, start):
                    start = found.end()
            if found := _BLANK.match(text, start):
                start = found.end()
        return Span(min(start, end), end)

    def _offset(self, mark: "_Mark | None") -> int:
        return self.base + mark.index if mark else self.base

    def _too_deep(self, offset: int) -> HardenError:
        where = self.file.at(Span(offset, offset))
        return HardenError(f"nested more than {MAX_DEPTH} levels deep", where=where, how="flatten the file: no reader expects such depth")

    def _syntax_error(self, error: "MarkedYAMLError") -> HardenError:
        problem = error.problem or "it cannot be read"
        if error.context:
            problem = f"{problem} ({error.context}"
            if error.context_mark and error.problem_mark and error.context_mark.index < error.problem_mark.index:
                line, column = self.file.position(self._offset(error.context_mark))
                problem += f" that starts at {line}:{column}"
            problem += ")"
        offset = self._offset(error.problem_mark or error.context_mark)
        if "maximum nesting depth" in problem:  # PyYAML's own limit, since 6.0.4
            return self._too_deep(offset)
        hint = next((hint for part, hint in _HINTS if part in problem), "correct the syntax there, or just before")
        return HardenError(f"not valid YAML: {problem}", where=self.file.at(Span(offset, offset)), how=hint)

    def _unprintable(self, error: "ReaderError") -> HardenError:
        found = re.search(_UNPRINTABLE, self.file.text)
        if found is None:
            return HardenError(f"not valid YAML: {error.reason}", where=self.file.path, how="save the file as UTF-8")
        return HardenError(
            f"not valid YAML: the control character U+{ord(found[0]):04X}",
            where=self.file.at(Span(*found.span())),
            how='remove it, or write it as an escape in double quotes: "\\x1b"',
        )


def _aliased(node: Node, span: Span) -> Node:
    """Return the node as it appears through the alias at `span`. What is in it is shared."""
    copy: Node
    match node:
        case Scalar():
            copy = Scalar(node.value, node.text, node.span, node.style, node.tag)
        case Sequence():
            copy = Sequence(node.items, node.span, node.tag)
        case Mapping():
            copy = Mapping(node.written, node.entries, node.span, node.tag)
    copy.alias_span = span
    return copy


def _short(tag: str | None) -> str | None:
    """Return a tag as people write it: `!!int` for `tag:yaml.org,2002:int`."""
    return "!!" + tag[len(_STANDARD) :] if tag and tag.startswith(_STANDARD) else tag


def _resolve(text: str, style: str, tag: str | None) -> str | int | float | bool | None:
    """Return the value of a scalar."""
    if tag in ("!!int", "!!float", "!!bool", "!!null"):
        value = core_value(text)
        return float(value) if tag == "!!float" and isinstance(value, int) else value
    return text if style or tag in ("!", "!!str") else core_value(text)


def core_value(text: str) -> str | int | float | bool | None:
    """Return what a plain scalar means in the core schema. Source: yaml.org/spec/1.2.2, 10.3.2."""
    if not text or text[0] not in "+-.0123456789":
        return _WORDS.get(text, text)
    if len(text) > _MAX_DIGITS or not _OF_NUMBERS.issuperset(text):
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    return _WORDS.get(text, text)
