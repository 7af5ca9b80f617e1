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
    RESOLVE_NO_SYMLINKS,
)
from hardener.linux.mounting import O_PATH
from hardener.runtime import cgroup_mount, destinations, devices, layers, masks, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Protocol

    from hardener.oci.runtime import Mount, Spec
    from hardener.runtime.job import Rootfs

    class Fill(Protocol):
        """What copying.fill is."""

        def __call__(self, source: int, target: int, name: str, *, itself: bool) -> None:  # noqa: D102
            ...


FILESYSTEMS: Final = ("proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "overlay")
COPY_UP: Final = "tmpcopyup"  # an extension of runc and podman
EPERM, EBUSY, EINVAL, ELOOP = 1, 16, 22, 40


class Entry:
    """One mount: what, where, and with which options; `lower` are the folders of an overlay, the lowest first.

    With `copy_up` it begins with what the image has at its destination: a tmpfs always, a bound folder when it is empty. With `judged` its
    source has no links, and must have none when it is opened.
    """

    __slots__ = ("copy_up", "destination", "fstype", "judged", "lower", "options", "source")

    def __init__(self, destination: str, fstype: str, source: str, options_: options.Options) -> None:
        self.destination = destination
        self.fstype = fstype
        self.source = source
        self.options = options_
        self.copy_up = self.judged = False
        self.lower: tuple[str, ...] = ()

    def line(self) -> str:
        """Return the mount for a reader."""
        what = f"bind {self.source}" if self.fstype == "bind" else " ".join([self.fstype, *self.options.data])
        return f"{self.destination} {what}{', filled from the image' if self.copy_up else ''}"


class Filesystem:
    """All of it; `copy` is what fills the mounts that begin with what the image has there (copying.py), None when there are none."""

    __slots__ = (*("copy", "devices", "entries", "make_nodes", "masked", "propagation", "readonly_paths", "root", "wanted"),)

    def __init__(self, root: layers.Layers, entries: tuple[Entry, ...], *, wanted: tuple[str, ...]) -> None:
        self.root = root
        self.entries = entries
        self.wanted = wanted
        self.copy: Fill | None = None
        self.devices: tuple[devices.Node, ...] = ()
        self.make_nodes = False
        self.masked: tuple[str, ...] = ()
        self.readonly_paths: tuple[str, ...] = ()
        self.propagation = MS_PRIVATE

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        return [
            *self.root.lines(),
            *(entry.line() for entry in self.entries),
            f"masked: {' '.join(self.masked) or 'nothing'}",
            f"read-only: {' '.join(self.readonly_paths) or 'nothing'}",
        ]


class Sources:
    """Detached mounts: the layers of the root, the folder that takes what is kept, and what each entry binds or lays over one another.

    The parent opens them when it has this machine's rights (`opened`), otherwise init does. `lock` holds the folder that is kept.
    """

    __slots__ = ("entries", "kept", "layers", "lock", "opened")

    def __init__(self) -> None:
        self.opened = False
        self.layers: list[int] = []
        self.kept: int | None = None
        self.lock: int | None = None
        self.entries: dict[int, list[int]] = {}


def plan(spec: Spec, bundle: str, rootfs: Rootfs | None = None) -> Filesystem:
    """Return the filesystem of a container; `bundle` is the folder that relative paths start from."""
    linux = spec.linux
    userns = linux is not None and any(namespace.type == "user" for namespace in linux.namespaces)
    copied = {destinations.normal(path) for path in (rootfs.copy_up if rootfs is not None else ())}
    entries = tuple([_entry(mount, f"mounts[{at}]", copied) for at, mount in enumerate(spec.mounts)])
    if missing := copied - {destinations.normal(entry.destination) for entry in entries}:
        raise HardenError(f"nothing is mounted on {', '.join(sorted(missing))}", where="copyUp")
    judged = {destinations.normal(path) for path in (rootfs.judged if rootfs is not None else ())}
    for entry in entries:
        entry.judged = entry.fstype == "bind" and destinations.normal(entry.destination) in judged
    made = Filesystem(layers.plan(spec, bundle, rootfs), entries, wanted=(spec.process.cwd,) if spec.process else ())
    if any(entry.copy_up for entry in entries):
        from hardener.runtime import copying

        made.copy = copying.fill
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


def _entry(mount: Mount, where: str, copied: set[str]) -> Entry:
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
    made = Entry(mount.destination, fstype, mount.source or fstype, said)
    if fstype == "tmpfs" and COPY_UP in said.data:
        said.data.remove(COPY_UP)
        made.copy_up = True
    if fstype == "bind" and said.data:
        raise HardenError(f"unknown option {said.data[0]!r} of a bind mount", where=where)
    if fstype == "overlay":
        made.lower = _lower(said.data, where)
    if fstype != "proc" and destinations.normal(mount.destination) == "/proc":
        raise HardenError("only proc can be mounted on /proc", where=where)
    if destinations.normal(mount.destination) in copied:
        if fstype not in ("tmpfs", "bind"):
            raise HardenError(f"a mount of {fstype} cannot begin with what the image has there", where=where)
        made.copy_up = True
    return made


def _lower(words: list[str], where: str) -> tuple[str, ...]:
    """Return the folders of an overlay, the lowest first. As in the kernel's own option, the topmost comes first and `\\:` is a colon."""
    [word] = words if len(words) == 1 else [""]
    key, _, value = word.partition("=")
    folders = [folder.replace("\0", ":") for folder in value.replace("\\:", "\0").split(":")]
    if key != "lowerdir" or not all(folder.startswith("/") for folder in folders) or len(folders) > layers.MOST:
        raise HardenError("an overlay is made of lowerdir=/FOLDER:/FOLDER and nothing else", where=where, how="it is read-only")
    return tuple(folders[::-1])


# --- the parent ---------------------------------------------------------------------------------------------------------------


def open_sources(plan: Filesystem, bundle: str) -> Sources:
    """Reserve what is kept; as root, open the root and all that is bound as copies that no namespace shows yet."""
    sources = Sources()
    if plan.root.keep is not None:
        sources.lock = layers.reserve(plan.root.keep)
    if posix.geteuid() == 0:
        try:
            _open(plan, sources, bundle, trusted=True)
        except BaseException:
            close_sources(sources)
            if sources.lock is not None:
                posix.close(sources.lock)
            raise
        sources.opened = True
    return sources


def close_sources(sources: Sources) -> None:
    """Close the copies; the lock stays, as the container does."""
    for fd in (*sources.layers, *([] if sources.kept is None else [sources.kept]), *(fd for fds in sources.entries.values() for fd in fds)):
        posix.close(fd)
    sources.layers, sources.kept, sources.entries = [], None, {}


def _open(plan: Filesystem, sources: Sources, bundle: str, *, trusted: bool) -> None:
    ours = not trusted
    for folder in plan.root.folders:
        sources.layers.append(_open_tree(folder, recursive=ours, what="the root filesystem", directory=True))
    if plan.root.keep is not None:
        # What was looked at is what is used; a descriptor of the parent's shows a mount that init has none of.
        what = "the folder to keep"
        sources.kept = _open_tree(plan.root.keep, recursive=ours, what=what, directory=True, fd=None if ours else sources.lock)
    for index, entry in enumerate(plan.entries):
        if entry.fstype == "bind":
            path = layers.join(bundle, entry.source)
            sources.entries[index] = [_open_bound(path, entry, recursive=ours or entry.options.recursive)]
            _set_flags(sources.entries[index][0], entry)
        for folder in entry.lower:
            tree = _open_tree(folder, recursive=ours, what=f"the image of {entry.destination}", directory=True)
            sources.entries.setdefault(index, []).append(tree)


def _open_bound(path: str, entry: Entry, *, recursive: bool) -> int:
    """Open what is bound; where a policy has judged the path, through no link: who may rename there could lay one meanwhile."""
    what = f"the source of {entry.destination}"
    if not entry.judged:
        return _open_tree(path, recursive=recursive, what=what)
    try:
        fd = mounting.open_in(AT_FDCWD, path, O_PATH, resolve=RESOLVE_NO_SYMLINKS)
    except FileNotFoundError:
        raise _missing(what, path) from None
    except OSError as error:
        if error.errno != ELOOP:
            raise
        how = "run it anew, so that its policy can judge what is there now"
        raise HardenError(f"{what} is not what it was: a link lies in its path", where=path, how=how) from error
    try:
        return _open_tree(path, recursive=recursive, what=what, fd=fd)
    finally:
        posix.close(fd)


def _missing(what: str, path: str) -> HardenError:
    return HardenError(f"{what} does not exist", where=path, how="name a path of this machine that is there")


def _open_tree(path: str, *, recursive: bool, what: str, directory: bool = False, fd: int | None = None) -> int:
    try:
        tree = mounting.clone_tree(AT_FDCWD, path, recursive=recursive) if fd is None else mounting.clone_tree(fd, recursive=recursive)
    except FileNotFoundError:
        raise _missing(what, path) from None
    if directory and not destinations.is_directory(tree):
        raise HardenError(f"{what} is not a directory", where=path, how="name a folder")
    # A copy is a peer of its original: without this, what is mounted on it inside would appear on this machine.
    mounting.set_attributes(tree, propagation=MS_PRIVATE, recursive=True, name=f"{path}: private")
    return tree


def _set_flags(tree: int, entry: Entry) -> None:
    # Neither devices nor set-user-id programs come in with a bind, unless they are asked for by name.
    add = entry.options.attributes | ((MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID) & ~entry.options.given)
    if entry.copy_up:
        add &= ~MOUNT_ATTR_RDONLY  # set when it is filled
    mounting.set_attributes(tree, add=add, recursive=True, name=entry.destination)


def map_sources(sources: Sources, plan: Filesystem, user_fd: int) -> list[str]:
    """Show the files of the sources with the ids of a user namespace; return what could not be mapped, for the user to know."""
    unmapped = []
    old = layers.is_old()
    if plan.root.mapped and ((old and overlaid(plan, sources.layers)) or not _map(sources.layers, "/", user_fd)):
        unmapped.append("/")
    if sources.kept is not None and not _map([sources.kept], "the folder to keep", user_fd):
        raise HardenError(
            "what is written cannot be kept there", where=plan.root.keep or "", how="its filesystem has no id-mapped mounts: use another"
        )
    for index, trees in sources.entries.items():
        entry = plan.entries[index]
        if entry.options.idmap and ((old and len(entry.lower) > 1) or not _map(trees, entry.destination, user_fd)):
            unmapped.append(entry.destination)
    if not unmapped:
        return []
    return [f"the files of {', '.join(unmapped)} belong to nobody inside: their filesystem has no id-mapped mounts"]


def _map(trees: list[int], name: str, user_fd: int) -> bool:
    try:
        for tree in trees:
            mounting.set_attributes(tree, user_fd=user_fd, recursive=True, name=f"{name}: id map")
    except OSError as error:
        if error.errno != EINVAL:
            raise
        return False
    return True


def overlaid(plan: Filesystem, trees: list[int]) -> bool:
    """Tell whether the root needs a layer over it: for what is written, or for mount points that it lacks."""
    root = plan.root
    return len(trees) > 1 or root.upper is not None or root.keep is not None or (root.readonly and lacks_mount_points(plan, trees[0]))


def lacks_mount_points(plan: Filesystem, root: int) -> bool:
    """Tell whether the root lacks a place that something is to be mounted on, so that it needs a layer to make it in."""
    covered: list[str] = []
    if all(destinations.normal(entry.destination) != "/dev" for entry in plan.entries):
        return True  # for the devices and the links beside them
    for path in sorted({destinations.normal(one) for one in (*(entry.destination for entry in plan.entries), *plan.wanted)}):
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
    if not sources.opened:  # started without this machine's rights: these are our own, in our own mount namespace
        _open(plan, sources, bundle, trusted=False)
    over = overlaid(plan, sources.layers)
    if plan.root.readonly and not over:
        # Nothing has to be made on it. An ordinary user's root comes with what is mounted below it, which would stay writable.
        mounting.set_attributes(sources.layers[0], add=MOUNT_ATTR_RDONLY, recursive=True, name="/")
    covered = frozenset([entry.destination.strip("/") for entry in plan.entries])
    root_fd = layers.place(plan.root, sources.layers, sources.kept, overlaid=over, covered=covered)
    later = []
    tops: dict[str, int] = {}  # where masks are put: by descriptor, as a root that others share may change meanwhile (CVE-2025-31133)
    for index, entry in enumerate(plan.entries):
        fd = _mount(plan, index, sources.entries.get(index, []), root_fd, groups)
        destination = destinations.normal(entry.destination)
        if entry.fstype == "tmpfs" and entry.options.attributes & MOUNT_ATTR_RDONLY:
            later.append((fd, entry.destination))
        elif destination not in destinations.TRUSTED:
            posix.close(fd)
        if destination in destinations.TRUSTED:
            tops[destination] = fd
    for path in plan.wanted:
        posix.close(destinations.make(root_fd, path, directory=True))
    null_fd = devices.null()
    devices.apply(plan.devices, root_fd, make=plan.make_nodes)
    masks.apply(plan.masked, plan.readonly_paths, root_fd, tops, null_fd)
    for name, fd in tops.items():
        destinations.confirm(root_fd, name, fd)
    for fd, name in later:  # only now: mount points and devices had to be made on them
        mounting.set_attributes(fd, add=MOUNT_ATTR_RDONLY, name=name)
        posix.close(fd)
    _enter(root_fd)
    if plan.root.readonly:
        mounting.set_attributes(root_fd, add=MOUNT_ATTR_RDONLY, name="/")
    if plan.propagation != MS_PRIVATE:
        mounting.set_attributes(root_fd, propagation=plan.propagation, name="/")


def _mount(plan: Filesystem, index: int, trees: list[int], root_fd: int, groups: dict[str, str]) -> int:
    """Mount one entry; return a descriptor of what is mounted."""
    entry = plan.entries[index]
    directory = entry.fstype != "bind" or destinations.is_directory(trees[0])
    target = destinations.make(root_fd, entry.destination, directory=directory)
    try:
        destinations.refuse_proc(target, entry.destination)
        if destinations.is_directory(target) != directory:
            is_one, meets = ("directory", "file") if directory else ("file", "directory")
            how = f"name the place of a {is_one}: the root has a {meets} there"
            raise HardenError("a directory can only be bound on a directory, a file on a file", where=entry.destination, how=how)
        if entry.fstype in ("cgroup", "cgroup2"):
            return cgroup_mount.apply(entry.destination, entry.options.attributes, root_fd, target, groups)
        tree = _tree(entry, index, trees)
        if entry.copy_up and plan.copy is not None and directory:
            given = any(word.startswith("mode=") for word in entry.options.data)
            plan.copy(target, tree, entry.destination, itself=not given)
            if trees:
                mounting.set_attributes(tree, add=entry.options.attributes & MOUNT_ATTR_RDONLY, recursive=True, name=entry.destination)
        mounting.attach(tree, target, name=entry.destination)
        if entry.options.propagation not in (0, MS_PRIVATE):
            mounting.set_attributes(tree, propagation=entry.options.propagation, name=entry.destination)
        return tree
    finally:
        posix.close(target)


def _tree(entry: Entry, index: int, trees: list[int]) -> int:
    if entry.lower:
        made = trees[0] if len(trees) == 1 else layers.overlay(entry.lower, trees, f"i{index}", [])
        attributes = entry.options.attributes | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID
        mounting.set_attributes(made, add=attributes, recursive=True, name=entry.destination)
        return made
    return trees[0] if trees else _new(entry)


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
