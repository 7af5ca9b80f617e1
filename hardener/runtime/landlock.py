"""Landlock: writing only where the mounts allow it, as a wall of its own that no mount can take down.

It says again, by inodes and in another part of the kernel, what the mount tree says: files change beneath what is mounted writable, devices
are beneath /dev, and everything else can be read. What namespaces already keep apart is left to them; abstract sockets and signals are
scoped where a container shares this machine's network or processes. TCP is left alone.

It is not used where it would break what was asked for: without no_new_privs the kernel takes it from nobody unprivileged; it forbids all
mounting, which CAP_SYS_ADMIN was given for; and before Linux 5.19 nothing could be renamed from one folder to another.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import landlock, mounting
from hardener.linux.consts import LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, LANDLOCK_SCOPE_SIGNAL, MOUNT_ATTR_RDONLY
from hardener.linux.mounting import O_PATH
from hardener.oci.runtime import LANDLOCK
from hardener.runtime import destinations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import Spec
    from hardener.runtime.mounts import Filesystem

OFF, REQUIRED = "off", "required"
RENAMES_SINCE: Final = 2
EBADFD: Final = 77
# Not "truncate": the kernel would look, at every open for reading, whether the file may be truncated later, and walk up to the root for it.
# It cost a fifth of a loop of open, read and close; and what the mounts keep read-only nobody truncates.
ON_FILES: Final = ("write-file", "ioctl-dev")
WRITING: Final = (
    *(*ON_FILES, "remove-dir", "remove-file", "make-char", "make-dir", "make-reg", "make-sock", "make-fifo", "make-block", "make-sym"),
    "refer",
)
# Read-only as they are, programs write to what is in them: to their own /proc/self/…, to /dev/null.
_ALWAYS: Final = ("/proc", "/dev")


class Landlock:
    """Folders and files with the rights to have on them; `missing` says why there is no wall."""

    __slots__ = ("handled", "missing", "on_files", "paths", "ruleset", "scopes")

    def __init__(self, missing: str = "") -> None:
        self.missing = missing
        self.handled = self.on_files = self.scopes = 0
        self.paths: dict[str, int] = {}
        self.ruleset = -1

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        if self.missing:
            return [f"off: {self.missing}"]
        scoped = ((LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, "abstract sockets"), (LANDLOCK_SCOPE_SIGNAL, "signals"))
        kept = [name for bit, name in scoped if self.scopes & bit]
        return [
            f"writing beneath {' '.join(path for path, mask in self.paths.items() if mask == self.handled) or 'nothing'}",
            *([f"{' and '.join(kept)} of the container alone"] if kept else []),
        ]


def plan(spec: Spec, filesystem: Filesystem) -> Landlock:
    """Return the wall, or why there is none."""
    wanted = (spec.annotations or {}).get(LANDLOCK, "")
    if wanted not in ("", "on", OFF, REQUIRED):
        raise HardenError(f"{wanted!r} is nothing that Landlock can be", where=f"annotations.{LANDLOCK}", how="on, off or required")
    if wanted == OFF:
        return Landlock("not wanted")
    abi = landlock.version()
    missing = _missing(spec, abi)
    if missing:
        if wanted == REQUIRED:
            raise HardenError(f"there can be no Landlock: {missing}", where=f"annotations.{LANDLOCK}", how="leave `required` out")
        return Landlock(missing)
    made = Landlock()
    made.handled, made.on_files = landlock.rights(WRITING, abi), landlock.rights(ON_FILES, abi)
    made.paths = dict.fromkeys(_ALWAYS, made.on_files)
    if not filesystem.root.readonly:
        made.paths["/"] = made.handled
    for entry in filesystem.entries:
        if entry.fstype != "proc" and not entry.options.attributes & MOUNT_ATTR_RDONLY:
            made.paths[destinations.normal(entry.destination)] = made.handled
    if abi >= landlock.SCOPES_SINCE:
        own = {namespace.type for namespace in (spec.linux.namespaces if spec.linux else ()) if not namespace.path}
        made.scopes = (0 if "network" in own else LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET) | (0 if "pid" in own else LANDLOCK_SCOPE_SIGNAL)
    return made


def _missing(spec: Spec, abi: int) -> str:
    if abi < RENAMES_SINCE:
        return "this kernel has none" if not abi else "this kernel's would forbid to rename from one folder to another"
    process = spec.process
    if process is None or not process.no_new_privileges:
        return "no_new_privs is off"
    if process.capabilities is not None and "CAP_SYS_ADMIN" in process.capabilities.bounding:
        return "the container may mount (CAP_SYS_ADMIN)"
    return ""


def prepare(plan: Landlock) -> None:
    """Write the rules down, as long as we may look everywhere. Paths are those of the container, whose root is ours by now."""
    if plan.missing:
        return
    plan.ruleset = landlock.create(plan.handled, scopes=plan.scopes)
    root = mounting.open_path("/")
    try:
        for path, mask in plan.paths.items():
            try:
                fd = mounting.open_in(root, path, O_PATH)
            except (FileNotFoundError, NotADirectoryError):  # something else is mounted above it
                continue
            _allow(plan, fd, mask, path)
            posix.close(fd)
    finally:
        posix.close(root)
    for fd in (0, 1, 2):  # what a program is given to write to it may also open anew, as /dev/stdout
        try:
            found = posix.fstat(fd)
        except OSError:  # closed
            continue
        if found.st_mode & 0o170000 not in (0o100000, 0o020000):
            continue
        try:
            _allow(plan, fd, plan.on_files, f"descriptor {fd}")
        except OSError as error:
            if error.errno != EBADFD:  # a file that is in memory alone, which Landlock leaves alone
                raise


def _allow(plan: Landlock, fd: int, mask: int, name: str) -> None:
    if not destinations.is_directory(fd):
        mask &= plan.on_files  # the others are rights on folders, and refused on files
    landlock.allow(plan.ruleset, mask, fd, name=name)


def apply(plan: Landlock) -> None:
    """Build the wall; no_new_privs must be set."""
    if not plan.missing:
        landlock.restrict(plan.ruleset)
