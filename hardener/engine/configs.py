"""Finding the configuration of each file: the nearest one wins, and says itself what it extends.

From the folder of the file upwards, the first that has `.harden.yaml`, `.harden.yml` or a pyproject.toml with `[tool.hardener]`; the
search ends at the root of the repository. Nothing is merged on the way: a configuration that wants what stands above says `extends`.
"""

import os
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from typing import Final, NamedTuple

from hardener.engine import pyproject
from hardener.engine.config import Config, Source, path_of, texts_of, wrong
from hardener.engine.gitignore import Patterns
from hardener.engine.selection import Selector
from hardener.errors import HardenError
from hardener.finding import FileError
from hardener.sources import yaml_nodes
from hardener.sources.yaml_nodes import Mapping, Scalar, Sequence
from hardener.text import SourceFile

NAMES: Final = (".harden.yaml", ".harden.yml", "pyproject.toml")


class _Layer(NamedTuple):
    """The settings of one file, or of one item of its `overrides`; then `patterns` say for which paths below `source.folder`."""

    mapping: Mapping
    source: Source
    patterns: Patterns | None


class _Loaded(NamedTuple):
    """A configuration file with what it extends, the most general first."""

    layers: tuple[_Layer, ...]
    excludes: tuple[tuple[str, Patterns], ...]  # each with the folder that its patterns are relative to


