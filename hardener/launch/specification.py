"""From what a user asks for to a specification.

A specification that says nothing gets every wall; each request takes exactly one thing away or adds one. It runs at
every start, so it imports what the executor imports and no more.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError, suggest
from hardener.launch import cache, roots, volumes
from hardener.linux import mounting, procfs
from hardener.linux.binding import MACHINE
from hardener.oci.runtime import (
    VERSION,
    Capabilities,
    Cpu,
    DeviceRule,
    IdMapping,
    Linux,
    Memory,
    Mount,
    Namespace,
    Pids,
    Process,
    Resources,
    Rlimit,
    Root,
    Spec,
    User,
)
from hardener.runtime import idmaps, privileges, users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.launch.request import Request

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PERIOD_US: Final = 100_000
NAMESPACES: Final = ("user", "mount", "pid", "network", "ipc", "uts", "cgroup", "time")

# Parts of /proc and /sys that tell of, or act on, the whole machine.
MASKED: Final = (
    *("/proc/acpi", "/proc/asound", "/proc/bus", "/proc/cmdline", "/proc/config.gz", "/proc/diskstats", "/proc/driver", "/proc/interrupts"),
    *("/proc/iomem", "/proc/ioports", "/proc/kallsyms", "/proc/kcore", "/proc/key-users", "/proc/keys", "/proc/kpagecgroup"),
    *(
        "/proc/kpagecount",
        "/proc/kpageflags",
        "/proc/latency_stats",
        "/proc/modules",
        "/proc/pagetypeinfo",
        "/proc/pressure",
        "/proc/sched_debug",
        "/proc/scsi",
    ),
    *(
        "/proc/slabinfo",
        "/proc/sysvipc",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/vmallocinfo",
        "/sys/firmware",
        "/sys/kernel/debug",
    ),
    *("/sys/kernel/notes", "/sys/kernel/slab", "/sys/kernel/tracing", "/sys/kernel/vmcoreinfo", "/sys/devices/virtual/powercap"),
)
READONLY: Final = ("/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

# In a network of its own every port is the container's: a server of port 80 needs no capability. Docker says the same.
PORTS: Final = {"net.ipv4.ip_unprivileged_port_start": "0"}


def specification(request: Request) -> Spec:
    """Return the specification for a request; looks into the root for the user's name."""
    if request.network not in ("none", "host"):
        how = suggest(request.network, ["none", "host"]) or "none (the default) or host; published ports and bridges are not there yet"
        raise HardenError(f"network {request.network!r} is not supported", where="--network", how=how)
    namespaces = [kind for kind in NAMESPACES if not (kind == "network" and request.network == "host")]
    uid_mappings, gid_mappings = _mappings()
    account = _account(request)
    return Spec(
        oci_version=VERSION,
        root=Root(path="/" if request.root == roots.HOST else request.root, readonly=not request.writable),
        hostname=request.hostname or request.name,
        process=_process(request, account),
        mounts=tuple(_mounts(request)),
        linux=Linux(
            namespaces=tuple([Namespace(type=kind) for kind in namespaces]),
            uid_mappings=uid_mappings,
            gid_mappings=gid_mappings,
            resources=_resources(request),
            masked_paths=MASKED + (roots.HIDDEN_FILES if request.root == roots.HOST else ()),
            readonly_paths=READONLY,
            sysctl=PORTS if request.network == "none" else None,
            seccomp=_filter(request),
        ),
    )


def _filter(request: Request) -> dict[str, object]:
    release = [int(number) for number in posix.uname().release.split("-")[0].split(".")[:2]]
    names = [f"CAP_{_capability(name)}" for name in request.capabilities]
    policy = cache.load("default", request.cache)
    return cache.filter_rules(
        policy.profile, policy.name, machine=MACHINE, kernel=(release[0], release[1]), capabilities=names, cache=request.cache
    )


