"""Receive a blob into a file: digested as it comes, written by a thread of its own, and begun where an earlier command was cut off."""

from __future__ import annotations

import hashlib
import os
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Final

from hardener.oci.image import Descriptor, split_digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    Fetch = Callable[[int], BinaryIO]
    """Open a blob's bytes from an offset on."""
    Told = Callable[[int], object]
    """Hear of bytes that have been written."""

PIECE: Final = 1 << 20
AHEAD: Final = 4  # pieces of a blob that may be fetched and not yet written


def fill(fd: int, descriptor: Descriptor, fetch: Fetch, heard: Told) -> bool:
    """Write the rest of a blob to its file; tell whether all of it has the right digest."""
    algorithm, digits = split_digest(descriptor.digest)
    found = hashlib.new(algorithm)
    if os.fstat(fd).st_size > descriptor.size:
        os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    size = 0
    while piece := os.read(fd, PIECE):
        found.update(piece)
        size += len(piece)
    if size < descriptor.size:
        stream = fetch(size)
        some = getattr(stream, "read1", stream.read)  # what has come is kept, however little: a kill must not cost it
        try:
            with _Behind(fd) as behind:
                while piece := some(PIECE):
                    size += len(piece)
                    if size > descriptor.size:
                        return False
                    behind.write(piece)
                    found.update(piece)
                    heard(len(piece))
        finally:
            stream.close()
    return size == descriptor.size and found.hexdigest() == digits


class _Behind:
    """Writes to a file while the next piece is fetched and digested: a thread of its own, a few pieces behind."""

    __slots__ = ("_failed", "_pieces", "_thread")

    def __init__(self, fd: int) -> None:
        self._failed: OSError | None = None
        self._pieces: Queue[bytes] = Queue(AHEAD)
        self._thread = Thread(target=self._run, args=(fd,))

    def __enter__(self) -> _Behind:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._pieces.put(b"")
        self._thread.join()
        if self._failed is not None and kind is None:
            raise self._failed

    def write(self, piece: bytes) -> None:
        """Have a piece written, which is not empty. Raises what an earlier one has met with."""
        if self._failed is not None:
            raise self._failed
        self._pieces.put(piece)

    def _run(self, fd: int) -> None:
        while piece := self._pieces.get():
            try:
                if self._failed is None:
                    write_all(fd, piece)
            except OSError as error:
                self._failed = error


def write_all(fd: int, content: bytes) -> None:
    """Write all of some bytes."""
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
