"""/sys/fs/cgroup inside a container: its own groups, read-only unless asked otherwise."""

from __future__ import annotations

import posix

from hardener.linux import mounting, procfs
from hardener.linux.consts import MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MS_PRIVATE
from hardener.runtime import destinations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardener.runtime.cgroups import Layout

_FLAGS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC


def sources(machine: Layout) -> dict[str, str]:
    """Return what to show, by its name below /sys/fs/cgroup ('' for the whole): the groups of this process.

    Must be asked before the cgroup namespace and the mounts of the container change what there is to see.
    """
    own = procfs.parse_cgroups(procfs.read("/proc/self/cgroup"))
    if not machine.v1:
        return {"": f"{machine.unified}{own.get('', '/')}"} if machine.unified is not None else {}
    found = {}
    for controller, path in own.items():
        point = machine.v1.get(controller) if controller else machine.unified
        if point is not None:
            found[point.rpartition("/")[2]] = f"{point}{path}".rstrip("/")
    return found


def apply(destination: str, attributes: int, root_fd: int, target: int, groups: dict[str, str]) -> int:
    """Mount the groups that `sources` has found; return a descriptor of the top."""
    if "" in groups:
        top = _bind(groups[""], attributes)
        mounting.attach(top, target, name=destination)
        return top
    top = mounting.new_filesystem("tmpfs", "cgroup", ("mode=755", "size=64k"), attributes=_FLAGS)
    mounting.attach(top, target, name=destination)
    for name, source in groups.items():
        below = destinations.make(root_fd, f"{destination}/{name}", directory=True)
        tree = _bind(source, attributes)
        mounting.attach(tree, below, name=f"{destination}/{name}")
        posix.close(tree)
        posix.close(below)
    if attributes & MOUNT_ATTR_RDONLY:
        mounting.set_attributes(top, add=MOUNT_ATTR_RDONLY, name=destination)
    return top


def _bind(path: str, attributes: int) -> int:
    tree = mounting.clone_tree(mounting.open_path(path))
    mounting.set_attributes(tree, add=attributes | _FLAGS, propagation=MS_PRIVATE, name=path)
    return tree
