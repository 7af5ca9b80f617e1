"""Limits of memory, processes and processors: a cgroup of the container's own, on v2, v1 or both (hybrid).

`plan` knows the layout of this machine as a value, so it is pure: tests give it other machines. A limit that has no controller to enforce
it is an error, never dropped. Source: docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import procfs
from hardener.runtime import limits, sync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from hardener.oci.runtime import Spec

PARENT: Final = "harden"
EBUSY, ENOTEMPTY = 16, 39
_ATTEMPTS = 100


class Layout:
    """Where the hierarchies are mounted: v1 by controller, and the unified one with the controllers it offers."""

    __slots__ = ("controllers", "unified", "v1")

    def __init__(self, v1: dict[str, str], unified: str | None, controllers: tuple[str, ...]) -> None:
        self.v1 = v1
        self.unified = unified
        self.controllers = controllers


class Group:
    """One directory to make, what to write into it, and the files of its ancestors that hand it its controllers."""

    __slots__ = ("directory", "enable", "mount", "writes")

    def __init__(self, mount: str, path: str, writes: Sequence[tuple[str, str]], enable: tuple[str, ...] = ()) -> None:
        self.mount = mount
        self.directory = f"{mount}{path}"
        self.writes = tuple(writes)
        self.enable = enable


class Cgroups:
    """All groups of one container; `unified` is the directory that clone3 can start the child in."""

    __slots__ = ("groups", "unified")

    def __init__(self, groups: tuple[Group, ...], unified: str | None) -> None:
        self.groups = groups
        self.unified = unified

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        return [f"{group.directory}/{file} = {value}" for group in self.groups for file, value in group.writes]


def layout(mounts: Sequence[procfs.MountPoint], controllers: str = "") -> Layout:
    """Return the layout that a mount table shows; `controllers` is the text of cgroup.controllers of the unified hierarchy."""
    v1: dict[str, str] = {}
    unified = None
    for mount in mounts:
        if mount.fstype == "cgroup":
            v1 |= {option.removeprefix("name="): mount.point for option in mount.super_options}
        elif mount.fstype == "cgroup2":
            unified = mount.point
    return Layout(v1, unified, tuple(controllers.split()))


def read_layout() -> Layout:
    """Return the layout of this machine."""
    mounts = procfs.parse_mounts(procfs.read("/proc/self/mountinfo"))
    unified = next((mount.point for mount in mounts if mount.fstype == "cgroup2"), None)
    return layout(mounts, procfs.read(f"{unified}/cgroup.controllers") if unified else "")


def plan(spec: Spec, machine: Layout, name: str) -> Cgroups | None:
    """Return the groups of a container; None when it has no limits."""
    resources = spec.linux.resources if spec.linux else None
    if resources is None:
        return None
    path = _path(spec.linux.cgroups_path if spec.linux else None, name)
    v1: dict[str, list[tuple[str, str]]] = {}
    v2: list[tuple[str, str, str]] = []
    # In a user namespace no device can be made, and nothing is mounted with devices but the few that we put into /dev.
    apart = any(namespace.type == "user" for namespace in (spec.linux.namespaces if spec.linux else ()))
    for controller, old, new in limits.translate(resources, apart=apart):
        if controller == "devices" and controller not in machine.v1:
            _need_no_device_rules(spec)
        elif controller in machine.v1:
            v1.setdefault(machine.v1[controller], []).extend(old)
        elif controller in machine.controllers:
            v2.extend((controller, file, value) for file, value in new)
        else:
            raise HardenError(
                f"this machine cannot limit {controller}: no cgroup hierarchy has that controller",
                where="linux.resources",
                how="mount the cgroup filesystem, or leave the limit out",
            )
    for file, value in (resources.unified or {}).items():
        controller = file.partition(".")[0]
        if "/" in file or controller not in machine.controllers:
            raise HardenError(f"{file!r} is no file of a cgroup v2 controller here", where="linux.resources.unified")
        v2.append((controller, file, value))
    groups = [Group(mount, path, writes) for mount, writes in v1.items()]
    unified = None
    if v2 and machine.unified is not None:
        unified = f"{machine.unified}{path}"
        groups.append(
            Group(machine.unified, path, [(file, value) for _, file, value in v2], tuple({controller for controller, _, _ in v2}))
        )
    return Cgroups(tuple(groups), unified) if groups else None


def _need_no_device_rules(spec: Spec) -> None:
    # Without CAP_MKNOD it is the same as in a user namespace.
    bounding = spec.process.capabilities.bounding if spec.process and spec.process.capabilities else ()
    if "CAP_MKNOD" in bounding:
        raise HardenError(
            "this machine cannot limit devices: CAP_MKNOD needs the devices controller of cgroup v1",
            where="linux.resources.devices",
            how="drop CAP_MKNOD, or add a user namespace",
        )


def _path(asked: str | None, name: str) -> str:
    path = asked or f"/{PARENT}/{name}"
    parts = path.strip("/").split("/")
    if ":" in path and "/" not in path:
        raise HardenError(f"{path!r} is a systemd path", where="linux.cgroupsPath", how="give a path like /group/name")
    if any(part in ("", ".", "..") for part in parts):
        raise HardenError(f"{path!r} is not a path below a cgroup hierarchy", where="linux.cgroupsPath")
    return "/" + "/".join(parts)


# --- effects ------------------------------------------------------------------------------------------------------------------


def create(plan: Cgroups) -> None:
    """Make the groups and write their limits; what was made is removed again when that fails."""
    try:
        for group in plan.groups:
            _make(group)
            for file, value in group.writes:
                _write(group, file, value)
    except OSError as error:
        remove(plan)
        if error.errno in (1, 13, 30):  # EPERM, EACCES, EROFS
            raise HardenError(
                f"the limits cannot be enforced: {sync.describe(error)}",
                where="linux.resources",
                how="run as root, or go without by name: harden run --allow-unenforced memory|pids|cpu",
            ) from error
        raise


def _make(group: Group) -> None:
    # Another launch may remove the common parent between our two calls; then we make it anew.
    for _ in range(_ATTEMPTS):
        at = group.mount
        try:
            for part in group.directory[len(group.mount) :].strip("/").split("/"):
                if group.enable:
                    procfs.write(f"{at}/cgroup.subtree_control", " ".join(f"+{name}" for name in group.enable))
                at = f"{at}/{part}"
                made = _mkdir(at)
                if made and at != group.directory:
                    _inherit_cpuset(at)
        except FileNotFoundError:
            continue
        if not made:
            raise HardenError(
                f"the cgroup {group.directory} exists already", where="linux.cgroupsPath", how="is a container of this name running?"
            )
        _inherit_cpuset(at)
        return
    raise OSError(EBUSY, f"mkdir({group.directory}): its parent vanishes again and again")


def _mkdir(path: str) -> bool:
    try:
        posix.mkdir(path, 0o755)
    except FileExistsError:
        return False
    return True


def _inherit_cpuset(directory: str) -> None:
    # On v1 a new cpuset is empty, and no process can enter an empty one.
    for file in ("cpuset.cpus", "cpuset.mems"):
        try:
            empty = not procfs.read(f"{directory}/{file}").strip()
        except FileNotFoundError:  # another controller
            return
        parent = directory.rpartition("/")[0]
        if empty and "cgroup.type" not in posix.listdir(directory):
            procfs.write(f"{directory}/{file}", procfs.read(f"{parent}/{file}"))


def _write(group: Group, file: str, value: str) -> None:
    try:
        procfs.write(f"{group.directory}/{file}", value)
    except FileNotFoundError:
        if file in ("memory.memsw.limit_in_bytes", "memory.swap.max") and _no_swap():
            return  # nothing to limit: the kernel cannot account swap, and there is none
        raise


def _no_swap() -> bool:
    return len(procfs.read("/proc/swaps").splitlines()) < 2


def attach(plan: Cgroups, pid: int, *, born_inside: bool = False) -> None:
    """Move a process into the groups; `born_inside` says that clone3 put it into the unified one."""
    for group in plan.groups:
        if not (born_inside and group.directory == plan.unified):
            procfs.write(f"{group.directory}/cgroup.procs", str(pid))


def hits(plan: Cgroups) -> list[str]:
    """Return which limits the container ran into."""
    found = []
    for group in plan.groups:
        for file, key, text in (
            ("memory.oom_control", "oom_kill", "memory: {} processes killed, the limit is {}"),
            ("memory.events", "oom_kill", "memory: {} processes killed, the limit is {}"),
            ("pids.events", "max", "pids: {} forks refused, the limit is {}"),
        ):
            limit = dict(group.writes).get(_LIMIT_OF[file])
            if limit is not None and (count := _counter(f"{group.directory}/{file}", key)):
                found.append(text.format(count, limit))
    return found


_LIMIT_OF: Final = {"memory.oom_control": "memory.limit_in_bytes", "memory.events": "memory.max", "pids.events": "pids.max"}


def _counter(path: str, key: str) -> int:
    rows = (line.split() for line in procfs.read(path).splitlines())
    return next((int(row[1]) for row in rows if len(row) == 2 and row[0] == key), 0)


def remove(plan: Cgroups) -> None:
    """Remove the groups, whose processes have ended, and the common parent when it is empty."""
    for group in plan.groups:
        _rmdir(group.directory, patient=True)
        parent = group.directory.rpartition("/")[0]
        if parent == f"{group.mount}/{PARENT}":
            _sweep(parent)
            _rmdir(parent)


def _sweep(parent: str) -> None:
    """Remove what launchers that were killed have left: groups named after a process that is no more."""
    try:
        names = posix.listdir(parent)
    except FileNotFoundError:
        return
    for name in names:
        pid = name.rpartition("-")[2]
        if pid.isdigit() and pid.isascii() and not _lives(pid):
            _rmdir(f"{parent}/{name}")


def _lives(pid: str) -> bool:
    try:
        posix.stat(f"/proc/{pid}")
    except FileNotFoundError:
        return False
    return True


def writable(machine: Layout, controller: str) -> bool:
    """Tell whether we may make groups that have a controller."""
    point = machine.v1.get(controller, machine.unified if controller in machine.controllers else None)
    return point is not None and posix.access(point, posix.W_OK)


def _rmdir(path: str, *, patient: bool = False) -> None:
    for attempt in range(200 if patient else 1):
        try:
            posix.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in (EBUSY, ENOTEMPTY):
                raise
            if not patient:  # somebody lives there
                return
            _pause(attempt)  # a process that was just reaped leaves its group a moment later
        else:
            return
    raise OSError(EBUSY, f"rmdir({path}): processes are left in it")


def _pause(attempt: int) -> None:
    from time import sleep

    sleep(min(0.0005 * 2**attempt, 0.05))
