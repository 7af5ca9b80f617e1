"""Small files of an image, kept while it is scanned: account files, package databases, configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener.images.scan import LARGE, WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hardener.images.image import Layer
    from hardener.images.tar import Entry
    from hardener.images.view import View

_Taken = tuple[str, "bytes | None", bool]  # a name, its content when it is kept, and whether it is left out

MOST: Final = 64 << 20  # bytes of all files together


class Kept:
    """A scanner that keeps the content of those files that a function picks by their entry. `limit`: bytes of one file."""

    def __init__(self, picks: Callable[[Entry], bool], *, limit: int = 4 << 20, most: int = MOST) -> None:
        self._picks = picks
        self._limit = min(limit, LARGE)
        self._left = self._most = most
        self._found: dict[tuple[str, int], tuple[Layer, bytes]] = {}
        self.left_out: list[str] = []  # paths of what was too large

    def wants(self, entry: Entry, layer: Layer) -> int:
        """Ask for the files that are picked."""
        self._found.pop((entry.name, layer.index), None)  # the last of a name wins
        if entry.kind not in ("file", "hardlink") or not self._picks(entry):
            return 0
        if entry.size > self._limit or entry.size > self._left:
            self.left_out.append(entry.name)
            return 0
        return WHOLE

    def see(self, entry: Entry, layer: Layer, content: bytes, offset: int) -> None:
        """Keep a file."""
        if offset or len(content) > self._limit or len(content) > self._left:  # a hardlink to something large
            self.left_out.append(entry.name)
            return
        self._left -= len(content)
        self._found[entry.name, layer.index] = (layer, content)

    def part(self) -> _Part:
        """Return one for a layer that somebody else reads."""
        return _Part(self._picks, limit=self._limit, most=self._most)

    def give(self, layer: Layer, taken: list[_Taken]) -> None:
        """Keep what a part has."""
        for name, content, is_left_out in taken:
            key = (name, layer.index)
            self._found.pop(key, None)  # the last of a name wins
            if is_left_out or (content is not None and len(content) > self._left):
                self.left_out.append(name)
            elif content is not None:
                self._left -= len(content)
                self._found[key] = (layer, content)

    def text(self, view: View, path: str) -> bytes | None:
        """Return the content of a file of the final image; links are followed. None when there is none, or it was not picked."""
        found = view.find(path)
        if found is None:
            return None
        kept = self._found.get((found.path, found.layer.index))
        return kept[1] if kept is not None else None

    def all(self) -> Iterator[tuple[str, Layer, bytes]]:
        """Return path, layer and content of all that were kept, also of versions that later layers delete or overwrite."""
        for (path, _), (layer, content) in self._found.items():
            yield path, layer, content


class _Part(Kept):
    """One for one layer, which remembers what became of each file in turn."""

    def __init__(self, picks: Callable[[Entry], bool], *, limit: int, most: int) -> None:
        super().__init__(picks, limit=limit, most=most)
        self.held = 0
        self._names: set[str] = set()
        self._taken: list[_Taken] = []

    def wants(self, entry: Entry, layer: Layer) -> int:
        """Ask for the files that are picked, as if nothing had been kept yet."""
        if entry.name in self._names:
            self._add(entry.name, None)
        if entry.kind not in ("file", "hardlink") or not self._picks(entry):
            return 0
        self._names.add(entry.name)
        if entry.size > self._limit:
            self._add(entry.name, None, is_left_out=True)
            return 0
        return WHOLE

    def see(self, entry: Entry, layer: Layer, content: bytes, offset: int) -> None:
        """Keep a file."""
        self._add(entry.name, content)

    def _add(self, name: str, content: bytes | None, *, is_left_out: bool = False) -> None:
        self.held += 200 + len(content or b"")
        self._taken.append((name, content, is_left_out))

    def take(self) -> list[_Taken]:
        """Return it."""
        return self._taken
