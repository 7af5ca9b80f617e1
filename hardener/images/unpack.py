"""Layers as folders: each layer once, in a folder of its own by the digest of what is in it, shared by all images that have it.

    CACHE/layers/sha256-…/     the top of one layer, in the form that overlayfs puts over another
    CACHE/layers/.new-PID-…/   one that is being unpacked; whole and verified, it is renamed

A tar from elsewhere may name any path, link anywhere and claim any size. So nothing is made by path: every folder is opened inside of the
layer's own (openat2, RESOLVE_IN_ROOT), and files are made in it by a name that follows no link. Devices are not made at all. Set-user-id
bits stay, for which reason the folders above are closed to everybody else, and the mount of a container says nosuid. Of extended attributes
only `user.` ones stay: the others are the kernel's, or overlayfs's own.

Sources: image-spec, layer.md (whiteouts); docs.kernel.org/filesystems/overlayfs.html (their form on disk).
"""

from __future__ import annotations

import os
import tarfile
from shutil import rmtree
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images.blobs import LARGEST, MOST, PIECE, Tar
from hardener.images.image import folders
from hardener.linux import mounting
from hardener.linux.consts import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV
from hardener.linux.mounting import O_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from tarfile import TarFile, TarInfo

    from hardener.images.image import Image

WHITEOUT: Final = ".wh."
OPAQUE: Final = ".wh..wh..opq"
_MARKS_OF_AUFS: Final = ".wh..wh."
ENTRIES: Final = 2_000_000
DEEPEST: Final = 256
LARGEST_ID: Final = 2**32 - 2
ENOSPC, EDQUOT, EINVAL, EPERM, ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, ENOTSUP = 28, 122, 22, 1, 2, 20, 40, 36, 95
_INSIDE: Final = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV
_XATTR: Final = "SCHILY.xattr."


def layers(image: Image, cache: str) -> tuple[str, ...]:
    """Return the folders of an image's layers, the lowest first, unpacked where they are not yet."""
    home = f"{cache}/layers"
    wanted = folders(image, cache)
    try:
        os.makedirs(home, mode=0o700, exist_ok=True)
        found = os.stat(home, follow_symlinks=False)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise HardenError("others could reach, or change, the layers of images", where=home, how=f"chmod 700 {home}, and own it")
        _sweep(home)
        for folder, layer in zip(wanted, image.layers, strict=True):
            if not os.path.isdir(folder):
                path = image.source.path(layer.descriptor)
                with Tar(path, layer.descriptor, layer.diff_id) as tar:
                    _unpack(tar, folder, path)
    except OSError as error:
        how = "let yourself write there"
        if error.errno in (ENOSPC, EDQUOT):
            how = "make room on the disk (df, df -i)"
        elif error.errno in (ENAMETOOLONG, ELOOP, ENOTDIR):
            how = _HOSTILE
        raise HardenError(f"layers cannot be unpacked: {error.strerror}", where=error.filename or home, how=how) from error
    return wanted


def _sweep(home: str) -> None:
    """Remove what killed commands have left."""
    for name in os.listdir(home):
        if name.startswith(".new-") and not os.path.isdir(f"/proc/{name.split('-')[1]}"):
            rmtree(f"{home}/{name}", ignore_errors=True)  # whoever unpacks next does the rest


def _unpack(tar: Tar, folder: str, where: str) -> None:
    scratch = f"{os.path.dirname(folder)}/.new-{os.getpid()}-{os.path.basename(folder)}"
    rmtree(scratch, ignore_errors=True)
    os.mkdir(scratch, 0o755)
    done = False
    try:
        top = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        layer = Layer(top, where)
        try:
            layer.fill(tar)
        finally:
            layer.close()
        tar.finish()
        try:
            os.rename(scratch, folder)
            done = True
        except OSError:
            if not os.path.isdir(folder):  # another command was faster, and what it made has the same digest
                raise
    finally:
        if not done:
            rmtree(scratch)


