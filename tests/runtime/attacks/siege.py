"""What a hostile program tries once it runs, as JSON on standard output: each attempt by name, with 'done' or what refused it.

It runs inside with nothing but Python. Every attempt is made in a child process, so that none changes what the next one finds, and none
harms a machine that lets it through: what would be written to is opened, and closed again.
"""

import ctypes
import errno
import json
import mmap
import os
import platform
import pty
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
X86 = platform.machine() == "x86_64"
# x86-64 and, where it differs, the common numbers of newer architectures.
NUMBERS = {
    "ptrace": (101, 117),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "syslog": (103, 116),
    "unshare": (272, 97),
    "setns": (308, 268),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "personality": (135, 92),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "fanotify_init": (300, 262),
    "clone": (56, 220),
    "io_uring_setup": (425, 425),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "pidfd_open": (434, 434),
    "clone3": (435, 435),
    "pidfd_getfd": (438, 438),
    "mount_setattr": (442, 442),
}
NAMESPACES = {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "network": 0x40000000, "ipc": 0x8000000, "cgroup": 0x2000000}
FAMILIES = {
    "packet": (17, 3, 0),
    "vsock": (40, 1, 0),
    "alg": (38, 5, 0),
    "can": (29, 3, 1),
    "rxrpc": (33, 2, 2),
    "kcm": (41, 5, 0),
    "smc": (43, 1, 0),
    "tipc": (30, 5, 0),
    "bluetooth": (31, 3, 0),
    "xdp": (44, 3, 0),
    "key": (15, 3, 2),
    "raw": (2, 3, 1),
    "netlink xfrm": (16, 3, 6),
    "netlink netfilter": (16, 3, 12),
    "netlink audit": (16, 3, 9),
    "netlink crypto": (16, 3, 21),
    "netlink uevent": (16, 3, 15),
    "netlink generic": (16, 3, 16),
    "sctp": (2, 1, 132),
    "mptcp": (2, 1, 262),
    "smc over tcp": (2, 1, 256),
}


