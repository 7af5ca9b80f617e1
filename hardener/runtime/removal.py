"""Remove a folder that containers have written to.

What is in it may belong to ids that an ordinary user has only inside a user namespace, and may be closed to its own owner: so who is not
root removes it as the root of such a namespace. Links are not followed.
"""

from __future__ import annotations

import posix

from hardener.linux import calls, procfs
from hardener.linux.consts import CLONE_NEWUSER
from hardener.runtime import idmaps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

EPERM = 1


def remove_tree(folder: str) -> None:
    """Remove a folder with all that is in it; one that is not there is removed already."""
    from shutil import rmtree

    try:
        rmtree(folder)
    except FileNotFoundError:
        return
    except PermissionError:
        if posix.geteuid() == 0:
            raise
        _remove_inside(folder)


def maps() -> idmaps.Maps:
    """Return the ids that who runs us has in a user namespace."""
    uid, gid = posix.geteuid(), posix.getegid()
    texts = []
    for path in ("/etc/passwd", "/etc/subuid", "/etc/subgid"):
        try:
            texts.append(procfs.read(path))
        except FileNotFoundError:
            texts.append("")
    rows = (line.split(":") for line in texts[0].splitlines())
    name = next((row[0] for row in rows if len(row) > 2 and row[2] == str(uid)), "")
    uids, gids = idmaps.default(uid, gid, name, texts[1], texts[2])
    return idmaps.Maps(*(tuple([(one.container_id, one.host_id, one.size) for one in ids]) for ids in (uids, gids)))


def _remove_inside(folder: str) -> None:
    ready, go = posix.pipe()
    pid, pidfd = calls.clone(CLONE_NEWUSER)
    if pid == 0:
        posix.close(go)
        _child(folder, ready)
    posix.close(ready)
    try:
        idmaps.apply(maps(), pid)
        posix.write(go, b"1")
    finally:
        posix.close(go)  # without a word the child ends
        _, status = posix.waitpid(pid, 0)
        posix.close(pidfd)
    if status:
        raise OSError(EPERM, posix.strerror(EPERM), folder)


def _child(folder: str, ready: int) -> NoReturn:
    code = 1
    try:
        if posix.read(ready, 1):
            posix.setresgid(0, 0, 0)
            posix.setresuid(0, 0, 0)
            from shutil import rmtree

            rmtree(folder)
            code = 0
    finally:
        posix._exit(code)
