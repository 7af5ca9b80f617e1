"""What a supervisor that was killed leaves behind: processes and control groups; and how they go."""

from __future__ import annotations

import posix

from hardener.linux import signals
from hardener.runtime import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardener.runtime.state import State

ENOENT, EBUSY, ENOTEMPTY = 2, 16, 39


def end(state: State) -> None:
    """Kill the processes of a container and remove its control groups."""
    thaw(state.cgroups)
    pidfd = processes.watch(state.pid, state.started, state.boot_id)
    if pidfd is not None:
        signals.send(pidfd, signals.KILL)
        posix.close(pidfd)
    if not state.cgroups:
        return
    from hardener.runtime import cgroups, group_ends

    for group in state.cgroups:
        group_ends.end(group)
        above = group.rpartition("/")[0]
        if above.endswith(f"/{cgroups.PARENT}"):
            _leave(above)


def _leave(shared: str) -> None:
    """Remove the folder that all our groups share when this was the last, or else what nobody will miss of what is left in it."""
    from hardener.runtime import group_ends

    for _ in range(2):
        try:
            posix.rmdir(shared)
        except OSError as error:
            if error.errno not in (ENOENT, EBUSY, ENOTEMPTY):
                raise
            if error.errno != ENOENT:
                group_ends.sweep(shared)
                continue
        return


def thaw(groups: tuple[str, ...]) -> None:
    """Let the processes of control groups go on."""
    if groups:
        from hardener.runtime import group_ends

        for group in groups:
            group_ends.thaw(group)


def frozen(groups: tuple[str, ...]) -> bool:
    """Tell whether a control group is frozen."""
    if not groups:
        return False
    from hardener.runtime import freezer

    return freezer.is_frozen(groups)
