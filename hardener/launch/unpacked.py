"""The layers of an image as folders, for whoever runs us.

    CACHE/layers/ALGORITHM-DIGITS    the files of a layer, by the digest of its tar: all images that have it share it
    CACHE/layers/.use-KEY            the layers of one image by name; locked while a command runs a container of them

An ordinary user unpacks as the root of a user namespace: so the files belong to the ids that a container of the user will have, as far as
/etc/subuid has them, and to its root user otherwise.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.runtime import kept, places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from hardener.images.image import Image


def layers(image: Image, cache: str) -> tuple[str, ...]:
    """Return the folders of an image's layers, the lowest first; `cache` is made if need be, for us alone.

    They stay while this process lives: `tidy` does not take them away from a container that has no record.
    """
    from fcntl import LOCK_SH

    from hardener.images import image as images

    folders = images.folders(image, cache)
    if hold(folders, cache):
        return folders
    with _lock(cache, LOCK_SH, "another command is tidying up"):
        _unpack(image, cache)
        _note(folders, cache)
        if not hold(folders, cache):
            raise HardenError("somebody has removed the layers of the image as they were unpacked", where=cache, how="try again")
    return folders


def _lock(cache: str, kind: int, what: str, patience_s: float | None = None) -> AbstractContextManager[None]:
    """Hold the lock of the folder of layers: shared by who unpacks, alone for who removes."""
    from hardener.images.storing import locked

    places.ensure(cache)
    places.ensure(f"{cache}/layers")
    return locked(f"{cache}/layers/.lock", kind, what, patience_s)


def hold(folders: tuple[str, ...], cache: str) -> bool:
    """Keep folders of layers from being removed as long as this process lives; False when one of them is not there.

    Nobody looks into them again, so nobody else may be able to have changed them.
    """
    import fcntl

    path = f"{cache}/layers/.use-{_key(folders)}"
    places.trust(path)
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    except FileNotFoundError:
        return False
    fcntl.flock(fd, fcntl.LOCK_SH)
    if posix.fstat(fd).st_nlink and all(posix.access(folder, posix.F_OK) for folder in folders):
        return True  # and the descriptor stays open
    posix.close(fd)
    return False


def _unpack(image: Image, cache: str) -> None:
    from hardener.images import unpack

    if posix.geteuid() == 0:
        unpack.layers(image, cache)
        return
    from hardener.runtime import borrowed

    borrowed.as_root(lambda: unpack.layers(image, cache))


def _note(folders: tuple[str, ...], cache: str) -> None:
    text = "\n".join([folder.rpartition("/")[2] for folder in folders])
    path = f"{cache}/layers/.use-{_key(folders)}"
    fresh = f"{cache}/layers/.new-{posix.getpid()}-{_key(folders)}"
    try:
        fd = posix.open(fresh, posix.O_WRONLY | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_CLOEXEC, 0o600)
        try:
            posix.write(fd, text.encode())
        finally:
            posix.close(fd)
        if not posix.access(path, posix.F_OK):  # else it may be locked, so it stays
            posix.rename(fresh, path)
        else:
            posix.unlink(fresh)
    except OSError as error:
        raise places.trouble(error, path) from error


def _key(folders: tuple[str, ...]) -> str:
    return kept.key([folder.rpartition("/")[2] for folder in folders])


def tidy(cache: str, needed: Callable[[], set[str]], *, patience_s: float | None) -> int:
    """Remove the layers that nothing needs; return the bytes that are free now. Raises `Busy` while others unpack.

    `needed` returns the names (ALGORITHM-DIGITS) that images and records need. It is asked when nobody can begin to use a layer any more,
    so that a container which has its record by now has it there. Layers that a running command holds stay.
    """
    from fcntl import LOCK_EX

    home = f"{cache}/layers"
    if not posix.access(home, posix.F_OK):
        return 0
    freed = 0
    with _lock(cache, LOCK_EX, "other commands unpack images", patience_s):
        marks = [_Mark(f"{home}/{name}") for name in places.listed(home) if name.startswith(".use-")]
        try:
            keep = needed().union(*[mark.names for mark in marks if not mark.ours])
            for mark in marks:
                if mark.ours and not keep.issuperset(mark.names):
                    posix.unlink(mark.path)  # before its layers: who waits for it sees that it is gone
            for name in places.listed(home):
                if _is_left_over(name) if name.startswith(".") else name not in keep:
                    freed += _drop(home, name)
        finally:
            for mark in marks:
                posix.close(mark.fd)
    return freed


class _Mark:
    """What says which layers an image has; `ours` is whether nobody holds it but we, who do from now on."""

    __slots__ = ("fd", "names", "ours", "path")

    def __init__(self, path: str) -> None:
        import fcntl

        self.path = path
        self.fd = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.ours = True
        except BlockingIOError:
            self.ours = False
        self.names = set(posix.read(self.fd, 1 << 20).decode("ascii", "replace").split("\n"))


def _is_left_over(name: str) -> bool:
    """Tell whether a killed command has left something."""
    kind, _, rest = name.partition("-")
    return kind == ".new" and not posix.access(f"/proc/{rest.partition('-')[0]}", posix.F_OK)


def _drop(home: str, name: str) -> int:
    import os

    from hardener.runtime.removal import remove_tree

    gone = f"{home}/.new-{posix.getpid()}-gone-{name.lstrip('.')}"[: len(home) + 200]  # as what a killed command leaves
    size = 0
    try:
        posix.rename(f"{home}/{name}", gone)
        if posix.lstat(gone).st_mode & 0o170000 != 0o040000:
            posix.unlink(gone)
            return 0
        for above, _, files in os.walk(gone):
            size += sum([os.lstat(f"{above}/{file}").st_blocks * 512 for file in files])
        remove_tree(gone)
    except OSError as error:
        raise places.trouble(error, f"{home}/{name}") from error
    return size
