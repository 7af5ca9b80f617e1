"""Programs of Go, as far as the list of their modules goes: ELF files that nobody can run."""

import struct

BEGIN, END = bytes.fromhex("3077af0c9274080241e1c107e6d618e6"), bytes.fromhex("f932433186182072008242104116d8f2")
MAGIC = b"\xff Go buildinf:"
MODULES = (
    "path\texample.org/app/cmd/app\n"
    "mod\texample.org/app\tv1.2.3\t\n"
    "dep\tgithub.com/BurntSushi/toml\tv1.3.2\th1:abc=\n"
    "dep\tgithub.com/docker/docker\tv24.0.7+incompatible\n"
    "=>\tgithub.com/moby/moby\tv25.0.0\th1:def=\n"
    "dep\texample.org/local\tv0.1.0\n"
    "=>\t./local\t\n"
    "build\t-compiler=gc\n"
)
BASE = 0x400000  # where the file is loaded


def _number(size: int) -> bytes:
    out = b""
    while size >= 0x80:
        out += bytes([size & 0x7F | 0x80])
        size >>= 7
    return out + bytes([size])


def elf(content: bytes, *, wide: bool = True, big: bool = False, note: bool = True) -> bytes:
    """Return an ELF file that loads itself at BASE; `content` begins at 0x1000."""
    order = ">" if big else "<"
    size = 0x1000 + len(content)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + b"\0" * 9
    if wide:
        head = ident + struct.pack(f"{order}HHIQQQIHHHHHH", 2, 62, 1, BASE, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        head += struct.pack(f"{order}IIQQQQQQ", 1, 6, 0, BASE, BASE, size, size, 0x1000)
    else:
        head = ident + struct.pack(f"{order}HHIIIIIHHHHHH", 2, 3, 1, BASE, 52, 0, 0, 52, 32, 1, 0, 0, 0)
        head += struct.pack(f"{order}IIIIIIII", 1, 0, BASE, BASE, size, size, 6, 0x1000)
    if note:
        head += struct.pack(f"{order}III", 4, 83, 4) + b"Go\0\0" + b"id" * 41
    return head.ljust(0x1000, b"\0") + content


def new(modules: str = MODULES, version: str = "go1.22.5", *, before: int = 0, wide: bool = True, big: bool = False) -> bytes:
    """Return a program as Go 1.18 and later link it; `before`: bytes in front of the information."""
    listed = BEGIN + modules.encode() + END if modules else b""
    header = MAGIC + bytes([8 if wide else 4, 2 | big]) + b"\0" * 16
    text = _number(len(version)) + version.encode() + _number(len(listed)) + listed
    return elf(b"\0" * before + header + text + b"\0" * 200_000, wide=wide, big=big)


def old(modules: str = MODULES, version: str = "go1.16.5", *, between: int = 0, wide: bool = True, big: bool = False) -> bytes:
    """Return a program as Go 1.13 to 1.17 link it: a header that points to strings; `between`: bytes from the texts to it."""
    width, order = (8 if wide else 4), ("big" if big else "little")
    listed = BEGIN + modules.encode() + END
    texts = (version.encode() + listed).ljust(-(-len(version + modules + "x" * 32) // 16) * 16 + between, b"\0")
    start = BASE + 0x1000
    strings = start + len(texts) + 32

    def number(value: int) -> bytes:
        return value.to_bytes(width, "big" if order == "big" else "little")

    header = (MAGIC + bytes([width, int(big)]) + number(strings) + number(strings + 2 * width)).ljust(32, b"\0")
    pointers = number(start) + number(len(version)) + number(start + len(version)) + number(len(listed))
    return elf(texts + header + pointers + b"\0" * 200_000, wide=wide, big=big)
