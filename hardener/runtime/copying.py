"""Fill a mount with what the image has at its place: `--tmpfs PATH:tmpcopyup`, and a named volume that is used for the first time.

It happens inside, as the root user of the container, before its program runs: so it reads and writes nothing of anybody else's. Both sides
are held by descriptor and nothing is followed, so that a link in the image leads nowhere.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import mounting
from hardener.linux.consts import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV
from hardener.linux.mounting import O_DIRECTORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_BENEATH: Final = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV
_READ: Final = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY
_MAKE: Final = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
_TYPE, _FOLDER, _FILE, _LINK = 0o170000, 0o040000, 0o100000, 0o120000
_CHUNK: Final = 1 << 20
ENOSPC, EDQUOT, EINVAL = 28, 122, 22


def fill(source: int, target: int, name: str, *, itself: bool) -> None:
    """Copy what is in the directory `source` to the directory `target`, which is left as it is when there is something in it.

    With `itself` the target gets the owner and mode of the source too.
    """
    there = mounting.open_in(target, ".", _READ | O_DIRECTORY, resolve=_BENEATH)
    here = mounting.open_in(source, ".", _READ | O_DIRECTORY, resolve=_BENEATH)
    try:
        if not posix.listdir(there):
            _copy(here, there)
            if itself:
                _own(there, posix.fstat(here))
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            raise HardenError(f"what the image has in {name} does not fit", where=name, how="give it more: --tmpfs PATH:size=…") from error
        raise OSError(error.errno, f"copy {name} of the image: {error.strerror}") from error
    finally:
        posix.close(here)
        posix.close(there)


def _copy(source: int, target: int) -> None:
    waiting = [(source, target, False)]
    while waiting:
        here, there, opened = waiting.pop()
        for name in posix.listdir(here):
            found = posix.stat(name, dir_fd=here, follow_symlinks=False)
            kind = found.st_mode & _TYPE
            if kind == _FOLDER:
                posix.mkdir(name, 0o700, dir_fd=there)
                below = mounting.open_in(here, name, _READ | O_DIRECTORY, resolve=_BENEATH)
                made = mounting.open_in(there, name, _READ | O_DIRECTORY, resolve=_BENEATH)
                _own(made, found)
                waiting.append((below, made, True))
            elif kind == _LINK:
                posix.symlink(posix.readlink(name, dir_fd=here), name, dir_fd=there)
                _give(name, found, there)
            elif kind == _FILE:
                _file(here, there, name)
            # Devices, pipes and sockets are not for an image to bring.
        if opened:
            posix.close(here)
            posix.close(there)


def _file(here: int, there: int, name: str) -> None:
    source = mounting.open_in(here, name, _READ, resolve=_BENEATH)
    try:
        found = posix.fstat(source)
        target = posix.open(name, _MAKE, 0o600, dir_fd=there)
        try:
            while chunk := posix.read(source, _CHUNK):
                while chunk:
                    chunk = chunk[posix.write(target, chunk) :]
            _own(target, found)
        finally:
            posix.close(target)
    finally:
        posix.close(source)


def _own(fd: int, found: posix.stat_result) -> None:
    _give(fd, found)
    posix.chmod(fd, found.st_mode & 0o7777)
    posix.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))


def _give(file: int | str, found: posix.stat_result, folder: int | None = None) -> None:
    try:
        posix.chown(file, found.st_uid, found.st_gid, dir_fd=folder, follow_symlinks=folder is None)
    except OSError as error:
        if error.errno != EINVAL:  # an id that this container does not have: the copy stays its root's
            raise
