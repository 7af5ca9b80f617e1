"""What a hostile process can do from where it runs, counted; JSON on standard output. Run inside; needs nothing but Python.

Each attempt is a process of its own with a time limit, and harmless even for root on a bare machine: calls get arguments that the kernel
looks at only after it has asked whether they are allowed, files are opened and never written. The argument is JSON: the numbers of the
calls by name, and the namespaces of the machine.
"""

import ctypes
import errno
import json
import mmap
import os
import platform
import resource
import signal
import socket
import stat
import struct
import sys
import tempfile
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
NUMBERS: dict[str, int] = {}

NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    *(0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000),
)
ANYWHERE = -100  # AT_FDCWD
NOT_A_MOUNT = "/proc/self/task"


def call(name: str, *args: object) -> int:
    """Make a system call by its name; one that this architecture does not have cannot be dangerous."""
    if name not in NUMBERS:
        raise OSError(errno.ENOSYS, name)
    words = [argument.encode() if isinstance(argument, str) else argument for argument in args]
    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in words]
    result = int(LIBC.syscall(ctypes.c_long(NUMBERS[name]), *words))
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def packed(form: str, *values: int) -> ctypes.Array[ctypes.c_char]:
    """Return a C structure."""
    data = struct.pack(form, *values)
    return ctypes.create_string_buffer(data, max(len(data), 128))


def unshare(flags: int) -> None:
    """Leave namespaces."""
    call("unshare", flags)


def nested(flags: int) -> None:
    """Become root of a new user namespace."""
    uid, gid = os.getuid(), os.getgid()
    unshare(NEWUSER | flags)
    for file, text in (("setgroups", "deny"), ("gid_map", f"0 {gid} 1"), ("uid_map", f"0 {uid} 1")):
        with open(f"/proc/self/{file}", "w", encoding="ascii") as opened:
            opened.write(text)


def nested_mount() -> None:
    """Mount something in a user namespace of one's own."""
    nested(NEWNS)
    call("mount", "none", "/", 0, 0x44000, 0)
    call("mount", "probe", "/tmp", "tmpfs", 0, "size=64k")


def nested_socket(family: int, protocol: int) -> None:
    """Reach kernel code that only root of a network namespace reaches."""
    nested(NEWNET)
    call("socket", family, RAW, protocol)


def cloned(name: str, *args: object) -> None:
    """Start a process with namespaces of its own."""
    if pid := call(name, *args):
        os.waitpid(pid, 0)
    else:
        os._exit(0)


def by_handle() -> None:
    """Open a file by its handle, past every mount."""
    folder = os.open("/", os.O_RDONLY)
    call("open_by_handle_at", folder, packed("IiQ", 8, 1, 0), os.O_RDONLY)


def seize() -> None:
    """Trace a child."""
    child = os.fork()
    if not child:
        signal.pause()
    try:
        call("ptrace", 0x4206, child, 0, 0)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def read_memory() -> None:
    """Read the memory of a process."""
    there, here = ctypes.create_string_buffer(b"abc"), ctypes.create_string_buffer(4)
    vectors = [packed("QQ", ctypes.addressof(buffer), 4) for buffer in (here, there)]
    call("process_vm_readv", os.getpid(), vectors[0], 1, vectors[1], 1, 0)


def take_descriptor() -> None:
    """Take a descriptor out of a process."""
    call("pidfd_getfd", os.pidfd_open(os.getpid()), 0, 0)


def type_for_others() -> None:
    """Put characters into the input of a terminal."""
    _, theirs = os.openpty()
    os.setsid()
    ioctl(theirs, 0x540E, 0)
    ioctl(theirs, 0x5412, ctypes.c_char_p(b"x"))


def ioctl(fd: int, request: int, argument: object) -> None:
    """Ask a driver."""
    if LIBC.ioctl(fd, ctypes.c_ulong(request), argument) < 0:
        raise OSError(ctypes.get_errno(), "ioctl")


