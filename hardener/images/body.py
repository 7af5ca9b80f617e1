"""The bytes of a blob as they arrive: the connection may break as often as it likes, the size may not change.

What arrives is not verified here: whoever reads it holds the digest against it. That is also why bytes from a second connection, or from
another server, may follow bytes from the first. Counted are only what the descriptor says: never more is handed out, never less is the end.
"""

from __future__ import annotations

import io
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from hardener.images.retrying import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from _typeshed import WriteableBuffer

    from hardener.images.retrying import Patience

PIECE: Final = 1 << 20
BUFFER: Final = 256 << 10
ROOM: Final = 32 << 10  # bytes to ask the system for at first
MOMENT_S: Final = 0.1
SLOW_BYTES: Final = 32 << 10  # of a window of `stall_s`: less is no transfer
PROGRESS_BYTES: Final = 4 << 20  # after which a connection that breaks has not been in vain


class Stream(Protocol):
    """A body of one answer."""

    def read_some(self, most: int) -> bytes:
        """Return what has arrived, at least a byte, or nothing at the end. Raises Trouble when the connection breaks."""

    def close(self) -> None:
        """Give up the connection."""


class Pace:
    """Whether bytes come fast enough: only the time that we wait for them counts, not what is done with them meanwhile."""

    __slots__ = ("bytes", "limit_s", "waited_s", "where")

    def __init__(self, limit_s: float, where: str) -> None:
        self.limit_s = limit_s
        self.where = where
        self.bytes = 0
        self.waited_s = 0.0

    def read(self, stream: Stream, most: int) -> bytes:
        """Read from a stream. Raises Trouble when too little has come for too long."""
        began = monotonic()
        piece = stream.read_some(most)
        self.waited_s += monotonic() - began
        self.bytes += len(piece)
        if self.waited_s > self.limit_s:
            if self.bytes < SLOW_BYTES and piece:
                what = f"only {self.bytes} bytes came in {self.waited_s:.0f} s"
                raise Trouble(what, where=self.where, how="try again later, or from a mirror (--mirror)", again=True)
            self.bytes, self.waited_s = 0, 0.0
        return piece


class Body(io.RawIOBase):
    """The bytes of a blob from `offset` on. `connect(offset)` opens a stream that begins there."""

    def __init__(self, connect: Callable[[int], Stream], size: int, offset: int, where: str, patience: Patience, stall_s: float) -> None:
        super().__init__()
        self._connect = connect
        self._size = size
        self._at = offset
        self._where = where
        self._patience = patience
        self._pace = Pace(stall_s, where)
        self._stream: Stream | None = None
        self._attempt = 0
        self._room = ROOM
        self._good = offset  # where the last connection began that was not in vain
        if offset < size:
            self._stream = connect(offset)  # last: `close` is called even for what could not be made

    def readable(self) -> bool:
        """Tell that this is for reading."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer with what comes in a moment; 0 at the end, which is where the descriptor says."""
        view = memoryview(buffer).cast("B")[:PIECE]
        began = monotonic()
        took = 0
        # TLS comes in records of 16 KiB: whoever reads us has as much to do for one as for many.
        while self._stream is not None and took < len(view) and not (took and monotonic() - began > MOMENT_S):
            try:
                piece = self._pace.read(self._stream, min(len(view) - took, self._room))
                if not piece:
                    raise Trouble(f"the answer ended after {self._at} of {self._size} bytes", where=self._where, again=True)
            except Trouble as trouble:
                self._again(trouble)
                continue
            self._take(piece, view[took:])
            took += len(piece)
        return took

    def _take(self, piece: bytes, view: memoryview) -> None:
        if self._at + len(piece) > self._size:
            self.close()
            raise Trouble(f"more than the {self._size} bytes of the blob came", where=self._where, how="the registry is broken, or hostile")
        view[: len(piece)] = piece
        self._at += len(piece)
        # Room is taken from the system and given back each time: about as much as comes is enough.
        self._room = min(max(2 * len(piece), ROOM), PIECE)
        if self._at - self._good >= PROGRESS_BYTES:
            self._good, self._attempt = self._at, 0
        if self._at == self._size:
            self._release()

    def _again(self, trouble: Trouble) -> None:
        self._release()
        self._pace = Pace(self._pace.limit_s, self._where)
        self._attempt += 1
        if self._attempt >= self._patience.tries:
            raise trouble
        self._patience.wait(trouble, self._attempt)
        self._stream = self._connect(self._at)

    def _release(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def close(self) -> None:
        """Give up what has not been read."""
        self._release()
        super().close()
