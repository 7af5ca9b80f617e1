"""Another process in a container that runs: `harden exec`.

    launcher                                helper                              program
      | finds process, root, groups
      | clone ─────────────────────────────▶ sealed, in the control groups, waits
      | limits
      | GO ────────────────────────────────▶ not dumpable; all namespaces, at once
      |                                      clone(CLONE_PARENT) ─────────────▶ waits
      | ◀───────────────────────── BORN pid  is gone
      | GO ───────────────────────────────────────────────────────────────────▶ root, ids, then init.walls
      | ◀── TERMINAL, READY, START, (closed) or ERROR, as between parent and init: sync.py

The container may be hostile, and now it is there first. So everything is loaded and looked up before we are in it; what we are cannot be
read or traced by it (CVE-2016-9962), nor is its program executed through anything of ours (CVE-2019-5736); no descriptor of this machine
comes along (CVE-2024-21626). Between the room and the program stand the steps that the container's first process took, the same list.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import calls, mounting, procfs, signals
from hardener.linux.consts import AT_FDCWD, PR_SET_DUMPABLE
from hardener.linux.mounting import O_PATH
from hardener.runtime import cgroups, console, container, init, parent, reaper, rlimits, sync, users, waiting
from hardener.runtime.namespaces import FILES, KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import Spec
    from hardener.runtime.init import Step
    from hardener.runtime.parent import Launch, Outcome, Started
    from hardener.runtime.sync import Channel

TITLE: Final = "harden-exec"
EACCES, EINVAL, ESRCH = 13, 22, 3
_NULL: Final = 1 << 8 | 3  # the device number of /dev/null


class Door:
    """A running container as something to enter: everything in it belongs to one and the same process, which `pidfd` stands for.

    `flags` are the namespaces that are not ours, `spaces` descriptors of them by kind; `groups` the folders of its control groups that we
    are not in.
    """

    __slots__ = ("flags", "groups", "pidfd", "root", "spaces")

    def __init__(self, pidfd: int, root: int, flags: int, spaces: dict[str, int], groups: tuple[str, ...]) -> None:
        self.pidfd = pidfd
        self.root = root
        self.flags = flags
        self.spaces = spaces
        self.groups = groups

    def close(self) -> None:
        """Let go of the container."""
        for fd in (self.pidfd, self.root, *self.spaces.values()):
            posix.close(fd)


def find(pid: int, pidfd: int, machine: cgroups.Layout) -> Door:
    """Return the door of the container of a process; the pidfd says whose number that is, and is ours to close from now on."""
    spaces: dict[str, int] = {}
    root = -1
    try:
        pid, pidfd = member(pid, pidfd)
        root = posix.open(f"/proc/{pid}/root", O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
        flags = 0
        for kind, (flag, _) in KINDS.items():
            file = FILES.get(kind, kind)
            there, here = posix.stat(f"/proc/{pid}/ns/{file}"), posix.stat(f"/proc/self/ns/{file}")
            if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
                flags |= flag
                spaces[kind] = posix.open(f"/proc/{pid}/ns/{file}", posix.O_RDONLY | posix.O_CLOEXEC)
        groups = _groups(pid, machine)
        calls.pidfd_send_signal(pidfd, 0)  # it is still there: so all this was its own, and not its successor's in that number
    except OSError as error:
        for fd in (pidfd, root, *spaces.values()):
            if fd >= 0:
                posix.close(fd)
        if error.errno in (EACCES, 1):
            raise HardenError("the container is not yours to enter", where=sync.describe(error), how="as who it was started by") from error
        if error.errno in (2, ESRCH):
            raise HardenError("the container has ended", how="harden ps -a shows how") from error
        raise
    return Door(pidfd, root, flags, spaces, groups)


def member(pid: int, pidfd: int) -> tuple[int, int]:
    """Return a process through which an ordinary user may enter: an init of ours lets nobody look into it, what it has started does."""
    try:
        posix.stat(f"/proc/{pid}/ns/mnt")
    except PermissionError:
        children = procfs.read(f"/proc/{pid}/task/{pid}/children").split()
        if not children:
            raise
        child = int(children[0])
        child_fd = calls.pidfd_open(child)
        # While its parent lives, a number among its children is taken by nobody else's.
        if str(child) not in procfs.read(f"/proc/{pid}/task/{pid}/children").split():
            posix.close(child_fd)
            raise
        calls.pidfd_send_signal(pidfd, 0)
        posix.close(pidfd)
        return child, child_fd
    return pid, pidfd


def _groups(pid: int, machine: cgroups.Layout) -> tuple[str, ...]:
    own, theirs = (procfs.parse_cgroups(procfs.read(f"/proc/{who}/cgroup")) for who in ("self", pid))
    found: dict[str, None] = {}
    for controller, path in theirs.items():
        point = machine.v1.get(controller) if controller else machine.unified
        if point is not None and own.get(controller) != path:
            found[f"{point}{path}".rstrip("/")] = None
    return tuple(found)


def account(door: Door, user: str) -> users.Account:
    """Return who `user` is in the container, by its own files, read as data."""
    return users.resolve(user, users.database(door.root, "/etc/passwd"), users.database(door.root, "/etc/group"))


def plan(spec: Spec, name: str, machine: cgroups.Layout, cache: str = "") -> Launch:
    """Return the plans for a process of a container: `spec` is the container's, with the process that is to be started."""
    if reaper.traces_us(spec):
        raise HardenError(
            "a container with CAP_SYS_PTRACE and no user namespace could take over whoever enters it",
            where="harden exec",
            how="run it with a user namespace, or without the capability",
        )
    launch = container.plan(spec, bundle="/", name=name, machine=machine, cache=cache)
    launch.reaper = None  # the container has its first process
    return launch


