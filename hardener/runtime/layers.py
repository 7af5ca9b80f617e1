"""The root filesystem: a folder, or layers over one another, and where what is written to it goes.

Layers are never changed and never given to the container's ids: id-mapped mounts (Linux 5.12) show them with these, under an overlay since
Linux 5.19. On an older kernel, or a filesystem without such mounts, the files belong to nobody inside: what everyone may read can be read.
What is written goes to memory and is gone at the end, or to a folder that the user keeps.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import mounting
from hardener.linux.consts import AT_FDCWD, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MS_NODEV, MS_NOSUID
from hardener.linux.mounting import O_PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import Spec
    from hardener.runtime.job import Rootfs

MOST: Final = 500  # as many as the kernel's overlay takes: OVL_MAX_STACK
LONGEST: Final = 255  # bytes of an option that fsconfig(2) takes; mount(2) takes a page
MOUNT_POINTS: Final = "1m"  # of memory, where nothing but missing mount points is written
OVERLAY_OVER_IDMAPPED: Final = (5, 19)
# Neither devices nor set-user-id programs of an image count, wherever they lie in it.
ATTRIBUTES: Final = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID
ROOT: Final = "r"  # short, as all names of the scratch filesystem
_YOURS: Final = "name a folder on a disk, one that you may write to"
_OTHERS: Final = 0o077
_KIND, _LINK, _FOLDER = 0o170000, 0o120000, 0o040000
EINVAL: Final = 22
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class Layers:
    """Folders, the lowest first.

    `upper` is the size of a layer in memory, `keep` the folder of one that stays; `mapped` shows the files with the container's ids;
    `user_attributes` are for an overlay that a user namespace mounts.
    """

    __slots__ = ("folders", "keep", "mapped", "readonly", "upper", "user_attributes")

    def __init__(self, folders: tuple[str, ...], *, readonly: bool, user_attributes: bool) -> None:
        self.folders = folders
        self.readonly = readonly
        self.user_attributes = user_attributes
        self.upper: str | None = None
        self.keep: str | None = None
        self.mapped = True

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        mode = "read-only" if self.readonly else "writable"
        if self.keep:
            mode += f", writes are kept in {self.keep}"
        elif self.upper:
            mode += f", writes go to {self.upper} of memory"
        return [f"root {self.folders[-1]} ({mode})", *(f"over {folder}" for folder in self.folders[-2::-1])]


def plan(spec: Spec, bundle: str, rootfs: Rootfs | None) -> Layers:
    """Return what the root is made of: the layers of `rootfs`, or the root of the specification."""
    if spec.root is None:
        raise HardenError("there is no root filesystem", where="root.path")
    namespaces = spec.linux.namespaces if spec.linux else ()
    folders = rootfs.layers if rootfs is not None and rootfs.layers else (join(bundle, spec.root.path),)
    if len(folders) > MOST:
        raise HardenError(f"the image has {len(folders)} layers", where="root", how=f"an overlay has at most {MOST}: squash the image")
    userns = any(namespace.type == "user" for namespace in namespaces)
    made = Layers(folders, readonly=bool(spec.root.readonly), user_attributes=userns)
    if rootfs is not None:
        made.upper, made.keep, made.mapped = rootfs.upper, rootfs.keep, rootfs.map_root
    if made.keep is not None and made.upper is not None:
        raise HardenError("what is written cannot both be kept and be dropped", where="root", how="choose --writable or --keep")
    return made


def join(bundle: str, path: str) -> str:
    """Return a path of a specification: a relative one starts from the bundle."""
    return path if path.startswith("/") else f"{bundle.rstrip('/')}/{path}"


# --- the parent ---------------------------------------------------------------------------------------------------------------


def reserve(folder: str) -> int:
    """Make the folder of a layer that is kept, for its user alone; return what keeps other containers out of it until it is closed.

    Under an id-mapped mount what the container's root writes belongs to this machine's root: set-user-id programs among it would be real
    ones here, so nobody else may reach them.
    """
    import fcntl

    try:
        _mkdir(folder, 0o700)
        lock = posix.open(folder, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    except OSError as error:
        raise HardenError(f"what is written cannot be kept: {posix.strerror(error.errno or 0)}", where=folder, how=_YOURS) from error
    try:
        found = posix.fstat(lock)
        if found.st_uid != posix.geteuid() or found.st_mode & _OTHERS:
            raise HardenError("others could reach what is kept", where=folder, how=f"make it yours alone: chmod 700 {folder}")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for name in ("upper", "work"):
            _mkdir(name, 0o755, lock)
    except BlockingIOError:
        posix.close(lock)
        raise HardenError("another container is writing to it", where=folder, how="end that one, or keep this one elsewhere") from None
    except OSError as error:
        posix.close(lock)
        raise HardenError(f"what is written cannot be kept: {posix.strerror(error.errno or 0)}", where=folder, how=_YOURS) from error
    except HardenError:
        posix.close(lock)
        raise
    return lock


def _mkdir(path: str, mode: int, folder: int | None = None) -> None:
    try:
        posix.mkdir(path, mode, dir_fd=folder)
    except FileExistsError:  # whose it is, is looked at when it is open
        return


def is_old() -> bool:
    """Tell whether this kernel cannot put an overlay over folders that are shown with other ids."""
    release = [int(number) for number in posix.uname().release.split("-")[0].split(".")[:2]]
    return tuple(release) < OVERLAY_OVER_IDMAPPED


# --- inside -------------------------------------------------------------------------------------------------------------------


def place(plan: Layers, trees: list[int], kept: int | None, *, overlaid: bool, covered: frozenset[str] = frozenset()) -> int:
    """Attach the root to a scratch filesystem of our own; return a descriptor of its top. The scratch becomes the working directory.

    `covered` are names at the top that something will be mounted on.
    """
    scratch = mounting.new_filesystem("tmpfs", "scratch", (f"size={plan.upper or MOUNT_POINTS}", "mode=755"), attributes=ATTRIBUTES)
    mounting.attach(scratch, mounting.open_path("/"), name="scratch")
    posix.fchdir(scratch)
    if not overlaid:
        posix.mkdir(ROOT, 0o755)
        [tree] = trees
        _attach(tree, ROOT, plan.folders[0])
        return tree
    for folder in ("kept", "upper", "work"):
        posix.mkdir(folder, 0o755)
    above = ""
    if kept is not None:
        _attach(kept, "kept", "the folder to keep")
        above = "kept/"
    if not posix.listdir(f"{above}work"):  # for the first time: the root looks as in the image
        posix.chmod(f"{above}upper", posix.fstat(trees[-1]).st_mode & 0o7777)
    options = [f"upperdir={above}upper", f"workdir={above}work", *(["userxattr"] if plan.user_attributes else [])]
    try:
        return overlay(plan.folders, trees, ROOT, options)
    except OSError as error:
        if error.errno != EINVAL or not plan.user_attributes or len(trees) > 1:
            raise
        # Mounts below it belong to the user namespace above, and clone_private_mount() of the kernel refuses what would uncover them.
        if not plan.readonly:
            raise HardenError(
                "an ordinary user cannot write over a root with mounts below it",
                where=plan.folders[0],
                how="leave --writable and --keep out, and name the folder to write to: -v FOLDER:/srv/FOLDER",
            ) from None
        return gather(f"{ROOT}.0", covered)


def gather(folder: str, covered: frozenset[str]) -> int:
    """Make a root in memory that has what a folder has at its top, read-only, and room for mount points."""
    made = mounting.new_filesystem("tmpfs", "harden", (f"size={MOUNT_POINTS}", "mode=755"), attributes=ATTRIBUTES)
    mounting.attach(made, _here(ROOT), name="the root")
    top = posix.open(folder, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    for name in posix.listdir(top):
        kind = posix.stat(name, dir_fd=top, follow_symlinks=False).st_mode & _KIND
        target = f"{ROOT}/{name}"
        if kind == _LINK:
            posix.symlink(posix.readlink(name, dir_fd=top), target)
        elif kind == _FOLDER:
            posix.mkdir(target, 0o755)
            if name not in covered:
                tree = mounting.clone_tree(top, name, recursive=True)
                mounting.set_attributes(tree, add=ATTRIBUTES | MOUNT_ATTR_RDONLY, recursive=True, name=f"/{name}")
                mounting.attach(tree, _here(target), name=f"/{name}")
                posix.close(tree)
    posix.close(top)
    return made


def overlay(folders: tuple[str, ...], trees: list[int], target: str, options: list[str]) -> int:
    """Put trees, the lowest first, over one another at a new folder of the scratch filesystem, which is the working directory.

    Each is attached beside it by a short name: so no character of a real path needs escaping, and 500 of them fit into a page.
    """
    names = []
    for at, (folder, tree) in enumerate(zip(folders, trees, strict=True)):
        names.append(f"{target}.{_number(at)}")
        posix.mkdir(names[-1], 0o755)
        _attach(tree, names[-1], folder)
    posix.mkdir(target, 0o755)
    lower = f"lowerdir={':'.join(reversed(names))}"
    if len(lower) <= LONGEST:
        made = mounting.new_filesystem("overlay", "harden", [lower, *options], attributes=ATTRIBUTES)
        mounting.attach(made, _here(target), name="overlay")
        return made
    mounting.mount("harden", target, "overlay", MS_NODEV | MS_NOSUID, ",".join([lower, *options]))
    return _here(target)


def _attach(tree: int, name: str, folder: str) -> None:
    mounting.set_attributes(tree, add=ATTRIBUTES, recursive=True, name=folder)
    mounting.attach(tree, _here(name), name=folder)


def _here(name: str) -> int:
    return mounting.open_in(AT_FDCWD, name, O_PATH)


def _number(value: int) -> str:
    digits = ""
    while value or not digits:
        value, digit = divmod(value, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
