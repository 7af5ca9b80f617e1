"""Health tests: `test` as a list that starts with CMD, CMD-SHELL or NONE, or as a string that a shell reads."""

from hardener.sources.compose import scalars
from hardener.sources.compose.tree import Items, Keys, Leaf, Node
from hardener.sources.service import Healthcheck, Setting, Words
from hardener.text import Place


def healthcheck(node: Node | None, key: Place) -> Healthcheck | None:
    """Return the health test of a service."""
    if not isinstance(node, Keys):
        return None
    found = Healthcheck(node.place, key)
    for name, entry in node.entries.items():
        value, at = entry.value, entry.key
        match name:
            case "test":
                _test(found, value, at)
            case "disable":
                disabled = scalars.switch(value, at)
                if disabled is not None and disabled.value is not False:
                    found.disabled = disabled
            case "interval" | "timeout" | "start_period" | "start_interval":
                setattr(found, name, scalars.duration(value, at))
            case "retries":
                found.retries = scalars.integer(value, at)
    return found


def _test(found: Healthcheck, node: Node, key: Place) -> None:
    if isinstance(node, Leaf):
        whole = scalars.text(node, key)
        if whole is not None:
            found.test = Words((whole,), node.place, key, whole)
            found.test.shell = True
        return
    if not isinstance(node, Items):
        return
    items = scalars.texts(node, key)
    if not items:
        return
    kind, rest = items[0], items[1:]
    match kind.value:
        case "NONE":
            found.disabled = Setting(True, kind.place, key, "NONE", kind.history)
        case "CMD-SHELL":
            found.test = Words(rest, node.place, key, rest[0] if rest else None)
            found.test.shell = True
        case "CMD":
            found.test = Words(rest, node.place, key)
        case _:  # open, or none of the three: compose refuses it
            found.test = Words(items, node.place, key)
