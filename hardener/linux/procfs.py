"""What /proc says, as values: mounts, cgroups, the state of a process. Texts are parsed by pure functions."""

from __future__ import annotations

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class MountPoint:
    """One line of /proc/PID/mountinfo; `device` is MAJOR:MINOR of the filesystem, `root` the folder of it that is shown."""

    __slots__ = ("device", "fstype", "options", "point", "root", "super_options")

    def __init__(self, device: str, point: str, root: str, fstype: str, options: tuple[str, ...], super_options: tuple[str, ...]) -> None:
        self.device = device
        self.point = point
        self.root = root
        self.fstype = fstype
        self.options = options
        self.super_options = super_options

    def __repr__(self) -> str:
        return f"MountPoint({self.fstype} on {self.point})"


def read(path: str, limit: int = 1 << 20) -> str:
    """Return a file of /proc, /sys or a cgroup as text; it is an error when it holds more than `limit` bytes."""
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        return read_fd(fd, path, limit)
    finally:
        posix.close(fd)


def read_fd(fd: int, name: str, limit: int = 1 << 20) -> str:
    """Return what an open file holds as text; `name` is for the message."""
    chunks = []
    size = 0
    while chunk := posix.read(fd, min(limit + 1, 1 << 16)):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise OSError(27, f"read({name}): more than {limit} bytes")
    return b"".join(chunks).decode("utf-8", "surrogateescape")


def write(path: str, value: str) -> None:
    """Write a value to a file of /proc, /sys or a cgroup in one call."""
    try:
        fd = posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC)
        try:
            posix.write(fd, value.encode("utf-8", "surrogateescape"))
        finally:
            posix.close(fd)
    except OSError as error:
        raise OSError(error.errno, f"write({path}, {value.strip()!r}): {posix.strerror(error.errno or 0)}") from error


def _unescape(word: str) -> str:
    if "\\" not in word:
        return word
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        word = word.replace(code, character)
    return word


def parse_mounts(text: str) -> list[MountPoint]:
    """Return the mounts of a mountinfo text, in its order: a later one at the same point covers an earlier one."""
    mounts = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        words, rest = before.split(" "), after.split(" ")
        if len(words) >= 6 and len(rest) >= 3:
            options = tuple(words[5].split(","))
            mounts.append(MountPoint(words[2], _unescape(words[4]), _unescape(words[3]), rest[0], options, tuple(rest[2].split(","))))
    return mounts


def parse_cgroups(text: str) -> dict[str, str]:
    """Return the cgroup of a process by controller, from /proc/PID/cgroup; the unified hierarchy is ''."""
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller.removeprefix("name=")] = path
    return found


def parse_status(text: str) -> dict[str, str]:
    """Return the fields of /proc/PID/status."""
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def signals(mask: str) -> Iterable[int]:
    """Return the signals of a hexadecimal mask of /proc/PID/status."""
    bits = int(mask, 16)
    return [number + 1 for number in range(64) if bits >> number & 1]
