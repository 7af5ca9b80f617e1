"""Kernel parameters of the container's own namespaces; all others are this machine's and are refused."""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import procfs
from hardener.runtime.namespaces import FILES, KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import Namespace, Spec

# Which namespace a parameter belongs to: ipc_namespaces(7), network_namespaces(7).
_IPC: Final = ("kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni")
_OWNERS: Final = (("net.", "network"), ("fs.mqueue.", "ipc"), *((name, "ipc") for name in _IPC), ("kernel.shm_rmid_forced", "ipc"))


class Sysctls:
    """(file below /proc/sys, value) pairs."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[tuple[str, str], ...]) -> None:
        self.values = values

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        return [f"{file} = {value}" for file, value in self.values]


def plan(spec: Spec) -> Sysctls | None:
    """Return what is to be written; a parameter that does not belong to a namespace of the container is an error."""
    linux = spec.linux
    if linux is None or not linux.sysctl:
        return None
    own = {namespace.type for namespace in linux.namespaces if not _is_ours(namespace)}
    values = []
    for name, value in linux.sysctl.items():
        slashed = "/" in name.partition(".")[0]  # as sysctl(8) reads it: net/ipv4/conf/eth0.1/forwarding
        parts = name.split("/" if slashed else ".")
        dotted = ".".join(parts)
        owner = next((owner for prefix, owner in _OWNERS if dotted == prefix or (prefix.endswith(".") and dotted.startswith(prefix))), None)
        if owner is None or not all(part not in ("", ".", "..") and not {"/", "\0"} & {*part} for part in parts):
            raise HardenError(
                f"{name!r} is a parameter of the whole machine",
                where="linux.sysctl",
                how="only net.*, fs.mqueue.* and System V IPC can be set",
            )
        if owner not in own:
            raise HardenError(f"{name!r} needs a namespace of the container's own", where="linux.sysctl", how=f"add {{type: {owner}}}")
        values.append(("/".join(parts), value))
    return Sysctls(tuple(values))


def _is_ours(namespace: Namespace) -> bool:
    """Tell whether a namespace that is joined is the one that we are in: this machine's, by another name."""
    if not namespace.path or namespace.type not in KINDS:
        return False
    try:
        there, here = posix.stat(namespace.path), posix.stat(f"/proc/self/ns/{FILES.get(namespace.type, namespace.type)}")
    except FileNotFoundError:  # joining it will fail
        return True
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def apply(plan: Sysctls) -> None:
    """Write them; before the root changes, while /proc is this machine's and shows the namespaces we are in."""
    for file, value in plan.values:
        procfs.write(f"/proc/sys/{file}", value)
