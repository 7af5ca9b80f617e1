"""`runtime:` of a policy file, read into a `Runtime`; every value that a key does not take is an error with its place."""

import os
from collections.abc import Callable, Mapping
from typing import Final

from hardener.errors import HardenError, suggest
from hardener.linux.names import CAPABILITIES
from hardener.policies.runtime import (
    DOCKER_DEFAULT,
    EVERY,
    HIDEPID,
    HOST_ALLOWED,
    NAMESPACES,
    NETWORKS,
    NO_SWAP,
    NOT_ROOT,
    PRIVATE,
    RUNTIME_KEYS,
    Capabilities,
    Grant,
    Io,
    IoLimit,
    Mounts,
    Proc,
    Runtime,
    Sysctls,
    Tmpfs,
    Ulimit,
    normal,
    size_text,
)
from hardener.policies.walls.gap import OPPOSITES
from hardener.sources import yaml_nodes
from hardener.sources.compose import units
from hardener.text import Pattern, SourceFile

ULIMITS: Final = (
    *("as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime"),
    *("sigpending", "stack"),
)
"""Resource limits by the names of `docker run --ulimit`. Source: setrlimit(2)."""

DEVICES: Final[Mapping[str, tuple[str, int, int]]] = {
    "/dev/fuse": ("c", 10, 229),
    "/dev/kvm": ("c", 10, 232),
    "/dev/net/tun": ("c", 10, 200),
    "/dev/vhost-net": ("c", 10, 238),
    "/dev/vhost-vsock": ("c", 10, 241),
    "/dev/loop-control": ("c", 10, 237),
    "/dev/rtc0": ("c", 252, 0),
    "/dev/ppp": ("c", 108, 0),
    "/dev/mem": ("c", 1, 1),
    "/dev/kmsg": ("c", 1, 11),
}
"""Devices that have the same numbers on every machine. Source: docs.kernel.org/admin-guide/devices.html."""

_USER: Final = Pattern(r"([0-9]{1,10})(?::([0-9]{1,10}))?")
_DEVICE: Final = Pattern(r"(/dev/[^\s:]+)(?::([rwm]{1,3}))?")
_NUMBERS: Final = Pattern(r"(?:(/dev/\S+) +)?([bc]) +([0-9]{1,7}):([0-9]{1,7}|\*)(?: +([rwm]{1,3}))?")
_SYSCTL: Final = Pattern(r"[a-z0-9_][A-Za-z0-9_./-]*\*?")
_BLOCK: Final = Pattern(r"[0-9]{1,7}:[0-9]{1,7}")
_MODE: Final = Pattern(r"[0-7]{3,4}")
_MAX_ID: Final = 2**32 - 2
_PARTS: Final = {
    "capabilities": ("drop", "add", "allow"),
    "tmpfs": ("size", "mode", "options"),
    "io": ("read-bps", "write-bps", "read-iops", "write-iops"),
    "proc": ("subset", "hidepid"),
    "sysctls": ("allow", "set"),
    "mounts": ("allow", "deny", "options"),
}


def check(runtime: Runtime) -> None:
    """Raise for keys that do not go together, once everything is laid over what it extends."""
    if runtime.memory_swap == NO_SWAP and runtime.memory is None:
        what, how = "memory-swap is none, and memory is not limited", "add `memory:`: swap is counted together with it"
        raise HardenError(what, where=runtime.where("memory-swap"), how=how)
    if runtime.memory_swap and runtime.memory is not None and runtime.memory_swap < runtime.memory:
        what, how = (
            f"memory-swap is less than memory ({size_text(runtime.memory)})",
            "it counts memory and swap together; none: no swap at all",
        )
        raise HardenError(what, where=runtime.where("memory-swap"), how=how)
    if runtime.ptrace is not None and runtime.seccomp is None:
        what = "ptrace changes a profile of system calls, and there is none"
        raise HardenError(what, where=runtime.where("ptrace"), how="add `seccomp:`")


