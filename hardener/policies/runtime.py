"""What a policy asks of a container that runs: the `runtime:` of a policy file, as values.

A launch imports this module, so it is made of the same plain classes as the OCI specification: it comes from YAML once, is kept as JSON
(`stored.py`), and needs no parser afterwards. A key that a policy does not set is None (or empty) and asks for nothing.
"""

from __future__ import annotations

from hardener.oci.fields import ANYTHING, BOOLEAN, INTEGER, STRING, STRINGS, WORDS, Fields, Kind, many, one, wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, Final

RUNTIME_KEYS: Final = {
    "user": "who the process is: `{not: root}`, or UID or UID:GID",
    "capabilities": "`drop` and `add` say which it starts with (from Docker's own fourteen), `allow` which a flag may add",
    "no-new-privileges": "set-user-id programs and file capabilities give nothing",
    "read-only": "the root file system, /sys and the control groups cannot be written to",
    "tmpfs": "in-memory file systems: size and options by path; `*` is what every other one must have",
    "network": "the loosest that is allowed: none, bridge, container (another container's) or host",
    "namespaces": "which are the container's own: private, or host-allowed",
    "memory": "at most so many bytes",
    "memory-swap": "at most so many bytes of memory and swap together; none: no swap at all",
    "pids": "at most so many processes and threads",
    "cpus": "at most so many processors",
    "cpu-shares": "at most this weight against other containers",
    "io": "`weight`, and by device (8:0) read-bps, write-bps, read-iops and write-iops",
    "devices": "which devices of the host it may have, besides null, zero, full, random, urandom, tty and terminals",
    "seccomp": "the profile of system calls: a file beside this one, or the name of one that ships with hardener",
    "ptrace": "whether debuggers work inside: ptrace and process_vm_readv come back",
    "landlock": "one more wall around files, abstract sockets and signals, where the kernel has it",
    "apparmor": "the AppArmor profile",
    "selinux": "the SELinux label",
    "proc": "what /proc shows: `subset: pid`, `hidepid: invisible`",
    "sysctls": "`allow` says which may be set, `set` which are",
    "ulimits": "resource limits: a number, or SOFT:HARD",
    "shm-size": "the size of /dev/shm",
    "masked-paths": "paths that are hidden",
    "readonly-paths": "paths that cannot be written to",
    "mounts": "what may be mounted: host paths to `allow` and `deny`, and `options` that every mount of the host must have",
    "privileged": "`allow: false`: no --privileged",
    "init": "process 1 is an init that reaps and forwards signals",
    "loosen": "keys that a flag may loosen: that is printed, and everything else is refused",
}
"""Every key of `runtime:` and what it means."""

NETWORKS: Final = ("none", "bridge", "container", "host")
"""What `network` may be, the strictest first."""

NAMESPACES: Final = ("user", "pid", "ipc", "uts", "cgroup", "time", "mount", "network")
PRIVATE: Final = "private"
HOST_ALLOWED: Final = "host-allowed"

HIDEPID: Final = {"off": 0, "noaccess": 1, "invisible": 2, "ptraceable": 4}
"""What `hidepid` may be, and the kernel's number for it. Source: docs.kernel.org/filesystems/proc.html."""

EVERY: Final = "*"
"""In `tmpfs`: all that have no entry of their own."""

NO_SWAP: Final = 0
"""In `memory_swap`: no swap beyond the limit of memory."""

NOT_ROOT: Final = "not-root"

DOCKER_DEFAULT: Final = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID"),
    *("SETPCAP", "SETUID", "SYS_CHROOT"),
)
"""What a container of Docker starts with. Source: moby's daemon/pkg/oci/caps/defaults.go."""