class Layer:
    """A folder that a tar is unpacked into."""

    def __init__(self, top: int, where: str) -> None:
        self._top = top
        self._where = where
        self._near = ("", os.dup(top))  # the folder of the last entry: the next one is mostly in it, too
        self._later: dict[str, TarInfo] = {}
        self._left = 0
        self._trusted = os.geteuid() == 0 and _owns_all()
        self._kinds: tuple[tuple[Callable[[TarInfo], bool], Callable[[TarFile, TarInfo, int, str], None]], ...] = (
            (tarfile.TarInfo.isreg, self._file),
            (tarfile.TarInfo.issym, self._symlink),
            (tarfile.TarInfo.islnk, self._link),
            (tarfile.TarInfo.isfifo, self._pipe),
        )

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._near[1])
        os.close(self._top)

    def fill(self, tar: Tar) -> None:
        """Unpack all entries; the modes and times of folders come last, because what is put into them changes these."""
        self._left = tar.most
        for archive, entry in _entries(tar, self._where):
            names = self._names(entry.name)
            if not names:
                if not entry.isdir():
                    raise self._wrong(entry, "it would be the top of the layer")
                self._later[""] = entry
                continue
            if any(name.startswith(_MARKS_OF_AUFS) for name in names[:-1]):
                continue
            if any(name.startswith(WHITEOUT) for name in names[:-1]):
                raise self._wrong(entry, "it lies in what only hides")
            if names[-1].startswith(WHITEOUT):
                self._hide(entry, names)
                continue
            if entry.isdir():
                self._folder(entry, names)
                continue
            make = next((make for fits, make in self._kinds if fits(entry)), None)
            if make is None:
                if entry.ischr() or entry.isblk():  # devices are the launcher's to give
                    continue
                raise self._wrong(entry, f"entries of type {entry.type!r} are unknown")
            at = self._parent(names)
            self._clear(at, names[-1])
            make(archive, entry, at, names[-1])
        for path in sorted(self._later, reverse=True):
            self._finish_folder(path, self._later[path])

    # --- where ---

    def _names(self, path: str) -> list[str]:
        names = [name for name in path.split("/") if name not in ("", ".")]
        if ".." in names or "\0" in path or len(names) > DEEPEST:
            raise HardenError(f"the entry {path!r:.200} would lie outside of the layer, or too deep", where=self._where, how=_HOSTILE)
        return names

    def _parent(self, names: list[str]) -> int:
        """Return the folder that an entry belongs into, made if need be; links on the way lead nowhere but into the layer."""
        path = "/".join(names[:-1])
        if self._near[0] != path:
            fd = self._open(path)
            os.close(self._near[1])
            self._near = (path, fd)
        return self._near[1]

    def _open(self, path: str) -> int:
        flags = os.O_RDONLY | O_DIRECTORY
        try:
            return mounting.open_in(self._top, path or ".", flags, resolve=_INSIDE)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise HardenError(f"{path!r:.200} is no folder of the layer: {error.strerror}", where=self._where, how=_HOSTILE) from error
        above, _, name = path.rpartition("/")
        at = self._open(above)
        try:
            os.mkdir(name, 0o755, dir_fd=at)
            return mounting.open_in(self._top, path, flags, resolve=_INSIDE)
        except OSError as error:  # a link that leads to nothing, for one
            if error.errno in (ENOSPC, EDQUOT):
                raise
            raise HardenError(f"{path!r:.200} is no folder of the layer: {error.strerror}", where=self._where, how=_HOSTILE) from error
        finally:
            os.close(at)

    def _clear(self, at: int, name: str) -> os.stat_result | None:
        """Make room for an entry: the last one of a name wins. Return what was there."""
        try:
            found = os.stat(name, dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if found.st_mode & 0o170000 == 0o040000:
            rmtree(name, dir_fd=at)
        else:
            os.unlink(name, dir_fd=at)
        return found

    # --- what ---

    def _folder(self, entry: TarInfo, names: list[str]) -> None:
        at = self._parent(names)
        path = "/".join(names)
        try:
            found = os.stat(names[-1], dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            found = None
        if found is None or found.st_mode & 0o170000 != 0o040000:
            gone = self._clear(at, names[-1]) if found is not None else None
            os.mkdir(names[-1], 0o700, dir_fd=at)
            if gone is not None and _is_whiteout(gone):  # what is below is hidden, and stays so
                self._set_opaque(self._open(path))
        self._later[path] = entry

    def _file(self, archive: TarFile, entry: TarInfo, at: int, name: str) -> None:
        self._left -= entry.size  # a sparse file is larger than what is in the tar
        if self._left < 0:
            raise self._wrong(entry, "the files of the layer are larger than all that is in it can be")
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=at)
        try:
            content = archive.extractfile(entry)
            while content is not None and (piece := content.read(PIECE)):
                while piece:
                    piece = piece[os.write(fd, piece) :]
            self._dress(entry, fd)
        finally:
            os.close(fd)

    def _symlink(self, _: TarFile, entry: TarInfo, at: int, name: str) -> None:
        if not entry.linkname or "\0" in entry.linkname:
            raise self._wrong(entry, "it leads nowhere")
        os.symlink(entry.linkname, name, dir_fd=at)
        self._own(entry, name, at)
        os.utime(name, _times(entry), dir_fd=at, follow_symlinks=False)

    def _link(self, _: TarFile, entry: TarInfo, at: int, name: str) -> None:
        names = self._names(entry.linkname)
        if not names:
            raise self._wrong(entry, "it leads nowhere")
        above = self._open("/".join(names[:-1]))
        try:
            found = os.stat(names[-1], dir_fd=above, follow_symlinks=False)
            if _is_whiteout(found):
                raise self._wrong(entry, "it is a second name for nothing")
            os.link(names[-1], name, src_dir_fd=above, dst_dir_fd=at, follow_symlinks=False)
        except (FileNotFoundError, PermissionError) as error:
            raise self._wrong(entry, f"it is a second name for {entry.linkname!r:.100}, which is no file of the layer") from error
        finally:
            os.close(above)

    def _pipe(self, _: TarFile, entry: TarInfo, at: int, name: str) -> None:
        os.mkfifo(name, 0o600, dir_fd=at)
        self._own(entry, name, at)
        os.chmod(name, entry.mode & 0o7777, dir_fd=at)

    def _hide(self, entry: TarInfo, names: list[str]) -> None:
        """Hide what lower layers have: one name, or all that is in a folder."""
        at = self._parent(names)
        if names[-1] == OPAQUE:
            self._set_opaque(os.dup(at))
            return
        if names[-1].startswith(_MARKS_OF_AUFS):
            return
        name = names[-1].removeprefix(WHITEOUT)
        if name in ("", ".", ".."):
            raise self._wrong(entry, "it hides nothing")
        try:
            found = os.stat(name, dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            os.mknod(name, 0o020000, os.makedev(0, 0), dir_fd=at)
            return
        if found.st_mode & 0o170000 == 0o040000:  # of this layer, and before its whiteout: it stays, what is below it does not
            self._set_opaque(mounting.open_in(at, name, os.O_RDONLY | O_DIRECTORY, resolve=_INSIDE))

    def _set_opaque(self, fd: int) -> None:
        try:
            # The kernel reads the first in the overlay of a user namespace, and the second in any other.
            os.setxattr(fd, "user.overlay.opaque", b"y")
            if self._trusted:
                os.setxattr(fd, "trusted.overlay.opaque", b"y")
        finally:
            os.close(fd)

    # --- how ---

    def _dress(self, entry: TarInfo, fd: int) -> None:
        self._own(entry, fd)
        for key, value in entry.pax_headers.items():
            name = key.removeprefix(_XATTR)
            if key.startswith(_XATTR) and name.startswith("user.") and not name.startswith("user.overlay."):
                try:
                    os.setxattr(fd, name, value.encode("utf-8", "surrogateescape"))
                except OSError as error:
                    if error.errno != ENOTSUP:  # the filesystem has none
                        raise
        os.chmod(fd, entry.mode & 0o7777)
        os.utime(fd, _times(entry))

    def _own(self, entry: TarInfo, file: int | str, folder: int | None = None) -> None:
        if not 0 <= entry.uid <= LARGEST_ID or not 0 <= entry.gid <= LARGEST_ID:
            raise self._wrong(entry, "its owner is no id")
        try:
            os.chown(file, entry.uid, entry.gid, dir_fd=folder, follow_symlinks=folder is None)
        except OSError as error:
            # Who is not root here has at most the ids of a range: the rest belongs to the root user of the container.
            if self._trusted or error.errno not in (EPERM, EINVAL):
                raise

    def _finish_folder(self, path: str, entry: TarInfo) -> None:
        try:
            fd = mounting.open_in(self._top, path or ".", os.O_RDONLY | O_DIRECTORY | os.O_NOFOLLOW, resolve=_INSIDE)
        except OSError as error:
            if error.errno not in (ENOENT, ENOTDIR, ELOOP):
                raise
            return  # a later entry took its place
        try:
            self._dress(entry, fd)
        finally:
            os.close(fd)

    def _wrong(self, entry: TarInfo, why: str) -> HardenError:
        return HardenError(f"the entry {entry.name!r:.200} of the layer is refused: {why}", where=self._where, how=_HOSTILE)


_HOSTILE: Final = "the layer is damaged, or made to do harm: do not use it"


def _entries(tar: Tar, where: str) -> Iterator[tuple[TarFile, TarInfo]]:
    try:
        archive = tarfile.TarFile(fileobj=tar, mode="r", encoding="utf-8", errors="surrogateescape")
        for _ in range(ENTRIES):
            tar.budget = LARGEST
            entry = archive.next()
            if entry is None:
                break
            vars(archive)["members"].clear()  # it would remember each
            tar.budget = MOST
            yield archive, entry
        else:
            raise HardenError(f"the layer has more than {ENTRIES} entries", where=where, how=_HOSTILE)
    except tarfile.ReadError as error:
        if str(error) == "empty file":
            return
        raise HardenError(f"the layer is no tar: {error}", where=where, how=_HOSTILE) from error
    except (tarfile.TarError, ValueError, UnicodeError, OverflowError) as error:
        raise HardenError(f"the layer is no tar: {error}", where=where, how=_HOSTILE) from error
    if tar.stopped_early():
        raise HardenError("the tar of the layer is damaged in the middle", where=where, how=_HOSTILE)


def _times(entry: TarInfo) -> tuple[float, float]:
    moment = min(max(entry.mtime, 0), 1 << 34)  # what every filesystem can say
    return (moment, moment)


def _is_whiteout(found: os.stat_result) -> bool:
    return found.st_mode & 0o170000 == 0o020000 and found.st_rdev == 0


def _owns_all() -> bool:
    """Tell whether root here is root of the machine, and not of a user namespace."""
    with open("/proc/self/uid_map", encoding="utf-8") as file:
        return file.read().split() == ["0", "0", "4294967295"]
