"""A layer's blob as a stream of tar: decompressed and digested in one pass, never more of it in memory than a few pieces.

The digest of the blob, and of what is in it, are only known at the end: what was made of it may not be used before `finish`. When something
is wrong in the middle, the digest of the blob decides which of two things is said: that it was damaged on the way, or made so.
"""

from __future__ import annotations

import hashlib
import os
from gzip import GzipFile
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol
from zlib import error as zlib_error

from hardener.errors import HardenError
from hardener.images.layout import open_regular
from hardener.images.limits import LIMITS
from hardener.oci.image import Descriptor, split_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from subprocess import Popen  # nosec B404

    from hardener.images.limits import Limits

    class Source(Protocol):
        """What a decompressor offers."""

        def read(self, size: int, /) -> bytes:
            """Return so many bytes, or fewer."""


PIECE: Final = 1 << 18
OUT: Final = 1 << 20  # bytes that are decompressed at once
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


class LayerStream:
    """The tar in a layer's blob, from wherever it comes; a context manager, which closes `raw`.

    `diff_id` is the digest of the tar. Raises HardenError for whatever is not what the descriptor and the digest say, at the latest in
    `finish`.
    """

    def __init__(self, raw: BinaryIO, descriptor: Descriptor, diff_id: str, where: str, limits: Limits = LIMITS) -> None:
        self._raw = raw
        self._where = where
        self._limits = limits
        self._left = descriptor.size
        self._algorithm, self._digits = split_digest(descriptor.digest)
        self._found = hashlib.new(self._algorithm)
        self._diff_algorithm, self._diff_digits = split_digest(diff_id)
        self._diff = hashlib.new(self._diff_algorithm)
        self.most = min(limits.total, limits.free + limits.ratio * descriptor.size)
        self._out = 0
        self._pieces = decompressed(self._stored, where, limits)
        self._finished = False

    def __enter__(self) -> LayerStream:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            self._pieces.close()
            if isinstance(error, HardenError) and not self._finished:
                self._verify()  # damaged on the way is what it is, whatever that looked like
        finally:
            self._raw.close()

    def more(self) -> bytes:
        """Return the next piece of the tar, or nothing at its end."""
        piece = next(filter(None, self._pieces), b"")
        self._out += len(piece)
        if self._out > self.most:
            limits = self._limits
            how = f"it is more than {limits.ratio} times what is there, or than {limits.total >> 30} GiB: it is made to fill disks"
            raise HardenError("what comes out of the layer is too large", where=self._where, how=how)
        self._diff.update(piece)
        return piece

    def finish(self) -> None:
        """Read to the end, and raise an error unless all of it is what it should be."""
        while self.more():
            pass
        self._verify()
        self._finished = True
        if self._diff.hexdigest() != self._diff_digits:
            raise self._damaged(f"what is in it is not {self._diff_algorithm}:{self._diff_digits}")

    def _verify(self) -> None:
        """Read what is left of the blob, and raise an error unless it is what its descriptor says."""
        while self._stored():
            pass
        if self._left or self._found.hexdigest() != self._digits:
            raise HardenError(
                "this is not what its digest and size say", where=self._where, how="it is damaged or forged: copy the image again"
            )

    def _stored(self) -> bytes:
        """Return the next piece of the blob as it is stored."""
        piece = self._raw.read(min(PIECE, self._left + 1))
        self._left -= len(piece)
        if self._left < 0:
            raise HardenError(
                "this is larger than its descriptor says", where=self._where, how="it is damaged or forged: copy the image again"
            )
        self._found.update(piece)
        return piece

    def _damaged(self, why: str) -> HardenError:
        return HardenError(f"the layer is damaged: {why}", where=self._where, how="copy or build the image again")


# --- decompression ----------------------------------------------------------------------------------------------------------------


def is_compressed(head: bytes) -> bool:
    """Tell whether a file that begins so (4 bytes will do) is compressed in a way that is known."""
    return head.startswith((_GZIP, _ZSTD))


