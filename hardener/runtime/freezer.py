"""Holding all processes of a container still, and letting them go on: `freezer` of cgroup v1, `cgroup.freeze` of v2.

Source: docs.kernel.org/admin-guide/cgroup-v1/freezer-subsystem.html, cgroup-v2.html.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import procfs
from hardener.runtime import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

# Per version: the file to write, frozen, going on.
_FILES: Final = (("freezer.state", "FROZEN", "THAWED"), ("cgroup.freeze", "1", "0"))
PATIENCE_S: Final = 10.0


def freeze(directories: Sequence[str], frozen: bool, *, patience_s: float = PATIENCE_S) -> None:
    """Hold the processes of a container still, or let them go on; return when all of them are.

    `directories` are those of its groups. What cannot be frozen in time goes on, and that is an error.
    """
    for directory in directories:
        for file, hold, release in _FILES:
            path = f"{directory}/{file}"
            if posix.access(path, posix.F_OK):
                procfs.write(path, hold if frozen else release)
                if not _wait(directory, frozen=frozen, patience_s=patience_s):
                    procfs.write(path, release)
                    raise HardenError(
                        f"the processes of the container are not still after {patience_s:g} s, and go on",
                        where=directory,
                        how="one of them waits in the kernel (ps -o pid,stat,wchan shows where); try again later",
                    )
                return
    raise HardenError(
        "the container has no cgroup that could be frozen",
        how="start it as root, or where cgroups are delegated to you (systemd-run --user --scope -p Delegate=yes harden run …)",
    )


def is_frozen(directories: Sequence[str]) -> bool:
    """Tell whether the processes of a container are held still."""
    return any(_is(directory, frozen=True) for directory in directories if posix.access(directory, posix.F_OK))


def _is(directory: str, *, frozen: bool) -> bool:
    if posix.access(f"{directory}/freezer.state", posix.F_OK):
        return procfs.read(f"{directory}/freezer.state").strip() == ("FROZEN" if frozen else "THAWED")
    if posix.access(f"{directory}/cgroup.freeze", posix.F_OK):
        return bool(cgroups.counter(f"{directory}/cgroup.events", "frozen")) == frozen
    return False


def _wait(directory: str, *, frozen: bool, patience_s: float) -> bool:
    from time import monotonic, sleep

    deadline = monotonic() + patience_s
    while not _is(directory, frozen=frozen):
        if monotonic() > deadline:
            return False
        sleep(0.002)
    return True
