"""`Spec`: the config.json of the OCI runtime specification 1.2, the only thing that the executor takes orders from.

Source: github.com/opencontainers/runtime-spec, config.md and config-linux.md. The classes say what a document holds; what hardener
cannot do of it is said by `unsupported()`, so that nothing asked for is silently left out.
"""

from __future__ import annotations

from hardener.oci.fields import ANYTHING, BOOLEAN, INTEGER, INTEGERS, STRING, STRINGS, WORDS, Fields, many, one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, Final

VERSION: Final = "1.2.0"
# What config.json has no field for, and we take from annotations.
OURS: Final = "dev.hardener."
INIT: Final = "dev.hardener.init"
"""`true`: our own process is the container's first one."""
LANDLOCK: Final = "dev.hardener.landlock"
"""`off`, `on` or `required`; what says nothing is on where the kernel has it."""
PERIOD_US: Final = 100_000
"""Of a quota of processors that has no period, as the kernel has it."""


class IdMapping(Fields):
    """A range of ids: `size` of them, from `container_id` inside and `host_id` outside."""

    __slots__ = ("container_id", "host_id", "size")
    TABLE: ClassVar = {"container_id": ("containerID!", INTEGER), "host_id": ("hostID!", INTEGER), "size": ("size!", INTEGER)}
    container_id: int
    host_id: int
    size: int


class User(Fields):
    """Who the process is, in ids of the container."""

    __slots__ = ("additional_gids", "gid", "uid", "umask", "username")
    TABLE: ClassVar = {
        "uid": ("uid", INTEGER),
        "gid": ("gid", INTEGER),
        "umask": ("umask", INTEGER),
        "additional_gids": ("additionalGids", INTEGERS),
        "username": ("username", STRING),
    }
    uid: int | None
    gid: int | None
    umask: int | None
    additional_gids: tuple[int, ...]
    username: str | None


class Capabilities(Fields):
    """The five sets, as `CAP_…` names."""

    __slots__ = ("ambient", "bounding", "effective", "inheritable", "permitted")
    TABLE: ClassVar = {name: (name, STRINGS) for name in __slots__}
    ambient: tuple[str, ...]
    bounding: tuple[str, ...]
    effective: tuple[str, ...]
    inheritable: tuple[str, ...]
    permitted: tuple[str, ...]


class Rlimit(Fields):
    """One resource limit; `type` is `RLIMIT_…`."""

    __slots__ = ("hard", "soft", "type")
    TABLE: ClassVar = {"type": ("type!", STRING), "soft": ("soft!", INTEGER), "hard": ("hard!", INTEGER)}
    type: str
    soft: int
    hard: int


class Process(Fields):
    """What is executed, and with which rights."""

    __slots__ = (
        *("apparmor_profile", "args", "capabilities", "console_size", "cwd", "env", "exec_cpu_affinity", "io_priority"),
        *("no_new_privileges", "oom_score_adj", "rlimits", "scheduler", "selinux_label", "terminal", "user"),
    )
    TABLE: ClassVar = {
        "terminal": ("terminal", BOOLEAN),
        "console_size": ("consoleSize", ANYTHING),
        "user": ("user", one(User)),
        "args": ("args", STRINGS),
        "env": ("env", STRINGS),
        "cwd": ("cwd!", STRING),
        "capabilities": ("capabilities", one(Capabilities)),
        "rlimits": ("rlimits", many(Rlimit)),
        "no_new_privileges": ("noNewPrivileges", BOOLEAN),
        "oom_score_adj": ("oomScoreAdj", INTEGER),
        "apparmor_profile": ("apparmorProfile", STRING),
        "selinux_label": ("selinuxLabel", STRING),
        "scheduler": ("scheduler", ANYTHING),
        "io_priority": ("ioPriority", ANYTHING),
        "exec_cpu_affinity": ("execCPUAffinity", ANYTHING),
    }
    terminal: bool | None
    console_size: object
    user: User | None
    args: tuple[str, ...]
    env: tuple[str, ...]
    cwd: str
    capabilities: Capabilities | None
    rlimits: tuple[Rlimit, ...]
    no_new_privileges: bool | None
    oom_score_adj: int | None
    apparmor_profile: str | None
    selinux_label: str | None
    scheduler: object
    io_priority: object
    exec_cpu_affinity: object


class Root(Fields):
    """Where the root filesystem lies; a relative path is relative to the bundle."""

    __slots__ = ("path", "readonly")
    TABLE: ClassVar = {"path": ("path!", STRING), "readonly": ("readonly", BOOLEAN)}
    path: str
    readonly: bool | None


