"""The container's filesystem: root, mounts, devices, masks, and the change of root.

Whatever takes this machine's rights to open (the root, what is bound) is opened by the parent as detached copies of mounts; init puts them
in place. Nothing is looked up by path after that: each destination is opened once inside the root (destinations.py) and mounted on by
descriptor.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import mounting
from hardener.linux.consts import (
    AT_FDCWD,
    MNT_DETACH,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    MS_PRIVATE,
)
from hardener.linux.mounting import O_PATH
from hardener.runtime import cgroup_mount, destinations, devices, masks, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import Spec

FILESYSTEMS: Final = ("proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2")
EPERM, EBUSY, EINVAL = 1, 16, 22
OVERLAY_FOLDERS: Final = ("lower", "upper", "work", "root")


class Entry:
    """One mount: what, where, and with which options."""

    __slots__ = ("destination", "fstype", "options", "source")

    def __init__(self, destination: str, fstype: str, source: str, options_: options.Options) -> None:
        self.destination = destination
        self.fstype = fstype
        self.source = source
        self.options = options_

    def line(self) -> str:
        """Return the mount for a reader."""
        return f"{self.destination} {'bind ' + self.source if self.fstype == 'bind' else ' '.join([self.fstype, *self.options.data])}"


class Filesystem:
    """All of it. `upper` is the size of a layer in memory that takes what is written to the root, None for none.

    `map_root` shows the files of the root with the ids of the container; without it they belong to nobody inside, as an outsider sees them.
    """

    __slots__ = (
        *("devices", "entries", "make_nodes", "map_root", "masked", "propagation", "readonly", "readonly_paths", "root", "upper", "wanted"),
    )

    def __init__(self, root: str, entries: tuple[Entry, ...], *, readonly: bool, upper: str | None, wanted: tuple[str, ...]) -> None:
        self.root = root
        self.entries = entries
        self.readonly = readonly
        self.upper = upper
        self.wanted = wanted
        self.devices: tuple[devices.Node, ...] = ()
        self.make_nodes = False
        self.map_root = True
        self.masked: tuple[str, ...] = ()
        self.readonly_paths: tuple[str, ...] = ()
        self.propagation = MS_PRIVATE

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        mode = "read-only" if self.readonly else "writable"
        upper = f", writes go to {self.upper} of memory" if self.upper else ""
        return [
            f"root {self.root} ({mode}{upper})",
            *(entry.line() for entry in self.entries),
            f"masked: {' '.join(self.masked) or 'nothing'}",
            f"read-only: {' '.join(self.readonly_paths) or 'nothing'}",
        ]


class Sources:
    """The detached mounts that the parent has opened: the root, and what is bound, by the index of its entry."""

    __slots__ = ("bound", "root")

    def __init__(self, root: int | None, bound: dict[int, int]) -> None:
        self.root = root
        self.bound = bound


def plan(spec: Spec, bundle: str, *, upper: str | None = None) -> Filesystem:
    """Return the filesystem of a container; `bundle` is the folder that relative paths start from."""
    if spec.root is None:
        raise HardenError("there is no root filesystem", where="root.path")
    linux = spec.linux
    userns = linux is not None and any(namespace.type == "user" for namespace in linux.namespaces)
    entries = []
    for at, mount in enumerate(spec.mounts):
        where = f"mounts[{at}]"
        if not mount.destination.startswith("/"):
            raise HardenError(f"the destination {mount.destination!r} is not absolute", where=where)
        if not destinations.parts(mount.destination):
            raise HardenError("a mount on / would hide the root", where=where, how="give another root.path instead")
        said = options.read(mount.options)
        fstype = "bind" if said.bind or mount.type in ("bind", "none") else mount.type or "bind"
        if fstype == "bind" and not mount.source:
            raise HardenError("a bind mount has no source", where=where)
        if fstype not in (*FILESYSTEMS, "bind"):
            raise HardenError(f"hardener does not mount {fstype!r}", where=where, how=f"known: bind, {', '.join(FILESYSTEMS)}")
        if fstype == "bind" and said.data:
            raise HardenError(f"unknown option {said.data[0]!r} of a bind mount", where=where)
        if fstype != "proc" and destinations.normal(mount.destination) == "/proc":
            raise HardenError("only proc can be mounted on /proc", where=where)
        entries.append(Entry(mount.destination, fstype, mount.source or fstype, said))
    wanted = tuple([spec.process.cwd] if spec.process else [])
    root = _join(bundle, spec.root.path)
    made = Filesystem(root, tuple(entries), readonly=bool(spec.root.readonly), upper=upper, wanted=wanted)
    made.devices = devices.plan(spec)
    made.make_nodes = not userns
    made.masked = linux.masked_paths if linux else ()
    made.readonly_paths = linux.readonly_paths if linux else ()
    if linux and linux.rootfs_propagation:
        if linux.rootfs_propagation not in options.PROPAGATIONS:
            raise HardenError(
                f"unknown propagation {linux.rootfs_propagation!r}", where="linux.rootfsPropagation", how="private, slave or shared"
            )
        made.propagation = options.PROPAGATIONS[linux.rootfs_propagation]
    return made


def _join(bundle: str, path: str) -> str:
    return path if path.startswith("/") else f"{bundle.rstrip('/')}/{path}"


# --- the parent ---------------------------------------------------------------------------------------------------------------


def open_sources(plan: Filesystem, bundle: str) -> Sources:
    """Open the root and all that is bound with the rights of the caller, as copies that no namespace shows yet."""
    sources = Sources(_open_tree(plan.root, recursive=False, what="the root filesystem", directory=True), {})
    for index, entry in enumerate(plan.entries):
        if entry.fstype == "bind":
            path = _join(bundle, entry.source)
            sources.bound[index] = _open_tree(path, recursive=entry.options.recursive, what=f"the source of {entry.destination}")
            _set_flags(sources.bound[index], entry)
    return sources


def _open_tree(path: str, *, recursive: bool, what: str, directory: bool = False) -> int:
    try:
        tree = mounting.clone_tree(AT_FDCWD, path, recursive=recursive)
    except FileNotFoundError:
        raise HardenError(f"{what} does not exist", where=path, how="name a path of this machine that is there") from None
    if directory and not destinations.is_directory(tree):
        raise HardenError(f"{what} is not a directory", where=path)
    # A copy is a peer of its original: without this, what is mounted on it inside would appear on this machine.
    mounting.set_attributes(tree, propagation=MS_PRIVATE, recursive=True, name=f"{path}: private")
    return tree


def _set_flags(tree: int, entry: Entry) -> None:
    # Neither devices nor set-user-id programs come in with a bind, unless they are asked for by name.
    add = entry.options.attributes | ((MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID) & ~entry.options.given)
    mounting.set_attributes(tree, add=add, recursive=True, name=entry.destination)


def map_sources(sources: Sources, plan: Filesystem, user_fd: int) -> list[str]:
    """Show the files of the sources with the ids of a user namespace; return what could not be mapped, for the user to know."""
    unmapped = []
    trees = [("/", sources.root, plan.map_root)]
    trees += [(plan.entries[index].destination, tree, plan.entries[index].options.idmap) for index, tree in sources.bound.items()]
    for name, tree, wanted in trees:
        if tree is None or not wanted:
            continue
        try:
            mounting.set_attributes(tree, user_fd=user_fd, recursive=True, name=f"{name}: id map")
        except OSError as error:
            if error.errno != EINVAL:
                raise
            unmapped.append(name)
    if not unmapped:
        return []
    return [f"the files of {', '.join(unmapped)} belong to nobody inside: their filesystem has no id-mapped mounts"]


def lacks_mount_points(plan: Filesystem, root: int) -> bool:
    """Tell whether the root lacks a place that something is to be mounted on, so that it needs a layer to make it in."""
    covered: list[str] = []
    for path in sorted({destinations.normal(one) for one in (*(entry.destination for entry in plan.entries), "/dev", *plan.wanted)}):
        if any(path.startswith(f"{one}/") for one in covered):
            continue
        if not destinations.exists(root, path):
            return True
        if any(destinations.normal(entry.destination) == path for entry in plan.entries):
            covered.append(path)
    return False


# --- inside -------------------------------------------------------------------------------------------------------------------


def apply(plan: Filesystem, sources: Sources, bundle: str, groups: dict[str, str]) -> None:
    """Build the filesystem and make it the root; `groups` are those of this process (cgroup_mount.py)."""
    root_tree = sources.root
    if root_tree is None:  # started without this machine's rights: these are our own, in our own mount namespace
        root_tree = _open_tree(plan.root, recursive=True, what="the root filesystem", directory=True)
        for index, entry in enumerate(plan.entries):
            if entry.fstype == "bind":
                sources.bound[index] = _open_tree(_join(bundle, entry.source), recursive=True, what=f"the source of {entry.destination}")
                _set_flags(sources.bound[index], entry)
    root_fd = _place_root(plan, root_tree)
    later = []
    for index, entry in enumerate(plan.entries):
        fd = _mount(entry, sources.bound.get(index), root_fd, groups)
        if entry.fstype == "tmpfs" and entry.options.attributes & MOUNT_ATTR_RDONLY:
            later.append((fd, entry.destination))
        else:
            posix.close(fd)
    for path in plan.wanted:
        posix.close(destinations.make(root_fd, path, directory=True))
    null_fd = devices.null()
    devices.apply(plan.devices, root_fd, make=plan.make_nodes)
    masks.apply(plan.masked, plan.readonly_paths, root_fd, null_fd)
    for fd, name in later:  # only now: mount points and devices had to be made on them
        mounting.set_attributes(fd, add=MOUNT_ATTR_RDONLY, name=name)
        posix.close(fd)
    _enter(root_fd)
    if plan.readonly:
        mounting.set_attributes(root_fd, add=MOUNT_ATTR_RDONLY, name="/")
    if plan.propagation != MS_PRIVATE:
        mounting.set_attributes(root_fd, propagation=plan.propagation, name="/")


def _place_root(plan: Filesystem, tree: int) -> int:
    """Attach the root to a scratch filesystem of our own; return a descriptor of its top. The scratch becomes the working directory."""
    # Neither devices nor set-user-id programs of an image count, wherever they lie in it.
    flags = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID
    mounting.set_attributes(tree, add=flags, recursive=True, name=plan.root)
    upper = plan.upper
    if upper is None and plan.readonly and lacks_mount_points(plan, tree):
        upper = "1m"  # for the mount points alone: the root is read-only in the end
    scratch = mounting.new_filesystem("tmpfs", "scratch", (f"size={upper or '1m'}", "mode=755"), attributes=flags)
    mounting.attach(scratch, mounting.open_path("/"), name="scratch")
    posix.fchdir(scratch)
    for name in OVERLAY_FOLDERS:
        posix.mkdir(name, 0o755)
    lower = "root" if upper is None else "lower"
    mounting.attach(tree, mounting.open_in(scratch, lower, O_PATH), name=plan.root)
    if upper is None:
        return tree
    layers = ["lowerdir=lower", "upperdir=upper", "workdir=work", *(["userxattr"] if not plan.make_nodes else [])]
    overlay = mounting.new_filesystem("overlay", "harden", layers, attributes=flags)
    mounting.attach(overlay, mounting.open_in(scratch, "root", O_PATH), name="overlay")
    return overlay


def _mount(entry: Entry, bound: int | None, root_fd: int, groups: dict[str, str]) -> int:
    """Mount one entry; return a descriptor of what is mounted."""
    directory = destinations.is_directory(bound) if bound is not None else True
    target = destinations.make(root_fd, entry.destination, directory=directory)
    try:
        destinations.refuse_proc(target, entry.destination)
        if bound is not None:
            if destinations.is_directory(target) != directory:
                raise HardenError("a directory can only be bound on a directory, a file on a file", where=entry.destination)
            tree = bound
        elif entry.fstype in ("cgroup", "cgroup2"):
            return cgroup_mount.apply(entry.destination, entry.options.attributes, root_fd, target, groups)
        else:
            tree = _new(entry)
        mounting.attach(tree, target, name=entry.destination)
        if entry.options.propagation not in (0, MS_PRIVATE):
            mounting.set_attributes(tree, propagation=entry.options.propagation, name=entry.destination)
        return tree
    finally:
        posix.close(target)


def _new(entry: Entry) -> int:
    attributes = entry.options.attributes
    if entry.fstype == "tmpfs":
        attributes &= ~MOUNT_ATTR_RDONLY  # set at the end
    if entry.fstype in ("proc", "sysfs"):
        attributes |= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC
    try:
        return mounting.new_filesystem(entry.fstype, entry.source, entry.options.data, attributes=attributes)
    except OSError as error:
        if entry.fstype != "sysfs" or error.errno != EPERM:
            raise
    # With this machine's network namespace /sys is not ours to mount: show the one that is there, read-only.
    tree = _open_tree("/sys", recursive=True, what="/sys")
    mounting.set_attributes(tree, add=attributes | MOUNT_ATTR_RDONLY, recursive=True, name="/sys")
    return tree


def _enter(root_fd: int) -> None:
    posix.fchdir(root_fd)
    mounting.pivot_root(".", ".")
    # The old root now lies on top of the new one, and on it the scratch filesystem: two mounts to take off, the upper first.
    for _ in range(2):
        mounting.unmount(".", MNT_DETACH)
    posix.chdir("/")
    top, above = posix.stat("/"), posix.stat("/..")
    if (top.st_dev, top.st_ino) != (above.st_dev, above.st_ino):
        raise OSError(EBUSY, "pivot_root: the old root can still be reached")
