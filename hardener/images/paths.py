"""The paths of an image and their versions, in as little memory as Python lets us: an image may have a million of them.

A path is a node of a tree, a version of it a record. Records are columns of numbers. The names in a folder are one text with their numbers
beside it, as long as nobody puts anything into it: a dictionary takes five times as much. So few folders are open at once.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images.tar import HOSTILE, Entry

if TYPE_CHECKING:
    from hardener.images.limits import Limits

KINDS: Final = ("file", "folder", "symlink", "hardlink", "fifo", "char", "block")
FOLDER: Final = KINDS.index("folder")
SYMLINK: Final = KINDS.index("symlink")
HARDLINK: Final = KINDS.index("hardlink")
KIND: Final = 7  # the bits of a kind; the one above says:
IMPLIED: Final = 8  # a folder that no entry is for: something lies in it
NONE: Final = -1
OPEN: Final = 64  # folders that have a dictionary
VISITS: Final = 20_000_000  # of names, for one layer: to look through, to open again
COST: Final = 52  # bytes of a path, beside its name
FOLDER_COST: Final = 350  # of a folder that something lies in
LARGE: Final = 512  # names in a folder that has a dictionary to itself
LARGE_COST: Final = 190  # of each name there
ATTRIBUTE: Final = 256  # bytes of a link's target or an extended attribute, beside its own


class Paths:
    """The tree, and the versions of its nodes. Node 0 is the top. `layer` is the index of each version's layer."""

    def __init__(self, where: str, limits: Limits) -> None:
        self._where = where
        self._left = limits.memory
        self._visits = VISITS
        self._open: dict[int, dict[str, int]] = {}
        self._packed: dict[int, tuple[str, array[int]]] = {}
        # By node: its newest version, and the layers that hid it, or what is in it.
        self.newest = array("i")
        self.gone: dict[int, list[int]] = {}
        self.emptied: dict[int, list[int]] = {}
        # By version.
        self.kind, self.mode, self.layer = array("B"), array("H"), array("H")
        self.uid, self.gid, self.older = array("I"), array("I"), array("i")
        self.size, self.mtime = array("Q"), array("q")
        self.links: dict[int, str] = {}
        self.xattrs: dict[int, dict[str, bytes]] = {}
        self.newest.append(self.record(implied(), FOLDER | IMPLIED, NONE, 0))

    # --- versions ---

    def record(self, entry: Entry, kind: int, older: int, layer: int) -> int:
        """Add a version; return its number."""
        made = len(self.kind)
        self.kind.append(kind)
        self.mode.append(entry.mode)
        self.uid.append(entry.uid)
        self.gid.append(entry.gid)
        self.size.append(entry.size)
        self.mtime.append(min(max(entry.mtime, -(1 << 62)), 1 << 62))
        self.layer.append(layer)
        self.older.append(older)
        self._left -= COST
        if entry.link:
            self.links[made] = entry.link
            self._left -= ATTRIBUTE + _bytes(entry.link)
        if entry.xattrs:
            self.xattrs[made] = entry.xattrs
            self._left -= sum([ATTRIBUTE + len(key) + len(value) for key, value in entry.xattrs.items()])
        if self._left < 0:
            how = "look at a part of it: copy the files that matter to an image of their own"
            raise HardenError("the image has more files, or longer names, than fit into memory", where=self._where, how=how)
        return made

    def entry(self, record: int, path: str) -> Entry:
        """Return a version as it was read, with a path for its name."""
        return Entry(
            path,
            KINDS[self.kind[record] & KIND],
            self.mode[record],
            self.uid[record],
            self.gid[record],
            self.size[record],
            self.mtime[record],
            self.links.get(record, ""),
            self.xattrs.get(record, {}),
        )

    def kind_of(self, node: int) -> int:
        """Return what the newest version of a path is."""
        return self.kind[self.newest[node]] & KIND

    def is_there(self, node: int, bar: int) -> bool:
        """Tell whether the newest version of a path is in the merged root. `bar`: the lowest layer of what its folder shows."""
        layer = self.layer[self.newest[node]]
        return layer >= bar and layer >= self.gone.get(node, (0,))[-1]

    def below(self, node: int, bar: int) -> int:
        """Return the lowest layer of what a folder shows, when `bar` is that of the folder above."""
        return max(bar, self.emptied[node][-1]) if node in self.emptied else bar

    # --- the tree ---

    def child(self, node: int, name: str) -> int:
        """Return the node of a name in a folder; NONE when there never was one."""
        children = self._open.get(node)
        if children is not None:
            return children.get(name, NONE)
        packed = self._packed.get(node)
        if packed is None:
            return NONE
        at = packed[0].find(f"\0{name}\0")
        return packed[1][packed[0].count("\0", 0, at)] if at >= 0 else NONE

    def at(self, path: str) -> int:
        """Return the node of a path, whatever has become of it, and without following links; NONE when there never was one."""
        node = 0
        for name in path.split("/"):
            node = self.child(node, name)
            if node == NONE:
                break
        return node

    def children(self, node: int) -> list[tuple[str, int]]:
        """Return the names that ever were in a folder, and their nodes."""
        if node in self._open:
            return list(self._open[node].items())
        packed = self._packed.get(node)
        return list(zip(packed[0].split("\0")[1:-1], packed[1], strict=True)) if packed is not None else []

    def folders(self) -> list[int]:
        """Return the nodes that ever had something in them."""
        return [*self._packed, *self._open]

    def add(self, node: int, name: str, record: int) -> int:
        """Put a new name into a folder, with its first version; return its node."""
        made = len(self.newest)
        self.newest.append(record)
        children = self._opened(node)
        if not children:
            self._left -= FOLDER_COST
        elif len(children) > LARGE:
            self._left -= LARGE_COST
        children[name] = made
        self._left -= _bytes(name)
        return made

    def remove(self, node: int, name: str) -> None:
        """Forget that a name ever was in a folder."""
        del self._opened(node)[name]

    def visit(self, count: int) -> None:
        """Take down that so many names are looked through. Raises HardenError for a layer that has it done without end."""
        self._visits -= count
        if self._visits < 0:
            raise HardenError("a layer hides and replaces its own folders without end", where=self._where, how=HOSTILE)

    def begin(self) -> None:
        """Let the next layer look through as many names."""
        self._visits = VISITS

    def _opened(self, node: int) -> dict[str, int]:
        children = self._open.pop(node, None)
        if children is None:
            if len(self._open) >= OPEN:
                self._pack(next(iter(self._open)))  # the one that nobody has used for the longest time
            children = dict(self.children(node))
            self._packed.pop(node, None)
            self.visit(len(children))
        self._open[node] = children
        return children

    def _pack(self, node: int) -> None:
        children = self._open.pop(node)
        if children:
            self._packed[node] = ("\0".join(["", *children, ""]), array("I", children.values()))


def implied() -> Entry:
    """Return the folder that an unpacker makes where no entry says how."""
    return Entry("", "folder", 0o755, 0, 0)


def _bytes(text: str) -> int:
    """Return what a text takes, at most."""
    return len(text) if text.isascii() else 4 * len(text)
