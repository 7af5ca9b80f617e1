"""The rows of one table of an SQLite database that is in memory, with its write-ahead log.

SQLite itself wants files to be written for a database with a log, or a second copy in memory, and runs what a schema says: a table can be
a view over an endless query. This reads the b-tree of a table and nothing else, each page once. Source: sqlite.org/fileformat2.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC: Final = b"SQLite format 3\0"
_LOG: Final = (0x377F0682, 0x377F0683)  # the checksums of the second are of big-endian words
_LEAF, _INTERIOR = 13, 5
_DEPTH: Final = 20
_SIZES: Final = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)  # bytes of a value, by its serial type


class Damaged(ValueError):
    """This is no database, or it is damaged."""


class Database:
    """A database: its bytes, and those of its log."""

    def __init__(self, content: bytes | bytearray, log: bytes | bytearray = b"") -> None:
        if not content.startswith(_MAGIC) or len(content) < 512:
            raise Damaged("it does not begin as a database of SQLite does")
        size = int.from_bytes(content[16:18], "big")
        self._size = 65536 if size == 1 else size
        self._usable = self._size - content[20]
        if self._size & (self._size - 1) or self._size < 512 or self._usable < 480:
            raise Damaged("the size of its pages is none")
        if content[56:60] not in (b"\0\0\0\1", b"\0\0\0\0"):
            raise Damaged("its text is not UTF-8")
        self._content = content
        self._log = log
        self._newer = _frames(log, self._size)
        self._seen: set[int] = set()
        self._budget = 4 * (len(content) + len(log))  # bytes of rows: cells may overlap, and become more than there is

    def rows(self, table: str) -> Iterator[tuple[int, list[bytes | int | None]]]:
        """Yield (row id, values) of a table: texts and blobs as bytes. Once: each page is read once.

        Raises Damaged, also when there is no table of that name.
        """
        for _, values in self._walk(1):
            if values[:2] == [b"table", table.encode()] and len(values) > 3 and isinstance(values[3], int):
                yield from self._walk(values[3])
                return
        raise Damaged(f"it has no table {table}")

    def _page(self, number: int) -> memoryview:
        if number < 1 or number in self._seen:
            raise Damaged("its pages lead in a circle, or nowhere")
        self._seen.add(number)
        at = self._newer.get(number)
        if at is not None:
            return memoryview(self._log)[at : at + self._size]
        page = memoryview(self._content)[(number - 1) * self._size : number * self._size]
        if len(page) != self._size:
            raise Damaged("a page is missing")
        return page

    def _walk(self, root: int) -> Iterator[tuple[int, list[bytes | int | None]]]:
        waiting = [(root, 0)]
        while waiting:
            number, depth = waiting.pop()
            page = self._page(number)
            start = 100 if number == 1 else 0
            kind = page[start]
            if kind not in (_LEAF, _INTERIOR) or depth > _DEPTH:
                raise Damaged("a page is not of a table")
            count = int.from_bytes(page[start + 3 : start + 5], "big")
            first = start + (8 if kind == _LEAF else 12)
            cells = [int.from_bytes(page[at : at + 2], "big") for at in range(first, first + 2 * count, 2)]
            if first + 2 * count > self._size or any(cell > self._usable - 4 for cell in cells):
                raise Damaged("a cell is outside of its page")
            if kind == _LEAF:
                for cell in cells:
                    yield self._cell(page, cell)
            else:
                below = [int.from_bytes(page[cell : cell + 4], "big") for cell in cells]
                below.append(int.from_bytes(page[start + 8 : start + 12], "big"))
                waiting += [(each, depth + 1) for each in reversed(below)]

    def _cell(self, page: memoryview, at: int) -> tuple[int, list[bytes | int | None]]:
        size, at = _varint(page, at)
        row, at = _varint(page, at)
        most = self._usable - 35
        self._budget -= size + 16
        if self._budget < 0:
            raise Damaged("its rows are larger than the database")
        if size <= most:
            payload = bytes(page[at : at + size])
        else:
            least = (self._usable - 12) * 32 // 255 - 23
            here = least + (size - least) % (self._usable - 4)
            here = here if here <= most else least
            parts, got = [bytes(page[at : at + here])], here
            following = int.from_bytes(page[at + here : at + here + 4], "big")
            while got < size:
                piece = self._page(following)
                following = int.from_bytes(piece[:4], "big")
                parts.append(bytes(piece[4 : min(self._usable, 4 + size - got)]))
                got += len(parts[-1])
            payload = b"".join(parts)
        if len(payload) != size:
            raise Damaged("a row is cut")
        return row, _values(memoryview(payload))


def _values(payload: memoryview) -> list[bytes | int | None]:
    end, at = _varint(payload, 0)
    data = end
    found: list[bytes | int | None] = []
    while at < end:
        kind, at = _varint(payload, at)
        if kind >= 12:
            size = (kind - 12) // 2
            found.append(bytes(payload[data : data + size]))
        elif kind in (10, 11):
            raise Damaged("a value is of no type")
        else:
            size = _SIZES[kind]
            number = int.from_bytes(payload[data : data + size], "big", signed=True)
            found.append(None if kind in (0, 7) else kind - 8 if kind > 7 else number)  # 7 is a fraction: nothing here has one
        data += size
    if data > len(payload):
        raise Damaged("a value is cut")
    return found


def _varint(page: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for end in range(at, at + 9):
        if end >= len(page):
            raise Damaged("a number is cut")
        byte = page[end]
        if end == at + 8:
            return value << 8 | byte, end + 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, end + 1
    raise AssertionError(at)


def _frames(log: bytes | bytearray, size: int) -> dict[int, int]:
    """Return the newest committed version of each page in a log: its number, and where in the log it stands."""
    if len(log) < 32 or int.from_bytes(log[:4], "big") not in _LOG or int.from_bytes(log[8:12], "big") != size:
        return {}
    order = "big" if int.from_bytes(log[:4], "big") == _LOG[1] else "little"
    salt = log[16:24]
    sums = _checksum(log[:24], (0, 0), order)
    if sums != (int.from_bytes(log[24:28], "big"), int.from_bytes(log[28:32], "big")):
        return {}
    committed: dict[int, int] = {}
    waiting: dict[int, int] = {}
    for at in range(32, len(log) - 24 - size + 1, 24 + size):
        if log[at + 8 : at + 16] != salt:
            break  # of an older log, which this one has begun to overwrite
        sums = _checksum(log[at + 24 : at + 24 + size], _checksum(log[at : at + 8], sums, order), order)
        if sums != (int.from_bytes(log[at + 16 : at + 20], "big"), int.from_bytes(log[at + 20 : at + 24], "big")):
            break
        waiting[int.from_bytes(log[at : at + 4], "big")] = at + 24
        if log[at + 4 : at + 8] != b"\0\0\0\0":  # the frame that commits what has come so far
            committed |= waiting
            waiting = {}
    return committed


def _checksum(content: bytes | bytearray, before: tuple[int, int], order: str) -> tuple[int, int]:
    from array import array
    from sys import byteorder

    words = array("I", content)
    if order != byteorder:
        words.byteswap()
    one, two = before
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
