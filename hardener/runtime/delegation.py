"""What of the control groups an ordinary user may use: the part of the hierarchy that an administrator or systemd has handed over.

On version 2 a process can only move groups within a part that is its user's, so all depends on the group that the launcher itself is in:

    chowned by an administrator     it is ours when we can write to it
    systemd, a delegated scope      it carries the mark user.delegate (systemd-run --user --scope -p Delegate=yes)
    systemd, any other unit         is systemd's own to arrange: what we make there, limits included, is undone at its next reload
    a login session                 belongs to root
    inside a container              the root of its own cgroup namespace, when it was mounted for writing

Groups with limits cannot lie beside processes of the group above (the rule of no internal processes), so those of our part are moved into
a leaf of it: their limits stay the same. Version 1 has no such rule, and no delegation to users either but what was chowned.

Source: docs.kernel.org/admin-guide/cgroup-v2.html, "Delegation"; systemd.io/CGROUP_DELEGATION.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import procfs
from hardener.runtime import group_ends

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from hardener.runtime.cgroups import Layout

LEAF: Final = "harden.self"
SCOPE: Final = "systemd-run --user --scope -p Delegate=yes harden run …"
MARK: Final = "user.delegate"
ENODATA, EOPNOTSUPP, ESRCH, EINVAL, EACCES = 61, 95, 3, 22, 13
_ATTEMPTS: Final = 20
_WITHOUT: Final = "go without by name: harden run --allow-unenforced memory --allow-unenforced pids --allow-unenforced cpu"


def apply(layout: Layout, mounts: Sequence[procfs.MountPoint]) -> None:
    """Say in a layout which parts of it are ours to use, and why the others are not."""
    own = procfs.parse_cgroups(procfs.read("/proc/self/cgroup"))
    roots = {mount.point: mount.root for mount in mounts if mount.fstype in ("cgroup", "cgroup2")}
    for point in dict.fromkeys(layout.v1.values()):
        group = next((below(own[name], roots[point]) for name, at in layout.v1.items() if at == point and name in own), None)
        base = "" if _ours(point, "cgroup.procs") else group if group and _ours(f"{point}{group}", "cgroup.procs") else None
        _set(layout, point, base)
    if layout.unified is not None and not _ours(layout.unified, "cgroup.subtree_control"):
        group = below(own.get("", "/"), roots[layout.unified])
        base = part(layout.unified, group)
        _set(layout, layout.unified, base)
        offered = f"{layout.unified}{base}"
        if base is not None:
            layout.above = above(layout.unified, base)
            offered = layout.above[0] if layout.above else offered
            layout.controllers = tuple(procfs.read(f"{offered}/cgroup.controllers").split())
        elif layout.controllers:
            layout.controllers = ()
        layout.refusal = f"{layout.unified}{group}", _advice(layout, group if base is None else None)
    else:
        layout.refusal = next(iter(layout.v1.values()), "cgroups"), _advice(layout, None)


def _set(layout: Layout, point: str, base: str | None) -> None:
    if base is None:
        layout.bases.pop(point, None)
    else:
        layout.bases[point] = base


def below(path: str, root: str) -> str:
    """Return the path of a group below a mount whose root is a group itself, '' for that one."""
    if root not in ("/", "") and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
    return path.rstrip("/")


def _ours(directory: str, *files: str) -> bool:
    return all(posix.access(path, posix.W_OK) for path in (directory, *(f"{directory}/{file}" for file in files)))


def part(mount: str, group: str) -> str | None:
    """Return the group below a mount that was handed over to us and holds our own; None when there is none."""
    if group.endswith(f"/{LEAF}"):
        group = group.rpartition("/")[0]
    systemd = _user_service(group)
    while _ours(f"{mount}{group}", "cgroup.procs", "cgroup.subtree_control"):
        if not systemd or not _marked(f"{mount}{systemd}") or (group != systemd and _marked(f"{mount}{group}")):
            return group
        if group in (systemd, ""):
            return None
        group = group.rpartition("/")[0]
    return None


def _user_service(group: str) -> str:
    """Return the group of the user's systemd that a group lies in; '' for none."""
    steps = group.split("/")
    for at, step in enumerate(steps):
        if step.startswith("user@") and step.endswith(".service"):
            return "/".join(steps[: at + 1])
    return ""


def _marked(directory: str) -> bool:
    try:
        return posix.getxattr(directory, MARK) == b"1"
    except OSError as error:
        if error.errno not in (ENODATA, EOPNOTSUPP):
            raise
        return False


def above(mount: str, group: str) -> tuple[str, ...]:
    """Return the groups above one that are ours too, and may have to hand controllers down; the highest first."""
    found: list[str] = []
    while group:
        group = group.rpartition("/")[0]
        if not group or not _ours(f"{mount}{group}", "cgroup.subtree_control"):
            break
        found.insert(0, f"{mount}{group}")
    return tuple(found)


def _advice(layout: Layout, group: str | None) -> str:
    """Say what a user can do; `group` is the own one of the unified hierarchy when it is not ours."""
    uid = posix.geteuid()
    if uid == 0:
        return f"the cgroup filesystem is read-only here: let it be mounted for writing, or {_WITHOUT}"
    if layout.v1 and not layout.controllers:
        return f"cgroup v1 is not for users: run as root, or {_WITHOUT}"
    if group is None:
        return f"let systemd hand down more: systemctl edit user@.service, [Service] Delegate=cpu cpuset io memory pids; or {_WITHOUT}"
    service = f"{layout.unified}/user.slice/user-{uid}.slice/user@{uid}.service"
    if group_ends.is_group(service):
        return f"start it in a part of the hierarchy that is yours: {SCOPE}; or {_WITHOUT}"
    if group_ends.is_group(f"{layout.unified}/user.slice") or group_ends.is_group(f"{layout.unified}/system.slice"):
        return f"let your user have services: loginctl enable-linger {uid}; then {SCOPE}; or {_WITHOUT}"
    return f"let an administrator make a cgroup, chown it to you and move your shell into it; or {_WITHOUT}"


def vacate(directory: str) -> None:
    """Move the processes of a group that is ours into a leaf below it, so that it can have groups with limits.

    It has to be done before controllers are handed down: some can be, beside processes, and then what is made below cannot be used.
    """
    leaf = f"{directory}/{LEAF}"
    for _ in range(_ATTEMPTS):
        pids = group_ends.members(directory)
        if not pids:
            return
        if "0" in pids:  # of a pid namespace that is not ours
            break
        _make(leaf)
        for pid in pids:
            try:
                procfs.write(f"{leaf}/cgroup.procs", pid)
            except OSError as error:
                if error.errno != ESRCH:
                    raise
    raise HardenError(
        "the limits cannot be enforced: the cgroup has processes that cannot be moved out of the way",
        where=directory,
        how=f"start hardener in a group of its own: {SCOPE}",
    )


def _make(leaf: str) -> None:
    try:
        posix.mkdir(leaf, 0o755)
    except FileExistsError:
        if not group_ends.is_group(leaf):  # otherwise another launch has made it
            raise
