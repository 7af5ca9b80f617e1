"""The AppArmor profile and the SELinux label that the program gets at its execve, where a specification asks for them.

The kernel takes them from a file of /proc, and a container could have put another one in its place: one that takes every write and does
nothing (CVE-2019-16884), or one that does something else (CVE-2025-52881). So the file is opened from the top of a real procfs, across no
mount and no magic link. What this machine does not have is an error: who names a profile relies on it.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import mounting, procfs
from hardener.linux.consts import PROC_SUPER_MAGIC, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import Spec

UNCONFINED: Final = "unconfined"
APPARMOR: Final = "/sys/module/apparmor/parameters/enabled"
SELINUX: Final = "/sys/fs/selinux/enforce"
PROC_ROOT: Final = 1  # the number of its inode: PROC_ROOT_INO
EXDEV: Final = 18
_SAFE: Final = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS
_FILES: Final = ("thread-self/attr/apparmor/exec", "thread-self/attr/exec")  # the first since Linux 5.8, where modules may be stacked


class Labels:
    """What to write to the files of /proc; '' for nothing."""

    __slots__ = ("apparmor", "selinux")

    def __init__(self, apparmor: str, selinux: str) -> None:
        self.apparmor = apparmor
        self.selinux = selinux

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        return [f"{name} {value}" for name, value in (("AppArmor", self.apparmor), ("SELinux", self.selinux)) if value]

    def apply(self) -> None:
        """Have the next execve change to the labels."""
        proc = mounting.open_path("/proc")
        try:
            if mounting.filesystem_type(proc) != PROC_SUPER_MAGIC or posix.fstat(proc).st_ino != PROC_ROOT:
                raise HardenError("a label needs a /proc, and what is there is none", where="/proc", how="mount proc there")
            if self.apparmor:
                _write(proc, _FILES, f"exec {self.apparmor}", f"the AppArmor profile {self.apparmor}", "load it: apparmor_parser -r FILE")
            if self.selinux:
                _write(proc, _FILES[1:], self.selinux, f"the SELinux label {self.selinux}", "seinfo -t lists the types of the policy")
        finally:
            posix.close(proc)


def plan(spec: Spec) -> Labels | None:
    """Return the labels of the program, or refuse those that this machine cannot give; None without any."""
    process = spec.process
    if process is None:
        return None
    apparmor, selinux = process.apparmor_profile or "", process.selinux_label or ""
    if apparmor == UNCONFINED:
        apparmor = ""
    for name, value, switch, where in (
        ("AppArmor", apparmor, APPARMOR, "process.apparmorProfile"),
        ("SELinux", selinux, SELINUX, "process.selinuxLabel"),
    ):
        if not value:
            continue
        if any(character.isspace() for character in value):
            raise HardenError(f"{value!r} is not a label", where=where)
        if _read(switch) not in ("Y", "0", "1"):
            raise HardenError(f"this machine has no {name}", where=where, how="leave it out, or start the kernel with it")
    return Labels(apparmor, selinux) if apparmor or selinux else None


def _read(path: str) -> str:
    try:
        return procfs.read(path).strip()
    except FileNotFoundError:
        return ""


def _write(proc: int, files: tuple[str, ...], text: str, what: str, how: str) -> None:
    fd = _open(proc, files)
    try:
        posix.write(fd, text.encode())
    except OSError as error:
        raise HardenError(f"{what} is refused: {posix.strerror(error.errno or 0)}", where="/proc/thread-self/attr", how=how) from error
    finally:
        posix.close(fd)


def _open(proc: int, files: tuple[str, ...]) -> int:
    for path in files:
        try:
            fd = mounting.open_in(proc, path, posix.O_WRONLY, resolve=_SAFE)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno == EXDEV:
                raise HardenError("something is mounted over it", where=f"/proc/{path}", how="mount nothing below /proc") from error
            raise
        if mounting.filesystem_type(fd) != PROC_SUPER_MAGIC:
            posix.close(fd)
            raise HardenError("this is no file of a procfs", where=f"/proc/{path}")
        return fd
    raise HardenError("the kernel has no file for it", where=f"/proc/{files[-1]}", how="start it with the security module")
