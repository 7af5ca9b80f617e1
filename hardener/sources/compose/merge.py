"""How trees override each other. Source: compose-go's override package."""

from hardener.sources.compose.tree import Entry, Items, Keys, Leaf, Node


def files(base: Keys, over: Keys) -> Keys:
    """Return the model with that of a later file merged into it."""
    return _keys(base, over)


def _node(base: Node, over: Node) -> Node:
    if isinstance(base, Keys) and isinstance(over, Keys):
        return _keys(base, over)
    if isinstance(base, Items) and isinstance(over, Items):
        return Items([*base.items, *over.items], over.place)
    if isinstance(over, Leaf):
        if over.is_null:
            return base
        leaf = Leaf(over.text, over.kind, over.place, is_unknown=over.is_unknown)
        leaf.view = over.view
        leaf.history = (*over.history, (base.place, "overrides the value here"))
        return leaf
    return over


def _keys(base: Keys, over: Keys) -> Keys:
    entries = dict(base.entries)
    for name, entry in over.entries.items():
        old = entries.get(name)
        entries[name] = (
            entry if old is None else Entry(entry.key if isinstance(entry.value, Leaf) else old.key, _node(old.value, entry.value))
        )
    return Keys(entries, base.place)
