"""Processes, namespaces and privileges as typed functions; files and mounts are in mounting.py.

Source: the man pages of section 2 and the kernel's `uapi` headers. Every function raises an
`OSError` that names the call and its object.
"""

from __future__ import annotations

import posix

from hardener.linux import procfs
from hardener.linux.binding import address, attempt, attempt_holding, check, memory, memory_at, number, text, words
from hardener.linux.consts import (
    AT_SYMLINK_NOFOLLOW,
    CAPABILITY_VERSION,
    CLONE_INTO_CGROUP,
    CLONE_NEWTIME,
    CLONE_PARENT,
    CLONE_PIDFD,
    KEYCTL_JOIN_SESSION_KEYRING,
    MSG_CMSG_CLOEXEC,
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAP_AMBIENT_RAISE,
    PR_CAPBSET_DROP,
    PR_CAPBSET_READ,
    PR_SET_NAME,
    SCM_RIGHTS,
    SECCOMP_SET_MODE_FILTER,
    SIGCHLD,
    SOL_SOCKET,
    SYSCALLS,
)
from hardener.linux.names import CAPABILITIES, RLIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_ARG_START: Final = 48 - 3  # proc_pid_stat(5) counts from 1, and we from behind the name

ENOSYS: Final = 38
EPERM: Final = 1
EINVAL: Final = 22


def _nr(name: str) -> int:
    try:
        return SYSCALLS[name]
    except KeyError:
        raise OSError(ENOSYS, f"{name}: hardener does not know the system calls of {posix.uname().machine}") from None


# --- processes --------------------------------------------------------------------------------------------------------------


def clone(flags: int, *, cgroup_fd: int | None = None) -> tuple[int, int]:
    """Fork into new namespaces; return (pid, pidfd) in the parent and (0, -1) in the child.

    Prefers clone3(2), which alone knows CLONE_INTO_CGROUP and the time namespace, to clone(2), which older kernels and some filters leave.
    The calling process must have no other threads.
    """
    slot = memory(4)
    into = 0 if cgroup_fd is None else CLONE_INTO_CGROUP
    request = words(flags | CLONE_PIDFD | into, address(slot), 0, 0, SIGCHLD, 0, 0, 0, 0, 0, cgroup_fd or 0)
    pid = attempt_holding(_nr("clone3"), request, len(request))
    if pid == -ENOSYS and cgroup_fd is None and not flags & CLONE_NEWTIME:
        pid = attempt_holding(_nr("clone"), flags | CLONE_PIDFD | SIGCHLD, 0, slot, 0, 0)
    check(pid, f"clone(flags={flags:#x})")
    return (pid, number(bytes(slot))) if pid else (0, -1)


def reset_hidden_signals() -> None:
    """Let the two signals do nothing special that the C library keeps for itself, and that no function of it lets anybody touch.

    Whoever started us may have had them ignored, and an exec would go on doing so. Source: nptl(7).
    """
    nothing = bytes(32)  # struct sigaction of the kernel: SIG_DFL, no flags, no mask
    for one in (32, 33):
        check(attempt(_nr("rt_sigaction"), one, nothing, 0, 8), f"rt_sigaction({one})")


def fork() -> int:
    """Return the pid of a copy of this process, 0 in the copy. `posix.fork` would read /proc, which may be the container's."""
    pid, pidfd = clone(0)
    if pidfd >= 0:
        posix.close(pidfd)
    return pid


def clone_sibling() -> int:
    """Fork a child of our own parent, and return its pid; 0 in the child. clone(2): clone3 has other rules for its signal."""
    return check(attempt_holding(_nr("clone"), CLONE_PARENT, 0, 0, 0, 0), "clone(CLONE_PARENT)")


def rename(title: str) -> None:
    """Take a name, and wipe the command line that all who see this process can read; the /proc in place must be this machine's."""
    check(attempt(_nr("prctl"), PR_SET_NAME, text(title)), "prctl(PR_SET_NAME)")
    fields = procfs.read("/proc/self/stat").rpartition(")")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_START + 1])
    if start < end:
        memoryview(memory_at(start, end - start)).cast("B")[:] = text(title)[: end - start - 1].ljust(end - start, b"\0")


def unshare(flags: int) -> None:
    """Move the calling process into new namespaces."""
    check(attempt(_nr("unshare"), flags), f"unshare({flags:#x})")


def setns(fd: int, kind: int = 0, *, name: str = "") -> None:
    """Enter the namespace of a file descriptor; `kind` is its CLONE_NEW flag, 0 for any."""
    check(attempt(_nr("setns"), fd, kind), f"setns({name or fd})")


