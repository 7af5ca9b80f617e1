"""The walls around a process as they are: read from the kernel, process by process, and not from what somebody has planned.

Nothing is entered for it. Names in the container are looked up inside its root, so that a link of its own leads to nothing of ours; what
is read of /proc/PID belongs to one process as long as the caller holds its pidfd.
"""

from __future__ import annotations

import posix

from hardener.linux import calls, mounting, procfs
from hardener.linux.consts import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS
from hardener.linux.mounting import O_PATH
from hardener.runtime import privileges
from hardener.runtime.hits import human
from hardener.runtime.namespaces import FILES, KINDS
from hardener.runtime.usage import UNLIMITED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from hardener.linux.procfs import MountPoint
    from hardener.runtime.cgroups import Layout

# Filesystems of the kernel, which show as writable and take no files.
KERNEL: Final = ("proc", "sysfs", "mqueue", "devpts", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "bpf")
_SETS: Final = {"CapBnd": "bounding", "CapPrm": "permitted", "CapEff": "effective", "CapInh": "inheritable", "CapAmb": "ambient"}


class Wall:
    """One wall: `closed` tells whether it stands as it does by default, `state` how it stands in a word, `detail` with what."""

    __slots__ = ("closed", "detail", "name", "state")

    def __init__(self, name: str, closed: bool, state: str, detail: str = "") -> None:
        self.name = name
        self.closed = closed
        self.state = state
        self.detail = detail


class _Seen:
    """What /proc says of a process, read once."""

    __slots__ = ("cgroups", "machine", "mounts", "pid", "status")

    def __init__(self, pid: int, machine: Layout) -> None:
        self.pid = pid
        self.machine = machine
        self.status = procfs.parse_status(procfs.read(f"/proc/{pid}/status"))
        self.mounts = {mount.point: mount for mount in procfs.parse_mounts(procfs.read(f"/proc/{pid}/mountinfo"))}
        self.cgroups = procfs.parse_cgroups(procfs.read(f"/proc/{pid}/cgroup"))

    def file(self, controller: str, name: str) -> str | None:
        """Return a file of the control group that has a controller; None without one: the root of a hierarchy limits nothing."""
        point, path = self.machine.v1.get(controller), self.cgroups.get(controller)
        if point is None:
            point, path = self.machine.unified, self.cgroups.get("")
        if point is None or path in (None, "/"):
            return None
        try:
            return procfs.read(f"{point}{path}/{name}").strip()
        except FileNotFoundError:
            return None

    def first(self, controller: str, *names: str) -> str | None:
        """Return the first file that is there: they have other names on v1 and v2."""
        return next((found for name in names if (found := self.file(controller, name)) is not None), None)


def read(pid: int, machine: Layout) -> list[Wall]:
    """Return the walls around a process."""
    seen = _Seen(pid, machine)
    return [*[_namespace(seen, kind) for kind in KINDS], *[look(seen) for look in _LOOKS]]


def _namespace(seen: _Seen, kind: str) -> Wall:
    file = FILES.get(kind, kind)
    theirs, ours = (posix.readlink(f"/proc/{who}/ns/{file}") for who in (seen.pid, "self"))
    own = theirs != ours
    more = {"user": _maps, "network": _interfaces, "pid": _processes}.get(kind)
    detail = theirs if more is None else more(seen)
    return Wall(f"{kind} namespace", own, "own" if own else "shared", detail if own else f"this machine's; {detail}")


def _maps(seen: _Seen) -> str:
    found = []
    for name in ("uid", "gid"):
        for line in procfs.read(f"/proc/{seen.pid}/{name}_map").splitlines():
            inside, outside, size = (int(word) for word in line.split())
            found.append(f"{name} {_range(inside, size)} is {_range(outside, size)}")
    return ", ".join(found) or "no id is mapped"


def _range(start: int, size: int) -> str:
    return str(start) if size == 1 else f"{start}-{start + size - 1}"


def _interfaces(seen: _Seen) -> str:
    lines = procfs.read(f"/proc/{seen.pid}/net/dev").splitlines()[2:]
    return f"interfaces {' '.join(sorted(line.partition(':')[0].strip() for line in lines)) or 'none'}"


def _processes(seen: _Seen) -> str:
    return f"process {seen.pid} is {seen.status['NSpid'].split()[-1]} inside"


def _user(seen: _Seen) -> Wall:
    uid, gid = seen.status["Uid"].split()[1], seen.status["Gid"].split()[1]
    root = uid == "0"
    groups = seen.status.get("Groups", "") or "none"
    state = "root of this machine" if root else "yours" if uid == str(posix.geteuid()) else "not root"
    return Wall("user", not root, state, f"uid {uid}, gid {gid}, groups {groups} of this machine")


