"""What a container uses now: processor, memory, network, disks, processes, from its control groups and its first process.

Source: docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/; what counts as used memory is what `docker stats` says: without the
pages of files that the kernel can drop at once.
"""

from __future__ import annotations

from hardener.linux import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

ENOENT, ESRCH, ENODEV, EINVAL, EOPNOTSUPP = 2, 3, 19, 22, 95
UNLIMITED: Final = 1 << 60  # version 1 writes no limit of memory as the largest number of pages there is


class Usage:
    """Numbers at one moment; None is what no control group of the container counts."""

    __slots__ = ("cpu_ns", "memory", "memory_limit", "pids", "read", "received", "sent", "written")

    def __init__(self) -> None:
        self.cpu_ns: int | None = None
        self.memory: int | None = None
        self.memory_limit: int | None = None
        self.pids: int | None = None
        self.received: int | None = None
        self.sent: int | None = None
        self.read: int | None = None
        self.written: int | None = None


def usage(directories: Sequence[str], pid: int | None) -> Usage:
    """Return what the groups of a container and the network of its first process count."""
    found = Usage()
    for directory in directories:
        _cpu(found, directory)
        _memory(found, directory)
        _disks(found, directory)
        if (count := _text(f"{directory}/pids.current")).isdigit():
            found.pids = int(count)
    if pid is not None:
        found.received, found.sent = network(_text(f"/proc/{pid}/net/dev"))
    return found


def _text(path: str) -> str:
    try:
        return procfs.read(path).strip()
    except OSError as error:
        if error.errno not in (ENOENT, ESRCH, ENODEV, EINVAL, EOPNOTSUPP):  # another version's file, or the container has just ended
            raise
        return ""


def _rows(text: str) -> dict[str, int]:
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _cpu(found: Usage, directory: str) -> None:
    if (old := _text(f"{directory}/cpuacct.usage")).isdigit():
        found.cpu_ns = int(old)
    elif (new := _rows(_text(f"{directory}/cpu.stat")).get("usage_usec")) is not None:
        found.cpu_ns = new * 1000


def _memory(found: Usage, directory: str) -> None:
    for used, limit, droppable in (
        ("memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"),
        ("memory.current", "memory.max", "inactive_file"),
    ):
        if (text := _text(f"{directory}/{used}")).isdigit():
            dropped = _rows(_text(f"{directory}/memory.stat")).get(droppable, 0)
            found.memory = max(int(text) - dropped, 0)
            allowed = _text(f"{directory}/{limit}")
            if allowed.isdigit() and int(allowed) < UNLIMITED:
                found.memory_limit = int(allowed)


def _disks(found: Usage, directory: str) -> None:
    for file in ("blkio.throttle.io_service_bytes_recursive", "io.stat"):
        if text := _text(f"{directory}/{file}"):
            found.read, found.written = disks(text)
            return


def disks(text: str) -> tuple[int, int]:
    """Return the bytes read and written of `8:0 Read 1` lines (v1) or of `8:0 rbytes=1 wbytes=2` lines (v2)."""
    read = written = 0
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in ("Read", "Write"):
            read += int(words[2]) if words[1] == "Read" else 0
            written += int(words[2]) if words[1] == "Write" else 0
        for word in words[1:]:
            key, _, value = word.partition("=")
            if key in ("rbytes", "wbytes") and value.isdigit():
                read += int(value) if key == "rbytes" else 0
                written += int(value) if key == "wbytes" else 0
    return read, written


def network(text: str) -> tuple[int | None, int | None]:
    """Return the bytes received and sent by all interfaces but the loopback one of a /proc/PID/net/dev."""
    rows = [line.partition(":") for line in text.splitlines() if ":" in line]
    if not rows:
        return None, None
    fields = [rest.split() for name, _, rest in rows if name.strip() != "lo"]
    return sum(int(row[0]) for row in fields), sum(int(row[8]) for row in fields)