def _mappings() -> tuple[tuple[IdMapping, ...], tuple[IdMapping, ...]]:
    uid, gid = posix.geteuid(), posix.getegid()
    texts = []
    for path in ("/etc/subuid", "/etc/subgid"):
        try:
            texts.append(procfs.read(path))
        except FileNotFoundError:
            texts.append("")
    name = ""
    if uid:
        rows = (line.split(":") for line in procfs.read("/etc/passwd").splitlines())
        name = next((row[0] for row in rows if len(row) > 2 and row[2] == str(uid)), "")
    return idmaps.default(uid, gid, name, *texts)


def _account(request: Request) -> users.Account:
    if not request.user:
        return users.Account(0, 0, (), "/")
    try:
        root_fd = mounting.open_path("/" if request.root == roots.HOST else request.root)
    except FileNotFoundError:
        raise HardenError("the root filesystem does not exist", where=request.root, how="give --rootfs a folder that is there") from None
    try:
        return users.resolve(request.user, users.database(root_fd, "/etc/passwd"), users.database(root_fd, "/etc/group"))
    finally:
        posix.close(root_fd)


def _process(request: Request, account: users.Account) -> Process:
    names = tuple([f"CAP_{name}" for name in dict.fromkeys(_capability(name) for name in request.capabilities)])
    held = Capabilities(bounding=names, effective=names, permitted=names, inheritable=names, ambient=names if account.uid else ())
    given = {entry.partition("=")[0] for entry in request.environment}
    defaults = [f"{key}={value}" for key, value in (("PATH", PATH), ("HOME", account.home), ("TERM", "xterm")) if key not in given]
    if not request.terminal:
        defaults = [entry for entry in defaults if not entry.startswith("TERM=")]
    return Process(
        args=tuple(request.arguments),
        cwd=request.cwd,
        env=(*defaults, *request.environment),
        user=User(uid=account.uid, gid=account.gid, additional_gids=account.groups),
        capabilities=held,
        no_new_privileges=True,
        terminal=request.terminal,
        rlimits=(Rlimit(type="RLIMIT_CORE", soft=0, hard=0),),
    )


def _capability(name: str) -> str:
    return privileges.names(1 << privileges.number(name, "--cap-add"))[0].removeprefix("CAP_")


def _resources(request: Request) -> Resources:
    return Resources(
        devices=(DeviceRule(allow=False, access="rwm"),),
        memory=Memory(limit=request.memory, swap=request.memory) if request.memory else None,
        pids=Pids(limit=request.pids) if request.pids else None,
        cpu=Cpu(quota=int(request.cpus * PERIOD_US), period=PERIOD_US) if request.cpus else None,
    )


def _mounts(request: Request) -> list[Mount]:
    quiet = ("nosuid", "nodev", "noexec")
    mounts = [
        Mount(destination="/proc", type="proc", source="proc", options=quiet),
        Mount(destination="/dev", type="tmpfs", source="tmpfs", options=("nosuid", "noexec", "ro", "mode=755", "size=64k")),
        Mount(
            destination="/dev/pts",
            type="devpts",
            source="devpts",
            options=("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
        ),
        Mount(destination="/dev/shm", type="tmpfs", source="shm", options=(*quiet, "mode=1777", "size=64m")),  # noqa: S108  # nosec B108
        Mount(destination="/dev/mqueue", type="mqueue", source="mqueue", options=quiet),
        Mount(destination="/sys", type="sysfs", source="sysfs", options=(*quiet, "ro")),
        Mount(destination="/tmp", type="tmpfs", source="tmpfs", options=(*quiet, "mode=1777", "size=64m")),  # noqa: S108  # nosec B108
        Mount(destination="/run", type="tmpfs", source="tmpfs", options=(*quiet, "mode=755", "size=16m")),
    ]
    if request.root == roots.HOST:
        mounts += roots.hiding(quiet)
    return mounts + [volumes.volume(text) for text in request.volumes]