class Configs:
    """Every configuration of one run. `overlay` are the settings of the command line: they outrank every file."""

    __slots__ = ("_configs", "_cwd", "_excludes", "_explicit", "_isolated", "_loaded", "_nearest", "_overlay")

    def __init__(
        self, cwd: str, *, explicit: str | None = None, isolated: bool = False, overlay: AnyMapping[str, object] | None = None
    ) -> None:
        self._cwd = cwd
        self._explicit = None if explicit is None else os.path.join(cwd, explicit)
        self._isolated = isolated
        node = pyproject.nodes(dict(overlay or {}))
        self._overlay = _Layer(node, Source(None, cwd), None) if isinstance(node, Mapping) and node.entries else None
        self._excludes = tuple(_excludes(self._overlay)) if self._overlay is not None else ()
        self._nearest: dict[str, str | None] = {}
        self._loaded: dict[str, _Loaded] = {}
        self._configs: dict[tuple[str | None, tuple[int, ...]], Config] = {}

    def for_file(self, path: str) -> Config:
        """Return what applies to a file, whether it exists or not; `path` is absolute.

        Raises `HardenError` when a configuration that it needs cannot be read or does not make sense.
        """
        source = self.nearest(os.path.dirname(path))
        layers = self._load(source).layers if source is not None else ()
        active = tuple(index for index, layer in enumerate(layers) if _applies(layer, path))
        config = self._configs.get((source, active))
        if config is None:
            config = Config()
            config.source = source
            for index in active:
                layer = layers[index]
                config.apply(layer.mapping, layer.source, per_path=layer.patterns is not None)
            if self._overlay is not None:
                config.apply(self._overlay.mapping, self._overlay.source)
            self._configs[source, active] = config
        return config

    def for_folder(self, path: str) -> Config:
        """Return what applies in a folder; for settings of a whole run, such as the baseline."""
        return self.for_file(os.path.join(path, "Dockerfile"))

    def excludes(self, path: str, is_folder: bool) -> bool:
        """Tell whether a search leaves out an absolute path that it meets. Folders on the way to it have been asked for before."""
        source = self.nearest(os.path.dirname(path))
        for folder, patterns in (*self._excludes, *(self._load(source).excludes if source is not None else ())):
            relative = _relative(path, folder)
            if relative is not None and (verdict := patterns.match(relative, is_folder=is_folder)) is not None:
                return verdict
        return False

    def check(self, selector: Selector) -> None:
        """Raise `HardenError` for the first word in any configuration read so far that names no rule, also where it does not apply."""
        layers = [layer for loaded in self._loaded.values() for layer in loaded.layers]
        if self._overlay is not None:
            layers.append(self._overlay)
        for layer in layers:
            config = Config()
            config.apply(layer.mapping, layer.source, per_path=layer.patterns is not None)
            config.check(selector)

    def nearest(self, folder: str) -> str | None:
        """Return the configuration file for a folder."""
        if self._explicit is not None or self._isolated:
            return self._explicit
        seen: list[str] = []
        found: str | None = None
        while folder not in self._nearest:
            seen.append(folder)
            found = self._in_folder(folder)
            parent = os.path.dirname(folder)
            if found is not None or parent == folder or os.path.lexists(os.path.join(folder, ".git")):
                break
            folder = parent
        else:
            found = self._nearest[folder]
        self._nearest.update(dict.fromkeys(seen, found))
        return found

    def _in_folder(self, folder: str) -> str | None:
        for name in NAMES:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and (name != "pyproject.toml" or pyproject.parse(self._read(path)) is not None):
                return path
        return None

    def _read(self, path: str, where: str = "") -> SourceFile:
        from hardener.engine import targets  # what reads Dockerfiles safely reads this safely

        found = targets.read(targets.Target(self._shown(path), path))
        if isinstance(found, FileError):
            raise HardenError(
                f"the configuration {self._shown(path)} {found.message}", where=where, how="correct the path, or its permissions"
            )
        return found

    def _shown(self, path: str) -> str:
        try:
            return os.path.relpath(path, self._cwd)
        except ValueError:  # another drive on Windows
            return path

    def _load(self, path: str) -> _Loaded:
        loaded = self._loaded.get(path)
        if loaded is None:
            layers = tuple(self._layers(path, "", ()))
            excludes = tuple(exclude for layer in reversed(layers) for exclude in _excludes(layer))
            loaded = self._loaded[path] = _Loaded(layers, excludes)
        return loaded

    def _layers(self, path: str, where: str, chain: tuple[str, ...]) -> list[_Layer]:
        """Return the layers of a file: what it extends, itself, its overrides. All are checked, also those that may never apply."""
        real = os.path.realpath(path)
        if real in chain:
            names = " -> ".join(self._shown(link) for link in (*chain[chain.index(real) :], real))
            raise HardenError(f"configurations extend each other in a circle: {names}", where=where, how="remove one of the `extends`")
        file = self._read(path, where)
        source = Source(file, os.path.dirname(path))
        mapping = _mapping(file, source)
        layers: list[_Layer] = []
        if (base := mapping.get("extends")) is not None:
            for text, place in texts_of(base, source, "extends"):
                layers.extend(self._layers(path_of(text, source), place, (*chain, real)))
        Config().apply(mapping, source)
        layers.append(_Layer(mapping, source, None))
        if (overrides := mapping.get("overrides")) is not None:
            if not isinstance(overrides, Sequence):
                raise wrong(overrides, source, "overrides takes a list of mappings, each with `paths`")
            for item in overrides.items:
                paths = item.get("paths") if isinstance(item, Mapping) else None
                if not isinstance(item, Mapping) or paths is None:
                    raise wrong(item, source, "an item of overrides is a mapping with `paths`")
                Config().apply(item, source, per_path=True)
                layers.append(_Layer(item, source, Patterns(pattern for pattern, _ in texts_of(paths, source, "paths"))))
        return layers


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
    raise wrong(node, source, "a configuration is a mapping of keys")


def _excludes(layer: _Layer) -> Iterator[tuple[str, Patterns]]:
    """Yield the folder and the patterns of a layer's `exclude`, if it has one."""
    node = layer.mapping.get("exclude") if layer.patterns is None else None
    if node is not None:
        yield layer.source.folder, Patterns(pattern for pattern, _ in texts_of(node, layer.source, "exclude"))


def _relative(path: str, folder: str) -> str | None:
    """Return a path relative to a folder with `/` between its parts, or None when it does not lie in it."""
    prefix = os.path.join(folder, "")
    return path[len(prefix) :].replace(os.sep, "/") if path.startswith(prefix) else None


def _applies(layer: _Layer, path: str) -> bool:
    if layer.patterns is None:
        return True
    relative = _relative(path, layer.source.folder)
    return relative is not None and layer.patterns.covers(relative)
