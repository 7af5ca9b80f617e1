"""The code of a launch in one file: sixty modules that are looked for, opened and read one by one take longer than all walls.

The file is kept like a filter (kept.py) and holds what the interpreter's own .pyc files hold. It counts while every source in it has the
time of change and the size that it had, for this build of the interpreter alone. What is not in it is imported as ever; without the file,
so is everything. A second file holds what only some launches need (of an image, with a record): it is read when the first of that is
imported.
"""

from __future__ import annotations

import marshal
import posix
import sys
from _frozen_importlib import ModuleSpec

from hardener import __version__
from hardener.runtime import kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from importlib.abc import Loader
    from types import CodeType, ModuleType
    from typing import Final

    Entry = tuple[str, bool, int, int, CodeType]
else:
    Loader = object

KIND: Final = "code"
FURTHER: Final = "more-code"


class Packed(Loader):
    """Finds and loads the modules of a pack: where their source lies, whether they are packages, its time and size, and their code."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return where a module comes from; None for one that is not in the pack."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        source, package = entry[:2]
        spec = ModuleSpec(name, self, origin=source, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [source.rpartition("/")[0]]
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave the making of the module to the interpreter."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the code of a module."""
        exec(self._entries[module.__name__][4], vars(module))  # noqa: S102  # nosec B102  (what import does)


class Further(Loader):
    """Finds the modules of the second pack, which is read when it is asked for one of ours."""

    __slots__ = ("_folder", "_pack", "_package")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._package = f"{__name__.partition('.')[0]}."
        self._pack: Packed | None = None

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return where a module comes from; None for one that is not in the pack."""
        if not name.startswith(self._package):
            return None
        if self._pack is None:
            self._pack = Packed(_entries(self._folder, FURTHER) or {})
        return self._pack.find_spec(name)


def use(folder: str) -> bool:
    """Import from the packs of a folder from now on; False when there is no first one that is what the sources are now."""
    entries = _entries(folder, KIND)
    if entries is None:
        return False
    sys.meta_path[:0] = [Packed(entries), Further(folder)]
    return True


def keep(folder: str, names: Iterable[str]) -> bool:
    """Make a pack of modules that were imported from files; tell whether there is one now."""
    entries: dict[str, Entry] = {}
    return _add(names, entries) and _write(folder, KIND, entries)


def keep_further(folder: str, names: Iterable[str]) -> bool:
    """Put those of some modules that came from no pack into the second one; tell whether that was possible."""
    new = [name for name in names if not isinstance(_loader(name), Packed)]
    if not new:
        return True
    entries = _entries(folder, FURTHER) or {}
    return _add(new, entries) and _write(folder, FURTHER, entries)


def _entries(folder: str, kind: str) -> dict[str, Entry] | None:
    content = kept.view(folder, kind, _name()) if folder else None
    if content is None:
        return None
    entries: dict[str, Entry] = marshal.loads(content)  # noqa: S302  # nosec B302  (as .pyc files are)
    for source, _, time, size, _ in entries.values():
        if _state(source) != (time, size):
            return None
    return entries


def _add(names: Iterable[str], entries: dict[str, Entry]) -> bool:
    for name in names:
        spec, loader = sys.modules[name].__spec__, _loader(name)
        state = _state(spec.origin) if spec is not None and spec.origin else None
        code = loader.get_code(name) if loader is not None and hasattr(loader, "get_code") else None
        if spec is None or not spec.origin or state is None or code is None:
            return False
        entries[name] = (spec.origin, spec.submodule_search_locations is not None, *state, code)
    return True


def _write(folder: str, kind: str, entries: dict[str, Entry]) -> bool:
    return bool(folder) and kept.write(folder, kind, _name(), marshal.dumps(entries))


def _loader(name: str) -> object:
    spec = sys.modules[name].__spec__
    return spec.loader if spec is not None else None


def _state(path: str) -> tuple[int, int] | None:
    try:
        found = posix.stat(path)
    except OSError:  # a zip, or gone
        return None
    return found.st_mtime_ns, found.st_size


def _name() -> str:
    return kept.key((__version__, sys.version, str(sys.flags.optimize), __file__))
