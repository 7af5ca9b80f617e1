"""Where things lie: what lives as long as the machine runs, what stays, and what may be thrown away.

Nobody but the user may write to, or read from, these folders: a record says which command is executed with our rights. Nor may others
exchange them: whoever can write to a folder above could put a record of their own in the place of ours.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

EACCES, EPERM, ELOOP, ENOTDIR, ENOSPC, EROFS, EDQUOT = 13, 1, 40, 20, 28, 30, 122
OVERRIDE: Final = "HARDENER_ROOT"
NOT_YOURS: Final = f"let HOME be your own (sudo -H), or set {OVERRIDE} to a folder of yours"
_OTHERS_WRITE, _GROUP_WRITES, _STICKY = 0o022, 0o020, 0o1000
_FIXES: Final = {
    EACCES: f"let yourself write there, or set {OVERRIDE} to a folder of yours",
    EPERM: f"let yourself write there, or set {OVERRIDE} to a folder of yours",
    EROFS: f"set {OVERRIDE} to a folder on a filesystem that can be written to",
    ENOSPC: "make room on the disk (df shows blocks, df -i inodes)",
    EDQUOT: "make room in your quota",
}


class Places:
    """Folders: `run` is gone after a boot, `data` stays, `cache` can be made again."""

    __slots__ = ("cache", "data", "run")

    def __init__(self, run: str, data: str, cache: str) -> None:
        self.run = run
        self.data = data
        self.cache = cache


def places(uid: int, environment: Mapping[str, str]) -> Places:
    """Return the folders of a user; $HARDENER_ROOT puts all below one.

    Source: Filesystem Hierarchy Standard 3.0 for root, the XDG Base Directory Specification for everybody else.
    """
    if override := environment.get(OVERRIDE):
        if not override.startswith("/"):
            raise HardenError(f"{override!r} is not an absolute path", where=OVERRIDE, how="write it from / on")
        root = override.rstrip("/")
        return Places(f"{root}/run", f"{root}/data", f"{root}/cache")
    if uid == 0:
        return Places("/run/hardener", "/var/lib/hardener", "/var/cache/hardener")
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    run = f"{runtime}/hardener" if runtime.startswith("/") else f"/tmp/hardener-{uid}"  # noqa: S108  # nosec B108  (`ensure` refuses another's)
    return Places(
        run, _home(environment, "XDG_DATA_HOME", ".local/share") + "/hardener", _home(environment, "XDG_CACHE_HOME", ".cache") + "/hardener"
    )


def _home(environment: Mapping[str, str], variable: str, below: str) -> str:
    # A relative path is to be ignored, says the specification.
    if (given := environment.get(variable, "")).startswith("/"):
        return given.rstrip("/")
    home = environment.get("HOME", "")
    if not home.startswith("/"):
        raise HardenError("there is no home folder to keep anything in", where="HOME", how=f"set HOME, or {OVERRIDE}")
    return f"{home.rstrip('/')}/{below}"


def ensure(folder: str) -> None:
    """Make a folder, with its parents, for its user alone; refuse one that is a link or that others own or can write to."""
    try:
        _make(folder)
        fd = posix.open(folder, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
        try:
            found = posix.fstat(fd)
            if found.st_uid != posix.geteuid() or found.st_mode & _OTHERS_WRITE:
                raise HardenError(f"{folder} belongs to, or can be written to by, others", how="remove it, or make it yours with mode 0700")
            if found.st_mode & 0o7777 != 0o700:
                posix.fchmod(fd, 0o700)
            trust(folder, posix.readlink(f"/proc/self/fd/{fd}"))
        finally:
            posix.close(fd)
    except OSError as error:
        raise trouble(error, folder) from error


def trust(*folders: str) -> None:
    """Make sure that nobody else can rename what leads to some folders, as sshd does for keys. Folders that are missing harm nobody."""
    top = posix.stat("/").st_uid  # this machine's root, also where a user namespace has no number for it
    seen = set()
    for folder in folders:
        above = folder.rpartition("/")[0]
        while above and above not in seen:
            seen.add(above)
            try:
                found = posix.stat(above)
            except (FileNotFoundError, NotADirectoryError, PermissionError):  # nothing can be read or made in it either
                break
            if found.st_uid not in (0, top, posix.geteuid()) or _others_write(found):
                raise HardenError(
                    f"{above} belongs to, or can be written to by, others, who could exchange {folder}",
                    how=f"chmod go-w {above} (or +t, as /tmp has), or set {OVERRIDE} to a folder that is yours from / on",
                )
            above = above.rpartition("/")[0]


def _others_write(found: posix.stat_result) -> bool:
    if not found.st_mode & _OTHERS_WRITE or found.st_mode & _STICKY:
        return False
    # A user's own group, which has the user's number and nobody else in it: such users have the umask 002.
    private = found.st_gid == posix.getegid() == posix.geteuid()
    return not private or bool(found.st_mode & _OTHERS_WRITE & ~_GROUP_WRITES)


def trouble(error: OSError, path: str) -> HardenError:
    """Return what to tell a user when a file or folder of ours cannot be made or written."""
    if error.errno in (ELOOP, ENOTDIR):
        return HardenError(f"{path} is not a folder", how="remove what is there: a link is not followed")
    reason = posix.strerror(error.errno or 0)
    return HardenError(f"{path} cannot be written: {reason}", how=_FIXES.get(error.errno or 0, "see what is wrong with that filesystem"))


def listed(folder: str) -> list[str]:
    """Return the names in a folder of ours; none when it is not there."""
    try:
        return posix.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HardenError(f"{folder} cannot be read: {posix.strerror(error.errno or 0)}", how=NOT_YOURS) from error


def _make(folder: str) -> None:
    try:
        posix.mkdir(folder, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        above = folder.rpartition("/")[0]
        if not above:
            raise
        _make(above)
        try:
            posix.mkdir(folder, 0o700)
        except FileExistsError:  # another command was faster
            return
