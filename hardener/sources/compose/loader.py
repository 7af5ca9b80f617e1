"""The pipeline from files to a project: parse, replace variables, resolve `include` and `extends`, merge, build the services.

The order of the steps is compose-go's (loader/loader.go), because it decides what overrides what: each file in turn gets what it
includes, then what its services extend, and goes over the files before it.
"""

from collections.abc import Sequence
from posixpath import basename, join, normpath
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.sources import yaml_nodes
from hardener.sources.compose import interpolate, merge, services
from hardener.sources.compose.tree import Entry, Keys, Leaf, Node
from hardener.sources.expansion import HOLE
from hardener.sources.service import Binding, Files, Lookup, Problem, Project, Service
from hardener.text import Pattern, Place, SourceFile, Span

if TYPE_CHECKING:
    from hardener.sources.compose import Options

MAX_FILES: Final = 100
"""Files that one project may draw in through `include` and `extends`."""

_NOT_IN_NAME: Final = Pattern(r"[^a-z0-9_-]")


def load(files: Sequence[SourceFile], folder: str, read: Files, options: "Options") -> Project:
    """Return the project that files make together; see `hardener.sources.compose.load`."""
    from hardener.sources.compose.stack import is_stack

    project = Project("compose", files[0], folder)
    loader = Loader(project, read)
    parsed = [(file, loader.parse(file)) for file in files]
    variables = {name: Binding(value) for name, value in (options.environment or {}).items()}
    for key, binding in loader.variables(options.env_files, folder, variables.get).items():
        variables.setdefault(key, binding)
    name = loader.name(parsed, variables.get)
    if name is not None:
        variables["COMPOSE_PROJECT_NAME"] = name
    project.name = normal_name(basename(folder)) if name is None or HOLE in name.text else name.text
    project.lookup = variables.get
    project.read = loader.read
    layer = loader.model(parsed, Frame(folder, variables.get, tuple(file.path for file in files)))
    project.files = (*files, *loader.drawn_in)
    if layer is not None:
        tree = merge.unique(layer)
        if options.swarm or is_stack(tree, files):
            project.kind = "stack"
        services.build(project, tree, options)
        if loader.open_ended:
            _leave_open([service for service in project.services if service.name in loader.open_ended], project)
        if options.profiles is not None:
            _select(project, options.profiles)
    return project


def normal_name(name: str) -> str:
    """Return a project's name as compose spells it."""
    return _NOT_IN_NAME.sub("", name.lower()).lstrip("_-")


def _leave_open(open_ended: Sequence[Service], project: Project) -> None:
    """Mark services of which a part cannot be seen, and take back that they lack an image: that part may have it."""
    places = [service.place for service in open_ended]
    for service in open_ended:
        service.open_ended = True
    project.problems[:] = [problem for problem in project.problems if problem.code != "no-image" or problem.place not in places]


def _select(project: Project, profiles: tuple[str, ...]) -> None:
    """Leave only the services that run with these profiles, and nothing that was said about the others."""
    if "*" in profiles:
        return
    left_out = [
        service
        for service in project.services
        if service.profiles and not any(profile.known is None or profile.known in profiles for profile in service.profiles)
    ]
    if not left_out:
        return
    project.services = tuple([service for service in project.services if service not in left_out])
    gone = [service.whole for service in left_out]
    used = [service.whole for service in project.services]
    project.problems[:] = [
        problem for problem in project.problems if not _within(problem.place, gone) or _within(problem.place, used)
    ]  # fmt: skip


def _within(place: Place, wholes: Sequence[Place]) -> bool:
    return any(place.file is whole.file and whole.span.start <= place.span.start < whole.span.end for whole in wholes)


class Frame:
    """Where a model is read: the folder its paths start from, its variables, and the files that led to it (to see cycles)."""

    __slots__ = ("folder", "lookup", "trail")

    def __init__(self, folder: str, lookup: Lookup, trail: tuple[str, ...]) -> None:
        self.folder = folder
        self.lookup = lookup
        self.trail = trail


Documents = tuple[yaml_nodes.Node, ...]