def call(name: str, *arguments: object) -> int:
    """Make a system call by name; raise for an error."""
    number = NUMBERS[name][0 if X86 else 1]
    result: int = LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(one) if isinstance(one, int) else one for one in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def attempt(action: Callable[[], object]) -> str:
    """Return 'done', the name of the error, or that of the signal that an action ends in, in a child."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            action()
            answer = "done"
        except OSError as error:
            answer = errno.errorcode.get(error.errno or 0, str(error.errno))
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 1000).decode()
    os.close(reader)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return said or (signal.Signals(-code).name if code < 0 else f"ended with {code}")


def machine_code(code: bytes) -> int:
    """Run machine code that returns a number."""
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    function = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
    result: int = function()
    result = ctypes.c_int(result).value
    if -4096 < result < 0:
        raise OSError(-result, "")
    return result


def old_call(number: int, first: int = 0, second: int = 0) -> int:
    """Make a 32-bit system call through int 0x80, whose numbers and arguments a filter for 64 bits would misread."""
    #        push rbx; mov eax, n; mov ebx, first; mov ecx, second; int 0x80; pop rbx; ret
    code = b"\x53\xb8" + struct.pack("<I", number) + b"\xbb" + struct.pack("<I", first) + b"\xb9" + struct.pack("<I", second)
    return machine_code(code + b"\xcd\x80\x5b\xc3")


def old_socket(family: int) -> int:
    """Make a socket through socketcall(2): its family lies in memory, where no filter looks."""
    low = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40)  # MAP_32BIT
    low.write(struct.pack("<III", family, 3, 0))
    return old_call(102, 1, ctypes.addressof(ctypes.c_char.from_buffer(low)))


def with_child(action: Callable[[int], object]) -> Callable[[], object]:
    """Return an action on a child that sleeps."""

    def act() -> None:
        pid = os.fork()
        if pid == 0:
            time.sleep(20)
            os._exit(0)
        try:
            action(pid)
        finally:
            os.kill(pid, signal.SIGKILL)

    return act


def read_memory(pid: int) -> None:
    """Read the memory of a process."""
    secret, found = ctypes.create_string_buffer(b"secret"), ctypes.create_string_buffer(6)
    local, remote = (struct.pack("QQ", ctypes.addressof(block), 6) for block in (found, secret))
    call("process_vm_readv", pid, local, 1, remote, 1, 0)


def root_by_handle() -> None:
    """Open the root of the filesystem by its number, past all mounts and changes of root."""
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount_id = ctypes.create_string_buffer(4)
    call("name_to_handle_at", -100, b"/", handle, mount_id, 0)
    folder = os.open("/", os.O_RDONLY)
    os.close(call("open_by_handle_at", folder, handle, 0))


def terminal_input(request: int, payload: bytes) -> None:
    """Push a character into the input of a terminal, as if it had been typed."""
    _, slave = pty.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    os.setsid()
    opened = os.open(name, os.O_RDWR)
    block = ctypes.create_string_buffer(payload)
    if LIBC.ioctl(opened, ctypes.c_ulong(request), block) < 0:
        raise OSError(ctypes.get_errno(), "")


def new_process(flags: int) -> None:
    """Have a child in new namespaces by clone3(2), whose flags lie in memory."""
    pid = call("clone3", struct.pack("8Q", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def new_process_the_old_way(flags: int) -> None:
    """Have a child in new namespaces by clone(2)."""
    pid = call("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def control_group() -> None:
    """Mount a hierarchy of control groups and get at the program that the kernel runs when a group is empty (CVE-2022-0492)."""
    os.mkdir("/tmp/groups")
    call("mount", b"x", b"/tmp/groups", b"cgroup", 0, b"pids")
    os.close(os.open("/tmp/groups/release_agent", os.O_WRONLY))


def device(kind: int, numbers: tuple[int, int]) -> None:
    """Make the node of a device."""
    path = f"/tmp/node.{kind}"
    os.mknod(path, kind | 0o666, os.makedev(*numbers))


def keyring() -> None:
    """Put a key into a keyring of this process."""
    call("add_key", b"user", b"planted", b"secret", 6, -2)


def owners() -> None:
    """Give a file away."""
    with open("/tmp/mine", "w", encoding="ascii"):
        pass
    os.chown("/tmp/mine", 7, 7)


def new_root() -> None:
    """Change the root, and climb out of it with a directory that stayed open."""
    os.mkdir("/tmp/jail")
    folder = os.open("/", os.O_RDONLY)
    call("chroot", b"/tmp/jail")
    os.fchdir(folder)


def attempts() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield every attempt by name."""
    for name, flag in NAMESPACES.items():
        yield f"unshare {name}", partial(call, "unshare", flag)
        yield f"clone3 {name}", partial(new_process, flag)
        yield f"clone {name}", partial(new_process_the_old_way, flag)
    yield "setns", lambda: call("setns", os.open("/proc/self/ns/uts", os.O_RDONLY), 0)
    yield "fsopen", lambda: call("fsopen", b"tmpfs", 0)
    yield "open_tree", lambda: call("open_tree", -100, b"/", 1)
    yield "mount_setattr", lambda: call("mount_setattr", -100, b"/", 0, struct.pack("4Q", 0, 1, 0, 0), 32)
    yield "pivot_root", lambda: call("pivot_root", b"/", b"/")
    yield "chroot", new_root
    yield "release_agent", control_group
    yield "open_by_handle_at", root_by_handle
    yield "ptrace", with_child(lambda pid: call("ptrace", 16, pid, 0, 0))
    yield "process_vm_readv", with_child(read_memory)
    yield "pidfd_getfd", with_child(lambda pid: call("pidfd_getfd", call("pidfd_open", pid, 0), 0, 0))
    yield "kcmp", with_child(lambda pid: call("kcmp", os.getpid(), pid, 1, 0, 0))
    yield "TIOCSTI", lambda: terminal_input(0x5412, b"x")
    yield "TIOCLINUX", lambda: terminal_input(0x541C, b"\x02")
    yield "keyring", keyring
    yield "io_uring", lambda: call("io_uring_setup", 1, ctypes.create_string_buffer(120))
    yield "userfaultfd", lambda: call("userfaultfd", 1)
    yield "bpf", lambda: call("bpf", 0, struct.pack("5I", 2, 4, 4, 1, 0) + bytes(100), 120)
    yield "perf", lambda: call("perf_event_open", struct.pack("IIQQ", 1, 112, 0, 0) + bytes(96), 0, -1, -1, 0)
    yield "fanotify", lambda: call("fanotify_init", 0, 0)
    yield "kernel log", lambda: call("syslog", 10, 0, 0)
    yield "personality", lambda: call("personality", 0x40000)
    yield "device of memory", lambda: device(stat.S_IFCHR, (1, 1))
    yield "device of the disk", lambda: device(stat.S_IFBLK, (254, 0))
    yield "host name", lambda: socket.sethostname("other")
    yield "priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, -20)
    yield "ids of others", lambda: os.setresuid(12345, 12345, 12345)
    yield "owners", owners
    yield "mount", lambda: call("mount", b"x", b"/mnt", b"tmpfs", 0, 0)
    yield "bind", lambda: call("mount", b"/proc", b"/mnt", b"", 0x1000, 0)
    yield "remount", lambda: call("mount", b"", b"/", b"", 0x20 | 0x1000, 0)
    yield "unmount /proc/sys", lambda: call("umount2", b"/proc/sys", 2)
    yield "unmount a mask", lambda: call("umount2", b"/proc/keys", 2)
    for name, (family, kind, protocol) in FAMILIES.items():
        yield f"socket {name}", partial(socket.socket, family, kind, protocol)
    if X86:
        yield "int 0x80", lambda: old_call(20)
        yield "int 0x80 socketcall", lambda: old_socket(socket.AF_NETLINK)
        yield "x32", lambda: machine_code(b"\xb8" + struct.pack("<I", 0x40000000 | 39) + b"\x0f\x05\xc3")


def writable() -> list[str]:
    """Return the files of the kernel that can be opened for writing, but for those of this process."""
    found = []
    for top in ("/proc", "/sys"):
        for folder, folders, names in os.walk(top):
            if top == "/proc" and folder == top:
                folders[:] = [name for name in folders if not name.isdigit() and name not in ("self", "thread-self")]
            for name in names:
                path = f"{folder}/{name}"
                if os.path.islink(path) or not os.access(path, os.W_OK):
                    continue
                try:
                    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                except OSError:
                    continue
                if os.stat(path).st_rdev != os.makedev(1, 3):  # what masks are made of
                    found.append(path)
    return found


def main() -> None:
    """Try everything."""
    report: dict[str, object] = {name: attempt(action) for name, action in attempts()}
    report["writable"] = writable()
    json.dump(report, sys.stdout)


main()