def decompressed(stored: Callable[[], bytes], where: str, limits: Limits = LIMITS) -> Generator[bytes, None, None]:
    """Return what is in a stream that is compressed by gzip or zstd, or plain. `stored` returns its next piece, nothing at the end."""
    head = stored()
    while 0 < len(head) < len(_ZSTD) and (piece := stored()):
        head += piece
    if head.startswith(_ZSTD):
        made = _zstd_module()
        yield from _zstd_tool(head, stored, where, limits) if made is None else _zstd_frames(head, stored, where, limits, made)
    elif head.startswith(_GZIP):
        yield from _gzip(head, stored, where)
    else:
        while head:
            yield head
            head = stored()


def _gzip(piece: bytes, stored: Callable[[], bytes], where: str) -> Iterator[bytes]:
    make, wrong = _inflate()
    stream = make(31)
    try:
        while piece:
            if stream.eof:  # another member, or zeros that fill a block
                if not piece.startswith(_GZIP[: len(piece)]):
                    if piece.strip(b"\0"):
                        raise _damaged("there is something behind the compressed file", where)
                    piece = stored()
                    continue
                stream = make(31)
            out = stream.decompress(piece, OUT)
            yield out
            piece = stream.unused_data if stream.eof else stream.unconsumed_tail
            while not piece and not stream.eof and len(out) == OUT:  # there may be more in it than in what it was given
                out = stream.decompress(b"", OUT)
                yield out
                piece = stream.unused_data
            piece = piece or stored()
    except wrong as error:
        raise _damaged(str(error), where) from error
    if not stream.eof:
        raise _damaged("Compressed file ended before the end-of-stream marker was reached", where)


def _zstd_frames(piece: bytes, stored: Callable[[], bytes], where: str, limits: Limits, module: Any) -> Iterator[bytes]:
    options = {module.DecompressionParameter.window_log_max: limits.window}
    stream = module.ZstdDecompressor(options=options)
    try:
        while piece:
            if stream.eof:
                stream = module.ZstdDecompressor(options=options)
            yield stream.decompress(piece, OUT)
            while not stream.eof and not stream.needs_input:
                yield stream.decompress(b"", OUT)
            piece = (stream.unused_data if stream.eof else b"") or stored()
    except module.ZstdError as error:
        raise _damaged(str(error), where) from error
    if not stream.eof:
        raise _damaged("it ends in the middle of a frame", where)


def _zstd_tool(piece: bytes, stored: Callable[[], bytes], where: str, limits: Limits) -> Iterator[bytes]:
    from subprocess import DEVNULL, PIPE, Popen  # nosec B404
    from threading import Thread

    try:
        command = ["zstd", "-dcq", f"--memory={1 << limits.window}"]
        tool = Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)  # nosec B603 B607
    except FileNotFoundError:
        how = "install the package zstd, or copy the image with gzip: skopeo copy --dest-compress-format gzip"
        raise HardenError("the layer is compressed with zstd, which is not there", where=where, how=how) from None
    into, out = tool.stdin, tool.stdout
    if into is None or out is None:
        raise AssertionError("they were asked for")
    trouble: list[HardenError | OSError] = []

    def feed(piece: bytes) -> None:
        try:
            with into:
                while piece:
                    into.write(piece)
                    piece = stored()
        except (HardenError, OSError) as error:
            trouble.append(error)

    feeder = Thread(target=feed, args=(piece,), daemon=True)
    feeder.start()
    try:
        while read := out.read(PIECE):
            yield read
        feeder.join()
        if tool.wait():
            raise _damaged("zstd cannot read it", where)
    finally:  # before anything else is read: a thread may be at it
        out.close()
        tool.kill()
        tool.wait()
        feeder.join()
    for error in trouble:
        raise error


def _damaged(why: str, where: str) -> HardenError:
    return HardenError(f"the layer is damaged: {why}", where=where, how="copy or build the image again")


def _inflate() -> tuple[Callable[[int], Any], Any]:
    """Return the fastest decompressor of gzip that is installed, and its error; all give the same."""
    import zlib

    return zlib.decompressobj, zlib.error


def _zstd_module() -> Any:
    """Return the module of the standard library for zstd, or its backport; None when there is neither."""
    from importlib import import_module

    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


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
