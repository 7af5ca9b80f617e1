"""The root filesystem `host`: this machine's own, read-only, without what is nobody's business."""

from __future__ import annotations

import posix

from hardener.oci.runtime import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

HOST: Final = "host"
# What of this machine is nobody's business, when its own root is the container's.
HIDDEN: Final = (
    "/home",
    "/root",
    "/var",
    "/srv",
    "/mnt",
    "/media",
    "/boot",
    "/opt/containers",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/sudoers.d",
)
HIDDEN_FILES: Final = (
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/krb5.keytab",
    "/etc/machine-id",
)


def hiding(options: tuple[str, ...]) -> list[Mount]:
    """Return the mounts that hide the folders of this machine, with these options; /usr is bound where it is a mount of its own."""
    hidden = [path for path in HIDDEN if _is_directory(path)]
    mounts = [Mount(destination=path, type="tmpfs", source="hidden", options=(*options, "mode=755", "size=1m")) for path in hidden]
    return mounts + [Mount(destination=path, type="bind", source=path, options=("rbind", "ro")) for path in ("/usr",) if _is_mount(path)]


def _is_directory(path: str) -> bool:
    try:
        return posix.lstat(path).st_mode & 0o170000 == 0o040000
    except FileNotFoundError:
        return False


def _is_mount(path: str) -> bool:
    return posix.stat(path).st_dev != posix.stat("/").st_dev