def load_program() -> None:
    """Load a program into the kernel."""
    instructions, licence = packed("QQ", 0xB7, 0x95), ctypes.create_string_buffer(b"GPL")
    call("bpf", 5, packed("IIQQIIQII", 1, 2, ctypes.addressof(instructions), ctypes.addressof(licence), 0, 0, 0, 0, 0), 48)


def measure_kernel(*, kernel: bool) -> None:
    """Watch what the processor does."""
    attributes = packed("IIQQQQQ", 1, 64, 0, 0, 0, 0, 0 if kernel else 0x61)
    call("perf_event_open", attributes, 0, -1, -1, 0)


def device(kind: int, major: int, minor: int) -> None:
    """Make a device."""
    path = tempfile.mktemp()
    os.mknod(path, kind | 0o600, os.makedev(major, minor))
    os.unlink(path)


def give_away() -> None:
    """Give a file to somebody else."""
    with tempfile.TemporaryFile() as file:
        os.fchown(file.fileno(), 12345, 12345)


def become_root_by_a_file() -> None:
    """Have a set-user-id bit that counts."""
    with tempfile.NamedTemporaryFile() as file:
        os.fchmod(file.fileno(), 0o4755)
        if os.statvfs(file.name).f_flag & os.ST_NOSUID or LIBC.prctl(39, 0, 0, 0, 0) == 1:
            raise OSError(errno.EPERM, "nosuid")


def raise_limit() -> None:
    """Raise a hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard + 1))
    except ValueError as error:  # what Python makes of EPERM
        raise OSError(errno.EPERM, "setrlimit") from error


def survive() -> None:
    """Let others be killed first when memory is out."""
    with open("/proc/self/oom_score_adj", "r+", encoding="ascii") as file:
        score = max(int(file.read()) - 50, -1000)
        file.seek(0)
        file.write(str(score))


def network_size() -> None:
    """Change an interface: to what it is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        request = ctypes.create_string_buffer(b"lo", 40)
        ioctl(opened.fileno(), 0x8921, request)
        ioctl(opened.fileno(), 0x8922, request)


def machine_code(code: bytes) -> int:
    """Run machine code and return what it leaves in the register of results."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())
    if result < 0:
        raise OSError(-result, "32-bit call")
    return result


def old_call(number: int, first: int = 0, arguments: bytes = b"") -> None:
    """Make a 32-bit system call of x86; its arguments lie in the low memory, out of a filter's sight."""
    if platform.machine() != "x86_64":
        raise OSError(errno.ENOSYS, "no such processor")
    low = 0
    if arguments:
        LIBC.mmap.restype, LIBC.mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        low = LIBC.mmap(None, 4096, 3, 0x62, -1, 0)  # MAP_32BIT
        ctypes.memmove(low, arguments, len(arguments))
    # push rbx; mov eax, number; mov ebx, first; mov ecx, low; int 0x80; pop rbx; ret
    code = b"\x53\xb8" + struct.pack("<I", number) + b"\xbb" + struct.pack("<I", first) + b"\xb9" + struct.pack("<I", low)
    machine_code(code + b"\xcd\x80\x5b\xc3")


def other_numbers() -> None:
    """Make a system call of the x32 ABI."""
    if platform.machine() != "x86_64":
        raise OSError(errno.ENOSYS, "no such processor")
    if LIBC.syscall(0x40000000 | 39) < 0:
        raise OSError(ctypes.get_errno(), "x32")


def hang_up() -> None:
    """Hang up a terminal that is none."""
    os.setsid()
    call("vhangup")


def opened_socket(family: int, kind: int, protocol: int) -> Callable[[], object]:
    """Return the attempt to open a socket."""
    return lambda: call("socket", family, kind, protocol)


