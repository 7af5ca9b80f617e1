"""The members of a ZIP file, one after the other and each of limited size: Python's own reader holds the whole directory in memory.

The file is trusted with nothing: names are looked at and never used as paths, sizes are not believed, and what overlaps or expands
without end runs into the limit of all members together. Source: APPNOTE.TXT of PKWARE, 6.3.
"""

from __future__ import annotations

import zlib
from struct import error as StructError
from struct import unpack_from
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

MEMBERS: Final = 5_000_000
MEMBER_BYTES: Final = 16 << 20  # of one member, expanded
TOTAL_BYTES: Final = 64 << 30  # of all members together, expanded
_TAIL: Final = 22 + 0xFFFF  # the longest end record: its comment may have 65,535 bytes
_UNTOLD: Final = 0xFFFFFFFF
_STORED: Final = 0
_DEFLATED: Final = 8


class _Damaged(Exception):
    """What is wrong with a file, in words."""


def members(path: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each member whose name ends in .json. Raises `HardenError`."""
    try:
        with open(path, "rb") as directory, open(path, "rb") as content:
            yield from _members(directory, content)
    except (_Damaged, StructError, zlib.error, EOFError) as error:
        raise HardenError(f"this ZIP file is damaged: {error}", where=path, how="download it again") from None
    except OSError as error:
        raise HardenError(f"cannot be read: {error.strerror}", where=path, how="check the path and its permissions") from None


def _members(directory: BinaryIO, content: BinaryIO) -> Iterator[tuple[str, bytes]]:
    count, start = _end_record(directory)
    if count > MEMBERS:
        raise _Damaged(f"it has {count:,} members, and more than {MEMBERS:,} are not read")
    directory.seek(start)
    total = 0
    for _ in range(count):
        head = _exactly(directory, 46)
        if head[:4] != b"PK\x01\x02":
            raise _Damaged("its directory ends early")
        flags, method, crc, packed, size, name_length, extra_length, comment_length = unpack_from("<8xHH4xIIIHHH", head)
        offset: int = unpack_from("<42xI", head)[0]
        raw = _exactly(directory, name_length)
        extra = _exactly(directory, extra_length)
        _exactly(directory, comment_length)
        if not raw.lower().endswith(b".json"):
            continue
        name = raw.decode("utf-8", "replace")
        packed, size, offset = _wide(extra, size, packed, offset)
        if flags & 1:
            raise _Damaged(f"{name!r} is encrypted")
        data = _content(content, name, method, offset, packed)
        total += len(data)
        if total > TOTAL_BYTES:
            raise _Damaged(f"its members expand to more than {TOTAL_BYTES >> 30} GiB")
        if len(data) != size or zlib.crc32(data) != crc:
            raise _Damaged(f"{name!r} is not what its checksum says")
        yield name, data


def _end_record(stream: BinaryIO) -> tuple[int, int]:
    """Return how many members there are, and where the directory begins."""
    end = stream.seek(0, 2)
    stream.seek(max(0, end - _TAIL))
    base = stream.tell()
    tail = stream.read(_TAIL)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise _Damaged("it has no directory")
    count, start = unpack_from("<10xH4xI", tail, at)
    if (count == 0xFFFF or start == _UNTOLD) and base + at >= 20:
        stream.seek(base + at - 20)
        locator = _exactly(stream, 20)
        if locator[:4] == b"PK\x06\x07":
            _seek(stream, unpack_from("<8xQ", locator)[0])
            wide = _exactly(stream, 56)
            if wide[:4] != b"PK\x06\x06":
                raise _Damaged("its wide end record is not where it should be")
            count, start = unpack_from("<32xQ8xQ", wide)
    if start > end:
        raise _Damaged("its directory would begin behind its end")
    return count, start


def _wide(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Return packed size, size and offset, from the extra field of ZIP64 where 32 bits do not hold them."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = unpack_from("<HH", extra, at)
        if kind == 1:
            values = iter(unpack_from(f"<{length // 8}Q", extra, at + 4))
            size, packed, offset = (next(values, value) if value == _UNTOLD else value for value in (size, packed, offset))
        at += 4 + length
    return packed, size, offset


def _content(stream: BinaryIO, name: str, method: int, offset: int, packed: int) -> bytes:
    if packed > MEMBER_BYTES + (1 << 20):
        raise _Damaged(f"{name!r} is larger than {MEMBER_BYTES >> 20} MiB")
    _seek(stream, offset)
    head = _exactly(stream, 30)
    if head[:4] != b"PK\x03\x04":
        raise _Damaged(f"{name!r} is not where the directory says")
    name_length, extra_length = unpack_from("<26xHH", head)
    stream.seek(name_length + extra_length, 1)
    data = _exactly(stream, packed)
    if method == _STORED:
        expanded = data
    elif method == _DEFLATED:
        expander = zlib.decompressobj(-15)
        expanded = expander.decompress(data, MEMBER_BYTES + 1)
    else:
        raise _Damaged(f"{name!r} is compressed in a way (method {method}) that is not read")
    if len(expanded) > MEMBER_BYTES:
        raise _Damaged(f"{name!r} expands to more than {MEMBER_BYTES >> 20} MiB")
    return expanded


def _seek(stream: BinaryIO, offset: int) -> None:
    if offset >> 62:  # more than the system can be asked for
        raise _Damaged("it names a place far behind its end")
    stream.seek(offset)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise _Damaged("it ends early")
    return data
