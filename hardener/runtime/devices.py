"""/dev: the six devices that every program may expect, the links beside them, and those a specification adds.

In a user namespace no node can be made, so this machine's are bound one by one; otherwise nodes are made, because a root user of the
container would own a bound one and could change its mode.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import mounting
from hardener.linux.consts import MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY
from hardener.runtime import destinations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import Spec

ORDINARY: Final = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
LINKS: Final = (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"))
_KINDS: Final = {"c": 0o020000, "u": 0o020000, "b": 0o060000, "p": 0o010000}


class Node:
    """A device: its path in the container, its type and numbers, and who may use it."""

    __slots__ = ("gid", "kind", "major", "minor", "mode", "path", "uid")

    def __init__(self, path: str, kind: int, major: int, minor: int, mode: int = 0o666, uid: int = 0, gid: int = 0) -> None:
        self.path = path
        self.kind = kind
        self.major = major
        self.minor = minor
        self.mode = mode
        self.uid = uid
        self.gid = gid


def plan(spec: Spec) -> tuple[Node, ...]:
    """Return the devices of a container."""
    nodes = [Node(f"/dev/{name}", _KINDS["c"], major, minor) for name, major, minor in ORDINARY]
    for device in spec.linux.devices if spec.linux else ():
        if device.type not in _KINDS:
            raise HardenError(f"{device.type!r} is no type of device", where="linux.devices", how=f"known: {', '.join(_KINDS)}")
        if not destinations.normal(device.path).startswith("/dev/"):
            raise HardenError(f"the device {device.path} would lie outside /dev", where="linux.devices")
        mode = 0o666 if device.file_mode is None else device.file_mode & 0o777
        nodes.append(Node(device.path, _KINDS[device.type], device.major or 0, device.minor or 0, mode, device.uid or 0, device.gid or 0))
    return tuple({destinations.normal(node.path): node for node in nodes}.values())


def null() -> int:
    """Open this machine's /dev/null and make sure that it is one: masks are made of it (CVE-2025-31133)."""
    fd = mounting.open_path("/dev/null")
    found = posix.fstat(fd)
    if found.st_mode & 0o170000 != _KINDS["c"] or found.st_rdev != posix.makedev(1, 3):
        raise HardenError(
            "/dev/null of this machine is not the null device", where="/dev/null", how="make it one: mknod -m 666 /dev/null c 1 3"
        )
    return fd


def apply(nodes: tuple[Node, ...], root_fd: int, *, make: bool) -> None:
    """Fill /dev of the container; with `make` the nodes are made, otherwise this machine's are bound."""
    posix.close(destinations.make(root_fd, "/dev", directory=True))
    for node in nodes:
        if make:
            _make(node, root_fd)
        else:
            _bind(node, root_fd)
    dev = destinations.find(root_fd, "/dev")
    try:
        links = [*LINKS]
        if destinations.exists(root_fd, "/dev/pts/ptmx"):
            links.append(("ptmx", "pts/ptmx"))
        for name, target in links:
            try:
                posix.symlink(target, name, dir_fd=dev)
            except FileExistsError:  # the image's own /dev, without a filesystem of ours on it
                continue
    finally:
        posix.close(dev)


def _make(node: Node, root_fd: int) -> None:
    folder, _, name = destinations.normal(node.path).rpartition("/")
    at = destinations.make(root_fd, folder, directory=True)
    try:
        try:
            posix.mknod(name, node.kind | node.mode, posix.makedev(node.major, node.minor), dir_fd=at)
        except FileExistsError:
            found = posix.stat(name, dir_fd=at, follow_symlinks=False)
            if found.st_mode & 0o170000 != node.kind or found.st_rdev != posix.makedev(node.major, node.minor):
                raise HardenError(f"{node.path} of the container is something else", where=node.path) from None
            return
        posix.chown(name, node.uid, node.gid, dir_fd=at, follow_symlinks=False)
    finally:
        posix.close(at)


def _bind(node: Node, root_fd: int) -> None:
    source = mounting.open_path(destinations.normal(node.path))
    target = -1
    try:
        found = posix.fstat(source)
        if found.st_mode & 0o170000 != node.kind or found.st_rdev != posix.makedev(node.major, node.minor):
            raise HardenError(f"{node.path} of this machine is not the device {node.major}:{node.minor}", where="linux.devices")
        target = destinations.make(root_fd, node.path, directory=False)
        tree = mounting.clone_tree(source)
        # Read-only keeps nobody from using a device, but its owner, whoever that is on this machine, from changing it there.
        mounting.set_attributes(tree, add=MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, name=node.path)
        mounting.attach(tree, target, name=node.path)
        posix.close(tree)
    finally:
        posix.close(source)
        if target >= 0:
            posix.close(target)
