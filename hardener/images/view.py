"""The root of an image as a container sees it, and what each layer did to it: who added, changed or deleted a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener.images.paths import FOLDER, IMPLIED, KIND, NONE, SYMLINK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.images.image import Image, Layer
    from hardener.images.notes import Notes
    from hardener.images.paths import Paths
    from hardener.images.tar import Entry

LINKS: Final = 40  # that one path may lead through, as in the kernel


class Found:
    """A path of the final image: its entry, the layer that put it there as it is, and the layer that first had it."""

    __slots__ = ("_record", "_view", "path")

    def __init__(self, view: View, path: str, record: int) -> None:
        self._view = view
        self._record = record
        self.path = path

    @property
    def entry(self) -> Entry:
        """The entry, with its full path as name."""
        return self._view.paths.entry(self._record, self.path)

    @property
    def layer(self) -> Layer:
        """The layer that put this version there."""
        return self._view.layer_of(self._record)

    @property
    def since(self) -> Layer:
        """The lowest layer from which on the path has been as it is: kind, mode and owner. Layers repeat folders."""
        return self._view.since_of(self._record)

    @property
    def first(self) -> Layer:
        """The lowest layer that had the path."""
        return self._view.first_of(self._record)


class LayerSummary:
    """What one layer did. `bytes`: of its files; `wasted`: of those that a later layer deletes or overwrites; the others count paths."""

    __slots__ = ("added", "bytes", "changed", "deleted", "entries", "layer", "wasted")

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.entries = self.added = self.changed = self.deleted = self.bytes = self.wasted = 0


class View:
    """The merged root of an image. `notes`: what is odd and does no harm; `layers`: what each did."""

    def __init__(self, image: Image, paths: Paths, layers: tuple[LayerSummary, ...], notes: Notes) -> None:
        self.image = image
        self.paths = paths
        self.layers = layers
        self._count()
        self._compare_names(notes)
        self.notes = notes.lines()

    # --- what is asked ---

    def find(self, path: str) -> Found | None:
        """Return what is at a path, given without "/" before it; links on the way, and at the end, are followed inside the root."""
        found = self._walk(path)
        return Found(self, found[0], self.paths.newest[found[1]]) if found is not None else None

    def __iter__(self) -> Iterator[tuple[str, Found]]:
        """Return all paths but the top, sorted by name in each folder, a folder before what is in it."""
        paths = self.paths
        pending: list[tuple[str, int, int]] = [("", 0, 0)]
        while pending:
            path, node, bar = pending.pop()
            if path:
                yield path, Found(self, path, paths.newest[node])
            bar = paths.below(node, bar)
            before = f"{path}/" if path else ""
            for name, child in sorted(paths.children(node), reverse=True):
                if paths.is_there(child, bar):
                    pending.append((before + name, child, bar))

    def __len__(self) -> int:
        """Return how many paths there are."""
        return sum(1 for _ in self)

    def fate(self, path: str, layer: Layer) -> Layer | None:
        """Return the later layer that deletes or overwrites what a layer put at a path; None when it is in the final image."""
        end = self._end(path, layer.index)
        return self.image.layers[end[0]] if end is not None else None

    def deleted(self, path: str, layer: Layer) -> bool:
        """Tell whether what a layer put at a path is deleted later, not overwritten nor there until the end."""
        end = self._end(path, layer.index)
        return end is not None and end[1]

    # --- what Found asks ---

    def layer_of(self, record: int) -> Layer:
        """Return the layer of a version."""
        return self.image.layers[self.paths.layer[record]]

    def first_of(self, record: int) -> Layer:
        """Return the layer of the oldest version of what a record is the newest of."""
        older = self.paths.older
        while older[record] != NONE:
            record = older[record]
        return self.layer_of(record)

    def since_of(self, record: int) -> Layer:
        """Return the layer of the oldest version that a record has kept kind, mode and owner from, without another one in between."""
        paths = self.paths
        now = self._looks(record)
        while (older := paths.older[record]) != NONE and not paths.kind[older] & IMPLIED and self._looks(older) == now:
            record = older
        return self.layer_of(record)

    def _looks(self, record: int) -> tuple[int, int, int, int]:
        """Return kind, mode and owner of a version."""
        paths = self.paths
        return paths.kind[record] & KIND, paths.mode[record], paths.uid[record], paths.gid[record]

    # --- looking ---

    def _walk(self, path: str) -> tuple[str, int] | None:
        paths = self.paths
        way: list[tuple[str, int, int]] = [("", 0, 0)]
        rest = path.split("/")[::-1]
        links = 0
        while rest:
            name = rest.pop()
            if name in ("", "."):
                continue
            if name == "..":
                if len(way) > 1:
                    way.pop()
                continue
            _, node, bar = way[-1]
            if paths.kind_of(node) != FOLDER:
                return None
            bar = paths.below(node, bar)
            child = paths.child(node, name)
            if child == NONE or not paths.is_there(child, bar):
                return None
            if paths.kind_of(child) == SYMLINK:
                links += 1
                if links > LINKS:
                    return None
                target = paths.links[paths.newest[child]]
                if target.startswith("/"):
                    way = way[:1]
                rest += target.split("/")[::-1]
                continue
            way.append((name, child, bar))
        return "/".join([name for name, _, _ in way[1:]]), way[-1][1]

    def _end(self, path: str, layer: int) -> tuple[int, bool] | None:
        """Return the layer at which a version of a path ends, and whether it is deleted there; None when it does not."""
        paths = self.paths
        node = 0
        ends: list[tuple[int, bool]] = []
        for name in path.split("/"):
            _first_after(paths.emptied.get(node, ()), layer, ends)
            node = paths.child(node, name)
            if node == NONE:
                return None
        _first_after(paths.gone.get(node, ()), layer, ends)
        record = paths.newest[node]
        newer = NONE
        while record != NONE and paths.layer[record] > layer:
            newer, record = record, paths.older[record]
        if newer != NONE:
            ends.append((paths.layer[newer], False))  # False is first: what takes its place in the same layer overwrites it
        return min(ends, default=None)

    def _count(self) -> None:
        """Say of each layer what it added, changed, deleted, and what of it is lost."""
        paths = self.paths
        pending: list[tuple[int, tuple[int, ...]]] = [(0, ())]
        while pending:
            node, hidden = pending.pop()
            below = tuple(sorted({*hidden, *paths.emptied[node]})) if node in paths.emptied else hidden
            pending += [(child, below) for _, child in paths.children(node)]
            if node:
                self._count_versions(node, hidden)

    def _count_versions(self, node: int, hidden: tuple[int, ...]) -> None:
        paths = self.paths
        record = paths.newest[node]
        newer = NONE
        bars = sorted({*hidden, *paths.gone[node]}) if node in paths.gone else hidden
        while record != NONE:
            layer = paths.layer[record]
            older = paths.older[record]
            if not paths.kind[record] & IMPLIED:
                ends: list[tuple[int, bool]] = [(paths.layer[newer], False)] if newer != NONE else []
                _first_after(bars, layer, ends)
                if ends:
                    end, deleted = min(ends)
                    self.layers[layer].wasted += paths.size[record]
                    self.layers[end].deleted += deleted
                if older == NONE or any(paths.layer[older] < bar < layer for bar in bars):
                    self.layers[layer].added += 1
                elif not self._same_folder(record, older):
                    self.layers[layer].changed += 1
            newer, record = record, older

    def _same_folder(self, record: int, older: int) -> bool:
        """Tell whether a version is a folder as it was before: layers name those that something of theirs lies in."""
        paths = self.paths
        if paths.kind[record] & KIND != FOLDER or paths.kind[older] & KIND != FOLDER:
            return False
        return self._looks(record) == self._looks(older) or bool(paths.kind[older] & IMPLIED)

    def _compare_names(self, notes: Notes) -> None:
        """Take down names that are one name for other filesystems: there, the last one wins."""
        for folder in self.paths.folders():
            names = [name for name, _ in self.paths.children(folder)]
            seen = {_as_others_see(name) for name in names}
            if len(seen) == len(names):
                continue
            for name in names:
                if (folded := _as_others_see(name)) in seen:
                    seen.remove(folded)
                else:
                    notes.add("names that differ only in case or in how they are composed", self.image.name, name)


def _as_others_see(name: str) -> str:
    if name.isascii():
        return name.lower()
    from unicodedata import normalize

    return normalize("NFC", normalize("NFC", name).casefold())


def _first_after(layers: list[int] | tuple[int, ...], layer: int, ends: list[tuple[int, bool]]) -> None:
    """Add the first of some layers that is later than one to the ends of what that one has."""
    for each in layers:
        if each > layer:
            ends.append((each, True))
            return