class Mount(Fields):
    """One mount, in mount(8)'s words."""

    __slots__ = ("destination", "gid_mappings", "options", "source", "type", "uid_mappings")
    TABLE: ClassVar = {
        "destination": ("destination!", STRING),
        "type": ("type", STRING),
        "source": ("source", STRING),
        "options": ("options", STRINGS),
        "uid_mappings": ("uidMappings", many(IdMapping)),
        "gid_mappings": ("gidMappings", many(IdMapping)),
    }
    destination: str
    type: str | None
    source: str | None
    options: tuple[str, ...]
    uid_mappings: tuple[IdMapping, ...]
    gid_mappings: tuple[IdMapping, ...]


class Namespace(Fields):
    """A namespace to make, or with a path to join."""

    __slots__ = ("path", "type")
    TABLE: ClassVar = {"type": ("type!", STRING), "path": ("path", STRING)}
    type: str
    path: str | None


class Device(Fields):
    """A device node to provide."""

    __slots__ = ("file_mode", "gid", "major", "minor", "path", "type", "uid")
    TABLE: ClassVar = {
        "path": ("path!", STRING),
        "type": ("type!", STRING),
        "major": ("major", INTEGER),
        "minor": ("minor", INTEGER),
        "file_mode": ("fileMode", INTEGER),
        "uid": ("uid", INTEGER),
        "gid": ("gid", INTEGER),
    }
    path: str
    type: str
    major: int | None
    minor: int | None
    file_mode: int | None
    uid: int | None
    gid: int | None


class DeviceRule(Fields):
    """Which devices may be used."""

    __slots__ = ("access", "allow", "major", "minor", "type")
    TABLE: ClassVar = {
        "allow": ("allow!", BOOLEAN),
        "type": ("type", STRING),
        "major": ("major", INTEGER),
        "minor": ("minor", INTEGER),
        "access": ("access", STRING),
    }
    allow: bool
    type: str | None
    major: int | None
    minor: int | None
    access: str | None


class Memory(Fields):
    """Limits of memory in bytes; `swap` is memory and swap together."""

    __slots__ = (
        "check_before_update",
        "disable_oom_killer",
        "kernel",
        "kernel_tcp",
        "limit",
        "reservation",
        "swap",
        "swappiness",
        "use_hierarchy",
    )
    TABLE: ClassVar = {
        "limit": ("limit", INTEGER),
        "reservation": ("reservation", INTEGER),
        "swap": ("swap", INTEGER),
        "kernel": ("kernel", INTEGER),
        "kernel_tcp": ("kernelTCP", INTEGER),
        "swappiness": ("swappiness", INTEGER),
        "disable_oom_killer": ("disableOOMKiller", BOOLEAN),
        "use_hierarchy": ("useHierarchy", BOOLEAN),
        "check_before_update": ("checkBeforeUpdate", BOOLEAN),
    }
    limit: int | None
    reservation: int | None
    swap: int | None
    kernel: int | None
    kernel_tcp: int | None
    swappiness: int | None
    disable_oom_killer: bool | None
    use_hierarchy: bool | None
    check_before_update: bool | None


class Cpu(Fields):
    """Shares, quota and period in microseconds, and the processors and memory nodes to run on."""

    __slots__ = ("burst", "cpus", "idle", "mems", "period", "quota", "realtime_period", "realtime_runtime", "shares")
    TABLE: ClassVar = {
        "shares": ("shares", INTEGER),
        "quota": ("quota", INTEGER),
        "burst": ("burst", INTEGER),
        "period": ("period", INTEGER),
        "realtime_runtime": ("realtimeRuntime", INTEGER),
        "realtime_period": ("realtimePeriod", INTEGER),
        "cpus": ("cpus", STRING),
        "mems": ("mems", STRING),
        "idle": ("idle", INTEGER),
    }
    shares: int | None
    quota: int | None
    burst: int | None
    period: int | None
    realtime_runtime: int | None
    realtime_period: int | None
    cpus: str | None
    mems: str | None
    idle: int | None


class Pids(Fields):
    """How many processes and threads there may be."""

    __slots__ = ("limit",)
    TABLE: ClassVar = {"limit": ("limit!", INTEGER)}
    limit: int


class Resources(Fields):
    """The limits of the container's cgroup."""

    __slots__ = ("block_io", "cpu", "devices", "hugepage_limits", "memory", "network", "pids", "rdma", "unified")
    TABLE: ClassVar = {
        "devices": ("devices", many(DeviceRule)),
        "memory": ("memory", one(Memory)),
        "cpu": ("cpu", one(Cpu)),
        "pids": ("pids", one(Pids)),
        "block_io": ("blockIO", ANYTHING),
        "hugepage_limits": ("hugepageLimits", ANYTHING),
        "network": ("network", ANYTHING),
        "rdma": ("rdma", ANYTHING),
        "unified": ("unified", WORDS),
    }
    devices: tuple[DeviceRule, ...]
    memory: Memory | None
    cpu: Cpu | None
    pids: Pids | None
    block_io: object
    hugepage_limits: object
    network: object
    rdma: object
    unified: dict[str, str] | None


