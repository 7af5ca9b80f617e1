"""How trees override each other: the rules of every key.

Source: the chapter "Merge" of the Compose Specification and compose-go's override package, which decides where the text is silent.

Nothing is changed in place: trees share nodes (two services that extend a third, a YAML alias), so what is merged is new.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hardener.sources.compose import mounts, ports
from hardener.sources.compose.tree import Entry, Items, Keys, Leaf, Node
from hardener.sources.expansion import HOLE
from hardener.text import Place, View

History = tuple[tuple[Place, str], ...]

OVERRIDES: Final = "overrides the value here"

_EVERY: Final = "0.0.0.0"  # noqa: S104


class Merge:
    """One merge of two trees. `keep` says which side gives a key its place where both have one: the file that has the definition.

    With several files that is the first file, with `extends` the service that extends.
    """

    __slots__ = ("keep_base",)

    def __init__(self, *, keep_base: bool) -> None:
        self.keep_base = keep_base

    def node(self, base: Node, over: Node, rule: "Rule | None") -> Node:
        """Return what `over` makes of `base`."""
        if callable(rule):
            return rule(self, base, over)
        if isinstance(over, Leaf):
            if over.is_null:
                return base
            return replaced(over, base)
        if isinstance(base, Keys) and isinstance(over, Keys):
            return self.keys(base, over, rule)
        if isinstance(base, Items) and isinstance(over, Items):
            return self.items(base, over)
        return replaced(over, base)  # compose refuses to put a list over a map; the later one is the better guess

    def keys(self, base: Keys, over: Keys, rules: "Rules | None") -> Keys:
        """Return two mappings as one."""
        entries = dict(base.entries)
        for name, entry in over.entries.items():
            old = entries.get(name)
            if old is None:
                entries[name] = entry
                continue
            rule = None if rules is None else rules.get(name) or rules.get("*")
            value = self.node(old.value, entry.value, rule)
            if value is not old.value or not self.keep_base:
                entries[name] = Entry(self._key(old, entry, value), value)
        home = base if self.keep_base else over
        merged = Keys(entries, home.place)
        merged.history = home.history
        return merged

    def _key(self, base: Entry, over: Entry, value: Node) -> Place:
        """Return the place of a key that both have: a mapping or list that grew stays at home, a value that was replaced moves."""
        if value is base.value:
            return base.key
        grew = not isinstance(over.value, Leaf) and value is not over.value and not _is_replacement(value, over.value)
        return base.key if self.keep_base and grew else over.key

    def items(self, base: Items, over: Items) -> Items:
        """Return two lists one after the other."""
        home = base if self.keep_base else over
        merged = Items([*base.items, *over.items], home.place)
        merged.history = home.history
        return merged


Rule = Callable[[Merge, Node, Node], Node] | Mapping[str, "Rule"]
Rules = Mapping[str, Rule]


def model(base: Keys, over: Keys) -> Keys:
    """Return the model of earlier files with that of a later file merged into it."""
    return Merge(keep_base=True).keys(base, over, _MODEL)


def resource(base: Node, over: Node, section: str) -> Node:
    """Return one service, network, … of an included file with what the including file says of it."""
    rule = _MODEL.get(section)
    return Merge(keep_base=False).node(base, over, rule.get("*") if isinstance(rule, Mapping) else None)


def service(base: Keys, over: Keys) -> Keys:
    """Return a service with the one that it extends (`base`)."""
    return Merge(keep_base=False).keys(base, over, _SERVICE)


def drop(node: Node, paths: Sequence[tuple[str, ...]]) -> Node:
    """Return the tree without what stands at `paths`: a later file has `!reset` or `!override` there."""
    if not isinstance(node, Keys):
        return node
    entries = dict(node.entries)
    for name in {path[0] for path in paths if path}:
        names = [name] if name in entries else list(entries) if name == "*" else []
        for found in names:
            rest = [path[1:] for path in paths if path[:1] == (name,)]
            if () in rest:
                entries.pop(found, None)
            elif found in entries:
                entries[found] = Entry(entries[found].key, drop(entries[found].value, rest))
    kept = Keys(entries, node.place, tag=node.tag)
    kept.history = node.history
    return kept


def noted(node: Node, note: tuple[Place, str]) -> Node:
    """Return the tree with a note in the history of every node: by which way it came here."""
    if isinstance(node, Leaf):
        return _leaf(node, (*node.history, note))
    copy: Items | Keys
    if isinstance(node, Items):
        copy = Items([noted(item, note) for item in node.items], node.place, tag=node.tag)
    else:
        entries = {name: Entry(entry.key, noted(entry.value, note)) for name, entry in node.entries.items()}
        copy = Keys(entries, node.place, tag=node.tag)
    copy.history = (*node.history, note)
    return copy


def replaced(over: Node, base: Node) -> Node:
    """Return a value that replaces another one, which it remembers."""
    if isinstance(base, Leaf) and base.is_null:
        return over
    history = (*over.history, (base.place, OVERRIDES), *(note for note in base.history if note[1] == OVERRIDES))
    if isinstance(over, Leaf):
        return _leaf(over, history)
    copy: Items | Keys
    copy = Items(over.items, over.place, tag=over.tag) if isinstance(over, Items) else Keys(over.entries, over.place, tag=over.tag)
    copy.history = history
    return copy


def _is_replacement(value: Node, over: Node) -> bool:
    """Whether `value` is a copy of `over` that replaces something."""
    if isinstance(value, Items):
        return isinstance(over, Items) and value.items is over.items
    return isinstance(value, Keys) and isinstance(over, Keys) and value.entries is over.entries


def _leaf(leaf: Leaf, history: History) -> Leaf:
    copy = Leaf(leaf.text, leaf.kind, leaf.place, is_unknown=leaf.is_unknown, tag=leaf.tag)
    copy.view = leaf.view
    copy.history = history
    return copy


def _replace(merge: Merge, base: Node, over: Node) -> Node:
    """A command, an entrypoint, a health test: the later one alone, even when it is null."""
    return replaced(over, base)


def _pairs(merge: Merge, base: Node, over: Node) -> Node:
    """Variables, labels, arguments, sysctls: lists of `NAME=value` and mappings are the same thing."""
    old, new = _as_pairs(base), _as_pairs(over)
    if new is None or not new.entries:
        return base
    if old is None:
        return over
    return merge.keys(old, new, None)


def _list(merge: Merge, base: Node, over: Node) -> Node:
    """One scalar or a list of them: one after the other."""
    old, new = _as_items(base), _as_items(over)
    if new is None:
        return base
    return over if old is None else merge.items(old, new)


def _hosts(merge: Merge, base: Node, over: Node) -> Node:
    """`extra_hosts`: lists, or mappings with one or several addresses; one host may have several, so only equal items are dropped."""
    old, new = _as_hosts(base), _as_hosts(over)
    if new is None:
        return base
    if old is None:
        return over
    known = {item.text for item in old.items if isinstance(item, Leaf) and not item.is_unknown}
    more = [item for item in new.items if not isinstance(item, Leaf) or item.text not in known]
    return merge.items(old, Items(more, new.place))


def _build(merge: Merge, base: Node, over: Node) -> Node:
    """`build: ./dir` is `build: {context: ./dir}`."""
    if isinstance(over, Leaf) and over.is_null:
        return base
    old, new = _as_build(base), _as_build(over)
    if old is None or new is None:
        return replaced(over, base)
    return merge.keys(old, new, _BUILD)


def _names(merge: Merge, base: Node, over: Node) -> Node:
    """`depends_on`, `networks`, `models`: a list of names is a mapping of names to nothing."""
    if isinstance(over, Leaf) and over.is_null:
        return base
    old, new = _as_names(base), _as_names(over)
    if old is None or new is None:
        return replaced(over, base)
    return merge.keys(old, new, None)


def _depends_on(merge: Merge, base: Node, over: Node) -> Node:
    """In `depends_on`, the short form says that the service is started and required, whatever the long form said before."""
    return _names(merge, _as_conditions(base), _as_conditions(over))


def _as_conditions(node: Node) -> Node:
    if not isinstance(node, Items):
        return node
    entries = {}
    for item in node.items:
        if isinstance(item, Leaf) and not item.is_null:
            condition, required = Leaf("service_started", "str", item.place), Leaf("true", "bool", item.place)
            parts = Keys({"condition": Entry(item.place, condition), "required": Entry(item.place, required)}, item.place)
            parts.history = item.history
            entries[item.text] = Entry(item.place, parts)
    keys = Keys(entries, node.place)
    keys.history = node.history
    return keys


def _logging(merge: Merge, base: Node, over: Node) -> Node:
    """Options of one driver mean nothing to another."""
    if not isinstance(base, Keys) or not isinstance(over, Keys):
        return merge.node(base, over, None)
    old, new = base.get("driver"), over.get("driver")
    if isinstance(old, Leaf) and isinstance(new, Leaf) and old.text != new.text:
        return replaced(over, base)
    return merge.keys(base, over, None)


def _address_pools(merge: Merge, base: Node, over: Node) -> Node:
    """`ipam.config`: pools with the same subnet are one."""
    if not isinstance(base, Items) or not isinstance(over, Items):
        return merge.node(base, over, None)
    found: list[Node] = list(base.items)
    for item in over.items:
        subnet = _text(item, "subnet")
        at = next((index for index, other in enumerate(found) if _text(other, "subnet") == subnet), -1)
        old = found[at] if at >= 0 else None
        if isinstance(old, Keys) and isinstance(item, Keys):
            found[at] = merge.keys(old, item, None)
        else:
            found.append(item)
    return Items(found, base.place if merge.keep_base else over.place)


def _text(node: Node, key: str) -> str | None:
    leaf = node.get(key) if isinstance(node, Keys) else None
    return leaf.text if isinstance(leaf, Leaf) and not leaf.is_null else None


def _as_pairs(node: Node) -> Keys | None:
    """Return a list of `NAME=value` as a mapping; None for what is neither."""
    if isinstance(node, Keys):
        return node
    if not isinstance(node, Items):
        return None
    entries: dict[str, Entry] = {}
    for item in node.items:
        if not isinstance(item, Leaf) or item.is_null:
            continue
        name, equals, value = item.text.partition("=")
        key, place = item.place, item.place
        view: View | None = item.view
        if view is not None and equals:
            key = Place(item.place.file, view.span(0, len(name)))
            view = view.sub(len(name) + 1, len(item.text))
            place = Place(item.place.file, view.span(0, len(value)))
        leaf = Leaf(value, "str" if equals else "null", place, is_unknown=HOLE in value)
        leaf.view = view if equals else None
        leaf.history = item.history
        entries[name] = Entry(key, leaf)
    keys = Keys(entries, node.place)
    keys.history = node.history
    return keys


def _as_items(node: Node) -> Items | None:
    if isinstance(node, Items):
        return node
    if isinstance(node, Leaf):
        return None if node.is_null else Items([node], node.place)
    return Items([node], node.place)


def _as_hosts(node: Node) -> Items | None:
    """Return a mapping of hosts to addresses as a list of `host=address`."""
    if not isinstance(node, Keys):
        return node if isinstance(node, Items) else None
    items: list[Node] = []
    for name, entry in node.entries.items():
        for address in entry.value.items if isinstance(entry.value, Items) else [entry.value]:
            if isinstance(address, Leaf):
                leaf = Leaf(f"{name}={address.text}", "str", address.place, is_unknown=address.is_unknown)
                leaf.history = address.history
                items.append(leaf)
    return Items(items, node.place)


def _as_build(node: Node) -> Keys | None:
    if isinstance(node, Leaf) and not node.is_null:
        return Keys({"context": Entry(node.place, node)}, node.place)
    return node if isinstance(node, Keys) else None


def _as_names(node: Node) -> Keys | None:
    if isinstance(node, Keys):
        return node
    if not isinstance(node, Items):
        return None
    names = [item for item in node.items if isinstance(item, Leaf) and not item.is_null]
    keys = Keys({item.text: Entry(item.place, Leaf("", "null", item.place)) for item in names}, node.place)
    keys.history = node.history
    return keys


_BUILD: Final[Rules] = {"args": _pairs, "additional_contexts": _pairs, "extra_hosts": _hosts, "labels": _pairs}
_SERVICE: Final[Rules] = {
    "annotations": _pairs,
    "build": _build,
    "command": _replace,
    "depends_on": _depends_on,
    "deploy": {"labels": _pairs},
    "dns": _list,
    "dns_opt": _list,
    "dns_search": _list,
    "entrypoint": _replace,
    "env_file": _list,
    "label_file": _list,
    "environment": _pairs,
    "extra_hosts": _hosts,
    "healthcheck": {"test": _replace},
    "labels": _pairs,
    "logging": _logging,
    "models": _names,
    "networks": _names,
    "sysctls": _pairs,
    "tmpfs": _list,
    "ulimits": {"*": _replace},
}
_MODEL: Final[Rules] = {
    "services": {"*": _SERVICE},
    "networks": {"*": {"labels": _pairs, "ipam": {"config": _address_pools}}},
    "volumes": {"*": {"labels": _pairs}},
}


def unique(root: Keys) -> Keys:
    """Return the model with every item of a list that a later item redefines left out: two mounts at one target, the same port twice."""
    services = root.get("services")
    if not isinstance(services, Keys):
        return root
    changed: dict[str, Entry] = {}
    for name, entry in services.entries.items():
        if isinstance(entry.value, Keys):
            found = _unique_in(entry.value, _UNIQUE)
            if found is not entry.value:
                changed[name] = Entry(entry.key, found)
    if not changed:
        return root
    entries = {**services.entries, **changed}
    return _with(root, {"services": Entry(root.entries["services"].key, _with(services, entries))})


def _with(keys: Keys, entries: Mapping[str, Entry]) -> Keys:
    copy = Keys({**keys.entries, **entries}, keys.place, tag=keys.tag)
    copy.history = keys.history
    return copy


Index = Callable[[Node], str | None]


def _unique_in(keys: Keys, table: "Mapping[str, Index | Mapping[str, Index]]") -> Keys:
    changed: dict[str, Entry] = {}
    for name, entry in keys.entries.items():
        index = table.get(name)
        if index is None:
            continue
        value = entry.value
        found: Node = value
        if isinstance(value, Items):
            if callable(index) and len(value.items) > 1:
                found = _unique_items(value, index)
        elif isinstance(value, Keys) and not callable(index):
            found = _unique_in(value, index)
        if found is not value:
            changed[name] = Entry(entry.key, found)
    return _with(keys, changed) if changed else keys


def _unique_items(items: Items, index: Index) -> Items:
    kept: list[Node] = []
    at: dict[str, int] = {}
    for item in items.items:
        name = index(item)
        if name is not None and HOLE in name:  # two open values are the same only where the same is written
            name = f"{name} {item.place.text}" if isinstance(item, Leaf) else None
        if name is None:
            kept.append(item)
        elif name in at:
            kept[at[name]] = replaced(item, kept[at[name]])
        else:
            at[name] = len(kept)
            kept.append(item)
    if len(kept) == len(items.items):
        return items
    found = Items(kept, items.place, tag=items.tag)
    found.history = items.history
    return found


def _name_of(node: Node) -> str | None:
    return node.text.partition("=")[0] if isinstance(node, Leaf) and not node.is_null else None


def _target_of(node: Node) -> str | None:
    """Return where a volume is mounted."""
    if not isinstance(node, Leaf):
        target = _text(node, "target")
    else:
        parts = mounts.split(node.text)
        target = node.text[slice(*parts[1 if len(parts) > 1 else 0])]
    return (target.rstrip("/") or "/") if target else None


def _device_of(node: Node) -> str | None:
    if not isinstance(node, Leaf):
        return _text(node, "target")
    parts = node.text.split(":")
    return parts[min(1, len(parts) - 1)]


def _port_of(node: Node) -> str | None:
    """Return what makes a port the same as another: address, published port, target, protocol."""
    if isinstance(node, Leaf):
        address, published, target, protocol = ports.split(node.text)
    else:
        address, published = _text(node, "host_ip") or "", _text(node, "published") or ""
        target, protocol = _text(node, "target") or "", _text(node, "protocol") or "tcp"
    return f"{address or _EVERY}:{published}:{target}/{protocol}"


def _grant_of(folder: str) -> Index:
    def index(node: Node) -> str | None:
        if isinstance(node, Leaf):
            return None if node.is_null else f"{folder}/{node.text}"
        return _text(node, "target") or f"{folder}/{_text(node, 'source') or ''}"

    return index


def _path_of(node: Node) -> str | None:
    return node.text if isinstance(node, Leaf) else _text(node, "path")


_UNIQUE: Final[Mapping[str, Index | Mapping[str, Index]]] = {
    "annotations": _name_of,
    "build": {
        "args": _name_of, "additional_contexts": _name_of, "platforms": _name_of, "tags": _name_of, "labels": _name_of,
    },
    "cap_add": _name_of,
    "cap_drop": _name_of,
    "configs": _grant_of(""),
    "deploy": {"labels": _name_of},
    "devices": _device_of,
    "dns": _name_of,
    "dns_opt": _name_of,
    "dns_search": _name_of,
    "env_file": _path_of,
    "environment": _name_of,
    "expose": _name_of,
    "labels": _name_of,
    "links": _name_of,
    "ports": _port_of,
    "profiles": _name_of,
    "secrets": _grant_of("/run/secrets"),
    "sysctls": _name_of,
    "tmpfs": _name_of,
    "volumes": _target_of,
}  # fmt: skip
