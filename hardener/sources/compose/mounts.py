"""Volumes and tmpfs: `[source:]target[:options]` and the long form. Source: compose-go's format/volume.go."""

from collections.abc import Callable, Iterator
from os.path import join, normpath
from typing import Final

from hardener.sources.compose.ports import known
from hardener.sources.compose.scalars import leaves, part
from hardener.sources.compose.tree import Items, Keys, Leaf, Node
from hardener.sources.expansion import HOLE
from hardener.sources.service import Mount
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Place, SourceFile

Folder = Callable[[SourceFile], str]

PROPAGATIONS: Final = frozenset(("private", "rprivate", "shared", "rshared", "slave", "rslave"))


def mounts(node: Node | None, folder: Folder) -> tuple[Mount, ...]:
    """Return the mounts of `volumes:`."""
    if not isinstance(node, Items):
        return ()
    return tuple(_each(node, folder))


def tmpfs(node: Node | None) -> tuple[Mount, ...]:
    """Return the mounts of `tmpfs:`."""
    return tuple([_tmpfs(leaf) for leaf in leaves(node)])


def _each(node: Items, folder: Folder) -> Iterator[Mount]:
    for item in node.items:
        if isinstance(item, Leaf):
            if item.kind != "null":
                yield short(item, folder)
        elif isinstance(item, Keys):
            yield _long(item, folder)


def is_path(source: str) -> bool:
    """Whether a source names a place of the host rather than a volume."""
    return source[:1] in (".", "/", "~") or source.startswith("\\\\") or (source[1:2] == ":" and source[0].isalpha())


def absolute(source: str, folder: str) -> str:
    """Return the path that a source means; `~`, Windows paths and pipes stay as they are."""
    if source[:1] == "~" or source.startswith("\\\\") or (source[1:2] == ":" and source[:1].isalpha()):
        return source
    return normpath(join(folder, source))


def split(text: str) -> list[tuple[int, int]]:
    """Return where the parts of the short form stand; the colon of a drive letter separates nothing."""
    parts: list[tuple[int, int]] = []
    start = 0
    for at, char in enumerate(text):
        if char == ":" and not (at == start + 1 and text[start].isalpha()):
            parts.append((start, at))
            start = at + 1
    parts.append((start, len(text)))
    return parts


def short(leaf: Leaf, folder: Folder) -> Mount:
    """Return what one item in short form mounts."""
    text = leaf.text
    parts = split(text) if len(text) > 2 else [(0, len(text))]
    if text == HOLE:
        return Mount("volume", UNKNOWN, UNKNOWN, UNKNOWN, (), "", leaf.place, leaf.place, leaf.place, leaf.history)
    if len(parts) == 1:
        return Mount("volume", None, known(text), False, (), "", leaf.place, leaf.place, leaf.place, leaf.history)
    source, target = (text[start:end] for start, end in parts[:2])
    options = tuple(text[slice(*parts[2])].split(",")) if len(parts) > 2 else ()
    kind = "bind" if is_path(source) else "volume"
    return Mount(
        kind,
        UNKNOWN if HOLE in source else absolute(source, folder(leaf.place.file)) if kind == "bind" else source,
        known(target),
        UNKNOWN if any(HOLE in option for option in options) else "ro" in options,
        options,
        next((option for option in options if option in PROPAGATIONS), ""),
        leaf.place,
        part(leaf, *parts[0]),
        part(leaf, *parts[1]),
        leaf.history,
    )


def _tmpfs(leaf: Leaf) -> Mount:
    target, _, options = leaf.text.partition(":")
    found = tuple(options.split(",")) if options else ()
    place = part(leaf, 0, len(target))
    return Mount("tmpfs", None, known(target), "ro" in found, found, "", leaf.place, leaf.place, place, leaf.history)


def _long(keys: Keys, folder: Folder) -> Mount:
    def leaf(name: str) -> Leaf | None:
        found = keys.get(name)
        return found if isinstance(found, Leaf) and found.kind != "null" else None

    def value(name: str) -> str | UnknownType | None:
        found = leaf(name)
        return None if found is None else known(found.text)

    def place(name: str) -> Place:
        found = leaf(name)
        return keys.place if found is None else found.place

    kind, source, read_only = value("type"), value("source"), value("read_only")
    if kind == "bind" and isinstance(source, str):
        source = absolute(source, folder(place("source").file))
    return Mount(
        kind if isinstance(kind, str) else "volume",
        source,
        value("target") or UNKNOWN,
        UNKNOWN if read_only is UNKNOWN else str(read_only).lower() == "true",
        (),
        "",
        keys.place,
        place("source"),
        place("target"),
        keys.history,
    )