def _number(value: object, where: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise wrong(where, "a number", value)
    return value


NUMBER: Final = Kind(_number)


def by_name(cls: type[Fields]) -> Kind:
    """Return the kind of a field that holds objects of a class by name."""

    def parse(value: object, where: str) -> dict[str, Fields]:
        if not isinstance(value, dict):
            raise wrong(where, "an object", value)
        return {key: cls.parse(each, f"{where}.{key}") for key, each in value.items()}

    return Kind(parse, None, lambda value: {key: each.dump() for key, each in value.items()})


class Capabilities(Fields):
    """What a process starts with, and what a flag may add; without `CAP_`."""

    __slots__ = ("allowed", "given")
    TABLE: ClassVar = {"given": ("given", STRINGS), "allowed": ("allowed", STRINGS)}
    given: tuple[str, ...]
    allowed: tuple[str, ...]

    @property
    def ceiling(self) -> frozenset[str]:
        """All that it may ever have."""
        return frozenset(self.given + self.allowed)


class Tmpfs(Fields):
    """An in-memory file system: at most `size` bytes, with these mount options."""

    __slots__ = ("mode", "options", "size")
    TABLE: ClassVar = {"size": ("size", INTEGER), "mode": ("mode", STRING), "options": ("options", STRINGS)}
    size: int | None
    mode: str | None
    options: tuple[str, ...]


class IoLimit(Fields):
    """Limits for one block device, `MAJOR:MINOR`."""

    __slots__ = ("device", "read_bps", "read_iops", "write_bps", "write_iops")
    TABLE: ClassVar = {
        "device": ("device!", STRING),
        "read_bps": ("readBps", INTEGER),
        "write_bps": ("writeBps", INTEGER),
        "read_iops": ("readIops", INTEGER),
        "write_iops": ("writeIops", INTEGER),
    }
    device: str
    read_bps: int | None
    write_bps: int | None
    read_iops: int | None
    write_iops: int | None


class Io(Fields):
    """Limits of block devices."""

    __slots__ = ("devices", "weight")
    TABLE: ClassVar = {"weight": ("weight", INTEGER), "devices": ("devices", many(IoLimit))}
    weight: int | None
    devices: tuple[IoLimit, ...]


class Grant(Fields):
    """A device: its numbers, and its path on the host where it is known; a `minor` of None is any."""

    __slots__ = ("access", "major", "minor", "path", "type")
    TABLE: ClassVar = {
        "type": ("type!", STRING),
        "major": ("major!", INTEGER),
        "minor": ("minor", INTEGER),
        "access": ("access!", STRING),
        "path": ("path", STRING),
    }
    type: str
    major: int
    minor: int | None
    access: str
    path: str | None

    def covers(self, kind: str, major: int | None, minor: int | None, access: str) -> bool:
        """Tell whether it gives such access to a device; None stands for every number."""
        kind = "c" if kind == "u" else kind
        return self.type == kind and self.major == major and self.minor in (None, minor) and set(access) <= set(self.access)


class Proc(Fields):
    """Options of the mount of /proc."""

    __slots__ = ("hidepid", "subset")
    TABLE: ClassVar = {"subset": ("subset", STRING), "hidepid": ("hidepid", STRING)}
    subset: str | None
    hidepid: str | None


class Sysctls(Fields):
    """Names that may be set (a `*` at the end stands for the rest), and those that are."""

    __slots__ = ("allow", "fixed")
    TABLE: ClassVar = {"allow": ("allow", STRINGS), "fixed": ("set", WORDS)}
    allow: tuple[str, ...]
    fixed: dict[str, str] | None

    def permits(self, name: str, value: str) -> bool:
        """Tell whether a sysctl may be set to a value."""
        if self.fixed is not None and name in self.fixed:
            return value == self.fixed[name]
        return any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in self.allow)


class Ulimit(Fields):
    """The most that a resource limit may be; -1 is unlimited."""

    __slots__ = ("hard", "soft")
    TABLE: ClassVar = {"soft": ("soft!", INTEGER), "hard": ("hard!", INTEGER)}
    soft: int
    hard: int


class Mounts(Fields):
    """Paths of the host that may be mounted (None: all), that may not, and the options that each such mount must have."""

    __slots__ = ("allow", "deny", "options", "restricted")
    TABLE: ClassVar = {
        "restricted": ("restricted", BOOLEAN),
        "allow": ("allow", STRINGS),
        "deny": ("deny", STRINGS),
        "options": ("options", STRINGS),
    }
    restricted: bool | None  # whether `allow` was given: an empty one allows nothing
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    options: tuple[str, ...]

    def refusal(self, source: str) -> str:
        """Return why a path of the host may not be mounted, or "" when it may.

        The path must be the real one: whoever asks has followed the symbolic links.
        """
        if not source.startswith("/") or ".." in source.split("/"):
            return "is not an absolute path without .."
        path = normal(source)
        for denied in self.deny:
            if below(path, denied):
                return f"is denied ({denied})" if path != denied else "is denied"
            if below(denied, path):
                return f"holds {denied}, which is denied"
        if self.restricted and not any(below(path, allowed) for allowed in self.allow):
            return "is not among those allowed"
        return ""


