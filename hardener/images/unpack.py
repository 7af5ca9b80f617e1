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
from shutil import rmtree
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images.blobs import PIECE, open_layer
from hardener.images.image import folders
from hardener.images.limits import LIMITS
from hardener.images.notes import Notes
from hardener.images.tar import HOSTILE, Reader
from hardener.linux import mounting
from hardener.linux.consts import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV
from hardener.linux.mounting import O_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.images.blobs import LayerStream
    from hardener.images.image import Image
    from hardener.images.tar import Entry

ENOSPC, EDQUOT, EINVAL, EPERM, ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, ENOTSUP = 28, 122, 22, 1, 2, 20, 40, 36, 95
OPEN: Final = 64  # folders that are kept open: most entries lie in one of them
_INSIDE: Final = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FORMAT, _IS_FOLDER, _IS_CHARACTER, _IS_LINK = 0o170000, 0o040000, 0o020000, 0o120000
_SPECIAL: Final = 0o7000


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
        before = os.umask(0)  # modes are what the layers say; nobody else gets to them, for the folder above is ours alone
        try:
            for folder, layer in zip(wanted, image.layers, strict=True):
                if not os.path.isdir(folder):
                    with open_layer(image, layer) as stream:
                        _unpack(stream, folder)
        finally:
            os.umask(before)
    except OSError as error:
        how = "let yourself write there"
        if error.errno in (ENOSPC, EDQUOT):
            how = "make room on the disk (df, df -i)"
        elif error.errno in (ENAMETOOLONG, ELOOP, ENOTDIR):
            how = HOSTILE
        raise HardenError(f"layers cannot be unpacked: {error.strerror}", where=error.filename or home, how=how) from error
    return wanted


def _sweep(home: str) -> None:
    """Remove what killed commands have left."""
    for name in os.listdir(home):
        if name.startswith(".new-") and not os.path.isdir(f"/proc/{name.split('-')[1]}"):
            rmtree(f"{home}/{name}", ignore_errors=True)  # whoever unpacks next does the rest