def run(launch: Launch, door: Door, *, typing: bool = True) -> Outcome:
    """Start a process in a container and wait for its end; raises `parent.LaunchError` when it does not start."""
    launch.signal_mask = signals.block(waiting.WATCHED)
    try:
        started = start(launch, door)
        code = None
        try:
            if started.screen is None:
                code = waiting.wait(started.pid, started.pidfd)
            else:
                code = console.relay(started.screen, started.pid, started.pidfd, typing=typing)
        finally:
            if code is None:
                parent.kill(started.pid, started.pidfd)
            parent.hang_up(started)
        return parent.Outcome(code, started.notices)
    finally:
        signals.restore(launch.signal_mask)


def start(launch: Launch, door: Door) -> Started:
    """Start a process in a container, as a child of ours."""
    parent.prepare()
    try:
        return _start(launch, door)
    except OSError as error:
        raise parent.LaunchError(sync.describe(error), where="exec") from error


def _start(launch: Launch, door: Door) -> Started:
    doors = _doors(door.groups)
    ours, theirs = sync.pair()
    try:
        helper, helper_fd = calls.clone(0)
        if helper == 0:
            ours.close()
            init.perform(theirs, doors, lambda: [*_steps(launch, door, theirs), *init.walls(launch, theirs)])
    finally:
        cgroups.close(doors)
        theirs.close()
    try:
        if launch.rlimits is not None:
            rlimits.apply(launch.rlimits, helper)
        ours.send(sync.GO)
        pid = _born(ours.receive())
        pidfd = calls.pidfd_open(pid)  # nobody has waited for it: the number is still its own
        started = None
        try:
            parent.schedule(launch, pid)
            ours.send(sync.GO)
            started = parent.Started(pid, pidfd, parent.converse(ours), [])
        finally:
            if started is None:
                parent.kill(pid, pidfd)
                posix.close(pidfd)
        return started
    finally:
        ours.close()
        parent.kill(helper, helper_fd)
        posix.close(helper_fd)


def _doors(groups: tuple[str, ...]) -> tuple[int, ...]:
    opened: list[int] = []
    try:
        for group in groups:
            opened.append(posix.open(f"{group}/cgroup.procs", posix.O_WRONLY | posix.O_CLOEXEC))  # noqa: PERF401  (what is open must be closed)
    except OSError:
        cgroups.close(opened)
        raise
    return tuple(opened)


def _born(message: tuple[str, ...]) -> int:
    if message[:1] == (sync.BORN,):
        return int(message[1])
    if message:
        raise parent.failure(*message[1:])
    raise parent.LaunchError("the process was killed before it started", how="the container's memory or process limit may be reached")


# --- inside -------------------------------------------------------------------------------------------------------------------


def _steps(launch: Launch, door: Door, channel: Channel) -> list[Step]:
    """Return the steps from this machine into the container; the third is taken by a child, which goes on."""
    return [
        ("seal", _hide),
        ("namespaces", lambda: _enter(door)),
        ("fork", lambda: _fork(channel)),
        ("root", lambda: _settle(launch, door)),
    ]


def _hide() -> None:
    calls.rename(TITLE)
    calls.prctl(PR_SET_DUMPABLE, 0, name="PR_SET_DUMPABLE")


def _enter(door: Door) -> None:
    if not door.flags:
        return
    try:
        calls.setns(door.pidfd, door.flags, name="all namespaces")
    except OSError as error:
        if error.errno != EINVAL:
            raise
        # Before Linux 5.8: one after the other. Root may enter all while it is this machine's, others only once they are the container's.
        kinds = sorted(door.spaces, key=lambda kind: (kind == "user") == (posix.geteuid() == 0))
        for kind in kinds:
            calls.setns(door.spaces[kind], KINDS[kind][0], name=kind)


def _fork(channel: Channel) -> None:
    child = calls.clone_sibling()
    if child:
        channel.send(sync.BORN, str(child))
        posix._exit(0)
    init.await_word(channel, sync.GO)


def _settle(launch: Launch, door: Door) -> None:
    """Take the root of the container and the ids of its root user."""
    posix.fchdir(door.root)
    posix.chroot(".")
    space = launch.namespaces
    if space.root_uid is not None and space.root_gid is not None:
        posix.setresgid(space.root_gid, space.root_gid, space.root_gid)
        posix.setresuid(space.root_uid, space.root_uid, space.root_uid)
    calls.prctl(PR_SET_DUMPABLE, 0, name="PR_SET_DUMPABLE")  # the change of ids may have set it
    for stream in launch.silent:
        null = mounting.open_in(AT_FDCWD, "/dev/null", posix.O_RDWR | posix.O_NOCTTY | posix.O_NONBLOCK)
        if posix.fstat(null).st_rdev != _NULL:  # CVE-2025-31133
            raise OSError(19, "/dev/null of the container is something else")
        posix.dup2(null, stream)
        posix.close(null)
