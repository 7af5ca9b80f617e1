"""/sys/fs/cgroup inside a container: its own groups, read-only unless asked otherwise."""

from __future__ import annotations

import posix

from hardener.linux import mounting
from hardener.linux.consts import MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MS_PRIVATE
from hardener.runtime import cgroups, destinations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardener.runtime.cgroups import Layout

_FLAGS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC


def apply(destination: str, attributes: int, root_fd: int, target: int, own: dict[str, str]) -> int:
    """Mount the groups `own` (controller -> path, from before the cgroup namespace); return a descriptor of the top."""
    machine = cgroups.read_layout()
    if not machine.v1 and machine.unified is not None:
        top = _bind(f"{machine.unified}{own.get('', '/')}", attributes)
        mounting.attach(top, target, name=destination)
        return top
    top = mounting.new_filesystem("tmpfs", "cgroup", ("mode=755", "size=64k"), attributes=_FLAGS)
    mounting.attach(top, target, name=destination)
    for name, source in _hierarchies(machine, own).items():
        below = destinations.make(root_fd, f"{destination}/{name}", directory=True)
        tree = _bind(source, attributes)
        mounting.attach(tree, below, name=f"{destination}/{name}")
        posix.close(tree)
        posix.close(below)
    if attributes & MOUNT_ATTR_RDONLY:
        mounting.set_attributes(top, add=MOUNT_ATTR_RDONLY, name=destination)
    return top


def _hierarchies(machine: Layout, own: dict[str, str]) -> dict[str, str]:
    found = {}
    for controller, path in own.items():
        point = machine.v1.get(controller) if controller else machine.unified
        if point is not None:
            found[point.rpartition("/")[2]] = f"{point}{path}".rstrip("/")
    return found


def _bind(path: str, attributes: int) -> int:
    tree = mounting.clone_tree(mounting.open_path(path))
    mounting.set_attributes(tree, add=attributes | _FLAGS, propagation=MS_PRIVATE, name=path)
    return tree
