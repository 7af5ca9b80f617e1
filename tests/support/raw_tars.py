"""Write tars byte by byte: also such as no library would write."""

from typing import Any

BLOCK = 512


def header(
    name: bytes,
    *,
    size: bytes | int = 0,
    kind: bytes = b"0",
    mode: bytes = b"0000644",
    uid: bytes = b"0000000",
    gid: bytes = b"0000000",
    mtime: bytes = b"00000000000",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """Return the header of an entry; the checksum is right unless it is given."""
    size = b"%011o" % size if isinstance(size, int) else size
    parts = [(name, 100), (mode, 8), (uid, 8), (gid, 8), (size, 12), (mtime, 12), (b" " * 8, 8), (kind, 1), (link, 100), (magic, 8)]
    block = b"".join(part.ljust(length, b"\0")[:length] for part, length in parts).ljust(345, b"\0")
    block = (block + prefix).ljust(BLOCK, b"\0")
    said = checksum if checksum is not None else b"%06o\0 " % sum(block)
    return block[:148] + said + block[156:]


def padded(content: bytes) -> bytes:
    """Return content with the zeros that fill its last block."""
    return content + bytes(-len(content) % BLOCK)


def member(name: bytes, content: bytes = b"", **fields: Any) -> bytes:
    """Return an entry with its content."""
    return header(name, **{"size": len(content), **fields}) + padded(content)


def records(*pairs: tuple[bytes, bytes]) -> bytes:
    """Return the records of a pax header."""
    made = b""
    for key, value in pairs:
        rest = b" " + key + b"=" + value + b"\n"
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length = len(str(length)) + len(rest)
        made += str(length).encode() + rest
    return made


def pax(*pairs: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    """Return a pax header for the next entry, or with `kind=b"g"` for all that follow."""
    return member(b"pax", records(*pairs), kind=kind)


END = bytes(2 * BLOCK)
