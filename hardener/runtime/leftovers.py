"""What a supervisor that was killed leaves behind: processes, control groups, folders; and how it goes."""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import procfs, signals
from hardener.runtime import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.runtime.state import State

ENOENT, EBUSY, ENOTEMPTY = 2, 16, 39
PATIENCE_S: Final = 5.0
STEP_S: Final = 0.01


def end(state: State) -> None:
    """Kill the processes of a container and remove its control groups."""
    import time

    thaw(state.cgroups)
    pidfd = processes.watch(state.pid, state.started, state.boot_id)
    if pidfd is not None:
        try:
            signals.send(pidfd, signals.KILL)
        except ProcessLookupError:
            pass
        finally:
            posix.close(pidfd)
    deadline = time.monotonic() + PATIENCE_S
    for group in state.cgroups:
        while not _clear(group):
            if time.monotonic() > deadline:
                raise HardenError(
                    f"the processes of the container {state.name} do not die", where=group, how="see what they wait for: ps -l"
                )
            time.sleep(STEP_S)
        _leave(group.rpartition("/")[0])


def _leave(parent: str) -> None:
    """Remove the folder that all our control groups share, when this was the last of them."""
    if parent.endswith("/harden"):
        try:
            posix.rmdir(parent)
        except OSError as error:
            if error.errno not in (ENOENT, EBUSY, ENOTEMPTY):
                raise


def _clear(group: str) -> bool:
    """Kill what is in a control group and remove it; False while something is left."""
    try:
        with_below = [entry for entry in posix.listdir(group) if posix.lstat(f"{group}/{entry}").st_mode & 0o170000 == 0o040000]
        below = [_clear(f"{group}/{entry}") for entry in with_below]
        for pid in map(int, procfs.read(f"{group}/cgroup.procs").split()):
            if pid:  # 0 stands for processes outside our pid namespace, and for kill(2) it is our own group
                _kill(pid)
        if all(below):
            posix.rmdir(group)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (EBUSY, ENOTEMPTY):
            raise
        return False
    return all(below)


def _kill(pid: int) -> None:
    try:
        posix.kill(pid, signals.KILL)
    except ProcessLookupError:
        return


def thaw(groups: tuple[str, ...]) -> None:
    """Let the processes of control groups go on."""
    # On v1 not even SIGKILL reaches what is frozen.
    for group in groups:
        for file, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
            if posix.access(f"{group}/{file}", posix.F_OK):
                procfs.write(f"{group}/{file}", value)


def frozen(groups: tuple[str, ...]) -> bool:
    """Tell whether a control group is frozen."""
    for group in groups:
        for file, value in (("freezer.state", "FROZEN"), ("cgroup.freeze", "1")):
            try:
                if procfs.read(f"{group}/{file}").strip() == value:
                    return True
            except FileNotFoundError:
                continue
    return False


def remove_tree(folder: str) -> None:
    """Remove a folder of ours with all that is in it; others may be doing the same."""
    try:
        names = posix.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        path = f"{folder}/{name}"
        try:
            if posix.lstat(path).st_mode & 0o170000 == 0o040000:
                remove_tree(path)
            else:
                posix.unlink(path)
        except FileNotFoundError:  # another command sweeps as well
            continue
    try:
        posix.rmdir(folder)
    except FileNotFoundError:
        return
