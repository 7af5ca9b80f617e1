"""User and group ids: which ids of this machine a container's ids stand for.

As root a range far away from real users, so that root inside is nobody outside: the range of the user `harden` in /etc/subuid and
/etc/subgid where an administrator set one, otherwise 100000 to 165535, as other engines do. As an ordinary user: oneself as root, and the
ranges of /etc/subuid through newuidmap and newgidmap (package uidmap); without a range only oneself, and then a program cannot change its
user.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import procfs
from hardener.oci.runtime import IdMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import Spec

DEFAULT_START: Final = 100_000
DEFAULT_SIZE: Final = 65_536
OWNER: Final = "harden"
HELPER_FOLDERS: Final = ("/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin")


class Maps:
    """Lines for uid_map and gid_map: (inside, outside, size)."""

    __slots__ = ("gids", "uids")

    def __init__(self, uids: tuple[tuple[int, int, int], ...], gids: tuple[tuple[int, int, int], ...]) -> None:
        self.uids = uids
        self.gids = gids

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        rows = (("uid", self.uids), ("gid", self.gids))
        return [
            f"{name} {inside}-{inside + size - 1} -> {outside}-{outside + size - 1}" for name, ids in rows for inside, outside, size in ids
        ]


def plan(spec: Spec) -> Maps | None:
    """Return the maps of a new user namespace; None without one."""
    linux = spec.linux
    if linux is None or not any(namespace.type == "user" and not namespace.path for namespace in linux.namespaces):
        return None
    maps = Maps(_ranges(linux.uid_mappings, "linux.uidMappings"), _ranges(linux.gid_mappings, "linux.gidMappings"))
    user = spec.process.user if spec.process is not None else None
    if user is not None:
        for kind, wanted, ids in (("user", user.uid or 0, maps.uids), ("group", user.gid or 0, maps.gids)):
            if ids and wanted >= 0 and not any(inside <= wanted < inside + size for inside, _, size in ids):
                raise HardenError(
                    f"{kind} {wanted} is none of the ids of this container",
                    where="process.user",
                    how=f"an ordinary user needs a range in /etc/sub{kind[0]}id to be more than root inside, which -u 0 is"
                    if len(ids) == 1 and ids[0][2] == 1
                    else f"there are {', '.join(f'{inside} to {inside + size - 1}' for inside, _, size in ids)}",
                )
    return maps


def _ranges(mappings: tuple[IdMapping, ...], where: str) -> tuple[tuple[int, int, int], ...]:
    ranges = tuple([(one.container_id, one.host_id, one.size) for one in mappings])
    for inside, outside, size in ranges:
        if min(inside, outside) < 0 or size < 1 or max(inside, outside) + size > 2**32 - 1:
            raise HardenError(f"{inside}:{outside}:{size} is not a range of ids", where=where, how="ids go from 0 to 4294967294")
    for side in (0, 1):
        ordered = sorted((one[side], one[side] + one[2]) for one in ranges)
        if any(ordered[at][1] > ordered[at + 1][0] for at in range(len(ordered) - 1)):
            raise HardenError("ranges overlap", where=where, how="an id may be mapped once")
    return ranges


def subordinate(text: str, owners: tuple[str, ...]) -> tuple[int, int] | None:
    """Return (start, size) of the first range of one of the owners (a name, or an id in digits) in /etc/subuid or /etc/subgid."""
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) == 3 and fields[0] in owners and fields[1].isdigit() and fields[2].isdigit() and int(fields[2]):
            return int(fields[1]), int(fields[2])
    return None


def default(uid: int, gid: int, name: str, subuid: str, subgid: str) -> tuple[tuple[IdMapping, ...], tuple[IdMapping, ...]]:
    """Return the mappings for who runs us, given the texts of /etc/subuid and /etc/subgid."""
    owners = (OWNER,) if uid == 0 else (name, str(uid))
    return _default(uid, subordinate(subuid, owners)), _default(gid if uid else 0, subordinate(subgid, owners))


def own() -> tuple[tuple[IdMapping, ...], tuple[IdMapping, ...]]:
    """Return the mappings for who runs us on this machine."""
    uid = posix.geteuid()
    name = ""
    if uid:
        rows = (line.split(":") for line in _read("/etc/passwd").splitlines())
        name = next((row[0] for row in rows if len(row) > 2 and row[2] == str(uid)), "")
    return default(uid, posix.getegid(), name, _read("/etc/subuid"), _read("/etc/subgid"))


def _read(path: str) -> str:
    try:
        return procfs.read(path)
    except FileNotFoundError:
        return ""


def _default(me: int, found: tuple[int, int] | None) -> tuple[IdMapping, ...]:
    if me == 0:
        start, size = found or (DEFAULT_START, DEFAULT_SIZE)
        return (IdMapping(container_id=0, host_id=start, size=size),)
    own = IdMapping(container_id=0, host_id=me, size=1)
    return (own, IdMapping(container_id=1, host_id=found[0], size=found[1])) if found else (own,)


def apply(maps: Maps, pid: int) -> None:
    """Give the user namespace of a child its maps."""
    if posix.geteuid() == 0:
        procfs.write(f"/proc/{pid}/gid_map", _text(maps.gids))
        procfs.write(f"/proc/{pid}/uid_map", _text(maps.uids))
        return
    for kind, ids, me in (("gid", maps.gids, posix.getegid()), ("uid", maps.uids, posix.geteuid())):
        if len(ids) == 1 and ids[0][1:] == (me, 1):
            if kind == "gid":  # the kernel's condition for a map that one writes oneself: user_namespaces(7)
                procfs.write(f"/proc/{pid}/setgroups", "deny")
            procfs.write(f"/proc/{pid}/{kind}_map", _text(ids))
        else:
            _help(f"new{kind}map", [str(pid), *(str(number) for one in ids for number in one)])


def _text(ids: tuple[tuple[int, int, int], ...]) -> str:
    return "".join(f"{inside} {outside} {size}\n" for inside, outside, size in ids)


def _help(program: str, arguments: list[str]) -> None:
    for folder in HELPER_FOLDERS:
        path = f"{folder}/{program}"
        try:
            child = posix.posix_spawn(path, [program, *arguments], {})
        except FileNotFoundError:
            continue
        _, status = posix.waitpid(child, 0)
        if status:
            raise HardenError(
                f"{program} refused the id range",
                where="/etc/subuid, /etc/subgid",
                how=f"it needs a range of your own and the set-user-id bit or file capabilities on {path}",
            )
        return
    raise HardenError(f"{program} is not installed", how="install the package uidmap, or map only your own id")
