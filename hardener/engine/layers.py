"""One configuration file in layers, the most general first: what it extends, the file itself, and its overrides for some paths."""

import os
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping

from hardener.engine import keys, pyproject, targets
from hardener.engine.config import Config
from hardener.engine.gitignore import Patterns
from hardener.engine.keys import Source
from hardener.errors import HardenError
from hardener.finding import FileError
from hardener.record import NamedTuple
from hardener.sources import yaml_nodes
from hardener.sources.yaml_nodes import Mapping, Node, Scalar, Sequence
from hardener.text import SourceFile


class Layer(NamedTuple):
    """The settings of one file, or of one item of its `overrides`; then `patterns` say for which paths below `source.folder`."""

    mapping: Mapping
    source: Source
    patterns: Patterns | None
    excluded: Patterns | None  # what `exclude` leaves out of searches

    def apply(self, config: Config) -> None:
        """Apply the settings to a configuration. Raises `HardenError` for what no key takes."""
        keys.apply(config, self.mapping, self.source, per_path=self.patterns is not None)

    def applies(self, path: str) -> bool:
        """Tell whether the settings are for a file at an absolute path."""
        return self.patterns is None or self.patterns.covers(_relative(path, self.source.folder))

    def excludes(self, path: str, *, is_folder: bool) -> bool | None:
        """Tell whether its `exclude` leaves an absolute path out of a search or, with `!`, keeps it in; None when it says nothing."""
        if self.excluded is None:
            return None
        return self.excluded.match(_relative(path, self.source.folder), is_folder=is_folder)


def _relative(path: str, folder: str) -> str:
    """Return an absolute path relative to a folder, with `/` between its parts.

    A shared configuration may lie elsewhere: then relative to the nearest folder above both, so that patterns without a leading slash
    mean what they say.
    """
    prefix = os.path.join(folder, "")
    while not path.startswith(prefix) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
        prefix = os.path.join(folder, "")
    return path.removeprefix(prefix).replace(os.sep, "/")


def overlay(settings: AnyMapping[str, object], cwd: str) -> Layer:
    """Return the layer of the command line: plain values by key."""
    return _layer(pyproject.mapping(settings), Source(None, cwd), None)


def load(path: str, *, cwd: str) -> tuple[Layer, ...]:
    """Return the layers of a configuration file. All of them are checked, also those that may never apply.

    Raises `HardenError`, with the exact place, when the file or one that it extends cannot be read or does not make sense.
    """
    return tuple(_layers(path, "", (), cwd))


def read(path: str, *, cwd: str, where: str = "") -> SourceFile:
    """Return the text of a configuration file; `where` is the place that asks for it."""
    shown = _shown(path, cwd)
    found = targets.read(targets.Target(shown, path))  # a configuration may be a pipe or a giant as well as a Dockerfile may
    if isinstance(found, FileError):
        raise HardenError(f"the configuration {shown} {found.message}", where=where, how="correct the path, or its permissions")
    return found


def _shown(path: str, cwd: str) -> str:
    try:
        return os.path.relpath(path, cwd)
    except ValueError:  # another drive on Windows
        return path


def _layers(path: str, where: str, chain: tuple[str, ...], cwd: str) -> Iterator[Layer]:
    real = os.path.realpath(path)
    if real in chain:
        names = " -> ".join(_shown(link, cwd) for link in (*chain[chain.index(real) :], real))
        raise HardenError(f"configurations extend each other in a circle: {names}", where=where, how="remove one of the `extends`")
    file = read(path, cwd=cwd, where=where)
    source = Source(file, os.path.dirname(path))
    mapping = _mapping(file, source)
    base = mapping.get("extends")
    for text, place in keys.texts_of(base, source, "extends") if base is not None else ():
        yield from _layers(keys.path_of(text, source), place, (*chain, real), cwd)
    yield _layer(mapping, source, None)
    overrides = mapping.get("overrides")
    if overrides is not None and not isinstance(overrides, Sequence):
        raise keys.wrong(overrides, source, "overrides takes a list of mappings, each with `paths`")
    for item in overrides.items if overrides is not None else ():
        paths = item.get("paths") if isinstance(item, Mapping) else None
        if not isinstance(item, Mapping) or paths is None:
            raise keys.wrong(item, source, "an item of overrides is a mapping with `paths`")
        yield _layer(item, source, _patterns(paths, source, "paths"))


def _layer(mapping: Mapping, source: Source, patterns: Patterns | None) -> Layer:
    """Return a layer whose settings make sense."""
    keys.apply(Config(), mapping, source, per_path=patterns is not None)
    node = mapping.get("exclude")
    return Layer(mapping, source, patterns, None if node is None else _patterns(node, source, "exclude"))


def _patterns(node: Node, source: Source, key: str) -> Patterns:
    return Patterns(pattern for pattern, _ in keys.texts_of(node, source, key))


def _mapping(file: SourceFile, source: Source) -> Mapping:
    """Return the settings that a configuration file holds."""
    if file.path.endswith(".toml"):
        table = pyproject.parse(file)
        if table is None:
            raise HardenError("has no table [tool.hardener]", where=file.path, how="add one, or name another file")
        return table
    node = yaml_nodes.parse(file)
    if isinstance(node, Scalar) and node.value is None:
        return Mapping((), (), node.span, None)
    if isinstance(node, Mapping):
        return node
    raise keys.wrong(node, source, "a configuration is a mapping of keys")
