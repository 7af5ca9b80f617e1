"""The code of a launch in one file: sixty modules that are looked for, opened and read one by one take longer than all walls.

The file is kept like a filter (kept.py) and holds what the interpreter's own .pyc files hold. It counts while every source in it has the
time of change and the size that it had, for this build of the interpreter alone. What is not in it is imported as ever; without the file,
so is everything.
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


def use(folder: str) -> bool:
    """Import from the pack of a folder from now on; False when there is none that is what the sources are now."""
    content = kept.view(folder, KIND, _name()) if folder else None
    if content is None:
        return False
    entries: dict[str, Entry] = marshal.loads(content)  # noqa: S302  # nosec B302  (as .pyc files are)
    for source, _, time, size, _ in entries.values():
        if _state(source) != (time, size):
            return False
    sys.meta_path.insert(0, Packed(entries))
    return True


def keep(folder: str, names: Iterable[str]) -> bool:
    """Make a pack of modules that were imported from files; tell whether there is one now."""
    entries: dict[str, Entry] = {}
    for name in names:
        spec = sys.modules[name].__spec__
        loader = spec.loader if spec is not None else None
        state = _state(spec.origin) if spec is not None and spec.origin else None
        code = loader.get_code(name) if loader is not None and hasattr(loader, "get_code") else None
        if spec is None or not spec.origin or state is None or code is None:
            return False
        entries[name] = (spec.origin, spec.submodule_search_locations is not None, *state, code)
    return bool(folder) and kept.write(folder, KIND, _name(), marshal.dumps(entries))


def _state(path: str) -> tuple[int, int] | None:
    try:
        found = posix.stat(path)
    except OSError:  # a zip, or gone
        return None
    return found.st_mtime_ns, found.st_size


def _name() -> str:
    return kept.key((__version__, sys.version, str(sys.flags.optimize), __file__))
