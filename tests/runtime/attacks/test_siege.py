"""System calls and devices that a program must not reach, tried from inside; each reaches the kernel where the walls are taken away."""

from typing import Any

import pytest
from attacking import default, script, without
from launching import launch

# What our walls answer: not permitted, not in this kernel, no such family, a read-only mount; SIGSYS ends a call of a foreign architecture.
REFUSED = ("EPERM", "EACCES", "EROFS", "ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "SIGSYS")
# What the kernel of a machine may have switched off for everybody: there, taking our walls away changes nothing.
SWITCHED = ("io_uring", "userfaultfd", "perf", "bpf", "TIOCSTI", "TIOCLINUX", "x32", "kernel log", "priority", "release_agent")
LACKING = ("ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "ENOTTY", "ENODEV", "EINVAL", "EBUSY")
NAMESPACES = ("user", "mount", "pid", "network", "ipc", "cgroup")
ATTEMPTS = (
    *(f"{call} {kind}" for call in ("unshare", "clone", "clone3") for kind in NAMESPACES),
    *("setns", "fsopen", "open_tree", "mount_setattr", "pivot_root", "chroot", "release_agent", "open_by_handle_at", "ptrace"),
    *("process_vm_readv", "pidfd_getfd", "kcmp", "TIOCSTI", "TIOCLINUX", "keyring", "io_uring", "userfaultfd", "bpf", "perf", "fanotify"),
    *("kernel log", "personality", "device of memory", "device of the disk", "host name", "priority", "ids of others", "owners"),
    *("mount", "bind", "remount", "unmount /proc/sys", "unmount a mask", "socket packet", "socket vsock", "socket alg", "socket can"),
    *("socket rxrpc", "socket kcm", "socket smc", "socket tipc", "socket bluetooth", "socket xdp", "socket key", "socket raw"),
    *("socket netlink xfrm", "socket netlink netfilter", "socket netlink audit", "socket netlink crypto", "socket netlink uevent"),
    *("socket netlink generic", "socket sctp", "socket mptcp", "socket smc over tcp"),
)
FOREIGN = ("int 0x80", "int 0x80 socketcall", "x32")  # on x86-64


@pytest.fixture(scope="module")
def ours(place: Any) -> Any:
    return launch(default(*script("siege.py")), place).json()


@pytest.fixture(scope="module")
def naive(place: Any) -> Any:
    return launch(without(default(*script("siege.py")), "seccomp", "user", "capabilities", "cgroup"), place).json()


def test_all_attempts_are_listed(ours: Any) -> None:
    assert ours.keys() - {"writable"} - {*FOREIGN} == {*ATTEMPTS}


@pytest.mark.parametrize("name", [*ATTEMPTS, *FOREIGN])
def test_an_attempt(ours: Any, naive: Any, name: str) -> None:
    if name not in ours:
        pytest.skip("kernel: these are system calls of x86-64")
    assert ours[name] in REFUSED
    assert naive[name] == "done" or naive[name] in LACKING or name in SWITCHED


def test_no_file_of_the_kernel_can_be_written(ours: Any, place: Any) -> None:
    """Writes to /proc/sys (core_pattern, modprobe), /proc/sysrq-trigger, /sys/kernel/uevent_helper, and all that nobody has named yet."""
    assert ours["writable"] == []
    naive = launch(without(default(*script("siege.py")), "seccomp", "user", "capabilities", "masks"), place).json()
    assert {"/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches"} <= {*naive["writable"]}
