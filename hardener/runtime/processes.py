"""Processes as records know them: by number, start and boot, for numbers are given away again."""

from __future__ import annotations

import posix

from hardener.linux import procfs

ENOENT, ESRCH = 2, 3


def boot_id() -> str:
    """Return the name that the kernel gave this boot."""
    return procfs.read("/proc/sys/kernel/random/boot_id").strip()


def start_of(pid: int) -> int | None:
    """Return when a process started, in clock ticks since the boot; None when there is none. Source: proc(5), stat, field 22."""
    try:
        text = procfs.read(f"/proc/{pid}/stat")
    except OSError as error:
        if error.errno in (ENOENT, ESRCH):
            return None
        raise
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def watch(pid: int | None, started: int | None, boot: str) -> int | None:
    """Return a pidfd of a process when it is still the one of that start and boot, else None; the caller closes it."""
    if pid is None or started is None or boot != boot_id():
        return None
    try:
        pidfd = posix.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if start_of(pid) == started:  # asked once the number cannot be given away any more
        return pidfd
    posix.close(pidfd)
    return None


def lives(pid: int | None, started: int | None, boot: str) -> bool:
    """Tell whether a process is alive and still the one of that start and boot."""
    pidfd = watch(pid, started, boot)
    if pidfd is None:
        return False
    posix.close(pidfd)
    return True
