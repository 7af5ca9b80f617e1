"""Taking in a file that comes whole, or in windows that overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Gatherer(Protocol):
    """Takes in one file."""

    def add(self, content: bytes, offset: int) -> None:
        """Take what stands at an offset: windows come in order, and overlap."""

    def kept(self) -> bytes:
        """Return what is kept of the file, when all of it has come; nothing when it is of no use."""


class Whole:
    """Keeps all of it, or what `shrink` makes of that."""

    __slots__ = ("_content", "_shrink")

    def __init__(self, shrink: Callable[[bytes], bytes] | None = None) -> None:
        self._content = bytearray()
        self._shrink = shrink

    def add(self, content: bytes, offset: int) -> None:
        """Append what is new of it."""
        self._content += content[len(self._content) - offset :] if offset else content

    def kept(self) -> bytes:
        """Return it."""
        content = bytes(self._content)
        return content if self._shrink is None else self._shrink(content)