def pidfd_open(pid: int) -> int:
    """Return a file descriptor that stands for a process."""
    return check(attempt(_nr("pidfd_open"), pid, 0), f"pidfd_open({pid})")


def signalfd(signals: Sequence[int]) -> int:
    """Return a descriptor that becomes readable when one of some blocked signals comes; signals.read takes it from there."""
    mask = sum([1 << one - 1 for one in signals])
    return check(attempt(_nr("signalfd4"), 2**64 - 1, words(mask), 8, posix.O_CLOEXEC | posix.O_NONBLOCK), "signalfd")


def pidfd_send_signal(pidfd: int, signal: int) -> None:
    """Send a signal to exactly the process of a pidfd, never to one that took over its number."""
    check(attempt(_nr("pidfd_send_signal"), pidfd, signal, 0, 0), f"pidfd_send_signal({signal})")


def execveat_in(folder: int, name: str, arguments: Sequence[bytes], environment: Sequence[bytes]) -> None:
    """Replace the process by a program in a folder, where no link is followed; returns only by raising."""
    arrays = [[memory(word + b"\0") for word in words_] for words_ in (arguments, environment)]
    pointers = [words(*map(address, array), 0) for array in arrays]
    check(attempt(_nr("execveat"), folder, text(name), pointers[0], pointers[1], AT_SYMLINK_NOFOLLOW), f"execveat({name})")


def close_range(first: int, last: int = 2**32 - 1) -> None:
    """Close all file descriptors from `first` to `last`."""
    result = attempt(_nr("close_range"), first, last, 0)
    if result == -ENOSYS:  # before Linux 5.9
        posix_close_range(first, min(last, 1 << 20))
        return
    check(result, f"close_range({first}, {last})")


def posix_close_range(first: int, last: int) -> None:
    """Close a range of file descriptors one by one, as /proc lists them."""
    for name in posix.listdir("/proc/self/fd"):
        if first <= int(name) <= last:
            posix.closerange(int(name), int(name) + 1)


def prlimit(pid: int, kind: str, soft: int, hard: int) -> None:
    """Set a limit (`NOFILE`, …) of a process, 0 for the calling one."""
    check(attempt(_nr("prlimit64"), pid, RLIMITS.index(kind), words(soft, hard), 0), f"prlimit(RLIMIT_{kind}, soft={soft}, hard={hard})")


def sched_setattr(pid: int, policy: int, flags: int, nice: int, priority: int, runtime: int, deadline: int, period: int) -> None:
    """Set the scheduling policy of a process, with its niceness, real-time priority, or times in nanoseconds."""
    head = words(48, policy, size=4) + words(flags) + words(nice & 0xFFFFFFFF, priority, size=4)
    check(attempt(_nr("sched_setattr"), pid, head + words(runtime, deadline, period), 0), f"sched_setattr(policy={policy})")


def ioprio_set(pid: int, priority: int) -> None:
    """Set the class (from bit 13 up) and level of input and output of a process."""
    check(attempt(_nr("ioprio_set"), 1, pid, priority), f"ioprio_set({priority:#x})")


def socketpair(family: int, kind: int) -> tuple[int, int]:
    """Return two connected sockets."""
    pair = memory(8)
    check(attempt(_nr("socketpair"), family, kind, 0, pair), "socketpair")
    return number(bytes(pair)), number(bytes(pair), 4)


def send_fd(socket_fd: int, fd: int) -> None:
    """Hand a file descriptor to the other end of a connected Unix socket."""
    body, control = memory(b"."), memory(words(16 + 4) + words(SOL_SOCKET, SCM_RIGHTS, fd, 0, size=4))
    parts = memory(words(address(body), len(body)))
    message = memory(words(0, 0, address(parts), 1, address(control), len(control), 0))
    check(attempt(_nr("sendmsg"), socket_fd, message, 0), "sendmsg(SCM_RIGHTS)")


def receive_fd(socket_fd: int) -> int:
    """Return the file descriptor (close-on-exec) that `send_fd` at the other end has handed over."""
    body, control = memory(1), memory(24)
    parts = memory(words(address(body), len(body)))
    message = memory(words(0, 0, address(parts), 1, address(control), len(control), 0))
    check(attempt(_nr("recvmsg"), socket_fd, message, MSG_CMSG_CLOEXEC), "recvmsg(SCM_RIGHTS)")
    block = bytes(control)
    if number(block, 0, 8) != 16 + 4 or number(block, 12) != SCM_RIGHTS:
        raise OSError(EINVAL, "recvmsg: there is no descriptor in the message")
    return number(block, 16)