class Linux(Fields):
    """All that is particular to Linux; `seccomp` stays as it is written: the compiler of filters reads it."""

    __slots__ = (
        *("cgroups_path", "devices", "gid_mappings", "intel_rdt", "masked_paths", "memory_policy", "mount_label", "namespaces"),
        *("net_devices", "personality", "readonly_paths", "resources", "rootfs_propagation", "seccomp", "sysctl", "time_offsets"),
        "uid_mappings",
    )
    TABLE: ClassVar = {
        "namespaces": ("namespaces", many(Namespace)),
        "uid_mappings": ("uidMappings", many(IdMapping)),
        "gid_mappings": ("gidMappings", many(IdMapping)),
        "time_offsets": ("timeOffsets", ANYTHING),
        "devices": ("devices", many(Device)),
        "cgroups_path": ("cgroupsPath", STRING),
        "resources": ("resources", one(Resources)),
        "rootfs_propagation": ("rootfsPropagation", STRING),
        "seccomp": ("seccomp", ANYTHING),
        "sysctl": ("sysctl", WORDS),
        "masked_paths": ("maskedPaths", STRINGS),
        "readonly_paths": ("readonlyPaths", STRINGS),
        "mount_label": ("mountLabel", STRING),
        "personality": ("personality", ANYTHING),
        "intel_rdt": ("intelRdt", ANYTHING),
        "memory_policy": ("memoryPolicy", ANYTHING),
        "net_devices": ("netDevices", ANYTHING),
    }
    namespaces: tuple[Namespace, ...]
    uid_mappings: tuple[IdMapping, ...]
    gid_mappings: tuple[IdMapping, ...]
    time_offsets: object
    devices: tuple[Device, ...]
    cgroups_path: str | None
    resources: Resources | None
    rootfs_propagation: str | None
    seccomp: object
    sysctl: dict[str, str] | None
    masked_paths: tuple[str, ...]
    readonly_paths: tuple[str, ...]
    mount_label: str | None
    personality: object
    intel_rdt: object
    memory_policy: object
    net_devices: object


class Spec(Fields):
    """One container, whole."""

    __slots__ = (
        "annotations",
        "domainname",
        "hooks",
        "hostname",
        "linux",
        "mounts",
        "oci_version",
        "process",
        "root",
        "solaris",
        "vm",
        "windows",
    )
    TABLE: ClassVar = {
        "oci_version": ("ociVersion!", STRING),
        "process": ("process", one(Process)),
        "root": ("root", one(Root)),
        "hostname": ("hostname", STRING),
        "domainname": ("domainname", STRING),
        "mounts": ("mounts", many(Mount)),
        "hooks": ("hooks", ANYTHING),
        "annotations": ("annotations", WORDS),
        "linux": ("linux", one(Linux)),
        "solaris": ("solaris", ANYTHING),
        "windows": ("windows", ANYTHING),
        "vm": ("vm", ANYTHING),
    }
    oci_version: str
    process: Process | None
    root: Root | None
    hostname: str | None
    domainname: str | None
    mounts: tuple[Mount, ...]
    hooks: object
    annotations: dict[str, str] | None
    linux: Linux | None
    solaris: object
    windows: object
    vm: object


_UNSUPPORTED: Final = {
    "": ("hooks", "solaris", "windows", "vm"),
    "process": ("exec_cpu_affinity",),
    "linux": ("intel_rdt", "memory_policy", "mount_label", "net_devices", "personality", "time_offsets"),
}


def unsupported(spec: Spec) -> tuple[str, ...]:
    """Return the paths of what a document asks for and hardener cannot do; a launch must refuse them."""
    found = []
    for path, attributes in _UNSUPPORTED.items():
        part: Fields | None = spec
        for step in filter(None, path.split(".")):
            part = getattr(part, step, None)
        if part is None:
            continue
        for attribute in attributes:
            if getattr(part, attribute) not in (None, "", {}, []):
                name, _ = part.TABLE[attribute]
                found.append(f"{path}.{name}" if path else name)
    for at, mount in enumerate(spec.mounts):
        if mount.uid_mappings or mount.gid_mappings:
            found.append(f"mounts[{at}].uidMappings")
    if not spec.oci_version.startswith("1."):
        found.append(f"ociVersion {spec.oci_version}")
    return tuple(found)
