"""Places inside the root of a container, opened by descriptor and made where they are missing.

Every look-up happens with RESOLVE_IN_ROOT: links are followed as the container would follow them and never lead out of it, however the
image has laid them (CVE-2021-30465, CVE-2017-1002101). What is found is held by descriptor, so swapping it afterwards changes nothing.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import mounting
from hardener.linux.consts import PROC_SUPER_MAGIC, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS
from hardener.linux.mounting import O_DIRECTORY, O_PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, TypeVar

    T = TypeVar("T")

STRICT: Final = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS
LENIENT: Final = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
# Mount points that programs trust by name: a link in their place would move a filesystem to where nobody looks for it (CVE-2026-41579).
TRUSTED: Final = ("/proc", "/sys", "/dev")
# Files of /proc that engines such as lxcfs put something over (the list of runc).
_PROC_FILES: Final = (
    "cpuinfo",
    "diskstats",
    "meminfo",
    "stat",
    "swaps",
    "uptime",
    "loadavg",
    "slabinfo",
    "net/dev",
    "sys/kernel/ns_last_pid",
)
DIRECTORY: Final = 0o040000


def parts(path: str) -> list[str]:
    """Return the components of an absolute path, `.` and `..` resolved as in a root that has nothing above it."""
    found: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del found[-1:]
        elif part not in ("", "."):
            found.append(part)
    return found


def normal(path: str) -> str:
    """Return an absolute path without `.`, `..` and doubled slashes."""
    return "/" + "/".join(parts(path))


def exists(root_fd: int, path: str) -> bool:
    """Tell whether a path leads to something inside the root."""
    try:
        posix.close(mounting.open_in(root_fd, path, O_PATH))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def find(root_fd: int, path: str) -> int:
    """Open a destination as it is; the trusted ones must not be links."""
    strict = normal(path) in TRUSTED
    try:
        return mounting.open_in(root_fd, path, O_PATH, resolve=STRICT if strict else LENIENT)
    except OSError as error:
        if strict and error.errno == 40:  # ELOOP
            raise HardenError(
                f"{path} of the container is a symbolic link",
                where=path,
                how="an image has no reason for that: make it a directory",
            ) from error
        raise


def confirm(root_fd: int, path: str, fd: int) -> None:
    """Make sure that a trusted mount point still is where a filesystem was mounted: its name may be another folder's by now."""
    found = find(root_fd, path)
    there, ours = posix.fstat(found), posix.fstat(fd)
    posix.close(found)
    if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
        raise HardenError(f"{path} of the container was moved while it was set up", where=path, how="let nobody else write to its root")


def make(root_fd: int, path: str, *, directory: bool) -> int:
    """Open a destination, made as a directory or an empty file where it is missing, together with what leads to it."""
    try:
        return find(root_fd, path)
    except FileNotFoundError:
        pass
    names = parts(path)
    at = posix.dup(root_fd)
    try:
        for index in range(1, len(names)):
            at = _step(root_fd, at, names[:index])
        if directory:
            _mkdir(at, names[-1], path)
        else:
            # Beneath `at`, whatever lies there: O_EXCL follows no link.
            flags = posix.O_CREAT | posix.O_EXCL | posix.O_WRONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW
            posix.close(_named(lambda: posix.open(names[-1], flags, 0o644, dir_fd=at), f"create({path})"))
    finally:
        posix.close(at)
    return find(root_fd, path)


def _step(root_fd: int, at: int, names: list[str]) -> int:
    """Return the directory that the first names lead to, made beneath `at` if need be; `at` is closed."""
    path = "/".join(names)
    try:
        below = mounting.open_in(root_fd, path, O_PATH | O_DIRECTORY)
    except FileNotFoundError:
        _mkdir(at, names[-1], path)
        below = mounting.open_in(root_fd, path, O_PATH | O_DIRECTORY)
    posix.close(at)
    return below


def _mkdir(at: int, name: str, path: str) -> None:
    _named(lambda: posix.mkdir(name, 0o755, dir_fd=at), f"mkdir({path})")


def _named(call: Callable[[], T], what: str) -> T:
    try:
        return call()
    except OSError as error:
        raise OSError(error.errno, f"{what}: {posix.strerror(error.errno or 0)}") from error


def refuse_proc(fd: int, path: str) -> None:
    """Refuse to mount over a file of /proc: what reads it would trust it (CVE-2019-16884, CVE-2025-52881)."""
    where = "/".join(parts(path))
    if where == "proc" or mounting.filesystem_type(fd) != PROC_SUPER_MAGIC:
        return
    if not any(where == f"proc/{name}" for name in _PROC_FILES):
        raise HardenError(f"{path} would be mounted over a file of /proc", where=path, how="mount it elsewhere")


def is_directory(fd: int) -> bool:
    """Tell whether a descriptor stands for a directory."""
    return posix.fstat(fd).st_mode & 0o170000 == DIRECTORY
