"""Taking in a file that comes whole, or in windows that overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Gatherer(Protocol):
    """Takes in one file."""

    def add(self, content: bytes, offset: int) -> None:
        """Take what stands at an offset: windows come in order, and overlap."""

    def kept(self) -> bytes | bytearray:
        """Return what is kept of the file, when all of it has come; nothing when it is of no use."""


class Whole:
    """Keeps all of it, or what `shrink` makes of that."""

    __slots__ = ("_content", "_shrink")

    def __init__(self, shrink: Callable[[bytes], bytes] | None = None) -> None:
        self._content: bytes | bytearray = b""  # never copied: a database of rpm has half of the memory that we may use
        self._shrink = shrink

    def add(self, content: bytes, offset: int) -> None:
        """Append what is new of it."""
        if offset == 0:
            self._content = content
            return
        if isinstance(self._content, bytes):
            self._content = bytearray(self._content)
        self._content += content[len(self._content) - offset :]

    def kept(self) -> bytes | bytearray:
        """Return it."""
        return self._content if self._shrink is None else self._shrink(bytes(self._content))
