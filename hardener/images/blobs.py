"""A layer's blob as a stream of tar: decompressed and digested in one pass, never more of it in memory than a few pieces.

The digest of the blob, and of what is in it, are only known at the end: what was made of it may not be used before `finish`. When something
is wrong in the middle, the digest of the blob decides which of two things is said: that it was damaged on the way, or made so.
"""

from __future__ import annotations

import hashlib
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from hardener.errors import HardenError
from hardener.images.image import place
from hardener.images.limits import LIMITS
from hardener.oci.image import Descriptor, split_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from hardener.images.image import Image, Layer
    from hardener.images.limits import Limits

# Large ones: with each, two threads have to wait for each other.
PIECE: Final = 1 << 20  # bytes that are read at once
OUT: Final = 1 << 22  # bytes that are decompressed at once
AHEAD: Final = 3  # pieces that wait for who reads them
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def open_layer(image: Image, layer: Layer, limits: Limits = LIMITS) -> LayerStream:
    """Return the tar of a layer, which is verified when it has been read to its end."""
    where = place(image.source, layer.descriptor)
    return LayerStream(image.source.open(layer.descriptor), layer.descriptor, layer.diff_id, where, limits)


class LayerStream:
    """The tar in a layer's blob, from wherever it comes; a context manager, which closes `raw`.

    `diff_id` is the digest of the tar. Raises HardenError for whatever is not what the descriptor and the digest say, at the latest in
    `finish`.
    """

    def __init__(self, raw: BinaryIO, descriptor: Descriptor, diff_id: str, where: str, limits: Limits = LIMITS) -> None:
        self._raw = raw
        self.where = where
        self._limits = limits
        self._left = descriptor.size
        self._algorithm, self._digits = split_digest(descriptor.digest)
        self._found = hashlib.new(self._algorithm)
        self._diff_algorithm, self._diff_digits = split_digest(diff_id)
        self._diff = hashlib.new(self._diff_algorithm)
        self._most = min(limits.total, limits.free + limits.ratio * descriptor.size)
        self._out = 0
        self._pieces = decompressed(self._stored, where, limits)
        self._finished = False
        # A thread decompresses while what it has made is read: both take their time outside of the interpreter's lock.
        self._ready: SimpleQueue[bytes | BaseException] = SimpleQueue()
        self._room = Semaphore(AHEAD)
        self._stopped = False
        self._thread = Thread(target=self._produce, daemon=True)

    def __enter__(self) -> LayerStream:
        self._thread.start()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._stopped = True
        self._room.release()
        try:
            # Who is interrupted does not wait for a network.
            self._thread.join(None if error is None or isinstance(error, HardenError) else 1)
            if isinstance(error, HardenError) and not self._finished:
                self._verify()  # damaged on the way is what it is, whatever that looked like
        finally:
            self._raw.close()

    def _produce(self) -> None:
        end: bytes | BaseException = b""
        try:
            for piece in filter(None, self._pieces):
                self._room.acquire()
                if self._stopped:
                    break
                self._diff.update(piece)  # here, where it holds up nobody: hashing a piece lets other threads run
                self._ready.put(piece)
        except BaseException as error:  # it is raised where the pieces are waited for
            end = error
        self._pieces.close()
        self._ready.put(end)

    def more(self) -> bytes:
        """Return the next piece of the tar, or nothing at its end."""
        piece = self._ready.get()
        if isinstance(piece, BaseException):
            self._ready.put(piece)
            raise piece
        if not piece:
            self._ready.put(piece)  # asked again, it is the end again
            return piece
        self._room.release()
        self._out += len(piece)
        if self._out > self._most:
            limits = self._limits
            how = f"it is more than {limits.ratio} times what is there, or than {limits.total >> 30} GiB: it is made to fill disks"
            raise HardenError("what comes out of the layer is too large", where=self.where, how=how)
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
                "this is not what its digest and size say", where=self.where, how="it is damaged or forged: copy the image again"
            )

    def _stored(self) -> bytes:
        """Return the next piece of the blob as it is stored."""
        try:
            piece = self._raw.read(min(PIECE, self._left + 1))
        except OSError as error:
            raise HardenError(
                f"it cannot be read: {error.strerror}", where=self.where, how="look at the disk, or copy the image again"
            ) from error
        self._left -= len(piece)
        if self._left < 0:
            raise HardenError(
                "this is larger than its descriptor says", where=self.where, how="it is damaged or forged: copy the image again"
            )
        self._found.update(piece)
        return piece

    def _damaged(self, why: str) -> HardenError:
        return HardenError(f"the layer is damaged: {why}", where=self.where, how="copy or build the image again")


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
        raise _damaged("gzip cannot read it", where) from error
    if not stream.eof:
        raise _damaged("it ends in the middle of a compressed file", where)


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
        raise _damaged("zstd cannot read it", where, limits) from error
    if not stream.eof:
        raise _damaged("it ends in the middle of a compressed file", where)


def _zstd_tool(piece: bytes, stored: Callable[[], bytes], where: str, limits: Limits) -> Iterator[bytes]:
    from subprocess import DEVNULL, PIPE, Popen  # nosec B404

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
            raise _damaged("zstd cannot read it", where, limits)
    finally:  # before anything else is read: a thread may be at it
        out.close()
        tool.kill()
        tool.wait()
        feeder.join()
    for error in trouble:
        raise error


def _damaged(why: str, where: str, limits: Limits | None = None) -> HardenError:
    how = "copy or build the image again"
    if limits is not None:
        how += f"; what needs more memory than {1 << limits.window - 20} MiB (zstd --long) is not read"
    return HardenError(f"the layer is damaged: {why}", where=where, how=how)


def _inflate() -> tuple[Callable[[int], Any], Any]:
    """Return the fastest decompressor of gzip that is installed, and its error; all give the same."""
    import zlib

    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.decompressobj, zlib.error
    return isal_zlib.decompressobj, isal_zlib.error


def _zstd_module() -> Any:
    """Return the module of the standard library for zstd, or its backport; None when there is neither."""
    from importlib import import_module

    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None
