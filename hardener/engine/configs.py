"""Finding the configuration of each file: the nearest one wins, and says itself what it extends.

From the folder of the file upwards, the first that has `.harden.yaml`, `.harden.yml` or a pyproject.toml with `[tool.hardener]`; the
search ends at the root of the repository. Nothing is merged on the way: a configuration that wants what stands above says `extends`.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from hardener.engine.config import Config
from hardener.engine.selection import Selector

if TYPE_CHECKING:
    from hardener.engine.layers import Layer  # imported late: many projects configure nothing
    from hardener.policies.model import Policy

NAMES: Final = (".harden.yaml", ".harden.yml", "pyproject.toml")


class Configs:
    """Every configuration of one run.

    `overlay` are the settings of the command line, by key: they outrank every file. `policy` outranks both, and only tightens.
    """

    __slots__ = ("_configs", "_cwd", "_explicit", "_isolated", "_loaded", "_nearest", "_overlay", "_policy")

    def __init__(
        self,
        cwd: str,
        *,
        explicit: str | None = None,
        isolated: bool = False,
        overlay: Mapping[str, object] | None = None,
        policy: "Policy | None" = None,
    ) -> None:
        self._cwd = cwd
        self._explicit = None if explicit is None else os.path.join(cwd, explicit)
        self._isolated = isolated
        self._overlay: tuple[Layer, ...] = ()
        self._policy = policy
        self._nearest: dict[str, str | None] = {}
        self._loaded: dict[str, tuple[Layer, ...]] = {}
        self._configs: dict[tuple[str | None, tuple[int, ...]], Config] = {}
        if overlay:
            from hardener.engine import layers

            self._overlay = (layers.overlay(overlay, cwd),)

    def for_file(self, path: str) -> Config:
        """Return what applies to a file, whether it exists or not; `path` is absolute.

        Raises `HardenError` when a configuration that it needs cannot be read or does not make sense.
        """
        source = self.nearest(os.path.dirname(path))
        layers = (*self._load(source), *self._overlay)
        active = tuple(index for index, layer in enumerate(layers) if layer.applies(path))
        config = self._configs.get((source, active))
        if config is None:
            config = self._configs[source, active] = Config()
            config.source = source
            for index in active:
                layers[index].apply(config)
            if self._policy is not None:
                from hardener.engine.policy import tighten

                tighten(config, self._policy)
        return config

    def for_folder(self, path: str) -> Config:
        """Return what applies in a folder; for settings of a whole run, such as the baseline."""
        return self.for_file(os.path.join(path, "Dockerfile"))

    def excludes(self, path: str, is_folder: bool) -> bool:
        """Tell whether a search leaves out an absolute path that it meets. Folders on the way to it have been asked for before."""
        for layer in reversed((*self._load(self.nearest(os.path.dirname(path))), *self._overlay)):
            verdict = layer.excludes(path, is_folder=is_folder)
            if verdict is not None:
                return verdict
        return False

    def check(self, selector: Selector) -> None:
        """Raise `HardenError` for the first word in any configuration read so far that names no rule, also where it does not apply."""
        for layers in (*self._loaded.values(), self._overlay):
            for layer in layers:
                config = Config()
                layer.apply(config)
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
            if os.path.isfile(path) and (name != "pyproject.toml" or self._is_ours(path)):
                return path
        return None

    def _is_ours(self, path: str) -> bool:
        """Tell whether a pyproject.toml configures us; most are passed by with one look."""
        try:
            with open(path, "rb") as stream:
                mentions = b"hardener" in stream.read()
        except OSError:
            return False
        if not mentions:
            return False
        from hardener.engine import layers, pyproject

        return pyproject.parse(layers.read(path, cwd=self._cwd)) is not None

    def _load(self, path: str | None) -> "tuple[Layer, ...]":
        if path is None:
            return ()
        loaded = self._loaded.get(path)
        if loaded is None:
            from hardener.engine import layers

            loaded = self._loaded[path] = layers.load(path, cwd=self._cwd)
        return loaded
