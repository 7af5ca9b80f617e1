"""What a user is told when a container ran into a limit: which, how much it is, and how to raise it."""

from __future__ import annotations

from hardener.linux import procfs
from hardener.runtime import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_UNITS: Final = ((1 << 40, "TiB", "t"), (1 << 30, "GiB", "g"), (1 << 20, "MiB", "m"), (1 << 10, "KiB", "k"))
_PEAKS: Final = ("memory.peak", "memory.max_usage_in_bytes")


def sentence(directory: str, limit: str, count: int) -> str:
    """Return what to say of a limit, by the name of its file, that was hit `count` times."""
    allowed = _read(f"{directory}/{limit}")
    if limit == "pids.max":
        more = f"; --pids-limit {2 * int(allowed)} raises it" if allowed.isdigit() else ""
        return f"pids: {count} {'fork was' if count == 1 else 'forks were'} refused at the limit of {allowed} processes and threads{more}"
    killed = f"memory: {count} {'process' if count == 1 else 'processes'} killed"
    peak = next((text for file in _PEAKS if (text := _read(f"{directory}/{file}")).isdigit()), "")
    if not allowed.isdigit() or not _reached(directory, int(allowed), int(peak or 0)):
        return f"{killed}: not for the container's own limit, but because memory ran out around it"
    used = f", peak use {human(int(peak))}" if peak else ""
    return f"{killed} at the limit of {human(int(allowed))}{used}; --memory {option(2 * int(allowed))} raises it"


def _reached(directory: str, allowed: int, peak: int) -> bool:
    """Tell whether the group was ever at its own limit."""
    if _read(f"{directory}/memory.events"):
        return cgroups.counter(f"{directory}/memory.events", "oom") > 0
    # Version 1 does not say; its failcnt stays 0 in some kernels. A kill can come a few pages before the limit.
    return 10 * peak >= 9 * allowed


def _read(path: str) -> str:
    try:
        return procfs.read(path).strip()
    except FileNotFoundError:  # a file of the other version, or of a newer kernel
        return ""


def human(size: int) -> str:
    """Return bytes as people write them: 512 MiB, 1.5 GiB."""
    for factor, name, _ in _UNITS:
        if size >= factor:
            return f"{f'{size / factor:.1f}'.removesuffix('.0')} {name}"
    return f"{size} B"


def option(size: int) -> str:
    """Return bytes as an option takes them, in the largest unit that says them exactly: 512m."""
    return next((f"{size // factor}{letter}" for factor, _, letter in _UNITS if size >= factor and size % factor == 0), str(size))
