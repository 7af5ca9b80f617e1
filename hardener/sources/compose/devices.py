"""Devices, graphics processors, and limits of single resources."""

from hardener.sources.compose import scalars
from hardener.sources.compose.ports import known
from hardener.sources.compose.tree import Items, Keys, Leaf, Node
from hardener.sources.expansion import HOLE
from hardener.sources.service import Device, Setting, Ulimit
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Place


def devices(node: Node | None) -> tuple[Device, ...]:
    """Return `devices:`: `source[:target[:permissions]]`, a CDI name (`vendor.com/class=name`), or the long form."""
    if not isinstance(node, Items):
        return ()
    found = []
    for item in node.items:
        if isinstance(item, Leaf):
            if item.kind != "null":
                found.append(short(item))
        elif isinstance(item, Keys):
            source, target, permissions = (_leaf(item, name) for name in ("source", "target", "permissions"))
            start = known(source.text) if source else UNKNOWN
            found.append(Device(start, known(target.text) if target else start, permissions.text if permissions else "rwm", item.place))
    return tuple(found)


def short(leaf: Leaf) -> Device:
    """Return the device of one item in short form."""
    text = leaf.text
    if text == HOLE:
        return Device(UNKNOWN, UNKNOWN, "rwm", leaf.place)
    source, _, rest = text.partition(":")
    if "=" in source and "/" in source[1:] and source[0] != "/":
        return Device(known(text), "", "", leaf.place)
    target, _, permissions = rest.partition(":")
    return Device(known(source), known(target or source), permissions or "rwm", leaf.place)


def gpus(node: Node | None, key: Place) -> Setting[str] | None:
    """Return `gpus:`: `all`, or how many; of a list of requests the sum, or `all` when one asks for that."""
    if isinstance(node, Leaf):
        return scalars.text(node, key)
    if not isinstance(node, Items):
        return None
    total: int | None = 0
    value: str | UnknownType | None = None
    for item in node.items:
        count = item.get("count") if isinstance(item, Keys) else None
        ids = item.get("device_ids") if isinstance(item, Keys) else None
        if isinstance(count, Leaf):
            if count.is_unknown:
                value = UNKNOWN
            total = None if total is None or not count.text.isdigit() else total + int(count.text)
        elif isinstance(ids, Items):
            total = None if total is None else total + len(ids.items)
        else:
            total = None
    if value is None:
        value = "all" if total is None else str(total)
    return Setting(value, node.place, key, "" if value is UNKNOWN else value, node.history)


def ulimits(node: Node | None) -> tuple[Ulimit, ...]:
    """Return `ulimits:`: one number for both, or `soft` and `hard`."""
    if not isinstance(node, Keys):
        return ()
    found = []
    for name, entry in node.entries.items():
        value = entry.value
        if isinstance(value, Keys):
            soft, hard = (scalars.integer(value.get(part), entry.key) for part in ("soft", "hard"))
        else:
            soft = hard = scalars.integer(value, entry.key)
        if soft is not None and hard is not None:
            found.append(Ulimit(name, soft.value, hard.value, value.place))
    return tuple(found)


def _leaf(keys: Keys, name: str) -> Leaf | None:
    found = keys.get(name)
    return found if isinstance(found, Leaf) and found.kind != "null" else None
