"""Volumes and tmpfs: `[source:]target[:options]` and the long form. Sources: compose-go's format/volume.go and paths/."""

from collections.abc import Callable
from posixpath import join, normpath
from typing import Final

from hardener.sources.compose.ports import known
from hardener.sources.compose.scalars import leaves, part
from hardener.sources.compose.tree import Items, Keys, Leaf, Node
from hardener.sources.expansion import HOLE
from hardener.sources.service import Mount
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import SourceFile

Folder = Callable[[SourceFile], str]

PROPAGATIONS: Final = frozenset(("private", "rprivate", "shared", "rshared", "slave", "rslave"))
_TRUE: Final = frozenset(("true", "y", "yes", "on"))


def mounts(node: Node | None, folder: Folder) -> tuple[Mount, ...]:
    """Return the mounts of `volumes:`; `folder` says where a file's relative paths start."""
    if not isinstance(node, Items):
        return ()
    found = []
    for item in node.items:
        if isinstance(item, Leaf):
            if item.kind != "null":
                found.append(short(item, folder))
        elif isinstance(item, Keys):
            found.append(_long(item, folder))
    return tuple(found)


def tmpfs(node: Node | None) -> tuple[Mount, ...]:
    """Return the mounts of `tmpfs:`."""
    found = []
    for leaf in leaves(node):
        target, _, options = leaf.text.partition(":")
        given = tuple(options.split(",")) if options else ()
        found.append(
            Mount(
                "tmpfs", None, _target(target), "ro" in given, given, "", leaf.place, leaf.place, part(leaf, 0, len(target)), leaf.history
            )
        )
    return tuple(found)


def is_windows(path: str) -> bool:
    """Whether a path starts with a drive (`C:`) or is a pipe or a share (`\\\\.\\pipe\\x`)."""
    return path.startswith("\\\\") or (path[1:2] == ":" and path[0].isalpha())


def is_path(source: str) -> bool:
    """Whether a source names a place of the host rather than a volume."""
    return source[:1] in (".", "/", "~") or is_windows(source)


def absolute(source: str, folder: str) -> str:
    """Return the path that a source means; `~` (the home of whoever starts it), Windows paths and pipes stay as they are."""
    if source[:1] == "~" or is_windows(source):
        return source
    return source if source[:1] == "/" else normpath(join(folder, source))


def split(text: str) -> list[tuple[int, int]]:
    """Return where the parts of the short form stand; the colon of a drive letter separates nothing."""
    if len(text) < 3:
        return [(0, len(text))]
    parts: list[tuple[int, int]] = []
    start = 0
    at = text.find(":")
    while at >= 0:
        if not (at == start + 1 and text[start].isalpha()):
            parts.append((start, at))
            start = at + 1
        at = text.find(":", at + 1)
    parts.append((start, len(text)))
    return parts


def wrong(text: str) -> str:
    """Return what is wrong with a volume in short form, as the end of a sentence; "" when nothing is (or a piece of it is open)."""
    if HOLE in text:
        return ""
    parts = split(text)
    if any(start == end for start, end in parts):
        return "has nothing between two colons" if len(parts) > 1 else "is empty"
    return "has too many colons" if len(parts) > 3 else ""


def short(leaf: Leaf, folder: Folder) -> Mount:
    """Return what one item in short form mounts."""
    text, place = leaf.text, leaf.place
    parts = split(text)
    if text == HOLE:
        return Mount("volume", UNKNOWN, UNKNOWN, UNKNOWN, (), "", place, place, place, leaf.history)
    if len(parts) == 1:
        where = part(leaf, *parts[0])
        return Mount("volume", None, _target(text), False, (), "", place, where, where, leaf.history)
    source, target = (text[start:end] for start, end in parts[:2])
    options = tuple(text[slice(*parts[2])].split(",")) if len(parts) > 2 else ()
    # A name holds no slash, so one with a slash is a path, whatever a variable in it says.
    is_bind = is_path(source) or (HOLE in source and "/" in source)
    return Mount(
        "bind" if is_bind else "volume",
        UNKNOWN if HOLE in source else absolute(source, folder(place.file)) if is_bind else source,
        _target(target),
        UNKNOWN if any(HOLE in option for option in options) else "ro" in options,
        options,
        next((option for option in options if option in PROPAGATIONS), ""),
        place,
        part(leaf, *parts[0]),
        part(leaf, *parts[1]),
        leaf.history,
    )


def _target(target: str) -> str | UnknownType:
    if HOLE in target:
        return UNKNOWN
    cleaned = normpath(target) if target else ""
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _long(keys: Keys, folder: Folder) -> Mount:
    kind, source, target = (_leaf(keys, name) for name in ("type", "source", "target"))
    read_only, consistency = _leaf(keys, "read_only"), _leaf(keys, "consistency")
    options: list[str] = []
    propagation, create = "", False
    for name in ("bind", "volume", "tmpfs", "image"):
        section = keys.get(name)
        if not isinstance(section, Keys):
            continue
        if name == "bind":
            create = True
        for option, entry in section.entries.items():
            value = entry.value
            if not isinstance(value, Leaf) or value.is_null:
                continue
            match name, option:
                case "bind", "propagation":
                    propagation = value.text
                case "bind", "create_host_path":
                    create = value.text.lower() in _TRUE
                case "bind", "selinux":
                    options.append(value.text)
                case "volume", "nocopy":
                    if value.text.lower() in _TRUE:
                        options.append("nocopy")
                case "tmpfs", ("size" | "mode"):
                    options.append(f"{option}={value.text}")
                case _, _:
                    options.append(f"{name}-{option}={value.text}")
    if consistency is not None:
        options.append(consistency.text)
    start: str | UnknownType | None = None if source is None else known(source.text)
    is_bind = kind is not None and kind.text == "bind"
    if is_bind and source is not None and isinstance(start, str):
        start = absolute(start, folder(source.place.file))
    return Mount(
        kind.text if kind is not None and not kind.is_unknown else "volume",
        start,
        _target(target.text) if target is not None else UNKNOWN,
        False if read_only is None else UNKNOWN if read_only.is_unknown else read_only.text.lower() in _TRUE,
        tuple(options),
        propagation,
        keys.place,
        keys.place if source is None else source.place,
        keys.place if target is None else target.place,
        keys.history,
        create if is_bind else True,
    )


def _leaf(keys: Keys, name: str) -> Leaf | None:
    found = keys.get(name)
    return found if isinstance(found, Leaf) and found.kind != "null" else None
