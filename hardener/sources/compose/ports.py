"""Published ports: `[[host-ip:]host:]container[/protocol]`, ranges, and the long form. Source: docker/go-connections' nat package."""

from collections.abc import Iterator

from hardener.sources.compose.scalars import part
from hardener.sources.compose.tree import Items, Keys, Leaf, Node
from hardener.sources.expansion import HOLE
from hardener.sources.service import Port
from hardener.sources.unknown import UNKNOWN, UnknownType


def ports(node: Node | None) -> tuple[Port, ...]:
    """Return the ports of a service."""
    if not isinstance(node, Items):
        return ()
    return tuple(_each(node))


def _each(node: Items) -> Iterator[Port]:
    for item in node.items:
        if isinstance(item, Leaf):
            if item.kind != "null":
                yield short(item)
        elif isinstance(item, Keys):
            yield _long(item)


def known(text: str) -> str | UnknownType:
    """Return a text, or UNKNOWN when a piece of it is open."""
    return UNKNOWN if HOLE in text else text


def split(text: str) -> tuple[str, str, str, str]:
    """Return host address, host port, container port and protocol of the short form; "" for what is not given."""
    body, _, protocol = text.partition("/")
    rest, _, target = body.rpartition(":")
    address, _, published = rest.rpartition(":")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    return address, published, target, protocol or "tcp"


def short(leaf: Leaf) -> Port:
    """Return what one item in short form publishes."""
    text = leaf.text
    if text.strip() == HOLE:  # all of it is a variable: anything may be in there
        return Port(UNKNOWN, UNKNOWN, UNKNOWN, "tcp", "ingress", leaf.place, leaf.history)
    address, published, target, protocol = split(text)
    return Port(
        known(target), known(published) if published else None, known(address) if address else None, protocol.lower(), "ingress",
        part(leaf, 0, len(text)) if leaf.view is not None else leaf.place, leaf.history,
    )  # fmt: skip


def _long(keys: Keys) -> Port:
    def get(name: str) -> str | UnknownType | None:
        leaf = keys.get(name)
        return known(leaf.text) if isinstance(leaf, Leaf) and leaf.kind != "null" and leaf.text else None

    protocol, mode = get("protocol"), get("mode")
    return Port(
        get("target") or UNKNOWN,
        get("published"),
        get("host_ip"),
        protocol.lower() if isinstance(protocol, str) else "tcp",
        mode if isinstance(mode, str) else "ingress",
        keys.place,
        keys.history,
    )
