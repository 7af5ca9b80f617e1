"""Layers put over one another, entry for entry, as overlayfs does with the folders that they are unpacked into.

A name that leads through a link is followed where the same layer made that link, and makes a folder of its own where a lower one did.
Sources: image-spec, layer.md (whiteouts); docs.kernel.org/filesystems/overlayfs.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images.limits import LIMITS
from hardener.images.paths import FOLDER, HARDLINK, IMPLIED, KIND, KINDS, NONE, SYMLINK, Paths, implied
from hardener.images.tar import HOSTILE
from hardener.images.view import LINKS, LayerSummary, View

if TYPE_CHECKING:
    from hardener.images.image import Image, Layer
    from hardener.images.limits import Limits
    from hardener.images.notes import Notes
    from hardener.images.tar import Entry

_TOP: Final = ("", 0, "")


class Merge:
    """The merged root while it grows."""

    def __init__(self, image: Image, notes: Notes, limits: Limits = LIMITS) -> None:
        self._image = image
        self._notes = notes
        self._paths = Paths(image.name, limits)
        self._layers = tuple([LayerSummary(layer) for layer in image.layers])
        self._now = 0
        self._near = _TOP  # the folder of the last entry, its node, and its path without links: the next one is mostly in it, too
        self._touched: set[int] = set()  # folders that this layer has something in

    def begin(self, layer: Layer) -> None:
        """Say which layer the next entries are of: from the lowest on."""
        self._now = layer.index
        self._near = _TOP
        self._touched.clear()
        self._paths.begin()

    def entries(self) -> int:
        """Return how many entries this layer has so far."""
        return self._layers[self._now].entries

    def view(self) -> View:
        """Return the merged root, when all layers are there."""
        return View(self._image, self._paths, self._layers, self._notes)

    def add(self, entry: Entry) -> None:
        """Put an entry of a layer over what is there. Where a link of the same layer is on the way, its name becomes the one without."""
        summary = self._layers[self._now]
        summary.entries += 1
        name = entry.name
        if not name:
            if entry.kind == "folder":
                self._set(0, entry, FOLDER)
            elif entry.kind == "opaque":
                self._empty(0)
            else:
                raise self._wrong(entry, "it would be the top of the layer")
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
        if real != above:
            entry.name = f"{real}/{last}" if real else last
        node = self._paths.child(folder, last)
        if entry.kind == "whiteout":
            if node != NONE:
                self._hide(self._paths.gone, node)
                self._empty(node)
            return
        summary.bytes += entry.size
        self._note(entry, last)
        kind = KINDS.index(entry.kind)
        if node != NONE:
            self._set(node, entry, kind)
        else:
            self._paths.add(folder, last, self._paths.record(entry, kind, NONE, self._now))

    def target(self, path: str) -> str:
        """Return the path of the file that a hardlink's target is, which may be a hardlink itself."""
        paths = self._paths
        for _ in range(LINKS):
            node = paths.at(path)
            if node == NONE or paths.kind_of(node) != HARDLINK:
                break
            path = paths.links[paths.newest[node]]
        return path

    def _note(self, entry: Entry, last: str) -> None:
        if entry.kind == "hardlink" and self._paths.at(entry.link) == NONE:  # engines refuse it
            self._notes.add("hardlinks to what is not there", self._where(), entry.name)
        elif entry.kind in ("char", "block"):
            self._notes.add("device nodes, which are never made", self._where(), entry.name)
        if not last.isprintable():
            self._notes.add("names with control characters, or that are no text", self._where(), entry.name)

    # --- versions ---

    def _set(self, node: int, entry: Entry, kind: int) -> None:
        """Make a version the newest of its path."""
        paths = self._paths
        old = paths.newest[node]
        was, again = paths.kind[old] & KIND, paths.layer[old] == self._now
        if kind == FOLDER and was != FOLDER and again:
            self._show(node)  # what that hid shows through the folder
        if kind != FOLDER or was != FOLDER:
            if again and not paths.kind[old] & IMPLIED:
                self._notes.add("entries whose name comes again in the layer", self._where(), entry.name)
            if kind != FOLDER and paths.children(node):
                self._hide(paths.emptied, node)
                if again or node in self._touched:
                    self._forget(node)
            self._near = _TOP
        # The last of a name wins: what the same layer had there before is no version of it.
        paths.newest[node] = paths.record(entry, kind, paths.older[old] if again else old, self._now)

    def _imply(self, folder: int, name: str, child: int) -> int:
        """Make a folder that no entry is for; return its node."""
        paths = self._paths
        record = paths.record(implied(), FOLDER | IMPLIED, NONE if child == NONE else paths.newest[child], self._now)
        if child == NONE:
            return paths.add(folder, name, record)
        paths.newest[child] = record
        return child

    def _forget(self, node: int) -> None:
        """Take back what this layer has put into a folder that it replaces."""
        paths = self._paths
        pending = [node]
        while pending:
            folder = pending.pop()
            self._touched.discard(folder)
            children = paths.children(folder)
            paths.visit(len(children))
            for name, child in children:
                record = paths.newest[child]
                pending.append(child)
                if paths.layer[record] != self._now:
                    continue
                if paths.older[record] == NONE:
                    paths.remove(folder, name)
                else:
                    paths.newest[child] = paths.older[record]

    # --- hiding ---

    def _empty(self, node: int) -> None:
        """Hide what lower layers have in a folder, which is of this layer if there is something of it below: that stays."""
        paths = self._paths
        if not self._hide(paths.emptied, node):
            return
        pending = [node] if node in self._touched else []
        while pending:
            folder = pending.pop()
            newest = paths.newest[folder]
            if paths.layer[newest] != self._now:
                paths.newest[folder] = paths.record(implied(), FOLDER | IMPLIED, newest, self._now)
            children = paths.children(folder)
            paths.visit(len(children))
            pending += [child for _, child in children if child in self._touched]

    def _hide(self, table: dict[int, list[int]], node: int) -> bool:
        """Note that this layer hides a path, or what is in it, of all lower ones; tell whether that is news."""
        layers = table.setdefault(node, [])
        if layers and layers[-1] == self._now:
            return False
        layers.append(self._now)
        return True

    def _show(self, node: int) -> None:
        """Take back that this layer hides what lower ones have in a folder."""
        layers = self._paths.emptied.get(node)
        if layers and layers[-1] == self._now:
            layers.pop()
            if not layers:
                del self._paths.emptied[node]

    # --- the way ---

    def _folder(self, entry: Entry, path: str) -> tuple[int, str]:
        """Return the folder that an entry lies in, made if need be, and its path without links."""
        paths = self._paths
        way = [(0, 0, "")]  # folders from the top on, each with the layer that it must at least be of
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
            bar = paths.below(node, bar)
            child = paths.child(node, name)
            there = child != NONE and paths.is_there(child, bar)
            if there and paths.kind_of(child) == FOLDER:
                way.append((child, bar, name))
            elif there and paths.layer[paths.newest[child]] == self._now:
                links += 1
                if paths.kind_of(child) != SYMLINK or links > LINKS:
                    raise self._wrong(entry, f"{path!r:.200} is no folder of the layer")
                target = paths.links[paths.newest[child]]
                if target.startswith("/"):
                    way = way[:1]
                steps = target.split("/")[::-1]
                rest += steps
                followed += len(steps)
            else:
                if followed:
                    raise self._wrong(entry, f"{path!r:.200} is no folder of the layer: a link on the way leads to nothing")
                if there:
                    self._notes.add("entries in what is no folder in lower layers, where engines disagree", self._where(), entry.name)
                way.append((self._imply(node, name, child), bar, name))
        self._touched.update([node for node, _, _ in way])
        return way[-1][0], "/".join([name for _, _, name in way[1:]])

    def _where(self) -> str:
        return f"layer {self._now + 1}"

    def _wrong(self, entry: Entry, why: str) -> HardenError:
        return HardenError(f"the entry {entry.name!r:.200} of the layer is refused: {why}", where=self._image.name, how=HOSTILE)