class Loader:
    """One load in progress."""

    __slots__ = ("_drawn", "_parsed", "_read", "drawn_in", "open_ended", "problems", "project")

    def __init__(self, project: Project, read: Files) -> None:
        self.project = project
        self.problems = project.problems
        self.open_ended: set[str] = set()  # services with a part that could not be seen
        self.drawn_in: list[SourceFile] = []
        self._read = read
        self._drawn = 0
        self._parsed: dict[str, Documents] = {}

    def read(self, path: str) -> SourceFile | str | None:
        """Return a further file, however it fails."""
        try:
            return self._read(path)
        except (HardenError, OSError, ValueError) as error:  # ValueError: a path with a NUL in it
            return error.what if isinstance(error, HardenError) else str(error)

    def problem(self, code: str, place: Place, message: str, related: tuple[tuple[Place, str], ...] = (), **values: str) -> None:
        """Write down what went wrong."""
        self.problems.append(Problem(code, place, message, related, values))

    def unseen(self, place: Place, what: str, reason: str, key: str) -> None:
        """Write down a part of the project that cannot be seen."""
        self.problem("unseen-file", place, f"{what} cannot be seen: {reason}", file=what, reason=reason, key=key)

    def draw(self, named: Leaf, path: str, folder: str, key: str) -> tuple[SourceFile, Documents] | None:
        """Return the file at an absolute path that another one names, parsed; None, and a problem, when it cannot be had.

        Each time a file is drawn in it gets an object of its own: its relative paths may start elsewhere.
        """
        if self._drawn >= MAX_FILES:
            self.unseen(named.place, named.text, f"the project draws in more than {MAX_FILES} files", key)
            return None
        self._drawn += 1
        found = self.read(path)
        if found is None or isinstance(found, str):
            self.unseen(named.place, named.text, found or "there is no such file", key)
            return None
        file = SourceFile(found.path, found.text)
        self.drawn_in.append(file)
        self.project.folders[file] = folder
        return file, self.parse(file)

    def parse(self, file: SourceFile) -> Documents:
        """Return the documents of a file; none, and a problem, when it is not valid YAML."""
        try:
            return yaml_nodes.parse_all(file)
        except HardenError as error:
            place = interpolate.place_of(error.where, file)
            self.problem("invalid-yaml", place, error.what, reason=error.what, how=error.how)
            return ()

    def variables(self, paths: Sequence[str] | None, folder: str, outer: Lookup, places: Sequence[Place] = ()) -> dict[str, Binding]:
        """Return the variables of env files: those named (at `places`), or the folder's `.env`. In them, those of `outer` count first."""
        found: dict[str, Binding] = {}
        for index, path in enumerate([join(folder, ".env")] if paths is None else paths):
            file = self.read(path)
            if file is None or isinstance(file, str):
                if paths is not None or file is not None:
                    place = places[index] if index < len(places) else Place(self.project.file, self.project.file.line_span(1))
                    self.unseen(place, path, file or "there is no such file", "env_file")
                continue
            from hardener.sources.compose import dotenv

            for item in dotenv.read(file, lambda name: outer(name) or found.get(name), self.problems):
                if item.text is not None:
                    found[item.name] = Binding(item.text, item.place)
        return found

    def name(self, files: Sequence[tuple[SourceFile, Documents]], lookup: Lookup) -> Binding | None:
        """Return the project's name as a variable or `name:` says it; the last file that has one wins."""
        given = lookup("COMPOSE_PROJECT_NAME")
        if given is not None:
            return given
        for file, documents in reversed(files):
            for root in reversed(documents):
                node = root.get("name") if isinstance(root, yaml_nodes.Mapping) else None
                if isinstance(node, yaml_nodes.Scalar) and node.text:
                    try:
                        text = interpolate.substitute(node.text, lookup, [])
                    except interpolate.InvalidTemplate:
                        text = HOLE
                    return Binding(text if HOLE in text else normal_name(text), Place(file, node.place))
        return None

    def model(self, files: Sequence[tuple[SourceFile, Documents]], frame: Frame) -> Keys | None:
        """Return the model that files make together; None when there is nothing in them."""
        root: Keys | None = None
        if not any(self._says_something(file, documents) for file, documents in files):
            file = files[0][0]
            self.problem("not-a-mapping", Place(file, file.line_span(1)), "there is nothing in the file: compose refuses it")
        for file, documents in files:
            for node in documents:
                if not isinstance(node, yaml_nodes.Mapping):
                    if not isinstance(node, yaml_nodes.Scalar) or node.value is not None:
                        place = Place(file, Span(node.span.start, min(node.span.end, file.line_span(file.line_of(node.span.start)).end)))
                        self.problem("not-a-mapping", place, "a compose file is a mapping with `services:` in it")
                    continue
                grown = interpolate.grow(node, file, frame.lookup)
                self.problems.extend(grown.problems)
                if not isinstance(grown.root, Keys):
                    continue
                layer = grown.root
                if "include" in layer.entries:
                    from hardener.sources.compose import include

                    layer = include.resolve(self, layer, grown.paths, frame)
                if root is not None and grown.paths:
                    dropped = merge.drop(root, grown.paths)
                    root = dropped if isinstance(dropped, Keys) else root
                if _extends(layer):
                    from hardener.sources.compose import extends

                    layer = extends.resolve(self, layer, grown.paths, frame, file)
                root = layer if root is None else merge.model(root, layer)
        return root

    def _says_something(self, file: SourceFile, documents: Documents) -> bool:
        """Whether there is more in a file than comments; what is broken has been reported, and counts."""
        return any(not isinstance(node, yaml_nodes.Scalar) or node.value is not None for node in documents) or any(
            problem.code == "invalid-yaml" and problem.place.file is file for problem in self.problems
        )


def _extends(root: Keys) -> bool:
    services = root.get("services")
    if not isinstance(services, Keys):
        return False
    return any(isinstance(entry.value, Keys) and "extends" in entry.value.entries for entry in services.entries.values())


def leaf(node: Node | None) -> Leaf | None:
    """Return a scalar that says something."""
    return node if isinstance(node, Leaf) and not node.is_null and node.text else None


def absolute(path: str, folder: str) -> str:
    """Return the absolute path that a path in a file means."""
    return normpath(join(folder, path))


def with_section(root: Keys, name: str, section: Keys, key: Place) -> Keys:
    """Return the model with one section replaced."""
    old = root.entries.get(name)
    keys = Keys({**root.entries, name: Entry(key if old is None else old.key, section)}, root.place)
    keys.history = root.history
    return keys
