"""/sys/fs/cgroup inside a container: its own groups, read-only unless asked otherwise."""

from __future__ import annotations

import posix

from hardener.linux import mounting
from hardener.linux.consts import MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MS_PRIVATE
from hardener.runtime import destinations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardener.runtime.cgroups import Cgroups, Layout

_FLAGS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC


def sources(machine: Layout, plan: Cgroups | None) -> dict[str, str]:
    """Return what to show, by its name below /sys/fs/cgroup ('' for the whole): the container's own groups, and none of this machine's."""
    groups = plan.groups if plan is not None else ()
    if not machine.v1:
        return {"": groups[0].directory} if groups else {}
    points = {f"{point}{machine.bases.get(point) or ''}": point for point in machine.bases}
    return {(points.get(group.mount) or group.mount).rpartition("/")[2]: group.directory for group in groups}


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
