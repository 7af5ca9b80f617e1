"""`env_file:` and `label_file:`: further variables of a service, each at its place in the file that sets it."""

from hardener.sources.compose import dotenv, scalars
from hardener.sources.compose.mounts import Folder, absolute
from hardener.sources.compose.tree import Items, Keys, Leaf, Node
from hardener.sources.service import Binding, Lookup, Problem, Project, Service, Setting, Variable
from hardener.sources.unknown import UNKNOWN

Cache = dict[tuple[str, bool], tuple[Variable, ...]]


def add(service: Service, keys: Keys, folder: Folder, cache: Cache) -> None:
    """Put the variables of files before those that the service sets itself, which win."""
    if (entry := keys.entries.get("env_file")) is not None:
        wanted = _wanted(entry.value)
        service.env_files = tuple([_path(leaf, entry.value, folder) for leaf, _, _ in wanted])
        found: dict[str, Variable] = {}
        lookup = _lookup(service)
        for leaf, required, raw in wanted:
            for variable in _read(service.project, leaf, folder, "env_file", cache, lookup, required=required, raw=raw):
                found[variable.name] = variable
        service.environment = _before(found, service.environment)
    if (entry := keys.entries.get("label_file")) is not None:
        found = {}
        for leaf in scalars.leaves(entry.value):
            for variable in _read(service.project, leaf, folder, "label_file", cache, service.project.lookup, required=True, raw=False):
                found[variable.name] = variable
        service.labels = _before(found, service.labels)


def _before(files: dict[str, Variable], own: tuple[Variable, ...]) -> tuple[Variable, ...]:
    if not files:
        return own
    names = {variable.name for variable in own}
    return (*(variable for variable in files.values() if variable.name not in names), *own)


def _wanted(node: Node) -> list[tuple[Leaf, bool, bool]]:
    """Return the paths, whether each must exist, and whether it is read raw."""
    found: list[tuple[Leaf, bool, bool]] = []
    for item in node.items if isinstance(node, Items) else (node,):
        if isinstance(item, Leaf) and not item.is_null:
            found.append((item, True, False))
        elif isinstance(item, Keys):
            path, required, form = item.get("path"), item.get("required"), item.get("format")
            if isinstance(path, Leaf) and not path.is_null:
                optional = isinstance(required, Leaf) and required.text.lower() != "true"
                found.append((path, not optional, isinstance(form, Leaf) and form.text == "raw"))
    return found


def _path(leaf: Leaf, key: Node, folder: Folder) -> Setting[str]:
    value = UNKNOWN if leaf.is_unknown else absolute(leaf.text, folder(leaf.place.file))
    return Setting(value, leaf.place, key.place, leaf.text, leaf.history, leaf.view)


def _lookup(service: Service) -> Lookup:
    """Return what variables mean in an env file: those of the project, then those that the service sets itself."""
    own = {
        variable.name: Binding(variable.value.text, variable.value.place) for variable in service.environment if variable.value is not None
    }
    outer = service.project.lookup
    return lambda name: outer(name) or own.get(name)


def _read(
    project: Project, leaf: Leaf, folder: Folder, source: str, cache: Cache, lookup: Lookup, *, required: bool, raw: bool
) -> tuple[Variable, ...]:
    if leaf.is_unknown or not leaf.text:
        return ()
    path = absolute(leaf.text, folder(leaf.place.file))
    key = (path, raw)
    if key in cache:
        return cache[key]
    file = project.read(path)
    if file is None or isinstance(file, str):
        if required:
            reason = file or "there is no such file"
            project.problems.append(
                Problem(
                    "unseen-file", leaf.place, f"{leaf.text}: {reason}", leaf.history,
                    {"file": leaf.text, "reason": reason, "key": source},
                )
            )  # fmt: skip
        cache[key] = ()
        return ()
    found = []
    problems: list[Problem] = []
    for name, at, text, place, unknown, view, history in dotenv.read(file, lookup, problems, raw=raw):
        value = None
        if text is not None:
            value = Setting(UNKNOWN if unknown else text, place, at, text, (*history, (leaf.place, "the file is named here")), view)
        found.append(Variable(name, at, value, source))
    known = {(problem.code, problem.place) for problem in project.problems} if problems else ()
    project.problems.extend(problem for problem in problems if (problem.code, problem.place) not in known)
    variables = tuple(found)
    if "$" not in file.text:  # or its values differ from service to service
        cache[key] = variables
    return variables
