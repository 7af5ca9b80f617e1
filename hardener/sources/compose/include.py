"""`include`: another project's model becomes part of this one.

Source: compose-go's loader/include.go. What is included is a model of its own: its files are merged among themselves, its paths start from
its own folder, its variables come from its own `.env` behind those of the including project.
"""

from collections.abc import Iterator
from posixpath import dirname
from typing import Final

from hardener.sources.compose import interpolate, merge
from hardener.sources.compose.loader import Documents, Frame, Loader, absolute, leaf, with_section
from hardener.sources.compose.tree import Entry, Items, Keys, Leaf, Node
from hardener.sources.expansion import HOLE
from hardener.sources.service import Binding, Lookup
from hardener.text import SourceFile

SECTIONS: Final = ("services", "volumes", "networks", "secrets", "configs", "models")
_REMOTE: Final = ("http://", "https://", "oci://", "git://", "ssh://", "git@", "github.com/")


def resolve(loader: Loader, root: Keys, paths: list[interpolate.Path], frame: Frame) -> Keys:
    """Return the model of one file with all that it includes."""
    from hardener.sources.compose import schema

    entry = root.entries["include"]
    schema.check_part(loader.project, "null|[null|str|@include]", entry, "include", "include")
    rest = Keys({name: value for name, value in root.entries.items() if name != "include"}, root.place)
    rest.history = root.history
    for item in entry.value.items if isinstance(entry.value, Items) else ():
        imported = _imported(loader, item, frame)
        if imported is not None:
            rest = _merged(loader, imported, rest, paths)
    return rest


def _leaves(node: Node | None) -> Iterator[Leaf]:
    """Yield the scalars of one or a list of them."""
    for item in node.items if isinstance(node, Items) else [node]:
        found = leaf(item)
        if found is not None:
            yield found


def _imported(loader: Loader, item: Node, frame: Frame) -> Keys | None:
    """Return the model that one item of `include` brings."""
    if isinstance(item, Keys):
        named, folder_leaf, env = list(_leaves(item.get("path"))), leaf(item.get("project_directory")), item.get("env_file")
    else:
        named, folder_leaf, env = list(_leaves(item)) if isinstance(item, Leaf) else [], None, None
    folder = None if folder_leaf is None or folder_leaf.is_unknown else absolute(folder_leaf.text, frame.folder)
    files: list[tuple[SourceFile, Documents]] = []
    main = ""
    for index, path in enumerate(named):
        if path.is_unknown:
            loader.unseen(path.place, f"file {path.text.replace(HOLE, '…')}", "its path depends on a variable that nothing sets", "include")
            continue
        if path.text.startswith(_REMOTE):
            loader.unseen(path.place, path.text, "it is not on this machine", "include")
            continue
        target = absolute(path.text, frame.folder)
        folder = folder or dirname(target)
        drawn = loader.draw(path, target, folder, "include")
        if drawn is None:
            continue
        if index == 0:
            main = drawn[0].path
            if main in frame.trail:
                steps = " → ".join([*frame.trail[frame.trail.index(main) :], main])
                loader.problem("include-cycle", path.place, f"files include each other in a circle: {steps}", cycle=steps)
                return None
        files.append(drawn)
    if not files or folder is None:
        return None
    inner = Frame(folder, _variables(loader, env, folder, frame), (*frame.trail, main))
    model = loader.model(files, inner)
    return None if model is None else merge.unique(model)


def _variables(loader: Loader, env: Node | None, folder: str, frame: Frame) -> Lookup:
    """Return what variables mean in what is included: what the including project knows first, then the env files."""
    leaves = [item for item in _leaves(env) if item.text != "/dev/null"]
    paths: list[str] | None = None
    if env is not None and next(_leaves(env), None) is not None:
        known = [item for item in leaves if not item.is_unknown]
        paths = [absolute(item.text, frame.folder) for item in known]
        leaves = known
    inner = loader.variables(paths, folder, frame.lookup, [item.place for item in leaves])

    def lookup(name: str) -> Binding | None:
        return frame.lookup(name) or inner.get(name)

    return lookup


def _merged(loader: Loader, imported: Keys, root: Keys, paths: list[interpolate.Path]) -> Keys:
    """Return the model with another one imported into it."""
    for section in SECTIONS:
        theirs = imported.get(section)
        if not isinstance(theirs, Keys):
            continue
        ours = root.get(section)
        entries = dict(ours.entries) if isinstance(ours, Keys) else {}
        for name, entry in theirs.entries.items():
            own = entries.get(name)
            if own is None:
                entries[name] = entry
                continue
            if not _same(entry.value, own.value):
                kind = section.removesuffix("s")
                loader.problem(
                    "include-conflict",
                    own.key,
                    f"{kind} {name} is also in a file that is included: Docker Compose 2.40 refuses that, newer versions merge the two",
                    ((entry.key, f"the {kind} that is included"),),
                    kind=kind,
                    name=name,
                )
            resets = [found[2:] for found in paths if found[:2] == (section, name)]
            base = merge.drop(entry.value, resets) if resets else entry.value
            entries[name] = Entry(own.key, merge.resource(base, own.value, section))
        home = ours if isinstance(ours, Keys) else theirs
        merged = Keys(entries, home.place)
        merged.history = home.history
        root = with_section(root, section, merged, imported.entries[section].key)
    return root


def _same(one: Node, other: Node) -> bool:
    """Whether two nodes say the same."""
    if isinstance(one, Leaf) and isinstance(other, Leaf):
        return one.text == other.text and not one.is_unknown
    if isinstance(one, Items) and isinstance(other, Items):
        return len(one.items) == len(other.items) and all(map(_same, one.items, other.items))
    if isinstance(one, Keys) and isinstance(other, Keys):
        return one.entries.keys() == other.entries.keys() and all(
            _same(entry.value, other.entries[name].value) for name, entry in one.entries.items()
        )
    return False
