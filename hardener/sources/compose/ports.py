"""Published ports: `[[address:]published:]target[/protocol]`, ranges, and the long form.

Source: github.com/docker/go-connections, package nat, which splits from the right: an IPv6 address may stand in brackets or without.
"""

from typing import Final

from hardener.record import NamedTuple
from hardener.sources.compose.tree import Items, Keys, Leaf, Node
from hardener.sources.expansion import HOLE
from hardener.sources.service import Port
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Pattern

_PORT_VARIABLE: Final = Pattern(r"\$\{?\w*port\w*", 2)  # re.IGNORECASE
_RANGE: Final = Pattern(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
PROTOCOLS: Final = ("tcp", "udp", "sctp")


class Parts(NamedTuple):
    """The short form taken apart; "" for what is not given."""

    address: str
    published: str
    target: str
    protocol: str


def ports(node: Node | None) -> tuple[Port, ...]:
    """Return the ports of a service."""
    if not isinstance(node, Items):
        return ()
    found = []
    for item in node.items:
        if isinstance(item, Leaf):
            if item.kind != "null":
                found.append(short(item))
        elif isinstance(item, Keys):
            found.append(_long(item))
    return tuple(found)


def known(text: str) -> str | UnknownType:
    """Return a text, or UNKNOWN when a piece of it is open."""
    return UNKNOWN if HOLE in text else text


def split(text: str) -> Parts:
    """Take the short form apart."""
    rest, _, container = text.rpartition(":")
    target, _, protocol = container.partition("/")
    address, _, published = rest.rpartition(":")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    return Parts(address, published, target, protocol.partition("/")[0])


def short(leaf: Leaf) -> Port:
    """Return what one item in short form publishes."""
    text = leaf.text
    address, published, target, protocol = split(text)
    host_ip: str | UnknownType | None = known(address) if address else None
    if text == HOLE:  # all of it is open
        return Port(UNKNOWN, UNKNOWN, UNKNOWN, "tcp", "ingress", leaf.place, leaf.history)
    if host_ip is None and published.startswith(HOLE) and _PORT_VARIABLE.match(leaf.place.text.lstrip("\"'")) is None:
        host_ip = UNKNOWN  # `${WHERE}:80` may well hold an address; `${WEB_PORT}:80` says that it does not
    return Port(
        known(target), known(published) if published else None, host_ip, protocol.lower() or "tcp", "ingress", leaf.place, leaf.history
    )


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


def span(text: str) -> range | None:
    """Return the ports that `80` or `8000-8010` stands for; None for what is neither."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    first = int(found[1])
    last = int(found[2] or first)
    return range(first, last + 1) if first <= last <= 65535 else None


def wrong(text: str) -> str:
    """Return what is wrong with a port in short form, as the end of a sentence about it; "" when nothing is (or a piece of it is open)."""
    if HOLE in text:
        return ""
    address, published, target, protocol = split(text)
    if not target:
        return "names no port of the container"
    if protocol and protocol.lower() not in PROTOCOLS:
        return f"ends in {protocol!r}, which is no protocol: tcp, udp or sctp"
    if address and not is_address(address):
        return f"has {address!r} where an IP address stands"
    for part in (target, published):
        if part and span(part) is None:
            return f"has {part!r} where a port stands"
    return ""


def mismatched(published: str, target: str) -> tuple[int, int] | None:
    """Return how many ports two ranges have when they cannot be paired: a host range for a single port is one to choose from."""
    host, container = span(published), span(target)
    if host is None or container is None or len(container) == 1 or len(host) == len(container):
        return None
    return len(host), len(container)


def is_address(text: str) -> bool:
    """Whether it is an IP address."""
    parts = text.split(".")
    if len(parts) == 4 and ":" not in text:
        return all(part.isdigit() and len(part) <= 3 and int(part) < 256 for part in parts)
    if ":" not in text:
        return False
    import ipaddress

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