STREAM, DATAGRAM, RAW, RELIABLE, PACKETS = 1, 2, 3, 4, 5
PRIVATE = 0x40000  # MS_PRIVATE
# What is tried; and the errors that only somebody gets who would have been allowed to.
DANGERS: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "mount": (lambda: call("mount", "probe", "/tmp", "nosuchfs_probe", 0, 0), ("ENODEV",)),
    "remount": (lambda: call("mount", "none", NOT_A_MOUNT, 0, 0x1021, 0), ("EINVAL",)),
    "umount": (lambda: call("umount2", NOT_A_MOUNT, 0), ("EINVAL",)),
    "pivot_root": (lambda: call("pivot_root", NOT_A_MOUNT, NOT_A_MOUNT), ("EINVAL", "EBUSY")),
    "fsopen": (lambda: call("fsopen", "tmpfs", 1), ()),
    "open_tree": (lambda: call("open_tree", ANYWHERE, "/", 1), ("EINVAL",)),
    "mount_setattr": (lambda: call("mount_setattr", ANYWHERE, "/", 0, packed("QQQQ", 0, 0, 0, 0), 32), ()),
    "unshare mount": (lambda: unshare(NEWNS), ()),
    "unshare uts": (lambda: unshare(NEWUTS), ()),
    "unshare ipc": (lambda: unshare(NEWIPC), ()),
    "unshare pid": (lambda: unshare(NEWPID), ()),
    "unshare net": (lambda: unshare(NEWNET), ()),
    "unshare user": (lambda: unshare(NEWUSER), ()),
    "unshare cgroup": (lambda: unshare(NEWCGROUP), ()),
    "unshare time": (lambda: unshare(NEWTIME), ()),
    "clone user": (lambda: cloned("clone", NEWUSER | 17, 0, 0, 0, 0), ()),
    "clone3 user": (lambda: cloned("clone3", packed("11Q", NEWUSER, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0), 64), ()),
    "nested mount": (nested_mount, ()),
    "nested netfilter": (lambda: nested_socket(16, 12), ()),
    "nested packet socket": (lambda: nested_socket(17, 0), ()),
    "setns": (lambda: call("setns", os.open("/proc/self/ns/uts", os.O_RDONLY), NEWUTS), ()),
    "bpf map": (lambda: call("bpf", 0, packed("IIII", 2, 4, 4, 1), 48), ("EINVAL",)),
    "bpf program": (load_program, ("EINVAL",)),
    "perf user": (lambda: measure_kernel(kernel=False), ()),
    "perf kernel": (lambda: measure_kernel(kernel=True), ()),
    "keyctl process": (lambda: call("keyctl", 0, -2, 0, 0, 0), ("ENOKEY",)),
    "keyctl session": (lambda: call("keyctl", 0, -3, 0, 0, 0), ("ENOKEY",)),
    "add_key": (lambda: call("add_key", "user", "probe", "x", 1, -2), ("EDQUOT",)),
    "request_key": (lambda: call("request_key", "user", "probe_none", 0, 0), ("ENOKEY",)),
    "userfaultfd user": (lambda: call("userfaultfd", os.O_CLOEXEC | 1), ()),
    "userfaultfd kernel": (lambda: call("userfaultfd", os.O_CLOEXEC), ()),
    "kexec_load": (lambda: call("kexec_load", 0, 9999, 0, 0xFF00), ("EINVAL", "EBUSY")),
    "kexec_file_load": (lambda: call("kexec_file_load", -1, -1, 0, 0, 0xFF00), ("EINVAL", "EBADF", "EBUSY")),
    "init_module": (lambda: call("init_module", 0, 0, ""), ("ENOEXEC", "EINVAL", "EFAULT")),
    "finit_module": (lambda: call("finit_module", -1, "", 0), ("EBADF", "EINVAL")),
    "delete_module": (lambda: call("delete_module", "probe_none", os.O_NONBLOCK), ("ENOENT",)),
    "name_to_handle_at": (lambda: call("name_to_handle_at", ANYWHERE, "/", packed("Ii", 120, 0), packed("i", 0), 0), ()),
    "open_by_handle_at": (by_handle, ("ESTALE", "EINVAL")),
    "ptrace parent": (lambda: call("ptrace", 0, 0, 0, 0), ()),
    "ptrace child": (seize, ()),
    "process_vm_readv": (read_memory, ()),
    "kcmp": (lambda: call("kcmp", os.getpid(), os.getpid(), 0, 0, 0), ()),
    "pidfd_getfd": (take_descriptor, ()),
    "reboot": (lambda: call("reboot", 0, 0, 0, 0), ("EINVAL",)),
    "swapon": (lambda: call("swapon", "/probe_none", 0), ("ENOENT", "EINVAL")),
    "swapoff": (lambda: call("swapoff", "/probe_none"), ("ENOENT", "EINVAL")),
    "settimeofday": (lambda: call("settimeofday", 0, 0), ()),
    "adjtimex": (lambda: call("adjtimex", packed("I4x11q", 0x4000, *[0] * 10, 1)), ("EINVAL",)),
    "iopl": (lambda: call("iopl", 3), ()),
    "ioperm": (lambda: call("ioperm", 0x80, 1, 1), ()),
    "predictable addresses": (lambda: call("personality", 0x40000), ()),
    "executable data": (lambda: call("personality", 0x400000), ()),
    "io_uring": (lambda: call("io_uring_setup", 1, packed("I", 0)), ("EINVAL",)),
    "acct": (lambda: call("acct", "/probe_none"), ("ENOENT",)),
    "syslog": (lambda: call("syslog", 3, packed("Q", 0), 1), ()),
    "syslog console": (lambda: call("syslog", 8, 0, 99), ("EINVAL",)),
    "vhangup": (hang_up, ()),
    "fanotify": (lambda: call("fanotify_init", 0, 0), ()),
    "chroot": (lambda: os.chroot("/"), ()),
    "mknod null": (lambda: device(stat.S_IFCHR, 1, 3), ()),
    "mknod kmsg": (lambda: device(stat.S_IFCHR, 1, 11), ()),
    "mknod loop": (lambda: device(stat.S_IFBLK, 7, 0), ()),
    "TIOCSTI": (type_for_others, ()),
    "TIOCLINUX": (lambda: ioctl(os.open("/dev/tty0", os.O_RDWR | os.O_NOCTTY), 0x541C, b"\xff"), ("EINVAL",)),
    "sethostname": (lambda: socket.sethostname(socket.gethostname()), ()),
    "network settings": (network_size, ()),
    "setuid": (lambda: os.setresuid(12345, 12345, 12345), ()),
    "setgroups": (lambda: os.setgroups([12345]), ()),
    "chown": (give_away, ()),
    "set-user-id": (become_root_by_a_file, ()),
    "nice": (lambda: os.setpriority(os.PRIO_PROCESS, 0, -10), ()),
    "real time": (lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)), ()),
    "first on disk": (lambda: call("ioprio_set", 1, 0, 1 << 13 | 4), ()),
    "raise a limit": (raise_limit, ()),
    "oom score": (survive, ()),
    "32-bit": (lambda: old_call(20), ()),
    "32-bit socket ALG": (lambda: old_call(102, 1, struct.pack("III", 38, PACKETS, 0)), ()),
    "32-bit socket packet": (lambda: old_call(102, 1, struct.pack("III", 17, RAW, 0)), ()),
    "x32": (other_numbers, ()),
    "socket packet": (opened_socket(17, RAW, 0), ()),
    "socket raw": (opened_socket(2, RAW, 1), ()),
    "socket raw6": (opened_socket(10, RAW, 58), ()),
    "socket vsock": (opened_socket(40, STREAM, 0), ()),
    "socket alg": (opened_socket(38, PACKETS, 0), ()),
    "socket xdp": (opened_socket(44, RAW, 0), ()),
    "socket key": (opened_socket(15, RAW, 2), ()),
    "socket bluetooth": (opened_socket(31, RAW, 1), ()),
    "socket can": (opened_socket(29, RAW, 1), ()),
    "socket tipc": (opened_socket(30, RELIABLE, 0), ()),
    "socket rds": (opened_socket(21, PACKETS, 0), ()),
    "socket rxrpc": (opened_socket(33, DATAGRAM, 2), ()),
    "socket smc": (opened_socket(43, STREAM, 0), ()),
    "socket kcm": (opened_socket(41, DATAGRAM, 0), ()),
    "netlink xfrm": (opened_socket(16, RAW, 6), ()),
    "netlink netfilter": (opened_socket(16, RAW, 12), ()),
    "netlink audit": (opened_socket(16, RAW, 9), ()),
}
WRITABLE = [
    *(f"/proc/sys/kernel/{name}" for name in ("core_pattern", "modprobe", "sysrq", "randomize_va_space", "panic", "shmmax", "ns_last_pid")),
    *(f"/proc/sys/{name}" for name in ("vm/overcommit_memory", "vm/drop_caches", "fs/suid_dumpable", "net/ipv4/ip_forward")),
    *("/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/proc/timer_list", "/proc/kmsg", "/proc/kcore"),
    *("/etc/passwd", "/etc/shadow"),
    *("/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/mm/ksm/run", "/sys/class/net/lo/mtu", "/sys/kernel/profiling"),
    *(f"/sys/fs/cgroup/{name}" for name in ("cgroup.procs", "memory.max", "pids.max", "pids/cgroup.procs", "memory/release_agent")),
]
READABLE = [
    *(f"/proc/{name}" for name in ("kcore", "keys", "key-users", "timer_list", "kmsg", "kpagecount", "kpageflags", "slabinfo")),
    *(f"/proc/{name}" for name in ("vmallocinfo", "iomem", "ioports", "interrupts", "modules", "config.gz", "cmdline", "diskstats")),
    *("/proc/sysvipc/shm", "/proc/bus/pci/devices", "/sys/kernel/notes", "/sys/kernel/vmcoreinfo", "/sys/kernel/slab/kmalloc-8/objects"),
    *("/sys/firmware/acpi/tables/DSDT", "/sys/firmware/memmap/0/start", "/etc/shadow"),
]