def _capabilities(seen: _Seen) -> Wall:
    held = {name: int(seen.status[field], 16) for field, name in _SETS.items()}
    if not any(held.values()):
        return Wall("capabilities", True, "none", "all five sets are empty")
    sets: dict[int, list[str]] = {}
    for name, mask in held.items():
        if mask:
            sets.setdefault(mask, []).append(name)
    detail = "; ".join(f"{', '.join(names)}: {_names(mask)}" for mask, names in sets.items())
    return Wall("capabilities", False, f"{held['bounding'].bit_count()} held", detail)


def _names(mask: int) -> str:
    lacking = (1 << calls.last_capability() + 1) - 1 & ~mask
    if lacking.bit_count() < 4:
        return " ".join(["all but", *_plain(lacking)]) if lacking else "all"
    return " ".join(_plain(mask))


def _plain(mask: int) -> list[str]:
    return [name.removeprefix("CAP_") for name in privileges.names(mask)]


def _new_privileges(seen: _Seen) -> Wall:
    on = seen.status.get("NoNewPrivs") == "1"
    return Wall("no new privileges", on, "on" if on else "off", "" if on else "a set-user-id program can raise itself")


def _filter(seen: _Seen) -> Wall:
    mode = seen.status.get("Seccomp", "0")
    count = seen.status.get("Seccomp_filters", "")
    on = mode != "0"
    detail = {"1": "strict: read, write and exit", "2": f"{count or 'a'} filter{'s' if count not in ('', '1') else ''}"}.get(mode, "")
    return Wall("system calls", on, "filtered" if on else "all", detail)


def _root(seen: _Seen) -> Wall:
    mount = seen.mounts.get("/")
    if mount is None:
        return Wall("root", False, "unknown", "it is not mounted where the process is")
    fixed = not _writable(mount)
    kept = [option for option in ("nosuid", "nodev", "noexec") if option in mount.options]
    return Wall("root", fixed, "read-only" if fixed else "writable", " ".join([mount.fstype, *kept]))


def _places(seen: _Seen) -> Wall:
    found = [
        f"{point} ({_size(mount)})"
        for point, mount in sorted(seen.mounts.items())
        if _writable(mount) and mount.fstype not in KERNEL and point != "/" and not _is_mask(mount) and not point.startswith("/dev/")
    ]
    found += [f"{point} ({_size(mount)})" for point, mount in seen.mounts.items() if point == "/dev/shm" and _writable(mount)]  # noqa: S108  # nosec B108
    return Wall("writable places", True, f"{len(found)} places", ", ".join(found))


def _writable(mount: MountPoint) -> bool:
    return "rw" in mount.options and "rw" in mount.super_options


def _size(mount: MountPoint) -> str:
    size = next((option.removeprefix("size=") for option in mount.super_options if option.startswith("size=")), "")
    number = size.rstrip("kKmMgG")
    if not number.isdigit():
        return mount.fstype
    return f"{mount.fstype} {human(int(number) << {'k': 10, 'm': 20, 'g': 30}.get(size[-1].lower(), 0))}"


def _is_mask(mount: MountPoint) -> bool:
    kernel = mount.point.startswith(("/proc/", "/sys/")) and not mount.point.startswith("/sys/fs/cgroup")
    return mount.root.endswith("/null") or (kernel and mount.fstype == "tmpfs")


def _masks(seen: _Seen) -> Wall:
    found = sorted(point for point, mount in seen.mounts.items() if _is_mask(mount) and not point.startswith("/dev/"))
    return Wall("masked files", bool(found), f"{len(found)} paths", " ".join(found))


def _fixed(seen: _Seen) -> Wall:
    found = [
        point
        for point, mount in sorted(seen.mounts.items())
        if point.startswith(("/proc", "/sys")) and not _is_mask(mount) and not _writable(mount) and mount.fstype in ("proc", "sysfs")
    ]
    covered = "/proc/sys" in found or "/proc" in found or "/proc" not in seen.mounts
    return Wall("kernel parameters", covered, "read-only" if covered else "writable", " ".join(found))


