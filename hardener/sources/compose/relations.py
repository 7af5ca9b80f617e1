"""What ties a service to the rest of its project: networks, dependencies, secrets and configs."""

from posixpath import join

from hardener.sources.compose import scalars
from hardener.sources.compose.tree import Items, Keys, Leaf, Node
from hardener.sources.service import Attachment, Dependency, Grant
from hardener.text import Place


def networks(node: Node | None) -> tuple[Attachment, ...]:
    """Return `networks:` of a service."""
    if not isinstance(node, Keys):
        return tuple([Attachment(leaf.text, leaf.place) for leaf in scalars.leaves(node)])
    found = []
    for name, entry in node.entries.items():
        value = entry.value
        if isinstance(value, Keys):
            address = value.get("ipv4_address")
            ipv4 = address.text if isinstance(address, Leaf) and not address.is_null else None
            found.append(Attachment(name, entry.key, ipv4, tuple([leaf.text for leaf in scalars.leaves(value.get("aliases"))])))
        else:
            found.append(Attachment(name, entry.key))
    return tuple(found)


def dependencies(node: Node | None) -> tuple[Dependency, ...]:
    """Return `depends_on:`."""
    if not isinstance(node, Keys):
        return tuple([Dependency(leaf.text, "service_started", leaf.place) for leaf in scalars.leaves(node)])
    found = []
    for name, entry in node.entries.items():
        value = entry.value
        condition = value.get("condition") if isinstance(value, Keys) else None
        required = scalars.switch(value.get("required"), entry.key) if isinstance(value, Keys) else None
        found.append(
            Dependency(
                name,
                condition.text if isinstance(condition, Leaf) and not condition.is_null else "service_started",
                entry.key,
                required is None or required.value is not False,
            )
        )
    return tuple(found)


def grants(node: Node | None, folder: str) -> tuple[Grant, ...]:
    """Return `secrets:` or `configs:` of a service; `folder` is where they are put when no absolute target is given."""
    if not isinstance(node, Items):
        return ()
    found = []
    for item in node.items:
        if isinstance(item, Leaf):
            if not item.is_null:
                found.append(Grant(item.text, join(folder, item.text), item.place))
        elif isinstance(item, Keys):
            source = _text(item, "source")
            if source is not None:
                target = join(folder, _text(item, "target") or source)
                found.append(Grant(source, target, _place(item, "source"), *(_text(item, name) for name in ("mode", "uid"))))
    return tuple(found)


def _text(keys: Keys, name: str) -> str | None:
    found = keys.get(name)
    return found.text if isinstance(found, Leaf) and not found.is_null else None


def _place(keys: Keys, name: str) -> Place:
    found = keys.get(name)
    return keys.place if found is None else found.place
