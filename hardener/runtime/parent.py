"""Outside: makes what takes this machine's rights, gives birth to init, and waits.

    cgroups ─ sources ─ clone ─ id maps ─ attach ─ rlimits ─ id-mapped mounts ─ GO … READY ─ START ─ wait ─ clean up

Everything made here is unmade here, in reverse, however the launch ends; what a killed launcher leaves dies by itself: the child's death
signal ends the container, and detached mounts vanish with their last descriptor.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import calls, signals
from hardener.linux.consts import CLONE_NEWTIME
from hardener.runtime import cgroups, console, idmaps, init, mounts, namespaces, rlimits, sync, waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.runtime.cgroups import Cgroups, Layout
    from hardener.runtime.hostname import Names
    from hardener.runtime.idmaps import Maps
    from hardener.runtime.labels import Labels
    from hardener.runtime.landlock import Landlock
    from hardener.runtime.mounts import Filesystem, Sources
    from hardener.runtime.namespaces import Namespaces
    from hardener.runtime.network import Loopback
    from hardener.runtime.privileges import Privileges
    from hardener.runtime.program import Program
    from hardener.runtime.reaper import Reaper
    from hardener.runtime.rlimits import Limits
    from hardener.runtime.scheduling import Scheduling
    from hardener.runtime.seccomp import Filter
    from hardener.runtime.sync import Channel
    from hardener.runtime.sysctls import Sysctls
    from hardener.runtime.terminal import Terminal

EXIT_FAILED, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND = 125, 126, 127
EPERM, ENOENT, E2BIG, EACCES, EINVAL, ENOSYS = 1, 2, 7, 13, 22, 38


class Launch:
    """Every plan of one container, made before anything is done; and what is known only while it is started."""

    __slots__ = (
        *("bundle", "cgroups", "detached", "hostname", "idmaps", "labels", "landlock", "machine", "mounts", "namespaces", "network"),
        *("privileges", "program", "reaper", "rlimits", "scheduling", "seccomp", "signal_mask", "silent", "sources"),
        *("sysctls", "terminal"),
    )
    bundle: str
    machine: Layout
    namespaces: Namespaces
    idmaps: Maps | None
    cgroups: Cgroups | None
    rlimits: Limits | None
    network: Loopback | None
    sysctls: Sysctls | None
    mounts: Filesystem
    labels: Labels | None
    landlock: Landlock
    hostname: Names | None
    terminal: Terminal | None
    program: Program
    reaper: Reaper | None
    scheduling: Scheduling | None
    detached: bool
    silent: tuple[int, ...]
    privileges: Privileges
    seccomp: Filter | None
    sources: Sources
    signal_mask: set[int]


class LaunchError(HardenError):
    """The container did not start; `code` is the exit code that says so: 125, 126 not executable, 127 not found."""

    def __init__(self, what: str, *, where: str = "", how: str = "", code: int = EXIT_FAILED) -> None:
        super().__init__(what, where=where, how=how)
        self.code = code


class Outcome:
    """How a container ended: the exit code for a shell, and what a user should know."""

    __slots__ = ("code", "notices")

    def __init__(self, code: int, notices: list[str]) -> None:
        self.code = code
        self.notices = notices


class Started:
    """A container that runs: its first process, and our side of its terminal if it has one; `notices` are what a user should know.

    `kept` is the lock of the folder that takes what it writes (layers.py).
    """

    __slots__ = ("kept", "notices", "pid", "pidfd", "screen")

    def __init__(self, pid: int, pidfd: int, screen: int | None, notices: list[str]) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.screen = screen
        self.notices = notices
        self.kept: int | None = None


def run(launch: Launch, tell: Callable[[Started], None] = lambda started: None) -> Outcome:
    """Start a container and wait for its end; `tell` hears of it in between."""
    launch.signal_mask = signals.block(waiting.WATCHED)  # nothing is lost until we listen
    try:
        started = start(launch)
        code = None
        try:
            tell(started)
            if started.screen is None:
                code = waiting.wait(started.pid, started.pidfd)
            else:
                code = console.relay(started.screen, started.pid, started.pidfd)
        finally:
            if code is None:
                kill(started.pid, started.pidfd)
            hang_up(started)
            ended = end(launch.cgroups)
        return Outcome(code, started.notices + ended)
    finally:
        signals.restore(launch.signal_mask)


def start(launch: Launch) -> Started:
    """Start a container, with our standard streams; `launch.signal_mask` is the one that it gets. Without success nothing remains.

    Whoever starts it waits for `pid`, and then calls `hang_up` and `end`.
    """
    prepare()
    if launch.cgroups is not None:
        cgroups.create(launch.cgroups)
    started = None
    try:
        started = _start(launch)
    finally:
        if started is None and launch.cgroups is not None:
            cgroups.remove(launch.cgroups)
    return started


def prepare() -> None:
    """Make sure of what we have been started with: children that can be waited for, and streams that lead nowhere else."""
    signals.hear_children()
    for stream, name in enumerate(("input", "output", "error")):
        try:
            mode = posix.fstat(stream).st_mode
        except OSError:  # closed: what is opened next would take its number, and be handed to the container
            posix.set_inheritable(posix.open("/dev/null", posix.O_RDWR), True)
            continue
        if mode & 0o170000 == 0o040000:
            raise LaunchError(
                f"standard {name} is a folder: from there every file of this machine could be reached",
                how="redirect it from, or to, a file",
            )


def end(made: Cgroups | None) -> list[str]:
    """Remove the control groups of a container that has ended; return which limits it ran into."""
    if made is None:
        return []
    try:
        return cgroups.hits(made)
    finally:
        cgroups.remove(made)


def _start(launch: Launch) -> Started:
    launch.sources = mounts.open_sources(launch.mounts, launch.bundle)
    started = None
    try:
        started = _bear(launch)
        started.kept = launch.sources.lock
    finally:
        mounts.close_sources(launch.sources)
        if started is None and launch.sources.lock is not None:
            posix.close(launch.sources.lock)
    return started


def _bear(launch: Launch) -> Started:
    notices: list[str] = []
    ours, theirs = sync.pair()
    pid, pidfd, born_inside = _born(launch, ours, theirs)
    theirs.close()
    started = None
    try:
        _provide(launch, pid, notices, born_inside=born_inside)
        mounts.close_sources(launch.sources)
        ours.send(sync.GO)
        started = Started(pid, pidfd, converse(ours), notices)
    finally:
        ours.close()
        if started is None:
            kill(pid, pidfd)
            posix.close(pidfd)
    return started


def hang_up(started: Started) -> None:
    """Close what we hold of a container that has ended; what it kept is free for the next one."""
    for fd in (started.pidfd, started.screen, started.kept):
        if fd is not None:
            posix.close(fd)


def _born(launch: Launch, ours: Channel, theirs: Channel) -> tuple[int, int, bool]:
    """Clone; the child goes its own way and never comes back. Return the pid, the pidfd, and whether it was born in its unified cgroup."""
    unified = launch.cgroups.unified if launch.cgroups else None
    group_fd = posix.open(unified, posix.O_RDONLY | posix.O_CLOEXEC) if unified else None
    doors = cgroups.doors(launch.cgroups) if launch.cgroups else ()
    try:
        with namespaces.Entered(launch.namespaces.joins):
            pid, pidfd, born_inside = _clone(launch.namespaces, group_fd)
            if pid == 0:
                ours.close()
                init.run(launch, theirs, doors)
    finally:
        cgroups.close(doors)
        if group_fd is not None:
            posix.close(group_fd)
    return pid, pidfd, born_inside


def _clone(plan: Namespaces, group_fd: int | None) -> tuple[int, int, bool]:
    """Clone as well as the kernel lets us: in steps where it has no clone3, or one that knows no cgroups, or a filter hides it."""
    if group_fd is not None:
        try:
            return *calls.clone(plan.at_birth, cgroup_fd=group_fd), True
        except OSError as error:
            if error.errno not in (ENOSYS, EINVAL, E2BIG):  # before Linux 5.3 and 5.7
                raise
    try:
        return *calls.clone(plan.at_birth), False
    except OSError as error:
        if error.errno != ENOSYS or not plan.at_birth & CLONE_NEWTIME:  # the one that clone(2) cannot make
            raise
    plan.late |= CLONE_NEWTIME
    return *calls.clone(plan.at_birth), False


def _provide(launch: Launch, pid: int, notices: list[str], *, born_inside: bool) -> None:
    """Do from outside what init cannot do for itself."""
    if launch.idmaps is not None:
        idmaps.apply(launch.idmaps, pid)
    if launch.cgroups is not None:
        cgroups.attach(launch.cgroups, pid, born_inside=born_inside, gone_in=True)
    if launch.rlimits is not None:
        rlimits.apply(launch.rlimits, pid)
    schedule(launch, pid)
    if launch.idmaps is not None and launch.sources.opened:
        user_fd = posix.open(f"/proc/{pid}/ns/user", posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            notices += mounts.map_sources(launch.sources, launch.mounts, user_fd)
        finally:
            posix.close(user_fd)


def schedule(launch: Launch, pid: int) -> None:
    """Give a process its place among others, when one is asked for."""
    if launch.scheduling is not None:
        from hardener.runtime import scheduling

        scheduling.apply(launch.scheduling, pid)


def converse(channel: Channel) -> int | None:
    """Follow init up to its execve; return the master side of a terminal, if it has one."""
    screen = None
    while message := channel.receive():
        kind, *fields = message
        if kind == sync.TERMINAL:
            screen = calls.receive_fd(channel.fd)
            console.fit(screen)
        elif kind == sync.READY:
            channel.send(sync.START)
            while message := channel.receive():
                raise failure(*message[1:])
            return screen
        else:
            raise failure(*fields)
    raise LaunchError("the container was killed before it started", how="its memory or process limit may be too low for a start")


def failure(step: str, number: str, what: str, where: str = "", how: str = "") -> LaunchError:
    """Return what init has told of a step that failed."""
    if step == "exec":
        if number == str(ENOENT):
            how = "name a program that the root filesystem has, with its path where it is not in PATH"
            return LaunchError(what, where="process.args", how=how, code=EXIT_NOT_FOUND)
        return LaunchError(
            what, where="process.args", how="its mode, its mount or its format keeps it from running", code=EXIT_NOT_EXECUTABLE
        )
    if number in (str(EPERM), str(EACCES), str(ENOSYS)):
        how = how or remedy(int(number))
    return LaunchError(what, where=where or f"container start, step {step}", how=how)


def remedy(number: int) -> str:
    """Say what to do about an error of the kernel, where that can be said of all steps."""
    if number == ENOSYS:
        return outdated()
    if number in (EPERM, EACCES) and posix.geteuid() != 0:
        return "an ordinary user may not do this here: leave out what asks for it, or run as root"
    return ""


def outdated() -> str:
    """Say what to do about a system call that is not there."""
    return (
        f"hardener needs Linux 5.12 or newer and this is {posix.uname().release}; if it is newer, a filter hides the call: "
        "let the container or service around hardener have it (docker run --security-opt seccomp=unconfined)"
    )


def kill(pid: int, pidfd: int) -> None:
    """End a child of ours at once."""
    calls.pidfd_send_signal(pidfd, signals.KILL)
    posix.waitpid(pid, 0)
