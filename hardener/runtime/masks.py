"""Paths that are hidden and paths that are frozen: parts of /proc and /sys that speak of, or to, the whole machine."""

from __future__ import annotations

import posix

from hardener.linux import mounting
from hardener.linux.consts import MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY
from hardener.linux.mounting import O_PATH
from hardener.runtime import destinations

_EMPTY = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC


def apply(masked: tuple[str, ...], readonly: tuple[str, ...], root_fd: int, tops: dict[str, int], null_fd: int) -> None:
    """Put nothing over the masked paths (an empty directory, or the null device), and make the others read-only.

    `tops` are the filesystems at /proc and /sys, by descriptor: what lies below is looked up there, wherever their names lead by now.
    """
    for path in readonly:
        target = _open(root_fd, tops, path)
        if target is None:
            continue
        tree = mounting.clone_tree(target, recursive=True)
        mounting.set_attributes(tree, add=MOUNT_ATTR_RDONLY, recursive=True, name=path)
        mounting.attach(tree, target, name=path)
        posix.close(tree)
        posix.close(target)
    empty: dict[bool, int] = {}  # by whether it is a directory: the first mask, of which the others are copies
    for path in masked:
        target = _open(root_fd, tops, path)
        if target is None:
            continue
        directory = destinations.is_directory(target)
        if directory in empty:
            tree = mounting.clone_tree(empty[directory])
        elif directory:
            tree = mounting.new_filesystem("tmpfs", "mask", ("size=4k", "nr_inodes=1", "mode=555"), attributes=_EMPTY)
        else:
            tree = mounting.clone_tree(null_fd)
            mounting.set_attributes(tree, add=MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, name=path)
        mounting.attach(tree, target, name=path)
        if empty.setdefault(directory, tree) != tree:
            posix.close(tree)
        posix.close(target)
    for tree in empty.values():
        posix.close(tree)


def _open(root_fd: int, tops: dict[str, int], path: str) -> int | None:
    plain = destinations.normal(path)
    top = "/" + plain.split("/")[1]
    below = plain[len(top) :]
    try:
        return mounting.open_in(tops[top], below, O_PATH) if below and top in tops else mounting.open_in(root_fd, path, O_PATH)
    except (FileNotFoundError, NotADirectoryError):  # nothing there that could be read or written
        return None
