"""The root of an image as a container sees it, and what each layer did to it: who added, changed or deleted a path.

Layers are put over one another as overlayfs does with the folders that they are unpacked into: a name that leads through a link is followed
where the same layer made that link, and makes a folder of its own where a lower one did. Memory is what counts here: an image may have a
million paths, so they are kept in columns, and `Found` is made when somebody asks.

Source: image-spec, layer.md (whiteouts); docs.kernel.org/filesystems/overlayfs.html.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images.tar import HOSTILE, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.images.image import Image, Layer
    from hardener.images.notes import Notes

VISITS: Final = 10_000_000  # of paths, to take them back
LINKS: Final = 40  # that one path may lead through, as in the kernel
KINDS: Final = ("file", "folder", "symlink", "hardlink", "fifo", "char", "block")
_FOLDER: Final = KINDS.index("folder")
_SYMLINK: Final = KINDS.index("symlink")
_IMPLIED: Final = 8  # a folder that no entry is for: something lies in it
_NONE: Final = -1


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
        return self._view.entry_of(self._record, self.path)

    @property
    def layer(self) -> Layer:
        """The layer that put this version there."""
        return self._view.layer_of(self._record)

    @property
    def since(self) -> Layer:
        """The lowest layer from which on the path has been as it is: kind, mode and owner. Layers repeat folders."""
        return self._view.layer_of(self._view.since_of(self._record))

    @property
    def first(self) -> Layer:
        """The lowest layer that had the path."""
        return self._view.layer_of(self._view.first_of(self._record))


class LayerSummary:
    """What one layer did. `bytes`: of its files; `wasted`: of those that a later layer deletes or overwrites; the others count paths."""

    __slots__ = ("added", "bytes", "changed", "deleted", "entries", "layer", "wasted")

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.entries = self.added = self.changed = self.deleted = self.bytes = self.wasted = 0


class View:
    """The merged root of an image."""

    def __init__(self, image: Image, notes: Notes) -> None:
        self.image = image
        self.notes: tuple[str, ...] = ()
        self.layers = tuple([LayerSummary(layer) for layer in image.layers])
        self._noted = notes
        # Nodes are paths: what is in a folder, its newest record, and the layers that hid it, or what is in it.
        self._children: dict[int, dict[str, int]] = {0: {}}
        self._newest = array("i", [0])
        self._gone: dict[int, list[int]] = {}
        self._emptied: dict[int, list[int]] = {}
        # Records are versions of paths.
        self._kind, self._mode, self._layer = array("B"), array("H"), array("H")
        self._uid, self._gid, self._older = array("I"), array("I"), array("i")
        self._size, self._mtime = array("Q"), array("q")
        self._links: dict[int, str] = {}
        self._xattrs: dict[int, dict[str, bytes]] = {}
        self._now = 0
        self._near = ("", 0, "")  # the folder of the last entry: the next one is mostly in it, too
        self._touched: set[int] = set()  # folders that this layer has something in
        self._visits = VISITS
        self._record(_made(), _IMPLIED | _FOLDER, _NONE)

    # --- what is asked ---

    def find(self, path: str) -> Found | None:
        """Return what is at a path, given without "/" before it; links on the way, and at the end, are followed inside the root."""
        found = self._walk(path)
        return Found(self, found[0], self._newest[found[1]]) if found is not None else None

    def __iter__(self) -> Iterator[tuple[str, Found]]:
        """Return all paths but the top, sorted by name in each folder, a folder before what is in it."""
        pending: list[tuple[str, int, int]] = [("", 0, 0)]
        while pending:
            path, node, bar = pending.pop()
            record = self._newest[node]
            if path:
                yield path, Found(self, path, record)
            children = self._children.get(node)
            if not children:
                continue
            bar = max(bar, self._emptied.get(node, (0,))[-1])
            before = f"{path}/" if path else ""
            for name in sorted(children, reverse=True):
                child = children[name]
                if self._is_there(child, bar):
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

    def target(self, path: str) -> str:
        """Return the path of the file that a hardlink's target is, which may be a hardlink itself."""
        for _ in range(LINKS):
            node: int | None = 0
            for name in path.split("/"):
                node = self._children.get(node, {}).get(name) if node is not None else None
            if node is None or KINDS[self._kind[self._newest[node]] & 7] != "hardlink":
                break
            path = self._links[self._newest[node]]
        return path

    # --- what Found asks ---

    def entry_of(self, record: int, path: str) -> Entry:
        """Return an entry as it was read."""
        return Entry(
            path,
            KINDS[self._kind[record] & 7],
            self._mode[record],
            self._uid[record],
            self._gid[record],
            self._size[record],
            self._mtime[record],
            self._links.get(record, ""),
            self._xattrs.get(record, {}),
        )

    def layer_of(self, record: int) -> Layer:
        """Return the layer of a version."""
        return self.image.layers[self._layer[record]]

    def first_of(self, record: int) -> int:
        """Return the oldest version of what a record is the newest of."""
        while self._older[record] != _NONE:
            record = self._older[record]
        return record

    def since_of(self, record: int) -> int:
        """Return the oldest version that a record has kept kind, mode and owner from, without another one in between."""
        now = (self._kind[record] & 7, self._mode[record], self._uid[record], self._gid[record])
        while (older := self._older[record]) != _NONE:
            if self._kind[older] & _IMPLIED or (self._kind[older] & 7, self._mode[older], self._uid[older], self._gid[older]) != now:
                break
            record = older
        return record

    # --- making it ---

    def begin(self, layer: Layer) -> None:
        """Say which layer the next entries are of: from the lowest on."""
        self._now = layer.index
        self._near = ("", 0, "")
        self._touched.clear()

    def add(self, entry: Entry) -> None:
        """Put an entry of a layer over what is there."""
        summary = self.layers[self._now]
        summary.entries += 1
        name = entry.name
        if not name:
            if entry.kind == "folder":
                self._set(0, entry, _FOLDER)
            elif entry.kind == "opaque":
                self._empty(0)
            else:
                raise _wrong(self.image, entry, "it would be the top of the layer")
            return
        if entry.kind == "opaque":
            self._empty(self._folder(entry, name)[0])
            return
        above, _, last = name.rpartition("/")
        if above == self._near[0]:
            _, folder, real = self._near
        else:
            folder, real = self._folder(entry, above)
            self._near = (above, folder, real)
        if real != above:  # a link of the same layer is on the way
            entry.name = f"{real}/{last}" if real else last
        children = self._children[folder]
        node = children.get(last)
        if entry.kind == "whiteout":
            if node is not None:
                self._whiteout(node)
            return
        summary.bytes += entry.size
        kind = KINDS.index(entry.kind)
        if entry.kind == "hardlink":
            self._check_target(entry)
        elif entry.kind in ("char", "block"):
            self._noted.add("device nodes, which are never made", self._where(), name)
        if not last.isprintable():
            self._noted.add("names with control characters, or that are no text", self._where(), name)
        if node is not None:
            self._set(node, entry, kind)
            return
        children[last] = made = len(self._newest)
        self._newest.append(self._record(entry, kind, _NONE))
        if kind == _FOLDER:
            self._children[made] = {}

    def end(self) -> None:
        """Count what each layer did, once all are there."""
        self._count()
        self._compare_names()
        self.notes = self._noted.lines()

    def _record(self, entry: Entry, kind: int, older: int) -> int:
        made = len(self._kind)
        self._kind.append(kind)
        self._mode.append(entry.mode)
        self._uid.append(entry.uid)
        self._gid.append(entry.gid)
        self._size.append(entry.size)
        self._mtime.append(min(max(entry.mtime, -(1 << 62)), 1 << 62))
        self._layer.append(self._now)
        self._older.append(older)
        if entry.link:
            self._links[made] = entry.link
        if entry.xattrs:
            self._xattrs[made] = entry.xattrs
        return made

    def _set(self, node: int, entry: Entry, kind: int) -> None:
        """Make a version the newest of its path."""
        old = self._newest[node]
        again = self._layer[old] == self._now
        if kind == _FOLDER:
            self._children.setdefault(node, {})
            if again and self._kind[old] & 7 != _FOLDER:  # what that hid shows through the folder
                self._show(node)
        if kind != _FOLDER or self._kind[old] & 7 != _FOLDER:
            if again and not self._kind[old] & _IMPLIED:
                self._noted.add("entries whose name comes again in the layer", self._where(), entry.name)
            if kind != _FOLDER and self._children.get(node):
                self._hide(self._emptied, node)
                if again or node in self._touched:
                    self._forget(node)
            self._near = ("", 0, "")
        # The last of a name wins: what the same layer had there before is no version of it.
        self._newest[node] = self._record(entry, kind, self._older[old] if again else old)

    def _forget(self, node: int) -> None:
        """Take back what this layer has put into a folder that it replaces."""
        pending = [node]
        while pending:
            folder = pending.pop()
            self._touched.discard(folder)
            children = self._children.get(folder, {})
            self._visit(len(children))
            for name, child in tuple(children.items()):
                record = self._newest[child]
                pending.append(child)
                if self._layer[record] != self._now:
                    continue
                if self._older[record] == _NONE:
                    del children[name]
                else:
                    self._newest[child] = self._older[record]

    def _whiteout(self, node: int) -> None:
        """Hide a path of the lower layers. What this layer has put there stays."""
        self._hide(self._gone, node)
        self._empty(node)

    def _empty(self, node: int) -> None:
        """Hide what lower layers have in a folder, which is of this layer if there is something of it below."""
        if not self._hide(self._emptied, node):
            return
        pending = [node] if node in self._touched else []
        while pending:
            folder = pending.pop()
            if self._layer[self._newest[folder]] != self._now:
                self._newest[folder] = self._record(_made(), _FOLDER | _IMPLIED, self._newest[folder])
            children = self._children[folder]
            self._visit(len(children))
            pending += [child for child in children.values() if child in self._touched]

    def _hide(self, table: dict[int, list[int]], node: int) -> bool:
        """Note that this layer hides a path, or what is in it, of all lower ones; tell whether that is news."""
        layers = table.setdefault(node, [])
        if layers and layers[-1] == self._now:
            return False
        layers.append(self._now)
        return True

    def _visit(self, count: int) -> None:
        self._visits -= count
        if self._visits < 0:
            raise HardenError("a layer hides and replaces its own folders without end", where=self.image.name, how=HOSTILE)

    def _show(self, node: int) -> None:
        """Take back that this layer hides what lower ones have in a folder."""
        layers = self._emptied.get(node)
        if layers and layers[-1] == self._now:
            layers.pop()
            if not layers:
                del self._emptied[node]

    def _check_target(self, entry: Entry) -> None:
        """Take down a second name for what its layer does not have: engines refuse it."""
        node = 0
        for name in entry.link.split("/"):
            child = self._children.get(node, {}).get(name)
            if child is None:
                self._noted.add("hardlinks to what is not there", self._where(), entry.name)
                return
            node = child

    def _folder(self, entry: Entry, path: str) -> tuple[int, str]:
        """Return the folder that an entry lies in, made if need be, and its path without links."""
        way = [(0, 0, "")]  # folders from the top on, each with the layer that what is in it must at least be of
        rest = path.split("/")[::-1] if path else []
        links = followed = 0
        while rest:
            name = rest.pop()
            if followed:
                followed -= 1
            if name in ("", "."):
                continue
            if name == "..":
                if len(way) > 1:
                    way.pop()
                continue
            node, bar, _ = way[-1]
            bar = max(bar, self._emptied.get(node, (0,))[-1])
            children = self._children[node]
            child = children.get(name)
            there = child is not None and self._is_there(child, bar)
            newest = self._newest[child] if child is not None else _NONE
            if child is not None and there and self._kind[newest] & 7 == _FOLDER:
                way.append((child, bar, name))
            elif there and self._layer[newest] == self._now:
                links += 1
                if self._kind[newest] & 7 != _SYMLINK or links > LINKS:
                    raise _wrong(self.image, entry, f"{path!r:.200} is no folder of the layer")
                target = self._links[newest]
                if target.startswith("/"):
                    way = way[:1]
                steps = target.split("/")[::-1]
                rest += steps
                followed += len(steps)
            else:
                if followed:
                    raise _wrong(self.image, entry, f"{path!r:.200} is no folder of the layer: a link on the way leads to nothing")
                if there:
                    self._noted.add("entries in what is no folder in lower layers, where engines disagree", self._where(), entry.name)
                way.append((self._imply(children, name, child), bar, name))
        self._touched.update([node for node, _, _ in way])
        return way[-1][0], "/".join([name for _, _, name in way[1:]])

    def _imply(self, children: dict[str, int], name: str, child: int | None) -> int:
        """Make a folder that no entry is for."""
        if child is None:
            child = children[name] = len(self._newest)
            self._newest.append(self._record(_made(), _FOLDER | _IMPLIED, _NONE))
        else:
            self._newest[child] = self._record(_made(), _FOLDER | _IMPLIED, self._newest[child])
        self._children.setdefault(child, {})
        return child

    def _where(self) -> str:
        return f"layer {self._now + 1}"

    # --- looking ---

    def _is_there(self, node: int, bar: int) -> bool:
        """Tell whether the newest version of a path is in the merged root of the layers so far. `bar`: what hides all below it."""
        layer = self._layer[self._newest[node]]
        return layer >= bar and layer >= self._gone.get(node, (0,))[-1]

    def _walk(self, path: str) -> tuple[str, int] | None:
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
            if self._kind[self._newest[node]] & 7 != _FOLDER:
                return None
            bar = max(bar, self._emptied.get(node, (0,))[-1])
            child = self._children.get(node, {}).get(name)
            if child is None or not self._is_there(child, bar):
                return None
            newest = self._newest[child]
            if self._kind[newest] & 7 == _SYMLINK:
                links += 1
                if links > LINKS:
                    return None
                target = self._links[newest]
                if target.startswith("/"):
                    way = way[:1]
                rest += target.split("/")[::-1]
                continue
            way.append((name, child, bar))
        return "/".join([name for name, _, _ in way[1:]]), way[-1][1]

    def _end(self, path: str, layer: int) -> tuple[int, bool] | None:
        """Return the layer at which a version of a path ends, and whether it is deleted there; None when it does not."""
        node = 0
        ends: list[tuple[int, bool]] = []
        for name in path.split("/"):
            _first_after(self._emptied.get(node, ()), layer, ends)
            child = self._children.get(node, {}).get(name)
            if child is None:
                return None
            node = child
        _first_after(self._gone.get(node, ()), layer, ends)
        record = self._newest[node]
        newer = _NONE
        while record != _NONE and self._layer[record] > layer:
            newer, record = record, self._older[record]
        if newer != _NONE:
            ends.append((self._layer[newer], False))  # False is first: what takes its place in the same layer overwrites it
        return min(ends, default=None)

    def _count(self) -> None:
        """Say of each layer what it added, changed, deleted, and what of it is lost."""
        pending: list[tuple[int, tuple[int, ...]]] = [(0, ())]
        while pending:
            node, hidden = pending.pop()
            if children := self._children.get(node):
                below = tuple(sorted({*hidden, *self._emptied.get(node, ())})) if node in self._emptied else hidden
                pending += [(child, below) for child in children.values()]
            if node:
                self._count_versions(node, hidden)

    def _count_versions(self, node: int, hidden: tuple[int, ...]) -> None:
        record = self._newest[node]
        newer = _NONE
        bars = sorted({*hidden, *self._gone[node]}) if node in self._gone else hidden
        while record != _NONE:
            layer = self._layer[record]
            ends: list[tuple[int, bool]] = [(self._layer[newer], False)] if newer != _NONE else []
            _first_after(bars, layer, ends)
            older = self._older[record]
            if not self._kind[record] & _IMPLIED:
                summary = self.layers[layer]
                if ends:
                    end, deleted = min(ends)
                    summary.wasted += self._size[record]
                    self.layers[min(end, len(self.layers) - 1)].deleted += deleted
                lasts = older != _NONE and not any(self._layer[older] < bar < layer for bar in bars)
                if not lasts:
                    summary.added += 1
                elif not self._same_folder(record, older):
                    summary.changed += 1
            newer, record = record, older

    def _compare_names(self) -> None:
        """Take down names that are one name for other filesystems: there, the last one wins."""
        for children in self._children.values():
            if len(children) < 2:
                continue
            seen = {_as_others_see(name) for name in children}
            if len(seen) == len(children):
                continue
            for name in children:
                if (folded := _as_others_see(name)) in seen:
                    seen.remove(folded)
                else:
                    self._noted.add("names that differ only in case or in how they are composed", self.image.name, name)

    def _same_folder(self, record: int, older: int) -> bool:
        """Tell whether a version is a folder as it was before: layers name those that something of theirs lies in."""
        if self._kind[record] & 7 != _FOLDER or self._kind[older] & 7 != _FOLDER:
            return False
        new, old = [(self._mode[one], self._uid[one], self._gid[one]) for one in (record, older)]
        return new == old or bool(self._kind[older] & _IMPLIED)


def _made() -> Entry:
    """Return the folder that an unpacker makes where no entry says how."""
    return Entry("", "folder", 0o755, 0, 0)


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


def _wrong(image: Image, entry: Entry, why: str) -> HardenError:
    return HardenError(f"the entry {entry.name!r:.200} of the layer is refused: {why}", where=image.name, how=HOSTILE)
