"""Every call has its effect, and says what it was about when it fails: in children, on the real kernel."""

import ctypes
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from forked import forked

from hardener.linux import binding, calls, consts, names

NAMESPACES = {
    "mnt": consts.CLONE_NEWNS,
    "uts": consts.CLONE_NEWUTS,
    "ipc": consts.CLONE_NEWIPC,
    "net": consts.CLONE_NEWNET,
    "cgroup": consts.CLONE_NEWCGROUP,
    "user": consts.CLONE_NEWUSER,
    "pid": consts.CLONE_NEWPID,
    "time": consts.CLONE_NEWTIME,
}


def identity(kind: str, pid: int | str = "self") -> str:
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def test_the_numbers_are_those_of_the_c_library() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    assert binding.attempt(consts.SYSCALLS["ioctl"], -1, 0, 0) == -9
    assert libc.syscall(consts.SYSCALLS["prctl"], consts.PR_GET_DUMPABLE, 0, 0, 0, 0) == 1


def test_memory_holds_what_it_is_given() -> None:
    assert bytes(binding.memory(b"ab\0c")) == b"ab\0c"
    assert bytes(binding.memory(3)) == b"\0\0\0"


def test_a_nul_in_a_string_is_an_error() -> None:
    with pytest.raises(ValueError, match="NUL"):
        binding.text("a\0b")


@pytest.mark.parametrize("name", NAMESPACES)
def test_a_clone_is_in_a_new_namespace(name: str) -> None:
    def child() -> tuple[str, str]:
        reader, writer = os.pipe()
        pid, pidfd = calls.clone(NAMESPACES[name])
        if pid == 0:
            os.read(reader, 1)
            os._exit(0)
        kind = "pid_for_children" if name == "pid" else name
        found = identity(kind), identity(kind, pid)
        os.write(writer, b"x")
        os.waitpid(pid, 0)
        assert pidfd > 2
        return found

    ours, theirs = forked(child)
    assert ours != theirs


def test_clone_works_where_a_filter_hides_clone3(monkeypatch: pytest.MonkeyPatch) -> None:
    def child() -> tuple[int, bool]:
        monkeypatch.setitem(consts.SYSCALLS, "clone3", 1 << 20)  # a number that no kernel knows
        pid, pidfd = calls.clone(consts.CLONE_NEWUTS)
        if pid == 0:
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), pidfd > 2

    assert forked(child) == (7, True)


def test_a_clone_into_a_cgroup_does_not_fall_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(consts.SYSCALLS, "clone3", 1 << 20)
    with pytest.raises(OSError, match=r"clone\(flags=0x0\): Function not implemented"):
        calls.clone(0, cgroup_fd=0)


def test_unshare_and_setns_go_there_and_back() -> None:
    def child() -> tuple[bool, bool]:
        home = os.open("/proc/self/ns/uts", os.O_RDONLY)
        before = identity("uts")
        calls.unshare(consts.CLONE_NEWUTS)
        away = identity("uts")
        calls.setns(home, consts.CLONE_NEWUTS, name="uts")
        return before != away, before == identity("uts")

    assert forked(child) == (True, True)


def test_names_of_the_machine() -> None:
    def child() -> tuple[str, str]:
        calls.unshare(consts.CLONE_NEWUTS)
        calls.sethostname("inside")
        calls.setdomainname("example")
        return os.uname().nodename, Path("/proc/sys/kernel/domainname").read_text().strip()

    assert forked(child) == ("inside", "example")


def test_a_pidfd_is_signalled() -> None:
    def child() -> int:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        calls.pidfd_send_signal(calls.pidfd_open(pid), signal.SIGTERM)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert forked(child) == -signal.SIGTERM


def test_a_descriptor_is_handed_over() -> None:
    ours, theirs = calls.socketpair(consts.AF_UNIX, consts.SOCK_SEQPACKET | consts.SOCK_CLOEXEC)
    reader, writer = os.pipe()
    calls.send_fd(theirs, writer)
    os.close(writer)
    got = calls.receive_fd(ours)
    assert not os.get_inheritable(got)
    os.write(got, b"given")
    assert os.read(reader, 5) == b"given"
    os.write(theirs, b"no descriptor")
    with pytest.raises(OSError, match="there is no descriptor in the message"):
        calls.receive_fd(ours)
    for fd in (ours, theirs, reader, got):
        os.close(fd)


def test_a_program_is_executed_from_a_folder() -> None:
    def child() -> str:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(writer, 1)
            shell = Path("/bin/sh").resolve()
            calls.execveat_in(os.open(shell.parent, os.O_RDONLY), shell.name, [b"sh", b"-c", b'echo "$A $1"', b"sh", b"b c"], [b"A=a"])
        os.close(writer)
        os.waitpid(pid, 0)
        return os.read(reader, 100).decode()

    assert forked(child) == "a b c\n"


def test_executing_what_is_no_program_names_it() -> None:
    folder = os.open("/etc", os.O_RDONLY)
    with pytest.raises(OSError, match=r"execveat\(passwd\): Permission denied"):
        calls.execveat_in(folder, "passwd", [b"x"], [])
    os.close(folder)


