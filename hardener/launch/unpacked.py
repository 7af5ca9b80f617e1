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
    from collections.abc import Collection
    from typing import Final

    from hardener.images.image import Image

_TRIES: Final = 5


def layers(image: Image, cache: str) -> tuple[str, ...]:
    """Return the folders of an image's layers, the lowest first; `cache` is made if need be, for us alone.

    They stay while this process lives: `tidy` does not take them away from a container that has no record.
    """
    from hardener.images import image as images

    folders = images.folders(image, cache)
    for _ in range(_TRIES):
        if hold(folders, cache):
            return folders
        _unpack(image, cache)
        _note(folders, cache)
    raise HardenError("the layers of the image are removed as fast as they are unpacked", where=cache, how="let `harden prune` end first")


def hold(folders: tuple[str, ...], cache: str) -> bool:
    """Keep folders of layers from being removed as long as this process lives; False when one of them is not there."""
    import fcntl

    try:
        fd = posix.open(f"{cache}/layers/.use-{_key(folders)}", posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    except FileNotFoundError:
        return False
    fcntl.flock(fd, fcntl.LOCK_SH)
    if posix.fstat(fd).st_nlink and all(posix.access(folder, posix.F_OK) for folder in folders):
        return True  # and the descriptor stays open
    posix.close(fd)
    return False


def _unpack(image: Image, cache: str) -> None:
    from hardener.images import unpack

    places.ensure(cache)
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


def tidy(cache: str, diff_ids: Collection[str], keep: Collection[str]) -> int:
    """Remove the layers that neither an image (by the digests of their tars) nor a container needs; return the bytes that are free now.

    `keep` are folders that records name. Layers that a running command holds stay.
    """
    home = f"{cache}/layers"
    names = places.listed(home)
    needed = {diff_id.replace(":", "-") for diff_id in diff_ids} | {folder.rpartition("/")[2] for folder in keep}
    held = {name for mark in names if mark.startswith(".use-") for name in _held(f"{home}/{mark}", needed)}
    freed = 0
    for name in names:
        if name in needed or name in held or name.startswith("."):
            continue
        freed += _drop(home, name)
    return freed


def _held(mark: str, needed: set[str]) -> list[str]:
    """Return the layers of a mark that somebody holds; a mark that nobody holds goes before its layers do."""
    import fcntl

    try:
        fd = posix.open(mark, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    except OSError:  # another command tidies up as well
        return []
    try:
        names = posix.read(fd, 1 << 20).decode().split("\n")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not needed.issuperset(names):
            posix.unlink(mark)
    except BlockingIOError:
        return names
    except (OSError, UnicodeDecodeError):
        return []
    finally:
        posix.close(fd)
    return []


def _drop(home: str, name: str) -> int:
    import os

    from hardener.runtime.removal import remove_tree

    gone = f"{home}/.new-{posix.getpid()}-{name}"  # as what a killed command leaves: swept by whoever unpacks next
    size = 0
    try:
        posix.rename(f"{home}/{name}", gone)
        for above, _, files in os.walk(gone):
            size += sum([os.lstat(f"{above}/{file}").st_blocks * 512 for file in files])
        remove_tree(gone)
    except FileNotFoundError:
        return size
    except OSError as error:
        raise places.trouble(error, f"{home}/{name}") from error
    return size