class Runtime(Fields):
    """The `runtime:` of a policy with everything that it extends."""

    __slots__ = (
        *("apparmor", "capabilities", "cpu_shares", "cpus", "devices", "init", "io", "landlock", "loosen", "masked_paths", "memory"),
        *("memory_swap", "mounts", "name", "namespaces", "network", "no_new_privileges", "pids", "places", "privileged", "proc", "ptrace"),
        *("read_only", "readonly_paths", "seccomp", "seccomp_name", "selinux", "shm_size", "sysctls", "tmpfs", "ulimits", "user"),
    )
    TABLE: ClassVar = {
        "name": ("name", STRING),
        "user": ("user", STRING),
        "capabilities": ("capabilities", one(Capabilities)),
        "no_new_privileges": ("no-new-privileges", BOOLEAN),
        "read_only": ("read-only", BOOLEAN),
        "tmpfs": ("tmpfs", by_name(Tmpfs)),
        "network": ("network", STRING),
        "namespaces": ("namespaces", WORDS),
        "memory": ("memory", INTEGER),
        "memory_swap": ("memory-swap", INTEGER),
        "pids": ("pids", INTEGER),
        "cpus": ("cpus", NUMBER),
        "cpu_shares": ("cpu-shares", INTEGER),
        "io": ("io", one(Io)),
        "devices": ("devices", Kind(many(Grant).parse, None, many(Grant).dump)),
        "seccomp": ("seccomp", ANYTHING),
        "seccomp_name": ("seccomp-name", STRING),
        "ptrace": ("ptrace", BOOLEAN),
        "landlock": ("landlock", BOOLEAN),
        "apparmor": ("apparmor", STRING),
        "selinux": ("selinux", STRING),
        "proc": ("proc", one(Proc)),
        "sysctls": ("sysctls", one(Sysctls)),
        "ulimits": ("ulimits", by_name(Ulimit)),
        "shm_size": ("shm-size", INTEGER),
        "masked_paths": ("masked-paths", STRINGS),
        "readonly_paths": ("readonly-paths", STRINGS),
        "mounts": ("mounts", one(Mounts)),
        "privileged": ("privileged", BOOLEAN),
        "init": ("init", BOOLEAN),
        "loosen": ("loosen", STRINGS),
        "places": ("places", WORDS),
    }
    name: str | None  # of the policy
    user: str | None  # NOT_ROOT, or UID:GID
    capabilities: Capabilities | None
    no_new_privileges: bool | None
    read_only: bool | None
    tmpfs: dict[str, Tmpfs] | None
    network: str | None
    namespaces: dict[str, str] | None
    memory: int | None
    memory_swap: int | None
    pids: int | None
    cpus: float | None
    cpu_shares: int | None
    io: Io | None
    devices: tuple[Grant, ...] | None
    seccomp: object  # a profile in Docker's format
    seccomp_name: str | None
    ptrace: bool | None
    landlock: bool | None
    apparmor: str | None
    selinux: str | None
    proc: Proc | None
    sysctls: Sysctls | None
    ulimits: dict[str, Ulimit] | None
    shm_size: int | None
    masked_paths: tuple[str, ...]
    readonly_paths: tuple[str, ...]
    mounts: Mounts | None
    privileged: bool | None
    init: bool | None
    loosen: tuple[str, ...]
    places: dict[str, str] | None  # `path:line:column` of each key that is set, by its path (`namespaces.pid`)

    def where(self, key: str) -> str:
        """Return where a key stands, or the nearest one above it; "" when it is set nowhere."""
        places = self.places or {}
        while key not in places and "." in key:
            key = key.rpartition(".")[0]
        if key == "ptrace" and key not in places:
            key = "seccomp"  # whose profile decides it
        return places.get(key, "")

    def may_loosen(self, key: str) -> bool:
        """Tell whether a flag may loosen a key."""
        while key:
            if key in self.loosen:
                return True
            key = key.rpartition(".")[0]
        return False


def over(runtime: Runtime, base: Runtime | None) -> Runtime:
    """Return a policy with what it does not set as another has it; what is set by name, name by name."""
    made = Runtime.parse(runtime.dump())
    for attribute in Runtime.TABLE if base is not None else ():
        own, other = getattr(runtime, attribute), getattr(base, attribute)
        if own in (None, ()):
            setattr(made, attribute, other)
        elif attribute in _BY_NAME and other:
            setattr(made, attribute, {**other, **own})
    return made


_BY_NAME: Final = ("namespaces", "tmpfs", "ulimits")


def digest(runtime: Runtime) -> str:
    """Return a SHA-256 of what is asked for, as hexadecimal digits; the name of the policy and where its keys stand do not count."""
    import hashlib
    from json import dumps

    asked = {key: value for key, value in runtime.dump().items() if key not in ("name", "places", "seccomp-name")}
    return hashlib.sha256(dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def normal(path: str) -> str:
    """Return an absolute path without `.`, `..`, doubled and trailing slashes."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def below(path: str, top: str) -> bool:
    """Tell whether a path is another one or lies below it; both are normal."""
    return path == top or path.startswith(top.rstrip("/") + "/")


def size_text(size: int) -> str:
    """Return bytes as people write them: 512MiB."""
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


DEBUGGING: Final = ("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd")
"""The system calls of debuggers."""


def with_ptrace(profile: object) -> object:
    """Return a profile in Docker's format that also lets debuggers work; `policies.seccomp.allowing` does the same to one that was read."""
    if not isinstance(profile, dict):
        return profile
    rules = []
    for rule in profile.get("syscalls") or ():
        named = rule.get("names") or ([rule["name"]] if rule.get("name") else [])
        names = [name for name in named if name not in DEBUGGING]
        if names:
            rules.append({**{key: value for key, value in rule.items() if key != "name"}, "names": names})
    return {**profile, "syscalls": [*rules, {"names": [*DEBUGGING], "action": "SCMP_ACT_ALLOW"}]}
