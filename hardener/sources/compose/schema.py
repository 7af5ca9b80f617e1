"""Every key and value of a project against the Compose Specification: unknown keys, keys at the wrong level, wrong types, bad values."""

from typing import Final

from hardener.sources.compose.scalar_types import SCALARS, ScalarType
from hardener.sources.compose.spec import LEVELS
from hardener.sources.compose.tree import Entry, Items, Keys, Leaf, Node
from hardener.sources.service import Problem, Project
from hardener.text import Pattern, Place

_NAME: Final = Pattern(r"[a-zA-Z0-9._-]+")


class _Shape:
    """A type of `spec.py`, taken apart."""

    __slots__ = ("items", "kinds", "level", "named", "required", "scalars", "values")

    def __init__(self, text: str) -> None:
        self.required = text[:1] == "!"
        self.scalars: list[ScalarType] = []
        self.items: _Shape | None = None
        self.values: _Shape | None = None
        self.named = False  # the names of `values` are restricted
        self.level = ""
        for part in _alternatives(text.removeprefix("!")):
            if part[0] == "@":
                self.level = part[1:]
            elif part[0] == "[":
                self.items = shape(part[1:-1])
            elif part[0] in "{<":
                self.values = shape(part[1:-1])
                self.named = part[0] == "<"
            else:
                self.scalars.append(SCALARS[part])
        # The kinds that need no further look.
        self.kinds = frozenset(kind for scalar in self.scalars if scalar.wrong is None for kind in scalar.kinds)

    @property
    def is_open(self) -> bool:
        """Whether anything at all may stand there."""
        return any(scalar.name == "anything" for scalar in self.scalars)

    @property
    def wanted(self) -> str:
        """What may stand there, as in "must be …"."""
        names = [scalar.name for scalar in self.scalars if scalar.name != "empty"]
        if self.items is not None:
            names.append("a list")
        if self.values is not None or self.level:
            names.append("a map")
        return " or ".join(dict.fromkeys(names))


_SHAPES: Final[dict[str, _Shape]] = {}


def shape(text: str) -> _Shape:
    """Return a type, taken apart once."""
    found = _SHAPES.get(text)
    if found is None:
        found = _SHAPES[text] = _Shape(text)
    return found


_REQUIRED: Final[dict[str, tuple[str, ...]]] = {}


def required(level: str) -> tuple[str, ...]:
    """Return the keys that must be there at a level."""
    found = _REQUIRED.get(level)
    if found is None:
        found = _REQUIRED[level] = tuple([field for field, kind in LEVELS[level].items() if kind[0] == "!"])
    return found


def _alternatives(text: str) -> list[str]:
    """Split at the `|` outside of brackets."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        if char in "[{<":
            depth += 1
        elif char in "]}>":
            depth -= 1
        elif char == "|" and not depth:
            parts.append(text[start:at])
            start = at + 1
    parts.append(text[start:])
    return parts


def check(project: Project, tree: Keys) -> None:
    """Add to a project's problems what its tree says against the specification."""
    checker = _Checker(project)
    if "services" not in tree.entries and checker.is_version_1(tree):
        return
    checker.level("", tree, tree.place, "")
    version = tree.entries.get("version")
    # The swarm's reader of compose files wanted it until a while ago.
    if version is not None and not project.is_stack:
        project.problems.append(Problem("obsolete-version", version.key, "compose ignores `version`"))


def check_part(project: Project, kind: str, entry: Entry, name: str, path: str) -> None:
    """Check `extends` or `include`, which are gone from the merged tree, where they are resolved."""
    _Checker(project).value(shape(kind), entry.value, entry.key, name, path)


