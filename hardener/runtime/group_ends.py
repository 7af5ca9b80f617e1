"""The end of a control group: what is left in it is killed, groups that were made below it go first, and it is removed.

The death of a pid namespace's first process has killed the rest already; here is what happens to a container without one of its own, to
groups made inside, and to what a killed launcher has left.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import procfs, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

ENOENT, ESRCH, EBUSY, ENOTEMPTY, ENODEV, EOPNOTSUPP = 2, 3, 16, 39, 19, 95
LONGEST_START_S: Final = 60.0
_ATTEMPTS: Final = 200


def end(directory: str) -> None:
    """Kill what lives in a group and below it, and remove it all; an error when it does not die within seconds."""
    for attempt in range(_ATTEMPTS):
        if attempt:  # a process that was just reaped leaves its group a moment later
            kill(directory)
        if _remove(directory):
            return
        _pause(attempt)
    raise HardenError(
        f"processes of the container do not end: {', '.join(members(directory)) or 'none that can be seen from here'}",
        where=directory,
        how="see what they wait for (ps -o pid,stat,wchan), then remove the folder: rmdir",
    )


def kill(directory: str) -> None:
    """Kill every process in a group and in those below it, frozen or not."""
    try:
        procfs.write(f"{directory}/cgroup.kill", "1")  # v2, since Linux 5.14: one step that no fork escapes
        return
    except OSError as error:
        if error.errno not in (ENOENT, EOPNOTSUPP):
            raise
    for one in tree(directory):
        thaw(one)  # on v1 not even SIGKILL reaches what is frozen
        for pid in members(one):
            try:
                if int(pid) > 0:  # 0 is a process that our pid namespace does not show
                    posix.kill(int(pid), signals.KILL)
            except ProcessLookupError:
                continue


def thaw(directory: str) -> None:
    """Let the processes of a group go on, where they are frozen."""
    for file, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
        try:
            procfs.write(f"{directory}/{file}", value)
        except OSError as error:
            if error.errno not in (ENOENT, ENODEV):
                raise


def members(directory: str) -> list[str]:
    """Return the processes in a group."""
    try:
        return procfs.read(f"{directory}/cgroup.procs").split()
    except OSError as error:
        if error.errno not in (ENOENT, ENODEV, EOPNOTSUPP):  # it is gone, or its members are threads of another group's processes
            raise
        return []


def tree(directory: str) -> list[str]:
    """Return a group and all groups below it, the deepest first."""
    try:
        names = posix.listdir(directory)
    except OSError as error:
        if error.errno not in (ENOENT, ENODEV):
            raise
        return []
    found = []
    for name in names:
        path = f"{directory}/{name}"
        if is_group(path):
            found += tree(path)
    return [*found, directory]


def is_group(path: str) -> bool:
    """Tell whether a path is a directory, which in these file systems is a group."""
    try:
        return posix.lstat(path).st_mode & 0o170000 == 0o040000
    except FileNotFoundError:
        return False


def remove_unused(directory: str) -> bool:
    """Remove a group and those below it in which nobody lives; False when somebody does."""
    return not any(members(one) for one in tree(directory)) and _remove(directory)


def _remove(directory: str) -> bool:
    done = True
    for one in tree(directory):
        try:
            posix.rmdir(one)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in (EBUSY, ENOTEMPTY):
                raise
            done = False
    return done


def sweep(parent: str) -> None:
    """Remove the groups below a common parent that launchers which were killed have left there.

    Those are named after a process that is no more (NAME-PID), or nobody has lived in them for longer than any start takes.
    """
    try:
        names = posix.listdir(parent)
    except FileNotFoundError:
        return
    for name in names:
        pid = name.rpartition("-")[2]
        numbered = pid.isdigit() and pid.isascii()
        if (numbered and not posix.access(f"/proc/{pid}", posix.F_OK)) or (not numbered and _age_s(f"{parent}/{name}") > LONGEST_START_S):
            remove_unused(f"{parent}/{name}")


def _age_s(path: str) -> float:
    from time import time

    try:
        found = posix.lstat(path)
    except FileNotFoundError:
        return 0.0
    return time() - found.st_mtime if found.st_mode & 0o170000 == 0o040000 else 0.0


def _pause(attempt: int) -> None:
    from time import sleep

    sleep(min(0.0005 * 2**attempt, 0.05))
