"""What a detached container has written: lines of JSON with their stream and time, as docker's json-file driver keeps them.

    DATA/containers/NAME/log, log.1, log.2     newest to oldest; three of ten megabytes, so that a flood of output cannot fill the disk

A disk that is full for other reasons must not stop the container: what cannot be kept is counted, and the count takes its place.
"""

from __future__ import annotations

import posix
from _json import encode_basestring_ascii as quoted

from hardener.oci import json_text
from hardener.runtime import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

NAME: Final = "log"
LIMIT_BYTES: Final = 10 << 20
FILES: Final = 3
LINE_BYTES: Final = 1 << 14  # a longer line is kept in pieces, the last of which ends it
OUT, ERR = "stdout", "stderr"


class Log:
    """The log of a container, to write to; `limit_bytes` is the size of one file of `files`."""

    __slots__ = ("_fd", "_folder", "_lost_bytes", "_open", "_reason", "_size_bytes", "files", "limit_bytes")

    def __init__(self, folder: str, limit_bytes: int = LIMIT_BYTES, files: int = FILES) -> None:
        self._folder = folder
        self.limit_bytes = limit_bytes
        self.files = files
        self._open = {OUT: b"", ERR: b""}  # lines without their end so far
        self._lost_bytes = 0
        self._reason = ""
        self._fd = -1
        self._size_bytes = 0

    def add(self, stream: str, chunk: bytes) -> None:
        """Take what the container wrote."""
        given = self._open[stream] + chunk
        whole, newline, rest = given.rpartition(b"\n")
        pieces = [f"{line}\n" for line in whole.decode("utf-8", "surrogateescape").split("\n")] if newline else []
        while len(rest) >= LINE_BYTES:
            pieces.append(rest[:LINE_BYTES].decode("utf-8", "surrogateescape"))
            rest = rest[LINE_BYTES:]
        self._open[stream] = rest
        self._keep(stream, pieces, len(given) - len(rest))

    def close(self) -> None:
        """Keep the lines that never ended, and close the file."""
        for stream, rest in self._open.items():
            self._keep(stream, [rest.decode("utf-8", "surrogateescape")] if rest else [], len(rest))
            self._open[stream] = b""
        if self._fd >= 0:
            posix.close(self._fd)
            self._fd = -1

    def _keep(self, stream: str, pieces: list[str], size_bytes: int) -> None:
        if not pieces:
            return
        now = clock.moment()
        end = f',"stream":"{stream}","time":"{now}"}}\n'
        block = "".join([f'{{"log":{quoted(piece)}{end}' for piece in pieces]).encode()
        if self._lost_bytes:
            lost = quoted(f"harden: {self._lost_bytes} bytes were not kept: {self._reason}\n")
            block = f'{{"log":{lost},"stream":"{ERR}","time":"{now}"}}\n'.encode() + block
        try:
            self._write(block)
        except OSError as error:
            self._lost_bytes += size_bytes
            self._reason = posix.strerror(error.errno or 0)
        else:
            self._lost_bytes = 0

    def _write(self, block: bytes) -> None:
        if self._fd >= 0 and self._size_bytes and self._size_bytes + len(block) > self.limit_bytes:
            self._rotate()
        if self._fd < 0:
            flags = posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_NOFOLLOW | posix.O_CLOEXEC
            self._fd = posix.open(f"{self._folder}/{NAME}", flags, 0o600)
            self._size_bytes = posix.fstat(self._fd).st_size
            if self._size_bytes and self._size_bytes + len(block) > self.limit_bytes:
                self._rotate()
                self._write(block)
                return
        done = 0
        try:
            while done < len(block):
                done += posix.write(self._fd, block[done:])
        except OSError:
            posix.ftruncate(self._fd, self._size_bytes)  # no half of a line
            raise
        self._size_bytes += done

    def _rotate(self) -> None:
        posix.close(self._fd)
        self._fd = -1
        for number in range(self.files - 1, 0, -1):
            older, newer = f"{self._folder}/{NAME}.{number}", f"{self._folder}/{_name(number - 1)}"
            try:
                posix.rename(newer, older)
            except FileNotFoundError:
                continue


def _name(number: int) -> str:
    return f"{NAME}.{number}" if number else NAME


# --- reading --------------------------------------------------------------------------------------------------------------------


class Entry:
    """One line of a log: its bytes, the stream it went to, and when; a line that was cut short by a crash has no moment."""

    __slots__ = ("line", "moment", "stream")

    def __init__(self, line: bytes, stream: str, moment: str) -> None:
        self.line = line
        self.stream = stream
        self.moment = moment


def _entry(row: bytes) -> Entry:
    try:
        value = json_text.scan(row.decode("utf-8", "surrogateescape"))
    except ValueError:
        value = None
    if isinstance(value, dict):
        line, stream, moment = value.get("log"), value.get("stream"), value.get("time")
        if isinstance(line, str) and stream in (OUT, ERR) and isinstance(moment, str):
            return Entry(line.encode("utf-8", "surrogateescape"), stream, moment)
    return Entry(row + b"\n", ERR, "")


class Reader:
    """The log of a container from its oldest line on; what is written while it is read comes as well, also across rotations."""

    __slots__ = ("_fds", "_folder", "_rest", "missed")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._rest = b""
        self.missed = False  # a rotation has taken lines away before they were read
        # Newest first: a rotation between two of these shows one file twice, and hides none.
        found: dict[int, int] = {}
        for number in range(FILES):
            fd = _open(f"{folder}/{_name(number)}")
            if fd is not None and found.setdefault(posix.fstat(fd).st_ino, fd) != fd:
                posix.close(fd)
        self._fds = [*reversed(found.values())]

    @property
    def found(self) -> bool:
        """Tell whether there is a log."""
        return bool(self._fds)

    def close(self) -> None:
        """Close the files."""
        for fd in self._fds:
            posix.close(fd)
        self._fds = []

    def read(self) -> Iterator[Entry]:
        """Return the lines up to now."""
        while True:
            while self._fds:
                fd = self._fds[0]
                last = len(self._fds) == 1
                newer = self._newer(fd) if last else []
                # Only what is read after we know of a newer file can be the end of this one.
                yield from self._lines(fd)
                if last and not newer:
                    return
                self._fds = self._fds[1:] + newer
                posix.close(fd)
            fd_or_none = _open(f"{self._folder}/{NAME}")
            if fd_or_none is None:
                return
            self._fds = [fd_or_none]

    def _newer(self, fd: int) -> list[int]:
        """Return the files that came after one, oldest first."""
        mine = posix.fstat(fd).st_ino
        newer: list[int] = []
        for number in range(FILES):
            other = _open(f"{self._folder}/{_name(number)}")
            if other is None:
                break
            if posix.fstat(other).st_ino == mine:
                posix.close(other)
                return newer
            newer.insert(0, other)
        self.missed = self.missed or len(newer) == FILES
        return newer

    def _lines(self, fd: int) -> Iterator[Entry]:
        while chunk := posix.read(fd, 1 << 16):
            *rows, self._rest = (self._rest + chunk).split(b"\n")
            yield from map(_entry, rows)


def _open(path: str) -> int | None:
    try:
        return posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW)
    except FileNotFoundError:
        return None
