"""Files and mounts by file descriptor: openat2(2) and the mount API of Linux 5.2 to 5.12.

A path that is looked up twice can be another file the second time; a file descriptor cannot. So a destination is opened once, inside the
root it belongs to, and mounted on by descriptor.

Source: the man pages of openat2(2), open_tree(2), move_mount(2), fsopen(2), mount_setattr(2).
"""

from __future__ import annotations

from hardener.linux.binding import attempt, check, memory, number, text, words
from hardener.linux.consts import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_RECURSIVE,
    FSCONFIG_CMD_CREATE,
    FSCONFIG_SET_FLAG,
    FSCONFIG_SET_STRING,
    FSMOUNT_CLOEXEC,
    FSOPEN_CLOEXEC,
    MOUNT_ATTR_IDMAP,
    MOVE_MOUNT_F_EMPTY_PATH,
    MOVE_MOUNT_T_EMPTY_PATH,
    OPEN_TREE_CLOEXEC,
    OPEN_TREE_CLONE,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    SYSCALLS,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

ATTEMPTS: Final = 10_000  # so that nobody who renames without end keeps us for ever
O_PATH: Final = 0o10000000
O_CLOEXEC: Final = 0o2000000
O_DIRECTORY: Final = 0o40000 if SYSCALLS.get("ioctl") == 29 else 0o200000


def open_in(root_fd: int, path: str, flags: int, *, resolve: int = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, mode: int = 0) -> int:
    """Open a path as a process whose root is `root_fd` would, following no link out of it and no magic link of /proc."""
    how = words(flags | O_CLOEXEC, mode, resolve)
    result = -11
    for _ in range(ATTEMPTS):
        result = attempt(SYSCALLS["openat2"], root_fd, text(path), how, len(how))
        if result not in (-11, -4):  # EAGAIN: something was renamed meanwhile, and the kernel cannot rule out an escape; EINTR
            break
    return check(result, f"openat2({path})")


def filesystem_type(fd: int) -> int:
    """Return the magic number of the filesystem of a file."""
    block = memory(120)
    check(attempt(SYSCALLS["fstatfs"], fd, block), "fstatfs")
    return number(bytes(block), 0, 8)


def mount(source: str, target: str, fstype: str, flags: int, data: str = "") -> None:
    """Mount, or change the propagation of a mount, in the way of mount(2)."""
    options: bytes | int = text(data) if data else 0
    check(attempt(SYSCALLS["mount"], text(source), text(target), text(fstype), flags, options), f"mount({fstype or source} on {target})")


def unmount(target: str, flags: int = 0) -> None:
    """Unmount what is mounted at a path."""
    check(attempt(SYSCALLS["umount2"], text(target), flags), f"umount2({target})")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root of the mount namespace and put the old one at `old`."""
    check(attempt(SYSCALLS["pivot_root"], text(new), text(old)), f"pivot_root({new}, {old})")


def clone_tree(fd: int, path: str = "", *, recursive: bool = False) -> int:
    """Return a detached copy of a mount, rooted at a path below `fd` or at `fd` itself; the bind mount of before."""
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (AT_RECURSIVE if recursive else 0) | (0 if path else AT_EMPTY_PATH)
    return check(attempt(SYSCALLS["open_tree"], fd, text(path), flags), f"open_tree({path or fd})")


def attach(tree_fd: int, target_fd: int, *, name: str) -> None:
    """Mount a detached tree on the file of a descriptor; `name` is for the message."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    check(attempt(SYSCALLS["move_mount"], tree_fd, b"\0", target_fd, b"\0", flags), f"move_mount({name})")


def set_attributes(
    fd: int, *, add: int = 0, clear: int = 0, propagation: int = 0, user_fd: int | None = None, recursive: bool = False, name: str
) -> None:
    """Change MOUNT_ATTR flags, propagation or the id map (a user namespace) of a mount."""
    if user_fd is not None:
        add |= MOUNT_ATTR_IDMAP
    request = words(add, clear, propagation, user_fd or 0)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    check(attempt(SYSCALLS["mount_setattr"], fd, b"\0", flags, request, len(request)), f"mount_setattr({name})")


def new_filesystem(fstype: str, source: str, options: Sequence[str] = (), *, attributes: int = 0) -> int:
    """Make a filesystem with options like `size=64m` and return it as a detached mount with MOUNT_ATTR flags."""
    context = check(attempt(SYSCALLS["fsopen"], text(fstype), FSOPEN_CLOEXEC), f"fsopen({fstype})")
    try:
        _configure(context, fstype, "source", source or fstype)
        for option in options:
            key, equals, value = option.partition("=")
            _configure(context, fstype, key, value if equals else None)
        result = attempt(SYSCALLS["fsconfig"], context, FSCONFIG_CMD_CREATE, 0, 0, 0)
        check(result, f"fsconfig({fstype}: create){_log(context) if result < 0 else ''}")
        return check(attempt(SYSCALLS["fsmount"], context, FSMOUNT_CLOEXEC, attributes), f"fsmount({fstype})")
    finally:
        _close(context)


def _configure(context: int, fstype: str, key: str, value: str | None) -> None:
    command = FSCONFIG_SET_FLAG if value is None else FSCONFIG_SET_STRING
    result = attempt(SYSCALLS["fsconfig"], context, command, text(key), 0 if value is None else text(value), 0)
    check(result, f"fsconfig({fstype}: {key if value is None else f'{key}={value}'}){_log(context) if result < 0 else ''}")


def _log(context: int) -> str:
    # What the filesystem itself says about a refusal, one message a read.
    import posix

    try:
        posix.set_blocking(context, False)
        return f" [{posix.read(context, 512).decode('utf-8', 'replace').strip()}]"
    except OSError:  # it says nothing
        return ""


def _close(fd: int) -> None:
    import posix

    posix.close(fd)


def open_path(path: str) -> int:
    """Return a descriptor that stands for a path of this machine, as it is now."""
    return check(attempt(SYSCALLS["openat2"], AT_FDCWD, text(path), words(O_PATH | O_CLOEXEC, 0, 0), 24), f"open({path})")