def _unpack(stream: LayerStream, folder: str) -> None:
    scratch = f"{os.path.dirname(folder)}/.new-{os.getpid()}-{os.path.basename(folder)}"
    rmtree(scratch, ignore_errors=True)
    os.mkdir(scratch, 0o755)
    done = False
    try:
        top = os.open(scratch, _FOLDER)
        layer = Layer(top, stream.where)
        try:
            layer.fill(Reader(stream.more, stream.where, LIMITS, Notes(), strict=True))
        finally:
            layer.close()
        stream.finish()
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
        self._open_folders: dict[str, int] = {}
        self._leaving: set[int] = set()
        self._later: dict[str, Entry] = {}
        self._trusted = os.geteuid() == 0 and _owns_all()
        found = os.fstat(top)
        self._ours = (found.st_uid, found.st_gid)  # whose everything here is until it is given away
        self._kinds: dict[str, Callable[[Reader, Entry, int, str], None]] = {
            "file": self._file,
            "symlink": self._symlink,
            "hardlink": self._link,
            "fifo": self._pipe,
        }

    def close(self) -> None:
        """Let go of the folder."""
        self._forget()
        os.close(self._top)

    def fill(self, reader: Reader) -> None:
        """Unpack all entries; the modes and times of folders come last, because what is put into them changes these."""
        for entry in iter(reader.next, None):
            if not entry.name and entry.kind != "opaque":
                if entry.kind != "folder":
                    raise self._wrong(entry, "it would be the top of the layer")
                self._later[""] = entry
                continue
            if entry.kind == "opaque":
                self._set_opaque(os.dup(self._folder_fd(entry.name)))
                continue
            above, _, name = entry.name.rpartition("/")
            at = self._folder_fd(above) if above else self._top
            make = self._kinds.get(entry.kind)
            if make is not None:
                try:
                    make(reader, entry, at, name)
                except FileExistsError:
                    self._clear(at, name)  # the last one of a name wins
                    make(reader, entry, at, name)
            elif entry.kind == "folder":
                self._folder(entry, at, name)
            elif entry.kind == "whiteout":
                self._hide(at, name)
            # Devices are the launcher's to give.
        for path in sorted(self._later, reverse=True):
            self._finish_folder(path, self._later[path])

    # --- where ---

    def _folder_fd(self, path: str) -> int:
        """Return the folder of a path, made if need be; links on the way lead nowhere but into the layer. It stays ours."""
        if not path:
            return self._top
        fd = self._open_folders.get(path)
        if fd is None:
            if len(self._open_folders) >= OPEN:
                self._forget()
            above, _, name = path.rpartition("/")
            at = self._open_folders.get(above) if above else self._top
            fd = self._step(at, name) if at is not None else None
            if fd is None:
                fd = self._open(path)
            self._open_folders[path] = fd
        return fd

    def _step(self, at: int, name: str) -> int | None:
        """Open a folder in one that is open, where that takes no link; None when it does, or there is none."""
        try:
            return os.open(name, _FOLDER, dir_fd=at)
        except OSError as error:
            if error.errno in (ENOENT, ENOTDIR, ELOOP):
                return None
            raise

    def _forget(self, used: int = -1) -> None:
        """Close the folders that are open: what leads to them may change. One that is in use is closed the next time."""
        for fd in {*self._open_folders.values(), *self._leaving} - {used}:
            os.close(fd)
        self._leaving = {used} & {*self._open_folders.values(), *self._leaving}
        self._open_folders.clear()

    def _open(self, path: str) -> int:
        flags = os.O_RDONLY | O_DIRECTORY
        try:
            return mounting.open_in(self._top, path or ".", flags, resolve=_INSIDE)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            raise self._no_folder(path, error) from error
        above, _, name = path.rpartition("/")
        at = self._open(above)
        try:
            self._imply(at, name)
            return mounting.open_in(self._top, path, flags, resolve=_INSIDE)
        except OSError as error:  # a link that leads to nothing, for one
            if error.errno in (ENOSPC, EDQUOT):
                raise
            raise self._no_folder(path, error) from error
        finally:
            os.close(at)

    def _imply(self, at: int, name: str) -> None:
        """Make a folder that no entry is for; where a whiteout is, it hides what is below."""
        try:
            os.mkdir(name, 0o755, dir_fd=at)
        except FileExistsError:
            if not _is_whiteout(os.stat(name, dir_fd=at, follow_symlinks=False)):
                raise
            os.unlink(name, dir_fd=at)
            os.mkdir(name, 0o755, dir_fd=at)
            self._set_opaque(os.open(name, _FOLDER, dir_fd=at))

    def _no_folder(self, path: str, error: OSError) -> HardenError:
        return HardenError(f"{path!r:.200} is no folder of the layer: {error.strerror}", where=self._where, how=HOSTILE)

    def _clear(self, at: int, name: str) -> os.stat_result:
        """Remove what has the name of a later entry. Return what was there."""
        found = os.stat(name, dir_fd=at, follow_symlinks=False)
        if found.st_mode & _FORMAT in (_IS_FOLDER, _IS_LINK):
            self._forget(at)
        if found.st_mode & _FORMAT == _IS_FOLDER:
            rmtree(name, dir_fd=at)
        else:
            os.unlink(name, dir_fd=at)
        return found

    # --- what ---

    def _folder(self, entry: Entry, at: int, name: str) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=at)
        except FileExistsError:
            found = os.stat(name, dir_fd=at, follow_symlinks=False)
            if found.st_mode & _FORMAT != _IS_FOLDER:
                self._clear(at, name)
                os.mkdir(name, 0o700, dir_fd=at)
                if _is_whiteout(found):  # what is below is hidden, and stays so
                    self._set_opaque(os.open(name, _FOLDER, dir_fd=at))
        self._later[entry.name] = entry

    def _file(self, reader: Reader, entry: Entry, at: int, name: str) -> None:
        kept = [key for key in entry.xattrs if key.startswith("user.") and not key.startswith("user.overlay.")]
        fd = os.open(name, _NEW, 0o600 if kept else entry.mode & 0o777, dir_fd=at)
        try:
            while piece := reader.content(PIECE):
                while piece:
                    piece = piece[os.write(fd, piece) :]
            self._dress(entry, fd, kept, made=not kept)
        finally:
            os.close(fd)

    def _symlink(self, _: Reader, entry: Entry, at: int, name: str) -> None:
        os.symlink(entry.link, name, dir_fd=at)
        self._own(entry, name, at)
        os.utime(name, ns=_times(entry), dir_fd=at, follow_symlinks=False)

    def _link(self, _: Reader, entry: Entry, at: int, name: str) -> None:
        if not entry.link:
            raise self._wrong(entry, "it leads nowhere")
        above, target = entry.link.rpartition("/")[::2]
        folder = self._open(above)
        try:
            found = os.stat(target, dir_fd=folder, follow_symlinks=False)
            if _is_whiteout(found):
                raise self._wrong(entry, "it is a second name for nothing")
            os.link(target, name, src_dir_fd=folder, dst_dir_fd=at, follow_symlinks=False)
        except (FileNotFoundError, PermissionError) as error:
            raise self._wrong(entry, f"it is a second name for {entry.link!r:.100}, which is no file of the layer") from error
        finally:
            os.close(folder)

    def _pipe(self, _: Reader, entry: Entry, at: int, name: str) -> None:
        os.mkfifo(name, 0o600, dir_fd=at)
        self._own(entry, name, at)
        os.chmod(name, entry.mode, dir_fd=at)

    def _hide(self, at: int, name: str) -> None:
        """Hide what lower layers have of a name."""
        try:
            found = os.stat(name, dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            os.mknod(name, _IS_CHARACTER, os.makedev(0, 0), dir_fd=at)
            return
        if found.st_mode & _FORMAT == _IS_FOLDER:  # of this layer, and before its whiteout: it stays, what is below it does not
            self._set_opaque(os.open(name, _FOLDER, dir_fd=at))

    def _set_opaque(self, fd: int) -> None:
        try:
            # The kernel reads the first in the overlay of a user namespace, and the second in any other.
            os.setxattr(fd, "user.overlay.opaque", b"y")
            if self._trusted:
                os.setxattr(fd, "trusted.overlay.opaque", b"y")
        finally:
            os.close(fd)

    # --- how ---

    def _dress(self, entry: Entry, fd: int, xattrs: list[str], *, made: bool) -> None:
        """Give a file what its entry says. `made`: with its permissions already."""
        given = self._own(entry, fd)
        for key in xattrs:
            try:
                os.setxattr(fd, key, entry.xattrs[key])
            except OSError as error:
                if error.errno != ENOTSUP:  # the filesystem has none
                    raise
        if not made or given or entry.mode & _SPECIAL:  # to be given away costs a file its set-user-id bit
            os.chmod(fd, entry.mode)
        os.utime(fd, ns=_times(entry))

    def _own(self, entry: Entry, file: int | str, folder: int | None = None) -> bool:
        """Give a file to its owner; tell whether it was another's before."""
        if (entry.uid, entry.gid) == self._ours:
            return False
        try:
            os.chown(file, entry.uid, entry.gid, dir_fd=folder, follow_symlinks=folder is None)
        except OSError as error:
            # Who is not root here has at most the ids of a range: the rest belongs to the root user of the container.
            if self._trusted or error.errno not in (EPERM, EINVAL):
                raise
        return True

    def _finish_folder(self, path: str, entry: Entry) -> None:
        try:
            fd = mounting.open_in(self._top, path or ".", os.O_RDONLY | O_DIRECTORY | os.O_NOFOLLOW, resolve=_INSIDE)
        except OSError as error:
            if error.errno not in (ENOENT, ENOTDIR, ELOOP):
                raise
            return  # a later entry took its place
        try:
            kept = [key for key in entry.xattrs if key.startswith("user.") and not key.startswith("user.overlay.")]
            self._dress(entry, fd, kept, made=False)
        finally:
            os.close(fd)

    def _wrong(self, entry: Entry, why: str) -> HardenError:
        return HardenError(f"the entry {entry.name!r:.200} of the layer is refused: {why}", where=self._where, how=HOSTILE)


def _times(entry: Entry) -> tuple[int, int]:
    moment = min(max(entry.mtime, 0), 1 << 33) * 1_000_000_000  # what every filesystem can say
    return (moment, moment)


def _is_whiteout(found: os.stat_result) -> bool:
    return found.st_mode & _FORMAT == _IS_CHARACTER and found.st_rdev == 0


def _owns_all() -> bool:
    """Tell whether root here is root of the machine, and not of a user namespace."""
    with open("/proc/self/uid_map", encoding="utf-8") as file:
        return file.read().split() == ["0", "0", "4294967295"]