def _devices(seen: _Seen) -> Wall:
    """List the nodes of /dev, looked up inside the root of the process."""
    root = posix.open(f"/proc/{seen.pid}/root", O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        folder = mounting.open_in(root, "/dev", posix.O_RDONLY | posix.O_DIRECTORY, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    except OSError:
        return Wall("devices", True, "none", "there is no /dev")
    finally:
        posix.close(root)
    try:
        found = [
            name for name in sorted(posix.listdir(folder)) if posix.lstat(name, dir_fd=folder).st_mode & 0o170000 in (0o020000, 0o060000)
        ]
    finally:
        posix.close(folder)
    harmless = {"full", "null", "ptmx", "random", "tty", "urandom", "zero"} >= {*found}
    return Wall("devices", harmless, f"{len(found)} nodes", " ".join(found))


def _memory(seen: _Seen) -> Wall:
    limit = _number(seen.first("memory", "memory.max", "memory.limit_in_bytes"))
    used = _number(seen.first("memory", "memory.current", "memory.usage_in_bytes")) or 0
    if limit is None:
        return Wall("memory", False, "no limit")
    return Wall("memory", True, human(limit), f"{human(used)} used")


def _pids(seen: _Seen) -> Wall:
    limit = _number(seen.first("pids", "pids.max"))
    used = _number(seen.first("pids", "pids.current")) or 0
    if limit is None:
        return Wall("processes", False, "no limit")
    return Wall("processes", True, str(limit), f"{used} used")


def _cpus(seen: _Seen) -> Wall:
    quota, period = None, None
    if (both := seen.first("cpu", "cpu.max")) is not None:
        words = both.split()
        quota, period = _number(words[0]), int(words[1])
    elif (text := seen.first("cpu", "cpu.cfs_quota_us")) is not None:
        quota, period = _number(text), _number(seen.first("cpu", "cpu.cfs_period_us"))
    used = _cpu_seconds(seen)
    if quota is None or not period:
        return Wall("processors", False, "no limit", used)
    return Wall("processors", True, f"{quota / period:g}", used)


def _cpu_seconds(seen: _Seen) -> str:
    if (text := seen.first("cpu", "cpu.stat")) is not None and "usage_usec" in text:
        return f"{int(dict(line.split() for line in text.splitlines())['usage_usec']) / 1e6:.2f} s used"
    used = _number(seen.first("cpuacct", "cpuacct.usage"))
    return "" if used is None else f"{used / 1e9:.2f} s used"


def _number(text: str | None) -> int | None:
    """Return a limit; None for none, which v2 calls max, and v1 -1 or the largest number of pages there is."""
    if text is None or not text.isdigit() or int(text) >= UNLIMITED:
        return None
    return int(text)


def _dumps(seen: _Seen) -> Wall:
    line = next((line for line in procfs.read(f"/proc/{seen.pid}/limits").splitlines() if line.startswith("Max core file size")), "")
    limit = line.removeprefix("Max core file size").split()
    off = limit[1:2] in (["0"], ["1"])  # 1: rlimits.py says why
    return Wall("core dumps", off, "off" if off else "on", "" if off else f"up to {' '.join(limit[1:2])} bytes")


def _label(seen: _Seen) -> Wall:
    try:
        label = procfs.read(f"/proc/{seen.pid}/attr/current").strip().rstrip("\0")
    except OSError:  # EINVAL: no security module has labels
        label = ""
    free = label in ("", "unconfined")
    return Wall("security label", not free, "none" if free else "confined", label or "this machine has no AppArmor or SELinux")


def _descriptors(seen: _Seen) -> Wall:
    """Find what is open of this machine's files: their mounts are not among the container's."""
    lines = procfs.read(f"/proc/{seen.pid}/mountinfo").splitlines()
    inside = {line.split(" ", 1)[0] for line in lines}
    found: list[str] = []
    streams: list[str] = []
    for name in sorted(posix.listdir(f"/proc/{seen.pid}/fd"), key=int):
        try:
            target = posix.readlink(f"/proc/{seen.pid}/fd/{name}")
            info = procfs.parse_status(procfs.read(f"/proc/{seen.pid}/fdinfo/{name}"))
        except FileNotFoundError:  # closed meanwhile
            continue
        if target.startswith("/") and info.get("mnt_id") not in inside:
            (streams if int(name) < 3 else found).append(f"{name} {target}")
    if found:
        return Wall("this machine's files", False, f"{len(found)} open", ", ".join(found))
    return Wall("this machine's files", True, "none", f"but its standard streams: {', '.join(streams)}" if streams else "")


_LOOKS: Final[tuple[Callable[[_Seen], Wall], ...]] = (
    *(_user, _capabilities, _new_privileges, _filter, _root, _places, _masks, _fixed, _devices, _descriptors),
    *(_memory, _pids, _cpus, _dumps, _label),
)
