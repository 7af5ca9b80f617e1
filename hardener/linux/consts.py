"""Numbers of the kernel's interface, from its `uapi` headers. Only what hardener uses."""

from __future__ import annotations

from hardener.linux.binding import MACHINE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# System calls by machine; those from 424 on have one number everywhere. The whole tables are in syscalls.py: a launch needs only these.
_X86_64: Final = {
    "ioctl": 16,
    "socket": 41,
    "sendmsg": 46,
    "recvmsg": 47,
    "socketpair": 53,
    "clone": 56,
    "fstatfs": 138,
    "pivot_root": 155,
    "prctl": 157,
    "mount": 165,
    "umount2": 166,
    "sethostname": 170,
    "setdomainname": 171,
    "capset": 126,
    "keyctl": 250,
    "unshare": 272,
    "rt_sigaction": 13,
    "rt_sigtimedwait": 128,
    "ioprio_set": 251,
    "signalfd4": 289,
    "sched_setattr": 314,
    "prlimit64": 302,
    "setns": 308,
    "inotify_add_watch": 254,
    "inotify_init1": 294,
    "seccomp": 317,
    "bpf": 321,
    "execveat": 322,
}
_AARCH64: Final = {
    "ioctl": 29,
    "socket": 198,
    "sendmsg": 211,
    "recvmsg": 212,
    "socketpair": 199,
    "clone": 220,
    "fstatfs": 44,
    "pivot_root": 41,
    "prctl": 167,
    "mount": 40,
    "umount2": 39,
    "sethostname": 161,
    "setdomainname": 162,
    "rt_sigaction": 134,
    "rt_sigtimedwait": 137,
    "ioprio_set": 30,
    "signalfd4": 74,
    "sched_setattr": 274,
    "capset": 91,
    "keyctl": 219,
    "unshare": 97,
    "prlimit64": 261,
    "setns": 268,
    "inotify_add_watch": 27,
    "inotify_init1": 26,
    "seccomp": 277,
    "bpf": 280,
    "execveat": 281,
}
_EVERYWHERE: Final = {
    "pidfd_send_signal": 424,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "pidfd_open": 434,
    "clone3": 435,
    "close_range": 436,
    "openat2": 437,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}
SYSCALLS: Final = {**{"x86_64": _X86_64, "aarch64": _AARCH64}.get(MACHINE, {}), **_EVERYWHERE}

# clone(2), unshare(2), setns(2)
CLONE_NEWTIME: Final = 0x00000080
CLONE_PIDFD: Final = 0x00001000
CLONE_PARENT: Final = 0x00008000
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWCGROUP: Final = 0x02000000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000
CLONE_INTO_CGROUP: Final = 0x200000000
SIGCHLD: Final = 17

# mount(2), umount2(2)
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_REC: Final = 0x4000
MS_UNBINDABLE: Final = 1 << 17
MS_PRIVATE: Final = 1 << 18
MS_SLAVE: Final = 1 << 19
MS_SHARED: Final = 1 << 20
MNT_DETACH: Final = 2

# the mount API of Linux 5.2 and mount_setattr(2) of 5.12
OPEN_TREE_CLONE: Final = 1
OPEN_TREE_CLOEXEC: Final = 0o2000000
MOVE_MOUNT_F_EMPTY_PATH: Final = 0x00000004
MOVE_MOUNT_T_EMPTY_PATH: Final = 0x00000040
FSOPEN_CLOEXEC: Final = 1
FSMOUNT_CLOEXEC: Final = 1
FSCONFIG_SET_FLAG: Final = 0
FSCONFIG_SET_STRING: Final = 1
FSCONFIG_CMD_CREATE: Final = 6
MOUNT_ATTR_RDONLY: Final = 0x00000001
MOUNT_ATTR_NOSUID: Final = 0x00000002
MOUNT_ATTR_NODEV: Final = 0x00000004
MOUNT_ATTR_NOEXEC: Final = 0x00000008
MOUNT_ATTR_NOATIME: Final = 0x00000010
MOUNT_ATTR_STRICTATIME: Final = 0x00000020
MOUNT_ATTR_NODIRATIME: Final = 0x00000080
MOUNT_ATTR_IDMAP: Final = 0x00100000
MOUNT_ATTR_NOSYMFOLLOW: Final = 0x00200000

AT_FDCWD: Final = -100
AT_EMPTY_PATH: Final = 0x1000
AT_SYMLINK_NOFOLLOW: Final = 0x100
AT_RECURSIVE: Final = 0x8000

# openat2(2)
RESOLVE_NO_XDEV: Final = 0x01
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08
RESOLVE_IN_ROOT: Final = 0x10

# statfs(2)
PROC_SUPER_MAGIC: Final = 0x9FA0

# prctl(2)
PR_SET_PDEATHSIG: Final = 1
PR_GET_DUMPABLE: Final = 3
PR_SET_DUMPABLE: Final = 4
PR_SET_KEEPCAPS: Final = 8
PR_SET_NAME: Final = 15
PR_CAPBSET_READ: Final = 23
PR_CAPBSET_DROP: Final = 24
PR_SET_SECUREBITS: Final = 28
PR_SET_CHILD_SUBREAPER: Final = 36
PR_SET_NO_NEW_PRIVS: Final = 38
PR_GET_NO_NEW_PRIVS: Final = 39
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_RAISE: Final = 2
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4

# capabilities(7): root is nobody special, ids and capabilities do not go together, nothing survives a change of ids; each for good
SECBIT_NOROOT: Final = 0b11
SECBIT_NO_SETUID_FIXUP: Final = 0b11 << 2
SECBIT_KEEP_CAPS_LOCKED: Final = 0b10 << 4
SECBIT_NO_CAP_AMBIENT_RAISE: Final = 0b11 << 6

CAPABILITY_VERSION: Final = 0x20080522

# seccomp(2)
SECCOMP_SET_MODE_FILTER: Final = 1

KEYCTL_JOIN_SESSION_KEYRING: Final = 1

# getrlimit(2)
RLIM_INFINITY: Final = 2**64 - 1

# sockets and interfaces
AF_UNIX: Final = 1
AF_INET: Final = 2
SOCK_DGRAM: Final = 2
SOCK_SEQPACKET: Final = 5
SOCK_CLOEXEC: Final = 0o2000000
SOL_SOCKET: Final = 1
SCM_RIGHTS: Final = 1
MSG_CMSG_CLOEXEC: Final = 0x40000000
SIOCGIFFLAGS: Final = 0x8913
SIOCSIFFLAGS: Final = 0x8914
IFF_UP: Final = 1

# terminals
TIOCSCTTY: Final = 0x540E
TIOCGWINSZ: Final = 0x5413
TIOCSWINSZ: Final = 0x5414
TIOCSPTLCK: Final = 0x40045431
TIOCGPTPEER: Final = 0x5441

# Landlock
LANDLOCK_CREATE_RULESET_VERSION: Final = 1
LANDLOCK_RULE_PATH_BENEATH: Final = 1
LANDLOCK_ACCESS_FS: Final = (
    *("execute", "write-file", "read-file", "read-dir", "remove-dir", "remove-file", "make-char", "make-dir", "make-reg", "make-sock"),
    *("make-fifo", "make-block", "make-sym", "refer", "truncate", "ioctl-dev"),
)
LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET: Final = 1
LANDLOCK_SCOPE_SIGNAL: Final = 2

IN_MODIFY: Final = 0x2
IN_MOVED_TO: Final = 0x80
IN_CREATE: Final = 0x100
