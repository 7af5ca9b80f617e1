"""What a container gains by a device of the host. Sources: the kernel's Documentation/admin-guide/devices.txt, cgroups' device rules."""

from functools import lru_cache
from typing import Final

from hardener.finding import Severity
from hardener.record import NamedTuple
from hardener.text import Pattern

INFO, LOW, MEDIUM, HIGH, CRITICAL = Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL

_DISK: Final = "a raw disk: every file on it, past all permissions"


class Gain(NamedTuple):
    """How bad it is to have a device, and what is to be had."""

    severity: Severity
    gives: str


_ROWS: Final = (
    (r"/dev", CRITICAL, "every device of the host, its disks included"),
    (r"/dev/(?:mem|kmem|port)", CRITICAL, "the memory and ports of the machine"),
    (r"/dev/(?:[shv]d[a-z]{1,2}\d*$|xvd[a-z]+\d*$|nvme\d|mmcblk\d|dm-\d|md\d|nbd\d|zd\d|dasd|pmem\d|bcache\d|ram\d).*", CRITICAL, _DISK),
    (r"/dev/(?:mapper|disk|block|raw|md|root|ubuntu-vg|pve)(?:/.*)?", CRITICAL, _DISK),
    (r"/dev/loop(?:\d.*|-control)", CRITICAL, "loop devices: file systems of one's own making, and the images that are mounted"),
    (r"/dev/(?:zfs|btrfs-control|drbd.*|rbd.*)", HIGH, "the host's file systems"),
    (r"/dev/(?:sg\d.*|bsg(?:/.*)?)", HIGH, "raw commands to the host's disks"),
    (r"/dev/mtd.*", HIGH, "the machine's firmware"),
    (r"/dev/cpu/.*msr|/dev/mcelog", HIGH, "the processor's registers"),
    (r"/dev/vfio(?:/.*)?", HIGH, "a device's own access to memory"),
    (r"/dev/(?:uinput|uhid)", MEDIUM, "a keyboard of one's own on the host"),
    (r"/dev/(?:input(?:/.*)?|hidraw.*)", MEDIUM, "every key that is typed on the host"),
    (r"/dev/(?:console|tty\d+|vcs.*)", MEDIUM, "the host's terminals"),
    (r"/dev/(?:watchdog\d*|nvram)", MEDIUM, "a reset of the machine"),
    (r"/dev/tpm.*", MEDIUM, "the machine's key store"),
    (r"/dev/bus/usb", MEDIUM, "every USB device, disks and keyboards included"),
    (r"/dev/kmsg", LOW, "the kernel's log, to read and to write"),
)

_ORDINARY: Final = (
    (r"/dev/kvm", "virtual machines, and the kernel code behind them"),
    (r"/dev/fuse", "file systems of one's own (with CAP_SYS_ADMIN)"),
    (r"/dev/net/tun", "network interfaces of one's own (with CAP_NET_ADMIN)"),
    (r"/dev/vhost-.*", "kernel code for virtual machines"),
    (r"/dev/userfaultfd", "a tool of kernel exploits"),
    (r"/dev/(?:dri|kfd|nvidia.*|mali.*|dxg)(?:/.*)?", "the graphics driver"),
    (r"/dev/snd(?:/.*)?", "microphone and speakers"),
    (r"/dev/(?:video|media|v4l).*", "the camera"),
    (r"/dev/(?:i2c-|spidev|gpio).*", "hardware on the board"),
)

_NULL: Final = frozenset(("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx"))
"""What every container has."""

_GAINS: Final = [(Pattern(pattern), Gain(severity, gives)) for pattern, severity, gives in _ROWS]
_OTHERS: Final = [(Pattern(pattern), gives) for pattern, gives in _ORDINARY]


@lru_cache(maxsize=256)
def dangerous(path: str, permissions: str = "rwm") -> Gain | None:
    """Return what a device of the host gives beyond its own purpose; None when that is nothing, or not known."""
    for pattern, gain in _GAINS:
        if pattern.fullmatch(path):
            if gain.gives is _DISK and "r" not in permissions and "w" not in permissions:
                return None
            if gain.gives is _DISK and "w" not in permissions:
                return Gain(HIGH, "every file on that disk, past all permissions")
            return gain
    return None


@lru_cache(maxsize=256)
def ordinary(path: str) -> str | None:
    """Return what an ordinary device is for; None for what every container has, or what `dangerous` speaks of."""
    if path in _NULL or not path.startswith("/dev/") or dangerous(path) is not None:
        return None
    return next((gives for pattern, gives in _OTHERS if pattern.fullmatch(path)), "a device of the host")


_DISK_MAJORS: Final = frozenset({3, 7, 8, 9, 11, 22, 43, 65, 66, 67, 68, 69, 70, 71, 128, 179, 202, 230, 252, 253, 254, 259})


def opened(rule: str) -> Gain | None:
    """Return what a device cgroup rule (`c 1:3 rwm`) opens; None when that is an ordinary device, or the rule is none."""
    words = rule.split()
    if words[:1] == ["a"]:
        return Gain(CRITICAL, "every device of the host")  # whatever follows: `a` is all of them
    if len(words) != 3 or not ("r" in words[2] or "w" in words[2]):
        return None
    kind, (major, _, minor) = words[0], words[1].partition(":")
    if kind == "b":
        if major == "*" or (major.isdigit() and int(major) in _DISK_MAJORS):
            return Gain(CRITICAL if "w" in words[2] else HIGH, "raw disks of the host")
        return Gain(HIGH, "block devices of the host")
    if kind != "c":
        return None
    if major == "*":
        return Gain(HIGH, "every character device of the host, its memory included")
    if major == "1" and minor in ("*", "1", "2", "4"):
        return Gain(CRITICAL, "the memory of the machine")
    if (major, minor) in (("10", "*"), ("10", "223")):
        return Gain(MEDIUM, "input devices of one's own on the host")
    return None
