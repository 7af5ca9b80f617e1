"""`extends`: a service takes over what another one says, of the same file or of another.

Source: compose-go's loader/extends.go. Another file is read with the variables of the project, its relative paths start from its own
folder, and of it only the service (and what that one extends) takes part.
"""

from posixpath import dirname, relpath
from typing import TYPE_CHECKING, Final

from hardener.sources import yaml_nodes
from hardener.sources.compose import interpolate, merge
from hardener.sources.compose.loader import Frame, Loader, absolute, leaf, with_section
from hardener.sources.compose.tree import Entry, Keys, Leaf
from hardener.sources.expansion import HOLE
from hardener.text import Place

if TYPE_CHECKING:
    from hardener.text import SourceFile

MAX_CHAIN: Final = 50
"""Services that may extend each other in a row."""

Paths = list[interpolate.Path]


def resolve(loader: Loader, root: Keys, paths: Paths, frame: Frame, file: "SourceFile") -> Keys:
    """Return the model of one file with the `extends` of its services resolved."""
    found = root.get("services")
    if not isinstance(found, Keys):
        return root
    scope = _Scope(file.path, found, paths, frame)
    resolver = _Resolver(loader)
    entries = {}
    for name, entry in found.entries.items():
        value = resolver.service(scope, name, ())
        entries[name] = entry if value is None else Entry(entry.key, value)
        if (scope.path, name) in resolver.open_ended:
            loader.open_ended.add(name)
    services = Keys(entries, found.place)
    services.history = found.history
    return with_section(root, "services", services, found.place)


class _Scope:
    """The services of one file that are being resolved."""

    __slots__ = ("done", "frame", "path", "paths", "services")

    def __init__(self, path: str, services: Keys, paths: Paths, frame: Frame) -> None:
        self.path = path
        self.services = services
        self.paths = paths
        self.frame = frame
        self.done: dict[str, Keys | None] = {}


class _Resolver:
    """The services of one file and of those that it extends from."""

    __slots__ = ("loader", "open_ended", "scopes")

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.scopes: dict[str, _Scope | None] = {}
        self.open_ended: set[tuple[str, str]] = set()  # services whose base cannot be seen

    def service(self, scope: _Scope, name: str, trail: tuple[tuple[str, str, Place], ...]) -> Keys | None:
        """Return a service with all that it extends; None when it is not a mapping. `trail` are the services that led to it."""
        if name in scope.done:
            return scope.done[name]
        service = scope.services.get(name)
        if not isinstance(service, Keys):
            return None
        entry = service.entries.get("extends")
        if entry is None:
            return service
        scope.done[name] = result = self._extended(scope, name, service, entry, trail)
        return result

    def _extended(self, scope: _Scope, name: str, service: Keys, entry: Entry, trail: tuple[tuple[str, str, Place], ...]) -> Keys:
        own = Keys({key: value for key, value in service.entries.items() if key != "extends"}, service.place, tag=service.tag)
        own.history = service.history
        node = entry.value
        if isinstance(node, Keys):
            reference, path = leaf(node.get("service")), leaf(node.get("file"))
        else:
            reference, path = leaf(node), None
        from hardener.sources.compose import schema

        schema.check_part(self.loader.project, "str|@extends", entry, "extends", f"services.{name}.extends")
        if reference is None:
            self.open_ended.add((scope.path, name))
            return own
        trail = (*trail, (scope.path, name, entry.key))
        base_scope: _Scope | None = scope
        if path is not None:
            base_scope = self._scope(scope, path)
            if base_scope is None:
                self.open_ended.add((scope.path, name))
                return own
        if base_scope is None or not self._may_extend(scope, base_scope, name, reference, trail):
            self.open_ended.add((scope.path, name))
            return own
        base = self.service(base_scope, reference.text, trail)
        if (base_scope.path, reference.text) in self.open_ended:
            self.open_ended.add((scope.path, name))
        if base is None:
            return own
        resets = [found[2:] for found in scope.paths if found[:2] == ("services", name)]
        kept = merge.drop(base, resets) if resets else base
        kept = merge.noted(kept, (entry.key, f"extended by service {name} here"))
        return merge.service(kept, own) if isinstance(kept, Keys) else own

    def _may_extend(self, scope: _Scope, base_scope: _Scope, name: str, reference: Leaf, trail: tuple[tuple[str, str, Place], ...]) -> bool:
        """Whether a service can be extended; what hinders it is written down."""
        loader = self.loader
        wanted = reference.text
        if reference.is_unknown:
            loader.unseen(
                reference.place, f"the service that {name} extends", "its name depends on a variable that nothing sets", "extends"
            )
            return False
        if wanted not in base_scope.services.entries:
            where = "" if base_scope is scope else f" in {relpath(base_scope.path, scope.frame.folder)}"
            loader.problem(
                "extends-missing-service",
                reference.place,
                f"service {name} extends {wanted}, which does not exist{where}",
                service=name,
                extends=wanted,
                file=base_scope.path,
            )
            return False
        steps = [(path, service) for path, service, _ in trail]
        if (base_scope.path, wanted) in steps:
            at = steps.index((base_scope.path, wanted))
            names = " → ".join([*(service for _, service in steps[at:]), wanted])
            related = tuple([(place, f"service {service} extends here") for _, service, place in trail[at:-1]])
            loader.problem("extends-cycle", reference.place, f"services extend each other in a circle: {names}", related, cycle=names)
            return False
        if len(trail) > MAX_CHAIN:
            loader.unseen(reference.place, f"service {wanted}", f"more than {MAX_CHAIN} services extend each other in a row", "extends")
            return False
        return True

    def _scope(self, scope: _Scope, path: Leaf) -> _Scope | None:
        """Return the services of the file that an `extends` names."""
        loader = self.loader
        if path.is_unknown:
            written = path.text.replace(HOLE, "…")
            loader.unseen(path.place, f"file {written}", "its path depends on a variable that nothing sets", "extends")
            return None
        target = absolute(path.text, scope.frame.folder)
        if target in self.scopes:
            found = self.scopes[target]
            if found is None:
                loader.unseen(path.place, path.text, "it cannot be read, or has no services", "extends")
            return found
        self.scopes[target] = None
        folder = dirname(target)
        drawn = loader.draw(path, target, folder, "extends")
        if drawn is None:
            return None
        file, documents = drawn
        frame = Frame(folder, scope.frame.lookup, scope.frame.trail)
        root: Keys | None = None
        paths: Paths = []
        for node in documents:
            if isinstance(node, yaml_nodes.Mapping):
                grown = interpolate.grow(node, file, frame.lookup)
                loader.problems.extend(grown.problems)
                paths.extend(grown.paths)
                if isinstance(grown.root, Keys):
                    root = grown.root if root is None else merge.model(root, grown.root)
        services = None if root is None else root.get("services")
        if not isinstance(services, Keys):
            if documents:
                loader.problem("extends-missing-service", path.place, f"there are no services in {path.text}", file=path.text)
            return None
        self.scopes[target] = found = _Scope(target, services, paths, frame)
        return found
