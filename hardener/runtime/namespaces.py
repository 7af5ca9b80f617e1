"""Which namespaces are new, which are joined, and the first steps inside."""

from __future__ import annotations

import posix

from hardener.errors import HardenError, suggest
from hardener.linux import calls, mounting
from hardener.linux.consts import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_PRIVATE,
    MS_REC,
    PR_SET_DUMPABLE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import IdMapping, Spec

# By the names of the specification: the flag, and the file below /proc/self/ns that shows where a child would be.
KINDS: Final = {
    "user": (CLONE_NEWUSER, "user"),
    "mount": (CLONE_NEWNS, "mnt"),
    "pid": (CLONE_NEWPID, "pid_for_children"),
    "network": (CLONE_NEWNET, "net"),
    "ipc": (CLONE_NEWIPC, "ipc"),
    "uts": (CLONE_NEWUTS, "uts"),
    "cgroup": (CLONE_NEWCGROUP, "cgroup"),
    "time": (CLONE_NEWTIME, "time_for_children"),
}
# Below /proc/PID/ns, where a file is not called as its kind.
FILES: Final = {"mount": "mnt", "network": "net"}


class Namespaces:
    """`flags` for clone(2); `joins` are (kind, path); `root_uid` and `root_gid` are who init is while it sets up.

    `late` are flags that clone(2) does not know, for init to make up for.
    """

    __slots__ = ("flags", "joins", "late", "root_gid", "root_uid")

    def __init__(self, flags: int, joins: tuple[tuple[str, str], ...], root_uid: int | None, root_gid: int | None) -> None:
        self.flags = flags
        self.joins = joins
        self.late = 0
        self.root_uid = root_uid
        self.root_gid = root_gid

    def has(self, kind: str) -> bool:
        """Tell whether a namespace of this kind is new."""
        return bool(self.flags & KINDS[kind][0])

    @property
    def at_birth(self) -> int:
        """Return the flags for clone(2)."""
        return self.flags & ~CLONE_NEWCGROUP & ~self.late

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        new = [kind for kind in KINDS if self.has(kind)]
        return [f"new: {' '.join(new) or 'none'}", *(f"join: {kind} {path}" for kind, path in self.joins)]


def plan(spec: Spec) -> Namespaces:
    """Say which namespaces are made and joined; an unknown kind, a double one, or no mount namespace is an error."""
    flags, joins, seen = 0, [], set()
    linux = spec.linux
    for namespace in linux.namespaces if linux else ():
        kind = namespace.type
        if kind not in KINDS:
            raise HardenError(
                f"unknown namespace {kind!r}", where="linux.namespaces", how=suggest(kind, [*KINDS]) or f"known: {', '.join(KINDS)}"
            )
        if kind in seen:
            raise HardenError(f"namespace {kind!r} is named twice", where="linux.namespaces", how="leave one of them")
        seen.add(kind)
        if not namespace.path:
            flags |= KINDS[kind][0]
        elif kind in ("user", "mount"):
            raise HardenError(
                f"hardener cannot join a {kind} namespace", where="linux.namespaces", how="leave its path out to make a new one"
            )
        else:
            joins.append((kind, namespace.path))
    if not flags & CLONE_NEWNS:
        raise HardenError("a container without a mount namespace would change the mounts of this machine", how="add {type: mount}")
    root_uid = root_gid = None
    if linux is not None and flags & CLONE_NEWUSER:
        root_uid = _first(linux.uid_mappings)
        root_gid = _first(linux.gid_mappings)
    return Namespaces(flags, tuple(joins), root_uid, root_gid)


def _first(mappings: tuple[IdMapping, ...]) -> int:
    ids = [mapping.container_id for mapping in mappings]
    if not ids:
        raise HardenError("a user namespace needs id mappings", where="linux.uidMappings, linux.gidMappings")
    return 0 if 0 in ids else ids[0]


class Entered:
    """Be in the namespaces to join for as long as a clone takes: the child is born there, and we come back."""

    __slots__ = ("back", "joins")

    def __init__(self, joins: tuple[tuple[str, str], ...]) -> None:
        self.joins = joins
        self.back: list[tuple[int, int, str]] = []

    def __enter__(self) -> Entered:
        try:
            for kind, path in self.joins:
                flag, file = KINDS[kind]
                home = posix.open(f"/proc/self/ns/{file}", posix.O_RDONLY | posix.O_CLOEXEC)
                self.back.append((home, flag, kind))
                there = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
                try:
                    calls.setns(there, flag, name=f"{kind} {path}")
                finally:
                    posix.close(there)
        except OSError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        while self.back:
            home, flag, kind = self.back.pop()
            calls.setns(home, flag, name=f"{kind}: back")
            posix.close(home)


def apply(plan: Namespaces) -> None:
    """Become the root user of the container, let nobody trace or read us, and cut the mounts off from this machine's."""
    if plan.flags & CLONE_NEWCGROUP:  # only now, in the container's groups: they are the root of what the namespace shows
        calls.unshare(CLONE_NEWCGROUP)
    calls.prctl(PR_SET_DUMPABLE, 0, name="PR_SET_DUMPABLE")  # who shares our pid namespace may have the ids that we are about to take
    if plan.root_uid is not None and plan.root_gid is not None:
        posix.setresgid(plan.root_gid, plan.root_gid, plan.root_gid)
        posix.setresuid(plan.root_uid, plan.root_uid, plan.root_uid)
    if plan.late:
        calls.unshare(plan.late)
        made = posix.open("/proc/self/ns/time_for_children", posix.O_RDONLY | posix.O_CLOEXEC)
        calls.setns(made, plan.late, name="time")
        posix.close(made)
    # Until execve: a process that joins the container must not reach our memory or descriptors (CVE-2016-9962).
    calls.prctl(PR_SET_DUMPABLE, 0, name="PR_SET_DUMPABLE")
    mounting.mount("", "/", "", MS_REC | MS_PRIVATE)