def socket(family: int, kind: int) -> int:
    """Return a socket."""
    return check(attempt(_nr("socket"), family, kind, 0), f"socket({family}, {kind})")


def inotify(path: str, events: int) -> int:
    """Return a descriptor that can be read when one of some events (IN_…) happens to a file or in a folder."""
    fd = check(attempt(_nr("inotify_init1"), posix.O_CLOEXEC | posix.O_NONBLOCK), "inotify_init1")
    try:
        check(attempt(_nr("inotify_add_watch"), fd, text(path), events), f"inotify_add_watch({path})")
    except OSError:
        posix.close(fd)
        raise
    return fd


def ioctl(fd: int, request: int, argument: bytes | int, *, name: str) -> bytes | int:
    """Make a device call; return the argument as the kernel left it, or the result where the argument is a number."""
    if isinstance(argument, int):
        return check(attempt(_nr("ioctl"), fd, request, argument), f"ioctl({name})")
    block = memory(argument)
    check(attempt(_nr("ioctl"), fd, request, block), f"ioctl({name})")
    return bytes(block)


# --- names of the machine ---------------------------------------------------------------------------------------------------


def sethostname(name: str) -> None:
    """Set the host name of the UTS namespace."""
    value = name.encode()
    check(attempt(_nr("sethostname"), value, len(value)), f"sethostname({name})")


def setdomainname(name: str) -> None:
    """Set the NIS domain name of the UTS namespace."""
    value = name.encode()
    check(attempt(_nr("setdomainname"), value, len(value)), f"setdomainname({name})")


# --- privileges -------------------------------------------------------------------------------------------------------------


def prctl(option: int, second: int = 0, third: int = 0, *, name: str = "") -> int:
    """Read or change a property of the process."""
    return check(attempt(_nr("prctl"), option, second, third, 0, 0), f"prctl({name or option})")


def last_capability() -> int:
    """Return the highest capability number that the kernel knows."""
    last, unknown = 0, 64  # more do not fit into its sets
    while unknown - last > 1:
        middle = (last + unknown) // 2
        if attempt(_nr("prctl"), PR_CAPBSET_READ, middle) >= 0:
            last = middle
        else:
            unknown = middle
    return last


def capability_name(number_: int) -> str:
    """Return `CAP_…` for a number, also for one that is newer than our list."""
    return f"CAP_{CAPABILITIES[number_]}" if number_ < len(CAPABILITIES) else f"CAP_{number_}"


def drop_bounding(capability: int) -> None:
    """Remove a capability from the bounding set."""
    check(attempt(_nr("prctl"), PR_CAPBSET_DROP, capability), f"prctl(PR_CAPBSET_DROP, {capability_name(capability)})")


def set_ambient(capabilities: Sequence[int]) -> None:
    """Make these the ambient capabilities."""
    check(attempt(_nr("prctl"), PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL), "prctl(PR_CAP_AMBIENT_CLEAR_ALL)")
    for one in capabilities:
        check(attempt(_nr("prctl"), PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, one), f"prctl(PR_CAP_AMBIENT_RAISE, {capability_name(one)})")


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Set the effective, permitted and inheritable sets of the process from bit masks."""
    halves = [mask >> shift & 0xFFFFFFFF for shift in (0, 32) for mask in (effective, permitted, inheritable)]
    header = memory(words(CAPABILITY_VERSION, 0, size=4))
    check(attempt(_nr("capset"), header, words(*halves, size=4)), f"capset({effective:#x}, {permitted:#x}, {inheritable:#x})")


def seccomp_filter(program: bytes, flags: int = 0) -> None:
    """Install a BPF program (8 bytes an instruction) as the filter of the system calls of this process and its children."""
    if not program or len(program) % 8:
        raise OSError(EINVAL, "seccomp: the filter is empty or cut short")
    code = memory(program)
    request = words(len(program) // 8) + words(address(code))
    check(attempt(_nr("seccomp"), SECCOMP_SET_MODE_FILTER, flags, request), f"seccomp({len(program) // 8} instructions)")


def join_session_keyring() -> bool:
    """Give the process a session keyring that is new and nobody else's; False on a kernel that has no keyrings.

    It has no name: by a name one joins what somebody else may have made under that name.
    """
    result = attempt(_nr("keyctl"), KEYCTL_JOIN_SESSION_KEYRING, 0)
    if result == -ENOSYS:
        return False
    check(result, "keyctl(KEYCTL_JOIN_SESSION_KEYRING)")
    return True
