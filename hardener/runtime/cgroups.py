"""Limits of memory, processes and processors: a cgroup of the container's own, on v2, v1 or both (hybrid).

`plan` knows the layout of this machine as a value, so it is pure: tests give it other machines. A limit that has no controller to enforce
it is an error, never dropped. How a group ends is in group_ends.py, what an ordinary user may do in delegation.py.

memory.oom.group stays off, as with docker: where memory runs out the kernel kills one process, and a server survives the loss of a
worker; `unified: {memory.oom.group: "1"}` asks for all to go.

Source: docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import procfs
from hardener.runtime import limits, sync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from hardener.oci.runtime import Resources, Spec
    from hardener.runtime.device_rules import Devices
    from hardener.runtime.limits import Write

PARENT: Final = "harden"
EPERM, ENOENT, EACCES, EBUSY, ENODEV, EINVAL, EROFS, ERANGE, ENOTEMPTY, EOPNOTSUPP = 1, 2, 13, 16, 19, 22, 30, 34, 39, 95
_ATTEMPTS = 100
# A controller of version 1 that has another name in version 2.
_RENAMED: Final = {"blkio": "io"}
# What `harden stats` and `harden pause` need of version 1, where each is a hierarchy of its own.
_WATCHED: Final = ("freezer", "cpuacct", "blkio", "memory", "pids")
# Files of version 2 that belong to no controller and limit something.
_CORE_LIMITS: Final = ("cgroup.max.depth", "cgroup.max.descendants")


class Layout:
    """Where the hierarchies are mounted: v1 by controller, and the unified one with the controllers it offers.

    `bases` say below which group of each mount we may make ours: '' is the whole hierarchy. A mount that is not in it offers us nothing,
    for the reason `refusal`. `above` are the groups of the unified hierarchy over our base that hand controllers down, highest first.
    """

    __slots__ = ("above", "bases", "controllers", "refusal", "unified", "v1")

    def __init__(self, v1: dict[str, str], unified: str | None, controllers: tuple[str, ...]) -> None:
        self.v1 = v1
        self.unified = unified
        self.controllers = controllers
        self.bases = dict.fromkeys([*v1.values(), *([unified] if unified is not None else [])], "")
        self.above: tuple[str, ...] = ()
        self.refusal: tuple[str, str] = ("", "")  # where, how


class Group:
    """One directory to make, what to write into it, and what hands it its controllers.

    `mount` is the directory that our part of the hierarchy begins at, `enable` the controllers, `above` the groups above `mount` that have
    to offer them.
    """

    __slots__ = ("above", "devices", "directory", "enable", "made", "mount", "writes")

    def __init__(self, mount: str, path: str, writes: Sequence[Write], enable: tuple[str, ...] = (), above: tuple[str, ...] = ()) -> None:
        self.mount = mount
        self.directory = f"{mount}{path}"
        self.writes = tuple(writes)
        self.enable = enable
        self.above = above
        self.devices: Devices | None = None  # decided by an eBPF program
        self.made: list[str] = []  # the directories that were not there before, topmost first


class Cgroups:
    """All groups of one container; `unified` is the directory that clone3 can start the child in.

    `ours` says that the names were chosen by us, so that a group of that name without processes is what a killed launcher has left.
    """

    __slots__ = ("groups", "ours", "unified")

    def __init__(self, groups: tuple[Group, ...], unified: str | None, *, ours: bool = True) -> None:
        self.groups = groups
        self.unified = unified
        self.ours = ours

    @property
    def directories(self) -> tuple[str, ...]:
        """Return the directories of the groups, as a record keeps them."""
        return tuple([group.directory for group in self.groups])

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        found = []
        for group in self.groups:
            found += [f"{group.directory}/{file} = {value}" for file, value, *_ in group.writes]
            if group.devices is not None:
                found.append(f"{group.directory} {group.devices.line()}")
        return found


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
    """Return the layout of this machine, and what of it is ours to use."""
    mounts = procfs.parse_mounts(procfs.read("/proc/self/mountinfo"))
    unified = next((mount.point for mount in mounts if mount.fstype == "cgroup2"), None)
    found = layout(mounts, procfs.read(f"{unified}/cgroup.controllers") if unified else "")
    if posix.geteuid() or not all(posix.access(point, posix.W_OK) for point in found.bases):
        from hardener.runtime import delegation

        delegation.apply(found, mounts)
    return found


def plan(spec: Spec, machine: Layout, name: str, *, freezer: bool = False) -> Cgroups | None:
    """Return the groups of a container; None when it has no limits.

    With `freezer` it has all groups that pausing and watching it takes, as far as they are ours to make.
    """
    linux = spec.linux
    asked = linux.cgroups_path if linux else None
    path, whole = _path(asked, name)
    v1: dict[str, list[Write]] = {}
    v2: list[tuple[str, ...]] = []  # a controller and what to write
    devices = None
    if linux is not None and linux.resources is not None:
        devices = _limits(spec, linux.resources, machine, v1, v2)
    # /sys/fs/cgroup inside shows the container's own groups and no others, so it must have one in each hierarchy.
    everywhere = any(mount.type in ("cgroup", "cgroup2") for mount in spec.mounts)
    wanted = [*machine.v1] if everywhere else _WATCHED if freezer else ()
    for controller in wanted:
        mount = machine.v1.get(controller)
        if mount is not None and machine.bases.get(mount) is not None:
            v1.setdefault(mount, [])
    groups = [Group(f"{mount}{_base(machine, mount, whole=whole)}", path, writes) for mount, writes in v1.items()]
    unified = None
    if machine.unified is not None and (v2 or devices or ((everywhere or freezer) and machine.bases.get(machine.unified) is not None)):
        base = _base(machine, machine.unified, whole=whole)
        enable = tuple(dict.fromkeys(row[0] for row in v2 if row[0] != "cgroup"))
        groups.append(Group(f"{machine.unified}{base}", path, [row[1:] for row in v2], enable, () if whole else machine.above))
        groups[-1].devices = devices
        unified = groups[-1].directory
    return Cgroups(tuple(groups), unified, ours=asked is None) if groups else None


def _limits(spec: Spec, resources: Resources, machine: Layout, v1: dict[str, list[Write]], v2: list[tuple[str, ...]]) -> Devices | None:
    """Sort limits into the hierarchies that keep them; return what is for a program to decide."""
    devices = None
    # In a user namespace no device can be made, and nothing is mounted with devices but the few that we put into /dev.
    apart = any(namespace.type == "user" for namespace in (spec.linux.namespaces if spec.linux else ()))
    if resources.devices and not apart:
        from hardener.runtime import device_rules

        rules = device_rules.understand(resources.devices)
        if "devices" in machine.v1:
            v1.setdefault(machine.v1["devices"], []).extend(rules.files())
        elif machine.unified is not None:
            devices = rules
        else:
            raise _unkept("devices", machine)
    for controller, old, new in limits.translate(resources):
        modern = _RENAMED.get(controller, controller)
        if controller in machine.v1:
            v1.setdefault(machine.v1[controller], []).extend(old)
        elif isinstance(new, str) and not machine.v1:
            raise HardenError(f"{new} is a limit of cgroup v1 alone, and this machine has v2", where="linux.resources", how="leave it out")
        elif modern in machine.controllers and not isinstance(new, str):
            v2.extend([(modern, *write) for write in new])
        else:
            raise _unkept(controller, machine)
    for file, value in (resources.unified or {}).items():
        controller = file.partition(".")[0]
        if "/" in file or (controller not in machine.controllers and file not in _CORE_LIMITS) or machine.unified is None:
            raise HardenError(f"{file!r} is no file of a cgroup v2 controller here", where="linux.resources.unified")
        v2.append((controller, file, value))
    return devices


def _unkept(controller: str, machine: Layout) -> HardenError:
    where, how = machine.refusal
    if how:
        return HardenError(f"the limits cannot be enforced: no cgroup with the controller {controller} is yours", where=where, how=how)
    return HardenError(
        f"this machine cannot limit {controller}: no cgroup hierarchy has that controller",
        where="linux.resources",
        how="mount the cgroup filesystem, or leave the limit out",
    )


def _base(machine: Layout, mount: str, *, whole: bool) -> str:
    base = machine.bases.get(mount)
    if whole and base is not None:
        return ""
    if base is None:
        where, how = machine.refusal
        raise HardenError(
            "the limits cannot be enforced: no cgroup there is yours", where=where if mount == machine.unified else mount, how=how
        )
    return base


def _path(asked: str | None, name: str) -> tuple[str, bool]:
    """Return the path of the groups, and whether it starts from the top of a hierarchy rather than from where we may make groups."""
    path = asked or f"{PARENT}/{name}"
    parts = path.strip("/").split("/")
    if ":" in path and "/" not in path:
        raise HardenError(
            f"{path!r} is a systemd path, and hardener makes its groups itself",
            where="linux.cgroupsPath",
            how=f"give a path like /{path.replace(':', '/')}; with docker: --exec-opt native.cgroupdriver=cgroupfs",
        )
    if any(part in ("", ".", "..") for part in parts):
        raise HardenError(f"{path!r} is not a path below a cgroup hierarchy", where="linux.cgroupsPath", how="write one like /group/name")
    return "/" + "/".join(parts), path.startswith("/")


def writable(machine: Layout, controller: str) -> bool:
    """Tell whether we may make groups that have a controller, as far as the file system says."""
    point = machine.v1.get(controller)
    if point is None:
        point = machine.unified if _RENAMED.get(controller, controller) in machine.controllers else None
    return point is not None and (base := machine.bases.get(point)) is not None and posix.access(f"{point}{base}", posix.W_OK)


# --- effects ------------------------------------------------------------------------------------------------------------------


def create(plan: Cgroups) -> None:
    """Make the groups and write their limits; what was made is removed again when that fails."""
    try:
        for group in plan.groups:
            _make(group, ours=plan.ours)
            for write in group.writes:
                _write(group, *write)
            if group.devices is not None:
                from hardener.linux import ebpf

                ebpf.attach_device_program(group.directory, group.devices.program())
    except (OSError, HardenError) as error:
        remove(plan)
        if isinstance(error, OSError) and error.errno in (EPERM, EACCES, EROFS):
            raise HardenError(
                f"the limits cannot be enforced: {sync.describe(error)}",
                where="linux.resources",
                how="run as root, or go without by name: harden run --allow-unenforced memory|pids|cpu",
            ) from error
        raise


def _make(group: Group, *, ours: bool) -> None:
    # Another launch may remove the common parent between our two calls; then we make it anew.
    for _ in range(_ATTEMPTS):
        at = group.mount
        try:
            for above in group.above:
                _enable(above, group.enable)
            for part in group.directory[len(group.mount) :].strip("/").split("/"):
                if group.enable:
                    _enable(at, group.enable, vacate=at == group.mount)
                at = f"{at}/{part}"
                fresh = _mkdir(at)
                if fresh:
                    group.made.append(at)
                    _inherit_cpuset(at)
        except OSError as error:
            if error.errno in (ENOENT, ENODEV):  # before a file of it was open, and after
                continue
            raise
        if not fresh:
            if ours and _take_over(at):
                continue
            raise HardenError(
                f"the cgroup {group.directory} exists already", where="linux.cgroupsPath", how="is a container of this name running?"
            )
        return
    raise OSError(EBUSY, f"mkdir({group.directory}): its parent vanishes again and again")


def _take_over(directory: str) -> bool:
    """Remove a group of our name that a killed launcher has left; False when somebody lives there."""
    from hardener.runtime import group_ends

    return group_ends.remove_unused(directory)


def _enable(directory: str, controllers: Iterable[str], *, vacate: bool = False) -> None:
    """Let the groups below a directory have controllers."""
    path = f"{directory}/cgroup.subtree_control"
    there = procfs.read(path).split()
    missing = " ".join([f"+{name}" for name in controllers if name not in there])
    if not missing:
        return
    if vacate and posix.access(f"{directory}/cgroup.type", posix.F_OK):  # the root of all groups, which has none, may have processes too
        from hardener.runtime import delegation

        delegation.vacate(directory)
    try:
        procfs.write(path, missing)
    except OSError as error:
        if error.errno == ENOENT and posix.access(path, posix.F_OK):
            offered = procfs.read(f"{directory}/cgroup.controllers").strip()
            raise HardenError(
                f"the controllers {missing} are not handed down to this cgroup, which has {offered or 'none'}",
                where=directory,
                how="let systemd do so: systemctl edit user@.service, [Service] Delegate=cpu cpuset io memory pids",
            ) from error
        raise


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
            given = procfs.read(f"{parent}/{file}")
            if not given.strip() and parent.endswith(f"/{PARENT}"):  # another launch has just made it
                _inherit_cpuset(parent)
                given = procfs.read(f"{parent}/{file}")
            procfs.write(f"{directory}/{file}", given)


def _write(group: Group, file: str, value: str, *instead: str) -> None:
    try:
        procfs.write(f"{group.directory}/{file}", value)
    except OSError as error:
        if error.errno == ENOENT and instead:
            _write(group, *instead)
        elif error.errno == ENOENT:
            if file in limits.SWAP_FILES and _no_swap():
                return  # nothing to limit: the kernel cannot account swap, and there is none
            raise HardenError(
                f"this kernel has no limit {file}", where=group.directory, how=_LACKING.get(file, "leave the limit out")
            ) from error
        elif error.errno in (EINVAL, ERANGE, EOPNOTSUPP, EBUSY):
            raise HardenError(
                f"the kernel refuses {value!r} for {file}: {posix.strerror(error.errno)}", where=group.directory, how="give another value"
            ) from error
        else:
            raise


_LACKING: Final = {
    "memory.memsw.limit_in_bytes": "boot with swapaccount=1, or leave the limit of swap out",
    "memory.swap.max": "boot with swapaccount=1, or leave the limit of swap out",
    "blkio.weight": "weights need the BFQ scheduler: modprobe bfq",
    "blkio.weight_device": "weights need the BFQ scheduler: modprobe bfq",
    "io.weight": "weights need the BFQ scheduler or iocost: modprobe bfq",
}


def _no_swap() -> bool:
    return len(procfs.read("/proc/swaps").splitlines()) < 2


def doors(plan: Cgroups) -> tuple[int, ...]:
    """Return open files through which a process without threads goes into the groups on v1, by itself (`go_in`)."""
    opened: list[int] = []
    try:
        paths = (f"{group.directory}/tasks" for group in plan.groups if group.directory != plan.unified)
        opened.extend(posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC) for path in paths)  # those before one that fails stay in it
    except OSError:
        close(opened)
        raise
    return tuple(opened)


def go_in(opened: Iterable[int]) -> None:
    """Move this process through doors, and close them.

    Who moves itself and no threads needs no lock over all forks of the machine, for which the kernel waits 10 ms whenever nobody has just
    moved (`cgroup_procs_write_start` in kernel/cgroup/cgroup.c).
    """
    for fd in opened:
        posix.write(fd, b"0")
    close(opened)


def close(opened: Iterable[int]) -> None:
    """Close doors."""
    for fd in opened:
        posix.close(fd)


def attach(plan: Cgroups, pid: int, *, born_inside: bool = False, gone_in: bool = False) -> None:
    """Move a process into the groups in which it is not yet: `born_inside` the unified one, `gone_in` (through doors) those of v1."""
    for group in plan.groups:
        if not (born_inside if group.directory == plan.unified else gone_in):
            procfs.write(f"{group.directory}/cgroup.procs", str(pid))


def hits(plan: Cgroups) -> list[str]:
    """Return which limits the container ran into, in sentences for its user."""
    found = []
    for group in plan.groups:
        for file, key, limit in _COUNTERS:
            if any(write[0] == limit for write in group.writes) and (count := counter(f"{group.directory}/{file}", key)):
                from hardener.runtime import hits as report

                found.append(report.sentence(group.directory, limit, count))
    return found


def oom_killed(plan: Cgroups) -> bool:
    """Tell whether the kernel has killed a process of the container for want of memory."""
    return any(
        counter(f"{group.directory}/{file}", key) > 0
        for group in plan.groups
        for file, key, limit in _COUNTERS
        if key == "oom_kill" and any(write[0] == limit for write in group.writes)
    )


# The file that counts, the line of it, and the limit that it tells of.
_COUNTERS: Final = (
    ("memory.oom_control", "oom_kill", "memory.limit_in_bytes"),
    ("memory.events", "oom_kill", "memory.max"),
    ("pids.events", "max", "pids.max"),
)


def counter(path: str, key: str) -> int:
    """Return a number from a file of lines `key number`; 0 when it has no such line."""
    rows = (line.split() for line in procfs.read(path).splitlines())
    return next((int(row[1]) for row in rows if len(row) == 2 and row[0] == key), 0)


def remove(plan: Cgroups) -> None:
    """Remove the groups that we have made, with whatever is left in them, and the folders above that nobody uses any more."""
    for group in plan.groups:
        while group.made:
            directory = group.made.pop()
            if _rmdir(directory) or directory != group.directory:
                continue
            from hardener.runtime import group_ends

            group_ends.end(directory)
        parent = group.directory.rpartition("/")[0]
        if parent == f"{group.mount}/{PARENT}" and not _rmdir(parent):
            from hardener.runtime import group_ends

            group_ends.sweep(parent)


def _rmdir(directory: str) -> bool:
    """Remove a directory; False when it is in use."""
    try:
        posix.rmdir(directory)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (EBUSY, ENOTEMPTY):
            raise
        return False
    return True
