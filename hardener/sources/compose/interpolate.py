"""From YAML nodes to the tree: variables replaced, every scalar at its place.

Source: the chapter "Interpolation" of the Compose Specification, and compose-go's template package for what it leaves open. One thing
differs on purpose: compose makes an unset variable empty, here it is open (`HOLE`), because the shell that starts the project may set it.
"""

from typing import Final

from hardener.sources import yaml_nodes
from hardener.sources.compose.tree import Entry, Items, Keys, Leaf, Node
from hardener.sources.expansion import HOLE, LIMIT
from hardener.sources.service import Lookup, Problem
from hardener.text import Pattern, Place, SourceFile, Span

History = tuple[tuple[Place, str], ...]
Path = tuple[str, ...]

_NAME: Final = Pattern(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_DEPTH: Final = 20  # `${A:-${B:-…}}`: levels of defaults that are followed
_KINDS: Final = {type(None): "null", bool: "bool", int: "int", float: "float", str: "str"}


class InvalidTemplate(Exception):
    """A `${` that is not followed by a name and a `}`; offsets into the text that was given."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(start, end)
        self.start = start
        self.end = end


def substitute(text: str, lookup: Lookup, used: list[Place], depth: int = 0) -> str:
    """Return a text with its variables replaced; appends to `used` the places that set them.

    Raises `InvalidTemplate`.
    """
    out: list[str] = []
    at = 0
    size = 0
    while (dollar := text.find("$", at)) >= 0:
        out.append(text[at:dollar])
        following = text[dollar + 1 : dollar + 2]
        if following == "$":
            piece, at = "$", dollar + 2
        elif following == "{":
            piece, at = _braced(text, dollar, lookup, used, depth)
        elif name := _NAME.match(text, dollar + 1):
            piece, at = _value(name[0], lookup, used), name.end()
        else:  # `$(`, `$5` and the like mean nothing to compose
            piece, at = "$", dollar + 1
        size += len(piece)
        if size > LIMIT:
            return HOLE
        out.append(piece)
    out.append(text[at:])
    return "".join(out)


def _value(name: str, lookup: Lookup, used: list[Place]) -> str:
    binding = lookup(name)
    if binding is None:
        return HOLE
    if binding.place is not None:
        used.append(binding.place)
    return binding.text


def _braced(text: str, start: int, lookup: Lookup, used: list[Place], depth: int) -> tuple[str, int]:
    """Return what the `${…}` at `start` amounts to, and where it ends."""
    stop = text.find("\n", start)
    stop = len(text) if stop < 0 else stop
    name = _NAME.match(text, start + 2)
    last = text.rfind("}", start, stop)
    if name is None or last < 0:
        raise InvalidTemplate(start, _end(text, start, stop))
    at = name.end()
    if text.startswith("}", at):
        return _value(name[0], lookup, used), at + 1
    colon = text.startswith(":", at)
    operator = text[at + colon : at + colon + 1]
    if operator not in ("-", "+", "?") or not operator:
        raise InvalidTemplate(start, _end(text, start, stop))
    at += colon + 1
    if last < at:
        raise InvalidTemplate(start, _end(text, start, stop))
    end = _closing(text, start, last)
    binding = lookup(name[0])
    if binding is not None and binding.place is not None:
        used.append(binding.place)
    found = None if binding is None else binding.text
    if found is not None and colon and found and not found.strip(HOLE):
        return HOLE, end + 1  # whether it is empty is open, and so is everything that depends on it
    is_set = found is not None and (bool(found) or not colon)
    if operator == "-" and not is_set:
        return _nested(text, at, end, lookup, used, depth), end + 1
    if operator == "+" and found is not None:
        return _nested(text, at, end, lookup, used, depth) if is_set else "", end + 1
    return (found if found is not None and is_set else HOLE), end + 1


def _nested(text: str, start: int, end: int, lookup: Lookup, used: list[Place], depth: int) -> str:
    if depth >= _MAX_DEPTH:
        return HOLE
    try:
        return substitute(text[start:end], lookup, used, depth + 1)
    except InvalidTemplate as error:
        raise InvalidTemplate(start + error.start, start + error.end) from None


def _closing(text: str, start: int, last: int) -> int:
    """Return the brace that closes the one after `start`. As compose counts: every `{` opens, and the character after it is not looked at;
    where that finds no end, the last brace of the line closes."""
    depth = 0
    at = start
    while at <= last:
        char = text[at]
        if char == "}":
            depth -= 1
            if depth == 0:
                return at
        elif char == "{":
            depth += 1
            at += 1
        at += 1
    return last


def _end(text: str, start: int, stop: int) -> int:
    """Return where to end the mark under something invalid: at its brace, or at the end of the line."""
    brace = text.find("}", start, stop)
    return stop if brace < 0 else brace + 1


class Grown:
    """The tree of one document, and the paths that carry `!reset` or `!override`: what other files say there is dropped."""

    __slots__ = ("paths", "problems", "root")

    def __init__(self, root: Node | None, paths: list[Path], problems: list[Problem]) -> None:
        self.root = root
        self.paths = paths
        self.problems = problems


def grow(node: yaml_nodes.Node, file: SourceFile, lookup: Lookup) -> Grown:
    """Return the tree of one document."""
    builder = _Builder(file, lookup)
    root = builder.node(node, ())
    return Grown(root, builder.paths, builder.problems)


class _Builder:
    """Builds the tree of one document."""

    __slots__ = ("file", "lookup", "path", "paths", "problems")

    def __init__(self, file: SourceFile, lookup: Lookup) -> None:
        self.file = file
        self.lookup = lookup
        self.path: list[str] = []
        self.paths: list[Path] = []
        self.problems: list[Problem] = []

    def node(self, node: yaml_nodes.Node, via: History) -> Node | None:
        """Return the tree under a node; None for what is to be reset. `via` are the aliases that led here."""
        tag = node.tag
        if tag is not None:
            if tag == "!reset":
                self.paths.append(tuple(self.path))
                return None
            if tag == "!override":
                self.paths.append(tuple(self.path))
        file = self.file
        if isinstance(node, yaml_nodes.Scalar):
            return self._leaf(node, via)
        alias = node.alias_span
        place = Place(file, alias or node.span)
        if alias is not None:
            via = (*via, (place, "used through this alias"))
        path = self.path
        if isinstance(node, yaml_nodes.Sequence):
            items = []
            for index, item in enumerate(node.items):
                path.append(str(index))
                grown = self.node(item, via)
                path.pop()
                if grown is not None:
                    items.append(grown)
            found = Items(items, place, tag=tag)
            found.history = via
            return found
        entries: dict[str, Entry] = {}
        for entry in node.entries:
            name = entry.key.text
            path.append(name)
            merged = entry.merge_span
            grown = self.node(entry.value, via if merged is None else (*via, (Place(file, merged), "merged in here")))
            path.pop()
            if grown is not None:
                entries[name] = Entry(Place(file, entry.key.place), grown)
        keys = Keys(entries, place, tag=tag)
        keys.history = via
        return keys

    def _leaf(self, node: yaml_nodes.Scalar, via: History) -> Leaf:
        text, file = node.text, self.file
        place = Place(file, node.place)
        view = yaml_nodes.view(file, node)
        if node.alias_span is not None:
            via = (*via, (Place(file, node.span), "its value is written here"))
        if "$" in text and isinstance(node.value, str):
            used: list[Place] = []
            try:
                text = substitute(node.text, self.lookup, used)
            except InvalidTemplate as error:
                where = place if view is None else Place(file, view.span(error.start, error.end))
                written = node.text[error.start : error.end]
                self.problems.append(
                    Problem(
                        "invalid-interpolation",
                        where,
                        f"{written} is no valid variable: write ${{NAME}}, or $${{…}} for a literal dollar sign",
                        via,
                        {"text": written},
                    )
                )
                text = HOLE
            if text != node.text:
                leaf = Leaf(text, "str", place, is_unknown=HOLE in text, tag=node.tag)
                leaf.history = (*via, *((where, "the variable is set here") for where in used)) if used else via
                return leaf
        leaf = Leaf(text, _KINDS[type(node.value)], place, tag=node.tag)
        leaf.view = view
        leaf.history = via
        return leaf


def place_of(error_at: str, file: SourceFile) -> Place:
    """Return the place that `path:line:column` names, up to the end of the word there."""
    numbers = error_at.removeprefix(file.path).split(":")
    line = int(numbers[1]) if len(numbers) > 1 and numbers[1].isdigit() else 1
    column = int(numbers[2]) if len(numbers) > 2 and numbers[2].isdigit() else 1
    whole = file.line_span(min(line, len(file.line_starts)))
    start = min(whole.start + column - 1, whole.end)
    end = start
    while end < whole.end and file.text[end] not in " \t:,]}#":
        end += 1
    return Place(file, Span(start, max(end, min(start + 1, whole.end))))
