"""The lock of a container's name: who starts a container or waits for it holds it, and the kernel takes it back when they die.

It lies in RUN/containers/NAME, which goes with it; so whoever gets it looks whether it is still the one that the name leads to.
"""

from __future__ import annotations

import posix

from hardener.runtime import removal
from hardener.runtime.places import Places, ensure, trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_STEP_S: Final = 0.01


def acquire(places: Places, name: str, patience_s: float = 0.3) -> int | None:
    """Return the lock of a name as a descriptor; None when somebody else holds it. It ends with the last process that has it open."""
    import fcntl
    import time

    home = f"{places.run}/containers"
    ensure(places.run)
    ensure(home)
    folder = f"{home}/{name}"
    deadline = time.monotonic() + patience_s
    while True:
        ensure(folder)
        try:
            fd = posix.open(f"{folder}/lock", posix.O_RDWR | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # its holder has just put the folder away
            continue
        except OSError as error:
            raise trouble(error, folder) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same(fd, f"{folder}/lock"):
                return fd
        except BlockingIOError:
            if time.monotonic() >= deadline:
                posix.close(fd)
                return None
            time.sleep(_STEP_S)
        posix.close(fd)


def _same(fd: int, path: str) -> bool:
    try:
        return posix.fstat(fd).st_ino == posix.stat(path).st_ino
    except FileNotFoundError:
        return False


def release(run: str, lock: int) -> None:
    """Put away what a container had while it ran, and give its name free."""
    removal.remove_own(run)
    posix.close(lock)