@pytest.mark.parametrize("close", [calls.close_range, lambda first: calls.posix_close_range(first, 1 << 20)])
def test_descriptors_are_closed(close: Callable[[int], None]) -> None:
    def child() -> bool:
        high = os.dup2(0, 900)
        close(900)
        try:
            os.fstat(high)
        except OSError:
            return True
        return False

    assert forked(child)


def test_a_limit_is_set() -> None:
    def child() -> tuple[int, int]:
        import resource

        calls.prlimit(0, "NOFILE", 100, 200)
        return resource.getrlimit(resource.RLIMIT_NOFILE)

    assert forked(child) == (100, 200)


def test_a_limit_that_cannot_be_set_is_named() -> None:
    with pytest.raises(OSError, match=r"prlimit\(RLIMIT_NOFILE, soft=2, hard=1\): Invalid argument"):
        calls.prlimit(0, "NOFILE", 2, 1)


def test_sockets_are_connected() -> None:
    left, right = calls.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    os.write(left, b"one")
    os.write(left, b"two")
    assert [os.read(right, 10), os.read(right, 10)] == [b"one", b"two"]
    assert not os.get_inheritable(left)
    os.close(left)
    os.close(right)


def test_a_device_call_returns_what_the_kernel_wrote() -> None:
    fd = calls.socket(consts.AF_INET, consts.SOCK_DGRAM | consts.SOCK_CLOEXEC)
    answer = calls.ioctl(fd, consts.SIOCGIFFLAGS, b"lo".ljust(40, b"\0"), name="SIOCGIFFLAGS lo")
    os.close(fd)
    assert isinstance(answer, bytes)
    assert binding.number(answer, 16, 2) & 8  # IFF_LOOPBACK
    with pytest.raises(OSError, match=r"ioctl\(close on exec\): Bad file"):
        calls.ioctl(-1, 0x5451, 0, name="close on exec")


# --- privileges ---------------------------------------------------------------------------------------------------------------


def status(field: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith(f"{field}:"))


def test_all_five_sets_are_emptied() -> None:
    def child() -> list[str]:
        for capability in range(calls.last_capability() + 1):
            calls.drop_bounding(capability)
        calls.set_ambient([])
        calls.capset(0, 0, 0)
        return [status(name) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]

    assert forked(child) == ["0" * 16] * 5


def test_the_last_capability_is_that_of_the_kernel() -> None:
    assert calls.last_capability() == int(Path("/proc/sys/kernel/cap_last_cap").read_text())


def test_capabilities_are_raised() -> None:
    net_raw = 1 << names.CAPABILITIES.index("NET_RAW")
    checkpoint = 1 << names.CAPABILITIES.index("CHECKPOINT_RESTORE")  # above bit 31

    def child() -> list[int]:
        calls.capset(checkpoint, checkpoint | net_raw, net_raw)
        calls.set_ambient([names.CAPABILITIES.index("NET_RAW")])
        return [int(status(name), 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")]

    assert forked(child) == [checkpoint, checkpoint | net_raw, net_raw, net_raw]


def test_a_capability_that_is_not_permitted_is_named() -> None:
    def child() -> None:
        calls.capset(0, 0, 0)
        calls.set_ambient([names.CAPABILITIES.index("NET_RAW")])

    with pytest.raises(OSError, match="PR_CAP_AMBIENT_RAISE, CAP_NET_RAW"):
        forked(child)
    assert calls.capability_name(60) == "CAP_60"


def test_no_new_privileges() -> None:
    def child() -> int:
        calls.prctl(consts.PR_SET_NO_NEW_PRIVS, 1)
        return calls.prctl(consts.PR_GET_NO_NEW_PRIVS)

    assert forked(child) == 1


def test_a_filter_is_installed() -> None:
    # load nr; if uname (63 on x86_64, 160 on aarch64): EPERM; else allow
    def instruction(code: int, true: int, false: int, value: int) -> bytes:
        return code.to_bytes(2, "little") + bytes([true, false]) + value.to_bytes(4, "little")

    uname = 63 if binding.MACHINE == "x86_64" else 160
    program = b"".join(
        (instruction(0x20, 0, 0, 0), instruction(0x15, 0, 1, uname), instruction(6, 0, 0, 0x00050001), instruction(6, 0, 0, 0x7FFF0000))
    )

    def child() -> tuple[str, bool]:
        calls.prctl(consts.PR_SET_NO_NEW_PRIVS, 1)
        calls.seccomp_filter(program)
        try:
            os.uname()
        except PermissionError:
            return status("Seccomp"), True
        return status("Seccomp"), False

    assert forked(child) == ("2", True)


@pytest.mark.parametrize("program", [b"", b"1234567"])
def test_a_broken_filter_is_refused(program: bytes) -> None:
    with pytest.raises(OSError, match="empty or cut short"):
        calls.seccomp_filter(program)


def test_a_session_keyring_is_joined() -> None:
    assert forked(calls.join_session_keyring) == Path("/proc/keys").exists()


def test_an_unknown_machine_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(consts.SYSCALLS, "setns")
    with pytest.raises(OSError, match="setns: hardener does not know"):
        calls.setns(0)
