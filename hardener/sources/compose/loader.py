"""The pipeline from files to a project: parse, replace variables, resolve `include` and `extends`, merge, build the services.

The order of the steps is compose-go's (loader/loader.go), because it decides what overrides what.
"""

from collections.abc import Sequence
from posixpath import basename
from typing import TYPE_CHECKING

from hardener.errors import HardenError
from hardener.sources import yaml_nodes
from hardener.sources.compose import interpolate, merge, services
from hardener.sources.compose.tree import Keys
from hardener.sources.service import Binding, Files, Lookup, Problem, Project
from hardener.text import Place, SourceFile

if TYPE_CHECKING:
    from hardener.sources.compose import Options


def load(files: Sequence[SourceFile], folder: str, read: Files, options: "Options") -> Project:
    """Return the project that files make together; see `hardener.sources.compose.load`."""
    project = Project("stack" if options.swarm else "compose", files[0], folder)
    project.files = tuple(files)
    project.read = read
    environment = options.environment or {}

    def lookup(name: str) -> Binding | None:
        value = environment.get(name)
        return None if value is None else Binding(value)

    project.lookup = lookup
    loader = _Loader(project)
    root: Keys | None = None
    for file in files:
        root = loader.file(file, root, lookup)
    project.name = basename(folder)
    if root is not None:
        services.build(project, root, options)
    return project


class _Loader:
    """One load in progress."""

    __slots__ = ("problems", "project")

    def __init__(self, project: Project) -> None:
        self.project = project
        self.problems = project.problems

    def parse(self, file: SourceFile) -> tuple[yaml_nodes.Node, ...]:
        """Return the documents of a file; none, and a problem, when it is not valid YAML."""
        try:
            return yaml_nodes.parse_all(file)
        except HardenError as error:
            place = interpolate.place_of(error.where, file)
            self.problems.append(Problem("invalid-yaml", place, error.what, (), {"reason": error.what, "how": error.how}))
            return ()

    def file(self, file: SourceFile, into: Keys | None, lookup: Lookup) -> Keys | None:
        """Return the model with a further file merged into it."""
        for node in self.parse(file):
            if not isinstance(node, yaml_nodes.Mapping):
                if not isinstance(node, yaml_nodes.Scalar) or node.value is not None:
                    message = "a compose file is a mapping with `services:`"
                    self.problems.append(Problem("not-a-mapping", Place(file, node.span), message))
                continue
            grown = interpolate.grow(node, file, lookup)
            self.problems.extend(grown.problems)
            if isinstance(grown.root, Keys):
                into = grown.root if into is None else merge.files(into, grown.root)
        return into
