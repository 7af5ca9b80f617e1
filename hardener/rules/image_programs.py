"""What one pass over the layers keeps of programs: for what machine and how they are linked, and the digests of those with privileges."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal

from hardener.record import NamedTuple
from hardener.rules.file_capabilities import ATTRIBUTE

if TYPE_CHECKING:
    from hardener.images.image import Layer
    from hardener.images.tar import Entry

WHOLE: Final = -1  # of images.scan: all of a file
HEAD: Final = 1024  # bytes: an ELF header with its program headers
_LARGEST: Final = 8 << 20  # bytes of a program whose digests are worked out: larger ones come in windows
_INTERPRETED: Final = 3  # PT_INTERP of elf.h: a program header that names the dynamic loader

# e_machine of elf.h, in the words that images use for architectures.
MACHINES: Final = {
    0x03: "386", 0x08: "mips", 0x14: "ppc", 0x15: "ppc64le", 0x16: "s390x", 0x28: "arm", 0x3E: "amd64", 0xB7: "arm64", 0xF3: "riscv64",
    0x102: "loong64",
}  # fmt: skip


class Program(NamedTuple):
    """What is known of a program's file: `machine` as images name architectures; "" for a script or what is not known."""

    machine: str
    static: bool  # an ELF program without a dynamic loader
    script: str  # the interpreter of a script; "" for others
    digests: dict[str, str]  # by algorithm; empty unless the file has privileges


class Programs:
    """A scanner that looks at the heads of executable files, and at all of those that lend privileges."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], Program] = {}

    def wants(self, entry: Entry, layer: Layer) -> int:
        """Return how much of a file there is to see."""
        if entry.kind != "file" or not entry.size or not entry.mode & 0o111:
            return 0
        privileged = entry.mode & 0o6000 or ATTRIBUTE in entry.xattrs
        return WHOLE if privileged and entry.size <= _LARGEST else HEAD

    def see(self, entry: Entry, layer: Layer, content: bytes, offset: int) -> None:
        """Note what the head of a file says."""
        if offset:
            return
        digests = {}
        if len(content) == entry.size and (entry.mode & 0o6000 or ATTRIBUTE in entry.xattrs):
            digests = {name: hashlib.new(name, content, usedforsecurity=False).hexdigest() for name in ("md5", "sha1", "sha256")}
        self._found[entry.name, layer.index] = program(content, digests)

    def part(self) -> _Part:
        """Return one for a layer that somebody else reads."""
        return _Part()

    def give(self, layer: Layer, taken: list[tuple[str, Program]]) -> None:
        """Know what a part knows."""
        self._found.update({(path, layer.index): found for path, found in taken})

    def of(self, path: str, layer: Layer) -> Program | None:
        """Return what is known of a file as a layer has it."""
        return self._found.get((path, layer.index))


class _Part(Programs):
    """One for one layer."""

    @property
    def held(self) -> int:
        """About how many bytes it keeps."""
        return 400 * len(self._found)

    def take(self) -> list[tuple[str, Program]]:
        """Return what was found."""
        return [(path, found) for (path, _), found in self._found.items()]


def program(head: bytes, digests: dict[str, str] | None = None) -> Program:
    """Return what the first bytes of a file tell."""
    if head.startswith(b"#!"):
        line = head[2:].partition(b"\n")[0].split()
        return Program("", False, line[0].decode("utf-8", "surrogateescape") if line else "", digests or {})
    if len(head) < 64 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return Program("", False, "", digests or {})
    order: Literal["little", "big"] = "little" if head[5] == 1 else "big"
    wide = head[4] == 2

    def number(at: int, size: int) -> int:
        return int.from_bytes(head[at : at + size], order)

    machine = MACHINES.get(number(18, 2), "")
    if machine == "ppc64le" and order == "big":
        machine = "ppc64"
    if machine == "mips":
        machine = ("mips64" if wide else "mips") + ("le" if order == "little" else "")
    start, size, count = (number(32, 8), number(54, 2), number(56, 2)) if wide else (number(28, 4), number(42, 2), number(44, 2))
    end = start + size * count
    seen = count and 0 < end <= len(head) and size >= 32
    static = bool(seen) and number(16, 2) in (2, 3) and all(number(start + size * index, 4) != _INTERPRETED for index in range(count))
    return Program(machine, static, "", digests or {})
