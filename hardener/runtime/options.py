"""The words of mount options, as mount(8) and the OCI runtime specification have them."""

from __future__ import annotations

from hardener.linux.consts import (
    MOUNT_ATTR_NOATIME,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW,
    MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_STRICTATIME,
    MS_PRIVATE,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_SET: Final = {
    "ro": MOUNT_ATTR_RDONLY,
    "rro": MOUNT_ATTR_RDONLY,
    "nosuid": MOUNT_ATTR_NOSUID,
    "nodev": MOUNT_ATTR_NODEV,
    "noexec": MOUNT_ATTR_NOEXEC,
    "noatime": MOUNT_ATTR_NOATIME,
    "nodiratime": MOUNT_ATTR_NODIRATIME,
    "strictatime": MOUNT_ATTR_STRICTATIME,
    "relatime": 0,
    "nosymfollow": MOUNT_ATTR_NOSYMFOLLOW,
}
_CLEAR: Final = {
    "rw": MOUNT_ATTR_RDONLY,
    "suid": MOUNT_ATTR_NOSUID,
    "dev": MOUNT_ATTR_NODEV,
    "exec": MOUNT_ATTR_NOEXEC,
    "diratime": MOUNT_ATTR_NODIRATIME,
    "symfollow": MOUNT_ATTR_NOSYMFOLLOW,
    "defaults": 0,
    "async": 0,
    "nofail": 0,
}
_PROPAGATION: Final = {"private": MS_PRIVATE, "slave": MS_SLAVE, "shared": MS_SHARED, "unbindable": MS_UNBINDABLE}
PROPAGATIONS: Final = {prefix + word: flag for word, flag in _PROPAGATION.items() for prefix in ("", "r")}


class Options:
    """What a list of words says: attributes, propagation, whether it binds (recursively), whether ids are mapped, and the rest as data."""

    __slots__ = ("attributes", "bind", "data", "given", "idmap", "propagation", "recursive")

    def __init__(self) -> None:
        self.attributes = 0
        self.given = 0
        self.propagation = 0
        self.bind = False
        self.recursive = False
        self.idmap = True
        self.data: list[str] = []


def read(words: tuple[str, ...]) -> Options:
    """Return what the words of a mount say; a later word wins over an earlier one."""
    options = Options()
    for word in words:
        if word in _SET:
            options.attributes |= _SET[word]
            options.given |= _SET[word]
        elif word in _CLEAR:
            options.attributes &= ~_CLEAR[word]
            options.given |= _CLEAR[word]
        elif word in PROPAGATIONS:
            options.propagation = PROPAGATIONS[word]
        elif word in ("bind", "rbind"):
            options.bind = True
            options.recursive = word == "rbind"
        elif word in ("idmap", "ridmap", "noidmap"):
            options.idmap = word != "noidmap"
        else:
            options.data.append(word)
    return options
