"""A layer's blob as a file of tar: verified first, then decompressed and digested in pieces, never more of it in memory than one.

What is in the blob has a digest of its own, which is only known at the end: what was made of it may not be used before `finish`.
"""

from __future__ import annotations

import hashlib
import os
from gzip import GzipFile
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol
from zlib import error as zlib_error

from hardener.errors import HardenError
from hardener.images.layout import open_regular
from hardener.oci.image import Descriptor, split_digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import Popen  # nosec B404

    class Source(Protocol):
        """What a decompressor offers."""

        def read(self, size: int, /) -> bytes:
            """Return so many bytes, or fewer."""


PIECE: Final = 1 << 18
# A gzip of zeros is a thousandth of them. Real layers shrink to a third, hardly ever to a hundredth.
RATIO: Final = 200
FREE: Final = 256 << 20  # bytes that may come out of however little
MOST: Final = 64 << 30
KEPT: Final = 1 << 10  # bytes that can be read again: tarfile looks back at the end of what it has skipped
LARGEST: Final = 1 << 20  # bytes at once: more than the headers of an entry ever are
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Tar:
    """The tar of a layer, to be read forwards by tarfile; a context manager."""

    def __init__(self, path: str, descriptor: Descriptor, diff_id: str) -> None:
        self._path = path
        self._digest, self._digits = split_digest(diff_id)
        self._hash = hashlib.new(self._digest)
        self.most = min(MOST, FREE + RATIO * descriptor.size)
        self.budget = LARGEST  # bytes that may be read until the next entry: its headers
        self._position = self._behind = 0
        self._tail = self._last = b""
        self._tool: Popen[bytes] | None = None
        self._closing: list[Callable[[], object]] = []
        fd = open_regular(path)
        self._closing.append(lambda: os.close(fd))
        try:
            _verify(fd, descriptor, path)
            self._source = self._decompressed(fd)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Tar:
        return self

    def __exit__(self, *_: object) -> None:
        while self._closing:
            self._closing.pop()()

    def _decompressed(self, fd: int) -> Source:
        head = os.read(fd, 4)
        os.lseek(fd, 0, os.SEEK_SET)
        file = open(fd, "rb", closefd=False)  # noqa: SIM115  (closed with us)
        self._closing.append(file.close)
        if head.startswith(_ZSTD):
            return self._zstd(file, fd)
        if not head.startswith(_GZIP):
            return file
        return GzipFile(fileobj=file, mode="rb")

    def _zstd(self, file: BinaryIO, fd: int) -> Source:
        from importlib import import_module

        try:  # since Python 3.14
            made: Source = import_module("compression.zstd").ZstdFile(file)
        except ImportError:
            return self._zstd_tool(fd)
        return made

    def _zstd_tool(self, fd: int) -> Source:
        from subprocess import DEVNULL, PIPE, Popen  # nosec B404

        try:
            self._tool = Popen(["zstd", "-dcq", "--memory=512MB"], stdin=fd, stdout=PIPE, stderr=DEVNULL)  # nosec B603 B607
        except FileNotFoundError:
            how = "install the package zstd, or copy the image with gzip: skopeo copy --dest-compress-format gzip"
            raise HardenError("the layer is compressed with zstd, which is not there", where=self._path, how=how) from None
        out = self._tool.stdout
        if out is None:
            raise AssertionError("it was asked for")
        self._closing += [self._tool.wait, self._tool.kill, out.close]
        return out

    # --- what tarfile uses ---

    def tell(self) -> int:
        """Return where the next read is."""
        return self._position - self._behind

    def seek(self, position: int, /) -> None:
        """Go forwards, or a little back."""
        ahead = position - self.tell()
        if ahead < 0:
            self._behind -= ahead
            if self._behind > len(self._tail):
                raise self._damaged("it leads backwards")
        while ahead > 0 and (piece := self._read(min(ahead, PIECE))):
            ahead -= len(piece)

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, or what there is to the end."""
        self.budget -= size
        if size < 0 or self.budget < 0:
            raise self._damaged("its headers are too large")
        self._last = self._read(size)
        return self._last

    def write(self, _: bytes, /) -> int:
        """Do nothing: tarfile wants it to be there."""
        raise AssertionError("a layer is only read")

    def close(self) -> None:
        """Do nothing: it is closed by who has opened it."""

    def _read(self, size: int) -> bytes:
        pieces = []
        if self._behind:
            start = len(self._tail) - self._behind
            pieces.append(self._tail[start : start + size])
            self._behind -= len(pieces[0])
            size -= len(pieces[0])
        while size and (piece := self._next(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _next(self, size: int) -> bytes:
        try:
            piece = self._source.read(size)
        except (EOFError, OSError, ValueError, zlib_error) as error:
            raise self._damaged(str(error)) from error
        if piece:
            self._position += len(piece)
            if self._position > self.most:
                how = f"what came out is more than {RATIO} times what is there, or more than {MOST >> 30} GiB: it is made to fill disks"
                raise HardenError("the layer is too large", where=self._path, how=how)
            self._hash.update(piece)
            self._tail = (self._tail + piece)[-KEPT:] if len(piece) < KEPT else piece[-KEPT:]
        return piece

    def finish(self) -> None:
        """Read to the end, and raise an error unless all of it is what it should be."""
        while self._read(PIECE):
            pass
        if self._tool is not None and self._tool.wait():
            raise self._damaged("zstd cannot read it")
        if self._hash.hexdigest() != self._digits:
            raise self._damaged(f"what is in it is not {self._digest}:{self._digits}")

    def stopped_early(self) -> bool:
        """Tell whether what was read last is not the end of a tar: nothing, or zeros."""
        return bool(self._last.strip(b"\0"))

    def _damaged(self, why: str) -> HardenError:
        return HardenError(f"the layer is damaged: {why}", where=self._path, how="copy or build the image again")


def _verify(fd: int, descriptor: Descriptor, path: str) -> None:
    algorithm, digits = split_digest(descriptor.digest)
    found = hashlib.new(algorithm)
    size = 0
    while size <= descriptor.size and (piece := os.read(fd, PIECE)):
        found.update(piece)
        size += len(piece)
    if size != descriptor.size or found.hexdigest() != digits:
        raise HardenError("this is not what its digest and size say", where=path, how="it is damaged or forged: copy the image again")
    os.lseek(fd, 0, os.SEEK_SET)
