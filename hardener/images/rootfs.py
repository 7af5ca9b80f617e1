"""A folder as an image of one layer: the root of a machine or of a build, with nothing to verify it by.

It is walked by file descriptors, so that nobody who changes it meanwhile leads us out of it; other filesystems in it are left out.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images import platforms
from hardener.images.image import Image
from hardener.images.tar import Entry
from hardener.oci.image import LAYERS, MANIFESTS, Descriptor, ImageConfig, Manifest, Rootfs

if TYPE_CHECKING:
    from typing import BinaryIO

    from hardener.images.limits import Limits
    from hardener.images.notes import Notes

NOTHING: Final = f"sha256:{'0' * 64}"
DEEPEST: Final = 256  # folders that are open at once
_KINDS: Final = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """A folder as a source that has no blobs."""

    __slots__ = ("where",)

    def __init__(self, folder: str) -> None:
        self.where = folder

    def read(self, _: Descriptor) -> bytes:
        """Refuse: there are no documents."""
        raise self._no_blobs()

    def open(self, _: Descriptor) -> BinaryIO:
        """Refuse: there is no tar."""
        raise self._no_blobs()

    def path(self, _: Descriptor) -> str:
        """Return the folder."""
        return self.where

    def _no_blobs(self) -> HardenError:
        return HardenError("a folder has no layers to copy", where=self.where, how="make an image of it: tar -C DIR -c . | docker import -")


def read(folder: str, platform: str = "") -> Image:
    """Return a folder as an image; nothing in it says what it is for, so a platform is believed."""
    if not os.path.isdir(folder):
        raise HardenError("this is no folder", where=folder, how="write rootfs:DIR")
    wanted = platforms.parse(platform) if platform else platforms.machine()
    layer = Descriptor(media_type=LAYERS[0], digest=NOTHING, size=0)
    described = Descriptor(media_type=MANIFESTS[0], digest=NOTHING, size=0)
    manifest = Manifest(config=described, layers=(layer,))
    config = ImageConfig(rootfs=Rootfs(type="layers", diff_ids=(NOTHING,)), os=wanted.os, architecture=wanted.architecture)
    config.variant = wanted.variant
    return Image(folder, Folder(folder), described, manifest, config)


class Walk:
    """The entries of a folder, and of all below it, as `tar.Reader` has those of a tar: a folder before what is in it."""

    def __init__(self, folder: str, limits: Limits, notes: Notes) -> None:
        self._where = folder
        self._limits = limits
        self._notes = notes
        self._count = 0
        self._file = -1
        self._left = 0
        self._seen: dict[tuple[int, int], str] = {}
        self._names: list[list[str]] = []
        self._folders: list[tuple[int, str]] = []
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._device = os.fstat(fd).st_dev
        self._enter(fd, "")

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        while self._folders:
            os.close(self._folders.pop()[0])

    def next(self) -> Entry | None:
        """Return the next entry; None at the end."""
        self._close()
        while self._folders:
            if not self._names[-1]:
                self._names.pop()
                os.close(self._folders.pop()[0])
                continue
            entry = self._entry(self._names[-1].pop(), *self._folders[-1])
            if entry is None:
                continue
            self._count += 1
            if self._count > self._limits.entries:
                raise HardenError(f"the folder has more than {self._limits.entries} entries", where=self._where, how="name a part of it")
            return entry
        return None

    def content(self, size: int) -> bytes:
        """Return so many of the bytes that the last entry has left, or all that it has."""
        size = min(size, self._left)
        self._left -= size
        pieces = []
        while size:
            try:
                piece = os.read(self._file, size)
            except OSError as error:
                raise HardenError(f"a file cannot be read: {error.strerror}", where=self._where, how="look at the disk") from error
            if not piece:
                raise HardenError("a file becomes shorter while it is read", where=self._where, how="try again when nobody writes to it")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _entry(self, name: str, at: int, above: str) -> Entry | None:
        path = f"{above}/{name}" if above else name
        entry = None
        try:
            found = os.stat(name, dir_fd=at, follow_symlinks=False)
            kind = _KINDS.get(stat.S_IFMT(found.st_mode))
            if kind is None:  # a socket: no image has any
                return None
            entry = Entry(path, kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, mtime=int(found.st_mtime))
            if found.st_dev != self._device:
                self._notes.add("other filesystems, which are left out", self._where, path)
                return entry
            if kind == "symlink":
                entry.link = os.readlink(name, dir_fd=at)
            elif kind == "folder":
                if len(self._folders) >= DEEPEST:
                    raise HardenError(f"{path!r:.200} is too deep", where=self._where, how="name a part of it")
                self._enter(os.open(name, _FOLDER, dir_fd=at), path)
            elif kind == "file":
                self._regular(entry, found, name, at)
        except FileNotFoundError:  # gone meanwhile
            return None
        except PermissionError:
            self._notes.add("files and folders that may not be read", self._where, path)
        except OSError as error:
            how = "look at the disk, or try again when nobody changes the folder"
            raise HardenError(f"{path!r:.200} cannot be read: {error.strerror}", where=self._where, how=how) from error
        return entry

    def _regular(self, entry: Entry, found: os.stat_result, name: str, at: int) -> None:
        if found.st_nlink > 1:
            first = self._seen.setdefault((found.st_dev, found.st_ino), entry.name)
            if first != entry.name:
                entry.kind, entry.link = "hardlink", first
                return
        entry.size = found.st_size
        try:
            self._file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
        except PermissionError:
            entry.size = 0
            raise
        self._left = entry.size
        names = os.listxattr(self._file)
        if names:
            entry.xattrs = {key: os.getxattr(self._file, key) for key in names}

    def _enter(self, fd: int, path: str) -> None:
        self._folders.append((fd, path))
        self._names.append(sorted(os.listdir(fd), reverse=True))

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._left = 0
