"""What a process sees and may do inside a container, as JSON on standard output. Run inside; needs nothing but Python."""

import ctypes
import errno
import json
import os
import socket
import stat
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)


def attempt(action: Callable[[], object]) -> str:
    """Return 'done', or the name of the error that an action ends in."""
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return "done"


def call(result: int) -> None:
    """Raise for a C function that failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), "")


def write(path: str) -> str:
    """Return what comes of opening a path for writing."""
    return attempt(lambda: os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)))


def first(path: str) -> str:
    """Return the beginning of a file, or the name of the error."""
    try:
        with open(path, "rb") as file:
            return file.read(64).decode("latin-1")
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")


def descriptors() -> dict[str, str]:
    """Return the open descriptors and where they lead."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # the one that listed them
            continue
    return found


def main() -> None:
    """Look around."""
    with open("/proc/self/status", encoding="ascii") as file:
        status = {key: value.strip() for key, _, value in (line.partition(":") for line in file)}
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        mounts = [line.split() for line in file]
    report = {
        "caps": [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
        "no_new_privs": status["NoNewPrivs"],
        "seccomp": status["Seccomp"],
        "ids": [os.getresuid(), os.getresgid(), os.getgroups()],
        "pid": os.getpid(),
        "session": os.getsid(0),
        "securebits": LIBC.prctl(27, 0, 0, 0, 0),
        "keyring": LIBC.syscall({"x86_64": 250}.get(os.uname().machine, 219), 0, -3, 0),
        "umask": status["Umask"],
        "blocked": int(status["SigBlk"], 16),
        "ignored": int(status["SigIgn"], 16),
        "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")},
        "uid_map": first("/proc/self/uid_map").split(),
        "gid_map": first("/proc/self/gid_map").split(),
        "hostname": socket.gethostname(),
        "descriptors": descriptors(),
        "root": sorted(os.listdir("/")),
        "above": os.stat("/..").st_ino == os.stat("/").st_ino and os.stat("/..").st_dev == os.stat("/").st_dev,
        "mounts": {row[4]: [row[5].split(","), row[row.index("-") + 1]] for row in mounts},
        "dev": {name: stat.filemode(os.lstat(f"/dev/{name}").st_mode)[0] for name in os.listdir("/dev")},
        "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "masked": {path: first(path) for path in ("/proc/keys", "/proc/kcore", "/proc/timer_list") if os.path.exists(path)},
        "firmware": os.listdir("/sys/firmware") if os.path.isdir("/sys/firmware") else [],
        "owner": os.stat("/usr").st_uid,
        "loopback": attempt(lambda: socket.create_server(("127.0.0.1", 0)).close()),
        "write": {
            path: write(path)
            for path in (
                *("/planted", "/usr/planted", "/dev/planted", "/tmp/planted", "/dev/shm/planted", "/proc/sys/kernel/core_pattern"),
                *(
                    "/proc/sys/kernel/domainname",
                    "/sys/kernel/mm/transparent_hugepage/enabled",
                    "/proc/sysrq-trigger",
                    "/proc/self/oom_score_adj",
                ),
            )
        },
        "null": write("/dev/null"),
        "try": {
            "mount": attempt(lambda: call(LIBC.mount(b"x", b"/tmp", b"tmpfs", 0, None))),
            "umount": attempt(lambda: call(LIBC.umount2(b"/proc/sys", 2))),
            "remount": attempt(lambda: call(LIBC.mount(b"", b"/", b"", 0x20 | 0x1000, None))),
            "chroot": attempt(lambda: os.chroot("/tmp")),
            "mknod": attempt(lambda: os.mknod("/tmp/device", stat.S_IFCHR | 0o666, os.makedev(1, 3))),
            "sethostname": attempt(lambda: socket.sethostname("other")),
            "setuid": attempt(lambda: os.setuid(1)),
            "chown null": attempt(lambda: os.chmod("/dev/null", 0o600)),
            "raw socket": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()),
            "reach out": attempt(lambda: socket.create_connection(("192.0.2.1", 80), 1).close()),
        },
    }
    print(json.dumps(report))


main()
