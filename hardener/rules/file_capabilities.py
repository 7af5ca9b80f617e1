"""File capabilities: the extended attribute `security.capability`, which lends a program rights as a setuid bit does.

Source: include/uapi/linux/capability.h: struct vfs_cap_data, little-endian; revision 1 has 32 bits, 2 and 3 have 64, 3 has the user
id of the namespace's root behind them.
"""

from __future__ import annotations

import struct
from typing import Final

from hardener.record import NamedTuple

ATTRIBUTE: Final = "security.capability"
_EFFECTIVE: Final = 0x000001
_REVISIONS: Final = {0x01: (12, 1), 0x02: (20, 2), 0x03: (24, 2)}  # bytes, and pairs of words

NAMES: Final = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
    "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
    "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip


class FileCapabilities(NamedTuple):
    """What a program gets; `trouble` says why the attribute is none, and then there are no names."""

    permitted: tuple[str, ...]
    inheritable: tuple[str, ...]
    effective: bool
    root_id: int = 0
    trouble: str = ""

    @property
    def text(self) -> str:
        """The capabilities as getcap writes them."""
        parts = []
        if self.permitted:
            parts.append(",".join(f"cap_{name.lower()}" for name in self.permitted) + ("=ep" if self.effective else "=p"))
        if self.inheritable:
            parts.append(",".join(f"cap_{name.lower()}" for name in self.inheritable) + "+i")
        return " ".join(parts)


def parse(value: bytes) -> FileCapabilities:
    """Return what an attribute's value means."""
    if len(value) < 4:
        return _none("it is too short")
    magic = int.from_bytes(value[:4], "little")
    known = _REVISIONS.get(magic >> 24)
    if known is None:
        return _none(f"its revision is {magic >> 24}")
    size, pairs = known
    if len(value) != size:
        return _none(f"it has {len(value)} bytes, not {size}")
    if magic & 0xFFFFFF & ~_EFFECTIVE:
        return _none("it has flags that nobody knows")
    permitted = inheritable = 0
    for index in range(pairs):
        low, high = struct.unpack_from("<II", value, 4 + 8 * index)
        permitted |= low << 32 * index
        inheritable |= high << 32 * index
    root_id = struct.unpack_from("<I", value, 20)[0] if size == 24 else 0
    return FileCapabilities(_names(permitted), _names(inheritable), bool(magic & _EFFECTIVE), root_id)


def _none(trouble: str) -> FileCapabilities:
    return FileCapabilities((), (), False, 0, trouble)


def _names(bits: int) -> tuple[str, ...]:
    known = [name for bit, name in enumerate(NAMES) if bits >> bit & 1]
    return (*known, *(str(bit) for bit in range(len(NAMES), 64) if bits >> bit & 1))