class RuntimeReader:
    """Reads the `runtime:` of one file. `open_profile` returns a seccomp profile by its name in the policy and where that stands."""

    def __init__(self, file: SourceFile, open_profile: Callable[[str, str], object]) -> None:
        self.file = file
        self.places: dict[str, str] = {}
        self._open_profile = open_profile

    def read(self, node: yaml_nodes.Node, name: str) -> Runtime:
        """Return what the mapping asks for; `name` is that of the policy."""
        runtime = Runtime(name=name)
        for key, value in self._entries(node, "runtime", tuple(RUNTIME_KEYS), ""):
            _READERS[key](self, runtime, key, value)
        runtime.places = self.places
        return runtime

    # what every key is made of

    def _wrong(self, node: yaml_nodes.Node, what: str, how: str) -> HardenError:
        return HardenError(what, where=self.file.at(node.place), how=how)

    def _entries(self, node: yaml_nodes.Node, label: str, known: tuple[str, ...] | None, prefix: str) -> list[tuple[str, yaml_nodes.Node]]:
        """Return the keys and values of a mapping, and remember where they stand."""
        if not isinstance(node, yaml_nodes.Mapping):
            how = f"keys: {', '.join(known)}" if known else "write `name: value` below it"
            raise self._wrong(node, f"{label} is a mapping", how)
        found = []
        for entry in node.entries:
            name = entry.key.text
            if known is not None and name not in known:
                how = suggest(name.replace("_", "-").lower(), known) or f"known: {', '.join(known)}"
                raise self._wrong(entry.key, f"unknown key {name!r}", how)
            self.places[f"{prefix}{name}"] = self.file.at(entry.key.place)
            found.append((name, entry.value))
        return found

    def text(self, node: yaml_nodes.Node, label: str) -> str:
        """Return a text or a number as it is written."""
        if not isinstance(node, yaml_nodes.Scalar) or not node.text.strip():
            raise self._wrong(node, f"{label} is a text", "write it behind the colon")
        return node.text.strip()

    def flag(self, node: yaml_nodes.Node, label: str) -> bool:
        """Return true or false."""
        if not isinstance(node, yaml_nodes.Scalar) or not isinstance(node.value, bool):
            raise self._wrong(node, f"{label} is true or false", "write one of them")
        return node.value

    def number(self, node: yaml_nodes.Node, label: str, least: int = 1, most: int = 2**31) -> int:
        """Return a whole number."""
        value = units.integer(self.text(node, label))
        if value is None or not least <= value <= most:
            raise self._wrong(node, f"{label} is a whole number from {least} to {most}", "as in 256")
        return value

    def size(self, node: yaml_nodes.Node, label: str, least: int = 1) -> int:
        """Return bytes."""
        value = units.size(self.text(node, label))
        if value is None or not least <= value < 2**63:
            raise self._wrong(
                node, f"{label} is a size, and {self.text(node, label)!r} is none", "as in 512MiB, 1.5GiB or a number of bytes"
            )
        return value

    def choice(self, node: yaml_nodes.Node, label: str, known: tuple[str, ...]) -> str:
        """Return one of some words."""
        text = self.text(node, label)
        if text not in known:
            raise self._wrong(node, f"{label} cannot be {text!r}", suggest(text, known) or f"one of {', '.join(known)}")
        return text

    def items(self, node: yaml_nodes.Node, label: str) -> list[tuple[str, yaml_nodes.Node]]:
        """Return the words of a list, each with its node; a single word is a list of one."""
        if isinstance(node, yaml_nodes.Mapping) or (isinstance(node, yaml_nodes.Scalar) and node.value is None):
            raise self._wrong(node, f"{label} is a list", "as in [a, b]; [] for none")
        return [
            (self.text(item, f"an item of {label}"), item) for item in (node.items if isinstance(node, yaml_nodes.Sequence) else (node,))
        ]

    def paths(self, node: yaml_nodes.Node, label: str) -> tuple[str, ...]:
        """Return absolute paths."""
        return tuple([self._path(text, item, label) for text, item in self.items(node, label)])

    def _path(self, text: str, node: yaml_nodes.Node, label: str) -> str:
        if not text.startswith("/") or ".." in text.split("/"):
            raise self._wrong(node, f"{label} takes absolute paths, and {text!r} is none", "start with / and leave .. out")
        return normal(text)

    def options(self, node: yaml_nodes.Node, label: str) -> tuple[str, ...]:
        """Return mount options that restrict."""
        for text, item in self.items(node, label):
            if text not in OPPOSITES:
                how = suggest(text, tuple(OPPOSITES)) or f"one of {', '.join(OPPOSITES)}"
                raise self._wrong(item, f"{label} cannot be {text!r}", how)
        return tuple(dict.fromkeys(text for text, _ in self.items(node, label)))

    # the keys

    def user(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """`{not: root}`, or UID or UID:GID."""
        if isinstance(node, yaml_nodes.Mapping):
            for name, value in self._entries(node, key, ("not",), f"{key}."):
                self.choice(value, f"{key}.{name}", ("root",))
                runtime.user = NOT_ROOT
            return
        found = _USER.fullmatch(self.text(node, key))
        if found is None or any(int(part) > _MAX_ID for part in found.groups() if part):
            raise self._wrong(node, f"{key} is {{not: root}}, UID or UID:GID", "numbers: what a name means is decided by each image")
        runtime.user = f"{int(found[1])}:{int(found[2] or found[1])}"

    def capabilities(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """Names in drop, add and allow; ALL stands for all of them."""
        parts: dict[str, tuple[str, ...]] = {}
        for name, value in self._entries(node, key, _PARTS[key], f"{key}."):
            parts[name] = self._capabilities(value, f"{key}.{name}")
        dropped = parts.get("drop", ())
        given = [name for name in DOCKER_DEFAULT if name not in dropped] + list(parts.get("add", ()))
        runtime.capabilities = Capabilities(given=_unique(given), allowed=_unique(parts.get("allow", ())))

    def _capabilities(self, node: yaml_nodes.Node, label: str) -> tuple[str, ...]:
        names: list[str] = []
        for text, item in self.items(node, label):
            name = text.upper().removeprefix("CAP_")
            if name == "ALL":
                names += CAPABILITIES
            elif name in CAPABILITIES:
                names.append(name)
            else:
                raise self._wrong(item, f"unknown capability {text!r}", suggest(name, CAPABILITIES) or "capabilities(7) lists them all")
        return _unique(names)

    def switch(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """True or false."""
        setattr(runtime, key.replace("-", "_"), self.flag(node, key))

    def privileged(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """`allow: true or false`, or the word itself."""
        if isinstance(node, yaml_nodes.Mapping):
            for name, value in self._entries(node, key, ("allow",), f"{key}."):
                runtime.privileged = self.flag(value, f"{key}.{name}")
            return
        runtime.privileged = self.flag(node, key)

    def tmpfs(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """Paths (and `*`) to sizes, or to size, mode and options."""
        found: dict[str, Tmpfs] = {}
        for path, value in self._entries(node, key, None, f"{key}."):
            label = f"{key}.{path}"
            tmpfs = Tmpfs()
            if path != EVERY and (not path.startswith("/") or normal(path) != path or path == "/"):
                raise HardenError(
                    f"{path!r} is no path of a tmpfs", where=self.places[label], how="write it as in /run, or * for all others"
                )
            if not isinstance(value, yaml_nodes.Mapping):
                tmpfs.size = self.size(value, label)
                tmpfs.options = ("nosuid", "nodev", "noexec")
            else:
                for name, part in self._entries(value, label, _PARTS[key], f"{label}."):
                    match name:
                        case "size":
                            tmpfs.size = self.size(part, f"{label}.size")
                        case "mode":
                            tmpfs.mode = self.text(part, f"{label}.mode")
                            if _MODE.fullmatch(tmpfs.mode) is None:
                                raise self._wrong(part, f"{label}.mode is an octal number", "as in 1777")
                        case _:
                            tmpfs.options = self.options(part, f"{label}.options")
            found[path] = tmpfs
        runtime.tmpfs = found

    def network(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """One of NETWORKS."""
        runtime.network = self.choice(node, key, NETWORKS)

    def namespaces(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """Each private or host-allowed."""
        runtime.namespaces = {
            name: self.choice(value, f"{key}.{name}", (PRIVATE, HOST_ALLOWED))
            for name, value in self._entries(node, key, NAMESPACES, f"{key}.")
        }

    def memory(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """Bytes; less than 6 MiB starts nothing."""
        runtime.memory = self.size(node, key, 6 << 20)

    def memory_swap(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """Bytes, or none."""
        is_none = isinstance(node, yaml_nodes.Scalar) and node.text.strip() == "none"
        runtime.memory_swap = NO_SWAP if is_none else self.size(node, key, 6 << 20)

    def pids(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """A number."""
        runtime.pids = self.number(node, key, 1, 1 << 22)

    def cpus(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """Processors, with a fraction."""
        value = units.number(self.text(node, key))
        if value is None or not 0.01 <= value <= 65_536:
            raise self._wrong(node, f"{key} is a number of processors from 0.01 on", "as in 1.5")
        runtime.cpus = value

    def cpu_shares(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """2 to 262144."""
        runtime.cpu_shares = self.number(node, key, 2, 262_144)

    def io(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """A weight, and rates by device."""
        io = Io()
        limits: list[IoLimit] = []
        for name, value in self._entries(node, key, None, f"{key}."):
            label = f"{key}.{name}"
            if name == "weight":
                io.weight = self.number(value, label, 10, 1000)
                continue
            if _BLOCK.fullmatch(name) is None:
                how = suggest(name, ("weight",)) or "`lsblk` shows the numbers of devices: MAJOR:MINOR"
                raise HardenError(f"{name!r} is neither weight nor the numbers of a device", where=self.places[label], how=how)
            limit = IoLimit(device=name)
            for rate, part in self._entries(value, label, _PARTS[key], f"{label}."):
                setattr(limit, rate.replace("-", "_"), self.size(part, f"{label}.{rate}"))
            limits.append(limit)
        io.devices = tuple(limits)
        runtime.io = io

    def devices(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """`/dev/fuse`, `/dev/fuse:rw`, `c 10:229 rw`, `/dev/mine c 240:* rw`."""
        grants = []
        for text, item in self.items(node, key):
            numbers, device = _NUMBERS.fullmatch(text), _DEVICE.fullmatch(text)
            if numbers is not None:
                path, kind, major, minor, access = numbers.groups()
                grants.append(
                    Grant(type=kind, major=int(major), minor=None if minor == "*" else int(minor), access=access or "rwm", path=path)
                )
            elif device is not None and device[1] in DEVICES:
                kind, first, second = DEVICES[device[1]]
                grants.append(Grant(type=kind, major=first, minor=second, access=device[2] or "rwm", path=device[1]))
            elif device is not None:
                raise self._wrong(item, f"{device[1]} has other numbers on other machines", f"add those of yours: {device[1]} c 240:0 rw")
            else:
                raise self._wrong(item, f"{text!r} is no device", "as in /dev/fuse, /dev/fuse:rw or `c 10:229 rw`")
        runtime.devices = tuple(grants)

    def seccomp(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """A file, or the name of a profile that ships with hardener."""
        runtime.seccomp_name = self.text(node, key)
        runtime.seccomp = self._open_profile(runtime.seccomp_name, self.file.at(node.place))

    def label(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """The name of a profile, or a label."""
        text = self.text(node, key)
        if text in ("unconfined", "disable"):
            raise self._wrong(node, f"{key} cannot be {text!r}", "leave the key out: then nothing is asked for")
        setattr(runtime, key, text)

    def proc(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """`subset` and `hidepid`."""
        proc = Proc()
        for name, value in self._entries(node, key, _PARTS[key], f"{key}."):
            known = ("pid",) if name == "subset" else tuple(HIDEPID)
            setattr(proc, name, self.choice(value, f"{key}.{name}", known))
        runtime.proc = proc

    def sysctls(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """What may be set, and what is."""
        sysctls = Sysctls()
        for name, value in self._entries(node, key, _PARTS[key], f"{key}."):
            label = f"{key}.{name}"
            if name == "allow":
                for text, item in self.items(value, label):
                    if _SYSCTL.fullmatch(text) is None:
                        raise self._wrong(item, f"{text!r} is no sysctl", "as in net.ipv4.ip_unprivileged_port_start, or net.ipv4.*")
                sysctls.allow = tuple(text for text, _ in self.items(value, label))
            else:
                sysctls.fixed = {one: self.text(part, f"{label}.{one}") for one, part in self._entries(value, label, None, f"{label}.")}
        runtime.sysctls = sysctls

    def ulimits(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """A number, or SOFT:HARD."""
        found = {}
        for name, value in self._entries(node, key, ULIMITS, f"{key}."):
            soft, colon, hard = self.text(value, f"{key}.{name}").partition(":")
            numbers = [-1 if part == "unlimited" else units.integer(part) for part in (soft, hard if colon else soft)]
            first, second = numbers
            if first is None or second is None or min(first, second) < -1 or 0 <= second < (2**63 if first < 0 else first):
                raise self._wrong(
                    value, f"{key}.{name} is a number, or SOFT:HARD", "as in 1024:4096; the soft limit is not above the hard one"
                )
            found[name] = Ulimit(soft=first, hard=second)
        runtime.ulimits = found

    def shm_size(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """Bytes."""
        runtime.shm_size = self.size(node, key)

    def hidden(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """Absolute paths."""
        setattr(runtime, key.replace("-", "_"), self.paths(node, key))

    def mounts(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """Paths to allow and to deny, and options."""
        mounts = Mounts(restricted=False)
        for name, value in self._entries(node, key, _PARTS[key], f"{key}."):
            label = f"{key}.{name}"
            if name == "options":
                mounts.options = self.options(value, label)
            else:
                setattr(mounts, name, self.paths(value, label))
                mounts.restricted = mounts.restricted or name == "allow"
        runtime.mounts = mounts

    def loosen(self, runtime: Runtime, key: str, node: yaml_nodes.Node) -> None:
        """Keys of `runtime:`."""
        known = tuple(name for name in RUNTIME_KEYS if name not in ("loosen", "privileged")) + tuple(
            f"namespaces.{name}" for name in NAMESPACES
        )
        for text, item in self.items(node, key):
            if text == "privileged":
                raise self._wrong(item, "privileged is not loosened", "`privileged: {allow: true}` allows it")
            if text not in known:
                raise self._wrong(item, f"{text!r} is no key of runtime", suggest(text, known) or f"one of {', '.join(RUNTIME_KEYS)}")
        runtime.loosen = tuple(text for text, _ in self.items(node, key))


def _unique(names: "tuple[str, ...] | list[str]") -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def profile_path(name: str, folder: str, shipped: str) -> str:
    """Return where a seccomp profile lies: beside the policy, or, by its name alone, among those that ship with hardener."""
    if "/" not in name and not name.endswith(".json"):
        return os.path.join(shipped, "seccomp", f"{name}.json")
    return os.path.join(folder, name)


_READERS: Final[Mapping[str, Callable[[RuntimeReader, Runtime, str, yaml_nodes.Node], None]]] = {
    "user": RuntimeReader.user,
    "capabilities": RuntimeReader.capabilities,
    "no-new-privileges": RuntimeReader.switch,
    "read-only": RuntimeReader.switch,
    "tmpfs": RuntimeReader.tmpfs,
    "network": RuntimeReader.network,
    "namespaces": RuntimeReader.namespaces,
    "memory": RuntimeReader.memory,
    "memory-swap": RuntimeReader.memory_swap,
    "pids": RuntimeReader.pids,
    "cpus": RuntimeReader.cpus,
    "cpu-shares": RuntimeReader.cpu_shares,
    "io": RuntimeReader.io,
    "devices": RuntimeReader.devices,
    "seccomp": RuntimeReader.seccomp,
    "ptrace": RuntimeReader.switch,
    "landlock": RuntimeReader.switch,
    "apparmor": RuntimeReader.label,
    "selinux": RuntimeReader.label,
    "proc": RuntimeReader.proc,
    "sysctls": RuntimeReader.sysctls,
    "ulimits": RuntimeReader.ulimits,
    "shm-size": RuntimeReader.shm_size,
    "masked-paths": RuntimeReader.hidden,
    "readonly-paths": RuntimeReader.hidden,
    "mounts": RuntimeReader.mounts,
    "privileged": RuntimeReader.privileged,
    "init": RuntimeReader.switch,
    "loosen": RuntimeReader.loosen,
}