def attempt(action: Callable[[], object], allowed: tuple[str, ...]) -> bool:
    """Tell whether an action is possible: tried in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(5)
        answer = "done"
        try:
            action()
        except OSError as error:
            answer = errno.errorcode.get(error.errno or 0, "?")
        except BaseException as error:
            answer = f"broken: {error!r}"
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    answer = os.read(reading, 200).decode()  # empty when its time ran out, or a filter has killed it
    os.close(reading)
    os.waitpid(child, 0)
    if answer.startswith("broken"):
        raise SystemExit(answer)
    return answer == "done" or answer in allowed


def can_open(path: str, flags: int) -> bool:
    """Tell whether a file of the kernel's can be opened, and read; what is masked is a device or empty."""
    try:
        fd = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if stat.S_ISCHR(os.fstat(fd).st_mode):
            return False
        return flags == os.O_WRONLY or path == "/proc/kmsg" or bool(os.read(fd, 1))  # reading would take from the log
    except OSError:
        return False
    finally:
        os.close(fd)


def main() -> None:
    """Count."""
    descriptors = [fd for fd in range(3, 256) if is_open(fd)]
    given = json.loads(sys.argv[1])
    NUMBERS.update(given["numbers"])
    with open("/proc/self/status", encoding="ascii") as file:
        status = {key: value.strip() for key, _, value in (line.partition(":") for line in file)}
    namespaces = {name: os.stat(f"/proc/self/ns/{name}").st_ino for name in given["namespaces"]}
    report = {
        "operations": [name for name, (action, allowed) in DANGERS.items() if attempt(action, allowed)],
        "tried": len(DANGERS),
        "writable": [path for path in WRITABLE if can_open(path, os.O_WRONLY)],
        "readable": [path for path in READABLE if can_open(path, os.O_RDONLY)],
        "shared": [name for name, number in given["namespaces"].items() if namespaces[name] == number],
        "capabilities": sorted({int(status[f"Cap{name}"], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")}),
        "descriptors": descriptors,
        "interfaces": [name for _, name in socket.if_nameindex()],
    }
    print(json.dumps(report))


def is_open(fd: int) -> bool:
    """Tell whether a descriptor leads anywhere."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


main()
