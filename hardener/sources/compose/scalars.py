"""From nodes of the tree to settings: one scalar, a list of them, a list or map of variables.

What has the wrong type or cannot be read gives nothing here; `schema.py` is what tells the user.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

from hardener.sources.compose import units
from hardener.sources.compose.tree import Items, Keys, Leaf, Node
from hardener.sources.service import Setting, Variable
from hardener.sources.unknown import UNKNOWN
from hardener.text import Place

T = TypeVar("T")


def part(leaf: Leaf, start: int, end: int) -> Place:
    """Return the place of `leaf.text[start:end]`, or of the whole scalar where the file does not hold it letter by letter."""
    return leaf.place if leaf.view is None else Place(leaf.place.file, leaf.view.span(start, end))


def setting(leaf: Leaf, key: Place) -> Setting[str]:
    """Return a scalar as text."""
    return Setting(UNKNOWN if leaf.is_unknown else leaf.text, leaf.place, key, leaf.text, leaf.history, leaf.view)


def text(node: Node | None, key: Place) -> Setting[str] | None:
    """Return a scalar as text; None for nothing, a list or a map."""
    return setting(node, key) if isinstance(node, Leaf) and node.kind != "null" else None


def _converted(convert: Callable[[str], T | None]) -> Callable[[Node | None, Place], Setting[T] | None]:
    def read(node: Node | None, key: Place) -> Setting[T] | None:
        if not isinstance(node, Leaf) or node.kind == "null":
            return None
        if node.is_unknown:
            return Setting(UNKNOWN, node.place, key, node.text, node.history, node.view)
        value = convert(node.text)
        return None if value is None else Setting(value, node.place, key, node.text, node.history, node.view)

    return read


switch = _converted(units.switch)
integer = _converted(units.integer)
number = _converted(units.number)
size = _converted(units.size)
duration = _converted(units.duration)


def texts(node: Node | None, key: Place) -> tuple[Setting[str], ...]:
    """Return a list of scalars, or the one scalar that stands for a list of one."""
    if isinstance(node, Items):
        return tuple([setting(item, key) for item in node.items if isinstance(item, Leaf) and item.kind != "null"])
    single = text(node, key)
    return () if single is None else (single,)


def leaves(node: Node | None) -> Iterator[Leaf]:
    """Yield the scalars of a list, or the one scalar that stands for it."""
    if isinstance(node, Items):
        for item in node.items:
            if isinstance(item, Leaf) and item.kind != "null":
                yield item
    elif isinstance(node, Leaf) and node.kind != "null":
        yield node


def pair(leaf: Leaf, source: str, separators: str = "=") -> Variable:
    """Return the variable that one item `NAME=value` says; without a separator it is a name alone."""
    written = leaf.text
    at = min((found for found in (written.find(char) for char in separators) if found >= 0), default=-1)
    if at < 0:
        return Variable(written, leaf.place, None, source)
    view = None if leaf.view is None else leaf.view.sub(at + 1, len(written))
    rest = written[at + 1 :]
    key = part(leaf, 0, at)
    value: Setting[str] = Setting(UNKNOWN if "\0" in rest else rest, part(leaf, at + 1, len(written)), key, rest, leaf.history, view)
    return Variable(written[:at], key, value, source)


def variables(node: Node | None, source: str) -> tuple[Variable, ...]:
    """Return the variables of a map, or of a list of `NAME=value`; of two with the same name in a list the last one wins."""
    if isinstance(node, Keys):
        return tuple([Variable(name, entry.key, text(entry.value, entry.key), source) for name, entry in node.entries.items()])
    if isinstance(node, Items):
        found: dict[str, Variable] = {}
        for leaf in leaves(node):
            variable = pair(leaf, source)
            found[variable.name] = variable
        return tuple(found.values())
    return ()


def hosts(node: Node | None, key: Place) -> tuple[Setting[str], ...]:
    """Return `extra_hosts:` as `name=address` each, whichever of the three spellings is used. Source: compose-go's types/hostList.go."""
    found: list[Setting[str]] = []
    if isinstance(node, Keys):
        for name, entry in node.entries.items():
            found.extend(_host(leaf, entry.key, name, leaf.text) for leaf in leaves(entry.value))
        return tuple(found)
    for leaf in leaves(node):
        name, separator, addresses = leaf.text.partition("=")
        if not separator:
            name, _, addresses = leaf.text.partition(":")
        found.extend(_host(leaf, key, name, address) for address in addresses.split(","))
    return tuple(found)


def _host(leaf: Leaf, key: Place, name: str, address: str) -> Setting[str]:
    if len(address) > 2 and address[0] == "[" and address[-1] == "]":
        address = address[1:-1]
    value = UNKNOWN if leaf.is_unknown else f"{name}={address}"
    return Setting(value, leaf.place, key, leaf.text, leaf.history)
