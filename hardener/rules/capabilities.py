"""Linux capabilities: what each lets an intruder do, and which of them a container has.

Sources: capabilities(7) and the kernel's include/uapi/linux/capability.h for what they are; moby's daemon/pkg/oci/caps and its seccomp
profile for what a container gets and which system calls a capability opens; containers-common for Podman's defaults.
"""

from collections.abc import Mapping
from typing import Final

from hardener.record import NamedTuple
from hardener.sources.expansion import HOLE
from hardener.sources.service import Service, Setting
from hardener.sources.unknown import UNKNOWN, UnknownType

ALL: Final = "ALL"

TAKEOVER: Final = "takeover"  # the host's root, by design
POWERFUL: Final = "powerful"  # reaches what is outside the container
SENSITIVE: Final = "sensitive"  # a way to attack the kernel, the network or the neighbours
MINOR: Final = "minor"  # disturbs, seldom more
ORDINARY: Final = "ordinary"  # every Docker container has it


class Capability(NamedTuple):
    """How much a capability gives away, and what: the end of a sentence that starts with `lets the container`."""

    grade: str
    allows: str


CAPABILITIES: Final[Mapping[str, Capability]] = {
    "SYS_ADMIN": Capability(TAKEOVER, "mount file systems, join and create namespaces and switch off most of what confines it"),
    "SYS_MODULE": Capability(TAKEOVER, "load code into the host's kernel"),
    "SYS_RAWIO": Capability(TAKEOVER, "drive the hardware directly: I/O ports, raw disk commands, physical memory"),
    "DAC_READ_SEARCH": Capability(
        POWERFUL, "read any file of a host file system that it has as much as one bind mount of, by asking for the file's handle"
    ),
    "BPF": Capability(POWERFUL, "load eBPF programs into the kernel that it shares with the host"),
    "MAC_ADMIN": Capability(POWERFUL, "change or remove the host's AppArmor and Smack policy"),
    "PERFMON": Capability(POWERFUL, "trace the whole machine with perf and eBPF, which shows memory of the kernel and of other containers"),
    "NET_ADMIN": Capability(
        SENSITIVE, "configure interfaces, routes and packet filters, and reach netfilter code in the kernel that has often been broken"
    ),
    "SYS_PTRACE": Capability(SENSITIVE, "read and change the memory of every process that it can see, whoever runs it"),
    "SYS_TIME": Capability(SENSITIVE, "set the clock of the host, and with it of every container"),
    "SYSLOG": Capability(
        SENSITIVE, "read and clear the host's kernel log, which tells addresses inside the kernel and what runs beside it"
    ),
    "SYS_BOOT": Capability(SENSITIVE, "call reboot(2), and load another kernel where the seccomp profile has been opened"),
    "AUDIT_CONTROL": Capability(SENSITIVE, "switch the kernel's audit off and change its rules"),
    "MAC_OVERRIDE": Capability(SENSITIVE, "ignore Smack's mandatory access control"),
    "CHECKPOINT_RESTORE": Capability(SENSITIVE, "choose process ids and open the mapped files of any process that it can see"),
    "SYS_RESOURCE": Capability(MINOR, "go over limits on processes, open files, queues and disk quotas"),
    "SYS_NICE": Capability(MINOR, "take the processor from everybody else with real-time priorities"),
    "IPC_LOCK": Capability(MINOR, "pin memory that the host can then neither swap nor reclaim"),
    "IPC_OWNER": Capability(MINOR, "open every System V shared memory segment, queue and semaphore that it can see"),
    "LEASE": Capability(MINOR, "take leases on any file, which makes everyone who opens it wait"),
    "LINUX_IMMUTABLE": Capability(MINOR, "set files append-only or immutable, so that even their owner cannot change or delete them"),
    "NET_BROADCAST": Capability(MINOR, "send broadcasts, for which no kernel of today asks permission"),
    "SYS_PACCT": Capability(MINOR, "switch the accounting of processes on and off"),
    "SYS_TTY_CONFIG": Capability(MINOR, "hang up terminals and reconfigure consoles"),
    "WAKE_ALARM": Capability(MINOR, "set alarms that wake the host"),
    "BLOCK_SUSPEND": Capability(MINOR, "keep the host from going to sleep"),
    "AUDIT_READ": Capability(MINOR, "read the host's audit log as it is written"),
    "CHOWN": Capability(ORDINARY, "give files to any user"),
    "DAC_OVERRIDE": Capability(ORDINARY, "read and write files whatever their permissions"),
    "FOWNER": Capability(ORDINARY, "change files as if it owned them"),
    "FSETID": Capability(ORDINARY, "keep set-user-id bits on files that it changes"),
    "KILL": Capability(ORDINARY, "signal processes of other users"),
    "SETGID": Capability(ORDINARY, "become any group"),
    "SETUID": Capability(ORDINARY, "become any user"),
    "SETPCAP": Capability(ORDINARY, "hand on capabilities"),
    "NET_BIND_SERVICE": Capability(ORDINARY, "listen on ports below 1024"),
    "NET_RAW": Capability(ORDINARY, "send forged packets to its neighbours"),
    "SYS_CHROOT": Capability(ORDINARY, "call chroot(2)"),
    "MKNOD": Capability(ORDINARY, "create device files"),
    "AUDIT_WRITE": Capability(ORDINARY, "write to the kernel's audit log"),
    "SETFCAP": Capability(ORDINARY, "give capabilities to files"),
}

DOCKER_DEFAULT: Final = frozenset(name for name, capability in CAPABILITIES.items() if capability.grade == ORDINARY)
"""What a container has when nothing is added or dropped."""

PODMAN_DEFAULT: Final = DOCKER_DEFAULT - {"AUDIT_WRITE", "MKNOD", "NET_RAW"}


def canonical(name: str) -> str:
    """Return a capability as the table spells it: capitals, no `CAP_`. `CAP_ALL` stays as it is, for no engine takes it."""
    upper = name.upper()
    return upper[4:] if upper.startswith("CAP_") and upper != "CAP_ALL" else upper


def names(settings: "tuple[Setting[str], ...]") -> frozenset[str] | UnknownType:
    """Return the canonical names of a `cap_add` or `cap_drop`; UNKNOWN when a variable decides one of them."""
    if not settings:
        return frozenset()
    if any(HOLE in setting.text for setting in settings):
        return UNKNOWN
    return frozenset([canonical(setting.text) for setting in settings])


def granted(service: Service, *, default: frozenset[str] = DOCKER_DEFAULT) -> frozenset[str] | UnknownType:
    """Return the capabilities that root in the container has; UNKNOWN when a variable decides one of them.

    Source: moby's TweakCapabilities. `privileged` takes no notice of `cap_drop`; adding ALL outranks dropping ALL; otherwise what is
    added outranks what is dropped.
    """
    privileged = service.privileged
    if privileged is not None and privileged.value is not False:
        return UNKNOWN if privileged.value is UNKNOWN else frozenset(CAPABILITIES)
    added, dropped = names(service.cap_add), names(service.cap_drop)
    if added is UNKNOWN or dropped is UNKNOWN or service.open_ended:
        return UNKNOWN
    if ALL in added:
        return frozenset(CAPABILITIES) - dropped
    if ALL in dropped:
        return added
    return (default - dropped) | added