class _Checker:
    """One walk through a tree."""

    __slots__ = ("problems", "seen")

    def __init__(self, project: Project) -> None:
        self.problems = project.problems
        # What an alias or `extends` repeats is said once.
        self.seen: set[tuple[str, Place]] = set()

    def add(self, code: str, place: Place, message: str, values: dict[str, str], history: tuple[tuple[Place, str], ...] = ()) -> None:
        if (code, place) not in self.seen:
            self.seen.add((code, place))
            self.problems.append(Problem(code, place, message, history, values))

    def is_version_1(self, tree: Keys) -> bool:
        """Say that services stand at the top level, if they do."""
        for name, entry in tree.entries.items():
            value = entry.value
            if name not in LEVELS[""] and isinstance(value, Keys) and ("image" in value.entries or "build" in value.entries):
                message = f"the service {name!r} stands at the top level, as in version 1 of the format, which compose no longer reads"
                self.add("version-1-file", entry.key, message, {"key": name})
                return True
        return False

    def level(self, name: str, keys: Keys, key: Place, path: str) -> None:
        """Check a map whose keys the specification knows."""
        known = LEVELS[name]
        entries = keys.entries
        for field, entry in entries.items():
            kind = known.get(field)
            if kind is not None:
                self.value(shape(kind), entry.value, entry.key, field, f"{path}.{field}" if path else field)
            elif field[:2] != "x-":
                self.unknown(name, field, entry, path)
        for field in required(name):
            if field not in entries:
                where = path or "the file"
                # A list item has no key of its own; a long one is shown by its first key.
                place = key if key is not keys.place else next(iter(entries.values())).key if entries else key
                self.add("missing-key", place, f"`{where}` lacks `{field}`", {"key": field, "where": where})

    def value(self, wanted: _Shape, node: Node, key: Place, name: str, path: str) -> None:
        """Check what stands under a key (or in a list: then `key` is the item's own place)."""
        if isinstance(node, Leaf):
            if node.kind not in wanted.kinds:
                self.scalar(wanted, node, key, name, path)
        elif isinstance(node, Items):
            items = wanted.items
            if items is None:
                if not wanted.is_open:
                    self.mistyped(wanted, node, key, name, path)
                return
            plain = items.kinds
            for item in node.items:
                if not isinstance(item, Leaf) or item.kind not in plain:
                    self.value(items, item, item.place, name, path)
        elif wanted.level:
            self.level(wanted.level, node, key, path)
        elif wanted.values is not None:
            values = wanted.values
            plain = values.kinds
            for field, entry in node.entries.items():
                if wanted.named and _NAME.fullmatch(field) is None and field[:2] != "x-":
                    message = f"`{path}.{field}`: a name may hold letters, digits, `.`, `_` and `-`"
                    self.add("invalid-name", entry.key, message, {"name": field, "where": path})
                item = entry.value
                if not isinstance(item, Leaf) or item.kind not in plain:
                    if field[:2] == "x-" and wanted.named:
                        continue
                    self.value(values, item, entry.key, field, f"{path}.{field}")
        elif not wanted.is_open:
            self.mistyped(wanted, node, key, name, path)

    def scalar(self, wanted: _Shape, node: Leaf, key: Place, name: str, path: str) -> None:
        """Check a scalar that is not right at first glance."""
        if node.is_unknown:
            # It will be text, whatever it is; compose turns text into numbers and switches itself.
            if not wanted.scalars:
                self.mistyped(wanted, node, key, name, path)
            return
        reason = ""
        for scalar in wanted.scalars:
            if node.kind in scalar.kinds:
                if scalar.wrong is None:
                    return
                reason = scalar.wrong(node.text)
                if not reason:
                    return
        if not reason:
            self.mistyped(wanted, node, key, name, path)
            return
        shown = node.text if len(node.text) <= 60 else node.text[:57] + "…"
        self.add(
            "invalid-value", node.place, f"`{path}`: {shown!r} {reason}", {"key": name, "value": shown, "reason": reason}, node.history
        )

    def mistyped(self, wanted: _Shape, node: Node, key: Place, name: str, path: str) -> None:
        found = _found(node)
        place = node.place if isinstance(node, Leaf) and not node.is_null else key
        expected = wanted.wanted
        self.add(
            "wrong-type", place, f"`{path}` must be {expected}, not {found}",
            {"key": name, "where": path, "expected": expected, "found": found}, node.history,
        )  # fmt: skip

    def unknown(self, level: str, field: str, entry: Entry, path: str) -> None:
        from hardener.sources.compose.suggestions import home, suggestion

        where = path or "the top level"
        close, place = suggestion(level, field), home(level, field)
        if place and not close[1]:
            message = f"`{field}` is no key of `{where}`: it belongs under `{place}`"
            self.add("misplaced-key", entry.key, message, {"key": field, "where": where, "home": place}, entry.value.history)
            return
        hint = f": {close[0]}" if close[0] else ""
        values = {"key": field, "where": where, "suggestion": close[0], "hint": hint}
        self.add("unknown-key", entry.key, f"`{field}` is no key of `{where}`{hint}", values, entry.value.history)


def _found(node: Node) -> str:
    if isinstance(node, Keys):
        return "a map"
    if isinstance(node, Items):
        return "a list"
    return {"null": "empty", "bool": "true or false", "int": "a number", "float": "a number", "str": "text"}[node.kind]
