"""Users and groups of the container, from its own /etc/passwd and /etc/group, read as data.

The C library would look names up through NSS, which loads the container's libraries into this process (CVE-2019-14271). The files may also
be traps: links that lead out, pipes that never end, devices, gigabytes; so they are opened inside the root, without waiting, and must be
regular and small.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import mounting, procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

LIMIT: Final = 1 << 20
MAX_ID: Final = 2**32 - 2


class Account:
    """Who the process is to be."""

    __slots__ = ("gid", "groups", "home", "uid")

    def __init__(self, uid: int, gid: int, groups: tuple[int, ...], home: str) -> None:
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.home = home


def database(root_fd: int, path: str) -> str:
    """Return the text of a file of the container; '' when it does not exist."""
    try:
        fd = mounting.open_in(root_fd, path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY)
    except FileNotFoundError:
        return ""
    except OSError as error:  # a socket cannot be opened at all, nor a link that leads to itself
        reason = posix.strerror(error.errno or 0)
        raise HardenError(f"{path} of the container cannot be read: {reason}", how="use numeric ids, or repair the image") from error
    try:
        if posix.fstat(fd).st_mode & 0o170000 != 0o100000:
            raise HardenError(f"{path} of the container is not a regular file", how="use numeric ids, or repair the image")
        return procfs.read_fd(fd, path, LIMIT)
    finally:
        posix.close(fd)


def resolve(user: str, passwd: str, group_text: str) -> Account:
    """Return the account for `user`, `uid`, `user:group` or `uid:gid`, as `docker run --user` reads them."""
    name, colon, group_name = user.partition(":")
    if not name or (colon and not group_name):
        raise HardenError(f"{user!r} is not a user", how="write name, uid, name:group or uid:gid")
    accounts = [
        row for row in (line.split(":") for line in passwd.splitlines()) if len(row) >= 6 and row[2].isdecimal() and row[3].isdecimal()
    ]
    # Digits are an id, even where an image has a user of that name: `-u 1000` must not become whom it likes (CVE-2016-3697).
    number = name.lstrip("0") if _is_id(name) else None
    row = next((row for row in accounts if (row[0] == name if number is None else row[2].lstrip("0") == number)), None)
    if row is not None:
        uid, gid, home, login = _id(row[2]), _id(row[3]), row[5], row[0]
    elif _is_id(name):
        uid, gid, home, login = _id(name), 0, "/", ""
    else:
        raise HardenError(f"no user {name!r} in the container's /etc/passwd", how="use one that is there, or a numeric id")
    if colon:
        return Account(uid, group(group_name, group_text), (), home or "/")
    extra = tuple(sorted({_id(row[2]) for row in _groups(group_text) if login and login in row[3].split(",")}))
    return Account(uid, gid, extra, home or "/")


def group(name: str, text: str, where: str = "") -> int:
    """Return the id of a group, a name or a number."""
    if _is_id(name):  # as with users
        return _id(name)
    found = next((row[2] for row in _groups(text) if row[0] == name), None)
    if found is None:
        raise HardenError(f"no group {name!r} in the container's /etc/group", where=where, how="use one that is there, or a numeric id")
    return _id(found)


def _groups(text: str) -> list[list[str]]:
    return [row for row in (line.split(":") for line in text.splitlines()) if len(row) >= 4 and row[2].isdecimal()]


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _id(text: str) -> int:
    value = int(text) if len(text) <= 10 and _is_id(text) else MAX_ID + 1
    if value > MAX_ID:
        raise HardenError(f"{text:.20} is not an id", how=f"ids go from 0 to {MAX_ID}")
    return value
